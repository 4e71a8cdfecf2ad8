"""How long a move of many small tenants takes, and where the time goes: rows, between two schemas of one PostgreSQL.

    python -m benchmarks many-tenants [--tenants 1500] [--rows 20]

A server of its own, no writers. Prints the seconds of create, start, switch and complete, the calls to the truth of the
move and to both stores, and the seconds within them; what is left is the own time of the engine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import psycopg

from benchmarks.report import Report, Table, Target, source_digest, write_report
from outgrow.clock import SystemClock
from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.migrating.engine import Engine
from outgrow.migrating.opening import carrier_of, first_rows
from outgrow.migration.records import Goal, Migration, Pace
from outgrow.movers.sql_table import open_mover, registering_of
from outgrow.ports import Copying, MoveLedger, Store
from ventures.database import embedded

POINT = "data"
STEPS: Sequence[tuple[str, Goal]] = (("start", "ready"), ("switch", "switched"), ("complete", "completed"))
MOST_MILLISECONDS = 100.0
"""Of a tenant, over all steps."""


class Counted:
    """Passes every call on, and keeps how many there were of each and how long they took."""

    def __init__(self, inner: object, name: str, seconds: defaultdict[str, float], calls: Counter[str]) -> None:
        self._inner, self._name, self._seconds, self._calls = inner, name, seconds, calls

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._inner, attribute)
        if not callable(found):
            return found
        called = cast("Callable[..., Any]", found)
        name = f"{self._name}.{attribute}"

        def passed(*args: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return called(*args, **named)
            finally:
                self._seconds[name] += time.perf_counter() - began
                self._calls[name] += 1

        return passed


def filled(superuser: str, tenants: int, rows: int) -> str:
    """A new database with that many tenants in ``public.notes``, and a table of the same form to move them to."""
    with psycopg.connect(superuser, autocommit=True) as session:
        session.execute("CREATE DATABASE many")
    url = urlunsplit(urlsplit(superuser)._replace(path="/many"))
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE SCHEMA there")
        for schema in (b"public", b"there"):
            session.execute(
                b"CREATE TABLE %s.notes (tenant text, no int, body text, PRIMARY KEY (tenant, no))" % schema
            )
        session.execute(
            "INSERT INTO notes SELECT 't' || t, n, repeat('word ', 40) FROM generate_series(1, %s) t, "
            "generate_series(1, %s) n",
            (tenants, rows),
        )
        session.execute("ANALYZE")
    return url


def moved(url: str) -> tuple[dict[str, float], dict[str, float], Counter[str]]:
    """Seconds of each step, and seconds and calls by call."""
    seconds, calls = defaultdict[str, float](float), Counter[str]()
    sides = {"source_store": {"url": url}, "target_store": {"url": url, "schema": "there"}}
    settings = {"source": "old", "target": "new", **sides, "tables": [{"table": "notes", "tenant": "tenant"}]}
    took: dict[str, float] = {}
    began = time.perf_counter()
    inner = open_move_ledger(url)
    ledger = cast("MoveLedger", Counted(inner, "ledger", seconds, calls))
    inner._session = cast("Any", Counted(inner._session, "sql", seconds, calls))
    opened = open_mover(settings, SystemClock())
    source, target = (
        cast("Store", Counted(store, side, seconds, calls))
        for side, store in (("source", opened.source), ("target", opened.target))
    )
    carrier = carrier_of(Copying(source, target), ledger)
    made = Migration("m1", POINT, "copying", "old", "new", time.time(), Pace())
    rows = first_rows(ledger, made, carrier, ())[0]
    made = ledger.create(made, rows, "ana")
    registering_of(settings).install(POINT, url)
    took["create"] = time.perf_counter() - began
    for verb, goal in STEPS:
        began = time.perf_counter()
        engine = Engine(ledger.take(made, "ana"), ledger, carrier, "ana")
        ledger.want(made, [row.tenant for row in rows], goal, "ana")
        ended = engine.run(None, goal)
        engine.let_go()
        took[verb] = time.perf_counter() - began
        if ended != "reached":
            raise RuntimeError(f"{verb} ended: {ended}")
    registering_of(settings).uninstall(POINT)
    with suppress(Exception):
        carrier.close()
    ledger.close()
    return took, seconds, calls


def main(arguments: list[str]) -> None:
    """One move, measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=1500)
    parser.add_argument("--rows", type=int, default=20)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # the server runs as another account where this one is root
        server = embedded.start(Path(folder) / "postgresql", trust=True)
        try:
            took, seconds, calls = moved(filled(server.superuser, asked.tenants, asked.rows))
        finally:
            embedded.stop(Path(folder) / "postgresql")
    total = sum(took.values())
    each = 1000 / asked.tenants
    steps = Table(
        "Steps",
        ("step", "seconds", "ms a tenant"),
        tuple((verb, round(one, 2), round(one * each, 2)) for verb, one in (*took.items(), ("all", total))),
        (f"{asked.tenants:,} tenants of {asked.rows} rows; no writers; fsync on.",),
    )
    where = Table(
        "Where it goes",
        ("call", "calls", "calls a tenant", "seconds", "ms a tenant"),
        tuple(
            (name, calls[name], round(calls[name] / asked.tenants, 2), round(one, 2), round(one * each, 2))
            for name, one in sorted(seconds.items(), key=lambda pair: -pair[1])
            if one * each >= 0.05
        ),
        ("`sql.*` are within `ledger.*`, and the seconds of `sql.transaction` those of all statements within it.",),
    )
    write_report(
        Report(
            "many-tenants",
            "Many small tenants, moved one after the other",
            f"python -m benchmarks many-tenants --tenants {asked.tenants} --rows {asked.rows}",
            (steps, where),
            (Target("a tenant, all steps, ms", total * each, high=MOST_MILLISECONDS),),
            {"source": source_digest("outgrow.migrating", "outgrow.migration", "outgrow.ledger", "outgrow.movers")},
            packages=("psycopg",),
        )
    )
    for table in (steps, where):
        print(f"\n{table.title}: {' · '.join(table.columns)}")
        for row in table.rows:
            print("  " + "  ".join(str(cell) for cell in row))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
