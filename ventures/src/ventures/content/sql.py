"""Statements of content."""

from typing import LiteralString

DRAFT: LiteralString = """
INSERT INTO item (venture, id, title, state, number, author, created_at, updated_at, version)
VALUES (%(venture)s, %(item)s, %(title)s, 'draft', 1, %(author)s, %(at)s, %(at)s, 1)"""

ADD_VERSION: LiteralString = """
INSERT INTO item_version (venture, item, number, title, body, author, at)
VALUES (%(venture)s, %(item)s, %(number)s, %(title)s, %(body)s, %(author)s, %(at)s)"""

EDIT: LiteralString = """
UPDATE item SET title = %(title)s, state = 'draft', number = %(number)s, approved_number = NULL, approved_by = NULL,
    updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(item)s"""

VOID: LiteralString = """
UPDATE item SET state = 'draft', approved_number = NULL, approved_by = NULL, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(item)s"""

SUBMIT: LiteralString = """
UPDATE item SET state = 'pending', updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(item)s"""

APPROVE: LiteralString = """
UPDATE item SET state = 'approved', approved_number = %(number)s, approved_by = %(by)s, updated_at = %(at)s,
    version = version + 1
WHERE venture = %(venture)s AND id = %(item)s"""

SEND_BACK: LiteralString = """
UPDATE item SET state = 'changes_requested', updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(item)s"""

RECORD: LiteralString = """
INSERT INTO approval (venture, item, seq, number, verdict, by, note, at)
VALUES (%(venture)s, %(item)s, %(seq)s, %(number)s, %(verdict)s, %(by)s, %(note)s, %(at)s)"""

# A published item stays so; one without an approval that holds is refused by the table.
SCHEDULE: LiteralString = """
UPDATE item SET state = 'scheduled', updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(item)s AND state <> 'published'"""

# An item that an edit took off the schedule is a draft already.
UNSCHEDULE: LiteralString = """
UPDATE item SET state = 'approved', updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(item)s AND state = 'scheduled'"""

# What went out may have been edited or deleted while it was on its way: then the item is not published.
PUBLISH: LiteralString = """
UPDATE item SET state = CASE WHEN approved_number = %(number)s AND deleted_at IS NULL THEN 'published' ELSE state END,
    published_number = %(number)s, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(item)s"""

DELETE: LiteralString = """
UPDATE item SET deleted_at = %(at)s, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(item)s"""

ADD_COMMENT: LiteralString = """
INSERT INTO comment (venture, id, item, number, text, author, at, version)
VALUES (%(venture)s, %(comment)s, %(item)s, %(number)s, %(text)s, %(author)s, %(at)s, 1)"""

RESOLVE_COMMENT: LiteralString = """
UPDATE comment SET resolved_at = %(at)s, resolved_by = %(by)s, version = version + 1
WHERE venture = %(venture)s AND id = %(comment)s"""

DELETE_COMMENT: LiteralString = """
UPDATE comment SET deleted_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(comment)s"""

ITEM: LiteralString = """
SELECT id, title, state, number, approved_number, approved_by, published_number, author, created_at, updated_at, version
FROM item WHERE venture = %(venture)s AND id = %(item)s AND deleted_at IS NULL"""

ITEM_IN_FULL: LiteralString = """
SELECT i.id, i.title, i.state, i.number, i.approved_number, i.approved_by, i.published_number, i.author, i.created_at,
       i.updated_at, i.version, v.body
FROM item i JOIN item_version v ON v.venture = i.venture AND v.item = i.id AND v.number = i.number
WHERE i.venture = %(venture)s AND i.id = %(item)s AND i.deleted_at IS NULL"""

ITEMS: LiteralString = """
SELECT id, title, state, number, approved_number, approved_by, published_number, author, created_at, updated_at, version
FROM item
WHERE venture = %(venture)s AND deleted_at IS NULL AND (updated_at, id) < (%(before_at)s, %(before)s)
  AND (%(state)s::text IS NULL OR state = %(state)s::text)
  AND (%(author)s::uuid IS NULL OR author = %(author)s::uuid)
ORDER BY updated_at DESC, id DESC LIMIT %(limit)s"""

TITLES: LiteralString = """
SELECT id, title FROM item WHERE venture = %(venture)s AND id = ANY(%(items)s::uuid[])"""

VERSION: LiteralString = """
SELECT v.item, v.number, v.title, v.body, v.author, v.at
FROM item_version v JOIN item i ON i.venture = v.venture AND i.id = v.item
WHERE v.venture = %(venture)s AND v.item = %(item)s AND v.number = %(number)s AND i.deleted_at IS NULL"""

VERSIONS: LiteralString = """
SELECT number, title, author, at, octet_length(body) FROM item_version
WHERE venture = %(venture)s AND item = %(item)s AND number < %(before)s
ORDER BY number DESC LIMIT %(limit)s"""

HISTORY: LiteralString = """
SELECT seq, number, verdict, by, note, at FROM approval
WHERE venture = %(venture)s AND item = %(item)s AND seq < %(before)s
ORDER BY seq DESC LIMIT %(limit)s"""

COMMENT: LiteralString = """
SELECT id, item, number, text, author, at, resolved_at, resolved_by, version FROM comment
WHERE venture = %(venture)s AND item = %(item)s AND id = %(comment)s AND deleted_at IS NULL"""

COMMENTS: LiteralString = """
SELECT id, item, number, text, author, at, resolved_at, resolved_by, version FROM comment
WHERE venture = %(venture)s AND item = %(item)s AND deleted_at IS NULL AND (at, id) > (%(after_at)s, %(after)s)
ORDER BY at, id LIMIT %(limit)s"""
