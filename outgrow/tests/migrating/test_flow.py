"""Registered writes that come faster than a batch of the declared size carries them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from outgrow.migrating import copying
from outgrow.migration import batches
from outgrow.migration.records import Pace
from outgrow.ports import Copying, Item, Put
from outgrow.testing.memory_store import MemoryStore
from outgrow.testing.move_ledger import MemoryTruth


class Slow(MemoryStore):
    """Each put takes a while, and a while more for each item; meanwhile one tenant is written."""

    clock: Any
    truth: MemoryTruth
    each_seconds = 0.0
    written_per_second = 0.0
    until = 1e18
    _written = 0.0
    count = 0

    def put(self, tenant: str, generation: int, items: Sequence[Item]) -> Put:
        seconds = 0.02 + self.each_seconds * len(items)
        self.clock.at += seconds
        if self.clock.at < self.until and self.truth.routes:
            self._written += seconds * self.written_per_second
            while self._written >= 1:
                self._written -= 1
                self.count += 1
                written = self.truth.register("search", "ana", f"n{self.count % 5000:04}", "old")
                if written is not None:
                    self.truth.close_write(written)
        return super().put(tenant, generation, items)


@pytest.fixture
def busy(moving: Any, ticking: Any) -> Any:
    move = moving(clock=ticking(), tenants=("ana",), pace=Pace(batch=10))
    slow = Slow("new")
    slow.clock, slow.truth = move.clock, move.truth
    move.target = slow
    move.make()
    return move


def moved(move: Any, goal: str, seconds: float) -> tuple[str, list[str], list[Any]]:
    reports: list[Any] = []
    engine = move.engine(
        mover=Copying(move.source, move.target), publish=lambda report: reports.append(list(report.waiting))
    )
    engine.ledger.want(engine.migration, None, goal, "ana@here")
    try:
        return engine.run(None, goal, seconds=seconds), [one.text for one in move.told], reports
    finally:
        engine.let_go()
        engine.ledger.close()


def test_it_keeps_up_where_a_larger_batch_does(busy: Any) -> None:
    """Two writers at 2 ms: ten at a time would be 455/s."""
    busy.target.written_per_second, busy.target.each_seconds = 1000.0, 0.0002
    how, told, _ = moved(busy, "switched", 60.0)
    assert how == "reached"
    assert not any("faster than it is carried" in text for text in told)


def test_it_says_that_it_cannot_keep_up_and_goes_on_by_itself(busy: Any) -> None:
    busy.target.written_per_second, busy.target.each_seconds = 1000.0, 0.002
    how, told, reports = moved(busy, "switched", 60.0)
    assert how == "deadline"
    assert sum("ana is written faster than it is carried" in text for text in told) == 1
    assert any(
        tenant == "ana" and "faster" in why and "quieter hour" in step for one in reports for tenant, why, step in one
    )
    assert busy.truth.routes["search", "ana"].store == "old"
    busy.target.until = 0.0
    how, _, reports = moved(busy, "switched", 600.0)
    assert how == "reached"
    assert reports[-1] == []


def test_it_still_says_so_where_more_wait_than_are_counted(busy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (batches, copying):
        monkeypatch.setattr(module, "MOST_COUNTED", 2_000)
    busy.target.written_per_second, busy.target.each_seconds = 1000.0, 0.002
    how, told, reports = moved(busy, "switched", 60.0)
    assert how == "deadline"
    assert sum("ana is written faster than it is carried" in text for text in told) == 1
    ((tenant, why, _),) = reports[-1]
    assert tenant == "ana"
    assert "2,000 or more writes wait" in why
