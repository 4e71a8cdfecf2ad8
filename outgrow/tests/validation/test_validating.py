"""The four checks as they are made: of services that are slow, drop, flake, differ or are gone."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from outgrow.errors import UsageError
from outgrow.experiments.http import open_here
from outgrow.points.declaration import Declaration, DeclaredValidation, Point
from outgrow.ports import Answers, Experiment, ExperimentFailed, Load, Measured, Request
from outgrow.proving import machine
from outgrow.quantities import HOUR
from outgrow.testing import MemoryLedger
from outgrow.testing.scripted_experiment import ScriptedArm, ScriptedExperiment
from outgrow.validating import Given, Told, Validated, last_baseline, record_baseline, sign, signatures, validate
from outgrow.validating.suites import run_suite
from outgrow.validation.readiness import MoveSeen, Page
from outgrow.validation.records import CHECKS, Check, exit_code

NOW = 1_772_323_200.0
MOVE = MoveSeen("data-1", NOW - 60, NOW)
OLD = ScriptedArm("old", None, 0.2, measures={"slow": 0.2})
NEW = ScriptedArm("new", "A", 0.05, measures={"slow": 0.05})
RIGHT = {f"q{n}": ("a", f"b{n}") for n in range(20)}


class Service(Protocol):
    url: str


class Opener(Protocol):
    def __call__(self, **how: object) -> Service: ...


def declaration(workload: dict[str, Any] | None = None, **validation: Any) -> Declaration:
    checked = {
        "workload": {"kind": "scripted", "rounds": 8, "round_seconds": 1.0, **(workload or {})},
        "before": "old", "after": "new", "current_rate": 40.0, **validation,
    }  # fmt: skip
    point = {
        "id": "data", "monitor_from": 1000, "complete_before": 2000, "validation": checked,
        "triggers": [{"id": "slow", "signal": "p95", "threshold": 1, "runbook": "restart it"}],
    }  # fmt: skip
    return Declaration.model_validate(
        {
            "apiVersion": "outgrow/v1",
            "users": {"signal": "users"},
            "load": {"signal": "requests"},
            "signals": {
                "users": {"unit": "users", "imported": True},
                "p95": {"unit": "seconds", "imported": True},
                "requests": {"unit": "per_second", "imported": True},
            },
            "points": [point],
            "team": {"names": ["ana", "bo"]},
        }
    )


def of(declared: Declaration) -> tuple[Point, DeclaredValidation]:
    point = declared.points[0]
    assert point.validation is not None
    return point, point.validation


def given(
    experiment: Experiment, declared: Declaration | None = None, ledger: MemoryLedger | None = None, **more: Any
) -> Given:
    whole = declared or declaration()
    point, validation = of(whole)
    made = Given(
        whole, point, validation, experiment, ledger or MemoryLedger(), lambda: NOW, lambda _: None, machine(),
        lambda: Page("page.md", True), lambda: MOVE, Path.cwd(),
    )  # fmt: skip
    return replace(made, **more)


def scripted(*arms: ScriptedArm, right: bool = False, **more: Any) -> ScriptedExperiment:
    chosen = list(arms or (OLD, NEW))
    chosen[0] = replace(chosen[0], answers=RIGHT | dict(chosen[0].answers))
    return ScriptedExperiment(chosen, RIGHT if right else None, **more)


def checked(found: Validated, name: str) -> Check:
    return next(each for each in found.checks if each.id == name)


def test_all_four_are_made_told_in_order_and_kept() -> None:
    ledger = MemoryLedger()
    point = declaration().points[0]
    for name in ("ana", "bo"):
        sign(declaration(), point, ledger, MOVE, name, "", NOW)
    experiment = scripted()
    found = validate(given(experiment, ledger=ledger))
    assert [(each.id, each.ok) for each in found.checks] == [(name, True) for name in CHECKS]
    assert exit_code(found.checks) == 0
    (body,) = [each.body for each in ledger.records("validation", "data") if each.body["what"] == "checks"]
    assert [each["ok"] for each in body["checks"]] == [True] * 4
    assert experiment.runs[-1] == ("new", Load(8.0, 1, 80.0))
    assert sorted(experiment.prepared) == ["new", "old"]


def test_one_check_alone_asks_no_other() -> None:
    experiment = scripted()
    found = validate(given(experiment), ("readiness",))
    assert [each.id for each in found.checks] == ["readiness"]
    assert (experiment.runs, experiment.prepared) == ([], [])


@pytest.mark.parametrize(
    ("arm", "ok", "words"),
    [
        (replace(NEW, dropped_ratio=0.002), False, "dropped 1 of 640 requests"),
        (replace(NEW, measures={"slow": 1.2}), False, "slow read 1.2, and its threshold is 1"),
        (replace(NEW, fails={"run": "it is gone"}), None, "it is gone"),
        (replace(NEW, fails={"prepare": "no such port"}), None, "no such port"),
        (replace(NEW, dropped_ratio=1.0), False, "dropped 640 of 640"),
    ],
)
def test_what_the_load_does(arm: ScriptedArm, ok: bool | None, words: str) -> None:
    check = checked(validate(given(scripted(OLD, arm)), ("load",)), "load")
    assert check.ok is ok
    assert words in check.sentence


def test_why_the_load_was_dropped_is_told() -> None:
    class Broken(ScriptedExperiment):
        def run(self, arm: str, load: Load) -> Measured:
            return replace(super().run(arm, load), dropped=640, p95_seconds=math.inf, why_dropped="status 503 (640×)")

    check = checked(validate(given(Broken([replace(OLD, answers=RIGHT), NEW])), ("load",)), "load")
    assert (check.ok, check.evidence["run"]["p95_seconds"]) == (False, None)
    assert check.remarks[0] == "dropped: status 503 (640×)"
    json.dumps(check.evidence, allow_nan=False)


def test_the_load_of_today_is_read_where_it_is_not_declared() -> None:
    ledger, declared = MemoryLedger(), declaration(current_rate=None)
    assert checked(validate(given(scripted(), declared, ledger), ("load",)), "load").ok is None
    times = NOW - HOUR * np.arange(2, 168)
    ledger.add_samples("requests", times, np.full(times.size, 30.0), origin="measured", source="test")
    experiment = scripted()
    check = checked(validate(given(experiment, declared, ledger), ("load",)), "load")
    assert check.ok is True
    assert experiment.runs[-1][1].rate_per_second == pytest.approx(60)


def test_an_old_service_that_is_gone_is_stood_in_for_by_its_baseline() -> None:
    ledger, declared = MemoryLedger(), declaration()
    point, validation = of(declared)
    gone = scripted(replace(OLD, fails={"prepare": "connection refused"}), NEW)
    without = checked(validate(given(gone, declared, ledger), ("improvement",)), "improvement")
    assert (without.ok, without.evidence) == (None, {})
    assert "outgrow baseline record data" in without.next_step
    record_baseline(
        point, validation, scripted(), ledger, lambda: NOW - 86400, lambda _: None, machine(), occasion="wave 1"
    )
    check = checked(validate(given(gone, declared, ledger), ("improvement",)), "improvement")
    assert check.ok is True
    assert "unpaired" in check.sentence
    assert "connection refused" in check.remarks[0]
    kept = last_baseline(ledger, "data", "old")
    assert kept is not None
    assert {load.rate_per_second for arm, load in gone.runs} == {kept.rate_per_second}
    other = declaration({"seed": 2})
    changed = checked(validate(given(gone, other, ledger), ("improvement",)), "improvement")
    assert changed.ok is None
    assert "workload has changed" in changed.sentence


@pytest.mark.parametrize(("new", "ok"), [(0.05, True), (0.8, False), (0.2, None)])
def test_both_are_measured_side_by_side(new: float, ok: bool | None) -> None:
    experiment = scripted(OLD, replace(NEW, p95_seconds=new))
    check = checked(validate(given(experiment), ("improvement",)), "improvement")
    assert check.ok is ok
    assert {load.rate_per_second for _, load in experiment.runs} == {120.0}
    assert [arm for arm, _ in experiment.runs].count("old") == 8


def test_ctrl_c_keeps_what_is_finished() -> None:
    def stop(arm: str, count: int) -> None:
        if count == 5:
            raise KeyboardInterrupt

    ledger = MemoryLedger()
    found = validate(given(scripted(before_run=stop), ledger=ledger))
    assert found.interrupted
    assert [each.id for each in found.checks] == ["parity", "readiness"]
    (record,) = ledger.records("validation", "data")
    assert [each["id"] for each in record.body["checks"]] == ["parity", "readiness"]
    assert record.body["interrupted"] is True


def stopping_before(runs: int) -> Callable[[str, int], None]:
    def stop(arm: str, count: int) -> None:
        if count == runs:
            raise KeyboardInterrupt

    return stop


@pytest.mark.parametrize("runs", [0, 1, 4, 9, 15])
def test_rounds_of_an_interrupted_check_are_gone_on_from(runs: int) -> None:
    ledger, told = MemoryLedger(), list[Told]()
    stopped = scripted(before_run=stopping_before(runs))
    assert validate(given(stopped, ledger=ledger), ("improvement",)).interrupted
    again = scripted()
    check = checked(validate(given(again, ledger=ledger, tell=told.append), ("improvement",)), "improvement")
    assert check.ok is True
    assert len(again.runs) == 2 * (8 - runs // 2)
    assert {load.rate_per_second for _, load in (*stopped.runs, *again.runs)} == {120.0}
    assert len({load.seed for _, load in (*stopped.runs[: runs // 2 * 2], *again.runs)}) == 8
    assert any("goes on from" in each.said for each in told) == (runs >= 2)
    whole = scripted()
    validate(given(whole, ledger=ledger), ("improvement",))
    assert len(whole.runs) == 16


def other_rate(kept: Given) -> Given:
    declared = declaration({"rate": 7})
    return replace(kept, declaration=declared, point=declared.points[0], validation=of(declared)[1])


def other_machine(kept: Given) -> Given:
    return replace(kept, machine={**kept.machine, "cores": "1000"})


def a_day_later(kept: Given) -> Given:
    return replace(kept, now=lambda: NOW + 2 * 86400)


def other_versions(kept: Given) -> Given:
    class Newer(ScriptedExperiment):
        def versions(self) -> dict[str, str]:
            return {"scripted": "2"}

    return replace(kept, experiment=Newer([replace(OLD, answers=RIGHT), NEW]))


@pytest.mark.parametrize("change", [other_rate, other_machine, a_day_later, other_versions])
def test_rounds_of_other_things_are_not_mixed_with(change: Callable[[Given], Given]) -> None:
    ledger, told = MemoryLedger(), list[Told]()
    validate(given(scripted(before_run=stopping_before(9)), ledger=ledger), ("improvement",))
    experiment = scripted()
    changed = change(given(experiment, ledger=ledger, tell=told.append))
    assert checked(validate(changed, ("improvement",)), "improvement").ok is True
    assert isinstance(changed.experiment, ScriptedExperiment)
    assert len(changed.experiment.runs) == 16
    assert [each.said for each in told if "not gone on from" in each.said]


def test_a_baseline_ended_early_is_kept_only_where_it_can_bound_anything() -> None:
    def stopping(after: int) -> Callable[[str, int], None]:
        def stop(arm: str, count: int) -> None:
            if count == after:
                raise KeyboardInterrupt

        return stop

    point, validation = of(declaration())
    for after, kept in ((3, 0), (7, 1)):
        ledger = MemoryLedger()
        with pytest.raises(KeyboardInterrupt):
            record_baseline(
                point, validation, scripted(before_run=stopping(after)), ledger, lambda: NOW, lambda _: None, machine()
            )
        assert len(ledger.records("baseline", "data")) == kept
    broken = scripted(replace(OLD, fails={"run": "gone"}), NEW)
    with pytest.raises(ExperimentFailed, match="gone"):
        record_baseline(point, validation, broken, MemoryLedger(), lambda: NOW, lambda _: None, machine())


def test_arms_that_are_none_are_refused() -> None:
    with pytest.raises(UsageError, match=r"names 'older', and its workload has old, new"):
        validate(given(scripted(), declaration(before="older")))
    with pytest.raises(UsageError, match="one arm"):
        validate(given(scripted(), declaration(before="new")))


def test_signatures_are_of_the_team_and_of_a_move() -> None:
    ledger, declared = MemoryLedger(), declaration()
    point = declared.points[0]
    with pytest.raises(UsageError, match="nobody of the team is called 'eve'"):
        sign(declared, point, ledger, MOVE, "eve", "", NOW)
    with pytest.raises(UsageError, match="nothing to sign for"):
        sign(declared, point, ledger, MoveSeen(), "ana", "", NOW)
    sign(declared, point, ledger, MOVE, "ana", " read it all ", NOW)
    assert [(each.name, each.note, each.move) for each in signatures(ledger, "data")] == [
        ("ana", "read it all", "data-1")
    ]


# Real services


def over_http(old: Service, new: Service, timeout: str = "10s", **more: Any) -> tuple[Any, Declaration]:
    arms = [{"id": "old", "url": old.url}, {"id": "new", "option": "A", "url": new.url}]
    own = {"requests": [{"path": f"/{n}"} for n in range(12)], "timeout": timeout}
    declared = declaration({"kind": "http", "arms": arms, "rounds": 6, "round_seconds": 0.3, "rate": 40, **own}, **more)
    return open_here({**own, "arms": arms}), declared


def made(old: Service, new: Service, *only: Any, **more: Any) -> Validated:
    experiment, declared = over_http(old, new, **more)
    with closing(experiment):
        return validate(given(experiment, declared), only)


def test_a_faster_service_that_answers_the_same(service: Opener) -> None:
    found = made(service(seconds=0.05), service(), "load", "parity", "improvement")
    assert [(each.id, each.ok) for each in found.checks] == [("load", True), ("parity", True), ("improvement", True)]
    assert checked(found, "load").evidence["run"]["sent"] == 144


def test_planted_differences_are_listed_with_their_requests(service: Opener) -> None:
    found = made(service(), service(wrong=("/3", "/8")), "parity")
    check = checked(found, "parity")
    assert check.ok is False
    assert sorted(each["text"] for each in check.evidence["answers"]["differences"]) == ["GET /3", "GET /8"]


@pytest.mark.parametrize(
    ("how", "words"), [({"refuses": 0.1}, " of 144 requests"), ({"seconds": 1.5}, "dropped 144 of 144")]
)
def test_a_service_that_drops_requests_under_the_load_fails(how: dict[str, float], words: str, service: Opener) -> None:
    new = service()
    experiment, declared = over_http(service(), new, "1s")
    with closing(experiment):
        experiment.prepare("new", lambda _: None)
        for name, value in how.items():
            setattr(new, name, value)
        found = validate(given(_Prepared(experiment), declared), ("load",))
    check = checked(found, "load")
    assert check.ok is False
    assert words in check.sentence


class _Prepared:
    """An experiment whose arms were set up before."""

    def __init__(self, experiment: Any) -> None:
        self.experiment = experiment

    def __getattr__(self, name: str) -> Any:
        return getattr(self.experiment, name)

    def prepare(self, arm: str, said: Callable[[str], None]) -> None:
        said(arm)


def test_a_service_that_flakes_as_before_is_no_difference(service: Opener) -> None:
    check = checked(made(service(flakes=0.15), service(flakes=0.15), "parity"), "parity")
    assert check.evidence["answers"]["differences"] == ()


class _Wavering(ScriptedExperiment):
    """Answers every second time otherwise, to one request, in the old service."""

    asked = 0

    def answers(self, arm: str, requests: Sequence[Request]) -> Answers:
        given = super().answers(arm, requests)
        self.asked += arm == "old"
        return Answers({**given.by_request, "q3": ()}) if arm == "old" and self.asked % 2 == 0 else given


def test_the_old_service_is_asked_twice_to_know_its_noise() -> None:
    check = checked(validate(given(_Wavering((replace(OLD, answers=RIGHT), NEW))), ("parity",)), "parity")
    assert check.evidence["answers"]["unsteady"] == ("request q3",)
    assert (check.ok, check.remarks) == (
        True,
        ("noise floor: the old service answers 1 of 20 requests otherwise itself when it is asked again",),
    )


# The suite


def python(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def test_the_suite_is_told_whom_to_ask(tmp_path: Path) -> None:
    asks = "import os; print(os.environ['OUTGROW_ARM'], os.environ['OUTGROW_BASE_URL'], os.getcwd())"
    ran = run_suite(python(asks), "new", "http://x", tmp_path)
    assert (ran.code, ran.last_lines) == (0, (f"new http://x {tmp_path}",))


def test_a_suite_that_fails_hangs_or_is_none(tmp_path: Path) -> None:
    fails = run_suite(python("print('1 failed'); raise SystemExit(3)"), "new", "", tmp_path)
    assert (fails.code, fails.last_lines) == (3, ("1 failed",))
    hangs = run_suite(python("import time; time.sleep(60)"), "new", "", tmp_path, seconds=0.3)
    assert hangs.code is None
    assert "had not ended" in hangs.why_not
    assert "cannot be started" in run_suite(("./no-such-suite",), "new", "", tmp_path).why_not


def test_a_suite_that_fails_against_the_new_one_alone_fails_parity(tmp_path: Path) -> None:
    suite = python("import os; raise SystemExit(os.environ['OUTGROW_ARM'] == 'new')")
    experiment = scripted()
    found = validate(given(experiment, declaration(suite=suite), folder=tmp_path), ("parity",))
    check = checked(found, "parity")
    assert check.ok is False
    assert [run["code"] for run in check.evidence["suite"]] == [0, 1]


def test_progress_has_the_rounds_and_the_time_left() -> None:
    told: list[Told] = []
    validate(given(scripted(), tell=told.append), ("improvement",))
    assert [each.said for each in told if each.total] == [f"round {n} of 8" for n in range(1, 9)]
