"""The improvement: paired where both answer, against a kept baseline where not, and never on too little."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.evidence.records import Round
from outgrow.points.declaration import Comparison
from outgrow.validation.baseline import Baseline, baseline_body, baseline_of, noise_of, workload_key
from outgrow.validation.improvement import interleaved_check, unpaired_check, welch_ratio
from outgrow.validation.records import Check

MACHINE = {"cores": "2", "architecture": "x86_64", "system": "Linux", "python": "3.11"}


def rounds(arm: str, p95: float, count: int = 12, noise: float = 0.05, seed: int = 1, **more: int) -> tuple[Round, ...]:
    rng = np.random.default_rng([seed, len(arm)])
    times = p95 * np.exp(noise * rng.standard_normal(count))
    said = {"sent": 200, "dropped": 0} | more
    return tuple(Round(n + 1, arm, (n + len(arm)) % 2, float(time), **said) for n, time in enumerate(times))


def baseline(**more: Any) -> Baseline:
    made = Baseline("p", "old", "", 1_772_000_000.0, "w", 1.0, 20.0, 1, 12, rounds("old", 0.2), {}, MACHINE)
    return replace(made, **more)


def side_by_side(old: float, new: float, count: int = 12, **left_out: str) -> Check:
    ran = (*rounds("old", old, count), *rounds("new1", new, count))
    return interleaved_check("old", "new1", ran, 20.0, left_out)


@pytest.mark.parametrize(("old", "new", "ok"), [(0.2, 0.1, True), (0.1, 0.2, False), (0.2, 0.198, None)])
def test_the_interval_must_exclude_one_from_above(old: float, new: float, ok: bool | None) -> None:
    check = side_by_side(old, new, 8)
    assert check.ok is ok
    assert check.evidence["how"] == "interleaved"


def test_no_difference_that_is_known_closely_is_no_improvement() -> None:
    ran = (*rounds("old", 0.2, 100, 0.02), *rounds("new1", 0.2, 100, 0.02))
    check = interleaved_check("old", "new1", ran, 20.0, {})
    assert check.ok is False or check.evidence["ratio"]["low"] > 1
    assert check.evidence["ratio"]["high"] < 1.05


@pytest.mark.parametrize("count", [0, 1, 5])
def test_few_rounds_are_never_green(count: int) -> None:
    assert side_by_side(0.2, 0.01, count).ok is None


def test_an_arm_that_failed_or_dropped_tells_nothing() -> None:
    assert side_by_side(0.2, 0.1, 12, new1="it failed in round 3: gone").ok is None
    ran = (*rounds("old", 0.2), *rounds("new1", 0.1, dropped=40))
    assert interleaved_check("old", "new1", ran, 20.0, {}).ok is None


def unpaired(kept: Baseline, news: tuple[Round, ...], **machine: str) -> Check:
    return unpaired_check(kept, "new", news, 20.0, MACHINE | machine, "w", "old is gone")


def test_a_kept_baseline_stands_in_for_what_is_gone_and_that_is_said() -> None:
    check = unpaired(baseline(), rounds("new", 0.1))
    assert check.ok is True
    assert "unpaired" in check.sentence
    assert "as old is gone; whatever else changed" in check.remarks[0]
    assert unpaired(baseline(), rounds("new", 0.3)).ok is False


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (baseline(workload="other"), "workload has changed"),
        (baseline(machine=MACHINE | {"cores": "64"}), "another machine (cores 64 then, 2 now)"),
        (baseline(rounds=rounds("old", 0.2, 5)), "5 rounds"),
        (baseline(rounds=rounds("old", 0.2, dropped=50)), "survivors"),
        (baseline(rounds=rounds("old", 0.2, sent=2000)), "not sent the same"),
    ],
)
def test_a_baseline_that_is_not_alike_tells_nothing(kept: Baseline, words: str) -> None:
    check = unpaired(kept, rounds("new", 0.1))
    assert check.ok is None
    assert words in check.sentence


def test_welch_covers_the_truth_whatever_the_spreads() -> None:
    rng, held = np.random.default_rng(7), 0
    for _ in range(1000):
        old, new = rng.normal(0.7, 0.3, 8), rng.normal(0.0, 0.05, 20)
        ratio = welch_ratio(old, new, 0.95)
        assert ratio is not None
        held += ratio.low <= np.exp(0.7) <= ratio.high
    assert held >= 935


def test_equal_rounds_without_noise_are_exactly_their_ratio() -> None:
    ratio = welch_ratio(np.full(6, np.log(4)), np.full(6, np.log(2)), 0.95)
    assert ratio is not None
    assert ratio.low == ratio.high == pytest.approx(2)


@given(st.lists(st.floats(1e-4, 10), max_size=20))
def test_a_baseline_comes_back_from_json_as_it_went(times: list[float]) -> None:
    made = baseline(rounds=tuple(Round(n, "old", 0, p95, 100, 0, p95 / 2, 10.0) for n, p95 in enumerate(times)))
    assert baseline_of(json.loads(json.dumps(baseline_body(made)))) == made


@pytest.mark.parametrize(
    "body", [{}, {"schema": "outgrow/baseline/v2"}, {"schema": "outgrow/baseline/v1", "rounds": 3}]
)
def test_what_is_no_baseline_is_none(body: dict[str, object]) -> None:
    assert baseline_of(body) is None


def test_noise_is_said() -> None:
    assert noise_of(baseline()) == ()
    assert "it is noisy" in noise_of(baseline(rounds=rounds("old", 0.2, 12, 0.9)))[0]
    assert "12 of 20 rounds" in noise_of(baseline(planned=20))[0]
    assert "dropped" in noise_of(baseline(rounds=rounds("old", 0.2, dropped=50)))[0]
    assert "few for a p95" in noise_of(baseline(rounds=rounds("old", 0.2, sent=20)))[0]


def test_a_workload_is_what_is_sent_and_not_how_often() -> None:
    one = Comparison.model_validate({"kind": "http", "requests": [{"path": "/"}], "arms": [{"id": "a"}, {"id": "b"}]})
    longer = one.model_copy(update={"rounds": 40, "arms": one.arms[:1], "rate": 3.0})
    assert workload_key(longer) == workload_key(one)
    other = Comparison.model_validate({"kind": "http", "requests": [{"path": "/x"}]})
    assert workload_key(other) != workload_key(one)
