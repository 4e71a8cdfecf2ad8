"""The curve: least squares that never go negative, and what every drawn curve obeys."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.outlook.curve import Curves, RampPoints, fit_curves
from outgrow.outlook.nonnegative import solve_nonnegative
from outgrow.outlook.shapes import POWER, QUEUE, SCALING, bend, bend_inside
from outgrow.signals.series import FloatArray
from outgrow.signals.weekly import Bins

DRAWS = 200
few = settings(max_examples=10, deadline=None)


def bins_of(x: FloatArray, y: FloatArray, error: float = 0.005) -> Bins:
    return Bins(x, y, error * np.abs(y), np.full(x.size, 20.0))


def fitted(bins: Bins, *ramps: RampPoints, **changes: object) -> Curves:
    settings_: dict[str, object] = {"draws": DRAWS, "rng": np.random.default_rng(0), **changes}
    return fit_curves(bins, ramps, "latency", **settings_)


def queue(x: FloatArray) -> FloatArray:
    return 0.05 / (1 - x / 100)


def brute_force(design: FloatArray, y: FloatArray) -> float:
    """The least sum of squares over all sets of active coefficients that come out non-negative."""
    best = float(y @ y)
    for size in (1, 2, 3):
        for chosen in itertools.combinations(range(3), size):
            answer, *_ = np.linalg.lstsq(design[:, chosen], y, rcond=None)
            if np.all(answer >= 0):
                best = min(best, float(np.square(y - design[:, chosen] @ answer).sum()))
    return best


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_non_negative_least_squares_finds_the_best_active_set(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, 12)
    design, y = np.stack([np.ones(12), x, x**3], axis=1), rng.normal(0.3, 1, 12)
    gram, moment = design.T @ design, design.T @ y
    entries = tuple(np.array(gram[i, j]) for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)))
    beta, gain = solve_nonnegative(entries, tuple(np.array(each) for each in moment))
    assert np.all(beta >= 0)
    assert np.square(y - design @ beta).sum() == pytest.approx(brute_force(design, y), abs=1e-6)
    assert float(y @ y) - float(gain) == pytest.approx(brute_force(design, y), abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "parameter"), [(POWER, 0.5), (POWER, 3.0), (QUEUE, 0.0), (QUEUE, 8.0), (SCALING, 0.3)]
)
def test_every_bend_rises_without_a_jump(kind: int, parameter: float) -> None:
    x = np.linspace(0, 1.3, 4001)
    h = bend(kind, np.array(parameter), x)
    assert h[0] == 0
    assert np.all(np.diff(h) > 0)
    assert np.diff(h).max() < 0.05 * h[-1]


def test_scaling_is_little_s_law_on_the_scalability_law() -> None:
    alpha, beta = 0.02, 1e-5  # large peak, so that n − 1 ≈ n
    clients = np.array([10.0, 50.0, 200.0])
    peak = np.sqrt((1 - alpha) / beta)

    def throughput(n: FloatArray) -> FloatArray:
        return n / (1 + alpha * (n - 1) + beta * n * (n - 1))

    share = throughput(clients) / throughput(np.array([peak]))
    response = clients / throughput(clients)
    told = 1 + bend_inside(SCALING, np.array(alpha * peak), share)
    assert told == pytest.approx(response, rel=0.03)


@few
@given(seed=st.integers(0, 50), limit=st.floats(0.06, 2), factor=st.floats(1, 5))
def test_a_higher_limit_is_never_reached_at_a_lower_load(seed: int, limit: float, factor: float) -> None:
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(5, 60, 20))
    curves = fitted(bins_of(x, queue(x) * np.exp(0.05 * rng.standard_normal(20)), 0.05))
    assert np.all(curves.reaches(limit) <= curves.reaches(limit * factor))
    assert np.all(np.diff(curves.at(np.linspace(1, 200, 30)), axis=1) >= -1e-12)


@few
@given(seed=st.integers(0, 50), limit=st.floats(0.06, 0.5))
def test_where_a_curve_reaches_a_limit_its_value_is_the_limit(seed: int, limit: float) -> None:
    x = np.linspace(5, 60, 20)
    curves = fitted(bins_of(x, queue(x)), rng=np.random.default_rng(seed))
    found = curves.reaches(limit)
    inside = np.isfinite(found) & (found > 0) & (found < 0.98 * np.where(curves.kind == POWER, np.inf, curves.capacity)
                                                 * curves.driver_scale)  # fmt: skip
    values = curves.at(found[inside])[inside].diagonal()
    assert values == pytest.approx(np.full(values.size, limit), rel=1e-4)


def test_a_ramp_to_the_limit_finds_the_capacity() -> None:
    x, levels = np.linspace(5, 40, 25), np.arange(10.0, 99.0, 8)
    passive = fitted(bins_of(x, queue(x)))
    joined = fitted(bins_of(x, queue(x)), RampPoints(levels, queue(levels)))
    truth = 90.0  # .5 s
    low, mid, high = np.quantile(joined.reaches(0.5), [0.1, 0.5, 0.9])
    assert mid == pytest.approx(truth, rel=0.05)
    assert high / low < 1.5
    passive_low, passive_high = np.quantile(passive.reaches(0.5), [0.1, 0.9])
    assert passive_low < truth < passive_high


def test_a_rig_off_by_a_tenth_is_bridged_where_both_overlap() -> None:
    x, levels = np.linspace(5, 80, 30), np.arange(10.0, 106.0, 6)
    ramp = RampPoints(levels, queue(levels / 1.1))  # the rig carries 10 % more
    found = np.median(fitted(bins_of(x, queue(x), 0.003), ramp).reaches(0.5))
    assert found == pytest.approx(90, rel=0.04)


def test_measured_utilisation_places_the_wall() -> None:
    x = np.linspace(5, 30, 25)
    flat = bins_of(x, 0.05 + 0 * x, 0.05)
    without, known = fitted(flat), fitted(flat, capacity=(np.log(100), 0.1))
    spread = [np.divide(*np.quantile(each.reaches(1.0), [0.9, 0.1])) for each in (without, known)]
    assert spread[1] < 0.5 * spread[0]
    assert np.median(known.reaches(1.0)) == pytest.approx(100, rel=0.1)


def test_a_ramp_that_stays_flat_moves_the_wall_beyond_it() -> None:
    x, levels = np.linspace(5, 30, 25), np.arange(10.0, 200.0, 20)
    curves = fitted(bins_of(x, 0.05 + 0 * x), RampPoints(levels, 0.05 + 0 * levels))
    assert np.quantile(curves.reaches(1.0), 0.1) > 150


def test_a_resource_has_no_wall() -> None:
    x = np.linspace(100, 1000, 25)
    curves = fit_curves(bins_of(x, 1e6 + 2e3 * x), (), "resource", draws=DRAWS, rng=np.random.default_rng(0))
    assert set(curves.kind.tolist()) == {POWER}
    assert curves.wall_share == 0
    assert np.median(curves.reaches(5e6)) == pytest.approx(2000, rel=0.05)


def test_a_free_intercept_makes_a_constant_shift_change_nothing() -> None:
    x = np.linspace(5, 60, 20)
    options = {"draws": DRAWS, "free_intercept": True}
    values = -1000 + 8 * x
    found = fit_curves(bins_of(x, values, 0.001), (), "resource", rng=np.random.default_rng(0), **options)
    assert np.median(found.reaches(-400.0)) == pytest.approx(75, rel=0.03)


def test_more_error_in_gives_more_doubt_out() -> None:
    x = np.linspace(100, 1000, 25)
    width = []
    for error in (0.01, 0.1):
        bins = bins_of(x, 1e6 + 2e3 * x, error)
        curves = fit_curves(bins, (), "resource", draws=DRAWS, rng=np.random.default_rng(0))
        low, high = np.quantile(curves.reaches(5e6), [0.1, 0.9])
        width.append(high / low - 1)
    assert width[1] > 2 * width[0]
