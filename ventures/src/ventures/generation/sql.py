"""Statements of generation."""

from typing import LiteralString

WRITE_NOTE: LiteralString = """
INSERT INTO context_note (venture, id, title, text, author, created_at, updated_at, version)
VALUES (%(venture)s, %(note)s, %(title)s, %(text)s, %(author)s, %(at)s, %(at)s, 1)"""

EDIT_NOTE: LiteralString = """
UPDATE context_note SET title = %(title)s, text = %(text)s, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(note)s"""

DELETE_NOTE: LiteralString = """
UPDATE context_note SET deleted_at = %(at)s, updated_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(note)s"""

NOTE: LiteralString = """
SELECT id, title, text, author, created_at, updated_at, version FROM context_note
WHERE venture = %(venture)s AND id = %(note)s AND deleted_at IS NULL"""

NOTES: LiteralString = """
SELECT id, title, text, author, created_at, updated_at, version FROM context_note
WHERE venture = %(venture)s AND deleted_at IS NULL AND (%(after)s::uuid IS NULL OR id > %(after)s::uuid)
ORDER BY id LIMIT %(limit)s"""

COUNT_NOTES: LiteralString = """
SELECT count(*) FROM context_note WHERE venture = %(venture)s AND deleted_at IS NULL"""

KNOWN_NOTES: LiteralString = """
SELECT id FROM context_note WHERE venture = %(venture)s AND id = ANY(%(notes)s::uuid[]) AND deleted_at IS NULL"""

ASK: LiteralString = """
INSERT INTO draft (venture, id, state, instruction, format, item, author, text, citations, unsupported, extractive,
    remark, asked_at, due_at, version)
VALUES (%(venture)s, %(draft)s, 'running', %(instruction)s, %(format)s, %(item)s, %(author)s, '', '[]', 0, false,
    '', %(at)s, %(due_at)s, 1)"""

FINISH: LiteralString = """
UPDATE draft SET state = 'finished', text = %(text)s, citations = %(citations)s::jsonb, unsupported = %(unsupported)s,
    model = %(model)s, prompt = %(prompt)s, pattern = %(pattern)s, extractive = %(extractive)s, remark = %(remark)s,
    prompt_tokens = %(prompt_tokens)s, completion_tokens = %(completion_tokens)s, due_at = NULL, ended_at = %(at)s,
    version = version + 1
WHERE venture = %(venture)s AND id = %(draft)s"""

FAIL: LiteralString = """
UPDATE draft SET state = 'failed', reason = %(reason)s, problem = %(problem)s, due_at = NULL, ended_at = %(at)s,
    version = version + 1
WHERE venture = %(venture)s AND id = %(draft)s"""

CANCEL: LiteralString = """
UPDATE draft SET state = 'cancelled', due_at = NULL, ended_at = %(at)s, version = version + 1
WHERE venture = %(venture)s AND id = %(draft)s"""

ACCEPT: LiteralString = """
UPDATE draft SET accepted_item = %(item)s, version = version + 1 WHERE venture = %(venture)s AND id = %(draft)s"""

DRAFT: LiteralString = """
SELECT id, state, instruction, format, item, author, text, citations::text, unsupported, model, prompt, pattern,
       extractive, remark, prompt_tokens, completion_tokens, reason, problem, accepted_item, asked_at, ended_at, version
FROM draft WHERE venture = %(venture)s AND id = %(draft)s"""

DRAFTS: LiteralString = """
SELECT id, state, instruction, format, item, author, extractive, reason, problem, accepted_item, asked_at, ended_at,
       version
FROM draft
WHERE venture = %(venture)s AND (asked_at, id) < (%(before_at)s, %(before)s)
  AND (%(state)s::text IS NULL OR state = %(state)s::text)
ORDER BY asked_at DESC, id DESC LIMIT %(limit)s"""

RUNNING: LiteralString = """
SELECT id FROM draft WHERE venture = %(venture)s AND state = 'running' ORDER BY id"""

IS_RUNNING: LiteralString = """
SELECT state = 'running' FROM draft WHERE venture = %(venture)s AND id = %(draft)s"""

SCAN_OVERDUE: LiteralString = """
SELECT venture, id FROM draft WHERE due_at < %(now)s ORDER BY due_at LIMIT %(limit)s"""

# One statement: what was told before under the same venture and seq adds nothing.
TELL: LiteralString = """
WITH fresh AS (
    INSERT INTO global.generation_told (venture, seq) VALUES (%(venture_id)s, %(seq)s)
    ON CONFLICT (venture, seq) DO NOTHING RETURNING seq
), outcome AS (
    INSERT INTO global.generation_outcome AS held (day, outcome, count)
    SELECT %(day)s::date, %(outcome)s::text, 1 FROM fresh
    ON CONFLICT (day, outcome) DO UPDATE SET count = held.count + 1
)
INSERT INTO global.generation_seconds AS held (bucket, count, seconds)
SELECT %(bucket)s::smallint, 1, %(seconds)s::double precision FROM fresh WHERE %(bucket)s::smallint IS NOT NULL
ON CONFLICT (bucket) DO UPDATE SET count = held.count + 1, seconds = held.seconds + excluded.seconds"""

OUTCOMES: LiteralString = """
SELECT outcome, sum(count)::bigint FROM global.generation_outcome GROUP BY outcome ORDER BY outcome"""

SECONDS: LiteralString = """
SELECT bucket, count, seconds FROM global.generation_seconds ORDER BY bucket"""
