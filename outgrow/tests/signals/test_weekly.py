"""Weeks, joins and bins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.quantities import DAY, HOUR, WEEK
from outgrow.signals.series import series_of
from outgrow.signals.weekly import bin_by_driver, join, week_of, week_start, weekly_quantile

MONDAY = 1_609_718_400.0  # 4 January 2021, 00:00 UTC


def test_weeks_begin_on_monday() -> None:
    assert week_start(week_of(MONDAY)) == MONDAY
    assert week_of(MONDAY - 1) == week_of(MONDAY) - 1
    assert week_of(MONDAY + WEEK - 1) == week_of(MONDAY)


def test_only_complete_weeks_count() -> None:
    times = MONDAY + np.arange(25) * DAY
    series = series_of("users", "users", times, np.arange(25.0))
    weekly = weekly_quantile(series, MONDAY + 25 * DAY)
    assert weekly.first_week == week_of(MONDAY)
    assert weekly.values.tolist() == [3, 10, 17]
    assert weekly_quantile(series, MONDAY + 21 * DAY).values.tolist() == [3, 10, 17]
    assert weekly_quantile(series, MONDAY + 20 * DAY).values.tolist() == [3, 10]
    assert len(weekly_quantile(series, MONDAY)) == 0


def test_a_week_with_too_few_samples_is_a_gap() -> None:
    days = [*range(7), 8, *range(14, 21)]  # one day only of the second week
    series = series_of("users", "users", MONDAY + np.array(days) * DAY, np.ones(len(days)))
    weekly = weekly_quantile(series, MONDAY + 4 * WEEK)
    assert np.isnan(weekly.values).tolist() == [False, True, False]
    assert weekly.known == 2


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_weekly_quantiles_are_numpy_s(values: list[float], quantile: float) -> None:
    times = MONDAY + np.linspace(0, WEEK - HOUR, len(values))
    weekly = weekly_quantile(series_of("s", "", times, values), MONDAY + WEEK, quantile)
    assert weekly.values.tolist() == pytest.approx([float(np.quantile(values, quantile))])


def test_samples_are_joined_to_the_driver_at_their_moment() -> None:
    driver = series_of("load", "per_second", MONDAY + np.array([0, 10, 20]) * HOUR, [0.0, 10.0, 20.0])
    signal = series_of("p95", "seconds", MONDAY + np.array([-1, 0, 5, 20, 21, 40]) * HOUR, np.arange(6.0))
    joined = join(signal, driver, MONDAY + 30 * HOUR)
    assert joined.driver.tolist() == [0, 5, 20, 20]
    assert joined.values.tolist() == [1, 2, 3, 4]
    assert joined.since(MONDAY + 6 * HOUR).values.tolist() == [3, 4]


def test_a_gap_of_the_driver_joins_nothing() -> None:
    hours = np.array([0, 1, 2, 3, 30, 31, 32])
    driver = series_of("load", "per_second", MONDAY + hours * HOUR, np.ones(7))
    signal = series_of("p95", "seconds", MONDAY + np.arange(33) * HOUR, np.arange(33.0))
    assert join(signal, driver, MONDAY + DAY * 9).values.tolist() == [0, 1, 2, 3, 30, 31, 32]


def test_nothing_joins_nothing() -> None:
    empty, some = series_of("a", "", [], []), series_of("b", "", [1.0], [1.0])
    for first, second in ((empty, some), (some, empty), (empty, empty)):
        assert join(first, second, 10).times.size == 0


@given(st.integers(0, 1000), st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_bins_hold_every_sample_once_in_order(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    driver, values = rng.uniform(1, 10, count), rng.normal(0, 1, count)
    bins = bin_by_driver(driver, values)
    assert bins.counts.sum() == count
    assert bins.driver.size <= 30
    assert np.all(np.diff(bins.driver) >= 0)
    assert np.all((bins.driver >= driver.min()) & (bins.driver <= driver.max()))
    assert np.all((bins.value >= values.min()) & (bins.value <= values.max()))


def test_the_error_of_a_bin_is_that_of_a_median() -> None:
    rng = np.random.default_rng(0)
    medians, errors = [], []
    for _ in range(400):
        bins = bin_by_driver(np.arange(60.0), rng.normal(0, 1, 60), most=1)
        medians.append(bins.value[0])
        errors.append(bins.error[0])
    assert np.mean(errors) == pytest.approx(np.std(medians), rel=0.15)
    assert bin_by_driver(np.empty(0), np.empty(0)).driver.size == 0


def test_what_few_samples_say_is_never_too_little_for_a_curve_that_fewer_were_enough_for() -> None:
    bins = [bin_by_driver(np.arange(float(size)), np.ones(size)).driver.size for size in range(4, 60)]
    assert min(bins) >= 4
    assert bins[12:] == sorted(bins[12:])


def test_the_busiest_levels_get_bins_of_their_own_where_samples_allow() -> None:
    many = bin_by_driver(np.arange(9000.0), np.ones(9000))
    few = bin_by_driver(np.arange(400.0), np.ones(400))
    assert many.driver.size == few.driver.size == 30
    assert many.driver[-1] > 0.998 * 9000
    assert few.driver[-1] < 0.99 * 400
    assert many.counts.min() >= 12
    assert many.counts.sum() == 9000
