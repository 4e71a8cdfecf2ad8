"""Statements of posts. `SCAN_DUE` runs as the workers' role and sees ids, numbers and times of all ventures."""

from typing import LiteralString

CONNECT: LiteralString = """
INSERT INTO channel (venture, id, kind, name, settings, characters, link_characters, created_at, version)
VALUES (%(venture)s, %(channel)s, %(kind)s, %(name)s, %(settings)s::jsonb, %(characters)s, %(link_characters)s,
        %(at)s, 1)"""

RENAME: LiteralString = """
UPDATE channel SET name = %(name)s, version = version + 1 WHERE venture = %(venture)s AND id = %(channel)s"""

TOUCH_CHANNEL: LiteralString = """
UPDATE channel SET version = version + 1 WHERE venture = %(venture)s AND id = %(channel)s"""

DISCONNECT: LiteralString = """
UPDATE channel SET deleted_at = %(at)s, version = version + 1 WHERE venture = %(venture)s AND id = %(channel)s"""

CHANNEL: LiteralString = """
SELECT c.id, c.kind, c.name, c.settings, c.characters, c.link_characters, c.created_at, k.channel IS NOT NULL, c.version
FROM channel c LEFT JOIN channel_credential k ON k.venture = c.venture AND k.channel = c.id
WHERE c.venture = %(venture)s AND c.id = %(channel)s AND c.deleted_at IS NULL"""

CHANNELS: LiteralString = """
SELECT c.id, c.kind, c.name, c.settings, c.characters, c.link_characters, c.created_at, k.channel IS NOT NULL, c.version
FROM channel c LEFT JOIN channel_credential k ON k.venture = c.venture AND k.channel = c.id
WHERE c.venture = %(venture)s AND c.deleted_at IS NULL AND c.id > %(after)s ORDER BY c.id LIMIT %(limit)s"""

CHANNELS_CONNECTED: LiteralString = """
SELECT count(*) FROM channel WHERE venture = %(venture)s AND deleted_at IS NULL"""

KEEP_CREDENTIALS: LiteralString = """
INSERT INTO channel_credential (venture, channel, sealed, kept_at)
SELECT c.venture, c.id, %(sealed)s, %(at)s FROM channel c
WHERE c.venture = %(venture)s AND c.id = %(channel)s AND c.deleted_at IS NULL
ON CONFLICT (venture, channel) DO UPDATE SET sealed = excluded.sealed, kept_at = excluded.kept_at"""

CREDENTIALS: LiteralString = """
SELECT sealed FROM channel_credential WHERE venture = %(venture)s AND channel = %(channel)s"""

FORGET_CREDENTIALS: LiteralString = """
DELETE FROM channel_credential WHERE venture = %(venture)s AND channel = %(channel)s"""

DRAFT: LiteralString = """
INSERT INTO post (venture, id, item, channel, text, state, attempt, first_attempt, created_at, updated_at, version)
VALUES (%(venture)s, %(post)s, %(item)s, %(channel)s, %(text)s, 'draft', 0, 1, %(at)s, %(at)s, 1)"""

EDIT: LiteralString = """
UPDATE post SET text = %(text)s, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(post)s"""

SCHEDULE: LiteralString = """
UPDATE post
SET state = 'scheduled', number = %(number)s, scheduled_seq = %(seq)s, first_attempt = attempt + 1,
    first_tried_at = NULL, problem = NULL, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(post)s"""

UNSCHEDULE: LiteralString = """
UPDATE post
SET state = 'draft', number = NULL, scheduled_seq = NULL, problem = %(why)s, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(post)s"""

BEGIN: LiteralString = """
UPDATE post
SET state = 'publishing', attempt = %(attempt)s, tried_at = %(at)s, first_tried_at = coalesce(first_tried_at, %(at)s),
    updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(post)s"""

OUT: LiteralString = """
UPDATE post
SET state = 'published', external_id = %(external_id)s, url = %(url)s, problem = NULL, first_tried_at = NULL,
    updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(post)s"""

NOT_OUT: LiteralString = """
UPDATE post
SET state = %(state)s, problem = %(problem)s, first_tried_at = NULL, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(post)s"""

MAYBE_OUT: LiteralString = """
UPDATE post SET state = 'unknown', problem = %(problem)s, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(post)s"""

DELETE: LiteralString = """
UPDATE post SET deleted_at = %(at)s, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(post)s"""

POST: LiteralString = """
SELECT id, item, channel, text, state, number, scheduled_seq, attempt, first_attempt, first_tried_at, tried_at,
       external_id, url, problem, created_at, updated_at, version
FROM post WHERE venture = %(venture)s AND id = %(post)s AND deleted_at IS NULL"""

POSTS: LiteralString = """
SELECT id, item, channel, text, state, number, scheduled_seq, attempt, first_attempt, first_tried_at, tried_at,
       external_id, url, problem, created_at, updated_at, version
FROM post
WHERE venture = %(venture)s AND deleted_at IS NULL AND id < %(before)s
  AND (%(item)s::uuid IS NULL OR item = %(item)s::uuid)
  AND (%(channel)s::uuid IS NULL OR channel = %(channel)s::uuid)
  AND (%(state)s::text IS NULL OR state = %(state)s::text)
ORDER BY id DESC LIMIT %(limit)s"""

POSTS_OF_ITEM: LiteralString = """
SELECT id, state FROM post WHERE venture = %(venture)s AND item = %(item)s AND deleted_at IS NULL ORDER BY id"""

POSTS_OF_CHANNEL: LiteralString = """
SELECT id, state, item FROM post
WHERE venture = %(venture)s AND channel = %(channel)s AND deleted_at IS NULL AND state IN ('scheduled', 'publishing')
ORDER BY id"""

POSTS_SCHEDULED: LiteralString = """
SELECT id, item FROM post WHERE venture = %(venture)s AND state = 'scheduled' AND deleted_at IS NULL ORDER BY id"""

OTHERS_UNDER_WAY: LiteralString = """
SELECT count(*) FROM post
WHERE venture = %(venture)s AND item = %(item)s AND deleted_at IS NULL AND id <> ALL(%(leaving)s)
  AND state IN ('scheduled', 'publishing', 'unknown')"""

SAME_OUTSIDE: LiteralString = """
SELECT id FROM post
WHERE venture = %(venture)s AND channel = %(channel)s AND external_id = %(external_id)s AND id <> %(post)s LIMIT 1"""

REMIND: LiteralString = """
INSERT INTO outbox (venture, post, seq, due_at) VALUES (%(venture)s, %(post)s, %(seq)s, %(due_at)s)
ON CONFLICT (venture, post) DO UPDATE SET seq = excluded.seq, due_at = excluded.due_at, lease_until = NULL"""

REMIND_AGAIN: LiteralString = """
UPDATE outbox SET due_at = %(due_at)s, lease_until = NULL WHERE venture = %(venture)s AND post = %(post)s"""

POSTPONE: LiteralString = """
UPDATE outbox SET due_at = %(due_at)s, lease_until = NULL
WHERE venture = %(venture)s AND post = %(post)s AND seq = %(seq)s"""

FORGET: LiteralString = """
DELETE FROM outbox WHERE venture = %(venture)s AND post = %(post)s"""

FORGET_REMINDER: LiteralString = """
DELETE FROM outbox WHERE venture = %(venture)s AND post = %(post)s AND seq = %(seq)s"""

FORGET_ALL: LiteralString = """
DELETE FROM outbox WHERE venture = %(venture)s"""

CLAIMABLE: LiteralString = """
SELECT seq FROM outbox
WHERE venture = %(venture)s AND post = %(post)s AND due_at <= %(now)s
  AND (lease_until IS NULL OR lease_until <= %(now)s)
FOR UPDATE SKIP LOCKED"""

CLAIM: LiteralString = """
UPDATE outbox SET lease_until = %(lease_until)s
WHERE venture = %(venture)s AND post = %(post)s"""

SCAN_DUE: LiteralString = """
SELECT due.venture, due.post FROM (
    SELECT venture, post, due_at, row_number() OVER (PARTITION BY venture ORDER BY due_at, post) AS turn FROM outbox
    WHERE due_at <= %(now)s AND (lease_until IS NULL OR lease_until <= %(now)s)
) due
ORDER BY due.turn, due.due_at LIMIT %(limit)s"""
