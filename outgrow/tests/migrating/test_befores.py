"""A before of each wave: once, before anybody of it is switched, and in nobody's way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from outgrow.migrating.befores import Before, Befores, occasion_of
from outgrow.migration.records import Pace
from outgrow.testing.move_ledger import MemoryMoveLedger


class Service:
    """What is measured: notes who was switched at that moment, and keeps it unless told to fail."""

    def __init__(self, move: Any, failing: bool = False) -> None:
        self.move, self.failing = move, failing
        self.asked: list[tuple[str, list[str]]] = []
        self.kept: set[str] = set()

    def measure(self, occasion: str) -> Before:
        there = sorted(tenant for (_, tenant), route in self.move.truth.routes.items() if route.store == "new")
        self.asked.append((occasion, there))
        if self.failing:
            return Before(False, "no before is taken: nobody answers")
        self.kept.add(occasion)
        return Before(True, "p95 is 84 ms")

    def befores(self) -> Befores:
        ledger = MemoryMoveLedger(self.move.truth)
        return Befores(ledger, self.measure, self.kept.__contains__, self.move.told.append)


def switched(move: Any, service: Service | None, tenants: list[str] | None = None) -> str:
    return str(move.to("switched", tenants, befores=service.befores() if service else None))


def lines(move: Any) -> list[tuple[str, Any]]:
    return [(line.what, line.facts.get("wave")) for _, line in move.truth.lines if "before" in line.what]


def test_each_wave_has_its_own_before_anybody_of_it_is_switched(moving: Any) -> None:
    move = moving()  # ana and bo, then cy
    migration = move.make()
    service = Service(move)
    assert switched(move, service) == "reached"
    first, second = (occasion_of(migration, wave) for wave in (1, 2))
    assert service.asked == [(first, []), (second, ["ana", "bo"])]
    assert lines(move) == [("before taken", 1), ("before taken", 2)]
    assert [one.text for one in move.told if "p95 is 84 ms" in one.text] == [
        "wave 1: p95 is 84 ms",
        "wave 2: p95 is 84 ms",
    ]


def test_it_is_taken_once_whoever_goes_on(moving: Any) -> None:
    move = moving()
    move.make()
    service = Service(move)
    assert switched(move, service, ["ana"]) == "reached"
    assert move.to("ready") == "reached"
    assert switched(move, service, ["ana", "bo"]) == "reached"
    assert len(service.asked) == 1


def test_one_whose_process_was_killed_before_it_was_written_down_is_not_taken_again(moving: Any) -> None:
    move = moving()
    migration = move.make()
    service = Service(move)
    service.kept.add(occasion_of(migration, 1))
    assert switched(move, service, ["ana"]) == "reached"
    assert service.asked == []
    assert lines(move) == [("before taken", 1)]


def test_one_that_the_journal_has_is_not_taken_again_whichever_ledger_keeps_it(moving: Any) -> None:
    move = moving()
    service, ledger = Service(move), MemoryMoveLedger(move.truth)
    migration = ledger.take(move.make(), "ana")
    for _ in range(2):
        assert service.befores().against(migration, 1, move.rows().values()) is None
        service.kept.clear()
    assert len(service.asked) == 1
    assert service.befores().against(migration, 2, move.rows().values()) is None
    assert len(service.asked) == 2


def test_a_wave_of_which_somebody_was_switched_without_has_none_any_more(moving: Any) -> None:
    move = moving()
    move.make()
    assert switched(move, None, ["ana"]) == "reached"
    service = Service(move)
    assert switched(move, service, ["bo"]) == "reached"
    assert service.asked == []


def test_one_that_fails_is_said_and_the_switch_goes_on(moving: Any) -> None:
    move = moving()
    move.make()
    assert switched(move, Service(move, failing=True)) == "reached"
    assert lines(move) == [("no before", 1), ("no before", 2)]
    assert any("nobody answers; the switch goes on without" in one.text for one in move.told)


@pytest.mark.parametrize("goal", ["ready", "switched"])
def test_where_it_is_required_nobody_is_switched_without(moving: Any, goal: str) -> None:
    move = moving(pace=replace(Pace(batch=7), baseline="require"))
    move.make()
    reports: list[Any] = []
    service = Service(move, failing=True)
    how = move.to(goal, befores=service.befores(), publish=lambda report: reports.append(report.waiting))
    assert how == ("reached" if goal == "ready" else "people")
    assert len(service.asked) == (0 if goal == "ready" else 1)
    assert "switched" not in move.states()
    if goal == "switched":
        tenant, why, step = reports[-1][0]
        assert tenant in ("ana", "bo")
        assert "wave 1 has no before" in why
        assert "--no-baseline" in step
        service.failing = False
        assert switched(move, service) == "reached"


def test_it_takes_no_time_of_the_deadline(moving: Any, ticking: Any) -> None:
    move = moving(clock=ticking())
    move.make()
    service = Service(move)

    def long(occasion: str) -> Before:
        move.clock.at += 600
        return Service.measure(service, occasion)

    befores = Befores(MemoryMoveLedger(move.truth), long, lambda _: False)
    engine = move.engine(befores=befores)
    engine.ledger.want(engine.migration, None, "switched", "ana")
    assert engine.run(None, "switched", seconds=60.0) == "reached"
