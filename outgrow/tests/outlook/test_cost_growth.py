"""Capacity read off utilisation, where a request costs more as users bring data, and where it does not."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from outgrow.outlook.records import ForecastInputs
from outgrow.outlook.reduction import Reduced, reduce_inputs
from outgrow.signals.series import series_of

USERS_NOW = 4000.0
CAPACITY_NOW = 100.0
"""Requests a second at what one costs now."""


def capacity(make: Callable[..., ForecastInputs], cost: float, seed: int, noise: float = 0.05) -> tuple[float, float]:
    """ln C and its deviation, where a request costs users to the power of ``cost``."""
    inputs = make(growth_per_week=0.03, users_now=USERS_NOW, seed=seed)
    assert inputs.load is not None
    users = np.interp(inputs.load.times, inputs.users.times, inputs.users.values)
    rng = np.random.default_rng([seed, 7])
    busy = inputs.load.values / CAPACITY_NOW * (users / USERS_NOW) ** cost
    busy *= np.exp(noise * rng.standard_normal(busy.size))
    utilisation = series_of("cpu", "ratio", inputs.load.times, busy)
    reduced = reduce_inputs(ForecastInputs(**{name: getattr(inputs, name) for name in inputs.__slots__
                                              if name != "utilisation"}, utilisation=utilisation))  # fmt: skip
    assert isinstance(reduced, Reduced)
    assert reduced.capacity is not None
    assert any("costs more as users grow" in each for each in reduced.notes) == (cost >= 0.3) or 0 < cost < 0.3
    return reduced.capacity


@pytest.mark.parametrize("cost", [0.3, 0.7, 1.0])
def test_capacity_is_where_load_and_cost_meet(make: Callable[..., ForecastInputs], cost: float) -> None:
    """Load of 40/s now at 40 % of capacity; at f times the users, f^(1 + cost) times 40 %."""
    truth = math.log(40) + math.log(100 / 40) / (1 + cost)
    for seed in range(12):
        found, deviation = capacity(make, cost, seed)
        assert abs(found - truth) < 1.5 * deviation
        assert found < math.log(CAPACITY_NOW) - deviation / 2


def test_where_cost_stays_nothing_is_taken_off(make: Callable[..., ForecastInputs]) -> None:
    for seed in range(25):
        found, deviation = capacity(make, 0.0, seed)
        assert found == pytest.approx(math.log(CAPACITY_NOW), abs=0.02)
        assert deviation < 0.13


def test_more_cost_is_never_more_capacity(make: Callable[..., ForecastInputs]) -> None:
    found = [capacity(make, cost, 3)[0] for cost in (0.0, 0.05, 0.2, 0.4, 0.8, 1.2)]
    assert all(later <= earlier + 0.02 for earlier, later in pairwise(found))
