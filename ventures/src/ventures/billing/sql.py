"""Every statement on subscriptions, checkouts and usage. `%(venture_id)s` is an opaque id here."""

from typing import LiteralString

SUBSCRIPTION: LiteralString = """
SELECT venture, plan, since, ends_at, version FROM global.subscription WHERE venture = %(venture_id)s
"""

# A checkout's id is time-ordered: the outcome of an older one never replaces what a newer one brought.
ACTIVATE: LiteralString = """
INSERT INTO global.subscription AS held (venture, plan, checkout, since)
VALUES (%(venture_id)s, %(plan)s, %(checkout)s, %(now)s)
ON CONFLICT (venture) DO UPDATE
SET plan = excluded.plan, checkout = excluded.checkout, since = excluded.since, ends_at = NULL,
    version = held.version + 1
WHERE held.checkout < excluded.checkout
"""

CANCEL: LiteralString = """
UPDATE global.subscription SET ends_at = %(ends_at)s, version = version + 1
WHERE venture = %(venture_id)s AND ends_at IS NULL AND plan <> 'free'
"""

GIVE_UP_CHECKOUTS: LiteralString = """
UPDATE global.checkout SET state = 'failed', settled_at = %(now)s
WHERE venture = %(venture_id)s AND state = 'pending' AND id <> %(but)s
"""

OPEN_CHECKOUT: LiteralString = """
INSERT INTO global.checkout (id, venture, plan, account, state, opened_at)
VALUES (%(checkout)s, %(venture_id)s, %(plan)s, %(account)s, 'pending', %(now)s)
"""

SETTLE: LiteralString = """
UPDATE global.checkout SET state = %(state)s, settled_at = %(now)s
WHERE id = %(checkout)s AND state = 'pending'
RETURNING id, venture, plan, state, url
"""

SHOW_PAGE: LiteralString = """
UPDATE global.checkout SET url = %(url)s WHERE id = %(checkout)s RETURNING id, venture, plan, state, url
"""

CHECKOUT: LiteralString = "SELECT id, venture, plan, state, url FROM global.checkout WHERE id = %(checkout)s"

LATEST_CHECKOUT: LiteralString = """
SELECT id, venture, plan, state, url FROM global.checkout WHERE venture = %(venture_id)s ORDER BY id DESC LIMIT 1
"""

PLANS_HELD: LiteralString = """
SELECT plan FROM global.subscription
WHERE venture = ANY(%(ventures)s) AND (ends_at IS NULL OR ends_at > %(now)s)
"""

# One statement: what was counted before under the same source and seq adds nothing.
APPLY_USAGE: LiteralString = """
WITH fresh AS (
    INSERT INTO global.usage_entry (venture, metric, source, seq, amount, at)
    VALUES (%(venture_id)s, %(metric)s, %(source)s, %(seq)s, %(amount)s, %(at)s)
    ON CONFLICT (venture, metric, source, seq) DO NOTHING
    RETURNING venture, metric, amount
)
INSERT INTO global.usage AS held (venture, metric, period, used)
SELECT fresh.venture, fresh.metric, %(period)s::date, fresh.amount FROM fresh
ON CONFLICT (venture, metric, period) DO UPDATE SET used = held.used + excluded.used
"""

USAGE: LiteralString = """
SELECT metric, period, used FROM global.usage WHERE venture = %(venture_id)s AND period = ANY(%(periods)s)
"""

SWEEP_ENTRIES: LiteralString = """
DELETE FROM global.usage_entry WHERE source <> 'log' AND at < %(expired)s RETURNING 1
"""
