"""Statements of signals. `SCAN_…` run as the workers' role and see ids, numbers and times of all ventures.

An audit's statement answers with (kind, entity) of what does not fit; the kinds are those of `records.Kind`.
"""

from typing import LiteralString

# counting

TAKE_COUNTING: LiteralString = """
SELECT pg_try_advisory_xact_lock(hashtext('ventures signals counting'))"""

COUNTED_AT: LiteralString = "SELECT max(at) FROM global.platform_count"

NOTE_SESSIONS: LiteralString = """
INSERT INTO global.activity AS held (account, active_at)
SELECT account, max(seen_at) FROM global.session WHERE seen_at > %(since)s GROUP BY account
ON CONFLICT (account) DO UPDATE SET active_at = excluded.active_at WHERE held.active_at < excluded.active_at"""

NOTE_KEYS: LiteralString = """
INSERT INTO global.activity AS held (account, active_at)
SELECT account, max(used_at) FROM global.api_key WHERE used_at > %(since)s GROUP BY account
ON CONFLICT (account) DO UPDATE SET active_at = excluded.active_at WHERE held.active_at < excluded.active_at"""

KEEP_USERS: LiteralString = """
INSERT INTO global.platform_count (signal, labels, count, at)
SELECT 'users_registered', '{}'::text[], count(*), %(now)s FROM global.account
ON CONFLICT (signal, labels) DO UPDATE SET count = excluded.count, at = excluded.at"""

KEEP_ACTIVE_USERS: LiteralString = """
INSERT INTO global.platform_count (signal, labels, count, at)
SELECT 'users_active', '{}'::text[], count(*), %(now)s FROM global.activity WHERE active_at > %(since)s
ON CONFLICT (signal, labels) DO UPDATE SET count = excluded.count, at = excluded.at"""

KEEP_VENTURES: LiteralString = """
INSERT INTO global.platform_count (signal, labels, count, at)
SELECT 'ventures', ARRAY[region], count(*), %(now)s FROM global.venture_directory
WHERE deleted_at IS NULL GROUP BY region
ON CONFLICT (signal, labels) DO UPDATE SET count = excluded.count, at = excluded.at"""

KEEP_USERS_BY_REGION: LiteralString = """
INSERT INTO global.platform_count (signal, labels, count, at)
SELECT 'users_by_region', ARRAY[place.region], count(DISTINCT member.account), %(now)s
FROM global.directory_member AS member
JOIN global.venture_directory AS place ON place.venture = member.venture
WHERE NOT member.gone AND place.deleted_at IS NULL GROUP BY place.region
ON CONFLICT (signal, labels) DO UPDATE SET count = excluded.count, at = excluded.at"""

KEEP_COMPLAINTS: LiteralString = """
INSERT INTO global.platform_count (signal, labels, count, at)
SELECT 'complaints', ARRAY[about, area, region], count(*), %(now)s FROM global.complaint
WHERE at > %(since)s GROUP BY about, area, region
ON CONFLICT (signal, labels) DO UPDATE SET count = excluded.count, at = excluded.at"""

DROP_OLD_COUNTS: LiteralString = "DELETE FROM global.platform_count WHERE at < %(now)s"

COUNTS: LiteralString = "SELECT signal, labels, count, at FROM global.platform_count ORDER BY signal, labels"

# complaints

COMPLAIN: LiteralString = """
INSERT INTO global.complaint (id, account, about, text, place, area, region, at)
VALUES (%(id)s, %(account)s, %(about)s, %(text)s, %(place)s, %(area)s, %(region)s, %(now)s)"""

COMPLAINTS_SINCE: LiteralString = """
SELECT count(*) FROM global.complaint WHERE account = %(account)s AND at > %(since)s"""

COMPLAINTS: LiteralString = """
SELECT id, account, about, text, place, area, region, at FROM global.complaint
WHERE at > %(since)s ORDER BY at DESC, id DESC LIMIT %(limit)s"""

# auditing: which ventures, and what was found

TAKE_AUDITING: LiteralString = """
SELECT pg_try_advisory_xact_lock(hashtext('ventures signals auditing'))"""

ROUND: LiteralString = """
SELECT after, began_at, looked_at, seen, whole_at, whole_seconds, whole_ventures
FROM global.audit_round WHERE region = %(region)s"""

KEEP_ROUND: LiteralString = """
INSERT INTO global.audit_round
    (region, after, began_at, looked_at, seen, whole_at, whole_seconds, whole_ventures)
VALUES (%(region)s, %(after)s, %(began_at)s, %(now)s, %(seen)s, %(whole_at)s, %(whole_seconds)s, %(whole_ventures)s)
ON CONFLICT (region) DO UPDATE
SET after = excluded.after, began_at = excluded.began_at, looked_at = excluded.looked_at, seen = excluded.seen,
    whole_at = excluded.whole_at, whole_seconds = excluded.whole_seconds, whole_ventures = excluded.whole_ventures"""

SCAN_VENTURES: LiteralString = """
SELECT venture FROM log_head WHERE %(after)s::uuid IS NULL OR venture > %(after)s::uuid
ORDER BY venture LIMIT %(limit)s"""

SCAN_SIZE: LiteralString = "SELECT count(*) FROM log_head"

SCAN_INCONSISTENCIES: LiteralString = """
SELECT kind, count(*) FILTER (WHERE gone_at IS NULL), count(*) FILTER (WHERE seen_at > %(since)s)
FROM inconsistency WHERE gone_at IS NULL OR seen_at > %(since)s GROUP BY kind ORDER BY kind"""

SCAN_OPEN: LiteralString = """
SELECT venture, kind, entity, seen_at FROM inconsistency WHERE gone_at IS NULL
ORDER BY seen_at, venture, kind, entity LIMIT %(limit)s"""

OPEN: LiteralString = """
SELECT kind, entity FROM inconsistency WHERE venture = %(venture)s AND gone_at IS NULL"""

FIND: LiteralString = """
INSERT INTO inconsistency (venture, kind, entity, seen_at, looked_at)
VALUES (%(venture)s, %(kind)s, %(entity)s, %(now)s, %(now)s)
ON CONFLICT (venture, kind, entity) DO UPDATE
SET looked_at = excluded.looked_at, gone_at = NULL,
    seen_at = CASE WHEN inconsistency.gone_at IS NULL THEN inconsistency.seen_at ELSE excluded.seen_at END"""

CLOSE: LiteralString = """
UPDATE inconsistency SET gone_at = %(now)s, looked_at = %(now)s
WHERE venture = %(venture)s AND kind = %(kind)s AND entity = %(entity)s"""

FORGET: LiteralString = """
DELETE FROM inconsistency WHERE venture = %(venture)s AND gone_at < %(until)s"""

# auditing: what must fit

CAUGHT_UP: LiteralString = """
SELECT p.consumer FROM consumer_position p JOIN log_head h ON h.venture = p.venture AND h.seq <= p.seq
WHERE p.venture = %(venture)s AND p.target = ''"""

DEADLINES: LiteralString = """
SELECT 1, e.id FROM calendar_event e LEFT JOIN item i ON i.venture = e.venture AND i.id = e.item
WHERE e.venture = %(venture)s AND e.kind = 'deadline' AND e.deleted_at IS NULL
  AND (i.id IS NULL OR i.deleted_at IS NOT NULL)"""

# A reminder is asked for only where nothing but a mistake could have taken it away: published items need none.
REMINDERS: LiteralString = """
SELECT 2, e.id FROM calendar_event e
JOIN item i ON i.venture = e.venture AND i.id = e.item
JOIN consumer_position p ON p.venture = e.venture AND p.consumer = 'notices' AND p.target = ''
JOIN log_head h ON h.venture = e.venture AND h.seq <= p.seq
LEFT JOIN reminder r ON r.venture = e.venture AND r.target = '' AND r.entry = e.id
WHERE e.venture = %(venture)s AND e.kind = 'deadline' AND e.deleted_at IS NULL
  AND e.starts_at > %(remind_until)s AND i.deleted_at IS NULL AND i.published_number IS NULL
  AND (r.entry IS NULL OR r.deadline_at <> e.starts_at OR r.item <> e.item)
UNION ALL
SELECT 2, r.entry FROM reminder r
JOIN consumer_position p ON p.venture = r.venture AND p.consumer = 'notices' AND p.target = ''
JOIN log_head h ON h.venture = r.venture AND h.seq <= p.seq
LEFT JOIN calendar_event e ON e.venture = r.venture AND e.id = r.entry
WHERE r.venture = %(venture)s AND r.target = ''
  AND (e.id IS NULL OR e.deleted_at IS NOT NULL OR e.kind <> 'deadline')"""

POSTS_WITHOUT_ENTRY: LiteralString = """
SELECT 3, p.id FROM post p
LEFT JOIN calendar_event e
    ON e.venture = p.venture AND e.subject = p.id AND e.kind = 'post' AND e.deleted_at IS NULL
WHERE p.venture = %(venture)s AND p.state IN ('scheduled', 'publishing') AND p.deleted_at IS NULL AND e.id IS NULL"""

ENTRIES_WITHOUT_POST: LiteralString = """
SELECT 4, e.id FROM calendar_event e LEFT JOIN post p ON p.venture = e.venture AND p.id = e.subject
WHERE e.venture = %(venture)s AND e.kind = 'post' AND e.deleted_at IS NULL
  AND (p.id IS NULL OR p.deleted_at IS NOT NULL OR p.state = 'draft' OR p.item <> e.item)"""

POSTS_NOT_DUE: LiteralString = """
SELECT 5, p.id FROM post p
JOIN consumer_position c ON c.venture = p.venture AND c.consumer = 'publisher' AND c.target = ''
JOIN log_head h ON h.venture = p.venture AND h.seq <= c.seq
LEFT JOIN outbox o ON o.venture = p.venture AND o.post = p.id AND o.seq = p.scheduled_seq
WHERE p.venture = %(venture)s AND p.state = 'scheduled' AND p.deleted_at IS NULL AND o.post IS NULL"""

# What waits must be approved as it is now; what was on its way may have been edited since, but was approved once.
POSTS_NOT_APPROVED: LiteralString = """
SELECT 6, p.id FROM post p LEFT JOIN item i ON i.venture = p.venture AND i.id = p.item
WHERE p.venture = %(venture)s AND p.deleted_at IS NULL AND p.state = 'scheduled' AND p.attempt < p.first_attempt
  AND (i.id IS NULL OR i.deleted_at IS NOT NULL OR i.approved_number IS DISTINCT FROM p.number)
UNION
SELECT 6, p.id FROM post p
LEFT JOIN approval a
    ON a.venture = p.venture AND a.item = p.item AND a.number = p.number AND a.verdict = 'approved'
WHERE p.venture = %(venture)s AND p.deleted_at IS NULL AND p.state <> 'draft' AND a.item IS NULL"""

ITEMS_NOT_SCHEDULED: LiteralString = """
SELECT 7, i.id FROM item i
LEFT JOIN post p ON p.venture = i.venture AND p.item = i.id AND p.deleted_at IS NULL
    AND p.state IN ('scheduled', 'publishing', 'unknown')
WHERE i.venture = %(venture)s AND i.state = 'scheduled' AND i.deleted_at IS NULL AND p.id IS NULL
UNION
SELECT 7, p.item FROM post p JOIN item i ON i.venture = p.venture AND i.id = p.item
WHERE p.venture = %(venture)s AND p.deleted_at IS NULL AND p.state = 'scheduled' AND p.attempt < p.first_attempt
  AND i.state NOT IN ('scheduled', 'published')"""

ROLES: LiteralString = """
SELECT 10, coalesce(m.account, n.account)
FROM consumer_position c
JOIN log_head h ON h.venture = c.venture AND h.seq <= c.seq
JOIN membership m ON m.venture = c.venture
LEFT JOIN notice_member n ON n.venture = m.venture AND n.target = '' AND n.account = m.account
WHERE c.venture = %(venture)s AND c.consumer = 'notices' AND c.target = ''
  AND n.role IS DISTINCT FROM CASE WHEN m.left_at IS NULL THEN m.role END"""

# Who belongs to it, where its log ends, and whether the directory has been told all of that: as of one moment.
MEMBERS: LiteralString = """
SELECT m.account, m.left_at IS NULL, h.seq, coalesce(c.seq >= h.seq, false)
FROM membership m JOIN log_head h ON h.venture = m.venture
LEFT JOIN consumer_position c ON c.venture = m.venture AND c.consumer = 'directory' AND c.target = ''
WHERE m.venture = %(venture)s"""

DIRECTORY: LiteralString = """
SELECT account, NOT gone, seq FROM global.directory_member WHERE venture = %(venture_id)s"""

KEYS_OF: LiteralString = """
SELECT account, id, scopes FROM global.api_key
WHERE account = ANY(%(accounts)s) AND venture = %(venture_id)s AND expires_at > %(now)s"""
