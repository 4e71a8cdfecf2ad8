"""A statement that reaches beyond its venture is found, however it is written; one that does not is let be."""

from __future__ import annotations

import pytest

from checks.ventures_statements import judged, looks_like_sql

HELD = [
    "SELECT r.store FROM outgrow.route AS r (point, venture, store, generation)"
    " WHERE r.venture = %(venture)s::text AND r.point = %(point)s",
    "SELECT id FROM item WHERE venture = %(venture)s AND id = %(id)s",
    "SELECT id FROM item WHERE (venture = %(venture)s::uuid) AND (a OR b)",
    "SELECT i.id FROM item i JOIN version v ON v.venture = i.venture AND v.item = i.id WHERE i.venture = %(venture)s",
    "SELECT i.id FROM item i LEFT JOIN version v ON v.venture = i.venture"
    " WHERE i.venture = %(venture)s FOR UPDATE OF i",
    "SELECT i.id FROM item i JOIN version v USING (venture, item) WHERE i.venture = %(venture)s",
    "SELECT id FROM item i JOIN version v USING (venture) LEFT JOIN note USING (venture) WHERE venture = %(venture)s",
    "SELECT count(*), (SELECT max(v.n) FROM version v WHERE v.venture = i.venture) FROM item i"
    " WHERE i.venture = %(venture)s",
    "SELECT 1 FROM item i WHERE i.venture = %(venture)s AND EXISTS (SELECT FROM version v WHERE v.venture = i.venture)",
    "SELECT id FROM item WHERE venture = %(venture)s UNION ALL SELECT id FROM post"
    " WHERE venture = %(venture)s ORDER BY 1",
    "WITH due AS (SELECT venture, id FROM item WHERE venture = %(venture)s LIMIT 5)"
    " UPDATE post AS p SET n = n + 1 FROM due WHERE p.venture = due.venture AND p.id = due.id RETURNING 1",
    "SELECT i.id, l.n FROM item i CROSS JOIN LATERAL (SELECT v.n FROM version v WHERE v.venture = i.venture LIMIT 1) l"
    " WHERE i.venture = %(venture)s",
    "SELECT i.id FROM unnest(%(ids)s::uuid[]) AS wanted (id) JOIN item i ON i.id = wanted.id"
    " WHERE i.venture = %(venture)s",
    "SELECT n FROM item"
    " WHERE venture = %(venture)s AND (at, id) > (%(at)s, %(id)s) AND title LIKE '%%a' ORDER BY at, id",
    "WITH RECURSIVE up AS (SELECT venture, id FROM item WHERE venture = %(venture)s UNION ALL"
    " SELECT i.venture, i.id FROM item i JOIN up ON i.venture = up.venture AND i.parent = up.id) SELECT id FROM up",
    "INSERT INTO item (venture, id) VALUES (%(venture)s, %(id)s)",
    "INSERT INTO item (id, venture) SELECT x.id, %(venture)s FROM unnest(%(ids)s::uuid[]) AS x (id)",
    "INSERT INTO item (venture, id) SELECT p.venture, p.id FROM post p WHERE p.venture = %(venture)s",
    "INSERT INTO item (venture, id) VALUES (%(venture)s, %(id)s)"
    " ON CONFLICT (venture, id) DO UPDATE SET n = item.n + 1",
    "INSERT INTO item (venture, id) VALUES (%(venture)s, %(id)s) ON CONFLICT DO NOTHING RETURNING venture",
    "WITH made AS (INSERT INTO item (venture, id) VALUES (%(venture)s, %(id)s) RETURNING venture, id)"
    " SELECT p.id FROM post p JOIN made ON p.venture = made.venture",
    "UPDATE item SET title = %(title)s, version = version + 1 WHERE venture = %(venture)s AND id = %(id)s RETURNING 1",
    "DELETE FROM item USING post WHERE item.venture = post.venture AND post.venture = %(venture)s",
    'SELECT name FROM "global".plan WHERE id = %(id)s',
    "UPDATE global.subscription SET plan = %(plan)s WHERE venture = %(venture)s",
    "INSERT INTO global.subscription (venture, plan) VALUES (%(venture)s, %(plan)s)",
    "SELECT c.relname FROM pg_class c",
    "SELECT pg_notify('bell', %(names)s)",
]

LOOSE = [
    (
        "SELECT r.store FROM outgrow.route AS r (point, venture) WHERE r.point = %(point)s",
        "does not hold outgrow.route",
    ),
    ("SELECT store FROM outgrow.route WHERE tenant = %(venture)s::text", "reads outgrow.route without"),
    (
        "SELECT r.x FROM outgrow.route AS r (venture, x) WHERE r.venture = %(venture)s::text",
        "reads outgrow.route without",
    ),
    ("SELECT i.id FROM item AS i (id, venture) WHERE i.venture = %(venture)s", "renames columns of item"),
    ("SELECT id FROM item WHERE id = %(id)s", "does not hold item"),
    ("SELECT id FROM item WHERE venture = %(other)s", "does not hold item"),
    ("SELECT id FROM item WHERE venture = %(venture)s OR id = %(id)s", "does not hold item"),
    ("SELECT id FROM item WHERE NOT venture = %(venture)s", "does not hold item"),
    ("SELECT id FROM item WHERE venture >= %(venture)s", "does not hold item"),
    ("SELECT i.id FROM item i, post p WHERE i.venture = %(venture)s", "does not hold post"),
    ("SELECT i.id FROM item i JOIN post p ON p.id = i.id WHERE i.venture = %(venture)s", "does not hold post"),
    ("SELECT i.id FROM item i JOIN post p ON p.id = i.id WHERE venture = %(venture)s", "does not hold"),
    (
        "SELECT i.id FROM item i LEFT JOIN post p ON i.venture = %(venture)s AND p.venture = i.venture",
        "does not hold item",
    ),
    (
        "SELECT i.id FROM post p FULL JOIN item i ON p.venture = i.venture WHERE p.venture = %(venture)s",
        "does not hold item",
    ),
    ("SELECT i.id FROM item i LEFT JOIN post p USING (venture) WHERE p.venture = %(venture)s", "does not hold item"),
    (
        "SELECT 1 FROM item i WHERE i.venture = %(venture)s AND EXISTS (SELECT FROM post p WHERE p.id = i.id)",
        "does not hold post",
    ),
    ("SELECT (SELECT count(*) FROM post) FROM item WHERE venture = %(venture)s", "does not hold post"),
    ("SELECT id FROM item WHERE venture = %(venture)s UNION SELECT id FROM post", "does not hold post"),
    (
        "WITH all_of AS (SELECT venture, id FROM item) SELECT id FROM all_of WHERE venture = %(venture)s",
        "does not hold item",
    ),
    ("SELECT q.n FROM (SELECT venture, n FROM item) q WHERE q.venture = %(venture)s", "does not hold item"),
    (
        "WITH due AS (SELECT other AS venture, id FROM item WHERE venture = %(venture)s)"
        " DELETE FROM post USING due WHERE post.venture = due.venture",
        "does not hold post",
    ),
    ("SELECT id FROM item WHERE id IN (SELECT item FROM post WHERE venture = item.venture)", "does not hold"),
    (
        "WITH w AS (SELECT venture FROM item WHERE venture = %(venture)s UNION"
        " SELECT other AS venture FROM item WHERE venture = %(venture)s)"
        " DELETE FROM post USING w WHERE post.venture = w.venture",
        "does not hold post",
    ),
    (
        "SELECT 1 FROM (SELECT other AS venture FROM item WHERE venture = %(venture)s) q"
        " WHERE EXISTS (SELECT FROM post p WHERE p.venture = q.venture)",
        "does not hold post",
    ),
    ("INSERT INTO item (id) VALUES (%(id)s)", "inserts into item without"),
    ("INSERT INTO item VALUES (%(venture)s, %(id)s)", "inserts into item without"),
    ("INSERT INTO item (venture, id) VALUES (%(other)s, %(id)s)", "inserts into item without"),
    ("INSERT INTO item (venture, id) VALUES (%(venture)s, 1), (%(other)s, 2)", "inserts into item without"),
    ("INSERT INTO item (venture, id) SELECT p.venture, p.id FROM post p", "does not hold post"),
    (
        "INSERT INTO item (venture, id) SELECT p.id, p.venture FROM post p WHERE p.venture = %(venture)s",
        "inserts into item",
    ),
    (
        "INSERT INTO item (venture, id) VALUES (%(venture)s, 1) ON CONFLICT (id) DO UPDATE SET n = 1",
        "on a conflict that is not within the venture",
    ),
    (
        "INSERT INTO item (venture, id) VALUES (%(venture)s, 1)"
        " ON CONFLICT (venture, id) DO UPDATE SET venture = %(other)s",
        "never SET venture",
    ),
    ("UPDATE item SET n = 1 WHERE id = %(id)s", "does not hold item"),
    ("UPDATE item SET venture = %(other)s WHERE venture = %(venture)s", "never SET venture"),
    ("UPDATE item SET (n, venture) = (1, %(other)s) WHERE venture = %(venture)s", "never SET venture"),
    ("UPDATE item SET n = (SELECT max(n) FROM post) WHERE venture = %(venture)s", "does not hold post"),
    ("UPDATE item SET n = 1 FROM post p WHERE p.venture = %(venture)s", "does not hold item"),
    (
        "UPDATE item SET n = 1 FROM post p JOIN note q USING (venture) WHERE p.venture = %(venture)s",
        "does not hold item",
    ),
    ("SELECT 1 FROM item i, post p JOIN note n USING (venture) WHERE n.venture = %(venture)s", "does not hold item"),
    ("DELETE FROM item", "does not hold item"),
    ("DELETE FROM item USING post WHERE item.venture = %(venture)s AND post.id = item.id", "does not hold post"),
    (
        "SELECT i.id FROM item i JOIN global.plan p ON p.venture = i.venture WHERE i.venture = %(venture)s",
        "ask each side",
    ),
    ("SELECT id FROM regional.item WHERE venture = %(venture)s", "the search path is set"),
    ("SELECT id FROM other.item WHERE venture = %(venture)s", "names other.item"),
    ("SELECT set_config('ventures.venture', %(other)s, true)", "set_config"),
    ("SET LOCAL ROLE ventures_owner", "none of SELECT"),
    ("TRUNCATE item", "none of SELECT"),
    ("TABLE item", ""),
    ("SELECT id FROM ONLY item", ""),
    ('SELECT id FROM "item"', "does not hold item"),
    ("SELECT id INTO stolen FROM item WHERE venture = %(venture)s", ""),
    ("SELECT i.id FROM (item i JOIN post p USING (venture)) WHERE p.id = 1", ""),
    ("WITH item AS (SELECT id FROM item) SELECT id FROM item", "does not hold item"),
    ("MERGE INTO item USING post ON true WHEN MATCHED THEN DELETE", "none of SELECT"),
    ("INSERT INTO item DEFAULT VALUES", ""),
    ("COPY item TO STDOUT", "none of SELECT"),
    ("EXPLAIN SELECT id FROM item", "none of SELECT"),
    ("SELECT 1; SELECT 2", "several statements"),
    ("SELECT FROM WHERE (", "cannot be read"),
    ("SELECT query_to_xml('SELECT * FROM item', true, true, '')", "in a text"),
]


@pytest.mark.parametrize("text", HELD)
def test_what_is_held_to_the_venture_is_let_be(text: str) -> None:
    assert judged(text).faults == []


@pytest.mark.parametrize(("text", "fault"), LOOSE)
def test_what_is_not_held_to_the_venture_is_found(text: str, fault: str) -> None:
    assert any(fault in found for found in judged(text).faults), judged(text)


def test_a_scan_reads_scanned_tables_of_all_ventures_and_does_nothing_else() -> None:
    assert judged("SELECT venture FROM head WHERE seq > %(seq)s", {"head"}).faults == []
    assert judged("SELECT venture FROM item", {"head"}).faults
    assert judged("DELETE FROM head", {"head"}).faults
    assert judged("SELECT venture FROM head FOR UPDATE", {"head"}).faults


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("SELECT id FROM item", True),
        ("select id from item where id = 1", True),
        ("  DELETE FROM x", True),
        ("update item set n = 1", True),
        ("insert into item (a) values (1)", True),
        ("WITH a AS (SELECT 1) SELECT 2", True),
        ("TRUNCATE item", True),
        ("SET LOCAL ROLE ventures_runner", True),
        ("ALTER TABLE x ADD y int", True),
        ("Select a plan from the list, then go on", False),
        ("Update the settings and set a name", False),
        ("The role you may select comes from tenancy", False),
        ("Delete from here what you do not need", False),
        ("item_drafted", False),
        ("%(venture)s", False),
    ],
)
def test_sql_is_told_from_sentences(text: str, sql: bool) -> None:
    assert looks_like_sql(text) is sql
