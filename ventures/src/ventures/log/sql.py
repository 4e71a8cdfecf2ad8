"""Statements of the log. `SCAN_…` run as the workers' role and see ids, numbers and times of all ventures, nothing
else.
"""

from typing import LiteralString

FOUND_HEAD: LiteralString = """
INSERT INTO log_head (venture, hash, moved_at) VALUES (%(venture)s, %(hash)s, %(at)s)
ON CONFLICT (venture) DO NOTHING"""

LOCK_HEAD: LiteralString = """
SELECT epoch, seq, hash, moved_at FROM log_head WHERE venture = %(venture)s FOR UPDATE"""

HEAD: LiteralString = """
SELECT epoch, seq, hash, moved_at FROM log_head WHERE venture = %(venture)s"""

APPEND: LiteralString = """
INSERT INTO event
    (venture, seq, epoch, type, entity, actor, at, batch, cause, idem, request, schema_version, data, hash)
VALUES
    (%(venture)s, %(seq)s, %(epoch)s, %(type)s, %(entity)s, %(actor)s, %(at)s, %(batch)s, %(cause)s, %(idem)s,
     %(request)s, %(schema_version)s, %(data)s::json, %(hash)s)"""

APPEND_AND_MOVE_HEAD: LiteralString = """
WITH moved AS (
    UPDATE log_head SET seq = %(seq)s, hash = %(hash)s, moved_at = %(at)s WHERE venture = %(venture)s
)
INSERT INTO event
    (venture, seq, epoch, type, entity, actor, at, batch, cause, idem, request, schema_version, data, hash)
VALUES
    (%(venture)s, %(seq)s, %(epoch)s, %(type)s, %(entity)s, %(actor)s, %(at)s, %(batch)s, %(cause)s, %(idem)s,
     %(request)s, %(schema_version)s, %(data)s::json, %(hash)s)"""

MOVE_HEAD: LiteralString = """
UPDATE log_head SET seq = %(seq)s, hash = %(hash)s, moved_at = %(at)s WHERE venture = %(venture)s"""

BATCH_OF_KEY: LiteralString = """
SELECT batch, request FROM event WHERE venture = %(venture)s AND idem = %(idem)s"""

EVENTS: LiteralString = """
SELECT venture, seq, epoch, type, entity, actor, at, batch, cause, idem, schema_version, data::text, hash
FROM event WHERE venture = %(venture)s AND seq > %(after)s ORDER BY seq LIMIT %(limit)s"""

EVENTS_OF_ENTITY: LiteralString = """
SELECT venture, seq, epoch, type, entity, actor, at, batch, cause, idem, schema_version, data::text, hash
FROM event WHERE venture = %(venture)s AND entity = %(entity)s AND seq > %(after)s ORDER BY seq LIMIT %(limit)s"""

EVENTS_OF_BATCH: LiteralString = """
SELECT venture, seq, epoch, type, entity, actor, at, batch, cause, idem, schema_version, data::text, hash
FROM event WHERE venture = %(venture)s AND batch = %(batch)s AND seq >= %(batch)s ORDER BY seq"""

ONE_EVENT: LiteralString = """
SELECT venture, seq, epoch, type, entity, actor, at, batch, cause, idem, schema_version, data::text, hash
FROM event WHERE venture = %(venture)s AND seq = %(seq)s"""

CHAIN: LiteralString = """
SELECT seq, epoch, type, entity, actor, at, batch, cause, idem, request, schema_version, data::text, hash
FROM event WHERE venture = %(venture)s AND seq > %(after)s ORDER BY seq LIMIT %(limit)s"""

OPEN_POSITION: LiteralString = """
INSERT INTO consumer_position (venture, consumer, target) VALUES (%(venture)s, %(consumer)s, %(target)s)
ON CONFLICT (venture, consumer, target) DO NOTHING"""

OPEN_POSITIONS: LiteralString = """
INSERT INTO consumer_position (venture, consumer, target)
SELECT %(venture)s, c.consumer, c.target FROM unnest(%(consumers)s::text[], %(targets)s::text[]) AS c (consumer, target)
ON CONFLICT (venture, consumer, target) DO NOTHING RETURNING 1"""

TAKE_POSITIONS: LiteralString = """
SELECT p.consumer, p.target, p.seq, p.retry_at, EXISTS (
    SELECT FROM parked_event e
    WHERE e.venture = %(venture)s AND e.consumer = p.consumer AND e.target = p.target)
FROM consumer_position p
JOIN unnest(%(consumers)s::text[], %(targets)s::text[]) AS c (consumer, target)
    ON c.consumer = p.consumer AND c.target = p.target
WHERE p.venture = %(venture)s
ORDER BY p.consumer, p.target FOR UPDATE OF p SKIP LOCKED"""

EVENTS_BEYOND: LiteralString = """
SELECT venture, seq, epoch, type, entity, actor, at, batch, cause, idem, schema_version, data::text, hash
FROM event WHERE venture = %(venture)s AND seq > (
    SELECT coalesce(max(p.seq), 0) FROM consumer_position p
    JOIN unnest(%(consumers)s::text[], %(targets)s::text[]) AS c (consumer, target)
        ON c.consumer = p.consumer AND c.target = p.target
    WHERE p.venture = %(venture)s)
ORDER BY seq LIMIT %(limit)s"""

MOVE_POSITIONS: LiteralString = """
UPDATE consumer_position p SET seq = %(seq)s
FROM unnest(%(consumers)s::text[], %(targets)s::text[]) AS c (consumer, target)
WHERE p.venture = %(venture)s AND p.consumer = c.consumer AND p.target = c.target"""

WAIT_FOR_POSITION: LiteralString = """
SELECT seq FROM consumer_position
WHERE venture = %(venture)s AND consumer = %(consumer)s AND target = %(target)s FOR UPDATE"""

MOVE_POSITION: LiteralString = """
UPDATE consumer_position SET seq = %(seq)s, failures = 0, retry_at = NULL
WHERE venture = %(venture)s AND consumer = %(consumer)s AND target = %(target)s"""

ANSWERED: LiteralString = """
SELECT 1"""

COUNT_FAILURE: LiteralString = """
UPDATE consumer_position SET failures = failures + 1, retry_at = %(retry_at)s
WHERE venture = %(venture)s AND consumer = %(consumer)s AND target = %(target)s AND seq = %(seq)s
RETURNING failures"""

PARK: LiteralString = """
INSERT INTO parked_event (venture, consumer, target, seq, entity, reason, parked_at)
VALUES (%(venture)s, %(consumer)s, %(target)s, %(seq)s, %(entity)s, %(reason)s, %(at)s)
ON CONFLICT (venture, consumer, target, seq) DO UPDATE SET reason = excluded.reason"""

PARKED: LiteralString = """
SELECT seq, entity, reason, parked_at FROM parked_event
WHERE venture = %(venture)s AND consumer = %(consumer)s AND target = %(target)s ORDER BY seq"""

UNPARK: LiteralString = """
DELETE FROM parked_event
WHERE venture = %(venture)s AND consumer = %(consumer)s AND target = %(target)s AND seq = %(seq)s"""

UNPARK_ALL: LiteralString = """
DELETE FROM parked_event WHERE venture = %(venture)s AND consumer = %(consumer)s AND target = %(target)s"""

SCAN_BEHIND: LiteralString = """
SELECT h.venture FROM log_head h
WHERE h.moved_at >= %(since)s AND h.moved_at <= %(until)s AND (
    SELECT count(*) FROM consumer_position p
    JOIN unnest(%(consumers)s::text[], %(targets)s::text[]) AS c (consumer, target)
        ON c.consumer = p.consumer AND c.target = p.target
    WHERE p.venture = h.venture AND p.seq >= h.seq
) < cardinality(%(consumers)s::text[])"""

SCAN_LAG: LiteralString = """
SELECT count(*), coalesce(sum(h.seq - coalesce(p.seq, 0)), 0)::bigint, min(h.moved_at),
       count(*) FILTER (WHERE p.failures > 0)
FROM log_head h
LEFT JOIN consumer_position p ON p.venture = h.venture AND p.consumer = %(consumer)s AND p.target = %(target)s
WHERE h.seq > coalesce(p.seq, 0)"""

SCAN_PARKED: LiteralString = """
SELECT consumer, target, count(*) FROM parked_event GROUP BY consumer, target"""

SCAN_VENTURES: LiteralString = """
SELECT venture FROM log_head ORDER BY venture"""

RING: LiteralString = """
SELECT pg_notify('ventures_log', %(ventures)s)"""
