"""The order of what is measured of mirrored reads, and what is made of it."""

from itertools import groupby
from pathlib import Path

import pytest

from benchmarks.moves import shadow_report
from benchmarks.moves.shadow import FOUND_SECONDS, WARM_SECONDS, _arms
from benchmarks.moves.shadow_report import Figures
from benchmarks.moves.way_back import Back
from benchmarks.report import Report, write_report
from ventures.population.loading import Level, Step
from ventures.population.shape import Plan

SECONDS = 5.0


def test_each_slice_has_each_arm_once_in_an_order_of_its_own() -> None:
    arms = _arms(30, 3, SECONDS)
    assert [sum(arm.round == number and arm.name == "on" for arm in arms) for number in range(30)] == [3] * 30
    slices = [[arm.name for arm in group] for _, group in groupby(arms, key=lambda arm: arm.slice)]
    assert len(slices) == 90
    assert {tuple(sorted(set(names) - {"failing"})) for names in slices} == {("off", "on", "stalled")}
    assert all(len(names) == len(set(names)) for names in slices)
    assert sum("failing" in names for names in slices) == 18
    assert len({tuple(names) for names in slices}) > 5
    assert arms == _arms(30, 3, SECONDS)


def test_a_target_that_was_away_is_waited_for_before_it_is_to_be_there() -> None:
    there_for = float("inf")
    for arm in _arms(30, 3, SECONDS):
        assert arm.warm_seconds >= WARM_SECONDS
        there_for += arm.warm_seconds
        if arm.name in ("on", "stalled"):
            assert there_for >= FOUND_SECONDS
        there_for = 0.0 if arm.name in ("stalled", "failing") else there_for + SECONDS


def test_a_ratio_is_to_the_arm_without_in_the_same_round() -> None:
    figures = Figures()
    for number in range(12):
        for arm, factor in (("off", 1.0), ("on", 1.2)):
            step = Step(Level(0, 1.0, 1.0), 1)
            for part in range(1, 101):
                step.latencies[0].add(0.001 * part * factor * (1 + number))
            figures.add(number, arm, step, {"api": 0.001})
    ratio = figures.ratio("on", 2)
    assert ratio is not None
    assert ratio.mid == pytest.approx(1.2, rel=0.03)
    assert ratio.low <= ratio.mid <= ratio.high <= 1.25
    assert figures.ratio("stalled", 2) is None


@pytest.mark.parametrize("one", [False, True])
def test_the_report_has_what_was_measured_and_nothing_else(
    one: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_report, "write_report", lambda report: write_report(report, tmp_path))
    figures = Figures(rate=100.0, searched=500, counts={"matched": 48, "differed": 1, "failed": 2})
    figures.kills = [] if one else [(1.1, 0.4, 30)]
    for number in range(10):
        for arm in ("off", "on") if one else ("off", "on", "stalled"):
            step = Step(Level(0, 1.0, 1.0), 1)
            step.latencies[0].add(0.01)
            figures.add(number, arm, step, dict.fromkeys(("api", "postmaster", "index", "worker", "generator"), 0.001))
    assert len(list(figures.lines())) == (3 if one else 5)
    shadow_report.write(figures, Plan(users=4), one=one)
    text = (tmp_path / ("shadow-one.md" if one else "shadow.md")).read_text()
    assert ("p99 stalled to off" in text, "kill switch" in text) == (not one, not one)
    assert "10.2%" in text
    assert "p99 on to off, upper 95 % bound | 1.00 | ≤ 1.10 | hit" in text


def test_the_report_of_the_way_back(tmp_path: Path) -> None:
    found = Back(before=10_003, seconds=4.0, writing_seconds=40.0, missing=1)
    report = Report(name="one", title="", command="", tables=(found.table(),), targets=found.targets())
    text = write_report(report, tmp_path).read_text()
    assert "not found, different or twice | 1.00 | ≤ 0 | miss" in text
