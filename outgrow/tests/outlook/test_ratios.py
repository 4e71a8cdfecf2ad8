"""Does it grow faster than users, and over how many regions?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.outlook.ratios import forecast_spread, probability_outpaces, student_t_above
from outgrow.outlook.records import Refusal
from outgrow.quantities import DAY, WEEK, Interval
from outgrow.signals.series import FloatArray, Series, series_of

START = 1_609_718_400.0


def grown(name: str, first: float, per_week: float, days: int = 280, noise: float = 0.005, seed: int = 0) -> Series:
    times = np.arange(days) + 0.5
    shocks = noise * np.random.default_rng(seed).standard_normal(days)
    return series_of(name, "users", START + times * DAY, first * np.exp(per_week / 7 * times + shocks))


def outpaces(exponent: float, correlated: float = 0.0, seed: int = 0, factor: float = 1.0) -> float:
    users = grown("users", 1000, 0.01)
    steps = np.random.default_rng(seed).standard_normal(len(users))
    drift: FloatArray = 0.004 * np.cumsum(steps) if correlated else 0.01 * steps
    memory = series_of("memory", "bytes", users.times, factor * users.values**exponent * np.exp(drift))
    told = probability_outpaces(memory, users, float(users.times[-1]) + DAY)
    assert isinstance(told, float)
    return told


def test_clear_cases() -> None:
    assert outpaces(1.5) > 0.99
    assert outpaces(0.6) < 0.01


def test_wandering_residuals_are_doubted() -> None:
    independent = [outpaces(1.1, seed=seed) for seed in range(6)]
    wandering = [outpaces(1.1, correlated=1, seed=seed) for seed in range(6)]
    assert min(independent) > 0.95
    assert float(np.median(wandering)) < 0.95


@given(factor=st.floats(1e-6, 1e12), exponent=st.floats(0.5, 1.5))
@settings(max_examples=10, deadline=None)
def test_the_unit_of_the_signal_does_not_matter(factor: float, exponent: float) -> None:
    assert outpaces(exponent, factor=factor) == pytest.approx(outpaces(exponent), abs=1e-6)


def test_refusals() -> None:
    users, empty = grown("users", 1000, 0.01), series_of("memory", "bytes", [], [])
    now = float(users.times[-1])
    cases = [
        (empty, users, "no-signal"),
        (users, empty, "no-users"),
        (grown("memory", 1e9, 0.01, days=40), users, "too-short"),
        (users, grown("users", 1000, 0.0), "too-few-levels"),
    ]
    for signal, of_users, code in cases:
        told = probability_outpaces(signal, of_users, now)
        assert isinstance(told, Refusal)
        assert told.code == code
        assert told.next_step


def test_student_t_has_its_published_quantiles() -> None:
    """Tables of the t distribution: P(T > 2.571) = .025 with 5, P(T > 1.310) = .10 with 30 degrees."""
    assert student_t_above(2.5706, 5) == pytest.approx(0.025, rel=1e-4)
    assert student_t_above(1.3104, 30) == pytest.approx(0.10, rel=1e-4)
    assert student_t_above(-1.3104, 30) == pytest.approx(0.90, rel=1e-4)


REGIONS = {
    "us": grown("us", 1000, 0.004, seed=1),
    "eu": grown("eu", 300, 0.01, seed=2),
    "ap": grown("ap", 10, 0.03, seed=3),
    "sa": grown("sa", 3, 0.0, seed=4),
}
NOW = START + 280 * DAY


def test_the_date_of_a_third_region() -> None:
    told = forecast_spread(REGIONS, threshold=2, breaks_at=3, now=NOW, lead_time_weeks=Interval(4, 4, 4))
    logs = {name: np.log(series.values[-1]) for name, series in REGIONS.items()}
    rates = {"us": 0.004, "eu": 0.01, "ap": 0.03, "sa": 0.0}
    ahead = np.arange(0, 150)
    users = {name: np.exp(logs[name] + rates[name] * ahead) for name in REGIONS}
    week = int(np.argmax(users["ap"] >= 0.05 * sum(users.values())))
    assert told.warn.verdict == "dated"
    assert told.warn.crossing is not None
    assert week > 20
    assert told.warn.crossing.mid == pytest.approx(NOW + week * WEEK, abs=6 * WEEK)
    assert told.warn.crossing.low < NOW + week * WEEK < told.warn.crossing.high
    assert told.breaks.verdict == "users-only"
    assert told.breaks.refusal is not None
    assert told.breaks.refusal.code == "no-crossing"
    assert told.start_by is None
    again = forecast_spread(REGIONS, threshold=2, breaks_at=3, now=NOW, lead_time_weeks=Interval(4, 4, 4))
    assert (again.digest, again.warn) == (told.digest, told.warn)


@given(threshold=st.integers(0, 3), more=st.integers(0, 2))
@settings(max_examples=8, deadline=None)
def test_more_regions_are_never_reached_sooner(threshold: int, more: int) -> None:
    told = forecast_spread(REGIONS, threshold=threshold, breaks_at=threshold + more, now=NOW, draws=100)
    assert told.warn.estimate is not None
    assert told.breaks.estimate is not None
    assert told.warn.estimate.mid <= told.breaks.estimate.mid


def test_a_spread_reached_already_is_dated_now() -> None:
    told = forecast_spread(REGIONS, threshold=1, now=NOW, draws=100)
    assert told.warn.crossing == Interval(NOW, NOW, NOW)
    assert told.warn.probability == 1


def test_regions_without_history_are_refused() -> None:
    for regions, code in (({}, "no-users"), ({"us": grown("us", 10, 0.01, days=50)}, "too-short")):
        told = forecast_spread(regions, threshold=2, now=NOW)
        assert told.warn.refusal is not None
        assert told.warn.refusal.code == code
