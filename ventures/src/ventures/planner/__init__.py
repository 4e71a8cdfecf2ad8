"""The calendar: events, deadlines of content, times of posts. A deadline or a post's time stands in its row here only.

In: commands that add, move and remove entries, and the entries that posts put; what happens to content items. Out: the
calendar with local times, free slots, feeds for calendar programs (iCalendar). May know: content, tenancy, log (by
their `api`), database.
"""
