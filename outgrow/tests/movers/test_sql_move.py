"""A whole move of rows by triggers alone: an application that writes all the while, there and back, loses nothing."""

from __future__ import annotations

import random
import threading
import time
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.migrating.engine import Engine
from outgrow.migrating.opening import carrier_of
from outgrow.migration.records import Goal, Migration, Pace, TenantMove
from outgrow.movers.sql_table import open_mover, registering_of
from outgrow.routing import ROUTE
from outgrow.testing import FixedClock

POINT, TENANT, SCHEMAS = "data", "ana", {"old": "public", "new": "there"}
TABLES: tuple[LiteralString, ...] = (
    "CREATE TABLE {0}.boards (tenant text, no int, name text, PRIMARY KEY (tenant, no), UNIQUE (tenant, name))",
    "CREATE TABLE {0}.notes (tenant text, no int, board int NOT NULL, body text, PRIMARY KEY (tenant, no), "
    "FOREIGN KEY (tenant, board) REFERENCES {0}.boards ON DELETE CASCADE)",
)
WRITES: tuple[LiteralString, ...] = (
    "INSERT INTO {0}.boards VALUES ('ana', %(n)s, 'b' || %(m)s) ON CONFLICT DO NOTHING",
    "UPDATE {0}.boards SET name = 'b' || %(m)s WHERE no = %(n)s AND NOT EXISTS "
    "(SELECT FROM {0}.boards WHERE name = 'b' || %(m)s)",
    "DELETE FROM {0}.boards WHERE no = %(n)s",
    "INSERT INTO {0}.notes SELECT tenant, %(m)s, no, %(s)s FROM {0}.boards ORDER BY (no + %(n)s) %% 7 LIMIT 1 "
    "ON CONFLICT (tenant, no) DO UPDATE SET body = excluded.body, board = excluded.board",
    "DELETE FROM {0}.notes WHERE no = %(m)s",
)


class Application:
    """Writes to where the route leads and repeats what was turned away. ``truth`` has what was acknowledged: the same
    writes, in a table of its own that nobody moves."""

    def __init__(self, url: str, isolation: psycopg.IsolationLevel) -> None:
        self.url, self.isolation = url, isolation
        self.acknowledged = self.repeated = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Application:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def writes_on(self, count: int) -> None:
        """Waits until it has written so many times more."""
        until = self.acknowledged + count
        while self.acknowledged < until:
            assert self._thread.is_alive()
            time.sleep(0.01)

    def _run(self) -> None:
        dice = random.Random(3)
        with psycopg.connect(self.url) as session:
            session.isolation_level = self.isolation
            while not self._stop.wait(0.01):
                write, values = (
                    dice.choice(WRITES),
                    {"n": dice.randrange(9), "m": dice.randrange(40), "s": dice.random()},
                )
                while not self._written(session, write, values):
                    self.repeated += 1
                self.acknowledged += 1

    def _written(self, session: psycopg.Connection, write: LiteralString, values: dict[str, Any]) -> bool:
        try:
            with session.transaction():
                row = session.execute(ROUTE, {"point": POINT, "tenant": TENANT}).fetchone()
                for schema in (SCHEMAS[row[0]] if row else "public", "truth"):
                    session.execute(SQL(write).format(Identifier(schema)), values)
        except psycopg.errors.SerializationFailure:
            return False
        return True


def moved(url: str, settings: dict[str, Any], goal: Goal) -> str:
    ledger = open_move_ledger(url)
    found = ledger.migration(POINT)
    assert found is not None
    engine = Engine(ledger.take(found, "ana"), ledger, carrier_of(open_mover(settings, FixedClock(0.0)), ledger), "ana")
    ledger.want(found, None, goal, "ana")
    try:
        return engine.run(None, goal, seconds=20)
    finally:
        engine.let_go()
        engine.carrier.close()
        ledger.close()


@pytest.mark.parametrize("isolation", [psycopg.IsolationLevel.READ_COMMITTED, psycopg.IsolationLevel.REPEATABLE_READ])
def test_there_and_back_under_writes(postgresql: str, isolation: psycopg.IsolationLevel) -> None:
    with psycopg.connect(postgresql, autocommit=True) as session:
        session.execute("CREATE SCHEMA there")
        session.execute("CREATE SCHEMA truth")
        for schema in ("public", "there", "truth"):
            for table in TABLES:
                session.execute(SQL(table).format(Identifier(schema)))

        def same(schema: str) -> bool:
            both = "(TABLE {0}.{1} EXCEPT TABLE truth.{1}) UNION ALL (TABLE truth.{1} EXCEPT TABLE {0}.{1})"
            tables = (SQL(both).format(Identifier(schema), Identifier(name)) for name in ("boards", "notes"))
            return not any(session.execute(table).fetchall() for table in tables)

        sides = {"source_store": {"url": postgresql}, "target_store": {"url": postgresql, "schema": "there"}}
        tables = [{"table": name, "tenant": "tenant"} for name in ("boards", "notes")]
        settings = {"source": "old", "target": "new", **sides, "tables": tables}
        ledger = open_move_ledger(postgresql)
        migration = Migration("m1", POINT, "copying", "old", "new", 0.0, Pace(batch=100, freeze_seconds=2.0))
        ledger.create(migration, [TenantMove(TENANT, 1)], "ana")
        ledger.close()
        registering_of(settings).install(POINT, postgresql)
        with Application(postgresql, isolation) as application:
            for goal in ("ready", "switched", "ready", "switched"):
                assert moved(postgresql, settings, goal) == "reached"
                application.writes_on(13)
        assert application.acknowledged > 50
        assert same("there")
        assert moved(postgresql, settings, "completed") == "reached"
        registering_of(settings).uninstall(POINT)
        assert same("there")
        assert session.execute("SELECT count(*) FROM public.notes").fetchone() == (0,)
