"""Channels and posts: what of a content item goes out where and when, and that it goes out once.

In: commands of members, approvals that are voided, items that are deleted, the time. Out: events, the item's and the
calendar's among them; requests to the networks. A channel enters by the entry point group `ventures.channels`.
May know: planner, content, tenancy and log (by their `api`), outbound, database.

How a post goes out: `outbox` (a consumer) keeps which post is due when; `publisher` (a loop) claims what is due,
appends that publishing began, calls the channel, appends the outcome. The log is the truth and the outbox a reminder: a
stale reminder is refused by `publishing`. An attempt of which nobody knows how it ended is looked up where the channel
can be asked, repeated with the same key where the channel takes one and cannot be asked, and otherwise ends as
*unknown*.
"""
