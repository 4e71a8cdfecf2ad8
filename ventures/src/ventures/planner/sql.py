"""Statements of the planner."""

from typing import LiteralString

PUT: LiteralString = """
INSERT INTO calendar_event
    (venture, id, kind, title, item, subject, starts_at, ends_at, zone, starts_on, ends_on, note,
     created_at, updated_at, version)
VALUES
    (%(venture)s, %(entry)s, %(kind)s, %(title)s, %(item)s, %(subject)s, %(starts_at)s, %(ends_at)s, %(zone)s,
     %(starts_on)s, %(ends_on)s, %(note)s, %(at)s, %(at)s, 1)
ON CONFLICT (venture, id) DO UPDATE
SET kind = excluded.kind, title = excluded.title, item = excluded.item, subject = excluded.subject,
    starts_at = excluded.starts_at, ends_at = excluded.ends_at, zone = excluded.zone, starts_on = excluded.starts_on,
    ends_on = excluded.ends_on, note = excluded.note, updated_at = excluded.updated_at, deleted_at = NULL,
    version = calendar_event.version + 1"""

REMOVE: LiteralString = """
UPDATE calendar_event SET deleted_at = %(at)s, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(entry)s AND deleted_at IS NULL"""

ENTRY: LiteralString = """
SELECT id, kind, title, item, subject, starts_at, ends_at, zone, starts_on, ends_on, note,
       updated_at, deleted_at, version
FROM calendar_event WHERE venture = %(venture)s AND id = %(entry)s AND deleted_at IS NULL"""

DEADLINE: LiteralString = """
SELECT id, kind, title, item, subject, starts_at, ends_at, zone, starts_on, ends_on, note,
       updated_at, deleted_at, version
FROM calendar_event
WHERE venture = %(venture)s AND item = %(item)s AND kind = 'deadline' AND deleted_at IS NULL"""

DEADLINES: LiteralString = """
SELECT id, kind, title, item, subject, starts_at, ends_at, zone, starts_on, ends_on, note,
       updated_at, deleted_at, version
FROM calendar_event
WHERE venture = %(venture)s AND item = ANY(%(items)s) AND kind = 'deadline' AND deleted_at IS NULL"""

OF_SUBJECTS: LiteralString = """
SELECT id, kind, title, item, subject, starts_at, ends_at, zone, starts_on, ends_on, note,
       updated_at, deleted_at, version
FROM calendar_event
WHERE venture = %(venture)s AND subject = ANY(%(subjects)s) AND kind = 'post' AND deleted_at IS NULL"""

OF_ITEM: LiteralString = """
SELECT id FROM calendar_event
WHERE venture = %(venture)s AND item = %(item)s AND kind <> 'post' AND deleted_at IS NULL ORDER BY id"""

ENTRIES: LiteralString = """
SELECT id, kind, title, item, subject, starts_at, ends_at, zone, starts_on, ends_on, note,
       updated_at, deleted_at, version
FROM calendar_event
WHERE venture = %(venture)s AND deleted_at IS NULL
  AND starts_at >= %(earliest)s AND starts_at < %(until)s AND (starts_at >= %(since)s OR ends_at > %(since)s)
  AND kind = ANY(%(kinds)s)
  AND (starts_at, id) > (%(after_at)s, %(after)s)
ORDER BY starts_at, id LIMIT %(limit)s"""

FOR_FEED: LiteralString = """
SELECT id, kind, title, item, subject, starts_at, ends_at, zone, starts_on, ends_on, note,
       updated_at, deleted_at, version
FROM calendar_event
WHERE venture = %(venture)s AND ends_at >= %(since)s AND (deleted_at IS NULL OR deleted_at > %(cancelled_since)s)
ORDER BY starts_at DESC, id DESC LIMIT %(limit)s"""

OPEN_FEED: LiteralString = """
INSERT INTO calendar_feed (venture, id, label, digest, created_by, created_at, version)
VALUES (%(venture)s, %(feed)s, %(label)s, decode(%(digest)s, 'hex'), %(account)s, %(at)s, 1)"""

REVOKE_FEED: LiteralString = """
UPDATE calendar_feed SET deleted_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(feed)s AND deleted_at IS NULL"""

FEED: LiteralString = """
SELECT id, label, created_by, created_at, version FROM calendar_feed
WHERE venture = %(venture)s AND id = %(feed)s AND deleted_at IS NULL"""

FEEDS: LiteralString = """
SELECT id, label, created_by, created_at, version FROM calendar_feed
WHERE venture = %(venture)s AND deleted_at IS NULL AND id > %(after)s ORDER BY id LIMIT %(limit)s"""

FEEDS_OPEN: LiteralString = """
SELECT count(*) FROM calendar_feed WHERE venture = %(venture)s AND deleted_at IS NULL"""

FEED_OF_DIGEST: LiteralString = """
SELECT id, label, created_by, created_at, version FROM calendar_feed
WHERE venture = %(venture)s AND digest = %(digest)s AND deleted_at IS NULL"""
