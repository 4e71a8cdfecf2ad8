"""What is told of a measurement: of each arm, of each ratio, of the baseline, of rounds that were ended early."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from outgrow.evidence.comparison import measured_ratios
from outgrow.evidence.intervals import value_interval
from outgrow.evidence.records import Arm, ArmFacts, Evidence, Fit, Round
from outgrow.evidence.summary import arm_summaries, ratio_words, ruled_ratios
from outgrow.evidence.tuning import found_tuned, tuning_sentence
from outgrow.evidence.worth import worth_sentence
from outgrow.points.declaration import RatioRule
from outgrow.quantities import Interval

RULE = RatioRule(kind="ratio", stay=5, migrate=2)


def measured(rounds: int = 12, noise: float = 0.1, seed: int = 0, **p95: float) -> Evidence:
    times = p95 or {"current": 0.8, "tune": 0.08, "A": 0.01}
    rng, ran = np.random.default_rng(seed), []
    for number in range(1, rounds + 1):
        for order, (arm, seconds) in enumerate(times.items()):
            value = seconds * math.exp(noise * rng.standard_normal())
            ran.append(Round(number, arm, order, value, 100, 0, value / 4, 30.0 if arm == "current" else 60.0))
    arms = tuple(Arm(each, None if each == "current" else each) for each in times)
    return Evidence("p", 1.0, "s", "current", False, "d", arms=arms, rounds=tuple(ran))


def test_an_arm_is_told_by_its_typical_round() -> None:
    found = {each.arm.id: each for each in arm_summaries(measured())}
    assert found["tune"].p95_seconds == pytest.approx(0.08, rel=0.1)
    assert found["tune"].p50_seconds == pytest.approx(0.02, rel=0.1)
    assert found["tune"].p95 is not None
    assert found["tune"].p95.low < 0.08 < found["tune"].p95.high
    assert (found["tune"].sent, found["tune"].dropped, found["tune"].rounds) == (1200, 0, 12)


def test_an_arm_without_rounds_has_no_times() -> None:
    evidence = replace(measured(), rounds=(), facts=(ArmFacts("A", left_out="it is broken"),))
    found = arm_summaries(evidence)[2]
    assert (found.p95_seconds, found.p50_seconds, found.p95, found.sent) == (None, None, None, 0)
    assert found.facts.left_out == "it is broken"


@pytest.mark.parametrize(
    ("p95", "verdict"), [(0.01, "stay"), (0.06, "migrate"), (0.025, "between"), (0.016, "inconclusive")]
)
def test_a_ratio_over_the_tuned_service_is_ruled_on(p95: float, verdict: str) -> None:
    found = {(one.measured.option, one.measured.against): one for one in
             ruled_ratios(measured(current=0.8, tune=0.08, A=p95), "A", RULE)}  # fmt: skip
    assert found["A", "tune"].verdict == verdict
    assert found["A", "current"].verdict is None
    assert found["A", "tune"].throughput is not None
    assert found["A", "current"].throughput is not None
    assert found["A", "current"].throughput.mid == pytest.approx(2)
    assert found["A", "tune"].p50 is not None
    assert found["A", "tune"].p50.mid == pytest.approx(0.08 / p95, rel=0.15)


def test_an_open_ratio_says_how_many_rounds_would_settle_it() -> None:
    first = ruled_ratios(measured(noise=0.3, current=0.8, tune=0.08, A=0.0135), "A", RULE)[0]
    assert first.verdict == "inconclusive"
    assert first.rounds_needed is not None
    assert first.rounds_needed > 12


def test_without_thresholds_nothing_is_ruled_on() -> None:
    assert {one.verdict for one in ruled_ratios(measured(), "A", None)} == {None}


def test_what_an_unfit_machine_or_a_left_out_arm_measured_has_no_ratio() -> None:
    unfit = replace(measured(), fit=Fit("current", None, 6, "it is noisy"))
    assert {one.ratio for one in measured_ratios(unfit, "A")} == {None}
    assert "unfit to judge: it is noisy" in measured_ratios(unfit, "A")[0].why_not
    without = replace(measured(), facts=(ArmFacts("A", left_out="it lies"),))
    told = {(one.option, one.against): one for one in measured_ratios(without, "A")}
    assert told["A", "tune"].why_not == "A was left out: it lies"
    assert told["tune", "current"].ratio is not None


def test_bounds_are_never_rounded_to_the_kinder_side() -> None:
    assert ratio_words(Interval(4.9999, 5.5, 6.0001, 0.95)) == "5.5× (4.99 – 6.01)"


@pytest.mark.parametrize(
    ("current", "tuned", "words"),
    [(0.8, False, "was untuned"), (0.0801, True, "was tuned already"), (0.1, None, "is open")],
)
def test_whether_the_baseline_was_tuned(current: float, tuned: bool | None, words: str) -> None:
    evidence = measured(current=current, tune=0.08, A=0.01)
    assert found_tuned(evidence) is tuned
    assert words in tuning_sentence(evidence)


def test_without_a_tuned_arm_it_is_not_known() -> None:
    evidence = measured(current=0.8, A=0.01)
    assert found_tuned(evidence) is None
    assert "is not known" in tuning_sentence(evidence)


def test_rounds_ended_early_are_told_by_their_width_alone() -> None:
    said = worth_sentence(measured(7), "A", 12)
    assert said.startswith("7 of 12 rounds are complete and kept: they bound A over tune to ×÷ 1.")
    mirrored = worth_sentence(measured(7, current=0.8, tune=0.01, A=0.08), "A", 12)
    assert said == mirrored
    assert worth_sentence(measured(0), "A", 12) == "No round was complete yet."
    assert "fewer than 6" in worth_sentence(measured(3), "A", 12)


def test_values_with_a_zero_among_them_have_bounds_too() -> None:
    found = value_interval(np.array([0.0, 0, 0, 1, 2, 0, 1, 0]), 0.95)
    assert found is not None
    assert 0 <= found.low <= found.mid <= found.high
    assert value_interval(np.zeros(8), 0.95) == Interval(0, 0, 0, 0.95)
    assert value_interval(np.ones(5), 0.95) is None
