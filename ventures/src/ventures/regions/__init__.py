"""The directory: in which region each venture lives, and which ventures an account belongs to. Global, opaque ids only.

In: ventures founded and members come and gone, each with the place (seq) it has in its venture's log; told at once by
whoever did it and again by a consumer of the log, at least once, in any order. Out: where to go. What may be done there
is not known here: the venture's own membership decides. Knows `database` and `errors`.
"""
