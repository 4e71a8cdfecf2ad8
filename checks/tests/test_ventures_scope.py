"""Each way around the scope is found, in tiny modules and in every real statement that loses its venture."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checks.ventures_scope import PACKAGE, Statement, files, module, statements, unscoped_in
from checks.ventures_statements import judged
from checks.ventures_tables import Tables, declared, declared_in

ROOT = Path(__file__).resolve().parents[2]
TABLES = Tables(kinds={"item": "state", "event": "log", "feed": "derived"}, scanned={"head"})
SQL = '''"""Statements."""
from typing import LiteralString
ITEM: LiteralString = """SELECT id FROM item WHERE venture = %(venture)s"""
KEEP: LiteralString = "INSERT INTO item (venture, id) VALUES (%(venture)s, %(id)s)"
FEED: LiteralString = "INSERT INTO feed (venture, id) VALUES (%(venture)s, %(id)s)"
APPEND: LiteralString = "INSERT INTO event (venture, id) VALUES (%(venture)s, %(id)s)"
'''
ASKS = "from ventures.content import sql\nasync def f(scope, other):\n    "


def found(**sources: str) -> list[str]:
    """Findings over modules of the room `content`, or of the room in a name such as `log__append`."""
    modules = [module(SQL, PACKAGE / "content" / "sql.py")] if "sql" not in sources else []
    for name, text in sources.items():
        room, _, file = name.rpartition("__")
        modules.append(module(text, PACKAGE / (room or "content") / f"{file}.py"))
    return list(unscoped_in(modules, TABLES))


@pytest.mark.parametrize(
    "line",
    [
        "return await scope.one(sql.ITEM, id=1)",
        "return await other.all(sql.ITEM)",
        "statement = sql.ITEM if other else sql.ITEM\n    return await scope.queued(statement)",
        "return await scope.one(sql.ITEM if other else sql.ITEM)",
        "await scope.run(sql.FEED)",
        "return await other.one()",
        'return "Select a plan from the list"',
    ],
)
def test_what_asks_a_scope_a_constant_is_let_be(line: str) -> None:
    assert found(reading=ASKS + line) == []


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ('await scope.run("SELECT id FROM item")', "something other than a constant"),
        ('await other.run("SELECT id FROM item")', "reads as SQL"),
        ("await scope.one(other)", "something other than a constant"),
        ("await scope.one()", "something other than a constant"),
        ("await unit.scope.all(sql.ITEM.format(x=1))", "something other than a constant"),
        ('await other.run(sql.ITEM + " LIMIT 1")', "something other than a constant"),
        ("await scope.run_many(statement, [])", "something other than a constant"),
        ("await other.all(statement)", "something other than a constant"),
        (
            "statement = sql.ITEM\n    statement = other\n    await scope.all(statement)",
            "something other than a constant",
        ),
        ("await scope.one(sql.NOWHERE)", "something other than a constant"),
        ("ask = scope.one\n    await ask(other)", "hands on scope.one"),
        ('return f"SELECT id FROM {other} WHERE a"', "reads as SQL"),
        ('return "SELECT id " + other + " FROM item "', "reads as SQL"),
        ('return "DELETE FROM %s" % other', "reads as SQL"),
        ('return "delete from {} where a".format(other)', "reads as SQL"),
        ('await other.execute("x")', "may be a connection"),
        ("await scope._sent(other, {})", "reaches for scope._sent"),
        ("return scope._connection", "reaches for scope._connection"),
        ('await getattr(scope, "one")(other)', "looks inside a scope"),
        ("import psycopg", "imports psycopg"),
        ("from sqlalchemy.orm import Session", "imports sqlalchemy.orm"),
        ("await scope.run(sql.KEEP, id=1)", "only apply functions"),
        ("await scope.run(sql.APPEND, id=1)", "the log's"),
    ],
)
def test_each_way_around_is_found(line: str, finding: str) -> None:
    assert any(finding in each for each in found(reading=ASKS + line)), found(reading=ASKS + line)


def test_findings_say_file_and_line() -> None:
    assert found(reading="\n\nimport psycopg\n")[0].startswith("ventures/src/ventures/content/reading.py:3: ")


def test_apply_functions_write_state_and_the_log_writes_itself() -> None:
    assert found(events=ASKS + "await scope.run(sql.KEEP, id=1)") == []
    log_sql = SQL.replace("item", "other_item")
    assert (
        found(
            sql=SQL,
            log__sql=log_sql,
            log__spine="from ventures.log import sql\nasync def f(scope):\n  await scope.run(sql.APPEND)",
        )
        == []
    )


@pytest.mark.parametrize(
    "line",
    [
        'NAME = f"SELECT {1}"',
        'NAME = "SELECT 1" + "SELECT 2"',
        'lower: LiteralString = "SELECT 1"',
        "def build(table): return table",
        'NAME = "SELECT 1 {x}".format(x=1)',
        "from ventures.log.sql import APPEND",
        "NAME = 7",
    ],
)
def test_a_file_of_statements_holds_nothing_else(line: str) -> None:
    assert any("is no statement" in each for each in found(sql=SQL + line))


def test_a_statement_beyond_its_venture_is_found_in_its_file() -> None:
    (finding,) = found(sql=SQL + 'LOOSE: LiteralString = "SELECT id FROM item"\n')
    assert finding.startswith("ventures/src/ventures/content/sql.py:7: LOOSE does not hold item")


@pytest.mark.parametrize(
    ("value", "chance"),
    [
        ("now()", True),
        ("CURRENT_TIMESTAMP", True),
        ("gen_random_uuid()", True),
        ("%(at)s", False),
        ("coalesce(%(now)s, '2026-01-01')", False),
    ],
)
def test_state_is_written_without_clock_and_chance(value: str, chance: bool) -> None:
    for table in ("item", "feed"):
        text = f'LATER: LiteralString = "INSERT INTO {table} (venture, at) VALUES (%(venture)s, {value})"\n'
        findings = found(sql=SQL + text)
        assert any("a replay gives another value" in each for each in findings) is (chance and table == "item")


@pytest.mark.parametrize(
    ("line", "chance"),
    [
        ("import time", True),
        ("from datetime import datetime\nat = datetime.now()", True),
        ("from ventures.identifiers import new_id", True),
        ("from uuid import uuid4", True),
        ("from uuid import UUID\nfrom datetime import date, datetime", False),
    ],
)
def test_events_are_applied_without_clock_and_chance(line: str, chance: bool) -> None:
    assert bool(found(events=line)) is chance
    assert not found(commands=line)


def test_scans_read_what_is_scanned() -> None:
    assert found(sql='SCAN_HEADS: LiteralString = "SELECT venture FROM head"\n') == []
    assert found(sql='SCAN_ITEMS: LiteralString = "SELECT venture FROM item"\n')
    assert found(sql='HEADS: LiteralString = "SELECT venture FROM head"\n')


def test_the_door_asks_the_catalogue_and_no_room_s_table() -> None:
    assert found(database__fitness='import psycopg\nX = "SELECT relname FROM pg_class"') == []
    assert found(database__fitness='X = "SELECT id FROM regional.item"')


def test_testing_is_not_read() -> None:
    assert not [path for path in files(ROOT) if "testing" in path.parts]


@pytest.mark.parametrize(
    ("line", "kinds", "findings"),
    [
        ('regional("item", "state")', {"item": "state"}, 0),
        ('for table in ("a", "b"):\n    regional(table, "work")', {"a": "work", "b": "work"}, 0),
        ('NAMES = ("a", "b")\nfor table in NAMES:\n    regional(table, "work")', {"a": "work", "b": "work"}, 0),
        ("regional(name, kind)", {}, 1),
        ('regional(f"{x}_y", "state")', {}, 1),
    ],
)
def test_declarations_are_read_from_the_migrations(line: str, kinds: dict[str, str], findings: int) -> None:
    tables = Tables()
    declared_in(line, "v1.py", tables)
    assert (tables.kinds, len(tables.findings)) == (kinds, findings)


def real() -> list[Statement]:
    """Every statement of the package that names a regional table, but for scans."""
    tables = declared(ROOT)
    sources = [module(path.read_text(encoding="utf-8"), path.relative_to(ROOT)) for path in files(ROOT)]
    every = [each for source in sources if source.name == "sql.py" for each in statements(source, tables).values()]
    return [each for each in every if each.judgement.regional and not each.name.startswith("SCAN_")]


HOLDS = re.compile(
    r"(?:\w+\.)?\bventure\s*=\s*(?:%\(venture\)s(?:::uuid)?|(?:\w+\.)?venture\b)|USING\s*\(\s*venture\b|%\(venture\)s",
    re.IGNORECASE,
)


def loosened(match: re.Match[str]) -> str:
    """The condition replaced by one that is true of every venture; a supplied venture by another."""
    text = match.group()
    if text.upper().startswith("USING"):
        return "USING (other"
    return "true" if "=" in text else "%(other)s"


def test_every_real_statement_that_loses_its_venture_is_found() -> None:
    cases = real()
    assert len(cases) >= 20
    missed = []
    for statement in cases:
        spots = list(HOLDS.finditer(statement.text))
        assert spots, f"{statement.file}: {statement.name} holds its venture in a way this test does not see"
        if not judged(HOLDS.sub(loosened, statement.text)).faults:
            missed.append(f"{statement.file}:{statement.line}: {statement.name}, all conditions dropped")
        for spot in spots:
            one = statement.text[: spot.start()] + loosened(spot) + statement.text[spot.end() :]
            if not judged(one).faults:
                missed.append(f"{statement.file}:{statement.line}: {statement.name}, without {spot.group()!r}")
    assert missed == []
