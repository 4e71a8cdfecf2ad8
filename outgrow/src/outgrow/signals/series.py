"""Frozen series and ramps: the two shapes in which every measurement travels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Origin = Literal["measured", "imported", "simulated"]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One signal over time.

    Attributes:
        name: the declared signal.
        unit: its base unit (``seconds``, ``bytes``, ``ratio``, ``users``, …).
        times: shape (n,), seconds since the epoch, strictly increasing.
        values: shape (n,), in ``unit``, all finite. A gap is a missing time, never a zero.
        origin: where it came from; ``simulated`` is shown wherever the series shows.
    """

    name: str
    unit: str
    times: FloatArray
    values: FloatArray
    origin: Origin = "measured"

    def __post_init__(self) -> None:
        if self.times.shape != self.values.shape or self.times.ndim != 1:
            raise ValueError(f"{self.name}: times {self.times.shape} and values {self.values.shape} differ in shape")
        if self.times.size and not (np.all(np.diff(self.times) > 0) and np.all(np.isfinite(self.values))):
            raise ValueError(f"{self.name}: times must strictly increase and values be finite")

    def __len__(self) -> int:
        return int(self.times.size)

    def between(self, start: float, end: float) -> Series:
        """The samples with ``start ≤ time ≤ end``."""
        first, last = np.searchsorted(self.times, [start, end], side="left")
        if last < self.times.size and self.times[last] == end:
            last += 1
        return Series(self.name, self.unit, self.times[first:last], self.values[first:last], self.origin)


def series_of(name: str, unit: str, times: object, values: object, origin: Origin = "measured") -> Series:
    """A ``Series`` from any two sequences: sorted, the last of equal times kept, non-finite values dropped."""
    time_array = np.asarray(times, dtype=np.float64).ravel()
    value_array = np.asarray(values, dtype=np.float64).ravel()
    order = np.argsort(time_array, kind="stable")
    time_array, value_array = time_array[order], value_array[order]
    keep = np.isfinite(value_array) & np.isfinite(time_array)
    time_array, value_array = time_array[keep], value_array[keep]
    if time_array.size:
        last_of_equal = np.append(np.diff(time_array) > 0, True)
        time_array, value_array = time_array[last_of_equal], value_array[last_of_equal]
    return Series(name, unit, time_array, value_array, origin)


@dataclass(frozen=True, slots=True, eq=False)
class Ramp:
    """A load test that raises load step by step.

    Attributes:
        name: what was ramped, for the reader.
        signal: the declared signal the ramp measured.
        axis: what ``levels`` counts: requests a second (``load``), ``users``, or parallel clients (``concurrency``).
        levels: shape (n,), strictly increasing, > 0.
        values: shape (n,), the signal at each level, in the signal's base unit.
        loop: ``closed`` when each client waits for its answer (then load falls as latency rises: never pooled with
            production data), ``open`` when requests leave on schedule.
        throughput_per_second: shape (n,) or None; what was actually served at each level.
        quantiles: further measured quantiles by probability, each shape (n,).
        made_at: when it ran, seconds since the epoch.
    """

    name: str
    signal: str
    axis: Literal["load", "users", "concurrency"]
    levels: FloatArray
    values: FloatArray
    loop: Literal["open", "closed"]
    made_at: float
    throughput_per_second: FloatArray | None = None
    quantiles: Mapping[float, FloatArray] = field(default_factory=dict)
    origin: Origin = "measured"

    def __post_init__(self) -> None:
        if self.levels.shape != self.values.shape or self.levels.ndim != 1 or self.levels.size < 2:
            raise ValueError(f"ramp {self.name}: needs at least two levels with a value each")
        if not (np.all(np.diff(self.levels) > 0) and self.levels[0] > 0 and np.all(np.isfinite(self.values))):
            raise ValueError(f"ramp {self.name}: levels must be positive and strictly increase, values be finite")
