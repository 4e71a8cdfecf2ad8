"""Samples summed up by clock hour, so that a year of minutes is read as 8,766 rows. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgrow.quantities import HOUR
from outgrow.signals.series import FloatArray, Origin

ORIGINS: tuple[Origin, ...] = ("measured", "imported", "simulated")
"""By rising precedence; the bit of an origin in ``Hours.origins`` is its place here."""


@dataclass(frozen=True, slots=True, eq=False)
class Hours:
    """What is kept of each hour that has samples; shape (n,) each, ``starts`` strictly increasing."""

    starts: FloatArray
    counts: NDArray[np.int64]
    means: FloatArray
    medians: FloatArray
    mins: FloatArray
    maxes: FloatArray
    origins: NDArray[np.int64]

    def among(self, starts: FloatArray) -> Hours:
        """Only the hours that begin at one of ``starts``."""
        keep = np.isin(self.starts, starts)
        return Hours(
            self.starts[keep],
            self.counts[keep],
            self.means[keep],
            self.medians[keep],
            self.mins[keep],
            self.maxes[keep],
            self.origins[keep],
        )


def hour_starts(times: FloatArray) -> FloatArray:
    """The start of the hour of each time, shape (n,)."""
    return np.asarray(np.floor(times / HOUR) * HOUR, dtype=np.float64)


def whole_hours(times: FloatArray, size: int) -> Iterator[slice]:
    """Slices of about ``size`` of ``times`` (strictly increasing) that part no hour."""
    start = 0
    while start < times.size:
        end = min(start + size, times.size)
        if end < times.size:
            end = int(np.searchsorted(times, hour_starts(times[end - 1 : end])[0] + HOUR))
        yield slice(start, end)
        start = end


def sum_up(times: FloatArray, values: FloatArray, origins: NDArray[np.int64]) -> Hours:
    """The hours of samples.

    Args:
        times: shape (n,), n ≥ 1, strictly increasing.
        values: shape (n,).
        origins: shape (n,), one bit of ``ORIGINS`` each.
    """
    starts, first, counts = np.unique(hour_starts(times), return_index=True, return_counts=True)
    order = np.lexsort((values, np.repeat(np.arange(starts.size), counts)))
    ranked = values[order]
    low, high = first + (counts - 1) // 2, first + counts // 2
    # A mean of values near the largest float would overflow if summed first.
    means = np.add.reduceat(values / np.repeat(counts, counts), first)
    mins, maxes = ranked[first], ranked[first + counts - 1]
    return Hours(
        starts,
        counts.astype(np.int64),
        np.clip(means, mins, maxes),
        np.clip(ranked[low] / 2 + ranked[high] / 2, ranked[low], ranked[high]),
        mins,
        maxes,
        np.bitwise_or.reduceat(origins, first),
    )


def origin_bit(origin: Origin) -> int:
    """The bit that stands for an origin."""
    return 1 << ORIGINS.index(origin)


def origins_of(bits: int) -> tuple[Origin, ...]:
    """The origins whose bits are set."""
    return tuple(origin for place, origin in enumerate(ORIGINS) if bits >> place & 1)


def prevailing(bits: int) -> Origin:
    """The one origin a mixed series carries: simulated before imported before measured."""
    return origins_of(bits)[-1] if bits else "measured"
