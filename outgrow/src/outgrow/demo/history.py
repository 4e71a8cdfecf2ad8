"""A year of users that nobody counted: simulated, seeded, and labelled so wherever it goes.

The users are invented; what their load does to the service is read from the ramp that was measured on this machine.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from outgrow.quantities import DAY, HOUR
from outgrow.signals.series import FloatArray, Ramp, Series

USERS_A_YEAR_AGO = 300.0
USERS_NOW = 1200.0
DAYS = 364
SAMPLE_SECONDS = 4 * HOUR
BUSY_QUANTILE = 0.95  # of the last week: the load at which a forecast judges
WEEKDAY_LOAD = (1.0, 1.04, 1.06, 1.03, 0.96, 0.68, 0.62)  # Monday first
DAILY_SWING = 0.45
LOAD_NOISE, LATENCY_NOISE = 0.05, 0.06
MOST_LOAD_RATIO = 0.98


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedHistory:
    """Users (daily), load and the watched signal (every four hours), all of origin ``simulated``."""

    users: Series
    load: Series
    signal: Series

    @property
    def series(self) -> tuple[Series, Series, Series]:
        """The three of them."""
        return self.users, self.load, self.signal


def simulate_history(
    ramp: Ramp, *, busy_load_per_second: float, now: float, seed: int, users_signal: str, load_signal: str
) -> SimulatedHistory:
    """A year that ends ``now`` in a busy hour of ``busy_load_per_second``.

    Users grow from ``USERS_A_YEAR_AGO`` to ``USERS_NOW``, about 12 % a month, faster in some months than in others.
    Load follows them with a daily and a weekly cycle; the signal is the measured ``ramp`` interpolated at that load,
    with noise.

    Args:
        ramp: measured, its axis load.
        busy_load_per_second: the 95th percentile of load over the last week.
        now: seconds since the epoch. seed: of everything drawn.
        users_signal, load_signal: the declared names; the third is the ramp's.
    """
    random = np.random.default_rng(seed)
    days = now - np.arange(DAYS, -1, -1, dtype=np.float64) * DAY
    users = _users(days.size, random)
    times = now - np.arange(int(DAYS * DAY / SAMPLE_SECONDS), -1, -1, dtype=np.float64) * SAMPLE_SECONDS
    load = np.interp(times, days, users) * _rhythm(times) * np.exp(random.normal(0, LOAD_NOISE, times.size))
    last_week = times > now - 7 * DAY
    load *= busy_load_per_second / float(np.quantile(load[last_week], BUSY_QUANTILE))
    # No peak of the invented past may lie beyond what was measured.
    load = np.minimum(load, MOST_LOAD_RATIO * float(ramp.levels[-1]))
    seen = smooth_curve(ramp, load) * np.exp(random.normal(0, LATENCY_NOISE, times.size))
    return SimulatedHistory(
        Series(users_signal, "users", days, users, "simulated"),
        Series(load_signal, "per_second", times, load, "simulated"),
        Series(ramp.signal, "seconds", times, seen, "simulated"),
    )


def write_history(history: SimulatedHistory, path: Path) -> None:
    """The history as ``outgrow import`` reads it: columns ``time,signal,value``."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("time", "signal", "value"))
        for series in history.series:
            for time, value in zip(series.times.tolist(), series.values.tolist(), strict=True):
                writer.writerow((f"{time:.0f}", series.name, f"{value:.6g}"))


def _users(count: int, random: np.random.Generator) -> FloatArray:
    """Rising users a day: the pace of each month wanders, each day wavers, weekends bring fewer."""
    months = np.exp(random.normal(0, 0.25, count // 30 + 2))
    pace = np.interp(np.arange(count - 1), np.arange(months.size) * 30.0, months)
    steps = pace * np.exp(random.normal(0, 0.3, count - 1))
    path = np.concatenate([[0.0], np.cumsum(steps)])
    logs = np.log(USERS_A_YEAR_AGO) + path / path[-1] * np.log(USERS_NOW / USERS_A_YEAR_AGO)
    return np.asarray(np.round(np.exp(logs)), dtype=np.float64)


def _rhythm(times: FloatArray) -> FloatArray:
    """How busy people are at these times (UTC), around 1: most at two in the afternoon, little at the weekend."""
    weekday = (np.floor(times / DAY).astype(int) + 3) % 7  # the epoch began on a Thursday
    hour = (times % DAY) / HOUR
    swing = 1 + DAILY_SWING * np.cos((hour - 14) / 24 * 2 * np.pi)
    return np.asarray(np.array(WEEKDAY_LOAD)[weekday] * swing, dtype=np.float64)


def smooth_curve(ramp: Ramp, load: FloatArray) -> FloatArray:
    """The ramp's signal at any load inside it, without the scatter of its few seconds a step: shape of ``load``.

    A parabola through the reciprocals, each step weighing the same in proportion: near a single queue the reciprocal
    of latency falls in a straight line to zero at capacity (waiting ~ 1 / (1 - rho)). Steps beyond capacity, where
    latency depends on how long the step lasted, are left to plain interpolation. It never falls as load rises.
    """
    queued = ramp.values < 12 * ramp.values.min()
    levels, values = ramp.levels[queued], ramp.values[queued]
    scale = float(levels[-1])
    matrix = np.vander(levels / scale, 3) * values[:, None]
    factors = np.linalg.lstsq(matrix, np.ones(values.size), rcond=None)[0]
    grid = np.linspace(0, scale, 200)
    reciprocal = np.minimum.accumulate(np.vander(grid / scale, 3) @ factors)
    smooth = 1 / np.maximum(reciprocal, 1 / float(values.max()))
    inside = np.interp(load, grid, smooth)
    return np.asarray(np.where(load <= scale, inside, np.interp(load, ramp.levels, ramp.values)), dtype=np.float64)
