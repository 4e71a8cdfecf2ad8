"""Published fits of the scalability law, published response times of queues, and replicas past the peak."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.outlook.records import Refusal
from outgrow.outlook.scalability import Usl, fit_usl, p95_mmc, probability_worse_though_scaled_out
from outgrow.quantities import HOUR
from outgrow.signals.series import FloatArray, Series, series_of

SDM91 = ([1, 18, 36, 72, 108, 144, 216], [64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2])
RAYTRACER = ([1, 4, 8, 12, 16, 20, 24, 28, 32, 48, 64], [20, 78, 130, 170, 190, 200, 210, 230, 260, 280, 310])


def fit(n: list[float], x: list[float]) -> Usl:
    told = fit_usl(np.array(n, dtype=float), np.array(x, dtype=float))
    assert isinstance(told, Usl)
    return told


def test_spec_sdm91_as_published() -> None:
    """Gunther, Guerrilla Capacity Planning; coefficients as the R package ``usl`` gives them."""
    told = fit(*SDM91)
    assert (told.alpha, told.beta, told.gamma) == pytest.approx((0.0277285, 0.0001044, 89.995), rel=4e-4)
    assert told.alpha == pytest.approx(0.0277285, rel=2e-4)
    assert told.alpha_error == pytest.approx(0.0091217, rel=2e-4)
    assert told.beta_error == pytest.approx(0.0000199, abs=5e-8)
    assert told.peak_n == pytest.approx(96.52, rel=2e-4)
    assert told.peak_throughput == pytest.approx(1884, rel=2e-4)
    assert told.limit == pytest.approx(3245.6, rel=2e-4)


def test_ray_tracer_as_published_with_beta_at_its_bound() -> None:
    told = fit(*RAYTRACER)
    assert told.beta == 0
    assert told.beta_error is None
    assert told.peak_n == math.inf
    assert (told.alpha, told.gamma) == pytest.approx((0.057771, 21.848843), rel=2e-4)
    assert told.limit == pytest.approx(378, rel=1e-3)
    assert told.peak_throughput == told.limit
    assert told.at(np.array([96.0, 128.0])) == pytest.approx([323.3, 335.5], rel=2e-4)


def test_ray_tracer_first_six_as_published() -> None:
    told = fit(RAYTRACER[0][:6], RAYTRACER[1][:6])
    assert told.alpha == pytest.approx(0.02444, abs=5e-6)
    assert told.beta == pytest.approx(0.00163, abs=5e-6)
    assert told.gamma == pytest.approx(20.85605, rel=2e-4)


def test_the_exact_law_is_found_exactly() -> None:
    told = fit([1, 2, 4, 6, 8, 10], [1, 1.8868, 3.0769, 3.5294, 3.5398, 3.3557])
    assert (told.alpha, told.beta, told.gamma) == pytest.approx((0.02, 0.02, 1), rel=5e-4)


@given(alpha=st.floats(0.0, 0.3), beta=st.floats(0.0, 0.01), gamma=st.floats(0.01, 1e4), factor=st.floats(1e-3, 1e3))
@settings(max_examples=40, deadline=None)
def test_a_change_of_unit_scales_gamma_alone(alpha: float, beta: float, gamma: float, factor: float) -> None:
    n = np.array([1.0, 2, 4, 8, 16, 32])
    x = Usl(alpha, beta, gamma, None, None, None).at(n) * np.array([1.01, 0.99, 1.02, 1.0, 0.98, 1.0])
    first, second = fit_usl(n, x), fit_usl(n, x * factor)
    assert isinstance(first, Usl)
    assert isinstance(second, Usl)
    assert second.gamma == pytest.approx(first.gamma * factor, rel=1e-5)
    assert (second.alpha, second.beta) == pytest.approx((first.alpha, first.beta), rel=1e-4, abs=1e-7)
    assert min(first.alpha, first.beta) >= 0


def test_three_sizes_are_refused() -> None:
    told = fit_usl(np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.9, 3.0]))
    assert isinstance(told, Refusal)
    assert told.code == "too-few-levels"


@pytest.mark.parametrize(
    ("servers", "ratios"),
    [(1, (1.80, 3.00, 9.0)), (4, (1.05, 1.25, 2.73)), (8, (1.01, 1.06, 1.64)), (16, (1.00, 1.01, 1.21))],
)
def test_p95_of_a_queue_as_published(servers: int, ratios: tuple[float, float, float]) -> None:
    idle = p95_mmc(0.1, servers)
    assert [p95_mmc(rho, servers) / idle for rho in (0.5, 0.7, 0.9)] == pytest.approx(ratios, abs=0.0051)


def test_p95_of_one_server_in_closed_form() -> None:
    assert p95_mmc(0.6, 1) == pytest.approx(math.log(20) / 0.4, rel=1e-9)
    assert p95_mmc(1.0, 3) == math.inf
    assert p95_mmc(0.0, 3) == pytest.approx(math.log(20), rel=1e-9)


def scaled_out(alpha: float, beta: float, rising: float, last: int) -> tuple[Series, Series, Series]:
    """Hourly samples of ten days at each number of replicas, busy by day."""
    law = Usl(alpha, beta, 100.0, None, None, None)
    sizes = np.repeat([1, 2, 4, 6, 8, last], 240).astype(float)
    rng = np.random.default_rng(0)
    hours = np.arange(sizes.size)
    demand = np.where((hours % 24 >= 9) & (hours % 24 < 17), 1.0, 0.4)
    served: FloatArray = law.at(sizes) * demand * np.exp(0.02 * rng.standard_normal(sizes.size))
    seconds = 0.1 * sizes**rising * np.exp(0.05 * rng.standard_normal(sizes.size))
    times = 1.6e9 + hours * HOUR
    return tuple(  # type: ignore[return-value]  # three of them
        series_of(name, "", times, values)
        for name, values in (("replicas", sizes), ("served", served), ("p95", seconds))
    )


def worse(*arguments: float) -> float:
    told = probability_worse_though_scaled_out(*scaled_out(*arguments), np.random.default_rng(1))
    assert isinstance(told, float)
    return told


def test_past_the_peak_with_rising_latency_is_worse() -> None:
    assert worse(0.05, 0.03, 0.5, 12) > 0.95


def test_before_the_peak_or_without_rising_latency_it_is_not() -> None:
    assert worse(0.02, 0.0, 0.5, 12) < 0.05
    assert worse(0.05, 0.03, -0.3, 12) < 0.05


def test_replicas_that_hardly_varied_are_refused() -> None:
    replicas, served, seconds = scaled_out(0.05, 0.03, 0.5, 12)
    one = Series("replicas", "", replicas.times, np.ones(len(replicas)))
    told = probability_worse_though_scaled_out(one, served, seconds, np.random.default_rng(1))
    assert isinstance(told, Refusal)
    assert told.code == "too-few-levels"
    empty = series_of("none", "", [], [])
    assert isinstance(probability_worse_though_scaled_out(empty, empty, empty, np.random.default_rng(1)), Refusal)
