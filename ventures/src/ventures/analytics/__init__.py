"""How a venture's work goes: daily counts and durations, folded from its log.

In: the log's events. Out: series over days, with totals, and how far the log was read for them. May know: posts,
planner, content, tenancy and log (by their `api`), database.
"""
