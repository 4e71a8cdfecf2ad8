"""Statements of analytics."""

from typing import LiteralString

COUNT_ONCE: LiteralString = """
WITH counted AS (
    INSERT INTO analytics_counted (venture, target, seq, at) VALUES (%(venture)s, %(target)s, %(seq)s, %(at)s)
    ON CONFLICT (venture, target, seq) DO NOTHING RETURNING venture
)
SELECT z.zone FROM counted c LEFT JOIN analytics_zone z ON z.venture = %(venture)s AND z.target = %(target)s"""

ZONE: LiteralString = """
SELECT zone FROM analytics_zone WHERE venture = %(venture)s AND target = %(target)s"""

PUT_ZONE: LiteralString = """
INSERT INTO analytics_zone (venture, target, zone) VALUES (%(venture)s, %(target)s, %(zone)s)
ON CONFLICT (venture, target) DO UPDATE SET zone = excluded.zone"""

ADD: LiteralString = """
INSERT INTO analytics_count (venture, target, day, metric, dimension, count)
VALUES (%(venture)s, %(target)s, %(day)s, %(metric)s, %(dimension)s, 1)
ON CONFLICT (venture, target, day, metric, dimension) DO UPDATE SET count = analytics_count.count + 1"""

ADD_DURATION: LiteralString = """
INSERT INTO analytics_duration (venture, target, day, metric, bucket, count, seconds)
VALUES (%(venture)s, %(target)s, %(day)s, %(metric)s, %(bucket)s, 1, %(seconds)s)
ON CONFLICT (venture, target, day, metric, bucket) DO UPDATE
SET count = analytics_duration.count + 1, seconds = analytics_duration.seconds + excluded.seconds"""

ACTIVE: LiteralString = """
INSERT INTO analytics_active (venture, target, day, account)
VALUES (%(venture)s, %(target)s, %(day)s, %(account)s)
ON CONFLICT (venture, target, day, account) DO NOTHING"""

PUT_ITEM: LiteralString = """
INSERT INTO analytics_item (venture, target, item, drafted_at)
VALUES (%(venture)s, %(target)s, %(item)s, %(at)s)
ON CONFLICT (venture, target, item) DO NOTHING"""

TAKE_ITEM: LiteralString = """
DELETE FROM analytics_item WHERE venture = %(venture)s AND target = %(target)s AND item = %(item)s
RETURNING drafted_at"""

PUT_UNKNOWN: LiteralString = """
INSERT INTO analytics_unknown_post (venture, target, post, kind)
VALUES (%(venture)s, %(target)s, %(post)s, %(kind)s)
ON CONFLICT (venture, target, post) DO UPDATE SET kind = excluded.kind"""

TAKE_UNKNOWN: LiteralString = """
DELETE FROM analytics_unknown_post WHERE venture = %(venture)s AND target = %(target)s AND post = %(post)s
RETURNING kind"""

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
