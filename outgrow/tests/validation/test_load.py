"""The load check: a dropped request fails it, a measure beyond its threshold too, and too little is never green."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.points.declaration import Trigger
from outgrow.quantities import HOUR, WEEK
from outgrow.signals.series import Series
from outgrow.validation.load import LEAST_HOURS, LEAST_REQUESTS, CurrentRate, LoadRun, current_rate, load_check

NOW = 1_772_323_200.0
RATE = CurrentRate(20.0, "declared")
RUN = LoadRun("new", 40.0, 10.0, 400, 0, 0.01, 0.02, 0.03, {"slow": 0.02})
SLOW = Trigger(id="slow", signal="p95", threshold=0.5)
EMPTY = Trigger(id="hits", signal="hits", threshold=0.9, direction="below")


def hours(values: object, start: float = NOW - WEEK) -> Series:
    array = np.asarray(values, dtype=float)
    return Series("requests", "per_second", start + HOUR * np.arange(array.size), array)


def test_twice_the_load_without_a_drop_is_ok() -> None:
    check = load_check(RATE, 2.0, RUN, "", (SLOW,))
    assert (check.ok, check.remarks) == (True, ())
    assert check.sentence == "new dropped none of 400 requests at 2 × 20/s, for 10s; p95 20 ms, p99 30 ms."
    assert check.evidence["triggers"] == [{"trigger": "slow", "value": 0.02, "threshold": 0.5, "ok": True}]


def test_one_dropped_request_fails_it_and_the_number_is_said() -> None:
    check = load_check(RATE, 2.0, replace(RUN, dropped=1), "", (SLOW,))
    assert check.ok is False
    assert "dropped 1 of 400 requests" in check.sentence


@pytest.mark.parametrize(("trigger", "value", "ok"), [(SLOW, 0.51, False), (SLOW, 0.5, True), (EMPTY, 0.89, False)])
def test_a_measure_beyond_its_threshold_fails_it(trigger: Trigger, value: float, ok: bool) -> None:
    check = load_check(RATE, 2.0, replace(RUN, measures={trigger.id: value}), "", (trigger,))
    assert check.ok is ok


def test_what_was_not_measured_is_said() -> None:
    assert load_check(RATE, 2.0, RUN, "", (SLOW, EMPTY)).remarks == ("not measured in the run: hits",)


@given(st.integers(0, 2000), st.sampled_from([0, 0, 1, 500]), st.floats(1, 500))
def test_green_needs_all_that_was_to_be_sent_and_no_drop(sent: int, dropped: int, rate: float) -> None:
    run = LoadRun("new", rate, 10.0, max(sent, dropped), dropped, 0.01, 0.02, 0.03)
    check = load_check(RATE, 2.0, run, "", ())
    assert (check.ok is False) == (dropped > 0)
    assert check.ok is not True or (run.sent >= LEAST_REQUESTS and run.sent >= 0.95 * rate * 10)


def test_without_a_run_or_a_rate_nothing_is_told() -> None:
    assert load_check(RATE, 2.0, None, "it is gone.", ()).sentence == "Cannot tell: it is gone."
    assert load_check(CurrentRate(None, why_not="no load"), 2.0, RUN, "", ()).ok is None


def test_the_load_of_today_is_that_of_the_busy_hours() -> None:
    busy = [100.0] * 8 + [10.0] * 150
    found = current_rate(None, hours(busy), NOW)
    assert found.per_second is not None
    assert 10 <= found.per_second <= 100
    assert current_rate(7.0, None, NOW) == CurrentRate(7.0, "declared")


@given(st.integers(0, 300), st.floats(0, 400))
def test_few_hours_or_old_ones_tell_no_load(count: int, age_hours: float) -> None:
    series = hours(np.full(count, 5.0), NOW - age_hours * HOUR - count * HOUR)
    inside = int(np.sum((series.times >= NOW - WEEK) & (series.times <= NOW - HOUR)))
    assert (current_rate(None, series, NOW).per_second is None) == (inside < LEAST_HOURS)


def test_no_load_is_no_load() -> None:
    assert "no load is declared" in current_rate(None, None, NOW).why_not
    assert "was 0" in current_rate(None, hours(np.zeros(160)), NOW).why_not
