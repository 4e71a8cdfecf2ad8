"""What is carried, repaired, proved and deleted, and what of a process that was stopped may still arrive."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from typing import Any

import psycopg
import pytest

from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.migrating.copying import GONE_SECONDS, Copier
from outgrow.migrating.engine import Engine
from outgrow.migrating.opening import is_gone
from outgrow.migrating.reporting import Telling
from outgrow.migration.commands import Carry, CopyPage, ProveWayBack, Verify
from outgrow.migration.records import Migration, Pace, TenantMove
from outgrow.ports import Copying, StoreFailed
from outgrow.routing import ABANDONED_SECONDS
from outgrow.testing.memory_store import MemoryStore

POINT = "search"


class Killed(BaseException):
    """The process is gone."""


def at_work(move: Any) -> tuple[Copier, Migration, TenantMove]:
    engine = move.engine()
    row = next(one for one in engine.ledger.tenants(engine.migration) if one.tenant == "ana")
    return engine.carrier, engine.migration, row


def test_a_write_under_way_is_carried_when_it_is_over_or_abandoned(moving: Any) -> None:
    move = moving(tenants=("ana",))
    move.make()
    move.to("ready")
    copier, migration, row = at_work(move)
    written = move.truth.register(POINT, "ana", "k000", "old")
    move.source.write("ana", "k000", b"new")
    carried = copier.carry_out(migration, row, Carry("source", 10))
    assert (carried.carried, carried.left) == (0, 1)
    assert move.held(move.target, "ana")["k000"] == b"0/0"
    move.truth.intents[written.id].opened_at -= ABANDONED_SECONDS + 1
    carried = copier.carry_out(migration, row, Carry("source", 10, 1))
    assert (carried.carried, carried.left) == (0, 1), "it stays, for it may end after all"
    assert move.held(move.target, "ana")["k000"] == b"new"
    assert move.truth.close_write(written)
    carried = copier.carry_out(migration, row, Carry("source", 10))
    assert (carried.carried, carried.left) == (1, 0)


def test_writes_under_way_do_not_hide_those_behind_them(moving: Any) -> None:
    move = moving(tenants=("ana",))
    move.make()
    move.to("ready")
    copier, migration, row = at_work(move)
    for number in range(10):
        move.truth.register(POINT, "ana", f"k{number:03}", "old")
    written = move.truth.register(POINT, "ana", "k020", "old")
    move.source.write("ana", "k020", b"new")
    assert move.truth.close_write(written)
    carried = copier.carry_out(migration, row, Carry("source", 4))
    assert (carried.carried, carried.left) == (1, 10)
    assert move.held(move.target, "ana")["k020"] == b"new"


def test_a_repair_that_was_cut_is_put_anew_so_that_its_late_put_changes_nothing(moving: Any) -> None:
    move = moving(tenants=("ana",))
    move.make()
    move.to("ready")
    move.target.delete("ana", "k003")
    copier, migration, row = at_work(move)
    put, late = move.target.put, list[Any]()

    def held_back(*given: Any) -> Any:
        late.append(given)
        raise Killed

    move.target.put = held_back
    with pytest.raises(Killed):
        copier.carry_out(migration, row, Verify("source", repair=True))
    move.target.put = put
    move.truth.held_by.clear()
    move.target.write("ana", "k003", b"0/3")  # somebody mended it, so that nothing differs
    assert move.to("switched", pause=lambda _: None) == "reached"
    written = move.truth.register(POINT, "ana", "k003", "old")
    move.target.write("ana", "k003", b"after the switch")
    assert move.truth.close_write(written)
    (given,) = late
    assert put(*given).refused == ("k003",)
    assert move.held(move.target, "ana")["k003"] == b"after the switch"


def test_a_repair_mends_all_kinds_of_differences(moving: Any) -> None:
    move = moving(tenants=("ana",))
    move.make()
    move.to("ready")
    move.target.delete("ana", "k003")
    move.target.write("ana", "k004", b"stale")
    move.target.write("ana", "k999", b"extra")
    copier, migration, row = at_work(move)
    assert copier.carry_out(migration, row, Verify("source")).differing == 3
    assert copier.carry_out(migration, row, Verify("source", repair=True)).differing == 0
    assert move.held(move.target, "ana") == move.held(move.source, "ana")
    assert not move.truth.intents


def test_a_repair_leaves_the_size_of_batches_as_it_is(moving: Any, ticking: Any) -> None:
    """It carries another number of keys than a batch has, so that the time it takes says nothing of one."""
    move = moving(clock=ticking(), tenants=("ana",), items=300, pace=Pace(batch=10))
    move.make()
    move.to("ready")
    copier, migration, row = at_work(move)
    for number in range(300):
        written = move.truth.register(POINT, "ana", f"k{number:03}", "old")
        assert move.truth.close_write(written)
    for _ in range(3):
        copier.carry_out(migration, row, Carry("source", 10))
    batch = copier.observe(migration, row).batch
    assert batch > 10
    for number in range(100):
        move.target.delete("ana", f"k{number:03}")
    put = move.target.put

    def slow(*given: Any) -> Any:
        move.clock.pause(4.0)
        return put(*given)

    move.target.put = slow
    assert copier.carry_out(migration, row, Verify("source", repair=True)).differing == 0
    assert copier.observe(migration, row).batch == batch


def test_what_was_read_long_ago_is_not_put(moving: Any) -> None:
    move = moving(tenants=("ana",))
    move.make()
    copier, migration, row = at_work(move)
    seconds = iter((0.0, Pace().late_seconds / 2 + 1, 100.0, 101.0))
    copier.monotonic = lambda: next(seconds)
    with pytest.raises(StoreFailed, match="may be out of date"):
        copier.carry_out(migration, row, CopyPage("", 7))
    assert "put" not in move.target.calls
    assert copier.carry_out(migration, row, CopyPage("", 7)).copied == 7


def test_the_way_back_is_proved_without_touching_an_item(moving: Any) -> None:
    move = moving(tenants=("ana",))
    move.make()
    move.to("ready")
    copier, migration, row = at_work(move)
    before = len(move.source.calls)
    assert not copier.carry_out(migration, row, ProveWayBack("source")).refused
    assert move.source.calls[before:] == ["prove_writable"]
    move.source.failing = "read-only"
    with pytest.raises(StoreFailed, match="read-only"):
        copier.carry_out(migration, row, ProveWayBack("source"))


@pytest.mark.parametrize("goal", ["completed", "cancelled"])
def test_a_copy_is_deleted_only_when_nothing_of_a_stopped_process_can_arrive(
    moving: Any, ticking: Any, goal: Any
) -> None:
    move = moving(clock=ticking(), tenants=("ana",))
    move.make()
    move.to("switched" if goal == "completed" else "ready")
    move.engine()
    move.truth.held_by.clear()  # it is gone, or only sleeps
    began = move.clock.now()
    assert move.to(goal) == "reached"
    assert Pace().late_seconds <= move.clock.now() - began < Pace().late_seconds + 10
    assert not move.held(move.source if goal == "completed" else move.target, "ana")


def test_after_a_process_that_ended_well_nothing_is_waited_for(moving: Any, ticking: Any) -> None:
    move = moving(clock=ticking(), tenants=("ana",))
    move.make()
    move.to("switched")
    began = move.clock.now()
    assert move.to("completed") == "reached"
    assert move.clock.now() - began < 5


def test_a_switch_that_waits_for_a_transaction_of_the_application_says_so(postgresql: str) -> None:
    with closing(open_move_ledger(postgresql)) as ledger, psycopg.connect(postgresql) as application:
        mover = Copying(MemoryStore("old"), MemoryStore("new"))
        mover.source.write("ana", "k", b"v")  # type: ignore[attr-defined]
        made = Migration("m1", POINT, "copying", "old", "new", 0.0, Pace(batch=8))
        migration = ledger.take(ledger.create(made, [TenantMove("ana", 1, items=1)], "ana"), "ana")
        said: list[str] = []

        def tell(one: Telling) -> None:
            said.append(one.text)
            if one.kind == "error":
                application.commit()

        engine = Engine(migration, ledger, Copier(mover, ledger), "ana", tell=tell)
        ledger.want(migration, None, "ready", "ana")
        assert engine.run(None, "ready") == "reached"
        application.execute("SELECT FROM outgrow.route WHERE tenant = 'ana' FOR SHARE")
        ledger.want(migration, None, "switched", "ana")
        assert engine.run(None, "switched", seconds=30) == "reached"
        whys = [str(line.facts.get("why")) for line in ledger.journal(migration, "ana")]
        assert any("has held the route of ana for more than 1 s, and its end is waited for" in why for why in whys)
        assert not any("did not answer" in text for text in said)


def test_a_process_of_this_machine_that_runs_no_more_is_known_to_be_gone() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = socket.gethostname()
    assert is_gone(f"ana@{here}, process {ended.pid}")
    for holder in (f"ana@{here}, process {os.getpid()}", f"ana@elsewhere, process {ended.pid}", "ana", "", f"a@{here}"):
        assert not is_gone(holder)


def test_of_a_process_that_is_gone_what_was_sent_is_waited_for_shortly(moving: Any, ticking: Any) -> None:
    move = moving(clock=ticking(), tenants=("ana",))
    move.make()
    move.to("ready")
    move.engine()
    move.truth.held_by.clear()
    engine = move.engine()
    engine.carrier.is_gone = lambda holder: holder == "ana@here"
    engine.ledger.want(engine.migration, None, "cancelled", "ana@here")
    began = move.clock.now()
    assert engine.run(None, "cancelled") == "reached"
    assert GONE_SECONDS <= move.clock.now() - began < GONE_SECONDS + 6
