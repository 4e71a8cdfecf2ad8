"""Weeks: medians of a series by week, a signal joined to what drives it, and the joined samples binned by load.

Weeks run from Monday 00:00 UTC and are numbered from the first Monday of 1970. Only complete weeks count, so that
whatever is read off them changes when a week completes and not before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from outgrow.quantities import DAY, WEEK
from outgrow.signals.series import FloatArray, Series

FIRST_MONDAY = 4 * DAY
LEAST_COVERAGE = 0.5
MEDIAN_TO_ERROR = 1.2533 * 1.4826


@dataclass(frozen=True, slots=True, eq=False)
class Weekly:
    """One number a week.

    Attributes:
        first_week: number of the first week.
        values: shape (weeks,), in the unit of the series; NaN where a week has no or too few samples. Neither the
            first nor the last is NaN.
    """

    first_week: int
    values: FloatArray

    def __len__(self) -> int:
        return int(self.values.size)

    @property
    def weeks(self) -> NDArray[np.int64]:
        """Numbers of the weeks, shape (weeks,)."""
        return np.arange(self.first_week, self.first_week + self.values.size, dtype=np.int64)

    @property
    def known(self) -> int:
        """How many weeks have a value."""
        return int(np.count_nonzero(np.isfinite(self.values)))


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Samples of a signal with the value of its driver at the same moment; all shapes (n,)."""

    times: FloatArray
    driver: FloatArray
    values: FloatArray

    def since(self, start: float) -> Joined:
        """The samples from ``start`` on (seconds since the epoch)."""
        first = int(np.searchsorted(self.times, start))
        return Joined(self.times[first:], self.driver[first:], self.values[first:])


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Joined samples summarised by level of the driver; all shapes (n,), ``driver`` increasing.

    ``error`` is the standard error of ``value`` (a median), in the signal's unit; ``counts`` are samples a bin.
    """

    driver: FloatArray
    value: FloatArray
    error: FloatArray
    counts: FloatArray


def week_of(time: float) -> int:
    """Number of the week that holds ``time`` (seconds since the epoch)."""
    return math.floor((time - FIRST_MONDAY) / WEEK)


def week_start(week: int) -> float:
    """The Monday 00:00 UTC at which a week begins, seconds since the epoch."""
    return FIRST_MONDAY + week * WEEK


def weekly_quantile(series: Series, end: float, quantile: float = 0.5) -> Weekly:
    """A quantile of each complete week before ``end``.

    Weeks with fewer than half the samples of a typical week are gaps: a week of which only the Sunday was measured
    says little about the week.
    """
    last = week_of(end)
    stop = int(np.searchsorted(series.times, week_start(last)))
    if stop == 0:
        return Weekly(last, np.empty(0))
    first = week_of(float(series.times[0]))
    edges = np.searchsorted(series.times[:stop], week_start(0) + WEEK * np.arange(first, last + 1))
    counts = np.diff(edges)
    least = LEAST_COVERAGE * float(np.median(counts[counts > 0]))
    values = np.full(last - first, np.nan)
    for week in np.flatnonzero((counts > 0) & (counts >= least)):
        values[week] = sorted_quantile(np.sort(series.values[edges[week] : edges[week + 1]]), quantile)
    known = np.flatnonzero(np.isfinite(values))
    return Weekly(first + int(known[0]), values[known[0] : known[-1] + 1])


def sorted_quantile(ordered: FloatArray, quantile: float) -> float:
    """Linear-interpolated quantile of sorted values, at least one."""
    position = quantile * (ordered.size - 1)
    below = int(position)
    above = min(below + 1, ordered.size - 1)
    return float(ordered[below] + (position - below) * (ordered[above] - ordered[below]))


def join(signal: Series, driver: Series, end: float) -> Joined:
    """Each sample of ``signal`` before ``end`` with its driver interpolated at that moment.

    Samples in a gap of the driver (further apart than three of its usual steps) are left out rather than guessed.
    """
    first, stop = np.searchsorted(signal.times, [driver.times[0] if len(driver) else math.inf, end])
    times = signal.times[first:stop]
    if times.size == 0 or len(driver) == 0:
        return Joined(np.empty(0), np.empty(0), np.empty(0))
    at = np.searchsorted(driver.times, times, side="right")
    steps = np.diff(driver.times)
    usual = float(np.median(steps)) if steps.size else DAY
    after = np.minimum(at, driver.times.size - 1)
    gap = driver.times[after] - driver.times[at - 1]
    near = np.where(at < driver.times.size, gap <= 3 * usual, times - driver.times[-1] <= usual)
    near |= driver.times[at - 1] == times
    values = np.interp(times, driver.times, driver.values)
    return Joined(times[near], values[near], signal.values[first:stop][near])


TOP_SHARES = (0.05, 0.03, 0.018, 0.01, 0.005, 0.002)
LEAST_IN_TOP = 12
FEW = 4
"""Samples in a bin at least, and bins of few samples at least, as a curve needs them; of fewer than 8 each is a bin."""


def bin_by_driver(driver: FloatArray, values: FloatArray, most: int = 30) -> Bins:
    """At most ``most`` bins split by quantile of the driver; each gives medians and their error.

    Bins hold equal counts, but where samples allow (``LEAST_IN_TOP`` each) the busiest twentieth is split further: the
    levels next to the limit are few, and say most about it.
    """
    order = np.argsort(driver, kind="stable")
    driver, values = driver[order], values[order]
    count = min(most, max(FEW, driver.size // FEW)) if driver.size >= 2 * FEW else driver.size
    tops = [driver.size - round(share * driver.size) for share in TOP_SHARES]
    tops = [start for start, stop in pairwise([*tops, driver.size]) if stop - start >= LEAST_IN_TOP]
    if count == most and len(tops) > 2:
        edges = np.append(np.linspace(0, tops[0], count - len(tops) + 1).round().astype(int), [*tops[1:], driver.size])
    else:
        edges = np.linspace(0, driver.size, count + 1).round().astype(int)
    rows = []
    for start, stop in pairwise(edges.tolist()):
        if stop == start:
            continue
        inside = np.sort(values[start:stop])
        middle = sorted_quantile(inside, 0.5)
        spread = sorted_quantile(np.sort(np.abs(inside - middle)), 0.5)
        size = stop - start
        rows.append(
            (sorted_quantile(driver[start:stop], 0.5), middle, MEDIAN_TO_ERROR * spread / math.sqrt(size), size)
        )
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Bins(table[:, 0], table[:, 1], table[:, 2], table[:, 3])
