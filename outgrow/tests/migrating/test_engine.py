"""The engine carries whole moves, and says what stands in its way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from outgrow.errors import LedgerError
from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.migrating.copying import Copier
from outgrow.migrating.engine import Engine
from outgrow.migrating.explaining import explained
from outgrow.migrating.filling import Filler
from outgrow.migrating.reporting import Report
from outgrow.migration.records import LAYOUT_VERSION, Differing, Migration, Pace, TenantMove
from outgrow.ports import Copying, MoveLedger, Standing, StoreFailed, Superseded, TenantSize
from outgrow.routing import registered
from outgrow.testing.memory_store import MemoryStore
from outgrow.testing.move_ledger import MemoryMoveLedger


def test_there_and_back_under_writes(moving: Any, application: Any) -> None:
    move = moving()
    move.make()
    with application(move) as writer:
        for goal in ("ready", "switched", "ready"):
            assert move.to(goal, pause=time.sleep) == "reached"
            before = writer.count
            while writer.count < before + 20:
                time.sleep(0.005)
    move.to("ready")  # what was written until the end is carried
    for tenant in move.tenants:
        assert move.held(move.source, tenant) == writer.acknowledged[tenant]
    with application(move) as writer:
        assert move.to("switched", pause=time.sleep) == "reached"
        assert move.to("completed", pause=time.sleep) == "reached"
    for tenant in move.tenants:
        assert move.held(move.target, tenant) == writer.acknowledged[tenant]
        assert not move.held(move.source, tenant)


@pytest.fixture(params=["sqlite", "postgresql"])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MoveLedger]:
    where = tmp_path / "moves.sqlite" if request.param == "sqlite" else request.getfixturevalue("postgresql")
    ledger = open_move_ledger(where)
    yield ledger
    ledger.close()


def stores(*tenants: str, items: int = 30) -> Copying:
    mover = Copying(MemoryStore("old"), MemoryStore("new"))
    for tenant in tenants:
        for number in range(items):
            mover.source.write(tenant, f"k{number:03}", f"{tenant}/{number}".encode())  # type: ignore[attr-defined]
    return mover


def made(ledger: MoveLedger, tenants: tuple[str, ...], kind: Any = "copying") -> Migration:
    rows = [TenantMove(tenant, 1, items=30) for tenant in tenants]
    return ledger.create(Migration("m1", "search", kind, "old", "new", 0.0, Pace(batch=8)), rows, "ana")


def to(ledger: MoveLedger, carrier: Any, goal: Any, **more: Any) -> str:
    found = ledger.migration("search")
    assert found is not None
    engine = Engine(ledger.take(found, "ana"), ledger, carrier, "ana", pause=lambda s: time.sleep(min(s, 0.02)), **more)
    ledger.want(engine.migration, None, goal, "ana")
    try:
        return engine.run(None, goal)
    finally:
        engine.let_go()


def test_with_a_real_ledger(real: MoveLedger) -> None:
    mover = stores("ana", "bo")
    made(real, ("ana", "bo"))
    carrier = Copier(mover, real)
    for goal in ("ready", "switched", "ready", "switched", "completed"):
        assert to(real, carrier, goal) == "reached"
    migration = real.migration("search")
    assert migration is not None
    assert migration.ended_at is not None
    assert migration.rehearsed_at is not None
    assert len(mover.target.page("ana", "", 100)) == 30
    assert not mover.source.page("ana", "", 100)
    told = [line.what for line in real.journal(migration, "ana")]
    assert told.index("copying") < told.index("verified") < told.index("switched to new")
    assert told.index("switched to new") < told.index("switched back to old") < told.index("completed")


def test_writers_of_another_store_on_a_real_database(postgresql: str) -> None:
    ledger = open_move_ledger(postgresql)
    mover = stores("ana")
    made(ledger, ("ana",))
    carrier = Copier(mover, ledger)
    by_name: dict[str, Any] = {"old": mover.source, "new": mover.target}
    acknowledged: dict[str, bytes] = {item.key: item.body or b"" for item in mover.source.page("ana", "", 100)}
    ended = threading.Event()
    longest = 0.0

    def write() -> None:
        nonlocal longest
        with psycopg.connect(postgresql, autocommit=True) as connection:
            for number in range(100_000):
                if ended.is_set():
                    return
                key, body = f"k{number % 60:03}", f"write {number}".encode()
                begun = time.monotonic()
                with registered(connection, "search", "ana", [key], "old") as done:
                    by_name[done.route.store].write("ana", key, body)
                acknowledged[key] = body
                longest = max(longest, time.monotonic() - begun)
                time.sleep(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for goal in ("ready", "switched", "ready"):
            assert to(ledger, carrier, goal) == "reached"
            time.sleep(0.1)
    finally:
        ended.set()
        writer.join()
    assert {item.key: item.body for item in mover.source.page("ana", "", 1000)} == acknowledged
    assert longest < 5.0
    ledger.close()


class Shelves:
    """A ``Filling`` in memory: each look brings the fill one position further."""

    def __init__(self, head: int = 3) -> None:
        self.head = head
        self.positions: dict[tuple[str, str], int] = {}
        self.wrong: list[Differing] = []
        self.fault = ""

    def tenants(self) -> list[TenantSize]:
        return [TenantSize("ana", None), TenantSize("bo", 4)]

    def standing(self, tenant: str, store: str) -> Standing:
        position = min(self.head, self.positions.get((tenant, store), 0) + (0 if self.fault else 1))
        self.positions[tenant, store] = position
        return Standing(position, self.head, fault=self.fault)

    def differing(self, tenant: str, store: str) -> Iterator[Differing]:
        return iter([one for one in self.wrong if one.tenant == tenant])

    def repair(self, tenant: str, store: str, keys: Any) -> None:
        self.wrong = [one for one in self.wrong if one.key not in keys]

    def close(self) -> None: ...


def test_stores_that_fill_themselves(real: MoveLedger) -> None:
    shelves = Shelves()
    made(real, ("ana", "bo"), "filling")
    carrier = Filler(shelves, real)
    for goal in ("ready", "switched", "ready", "switched", "completed"):
        assert to(real, carrier, goal) == "reached"
    shelves.fault = "its disk is full"


def test_a_store_that_does_not_fill_is_said(real: MoveLedger) -> None:
    shelves = Shelves()
    shelves.fault = "its disk is full"
    made(real, ("ana",), "filling")
    reports: list[str] = []
    assert (
        to(real, Filler(shelves, real), "ready", publish=lambda one: reports.extend(w[1] for w in one.waiting))
        == "people"
    )
    assert any("its disk is full" in why for why in reports)


def test_a_store_that_fails_is_tried_again_and_named(moving: Any) -> None:
    move = moving()
    move.make()
    move.target.failing = "out of reach"
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        time.sleep(min(seconds, 0.05))
        if len(pauses) > 15:
            move.target.failing = ""

    assert move.to("ready", pause=pause) == "reached"
    assert any("out of reach" in row.what for _, row in move.truth.lines) or any(
        "out of reach" in str(line.facts) for _, line in move.truth.lines
    )
    assert move.states() == {"ready"}


def test_one_that_was_superseded_changes_nothing_any_more(moving: Any) -> None:
    move = moving()
    move.make()
    first = move.engine()
    first.ledger.want(first.migration, None, "ready", "ana")
    move.truth.held_by.clear()  # its connection broke, and it does not know
    second = move.engine()
    with pytest.raises(Superseded) as stopped:
        first.run(None, "ready")
    assert stopped.value.exit_code == 4
    assert move.states() == {"pending"} or move.states() == {"pending", "preparing"}
    assert second.run(None, "ready") == "reached"


def test_rows_of_a_newer_version_are_left_alone(moving: Any) -> None:
    move = moving()
    migration = move.make()
    move.truth.migrations["m1"] = replace(migration, layout_version=LAYOUT_VERSION + 1)
    with pytest.raises(LedgerError, match="newer"):
        move.engine()


def test_tenants_that_come_up_join_the_last_wave_and_deleted_ones_do_no_harm(moving: Any) -> None:
    move = moving()
    move.make()
    move.source.write("dee", "k1", b"x")
    for key in list(move.held(move.source, "bo")):
        move.truth.close_write(move.truth.register("search", "bo", key, "old"))
        move.source.delete("bo", key)
    engine = move.engine()
    engine.ledger.want(engine.migration, None, "ready", "ana")
    assert engine.run(None, "ready", add_new=True) == "reached"
    assert move.rows()["dee"].wave == 2
    assert move.held(move.target, "dee") == {"k1": b"x"}
    assert not move.held(move.target, "bo")


def test_where_it_cannot_be_seen_who_came_up_the_others_go_on(moving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    move = moving()
    move.make()
    engine = move.engine()

    def away() -> list[TenantSize]:
        raise StoreFailed("old does not answer")

    monkeypatch.setattr(engine.carrier.mover.source, "tenants", away)
    engine.ledger.want(engine.migration, None, "ready", "ana")
    assert engine.run(None, "ready", add_new=True) == "reached"
    assert "whether tenants came up since is not known: old does not answer" in [one.text for one in move.told]


def test_a_throttle_holds_copies_and_not_switches(moving: Any) -> None:
    move = moving()
    move.make()
    assert move.to("ready") == "reached"
    assert move.to("switched", throttled=lambda *_: "the service is slow") == "reached"


def test_after_its_time_nobody_else_is_switched(moving: Any) -> None:
    move = moving()
    move.make()
    engine = move.engine(throttled=lambda *_: "wait")
    engine.ledger.want(engine.migration, None, "ready", "ana")
    assert engine.run(None, "ready", seconds=0.0) == "deadline"


def test_what_would_be_done_is_what_is_done(moving: Any) -> None:
    move = moving(tenants=("ana",))
    migration = move.make()
    ways = explained(migration, list(move.rows().values()), "switched")
    assert len(ways) == 1
    assert [step for step in ways[0].steps if "DELETE" in step] == []
    assert ways[0].steps[-1].startswith("route it to new")
    move.to("ready")
    assert explained(migration, list(move.rows().values()), "completed")[0].stopped.startswith("the tenant is ready")
    assert explained(migration, list(move.rows().values()), "cancelled")[0].steps == (
        "DELETE its copy in new, for good",
    )
    assert move.held(move.target, "ana")


def test_a_ledger_that_is_away_for_a_while(moving: Any) -> None:
    move = moving()
    move.make()
    ledger = MemoryMoveLedger(move.truth)
    engine = move.engine(ledger)
    ledger.want(engine.migration, None, "ready", "ana")
    rows, away = ledger.tenants, [True, True]

    def tenants(migration: Migration) -> Any:
        if away:
            away.pop()
            raise LedgerError("the server is starting up")
        return rows(migration)

    ledger.tenants = tenants  # type: ignore[method-assign]
    assert engine.run(None, "ready") == "reached"
    assert sum("starting up" in one.text for one in move.told) == 2


def test_while_it_is_paused_it_says_so_and_goes_on_by_itself(moving: Any, ticking: Any) -> None:
    move = moving(clock=ticking())
    migration = move.make()
    ledger = MemoryMoveLedger(move.truth)
    ledger.set_paused(migration, "by bo", "bo")
    said: list[tuple[str, str, str]] = []

    def publish(report: Report) -> None:
        said.extend(report.waiting)
        if len(said) > 5:
            ledger.set_paused(migration, "", "bo")

    assert move.to("ready", publish=publish) == "reached"
    assert said[0][1:] == ("paused: by bo", "outgrow migrate search resume")
