"""Histories with a known answer, made without the benchmark's simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from outgrow.outlook.records import ForecastInputs
from outgrow.quantities import DAY
from outgrow.signals.series import FloatArray, Ramp, series_of

START = 1_609_718_400.0  # Monday, 4 January 2021, 00:00 UTC
Curve = Callable[[FloatArray], FloatArray]


def queue_latency(load: FloatArray) -> FloatArray:
    """50 ms at rest, an M/M/1 with a capacity of 100/s."""
    return 0.05 / (1 - np.minimum(load / 100, 0.999))


@pytest.fixture
def make() -> Callable[..., ForecastInputs]:
    """Daily history of a service: users grow log-linearly, load is .01/s for each, with a weekly cycle."""

    def build(
        *,
        weeks: int = 40,
        growth_per_week: float = 0.015,
        users_now: float = 4_000.0,
        noise: float = 0.02,
        curve: Curve = queue_latency,
        seed: int = 0,
        **changes: object,
    ) -> ForecastInputs:
        rng = np.random.default_rng(seed)
        days = np.arange(7 * weeks)
        times = START + (days + 0.5) * DAY
        users = users_now * np.exp(growth_per_week / 7 * (days - days[-1]))
        cycle = np.array([1.0, 1.0, 1.0, 1.0, 0.95, 0.7, 0.75])[days % 7]
        load = 0.01 * users * cycle * np.exp(0.03 * rng.standard_normal(days.size))
        signal = curve(load) * np.exp(noise * rng.standard_normal(days.size))
        seen = users * np.exp(0.003 * rng.standard_normal(days.size))
        inputs = ForecastInputs(
            users=series_of("users", "users", times, seen),
            load=series_of("requests", "per_second", times, load),
            signal=series_of("p95", "seconds", times, signal),
            driver="load",
            family="latency",
            direction="above",
            threshold=0.5,
            breaks_at=1.0,
            now=float(times[-1]) + DAY,
        )
        return replace(inputs, **changes)

    return build


@pytest.fixture
def ramp() -> Ramp:
    """An open-loop ramp of the same service to its limit."""
    levels = np.arange(10.0, 100.0, 8.0)
    return Ramp("rig", "p95", "load", levels, queue_latency(levels), "open", START + 200 * DAY)
