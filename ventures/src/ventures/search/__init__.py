"""What can be found: passages with their vectors, the index that follows from them, searches and recommendations.

In: events of content (and of whoever else registers a source of passages), queries of members. Out: passages and
preferences in PostgreSQL, a vector index filled from them, ranked hits with the reason for their rank. May know:
vectors, content, tenancy, log, accounts, regions, and `outgrow.routing` for where a venture's index is.
"""
