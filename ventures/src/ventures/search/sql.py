"""Statements of search."""

from typing import LiteralString

# Passages, embeddings and preferences.

# The passages of sources, and those that were the first of theirs and are gone, which have no text and no vector.
HELD: LiteralString = """
SELECT p.source, p.kind, p.place, p.title, p.text, p.state, p.number, p.seq, p.updated_at, e.seq, e.vector
FROM passage p
JOIN embedding e ON e.venture = p.venture AND e.model = p.model AND e.id = p.id
WHERE p.venture = %(venture)s AND p.model = %(model)s AND p.source = ANY(%(sources)s::uuid[])
UNION ALL
SELECT g.source, g.kind, 0, '', '', '', 0, g.seq, NULL, g.seq, NULL FROM embedding g
WHERE g.venture = %(venture)s AND g.model = %(model)s AND g.id = ANY(%(first)s::uuid[]) AND g.vector IS NULL
ORDER BY source, kind, place"""

PUT_PASSAGES: LiteralString = """
INSERT INTO passage (venture, model, id, kind, source, place, number, title, text, state, seq, updated_at, words)
SELECT %(venture)s, %(model)s, n.id, n.kind, n.source, n.place, n.number, n.title, n.text, n.state, n.seq, n.updated_at,
       setweight(to_tsvector('english', CASE n.place WHEN 0 THEN n.title ELSE '' END), 'A')
       || to_tsvector('english', n.text) || array_to_tsvector(ARRAY[n.mark])
FROM unnest(%(ids)s::uuid[], %(kinds)s::text[], %(sources)s::uuid[], %(places)s::int[], %(numbers)s::int[],
            %(titles)s::text[], %(texts)s::text[], %(states)s::text[], %(seqs)s::bigint[],
            %(updated_at)s::timestamptz[], %(marks)s::text[])
    AS n (id, kind, source, place, number, title, text, state, seq, updated_at, mark)
ON CONFLICT (venture, model, id) DO UPDATE SET
    number = excluded.number, title = excluded.title, text = excluded.text, state = excluded.state, seq = excluded.seq,
    updated_at = excluded.updated_at, words = excluded.words"""

MARK_PASSAGES: LiteralString = """
UPDATE passage p SET number = n.number, title = n.title, state = n.state, seq = n.seq, updated_at = n.updated_at
FROM unnest(%(ids)s::uuid[], %(numbers)s::int[], %(titles)s::text[], %(states)s::text[], %(seqs)s::bigint[],
            %(updated_at)s::timestamptz[]) AS n (id, number, title, state, seq, updated_at)
WHERE p.venture = %(venture)s AND p.model = %(model)s AND p.id = n.id"""

DROP_PASSAGES: LiteralString = """
DELETE FROM passage WHERE venture = %(venture)s AND model = %(model)s AND id = ANY(%(ids)s::uuid[])"""

PUT_EMBEDDINGS: LiteralString = """
INSERT INTO embedding (venture, model, id, kind, source, state, seq, vector)
SELECT %(venture)s, %(model)s, n.id, n.kind, n.source, n.state, n.seq, n.vector::public.vector
FROM unnest(%(ids)s::uuid[], %(kinds)s::text[], %(sources)s::uuid[], %(states)s::text[], %(seqs)s::bigint[],
            %(vectors)s::text[]) AS n (id, kind, source, state, seq, vector)
ON CONFLICT (venture, model, id) DO UPDATE SET
    state = excluded.state, seq = excluded.seq, vector = excluded.vector"""

MARK_EMBEDDINGS: LiteralString = """
UPDATE embedding e SET state = n.state, seq = n.seq
FROM unnest(%(ids)s::uuid[], %(states)s::text[], %(seqs)s::bigint[]) AS n (id, state, seq)
WHERE e.venture = %(venture)s AND e.model = %(model)s AND e.id = n.id"""

PREFERENCES: LiteralString = """
SELECT p.account, p.weight, p.at, p.seq, e.vector
FROM preference p
LEFT JOIN embedding e
    ON e.venture = %(venture)s AND e.model = p.model AND e.source = p.account AND e.id = ANY(%(ids)s::uuid[])
WHERE p.venture = %(venture)s AND p.model = %(model)s AND p.account = ANY(%(accounts)s::uuid[])"""

PUT_PREFERENCES: LiteralString = """
INSERT INTO preference (venture, model, account, weight, at, seq)
SELECT %(venture)s, %(model)s, n.account, n.weight, n.at, n.seq
FROM unnest(%(accounts)s::uuid[], %(weights)s::float8[], %(at)s::timestamptz[], %(seqs)s::bigint[])
    AS n (account, weight, at, seq)
ON CONFLICT (venture, model, account) DO UPDATE SET weight = excluded.weight, at = excluded.at, seq = excluded.seq"""

FORGET_PASSAGES: LiteralString = """
DELETE FROM passage WHERE venture = %(venture)s AND model = %(model)s"""

FORGET_EMBEDDINGS: LiteralString = """
DELETE FROM embedding WHERE venture = %(venture)s AND model = %(model)s"""

FORGET_PREFERENCES: LiteralString = """
DELETE FROM preference WHERE venture = %(venture)s AND model = %(model)s"""

END_EMBEDDINGS: LiteralString = """
UPDATE embedding SET vector = NULL, state = '', seq = %(seq)s
WHERE venture = %(venture)s AND model = %(model)s AND vector IS NOT NULL"""

FORGET_FILLING: LiteralString = """
DELETE FROM consumer_position WHERE venture = %(venture)s AND consumer = 'vectors'"""

# Words and vectors, looked up in PostgreSQL. A query tree of '' or 'T' has no word that a passage must hold.

# A rare word comes from the index on words; of a common one the first by id are found soon on the primary key. Cover
# density takes time that grows with the cube of a phrase's length where its words are alike, up to minutes a query, and
# .3 s with 12 words that are alike; what is longer, or has a phrase, is ranked by frequency.
KEYWORDS: LiteralString = """
SELECT m.id, m.source,
       CASE WHEN numnode(websearch_to_tsquery('english', %(words)s)) <= 24
                 AND strpos(websearch_to_tsquery('english', %(words)s)::text, '<') = 0
            THEN ts_rank_cd(m.words, websearch_to_tsquery('english', %(words)s))
            ELSE ts_rank(m.words, websearch_to_tsquery('english', %(words)s)) END AS rank
FROM (
    SELECT p.id, p.source, p.words FROM passage p
    WHERE p.venture = %(venture)s AND p.model = %(model)s
      AND p.words @@ (%(mark)s::tsquery && websearch_to_tsquery('english', %(words)s))
      AND querytree(websearch_to_tsquery('english', %(words)s)) <> ALL (ARRAY['', 'T'])
      AND (cardinality(%(states)s::text[]) = 0 OR p.state = ANY(%(states)s::text[]))
      AND (cardinality(%(sources)s::uuid[]) = 0 OR p.source = ANY(%(sources)s::uuid[]))
      AND NOT p.source = ANY(%(but)s::uuid[])
    ORDER BY p.id LIMIT %(most)s
) AS m
ORDER BY rank DESC, m.id LIMIT %(limit)s"""

NEAREST: LiteralString = """
SELECT n.id, n.score
FROM (
    SELECT e.id, 1 - public.cosine_distance(e.vector, %(vector)s::public.vector) AS score FROM embedding e
    WHERE e.venture = %(venture)s AND e.model = %(model)s AND e.kind = %(kind)s AND e.vector IS NOT NULL
      AND (cardinality(%(states)s::text[]) = 0 OR e.state = ANY(%(states)s::text[]))
      AND (cardinality(%(sources)s::uuid[]) = 0 OR e.source = ANY(%(sources)s::uuid[]))
      AND NOT e.source = ANY(%(but)s::uuid[])
) AS n
ORDER BY n.score DESC, n.id LIMIT %(limit)s"""

TEXTS: LiteralString = """
SELECT id, kind, source, place, number, title, text, state, seq, updated_at FROM passage
WHERE venture = %(venture)s AND model = %(model)s AND id = ANY(%(ids)s::uuid[])"""

# PostgreSQL as a store: points that no event tells of.

PUT_POINTS: LiteralString = """
INSERT INTO embedding (venture, model, id, kind, source, state, seq, vector)
SELECT %(venture)s, %(model)s, n.id, n.kind, n.source, n.state, 0, n.vector::public.vector
FROM unnest(%(ids)s::uuid[], %(kinds)s::text[], %(sources)s::uuid[], %(states)s::text[], %(vectors)s::text[])
    AS n (id, kind, source, state, vector)
ON CONFLICT (venture, model, id) DO UPDATE SET
    kind = excluded.kind, source = excluded.source, state = excluded.state, vector = excluded.vector
RETURNING 1"""

DROP_POINTS: LiteralString = """
DELETE FROM embedding WHERE venture = %(venture)s AND model = %(model)s AND id = ANY(%(ids)s::uuid[]) RETURNING 1"""

COUNT_POINTS: LiteralString = """
SELECT count(*) FROM embedding WHERE venture = %(venture)s AND model = %(model)s AND vector IS NOT NULL"""

# Filling the index from embeddings.

SCAN_FILLING: LiteralString = """
SELECT p.venture, h.seq, p.seq, r.store, v.target, v.seq, m.source, m.target
FROM log_head h
JOIN consumer_position p ON p.venture = h.venture AND p.consumer = 'passages' AND p.target = %(model)s
LEFT JOIN outgrow.route AS r (point, venture, store, generation)
    ON r.venture = p.venture::text AND r.point = 'data-architecture'
LEFT JOIN outgrow.moves AS m (point, venture, source, target, state)
    ON m.venture = p.venture::text AND m.point = 'data-architecture'
    AND m.state NOT IN ('pending', 'completed', 'cancelled')
LEFT JOIN consumer_position v ON v.venture = p.venture AND v.consumer = 'vectors'
WHERE h.moved_at >= now() - make_interval(secs => %(seconds)s) OR h.venture = ANY(%(behind)s::uuid[])"""

SCAN_MOVES: LiteralString = """
SELECT m.venture, m.source, m.target FROM outgrow.moves AS m (point, venture, source, target, state)
WHERE m.point = 'data-architecture' AND m.state NOT IN ('pending', 'completed', 'cancelled')"""

SCAN_ENDED_MOVES: LiteralString = """
SELECT m.venture, m.source, m.target FROM outgrow.moves AS m (point, venture, source, target, state)
WHERE m.point = 'data-architecture' AND m.state IN ('completed', 'cancelled')
  AND m.venture = ANY(%(ventures)s::text[])"""

SCAN_VENTURES: LiteralString = """
SELECT h.venture FROM log_head h ORDER BY h.venture"""

BEGIN_FILLING: LiteralString = """
INSERT INTO consumer_position (venture, consumer, target, seq) VALUES (%(venture)s, 'vectors', %(target)s, 0)
ON CONFLICT (venture, consumer, target) DO UPDATE SET seq = 0"""

PASSAGES_POSITION: LiteralString = """
SELECT seq FROM consumer_position
WHERE venture = %(venture)s AND consumer = 'passages' AND target = %(model)s"""

MOVE_FILLING: LiteralString = """
UPDATE consumer_position SET seq = %(seq)s
WHERE venture = %(venture)s AND consumer = 'vectors' AND target = %(target)s RETURNING 1"""

SET_FILLING_BACK: LiteralString = """
UPDATE consumer_position SET seq = 0
WHERE venture = %(venture)s AND consumer = 'vectors' AND target = ANY(%(targets)s::text[])"""

END_FILLING: LiteralString = """
DELETE FROM consumer_position
WHERE venture = %(venture)s AND consumer = 'vectors' AND target = ANY(%(targets)s::text[])"""

WHOLE: LiteralString = """
SELECT id, kind, source, state, vector FROM embedding
WHERE venture = %(venture)s AND model = %(model)s AND id > %(after)s AND vector IS NOT NULL
ORDER BY id LIMIT %(limit)s"""

CHANGED: LiteralString = """
SELECT id, kind, source, state, vector, seq FROM embedding
WHERE venture = %(venture)s AND model = %(model)s AND (seq, id) > (%(seq)s, %(id)s) AND seq <= %(until)s
ORDER BY seq, id LIMIT %(limit)s"""

# Of all ids behind one, also what is gone, to compare with what a store holds.
BETWEEN: LiteralString = """
SELECT id, kind, source, state, vector, seq FROM embedding
WHERE venture = %(venture)s AND model = %(model)s AND id > %(after)s AND id <= %(last)s
ORDER BY id LIMIT %(limit)s"""

BEHIND_SINCE: LiteralString = """
SELECT extract(epoch FROM now() - e.at)::float8 FROM event e WHERE e.venture = %(venture)s AND e.seq = %(seq)s"""

# Asking: where a venture stands, what was found, recommendations, the running audit.

STANDING: LiteralString = """
SELECT h.seq, coalesce(p.seq, 0), r.store, r.generation
FROM log_head h
LEFT JOIN consumer_position p ON p.venture = %(venture)s AND p.consumer = 'passages' AND p.target = %(model)s
LEFT JOIN outgrow.route AS r (point, venture, store, generation)
    ON r.venture = %(venture)s::text AND r.point = %(point)s
WHERE h.venture = %(venture)s"""

MOVED_AT: LiteralString = """
SELECT at FROM event WHERE venture = %(venture)s AND seq = %(seq)s"""

ITEMS_OF: LiteralString = """
SELECT p.id, p.source FROM passage p
WHERE p.venture = %(venture)s AND p.model = %(model)s AND p.kind = %(kind)s AND p.id = ANY(%(ids)s::uuid[])
  AND (cardinality(%(states)s::text[]) = 0 OR p.state = ANY(%(states)s::text[]))
  AND (cardinality(%(sources)s::uuid[]) = 0 OR p.source = ANY(%(sources)s::uuid[]))
  AND NOT p.source = ANY(%(but)s::uuid[])"""

# What is near is found by its vector alone: whether it has the phrases asked for and lacks what is not wanted is seen
# here.
ITEMS_OF_WORDS: LiteralString = """
SELECT p.id, p.source FROM passage p
CROSS JOIN (
    SELECT websearch_to_tsquery('english', %(phrases)s) AS phrases,
           websearch_to_tsquery('english', %(excluded)s) AS excluded OFFSET 0
) AS a
WHERE p.venture = %(venture)s AND p.model = %(model)s AND p.kind = %(kind)s AND p.id = ANY(%(ids)s::uuid[])
  AND (cardinality(%(states)s::text[]) = 0 OR p.state = ANY(%(states)s::text[]))
  AND (cardinality(%(sources)s::uuid[]) = 0 OR p.source = ANY(%(sources)s::uuid[]))
  AND NOT p.source = ANY(%(but)s::uuid[])
  AND (numnode(a.phrases) = 0 OR p.words @@ a.phrases) AND NOT p.words @@ a.excluded"""

# To mark words takes 50 µs a passage; most of those that are near have none of them. To mark long phrases (1-1-1-1…,
# one word to whoever types it) takes up to 75 ms a passage, so they are not marked. OFFSET 0 keeps what was asked for
# from being read anew for each passage.
PIECES: LiteralString = """
SELECT p.id, p.source, p.title, p.state, p.number, p.updated_at,
       CASE WHEN a.marked AND p.words @@ a.words THEN ts_headline('english', p.text, a.words, %(how)s)
            ELSE p.text END
FROM passage p
CROSS JOIN (
    SELECT q.words, numnode(q.words) <= 48 OR strpos(q.words::text, '<') = 0 AS marked
    FROM (SELECT websearch_to_tsquery('english', %(words)s) AS words OFFSET 0) AS q OFFSET 0
) AS a
WHERE p.venture = %(venture)s AND p.model = %(model)s AND p.id = ANY(%(ids)s::uuid[])"""

WHOLE_PASSAGES: LiteralString = """
SELECT p.id, p.source, p.title, translate(p.text, %(marks)s, ''), p.number FROM passage p
WHERE p.venture = %(venture)s AND p.model = %(model)s AND p.id = ANY(%(ids)s::uuid[])"""

FIRST_PASSAGES: LiteralString = """
SELECT p.id, p.source, p.title, p.state, p.number, p.updated_at, translate(p.text, %(marks)s, '')
FROM passage p
WHERE p.venture = %(venture)s AND p.model = %(model)s AND p.kind = 'content' AND p.place = 0
  AND p.source = ANY(%(items)s::uuid[])"""

PREFERENCE: LiteralString = """
SELECT e.vector FROM embedding e
WHERE e.venture = %(venture)s AND e.model = %(model)s AND e.kind = 'preference' AND e.source = %(account)s
  AND e.vector IS NOT NULL"""

PREFERENCES_OF: LiteralString = """
SELECT e.id, e.source FROM embedding e
WHERE e.venture = %(venture)s AND e.model = %(model)s AND e.kind = 'preference' AND e.id = ANY(%(ids)s::uuid[])
  AND e.vector IS NOT NULL"""

MEANING_OF_ITEM: LiteralString = """
SELECT public.avg(e.vector) FROM passage p
JOIN embedding e ON e.venture = p.venture AND e.model = p.model AND e.id = p.id
WHERE p.venture = %(venture)s AND p.model = %(model)s AND p.kind = 'content' AND p.source = %(item)s"""

# Those the person wrote at any time, and those nobody touched since they did.
TOUCHED: LiteralString = """
SELECT t.entity FROM (
    SELECT e.entity, e.seq, e.type,
           e.actor = 'account:' || %(account)s::text OR e.actor LIKE '%%/account:' || %(account)s::text AS own
    FROM event e WHERE e.venture = %(venture)s AND e.entity = ANY(%(items)s::uuid[])
) AS t
GROUP BY t.entity
HAVING bool_or(t.own AND t.type = ANY(%(written)s::text[])) OR (array_agg(t.own ORDER BY t.seq DESC))[1]"""

KEEP_SAMPLE: LiteralString = """
INSERT INTO search_audit
    (venture, id, at, head, model, kind, position, vector, states, sources, but, ids, account)
VALUES
    (%(venture)s, %(id)s, %(at)s, %(head)s, %(model)s, %(kind)s, %(position)s, %(vector)s::real[], %(states)s::text[],
     %(sources)s::uuid[], %(but)s::uuid[], %(ids)s::uuid[], %(account)s)"""

SCAN_SAMPLES: LiteralString = """
SELECT venture, id FROM search_audit ORDER BY at LIMIT %(most)s"""

TAKE_SAMPLE: LiteralString = """
DELETE FROM search_audit WHERE venture = %(venture)s AND id = %(id)s
RETURNING at, head, model, kind, position, vector, states, sources, but, ids, account"""

LAST_CHANGE: LiteralString = """
SELECT coalesce((
        SELECT max(e.seq) FROM embedding e
        WHERE e.venture = %(venture)s AND e.model = %(model)s AND e.kind = %(kind)s), 0),
    coalesce((
        SELECT p.seq FROM consumer_position p
        WHERE p.venture = %(venture)s AND p.consumer = 'passages' AND p.target = %(model)s), 0)"""

KNOWN: LiteralString = """
SELECT count(*), count(e.vector) FROM embedding e
WHERE e.venture = %(venture)s AND e.model = %(model)s AND e.id = ANY(%(ids)s::uuid[])"""

LAST_OF_MEMBER: LiteralString = """
SELECT e.type, e.at FROM event e
WHERE e.venture = %(venture)s AND e.entity = %(account)s AND e.type = ANY(%(types)s::text[]) AND e.seq <= %(until)s
ORDER BY e.seq DESC LIMIT 1"""

COUNT_CHECK: LiteralString = """
INSERT INTO global.search_check AS held (result, count) VALUES (%(result)s, %(count)s)
ON CONFLICT (result) DO UPDATE SET count = held.count + excluded.count"""

CHECKS: LiteralString = """
SELECT result, count FROM global.search_check"""

# Reads that are mirrored: asked of the other store of a venture that is moved.

MOVE_UNDER_WAY: LiteralString = """
SELECT m.id, m.shadow_share FROM global.move_under_way m WHERE m.point = %(point)s"""

SHADOWED: LiteralString = """
SELECT m.target FROM outgrow.moves AS m (point, venture, source, target, state, migration)
WHERE m.venture = %(venture)s::text AND m.point = %(point)s AND m.migration = %(migration)s
  AND m.state IN ('shadowing', 'ready')"""

COUNT_MIRRORED: LiteralString = """
INSERT INTO outgrow.mirrored AS held (migration, venture, matched, differed, failed)
VALUES (%(migration)s, %(venture)s::text, %(matched)s, %(differed)s, %(failed)s)
ON CONFLICT (migration, venture) DO UPDATE SET matched = held.matched + excluded.matched,
    differed = held.differed + excluded.differed, failed = held.failed + excluded.failed"""
