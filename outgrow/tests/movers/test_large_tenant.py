"""One tenant of 100,000 items is moved there, back and to its end, in bounded memory. Not with every test run: some
minutes, where ``OUTGROW_LARGE_TENANTS`` is set."""

from __future__ import annotations

import os
import resource
from contextlib import closing
from pathlib import Path

import numpy as np
import psycopg
import pytest

from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.migrating.engine import Engine
from outgrow.migrating.opening import carrier_of
from outgrow.migration.records import Goal, Migration, Pace, TenantMove
from outgrow.movers.bodies import point_body
from outgrow.movers.sql_table import open_mover, registering_of
from outgrow.ports import Copying, Item, MoveLedger, Store
from outgrow.testing import FixedClock

ITEMS = 100_000
MOST_GROWTH_BYTES = 150_000_000
POINT = "data"

pytestmark = pytest.mark.skipif("OUTGROW_LARGE_TENANTS" not in os.environ, reason="OUTGROW_LARGE_TENANTS is not set")


def peak_bytes() -> int:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def count(store: Store) -> int:
    found, after = 0, ""
    while page := store.digests("ana", after, 5000):
        found, after = found + len(page), page[-1].key
    return found


def moved(ledger: MoveLedger, mover: Copying, goals: tuple[Goal, ...]) -> None:
    migration = ledger.migration(POINT)
    assert migration is not None
    engine = Engine(ledger.take(migration, "ana"), ledger, carrier_of(mover, ledger), "ana")
    for goal in goals:
        ledger.want(migration, None, goal, "ana")
        assert engine.run(None, goal) == "reached"
    engine.let_go()


def created(ledger: MoveLedger) -> None:
    ledger.create(Migration("m1", POINT, "copying", "old", "new", 0.0, Pace()), [TenantMove("ana", 1)], "ana")


def grown_there_and_back(ledger: MoveLedger, mover: Copying) -> int:
    """How much memory a whole move takes at its most, bytes; all items are where they should be."""
    before = peak_bytes()
    moved(ledger, mover, ("ready", "switched", "ready", "switched"))
    assert count(mover.target) == count(mover.source) == ITEMS
    moved(ledger, mover, ("completed",))
    grown = peak_bytes() - before
    assert count(mover.target) == ITEMS
    assert count(mover.source) == 0
    return grown


def test_of_rows(postgresql: str) -> None:
    with psycopg.connect(postgresql, autocommit=True) as session:
        session.execute("CREATE SCHEMA there")
        session.execute("CREATE TABLE notes (tenant text, no int, body text, PRIMARY KEY (tenant, no))")
        session.execute("CREATE TABLE there.notes (LIKE notes INCLUDING ALL)")
        session.execute(
            "INSERT INTO notes SELECT 'ana', i, repeat(md5(i::text), 8) FROM generate_series(1, %s) AS i", [ITEMS]
        )
        settings = {
            "source": "old",
            "target": "new",
            "source_store": {"url": postgresql},
            "target_store": {"url": postgresql, "schema": "there"},
            "tables": [{"table": "notes", "tenant": "tenant"}],
        }
        with closing(open_move_ledger(postgresql)) as ledger:
            created(ledger)
            registering_of(settings).install(POINT, postgresql)
            mover = open_mover(settings, FixedClock(0.0))
            grown = grown_there_and_back(ledger, mover)
        assert grown < MOST_GROWTH_BYTES


def test_of_points(tmp_path: Path) -> None:
    pytest.importorskip("qdrant_edge", reason="needs outgrow[edge]")
    from outgrow.movers.qdrant_edge import open_store

    mover = Copying(
        open_store({"folder": tmp_path / "old", "size": 32}, "old"),
        open_store({"folder": tmp_path / "new", "size": 32}, "new"),
    )
    dice = np.random.default_rng(1)
    for start in range(0, ITEMS, 1000):
        vectors = dice.standard_normal((1000, 32))
        items = [Item(str(start + n), point_body(vector, {"n": n})) for n, vector in enumerate(vectors)]
        mover.source.put("ana", 1, items)
    mover.source.settle("ana")
    with closing(open_move_ledger(tmp_path / "moves.sqlite")) as ledger:
        created(ledger)
        grown = grown_there_and_back(ledger, mover)
    mover.source.close()
    mover.target.close()
    assert grown < MOST_GROWTH_BYTES
