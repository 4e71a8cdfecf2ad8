"""What a venture uses of its plan: counted from its log, asked before a command that needs room.

In: events, and commands about to be carried out. Out: usage told to billing, refusals where a plan does not include
more. May know: the rooms whose facts and commands count (generation, posts, content, tenancy), log and billing, by
their `api`.
"""
