"""Where a ramp reaches a limit beyond its last level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.outlook.curve import level_at_limit
from outgrow.outlook.records import Refusal
from outgrow.quantities import Interval

LEVELS = np.array([1.0, 5, 10, 20, 30, 40])
MEASURED = np.array([11.6, 10.6, 13.9, 21.6, 35.7, 45.3])  # ms; it went on to 63.2 at 60 and 82.8 at 80


def level(limit: float, levels: np.ndarray = LEVELS, values: np.ndarray = MEASURED) -> Interval | Refusal:
    return level_at_limit(levels, values, limit, np.random.default_rng(0))


@pytest.mark.parametrize(("limit", "truth"), [(63.2, 60), (82.8, 80)])
def test_a_real_ramp_goes_on_as_it_did(limit: float, truth: float) -> None:
    told = level(limit)
    assert isinstance(told, Interval)
    assert told.low <= truth <= told.high
    assert told.mid == pytest.approx(truth, rel=0.12)


@given(limit=st.floats(20, 150), more=st.floats(0, 100))
@settings(max_examples=20, deadline=None)
def test_a_higher_limit_lies_at_a_higher_level(limit: float, more: float) -> None:
    first, second = level(limit), level(limit + more)
    if isinstance(first, Interval) and isinstance(second, Interval):
        assert first.mid <= second.mid
    else:
        assert isinstance(second, Refusal)


@given(axis=st.floats(1e-3, 1e3), unit=st.floats(1e-6, 1e6))
@settings(max_examples=20, deadline=None)
def test_units_do_not_matter(axis: float, unit: float) -> None:
    plain, other = level(80.0), level(80.0 * unit, LEVELS * axis, MEASURED * unit)
    assert isinstance(plain, Interval)
    assert isinstance(other, Interval)
    assert (other.low, other.mid, other.high) == pytest.approx(
        (plain.low * axis, plain.mid * axis, plain.high * axis), rel=1e-6
    )


def test_inside_the_ramp_it_is_read_off() -> None:
    told = level(40.0)
    assert isinstance(told, Interval)
    assert (told.low, told.high) == (30, 40)
    assert told.mid == pytest.approx(30 + 10 * (40 - 35.7) / (45.3 - 35.7))


def test_refusals() -> None:
    few, flat = level(80.0, LEVELS[:3], MEASURED[:3]), level(1e4, LEVELS, np.full(6, 10.0))
    assert isinstance(few, Refusal)
    assert few.code == "too-few-levels"
    assert isinstance(flat, Refusal)
    assert flat.code == "not-knowable-yet"
