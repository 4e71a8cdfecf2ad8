"""Deploy shifts are found, and growth is not mistaken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.quantities import DAY, WEEK
from outgrow.signals.shifts import find_shifts
from outgrow.signals.weekly import Joined

MONDAY = 1_609_718_400.0


def history(weeks: int, growth: float, ratio: float = 1.0, at_week: int = 0, noise: float = 0.05, seed: int = 0,
            per_day: int = 1) -> Joined:  # fmt: skip
    """Latency of a queue under growing load, its level multiplied by ``ratio`` from ``at_week`` on."""
    rng = np.random.default_rng(seed)
    days = np.arange(weeks * 7 * per_day) / per_day
    load = 20 * np.exp(growth * (days / 7 - weeks)) * rng.uniform(0.7, 1.3, days.size)
    level = np.where(days >= 7 * at_week, ratio, 1.0)
    values = level / (1 - np.minimum(load / 50, 0.95)) * np.exp(noise * rng.standard_normal(days.size))
    return Joined(MONDAY + days * DAY, load, values)


@given(growth=st.floats(-0.01, 0.03), seed=st.integers(0, 100), weeks=st.integers(6, 80))
@settings(max_examples=30, deadline=None)
def test_growth_alone_is_no_shift_worth_the_name(growth: float, seed: int, weeks: int) -> None:
    """Noise alone may look like a small one now and then: that is what a test at any level means."""
    assert [shift for shift in find_shifts(history(weeks, growth, seed=seed)) if abs(np.log(shift.ratio)) > 0.1] == []


@pytest.mark.parametrize("ratio", [0.7, 1.3, 2.0])
@pytest.mark.parametrize("per_day", [1, 24])
def test_a_shift_is_dated_and_sized(ratio: float, per_day: int) -> None:
    shifts = find_shifts(history(40, 0.01, ratio, at_week=30, per_day=per_day))
    assert len(shifts) == 1
    assert shifts[0].time == pytest.approx(MONDAY + 30 * WEEK, abs=WEEK)
    assert shifts[0].ratio == pytest.approx(ratio, rel=0.1)


def in_steps(levels: int, noise: float, wall: float, seed: int, samples: int = 8) -> Joined:
    """Growth by 27 % every 24 days, load within a few percent of each level, the last one at ``wall`` of capacity."""
    rng = np.random.default_rng(seed)
    users = np.repeat(1.27 ** np.arange(levels, dtype=np.float64), samples)
    days = np.arange(users.size) // samples * 24 + 8 + 16 / samples * (np.arange(users.size) % samples)
    load = users * np.exp(0.05 * rng.standard_normal(users.size))
    values = 1 / (1 - wall * users / users[-1]) * np.exp(noise * rng.standard_normal(users.size))
    return Joined(MONDAY + days * DAY, load, values)


def test_growth_in_steps_is_hardly_ever_a_shift_however_near_the_wall() -> None:
    """What no level shows before and after is the curve. Load is measured with an error, so that levels touch: where
    there is much of it, some are mistaken all the same."""
    rng = np.random.default_rng(2)
    mistaken = 0
    for seed in range(120):
        levels, noise, wall = int(rng.integers(6, 11)), float(rng.uniform(0.01, 0.1)), float(rng.uniform(0.3, 0.8))
        found = find_shifts(in_steps(levels, noise, wall, seed, int(rng.choice([8, 16, 32]))))
        mistaken += any(abs(np.log(shift.ratio)) > 0.1 for shift in found)
    assert mistaken <= 18


@pytest.mark.parametrize("noise", [0.02, 0.05])
def test_a_few_samples_a_step_are_hardly_ever_a_shift(noise: float) -> None:
    found = [find_shifts(in_steps(8, noise, 0.79, seed)) for seed in range(30)]
    assert sum(any(abs(np.log(shift.ratio)) > 0.1 for shift in shifts) for shifts in found) <= 6


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ratio", [0.6, 1.6])
def test_a_shift_within_a_step_of_growth_is_found(ratio: float, seed: int) -> None:
    plain = in_steps(8, 0.03, 0.6, seed, samples=32)
    deployed = MONDAY + 23 * WEEK  # the middle of the last level but one
    shifted = Joined(plain.times, plain.driver, plain.values * np.where(plain.times >= deployed, ratio, 1.0))
    (shift,) = find_shifts(shifted)
    assert shift.time == deployed
    assert shift.ratio == pytest.approx(ratio, rel=0.15)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("growth", [0.003, 0.01, 0.03])
def test_a_shift_is_found_where_no_level_comes_twice_but_each_is_near_the_next(growth: float, seed: int) -> None:
    """Users of a service that only grows."""
    rng = np.random.default_rng(seed)
    days = np.arange(40 * 7)
    users = 1000 * np.exp(growth * days / 7)
    values = users**0.7 * np.where(days >= 7 * 30, 1.5, 1.0) * np.exp(0.04 * rng.standard_normal(days.size))
    (shift,) = find_shifts(Joined(MONDAY + days * DAY, users, values))
    assert shift.time == pytest.approx(MONDAY + 30 * WEEK, abs=WEEK)
    assert shift.ratio == pytest.approx(1.5, rel=0.1)


def test_two_shifts_come_oldest_first() -> None:
    once = history(60, 0.01, 1.4, at_week=20)
    twice = Joined(once.times, once.driver, np.where(once.times >= MONDAY + 45 * WEEK, 0.6, 1.0) * once.values)
    shifts = find_shifts(twice)
    assert [round((shift.time - MONDAY) / WEEK) for shift in shifts] == [20, 45]
    assert [shift.ratio for shift in shifts] == pytest.approx([1.4, 0.6], rel=0.1)


@given(factor=st.floats(1e-6, 1e6), load=st.floats(1e-3, 1e3))
@settings(max_examples=10, deadline=None)
def test_units_do_not_matter(factor: float, load: float) -> None:
    plain = history(40, 0.01, 1.3, at_week=30)
    found = find_shifts(Joined(plain.times, plain.driver * load, plain.values * factor))
    assert [shift.time for shift in found] == [shift.time for shift in find_shifts(plain)]


def test_single_bad_days_are_no_shift() -> None:
    plain = history(40, 0.01)
    values = plain.values.copy()
    values[::40] *= 4
    assert find_shifts(Joined(plain.times, plain.driver, values)) == ()


@pytest.mark.parametrize("values", [np.zeros(100), -np.ones(100), np.ones(100)])
def test_odd_signals_have_none(values: np.ndarray) -> None:
    times = MONDAY + np.arange(100) * DAY
    assert find_shifts(Joined(times, np.ones(100), values)) == ()
    assert find_shifts(Joined(times[:3], np.ones(3), values[:3])) == ()
    assert find_shifts(Joined(times[:0], np.ones(0), values[:0])) == ()
