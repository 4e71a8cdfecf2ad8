"""Drafts from a language model, with the venture's own passages as context and citation.

In: what a member asks for, the venture's passages (by a port) and context notes, a language model by URL or none. Out:
a streamed draft with its citations, kept in the log whatever became of it; counts of how drafts end. May know: search,
content, tenancy, log (by their `api`), vectors' records, database, settings.
"""
