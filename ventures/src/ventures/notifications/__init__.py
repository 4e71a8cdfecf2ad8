"""Who is told what: notices in the product, reminders of deadlines, and signed webhooks.

In: the log's events; commands that add, change and remove webhooks. Out: a member's notices, requests to webhooks'
addresses with a record of each, and the events of webhooks and of deadlines that are near. May know: posts, planner,
content, tenancy and log (by their `api`), database, settings, outbound.
"""
