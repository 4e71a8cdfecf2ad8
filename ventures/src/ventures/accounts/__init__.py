"""People and what they sign in with: accounts, sessions, API keys. Global: knows of ventures no more than an opaque id.

In: an address and a password, or a token that a request carries. Out: a `Caller`. Tokens begin with the account's id,
so that a request asks for its session, its membership and its data in one round trip; only their SHA-256 is kept.
Knows `database`, `identifiers` and `errors`.
"""
