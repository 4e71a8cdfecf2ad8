"""Growth: what the paths must obey, and the gate that keeps them from being believed too soon."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.outlook.backtest import backtest
from outgrow.outlook.crossing import first_passage, percentiles
from outgrow.outlook.growth import fit_growth, sample_paths, season_at
from outgrow.signals.series import FloatArray

DRAWS = 300
few = settings(max_examples=10, deadline=None)


def history(weeks: int, slope: float, noise: float = 0.01, seed: int = 0) -> FloatArray:
    """Log users that end at ln 1000."""
    shocks = noise * np.random.default_rng(seed).standard_normal(weeks)
    return math.log(1000) + slope * np.arange(1 - weeks, 1) + shocks


def paths_of(logs: FloatArray, weeks: int = 80) -> FloatArray:
    return sample_paths(fit_growth(logs), weeks, DRAWS, np.random.default_rng(1))


def test_log_linear_growth_goes_on() -> None:
    paths = paths_of(history(60, 0.02))
    assert np.median(paths[:, 40] - paths[:, 0]) == pytest.approx(0.8, rel=0.05)
    assert np.quantile(paths[:, 40], 0.1) < np.median(paths[:, 40]) < np.quantile(paths[:, 40], 0.9)


@few
@given(slope=st.floats(-0.01, 0.04), more=st.floats(0, 0.02), seed=st.integers(0, 20), limit=st.floats(1.05, 5))
def test_faster_growth_never_crosses_later(slope: float, more: float, seed: int, limit: float) -> None:
    at_limit = np.full(DRAWS, math.log(1000 * limit))
    slow, fast = (
        percentiles(first_passage(np.maximum.accumulate(paths_of(history(40, each, seed=seed)), axis=1), at_limit))
        for each in (slope, slope + more)
    )
    assert fast.mid <= slow.mid + 0.5


@few
@given(factor=st.sampled_from([0.01, 3.0, 1e6]), seed=st.integers(0, 20))
def test_counting_users_in_other_units_shifts_the_paths(factor: float, seed: int) -> None:
    logs = history(40, 0.01, seed=seed)
    assert np.allclose(paths_of(logs + math.log(factor)), paths_of(logs) + math.log(factor), atol=1e-6)


@few
@given(seed=st.integers(0, 20))
def test_doubt_grows_with_distance(seed: int) -> None:
    paths = paths_of(history(40, 0.01, seed=seed))
    width = np.quantile(paths, 0.9, axis=0) - np.quantile(paths, 0.1, axis=0)
    assert width[10] < width[40] < width[80]


def test_noisier_history_is_doubted_more() -> None:
    width = [float(np.ptp(np.quantile(paths_of(history(40, 0.01, noise)), [0.1, 0.9], axis=0)[:, 26]))
             for noise in (0.003, 0.03)]  # fmt: skip
    assert width[1] > 1.5 * width[0]


def test_gaps_are_bridged() -> None:
    logs = history(60, 0.02)
    logs[20:26] = np.nan
    paths = paths_of(logs)
    assert np.isfinite(paths).all()
    assert np.median(paths[:, 40] - paths[:, 0]) == pytest.approx(0.8, rel=0.05)


def test_a_year_of_season_is_taken_once_there_are_two() -> None:
    weeks = np.arange(130)
    season = 0.15 * np.cos(2 * math.pi * weeks / (365.25 / 7))
    logs = history(130, 0.005) + season
    growth = fit_growth(logs)
    found = season_at(growth.season, weeks)
    assert np.corrcoef(found, season)[0, 1] > 0.97
    assert np.std(found) == pytest.approx(np.std(season), rel=0.2)
    paths = sample_paths(growth, 52, DRAWS, np.random.default_rng(1))
    assert np.median(paths[:, 52] - paths[:, 0]) == pytest.approx(0.26, abs=0.06)
    assert not fit_growth(logs[:100]).season.any()


def test_no_season_is_seen_where_there_is_none() -> None:
    assert not any(fit_growth(history(130, 0.01, 0.02, seed)).season.any() for seed in range(5))


def test_growth_passes_the_gate_and_noise_does_not() -> None:
    steady, still = history(60, 0.02), history(60, 0.0, 0.05)
    assert backtest(fit_growth(steady), steady).passed
    walk = math.log(1000) + np.cumsum(0.02 * np.random.default_rng(3).standard_normal(60))
    results = [backtest(fit_growth(each), each) for each in (still, walk)]
    assert not all(result.passed for result in results)
    assert all(result.growth_error > 0.8 * result.no_change_error for result in results)


def test_the_gate_does_not_look_ahead() -> None:
    logs = history(60, 0.02)
    changed = logs.copy()
    changed[50:] += 5
    first, second = fit_growth(logs), fit_growth(changed)
    assert np.array_equal(first.level_path[:50], second.level_path[:50])
    assert np.array_equal(first.drift_path[:50], second.drift_path[:50])


def test_too_few_weeks_pass_no_gate() -> None:
    short = history(11, 0.02)
    assert backtest(fit_growth(short), short).forecasts == 0
    assert not backtest(fit_growth(short), short).passed
