"""Laws of the simulator: what it calls true is true, and the origin never looks ahead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulator import (
    FIRST_FRESH_SEED,
    HORIZON_WEEKS,
    SERVERS,
    CurveKind,
    TrueCurve,
    World,
    first_day_at,
    mmc_quantile,
    simulate,
)
from outgrow.quantities import DAY, WEEK

WORLDS: tuple[World, ...] = ("in-model", "saturating", "step-capacity")
seeds = st.integers(0, FIRST_FRESH_SEED * 2)


@given(seed=seeds, world=st.sampled_from(WORLDS))
@settings(max_examples=15, deadline=None)
def test_the_same_seed_gives_the_same_history(seed: int, world: World) -> None:
    first, second = simulate(seed, world=world), simulate(seed, world=world)
    assert first.crossing == second.crossing
    assert first.limit == second.limit
    np.testing.assert_array_equal(first.users.values, second.users.values)
    np.testing.assert_array_equal(first.signal.values, second.signal.values)
    np.testing.assert_array_equal(first.ramp_to_limit.values, second.ramp_to_limit.values)


def test_another_seed_gives_another_history() -> None:
    assert simulate(1).limit != simulate(2).limit


@given(seed=seeds, world=st.sampled_from(WORLDS))
@settings(max_examples=25, deadline=None)
def test_the_signal_is_at_its_limit_at_the_true_users(seed: int, world: World) -> None:
    history = simulate(seed, world=world)
    at_limit = history.users_at_limit * history.busy_driver_per_user
    below, exactly, above = history.curve.value(at_limit * np.array([0.99, 1.0, 1.01]))
    assert exactly == pytest.approx(history.limit, rel=1e-6)
    assert below < history.limit < above


@given(seed=seeds, world=st.sampled_from(WORLDS))
@settings(max_examples=25, deadline=None)
def test_only_the_past_is_handed_out_and_the_crossing_lies_ahead(seed: int, world: World) -> None:
    history = simulate(seed, world=world)
    for series in (history.users, history.load, history.signal, history.utilisation):
        if series is not None:
            assert history.now - 101 * WEEK < series.times[0]
            assert series.times[-1] < history.now
            assert np.all(series.values > 0)
    assert history.now - history.users.times[0] > 19 * WEEK
    assert history.crossing > history.now
    assert not history.crosses or history.crossing <= history.now + HORIZON_WEEKS * WEEK


@pytest.mark.parametrize("kind", ["mmc", "usl", "power"])
def test_users_reach_the_limit_in_the_week_of_the_crossing(kind: CurveKind) -> None:
    """A steady history that is noise-free but for small shocks crosses where its own slope says."""
    missed = []
    for seed in range(30):
        history = simulate(seed, kind, "steady")
        if not history.crosses:
            continue
        days = (history.users.times - history.now) / DAY
        slope, level = np.polyfit(days, np.log(history.users.values), 1)
        expected = (np.log(history.users_at_limit) - level) / slope
        missed.append(abs((history.crossing - history.now) / DAY - expected) / max(expected, 28.0))
    assert np.median(missed) < 0.15


@given(
    values=st.lists(st.floats(0.1, 100), min_size=30, max_size=60),
    milestone=st.floats(1, 50),
    future=st.lists(st.floats(0.1, 100), min_size=1, max_size=20),
)
def test_the_origin_does_not_read_the_future(values: list[float], milestone: float, future: list[float]) -> None:
    day = first_day_at(milestone, np.array(values))
    if day is None:
        return
    changed = np.array([*values[: day + 1], *future])
    assert first_day_at(milestone, changed) == day


def test_the_origin_bears_missing_days() -> None:
    measured = np.array([1.0] * 10 + [np.nan] * 3 + [5.0] * 10)
    assert first_day_at(4.0, measured) == 15  # of the seven days three are missing; 1, 5, 5, 5 are left
    assert first_day_at(6.0, measured) is None


@pytest.mark.parametrize(
    ("servers", "ratios"),
    [(1, (1.80, 3.00, 9.0)), (4, (1.05, 1.25, 2.73)), (8, (1.01, 1.06, 1.64)), (16, (1.00, 1.01, 1.21))],
)
def test_p95_of_mmc_has_the_known_ratios(servers: int, ratios: tuple[float, float, float]) -> None:
    idle = mmc_quantile(servers, np.array([0.1]))
    measured = mmc_quantile(servers, np.array([0.5, 0.7, 0.9])) / idle
    np.testing.assert_allclose(measured, ratios, rtol=0.004)


def test_mmc_against_a_simulated_queue() -> None:
    """Lindley's recursion for M/M/1, and the earliest-free server for M/M/4."""
    rng = np.random.default_rng(7)
    for servers in (1, 4):
        arrivals = np.cumsum(rng.exponential(1 / (0.8 * servers), 60_000))
        work = rng.exponential(1.0, arrivals.size)
        free, responses = [0.0] * servers, np.empty(arrivals.size)
        for i, (arrived, needs) in enumerate(zip(arrivals, work, strict=True)):
            which = free.index(min(free))
            free[which] = max(free[which], arrived) + needs
            responses[i] = free[which] - arrived
        expected = float(mmc_quantile(servers, np.array([0.8]))[0])
        assert np.quantile(responses[2_000:], 0.95) == pytest.approx(expected, rel=0.12)


@given(
    kind=st.sampled_from(["mmc", "usl", "power"]),
    servers=st.sampled_from(SERVERS),
    alpha=st.floats(0.005, 0.1),
    beta=st.floats(1e-5, 1e-3),
    exponent=st.floats(0.7, 1.8),
)
def test_every_curve_rises(kind: CurveKind, servers: int, alpha: float, beta: float, exponent: float) -> None:
    curve = TrueCurve(kind, 100.0, 2.0, servers=servers, alpha=alpha, beta=beta, base=0.1, exponent=exponent)
    values = curve.value(np.linspace(0.5, 99.5, 200))
    assert np.all(np.diff(values) >= -1e-9)
    assert curve.driver_at(float(values[150])) == pytest.approx(np.linspace(0.5, 99.5, 200)[150], rel=0.02)


def test_usl_latency_is_clients_over_throughput() -> None:
    alpha, beta, clients = 0.03, 0.0002, 20
    throughput = clients / (1 + alpha * (clients - 1) + beta * clients * (clients - 1))
    peak = ((1 - alpha) / beta) ** 0.5
    most = peak / (1 + alpha * (peak - 1) + beta * peak * (peak - 1))
    curve = TrueCurve("usl", 1.0, 1.0, alpha=alpha, beta=beta)
    assert curve.value(np.array([throughput / most]))[0] == pytest.approx(clients / throughput, rel=1e-9)


def test_a_ramp_to_the_limit_ends_above_it_and_one_to_two_thirds_below() -> None:
    for seed in range(40):
        history = simulate(seed)
        full, part = history.ramp_to_limit, history.ramp_two_thirds
        assert full.values[-1] > history.limit
        assert np.all(full.values[:-1] <= history.limit)
        assert part.levels[-1] < history.users_at_limit * history.busy_driver_per_user
        assert full.axis == ("users" if history.family == "resource" else "load")


def test_the_mixture_is_the_declared_one() -> None:
    kinds = [simulate(seed).curve_kind for seed in range(200)]
    assert 0.35 < kinds.count("mmc") / 200 < 0.65
    assert kinds.count("usl") > 20
    assert kinds.count("power") > 20
