"""The spine: one ordered log per venture.

In: commands with their actor. Out: events, appended in the transaction that changed the state, numbered without
gaps in the order of commits, each chained to the one before by a hash; and their delivery to consumers, which read
from a position that is kept with what they made of the events. May know: database.
"""
