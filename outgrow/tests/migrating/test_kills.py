"""The tool is killed at every call it makes, before it and after, while the application writes: nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from outgrow.migration.records import Pace
from outgrow.ports import Copying, Superseded
from outgrow.testing.memory_store import MemoryBlocks, MemoryStore
from outgrow.testing.move_ledger import MemoryMoveLedger

THERE_AND_BACK = ("ready", "switched", "ready", "switched", "completed")
MOST_LATER = 25


class Killed(BaseException):
    """The process is gone."""


class Fate:
    """Counts the calls of a process, lets the application go on at each, and kills at the chosen one.

    how: ``before`` the call, ``after`` it (nobody hears that it was done), or ``late``: what was asked of a store is
    done some calls later, when another process is at it already; ``zombie``: it only sleeps, another process takes
    over and reaches the goal, and then the first one goes on.
    """

    def __init__(self, application: Any, at: int, how: str) -> None:
        self.application, self.at, self.how = application, at, how
        self.calls = 0
        self.puts: list[int] = []
        self.take_over: Callable[[], None] = lambda: None
        self.late: list[tuple[int, Any]] = []

    def call(self, name: str, function: Any, *given: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls % 3 == 0:
            self.application.step()
        for due, ask in list(self.late):
            if self.calls >= due or name in ("settle", "drop"):
                self.late.remove((due, ask))
                ask()
        if name in ("put", "put_block"):
            self.puts.append(self.calls)
        if self.calls == self.at:
            if self.how == "late" and name in ("put", "put_block"):
                self.late.append((self.calls + MOST_LATER, lambda: function(*given, **named)))
            elif self.how == "zombie":
                self.take_over()
                return function(*given, **named)
            elif self.how == "after":
                function(*given, **named)
            raise Killed
        return function(*given, **named)


class Watched:
    """Passes every call through a ``Fate``."""

    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner, self._fate = inner, fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found
        return lambda *given, **named: self._fate.call(name, found, *given, **named)


class WatchedBlocks(Watched):
    """The same of a store that knows blocks."""

    def block_forms(self) -> Any:
        return self._inner.block_forms()

    def block(self, *given: Any) -> Any:
        return self._fate.call("block", self._inner.block, *given)

    def put_block(self, *given: Any) -> Any:
        return self._fate.call("put_block", self._inner.put_block, *given)


def carried(
    moving: Any, application: Any, ticking: Any, goals: tuple[str, ...], at: int, how: str, blocks: bool
) -> Fate:
    """Goes to each goal in turn; a killed process is followed by another one."""
    kind, watched = (MemoryBlocks, WatchedBlocks) if blocks else (MemoryStore, Watched)
    stores = {"source": kind("old"), "target": kind("new")}
    move = moving(clock=ticking(), tenants=("ana", "bo"), items=5, pace=Pace(batch=3), **stores)
    move.make()
    writer = application(move, seed=at)
    fate = Fate(writer, at, how)

    def reached(goal: str) -> None:
        ledger = MemoryMoveLedger(move.truth)
        try:
            engine = move.engine(Watched(ledger, fate), Copying(watched(move.source, fate), watched(move.target, fate)))
            engine.ledger.want(engine.migration, None, goal, "ana")
            assert engine.run(None, goal) == "reached"
            engine.let_go()
        finally:
            ledger.close()

    for goal in goals:

        def taken_over(goal: str = goal) -> None:
            move.truth.held_by.clear()
            reached(goal)

        fate.take_over = taken_over
        while True:
            try:
                reached(goal)
                break
            except (Killed, Superseded):
                continue
        for tenant in move.tenants:
            route = move.truth.routes.get(("search", tenant))
            assert (route.store if route else "old") == ("new" if goal in ("switched", "completed") else "old")
    for _, ask in fate.late:
        ask()
    writer.finish()
    for tenant in move.tenants:
        assert move.routed(tenant) == writer.acknowledged[tenant], (at, how, tenant)
    ended = goals[-1]
    assert move.states() == {ended}
    if ended in ("completed", "cancelled"):
        gone: MemoryStore = move.source if ended == "completed" else move.target
        if how != "zombie":  # what it puts after the end is a copy that nobody reads
            assert not any(move.held(gone, tenant) for tenant in move.tenants)
        assert move.truth.migrations["m1"].ended_at is not None
    return fate


@pytest.mark.parametrize("goals", [THERE_AND_BACK, ("ready", "cancelled")], ids=["there and back", "cancelled"])
@pytest.mark.parametrize("how", ["before", "after", "late", "zombie"])
@pytest.mark.parametrize("blocks", [False, True], ids=["items", "blocks"])
def test_killed_at_every_call(
    moving: Any, application: Any, ticking: Any, goals: tuple[str, ...], how: str, blocks: bool
) -> None:
    """Every seventh call in each run of the tests, another seventh for each ``how``; of puts that come late, all."""
    unharmed = carried(moving, application, ticking, goals, 0, how, blocks)
    assert unharmed.calls > 50
    first = ("before", "after", "zombie", "late").index(how) + 1
    at_all = unharmed.puts if how == "late" else range(first, unharmed.calls + 1, 7)
    for at in at_all:
        carried(moving, application, ticking, goals, at, how, blocks)
