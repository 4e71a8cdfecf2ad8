"""The invented year is labelled, seeded, and agrees with the measured ramp."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.demo.history import SimulatedHistory, simulate_history, smooth_curve, write_history
from outgrow.imports.history import read_history
from outgrow.quantities import DAY
from outgrow.signals.series import Ramp

NOW = 1_775_000_000.0


def ramp(capacity: float = 100.0, scatter: float = 0.0, seed: int = 0) -> Ramp:
    levels = capacity * np.array([0.1, 0.25, 0.4, 0.52, 0.64, 0.75, 0.85, 0.95, 1.05])
    values = 0.012 / (1 - np.minimum(levels / capacity, 0.97))
    values *= np.exp(np.random.default_rng(seed).normal(0, scatter, levels.size))
    return Ramp("ramp", "search_p95", "load", levels, values, "open", NOW)


def simulated(seed: int = 1) -> SimulatedHistory:
    return simulate_history(
        ramp(), busy_load_per_second=42.0, now=NOW, seed=seed, users_signal="users", load_signal="load"
    )


def test_everything_is_labelled_and_ends_now() -> None:
    history = simulated()
    assert {series.origin for series in history.series} == {"simulated"}
    assert {float(series.times[-1]) for series in history.series} == {NOW}
    assert [series.name for series in history.series] == ["users", "load", "search_p95"]


def test_users_quadruple_in_a_year_and_never_fall() -> None:
    users = simulated().users
    assert users.times[-1] - users.times[0] == 364 * DAY
    assert (users.values[0], users.values[-1]) == (300, 1200)
    assert np.all(np.diff(users.values) >= 0)


def test_load_follows_users_with_a_week() -> None:
    history = simulated()
    last = history.load.between(NOW - 7 * DAY + 1, NOW)
    assert np.quantile(last.values, 0.95) == pytest.approx(42.0)
    weekday = (np.floor(history.load.times / DAY).astype(int) + 3) % 7
    assert history.load.values[weekday >= 5].mean() < 0.8 * history.load.values[weekday < 5].mean()
    first = history.load.values[:400].mean()
    assert history.load.values[-400:].mean() > 2.5 * first


def test_latency_is_the_ramp_at_that_load() -> None:
    history = simulated()
    expected = 0.012 / (1 - history.load.values / 100)
    assert np.median(np.abs(np.log(history.signal.values / expected))) < 0.08
    assert np.corrcoef(history.load.values, history.signal.values)[0, 1] > 0.8


def test_the_same_seed_gives_the_same_year() -> None:
    one, two, other = simulated(3), simulated(3), simulated(4)
    assert np.array_equal(one.signal.values, two.signal.values)
    assert not np.array_equal(one.users.values, other.users.values)


@given(st.integers(0, 200), st.floats(0.0, 0.3))
def test_the_smoothed_curve_never_falls_and_stays_positive(seed: int, scatter: float) -> None:
    noisy = ramp(scatter=scatter, seed=seed)
    curve = smooth_curve(noisy, np.linspace(0.5, 70, 60))
    assert np.all(np.isfinite(curve))
    assert np.all(curve > 0)
    assert np.all(np.diff(curve) >= -1e-12)


def test_scatter_is_smoothed_away() -> None:
    load = np.linspace(5, 60, 30)
    truth = 0.012 / (1 - load / 100)
    errors = [np.abs(np.log(smooth_curve(ramp(scatter=0.1, seed=s), load) / truth)).max() for s in range(30)]
    assert np.median(errors) < 0.15


def test_the_file_is_one_that_can_be_imported(tmp_path: Path) -> None:
    history, target = simulated(), tmp_path / "history.csv"
    write_history(history, target)
    with read_history(target, ["users", "load", "search_p95"]) as read:
        assert read.rows == sum(len(series) for series in history.series)
