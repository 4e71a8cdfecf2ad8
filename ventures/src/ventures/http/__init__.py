"""The API under /v1: REST, OpenAPI 3.1, problem documents, cursor pages, idempotency keys, ETags.

In: requests, signed in by session or key. Out: commands for the spine, and reads, each with the permission it
needs. One file a resource; what all resources share stands in `exchange`, `authentication`, `problems` and
`paging`. May know: wiring and every room's `api`.
"""
