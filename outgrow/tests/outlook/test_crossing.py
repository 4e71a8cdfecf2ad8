"""Composition: first passage, doubt, lead time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.outlook.crossing import draw_lead_time, first_passage, normal_quantile, percentiles, split_doubt
from outgrow.quantities import Interval


def walks(seed: int, draws: int = 50, weeks: int = 30) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(0.02, 0.1, (draws, weeks + 1))
    return np.maximum.accumulate(np.cumsum(steps, axis=1), axis=1)


@given(seed=st.integers(0, 1000), limit=st.floats(-1, 3), more=st.floats(0, 2))
@settings(max_examples=40, deadline=None)
def test_a_higher_limit_is_never_passed_sooner(seed: int, limit: float, more: float) -> None:
    highest = walks(seed)
    first = first_passage(highest, np.full(50, limit))
    assert np.all(first <= first_passage(highest, np.full(50, limit + more)))
    assert np.all((first >= 0) & ((first <= 30) | np.isinf(first)))


def test_between_weeks_by_straight_line() -> None:
    highest = np.array([[0.0, 1.0, 1.0, 3.0]] * 5)
    told = first_passage(highest, np.array([-1.0, 0.25, 2.0, 3.0, 3.5]))
    assert told == pytest.approx([0, 0.25, 2.5, 3.0, math.inf])
    assert first_passage(highest[:2], np.array([math.inf, -math.inf])).tolist() == [math.inf, 0]


def test_percentiles_survive_infinity() -> None:
    told = percentiles(np.array([1.0] * 30 + [2.0] * 40 + [math.inf] * 30))
    assert (told.low, told.mid, told.high) == (1, 2, math.inf)


def test_doubt_goes_where_the_spread_is() -> None:
    weeks, draws = 60, 200
    rng = np.random.default_rng(0)
    straight = np.tile(0.02 * np.arange(weeks + 1), (draws, 1))
    spread = straight * rng.lognormal(0, 0.3, draws)[:, None]
    sure, unsure = np.full(draws, 0.5), 0.5 * rng.lognormal(0, 0.3, draws)
    middle = straight[0]
    assert split_doubt(spread, middle, sure).growth == pytest.approx(1)
    assert split_doubt(straight, middle, unsure).curve == pytest.approx(1)
    both = split_doubt(spread, middle, unsure)
    assert both.growth + both.curve == pytest.approx(1)
    assert 0.3 < both.growth < 0.7
    assert split_doubt(straight, middle, sure).growth == 0.5


def test_lead_times_pass_through_their_bounds() -> None:
    drawn = draw_lead_time(Interval(2, 3, 8), 40_000, np.random.default_rng(0))
    assert np.quantile(drawn, [0.1, 0.5, 0.9]) == pytest.approx([2, 3, 8], rel=0.03)
    assert np.all(draw_lead_time(Interval(4, 4, 4), 10, np.random.default_rng(0)) == 4)


def test_normal_quantile_is_the_inverse_of_the_distribution() -> None:
    assert normal_quantile(0.9) == pytest.approx(1.2815515655)
    assert normal_quantile(0.5) == pytest.approx(0, abs=1e-12)
