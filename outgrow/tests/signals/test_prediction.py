"""The rival's line: right on a straight line, silent where it has nothing to say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.quantities import DAY
from outgrow.signals.prediction import predict_linear_date
from outgrow.signals.series import Series, series_of

NOW = 1_775_000_000.0


def line(slope_a_day: float, at_now: float, days: int = 60) -> Series:
    times = NOW - np.arange(days, -1, -1) * DAY
    return series_of("p95", "seconds", times, at_now + slope_a_day * (times - NOW) / DAY)


@given(st.floats(0.001, 5), st.floats(0.1, 100), st.floats(1.01, 50))
def test_a_straight_line_is_continued_exactly(slope: float, at_now: float, times_over: float) -> None:
    limit = at_now * times_over
    date = predict_linear_date(line(slope, at_now), limit, NOW)
    assert date == pytest.approx(NOW + (limit - at_now) / slope * DAY, rel=1e-6)


def test_only_the_range_is_looked_at() -> None:
    series = line(0.1, 10.0)
    bent = series_of("p95", "seconds", series.times, np.where(series.times < NOW - 28 * DAY, 500.0, series.values))
    assert predict_linear_date(bent, 20.0, NOW) == predict_linear_date(series, 20.0, NOW)
    assert predict_linear_date(bent, 20.0, NOW, range_seconds=50 * DAY) != predict_linear_date(series, 20.0, NOW)


def test_flat_falling_and_short_say_nothing() -> None:
    assert predict_linear_date(line(0.0, 10.0), 20.0, NOW) is None
    assert predict_linear_date(line(-0.1, 10.0), 20.0, NOW) is None
    assert predict_linear_date(line(0.1, 10.0, days=0), 20.0, NOW) is None
    assert predict_linear_date(line(0.1, 10.0), 20.0, NOW + 400 * DAY) is None


def test_beyond_the_limit_is_now_and_below_mirrors_above() -> None:
    assert predict_linear_date(line(0.1, 21.0), 20.0, NOW) == NOW
    falling = line(-0.1, 99.0)
    assert predict_linear_date(falling, 95.0, NOW, direction="below") == pytest.approx(NOW + 40 * DAY)
    assert predict_linear_date(falling, 99.5, NOW, direction="below") == NOW


@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=28), st.floats(11, 20), st.floats(0.1, 5))
def test_a_higher_limit_is_never_met_sooner(values: list[float], limit: float, more: float) -> None:
    series = series_of("p95", "seconds", NOW - np.arange(len(values))[::-1] * DAY, values)
    sooner, later = predict_linear_date(series, limit, NOW), predict_linear_date(series, limit + more, NOW)
    assert (sooner is None) == (later is None)
    assert sooner is None or later is None or sooner <= later
