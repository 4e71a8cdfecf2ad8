"""Ventures, their members, and what a member may do: the one permission table of all features.

In: commands that found a venture, invite and change members. Out: events, and the `Authority` that the spine and
every read ask. May know: log, accounts and regions (by their `api`), database.
"""
