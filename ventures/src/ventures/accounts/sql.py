"""Every statement on accounts, sessions, API keys, attempts to sign in and idempotency keys."""

from typing import LiteralString

ADD_ACCOUNT: LiteralString = """
INSERT INTO global.account (id, email, name, password, created_at, password_changed_at)
VALUES (%(account)s, %(email)s, %(name)s, %(password)s, %(now)s, %(now)s)
ON CONFLICT (email) DO NOTHING
RETURNING id, email, name, version, created_at
"""

ACCOUNT: LiteralString = "SELECT id, email, name, version, created_at FROM global.account WHERE id = %(account)s"

ACCOUNT_OF_EMAIL: LiteralString = """
SELECT id, email, name, version, created_at FROM global.account WHERE email = %(email)s
"""

ACCOUNTS: LiteralString = """
SELECT id, email, name, version, created_at FROM global.account WHERE id = ANY(%(accounts)s) ORDER BY id
"""

RENAME: LiteralString = """
UPDATE global.account SET name = %(name)s, version = version + 1
WHERE id = %(account)s AND version = %(version)s
RETURNING id, email, name, version, created_at
"""

CREDENTIALS_OF_EMAIL: LiteralString = "SELECT id, email, password FROM global.account WHERE email = %(email)s"

CREDENTIALS: LiteralString = "SELECT id, email, password FROM global.account WHERE id = %(account)s"

REHASH: LiteralString = """
UPDATE global.account SET password = %(password)s WHERE id = %(account)s AND password = %(verified)s
"""

CHANGE_CREDENTIALS: LiteralString = """
UPDATE global.account SET password = %(password)s, password_changed_at = %(now)s
WHERE id = %(account)s AND password = %(verified)s
RETURNING 1
"""

LOCK_ACCOUNT: LiteralString = "SELECT 1 FROM global.account WHERE id = %(account)s FOR NO KEY UPDATE"

# The account is read again under a lock: a password changed since it was verified opens no session.
ADD_SESSION: LiteralString = """
WITH owner AS (
    SELECT id FROM global.account WHERE id = %(account)s AND password = %(verified)s FOR SHARE
)
INSERT INTO global.session (account, id, digest, device, lasts, created_at, seen_at, expires_at)
SELECT owner.id, %(session)s::uuid, %(digest)s::bytea, %(device)s::text, %(lasts)s::interval,
       %(now)s::timestamptz, %(now)s::timestamptz, %(now)s::timestamptz + %(lasts)s::interval
FROM owner
RETURNING id, device, created_at, seen_at, expires_at
"""

DROP_OLDEST_SESSIONS: LiteralString = """
DELETE FROM global.session
WHERE account = %(account)s AND id IN (
    SELECT id FROM global.session WHERE account = %(account)s ORDER BY created_at DESC, id DESC OFFSET %(most)s
)
"""

SESSIONS: LiteralString = """
SELECT id, device, created_at, seen_at, expires_at FROM global.session
WHERE account = %(account)s AND expires_at > %(now)s
ORDER BY seen_at DESC, id DESC
"""

DROP_SESSION: LiteralString = """
DELETE FROM global.session WHERE account = %(account)s AND id = %(session)s AND expires_at > %(now)s RETURNING 1
"""

DROP_OTHER_SESSIONS: LiteralString = """
DELETE FROM global.session WHERE account = %(account)s AND id <> %(session)s RETURNING 1
"""

SESSION_PRESENTED: LiteralString = """
SELECT id, expires_at, seen_at FROM global.session WHERE account = %(account)s AND digest = %(digest)s
"""

# SKIP LOCKED: no request waits for another one of the same session.
TOUCH_SESSION: LiteralString = """
UPDATE global.session SET seen_at = %(now)s, expires_at = %(now)s::timestamptz + lasts
WHERE account = %(account)s AND id IN (
    SELECT id FROM global.session
    WHERE account = %(account)s AND id = %(session)s AND expires_at > %(now)s AND seen_at < %(now)s
    FOR UPDATE SKIP LOCKED
)
"""

ADD_KEY: LiteralString = """
INSERT INTO global.api_key (account, id, digest, label, venture, scopes, created_at, expires_at)
SELECT %(account)s::uuid, %(key)s::uuid, %(digest)s::bytea, %(label)s::text, %(key_venture)s::uuid, %(scopes)s::text[],
       %(now)s::timestamptz, %(expires_at)s::timestamptz
WHERE (SELECT count(*) FROM global.api_key WHERE account = %(account)s) < %(most)s
RETURNING account, id, label, venture, scopes, created_at, expires_at, used_at
"""

KEYS: LiteralString = """
SELECT account, id, label, venture, scopes, created_at, expires_at, used_at FROM global.api_key
WHERE account = %(account)s ORDER BY id DESC
"""

DROP_KEY: LiteralString = "DELETE FROM global.api_key WHERE account = %(account)s AND id = %(key)s RETURNING 1"

KEY_PRESENTED: LiteralString = """
SELECT id, expires_at, used_at, venture, scopes FROM global.api_key WHERE account = %(account)s AND digest = %(digest)s
"""

TOUCH_KEY: LiteralString = """
UPDATE global.api_key SET used_at = %(now)s
WHERE account = %(account)s AND id IN (
    SELECT id FROM global.api_key
    WHERE account = %(account)s AND id = %(key)s AND (used_at IS NULL OR used_at < %(now)s)
    FOR UPDATE SKIP LOCKED
)
"""

# One statement, so that attempts made at the same moment are all counted: `tried_at` holds those of the window, at most
# `most`; an attempt that finds it full is refused and not added.
COUNT_ATTEMPT: LiteralString = """
INSERT INTO global.sign_in_attempt AS held (subject, tried_at, blocked)
VALUES (%(subject)s, ARRAY[%(now)s::timestamptz], false)
ON CONFLICT (subject) DO UPDATE SET (tried_at, blocked) = (
    SELECT CASE WHEN cardinality(window_.recent) >= %(most)s THEN window_.recent
                ELSE window_.recent || %(now)s::timestamptz END,
           cardinality(window_.recent) >= %(most)s
    FROM (
        SELECT coalesce(array_agg(moment ORDER BY moment), '{}') AS recent
        FROM unnest(held.tried_at) AS moment
        WHERE moment > %(since)s::timestamptz
    ) AS window_
)
RETURNING blocked, tried_at[1]
"""

TAKE_BACK_ATTEMPT: LiteralString = """
UPDATE global.sign_in_attempt SET tried_at = array_remove(tried_at, %(now)s::timestamptz) WHERE subject = %(subject)s
"""

FORGET_ATTEMPTS: LiteralString = "DELETE FROM global.sign_in_attempt WHERE subject = %(subject)s"

CLAIM: LiteralString = """
INSERT INTO global.idempotency AS held (account, key, digest, at)
VALUES (%(account)s, %(key)s, %(digest)s, %(now)s)
ON CONFLICT (account, key) DO UPDATE SET digest = excluded.digest, at = excluded.at, status = NULL, body = NULL
WHERE held.at <= %(expired)s
RETURNING 1
"""

CLAIMED: LiteralString = """
SELECT digest, status, body FROM global.idempotency WHERE account = %(account)s AND key = %(key)s
"""

KEEP_RESPONSE: LiteralString = """
UPDATE global.idempotency SET status = %(status)s, body = %(body)s::json WHERE account = %(account)s AND key = %(key)s
"""

SWEEP_SESSIONS: LiteralString = "DELETE FROM global.session WHERE expires_at <= %(now)s RETURNING 1"

SWEEP_KEYS: LiteralString = "DELETE FROM global.api_key WHERE expires_at <= %(expired)s RETURNING 1"

SWEEP_ATTEMPTS: LiteralString = """
DELETE FROM global.sign_in_attempt WHERE cardinality(tried_at) = 0 OR tried_at[cardinality(tried_at)] <= %(since)s
RETURNING 1
"""

SWEEP_IDEMPOTENCY: LiteralString = "DELETE FROM global.idempotency WHERE at <= %(expired)s RETURNING 1"
