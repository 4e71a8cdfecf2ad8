"""Laws of a trigger's state: ``for``, hysteresis, gaps, normal load, and never quiet on missing data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.outlook.triggers import judge, judge_fact, judge_probability, stale_after
from outgrow.points.declaration import Trigger
from outgrow.quantities import DAY, MINUTE
from outgrow.signals.series import Series, series_of

NOW = 1_800_000_000.0


def trigger(**fields: object) -> Trigger:
    return Trigger.model_validate({"id": "t", "signal": "s", "threshold": 5.0, "for": "10m", **fields})


def minutes(values: list[float], unit: str = "seconds") -> Series:
    times = NOW - MINUTE * np.arange(len(values))[::-1]
    return Series("s", unit, times, np.array(values, dtype=float))


def test_it_fires_only_after_the_declared_time() -> None:
    assert judge(trigger(), minutes([1] * 20 + [6] * 9), None, NOW).state == "pending"
    assert judge(trigger(), minutes([1] * 20 + [6] * 11), None, NOW).state == "firing"
    assert judge(trigger(), minutes([1] * 20 + [6] * 8 + [1] + [6] * 5), None, NOW).state == "pending"


def test_it_stays_fired_while_the_value_wavers_about_the_threshold() -> None:
    wavering = [6] * 15 + [4.9, 5.1] * 20
    assert judge(trigger(), minutes(wavering), None, NOW).state == "firing"
    assert judge(trigger(), minutes([*wavering, 4.4]), None, NOW).state == "quiet"
    assert judge(trigger(clears_at=4.0), minutes([*wavering, 4.4]), None, NOW).state == "firing"


def test_below_is_the_mirror_of_above() -> None:
    below = trigger(direction="below", threshold=0.95)
    assert judge(below, minutes([0.99] * 5 + [0.9] * 12, "ratio"), None, NOW).state == "firing"
    assert judge(below, minutes([0.9] * 5 + [0.99] * 12, "ratio"), None, NOW).state == "quiet"


def test_missing_and_stale_values_are_unknown_with_the_reason() -> None:
    empty = series_of("s", "seconds", [], [])
    assert judge(trigger(), empty, None, NOW).reason == "s has never had a value"
    assert judge(trigger(), empty, None, NOW, "connection refused").reason == "connection refused"
    stale = judge(trigger(), minutes([1] * 30), None, NOW + 3600)
    assert (stale.state, stale.reason) == ("unknown", "the last value of s is 60 minutes old")
    down = judge(trigger(), minutes([1] * 30), None, NOW + 120, "connection refused")
    assert (down.state, down.reason) == ("unknown", "connection refused")


def test_a_gap_breaks_the_time_it_must_hold() -> None:
    values = minutes([6] * 30)
    keep = (values.times < NOW - 10 * MINUTE) | (values.times > NOW - 4 * MINUTE)
    gapped = Series("s", "seconds", values.times[keep][-9:], values.values[keep][-9:])
    assert judge(trigger(**{"for": "12m"}), gapped, None, NOW).state == "pending"


def test_daily_history_stands_for_its_day() -> None:
    times = NOW - DAY * np.arange(40)[::-1]
    daily = Series("s", "seconds", times, np.r_[np.ones(39), 6.0])
    assert judge(trigger(), daily, None, NOW + 3600).state == "firing"


def test_peaks_do_not_count_at_normal_load() -> None:
    load = minutes([10] * 95 + [100] * 5, "per_second")
    queue = minutes([1] * 95 + [9] * 5)
    normal = trigger(when="normal-load", **{"for": "1m"})
    assert judge(trigger(**{"for": "1m"}), queue, load, NOW).state == "firing"
    assert judge(normal, queue, load, NOW).state == "quiet"
    assert judge(normal, queue, None, NOW).state == "unknown"


def test_a_fact_fires_on_enough_notes_within_its_window() -> None:
    fact = Trigger.model_validate({"id": "t", "kind": "fact", "threshold": 2, "breaks_at": 3, "within": "90d"})
    assert judge_fact(fact, [], NOW).state == "quiet"
    assert judge_fact(fact, [NOW - DAY], NOW).state == "pending"
    assert judge_fact(fact, [NOW - DAY, NOW - 100 * DAY], NOW).state == "pending"
    fired = judge_fact(fact, [NOW - DAY, NOW - 2 * DAY], NOW)
    assert (fired.state, fired.broken, fired.reason) == ("firing", False, "2 notes in 90 days")
    assert judge_fact(fact, [NOW - DAY] * 3, NOW).broken


@pytest.mark.parametrize(("probability", "state"), [(0.1, "quiet"), (0.6, "pending"), (0.9, "firing")])
def test_a_probability_fires_past_its_threshold(probability: float, state: str) -> None:
    special = Trigger.model_validate({"id": "t", "kind": "grows-faster-than-users", "signal": "s", "threshold": 0.8})
    assert judge_probability(special, probability, NOW, "memory outpaces users").state == state


values_strategy = st.lists(st.floats(0, 10), min_size=2, max_size=60)


@given(values_strategy, st.floats(0.1, 5))
def test_worse_values_never_calm_a_trigger(values: list[float], more: float) -> None:
    order = ["quiet", "pending", "firing"]
    before = judge(trigger(), minutes(values), None, NOW).state
    after = judge(trigger(), minutes([value + more for value in values]), None, NOW).state
    assert order.index(after) >= order.index(before)


@given(values_strategy, st.floats(0.01, 1000))
def test_a_change_of_units_changes_nothing(values: list[float], factor: float) -> None:
    rescaled = trigger(threshold=5.0 * factor)
    same = judge(trigger(), minutes(values), None, NOW)
    other = judge(rescaled, minutes([value * factor for value in values]), None, NOW)
    if all(abs(value - limit) > 1e-6 for value in values for limit in (5.0, 4.5)):
        assert same.state == other.state


@given(values_strategy)
def test_values_that_all_stay_inside_never_fire(values: list[float]) -> None:
    inside = [min(value, 5.0) for value in values]
    assert judge(trigger(), minutes(inside), None, NOW).state == "quiet"


def test_stale_is_never_shorter_than_a_quarter_of_an_hour() -> None:
    assert stale_after(1.0) == 15 * MINUTE
    assert stale_after(DAY) == 3 * DAY


@given(st.floats(0.5, 0.999), st.floats(0.0, 0.49))
def test_a_perfect_value_always_clears(threshold: float, bad: float) -> None:
    below = trigger(direction="below", threshold=threshold)
    assert judge(below, minutes([bad] * 20 + [1.0] * 5, "ratio"), None, NOW).state == "quiet"


def test_a_reason_never_says_above_of_a_value_that_is_not() -> None:
    wavering = judge(trigger(), minutes([6] * 15 + [4.9]), None, NOW)
    assert (wavering.state, wavering.reason) == ("firing", "4.9 s, was above 5 s and is not clear before 4.5 s")


def test_a_load_that_stays_high_is_the_new_normal() -> None:
    day = 24 * 60
    load = minutes([10.0] * 9 * day + [100.0] * 2 * day, "per_second")
    queue = minutes([1.0] * 9 * day + [9.0] * 2 * day)
    assert judge(trigger(when="normal-load"), queue, load, NOW).state == "firing"


def test_a_load_without_a_value_now_judges_nothing() -> None:
    load = minutes([10.0] * 600, "per_second")
    old = Series("l", "per_second", load.times - 2 * DAY, load.values)
    assert judge(trigger(when="normal-load"), minutes([60.0] * 600), old, NOW).state == "unknown"


def test_old_and_sparse_history_does_not_stretch_what_counts_as_fresh() -> None:
    daily = NOW - 3 * DAY - DAY * np.arange(20)[::-1]
    live = NOW - 7200 - MINUTE * np.arange(60)[::-1]
    mixed = Series("s", "seconds", np.r_[daily, live], np.ones(80))
    assert judge(trigger(), mixed, None, NOW).state == "unknown"
