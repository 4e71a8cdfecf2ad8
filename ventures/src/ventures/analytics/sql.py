"""Statements of analytics."""

from typing import LiteralString

COUNT_ONCE: LiteralString = """
WITH counted AS (
    INSERT INTO analytics_counted (venture, target, seq, at)
    SELECT %(venture)s, %(target)s, n.seq, n.at
    FROM unnest(%(seqs)s::bigint[], %(at)s::timestamptz[]) AS n (seq, at)
    ON CONFLICT (venture, target, seq) DO NOTHING RETURNING seq
)
SELECT c.seq, z.zone FROM counted c LEFT JOIN analytics_zone z ON z.venture = %(venture)s AND z.target = %(target)s"""

ZONE: LiteralString = """
SELECT zone FROM analytics_zone WHERE venture = %(venture)s AND target = %(target)s"""

PUT_ZONE: LiteralString = """
INSERT INTO analytics_zone (venture, target, zone) VALUES (%(venture)s, %(target)s, %(zone)s)
ON CONFLICT (venture, target) DO UPDATE SET zone = excluded.zone"""

ADD: LiteralString = """
INSERT INTO analytics_count (venture, target, day, metric, dimension, count)
SELECT %(venture)s, %(target)s, n.day, n.metric, n.dimension, n.count
FROM unnest(%(days)s::date[], %(metrics)s::text[], %(dimensions)s::text[], %(counts)s::bigint[])
    AS n (day, metric, dimension, count)
ON CONFLICT (venture, target, day, metric, dimension) DO UPDATE SET count = analytics_count.count + excluded.count"""

ADD_DURATIONS: LiteralString = """
INSERT INTO analytics_duration (venture, target, day, metric, bucket, count, seconds)
SELECT %(venture)s, %(target)s, n.day, n.metric, n.bucket, n.count, n.seconds
FROM unnest(%(days)s::date[], %(metrics)s::text[], %(buckets)s::smallint[], %(counts)s::bigint[], %(seconds)s::bigint[])
    AS n (day, metric, bucket, count, seconds)
ON CONFLICT (venture, target, day, metric, bucket) DO UPDATE
SET count = analytics_duration.count + excluded.count, seconds = analytics_duration.seconds + excluded.seconds"""

ACTIVE: LiteralString = """
INSERT INTO analytics_active (venture, target, day, account)
SELECT %(venture)s, %(target)s, n.day, n.account FROM unnest(%(days)s::date[], %(accounts)s::uuid[]) AS n (day, account)
ON CONFLICT (venture, target, day, account) DO NOTHING"""

DRAFTED: LiteralString = """
SELECT item, drafted_at FROM analytics_item
WHERE venture = %(venture)s AND target = %(target)s AND item = ANY(%(items)s::uuid[])"""

PUT_ITEMS: LiteralString = """
INSERT INTO analytics_item (venture, target, item, drafted_at)
SELECT %(venture)s, %(target)s, n.item, n.at FROM unnest(%(items)s::uuid[], %(at)s::timestamptz[]) AS n (item, at)
ON CONFLICT (venture, target, item) DO NOTHING"""

TAKE_ITEMS: LiteralString = """
DELETE FROM analytics_item WHERE venture = %(venture)s AND target = %(target)s AND item = ANY(%(items)s::uuid[])"""

UNKNOWN: LiteralString = """
SELECT post, kind FROM analytics_unknown_post
WHERE venture = %(venture)s AND target = %(target)s AND post = ANY(%(posts)s::uuid[])"""

PUT_UNKNOWN: LiteralString = """
INSERT INTO analytics_unknown_post (venture, target, post, kind)
SELECT %(venture)s, %(target)s, n.post, n.kind FROM unnest(%(posts)s::uuid[], %(kinds)s::text[]) AS n (post, kind)
ON CONFLICT (venture, target, post) DO UPDATE SET kind = excluded.kind"""

TAKE_UNKNOWN: LiteralString = """
DELETE FROM analytics_unknown_post
WHERE venture = %(venture)s AND target = %(target)s AND post = ANY(%(posts)s::uuid[])"""

FORGET_COUNTED: LiteralString = "DELETE FROM analytics_counted WHERE venture = %(venture)s AND target = %(target)s"
FORGET_ZONE: LiteralString = "DELETE FROM analytics_zone WHERE venture = %(venture)s AND target = %(target)s"
FORGET_ITEMS: LiteralString = "DELETE FROM analytics_item WHERE venture = %(venture)s AND target = %(target)s"
FORGET_UNKNOWN: LiteralString = "DELETE FROM analytics_unknown_post WHERE venture = %(venture)s AND target = %(target)s"
FORGET_COUNTS: LiteralString = "DELETE FROM analytics_count WHERE venture = %(venture)s AND target = %(target)s"
FORGET_DURATIONS: LiteralString = "DELETE FROM analytics_duration WHERE venture = %(venture)s AND target = %(target)s"
FORGET_ACTIVE: LiteralString = "DELETE FROM analytics_active WHERE venture = %(venture)s AND target = %(target)s"

LAST_COUNTED: LiteralString = """
SELECT seq, at FROM analytics_counted
WHERE venture = %(venture)s AND target = %(target)s ORDER BY seq DESC LIMIT 1"""

COUNTS: LiteralString = """
SELECT metric, dimension, day, count FROM analytics_count
WHERE venture = %(venture)s AND target = %(target)s AND day BETWEEN %(first)s AND %(last)s
ORDER BY metric, dimension, day"""

DURATIONS: LiteralString = """
SELECT metric, day, bucket, count, seconds FROM analytics_duration
WHERE venture = %(venture)s AND target = %(target)s AND day BETWEEN %(first)s AND %(last)s
ORDER BY metric, day, bucket"""

ACTIVE_DAYS: LiteralString = """
SELECT day, count(*) FROM analytics_active
WHERE venture = %(venture)s AND target = %(target)s AND day BETWEEN %(first)s AND %(last)s
GROUP BY day ORDER BY day"""

ACTIVE_ALL: LiteralString = """
SELECT count(DISTINCT account) FROM analytics_active
WHERE venture = %(venture)s AND target = %(target)s AND day BETWEEN %(first)s AND %(last)s"""
