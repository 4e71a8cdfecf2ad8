"""Drafts from a language model, with the venture's own passages as context and citation.

In: what a member asks for, the venture's passages and context notes. Out: a streamed draft with its citations, kept in
the log whatever became of it. May know: search, content, tenancy, log, billing.
"""
