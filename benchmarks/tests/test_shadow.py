"""The order of what is measured of mirrored reads, and what is made of it."""

from itertools import groupby

import pytest

from benchmarks.platform.shadow_report import Figures
from benchmarks.platform.shadowing import FOUND_SECONDS, WARM_SECONDS, _arms
from ventures.population.loading import Level, Step

SECONDS = 5.0


def test_each_round_has_each_arm_once_in_an_order_of_its_own() -> None:
    arms = _arms(30, SECONDS)
    rounds = [[arm.name for arm in group] for _, group in groupby(arms, key=lambda arm: arm.round)]
    assert len(rounds) == 30
    assert {tuple(sorted(set(names) - {"failing"})) for names in rounds} == {("off", "on", "stalled")}
    assert all(len(names) == len(set(names)) for names in rounds)
    assert sum("failing" in names for names in rounds) == 6
    assert len({tuple(names) for names in rounds}) > 5
    assert arms == _arms(30, SECONDS)


def test_a_target_that_was_away_is_waited_for_before_it_is_to_be_there() -> None:
    there_for = float("inf")
    for arm in _arms(30, SECONDS):
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
