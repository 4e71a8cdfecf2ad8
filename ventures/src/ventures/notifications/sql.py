"""Statements of notifications. `SCAN_…` run as the workers' role and find what is due in all ventures."""

from typing import LiteralString

# webhooks: state

ADD_WEBHOOK: LiteralString = """
INSERT INTO webhook
    (venture, id, url, label, types, enabled, secret_id, created_by, created_at, updated_at, added_seq, version)
VALUES
    (%(venture)s, %(webhook)s, %(url)s, %(label)s, %(types)s, true, %(secret_id)s, %(account)s, %(at)s, %(at)s,
     %(seq)s, 1)"""

CHANGE_WEBHOOK: LiteralString = """
UPDATE webhook
SET url = %(url)s, label = %(label)s, types = %(types)s, enabled = %(enabled)s,
    disabled_why = CASE WHEN %(enabled)s THEN NULL ELSE disabled_why END, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(webhook)s"""

ROTATE: LiteralString = """
UPDATE webhook
SET previous_secret_id = secret_id, secret_id = %(secret_id)s, rotated_at = %(at)s, updated_at = %(at)s,
    version = version + 1
WHERE venture = %(venture)s AND id = %(webhook)s"""

DISABLE_WEBHOOK: LiteralString = """
UPDATE webhook SET enabled = false, disabled_why = %(why)s, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(webhook)s"""

REMOVE_WEBHOOK: LiteralString = """
UPDATE webhook SET enabled = false, deleted_at = %(at)s, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(webhook)s"""

WEBHOOK_STANDING: LiteralString = """
SELECT url, label, types, enabled, version FROM webhook
WHERE venture = %(venture)s AND id = %(webhook)s AND deleted_at IS NULL"""

COUNT_WEBHOOKS: LiteralString = """
SELECT count(*) FROM webhook WHERE venture = %(venture)s AND deleted_at IS NULL"""

WEBHOOK: LiteralString = """
SELECT id, url, label, types, enabled, disabled_why, created_by, created_at, updated_at, rotated_at, version
FROM webhook WHERE venture = %(venture)s AND id = %(webhook)s AND deleted_at IS NULL"""

WEBHOOKS: LiteralString = """
SELECT id, url, label, types, enabled, disabled_why, created_by, created_at, updated_at, rotated_at, version
FROM webhook WHERE venture = %(venture)s AND deleted_at IS NULL AND id > %(after)s ORDER BY id LIMIT %(limit)s"""

SIGNING: LiteralString = """
SELECT secret_id, previous_secret_id, rotated_at
FROM webhook WHERE venture = %(venture)s AND id = %(webhook)s AND deleted_at IS NULL"""

# deliveries: work

MAKE_DELIVERIES: LiteralString = """
WITH made AS (
    INSERT INTO webhook_delivery (venture, id, webhook, seq, type, state, made_at)
    SELECT %(venture)s,
           left(encode(sha256(convert_to(concat_ws('/', w.id, n.epoch::text, n.seq::text), 'UTF8')), 'hex'), 32)::uuid,
           w.id, n.seq, n.type, 'waiting', n.at
    FROM webhook w
    JOIN unnest(%(seqs)s::bigint[], %(epochs)s::bigint[], %(types)s::text[], %(features)s::text[],
                %(at)s::timestamptz[]) AS n (seq, epoch, type, feature, at)
        ON w.added_seq < n.seq AND w.types && ARRAY[n.type, n.feature || '.*', '*']
    WHERE w.venture = %(venture)s AND w.enabled AND w.deleted_at IS NULL
    ON CONFLICT (venture, id) DO NOTHING
    RETURNING id, webhook, made_at
)
INSERT INTO webhook_due (venture, delivery, webhook, due_at, since, attempt, attempts_before)
SELECT %(venture)s, made.id, made.webhook, greatest(made.made_at, h.hold_until), made.made_at, 0, 0
FROM made LEFT JOIN webhook_health h ON h.venture = %(venture)s AND h.webhook = made.webhook"""

MAKE_TEST: LiteralString = """
INSERT INTO webhook_delivery (venture, id, webhook, type, state, made_at)
VALUES (%(venture)s, %(delivery)s, %(webhook)s, %(type)s, 'waiting', %(at)s)"""

REOPEN_DELIVERY: LiteralString = """
UPDATE webhook_delivery SET state = 'waiting', ended_at = NULL
WHERE venture = %(venture)s AND webhook = %(webhook)s AND id = %(delivery)s AND state <> 'waiting'
RETURNING attempts"""

QUEUE: LiteralString = """
INSERT INTO webhook_due (venture, delivery, webhook, due_at, since, attempt, attempts_before)
VALUES (%(venture)s, %(delivery)s, %(webhook)s, %(at)s, %(at)s, %(attempts)s, %(attempts)s)
ON CONFLICT (venture, delivery) DO NOTHING"""

SCAN_DUE: LiteralString = """
SELECT ranked.venture, ranked.delivery, ranked.webhook
FROM (
    SELECT due.venture, due.delivery, due.webhook, due.due_at,
           row_number() OVER (PARTITION BY due.webhook ORDER BY due.due_at, due.delivery) AS place,
           row_number() OVER (PARTITION BY due.venture ORDER BY due.due_at, due.delivery) AS turn
    FROM (
        SELECT venture, delivery, webhook, due_at FROM webhook_due
        WHERE due_at <= %(now)s ORDER BY due_at LIMIT %(most)s
    ) due
) ranked
WHERE ranked.place <= %(each)s ORDER BY ranked.turn, ranked.due_at LIMIT %(limit)s"""

CLAIM: LiteralString = """
UPDATE webhook_due SET due_at = %(lease_until)s, attempt = attempt + 1
WHERE venture = %(venture)s AND delivery = %(delivery)s AND due_at <= %(now)s
RETURNING attempt, attempts_before, since"""

TO_SEND: LiteralString = """
SELECT d.webhook, d.seq, d.made_at, w.url, w.enabled, w.deleted_at IS NOT NULL,
       w.secret_id, w.previous_secret_id, w.rotated_at
FROM webhook_delivery d JOIN webhook w ON w.venture = d.venture AND w.id = d.webhook
WHERE d.venture = %(venture)s AND d.id = %(delivery)s"""

NOTE_ATTEMPT: LiteralString = """
INSERT INTO webhook_attempt (venture, delivery, number, at, duration_ms, status, answer, problem)
VALUES (%(venture)s, %(delivery)s, %(number)s, %(at)s, %(duration_ms)s, %(status)s, %(answer)s, %(problem)s)
ON CONFLICT (venture, delivery, number) DO NOTHING"""

NOTE_OUTCOME: LiteralString = """
UPDATE webhook_delivery
SET state = %(state)s, attempts = %(attempts)s, status = %(status)s, problem = %(problem)s, ended_at = %(ended_at)s
WHERE venture = %(venture)s AND id = %(delivery)s"""

CANCEL: LiteralString = """
UPDATE webhook_delivery SET state = 'cancelled', problem = %(problem)s, ended_at = %(at)s
WHERE venture = %(venture)s AND id = %(delivery)s"""

NO_LONGER_DUE: LiteralString = """
DELETE FROM webhook_due WHERE venture = %(venture)s AND delivery = %(delivery)s"""

DUE_AGAIN: LiteralString = """
UPDATE webhook_due SET due_at = %(due_at)s WHERE venture = %(venture)s AND delivery = %(delivery)s"""

HOLD_BACK: LiteralString = """
UPDATE webhook_due SET due_at = %(until)s
WHERE venture = %(venture)s AND webhook = %(webhook)s AND due_at < %(until)s"""

WELL: LiteralString = """
INSERT INTO webhook_health (venture, webhook, failures) VALUES (%(venture)s, %(webhook)s, 0)
ON CONFLICT (venture, webhook) DO UPDATE SET failures = 0, failing_since = NULL, hold_until = NULL"""

ILL: LiteralString = """
INSERT INTO webhook_health (venture, webhook, failures, failing_since) VALUES (%(venture)s, %(webhook)s, 1, %(at)s)
ON CONFLICT (venture, webhook) DO UPDATE
SET failures = webhook_health.failures + 1,
    failing_since = coalesce(webhook_health.failing_since, excluded.failing_since)
RETURNING failures, failing_since"""

HOLD: LiteralString = """
UPDATE webhook_health SET hold_until = %(until)s WHERE venture = %(venture)s AND webhook = %(webhook)s"""

CHANGED_AT: LiteralString = """
SELECT updated_at FROM webhook WHERE venture = %(venture)s AND id = %(webhook)s"""

PRUNE: LiteralString = """
DELETE FROM webhook_delivery WHERE venture = %(venture)s AND made_at < %(before)s AND state <> 'waiting'"""

DELIVERIES: LiteralString = """
SELECT d.id, d.webhook, d.seq, d.type, d.state, d.made_at, d.attempts, d.status, d.problem, d.ended_at, q.due_at
FROM webhook_delivery d LEFT JOIN webhook_due q ON q.venture = d.venture AND q.delivery = d.id
WHERE d.venture = %(venture)s AND d.webhook = %(webhook)s
  AND (%(state)s::text IS NULL OR d.state = %(state)s)
  AND (d.made_at, d.id) < (%(before_at)s, %(before)s)
ORDER BY d.made_at DESC, d.id DESC LIMIT %(limit)s"""

DELIVERY: LiteralString = """
SELECT d.id, d.webhook, d.seq, d.type, d.state, d.made_at, d.attempts, d.status, d.problem, d.ended_at, q.due_at
FROM webhook_delivery d LEFT JOIN webhook_due q ON q.venture = d.venture AND q.delivery = d.id
WHERE d.venture = %(venture)s AND d.webhook = %(webhook)s AND d.id = %(delivery)s"""

ATTEMPTS: LiteralString = """
SELECT number, at, duration_ms, status, answer, problem FROM webhook_attempt
WHERE venture = %(venture)s AND delivery = %(delivery)s ORDER BY number DESC LIMIT %(limit)s"""

# notices: derived, and what was read of them

PUT_MEMBER: LiteralString = """
INSERT INTO notice_member (venture, target, account, role, display_name, seq)
VALUES (%(venture)s, %(target)s, %(account)s, %(role)s, %(display_name)s, %(seq)s)
ON CONFLICT (venture, target, account) DO UPDATE
SET role = excluded.role, display_name = excluded.display_name, seq = excluded.seq
WHERE notice_member.seq < excluded.seq"""

PUT_ROLE: LiteralString = """
UPDATE notice_member SET role = %(role)s, seq = %(seq)s
WHERE venture = %(venture)s AND target = %(target)s AND account = %(account)s AND seq < %(seq)s"""

PUT_ITEM: LiteralString = """
INSERT INTO notice_item (venture, target, item, title, author, open, seq)
VALUES (%(venture)s, %(target)s, %(item)s, %(title)s, %(author)s, true, %(seq)s)
ON CONFLICT (venture, target, item) DO NOTHING"""

RENAME_ITEM: LiteralString = """
UPDATE notice_item SET title = %(title)s, seq = %(seq)s
WHERE venture = %(venture)s AND target = %(target)s AND item = %(item)s AND seq < %(seq)s"""

CLOSE_ITEM: LiteralString = """
UPDATE notice_item SET open = false
WHERE venture = %(venture)s AND target = %(target)s AND item = %(item)s"""

PUT_REMINDER: LiteralString = """
INSERT INTO reminder (venture, target, entry, item, deadline_at, remind_at, seq)
VALUES (%(venture)s, %(target)s, %(entry)s, %(item)s, %(deadline_at)s, %(remind_at)s, %(seq)s)
ON CONFLICT (venture, target, entry) DO UPDATE
SET item = excluded.item, deadline_at = excluded.deadline_at, remind_at = excluded.remind_at, seq = excluded.seq
WHERE reminder.seq < excluded.seq"""

DROP_REMINDER: LiteralString = """
DELETE FROM reminder
WHERE venture = %(venture)s AND target = %(target)s AND entry = %(entry)s AND seq < %(seq)s"""

DROP_REMINDERS_OF_ITEM: LiteralString = """
DELETE FROM reminder
WHERE venture = %(venture)s AND target = %(target)s AND item = %(item)s AND seq < %(seq)s"""

SCAN_REMINDERS: LiteralString = """
SELECT venture, entry, item, deadline_at FROM reminder
WHERE target = '' AND remind_at <= %(now)s AND deadline_at > %(now)s ORDER BY remind_at LIMIT %(limit)s"""

TELL: LiteralString = """
INSERT INTO notice
    (venture, target, account, seq, kind, feature, entity, item, title, by, by_name, detail, at)
SELECT %(venture)s, m.target, m.account, %(seq)s, %(kind)s, %(feature)s, %(entity)s, %(item)s, coalesce(i.title, ''),
       %(by)s, coalesce(a.display_name, ''), %(detail)s, %(at)s
FROM notice_member m
LEFT JOIN notice_item i ON i.venture = m.venture AND i.target = m.target AND i.item = %(item)s
LEFT JOIN notice_member a ON a.venture = m.venture AND a.target = m.target AND a.account = %(by)s
WHERE m.venture = %(venture)s AND m.target = %(target)s
  AND m.role = ANY(%(roles)s) AND m.seq <= %(seq)s AND m.account IS DISTINCT FROM %(by)s
  AND (NOT %(to_author)s OR m.account = i.author)
  AND (%(account)s::uuid IS NULL OR m.account = %(account)s)
  AND (NOT %(while_open)s OR i.open)
ON CONFLICT (venture, target, account, seq) DO NOTHING"""

FORGET_NOTICES: LiteralString = "DELETE FROM notice WHERE venture = %(venture)s AND target = %(target)s"
FORGET_MEMBERS: LiteralString = "DELETE FROM notice_member WHERE venture = %(venture)s AND target = %(target)s"
FORGET_ITEMS: LiteralString = "DELETE FROM notice_item WHERE venture = %(venture)s AND target = %(target)s"
FORGET_REMINDERS: LiteralString = "DELETE FROM reminder WHERE venture = %(venture)s AND target = %(target)s"

NOTICES: LiteralString = """
SELECT n.seq, n.kind, n.feature, n.entity, n.item, n.title, n.by, n.by_name, n.detail, n.at,
       coalesce(r.read_at, CASE WHEN n.seq <= u.seq THEN u.read_at END)
FROM notice n
LEFT JOIN notice_read r ON r.venture = n.venture AND r.account = n.account AND r.seq = n.seq
LEFT JOIN notice_read_up_to u ON u.venture = n.venture AND u.account = n.account
WHERE n.venture = %(venture)s AND n.target = '' AND n.account = %(account)s AND n.seq < %(before)s
  AND n.feature = ANY(%(features)s)
  AND (NOT %(unread)s OR (r.seq IS NULL AND n.seq > coalesce(u.seq, 0)))
ORDER BY n.seq DESC LIMIT %(limit)s"""

NOTICE: LiteralString = """
SELECT n.seq, n.kind, n.feature, n.entity, n.item, n.title, n.by, n.by_name, n.detail, n.at,
       coalesce(r.read_at, CASE WHEN n.seq <= u.seq THEN u.read_at END)
FROM notice n
LEFT JOIN notice_read r ON r.venture = n.venture AND r.account = n.account AND r.seq = n.seq
LEFT JOIN notice_read_up_to u ON u.venture = n.venture AND u.account = n.account
WHERE n.venture = %(venture)s AND n.target = '' AND n.account = %(account)s AND n.seq = %(seq)s
  AND n.feature = ANY(%(features)s)"""

MARK_READ: LiteralString = """
INSERT INTO notice_read (venture, account, seq, read_at) VALUES (%(venture)s, %(account)s, %(seq)s, %(at)s)
ON CONFLICT (venture, account, seq) DO NOTHING"""

READ_UP_TO: LiteralString = """
INSERT INTO notice_read_up_to (venture, account, seq, read_at)
SELECT %(venture)s, %(account)s, max(n.seq), %(at)s FROM notice n
WHERE n.venture = %(venture)s AND n.target = '' AND n.account = %(account)s
  AND (%(up_to)s::bigint IS NULL OR n.seq <= %(up_to)s)
HAVING max(n.seq) IS NOT NULL
ON CONFLICT (venture, account) DO UPDATE SET seq = excluded.seq, read_at = excluded.read_at
WHERE notice_read_up_to.seq < excluded.seq"""
