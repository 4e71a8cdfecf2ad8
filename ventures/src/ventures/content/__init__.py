"""Content items, their immutable versions, their approval, and comments on them.

In: commands of writers and approvers; from posts the facts that an item was scheduled, unscheduled or published. Out:
items, versions, history, and facts that planner and posts react to. May know: tenancy and log (by their `api`),
database.
"""
