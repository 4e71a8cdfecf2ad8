"""The law behind the judgement, asked of PostgreSQL: a statement without a fault stays within its venture.

Statements are generated at random. Each that is let be runs twice without row-level security: where one venture has
rows, and where another has the same ids too. Its rows must be the same, and the other venture's must stay as they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from checks.ventures_statements import judged
from ventures.testing.postgres import fresh_database

A, B = UUID(int=10), UUID(int=11)
TABLES = ("item", "post")
ROWS = {"item": [(1, 1), (2, 1), (3, 2)], "post": [(1, 2), (2, 2), (4, 1)]}
Draw = st.DrawFn


@pytest.fixture(scope="module")
def session() -> Iterator[psycopg.Connection[Any]]:
    with fresh_database() as addresses, psycopg.connect(addresses.superuser) as connection:
        for table in TABLES:
            connection.execute(f"CREATE TEMP TABLE {table} (venture uuid, id int, n int, PRIMARY KEY (venture, id))")
        connection.commit()
        yield connection


def atom(draw: Draw, names: list[str], depth: int) -> str:
    """One condition, more often about the venture than not."""
    one, other = draw(st.sampled_from(names)), draw(st.sampled_from(names))
    kinds = ["held"] * 4 + ["tied"] * 3 + ["id", "n", "or", "not", "unqualified", "exists", "in", "paren"]
    kind = draw(st.sampled_from(kinds))
    if kind in ("exists", "in") and depth == 0:
        kind = "held"
    if kind == "exists":
        inner = select(draw, depth - 1, names)
        return f"{draw(st.sampled_from(['', 'NOT ']))}EXISTS ({inner})"
    if kind == "in":
        return f"{one}.id IN (SELECT q.id FROM ({select(draw, depth - 1, names)}) q)"
    return {
        "held": f"{one}.venture = %(venture)s",
        "tied": f"{one}.venture = {other}.venture",
        "id": f"{one}.id = {other}.id",
        "n": f"{one}.n = 1",
        "or": f"({one}.venture = %(venture)s OR {other}.n = 1)",
        "not": f"NOT {one}.venture = {other}.venture",
        "unqualified": "venture = %(venture)s",
        "paren": f"(%(venture)s = {one}.venture AND {other}.n = 2)",
    }[kind]


def conditions(draw: Draw, names: list[str], depth: int) -> str:
    return " AND ".join(atom(draw, names, depth) for _ in range(draw(st.integers(1, 3))))


def sources(draw: Draw, depth: int, outer: list[str]) -> tuple[str, list[str]]:
    """FROM with one to three tables, derived tables or laterals, and the names they have."""
    text, names = "", list[str]()
    for number in range(draw(st.integers(1, 3))):
        name = f"{'abc'[number]}{depth}"
        table = draw(st.sampled_from(TABLES))
        source = f"{table} {name}"
        how = draw(st.sampled_from(["table"] * 4 + ["derived", "lateral"])) if depth else "table"
        if how == "derived":
            source = f"({select(draw, depth - 1, outer)}) {name}"
        elif how == "lateral" and names:
            source = f"LATERAL ({select(draw, depth - 1, [*outer, *names])}) {name}"
        if not names:
            text = source
        else:
            join = draw(
                st.sampled_from(["JOIN"] * 3 + ["LEFT JOIN"] * 2 + ["RIGHT JOIN", "FULL JOIN", "CROSS JOIN", ","])
            )
            text += f"{join if join == ',' else ' ' + join} {source}"
            if join not in (",", "CROSS JOIN"):
                using = draw(st.sampled_from(["", "", " USING (venture)", " USING (venture, id)"]))
                text += using or f" ON {conditions(draw, [*outer, *names, name], 0)}"
        names.append(name)
    return text, names


def select(draw: Draw, depth: int, outer: list[str]) -> str:
    text, names = sources(draw, depth, outer)
    one = draw(st.sampled_from(names))
    venture = draw(st.sampled_from([f"{one}.venture", f"{names[0]}.venture", "%(venture)s::uuid AS venture"]))
    where = f" WHERE {conditions(draw, [*names, *outer], depth)}" if draw(st.integers(0, 9)) else ""
    return f"SELECT {venture}, {one}.id, {one}.n FROM {text}{where}"


@st.composite
def statements(draw: Draw) -> str:
    verb = draw(st.sampled_from(["select"] * 4 + ["update", "delete", "with", "insert", "union"]))
    if verb == "select":
        return select(draw, 2, [])
    if verb == "union":
        return (
            f"{select(draw, 1, [])} {draw(st.sampled_from(['UNION ALL', 'EXCEPT', 'INTERSECT']))} {select(draw, 1, [])}"
        )
    if verb == "with":
        text, names = sources(draw, 0, [])
        where = conditions(draw, [*names, "w"], 1)
        return f"WITH w AS ({select(draw, 1, [])}) SELECT w.id, {names[0]}.n FROM {text} CROSS JOIN w WHERE {where}"
    if verb == "insert":
        return (
            f"INSERT INTO item (venture, id, n) SELECT DISTINCT q.venture, q.id + 10, 1 FROM ({select(draw, 1, [])}) q"
            f" WHERE {conditions(draw, ['q'], 0)} ON CONFLICT DO NOTHING RETURNING id"
        )
    text, names = sources(draw, 1, []) if draw(st.booleans()) else ("", [])
    where = conditions(draw, ["t", *names], 1)
    if verb == "update":
        return f"UPDATE item t SET n = t.n + 1{' FROM ' + text if text else ''} WHERE {where} RETURNING t.id, t.n"
    return f"DELETE FROM item t{' USING ' + text if text else ''} WHERE {where} RETURNING t.id, t.n"


def outcome(session: psycopg.Connection[Any], statement: str, ventures: tuple[UUID, ...]) -> list[Any] | None:
    """What the statement gives and leaves behind for A, None where PostgreSQL refuses it; B stays as it was."""
    try:
        for table in TABLES:
            for venture in ventures:
                for number, n in ROWS[table]:
                    session.execute(f"INSERT INTO {table} VALUES (%s, %s, %s)", [venture, number, n])
        given = session.execute(statement, {"venture": A}).fetchall()
        left = [session.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES]
        for table, rows in zip(TABLES, left, strict=True):
            foreign = [(venture, number, n) for venture in ventures[1:] for number, n in ROWS[table]]
            assert [row for row in rows if row[0] != A] == foreign, statement
        return [sorted(given, key=repr), *([row for row in rows if row[0] == A] for rows in left)]
    except (psycopg.ProgrammingError, psycopg.NotSupportedError):
        return None
    finally:
        session.rollback()


@settings(
    max_examples=300,
    deadline=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(statements())
def test_what_is_let_be_stays_within_its_venture(session: psycopg.Connection[Any], statement: str) -> None:
    if judged(statement).faults:
        event("found fault")
        return
    alone = outcome(session, statement, (A,))
    event("refused by PostgreSQL" if alone is None else "let be")
    assert outcome(session, statement, (A, B)) == alone, statement
