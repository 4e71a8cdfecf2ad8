"""Plans, what a venture is subscribed to, and how much of it is used. Global: a venture is an opaque id.

In: a choice of plan, outcomes of payments, and usage with its place (seq) in whatever counted it; at least once, in any
order. Out: allowances. Everything is behind `BillingPort`; `PostgresBilling` is the service, `CachedBilling` lets a
region go on without it. Limits are soft by as much as the consumer of the log lags. Knows `regions`, `database`,
`identifiers` and `errors`.
"""
