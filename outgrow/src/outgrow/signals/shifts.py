"""Deploy shifts: moments at which a signal changes at unchanged load."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from outgrow.quantities import WEEK
from outgrow.signals.series import FloatArray
from outgrow.signals.weekly import FIRST_MONDAY, Joined, week_start

KNOTS = 6
LEAST_WEEKS = 6
LEAST_CHANGE = 0.05
LEAST_DEVIATIONS = 4.0
MOST_SHIFTS = 4
MOST_POINTS = 4000
LEAST_POSITIVE = 0.5
NEAR = 0.05
"""Of the log of the driver: levels that are no further apart can be compared where none is on both sides."""
WEEKS_BESIDE = 2
LEAST_SHARED = 0.5
"""Of the samples of these weeks, before or after: where levels only touch, measured load is what its error makes it."""
COMPARED = 0.08
"""Of the log of the driver: so far levels are compared then."""
LEAST_COMPARED = 4
"""Samples on each side, at such levels."""
LEAST_DEVIATIONS_COMPARED = 2.0
LEAST_SIZE_COMPARED = 0.25
"""Of the size found over all levels."""
LEAST_OWN = 0.05
"""Of the smaller side's samples: what of a step, at those levels, the curve cannot imitate. Beside a line, cut through
the middle of evenly spread levels, 1/8; cut where levels jump, nothing."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A step in a signal that its driver does not explain.

    ``time``: start of the first week after it, seconds since the epoch. ``ratio``: level after over level before.
    """

    time: float
    ratio: float


def find_shifts(joined: Joined) -> tuple[Shift, ...]:
    """Steps of at least 5 %, oldest first.

    The log of the signal is regressed on a piecewise-linear curve of the log of its driver and on a step at each week;
    the step that stands out most (four deviations of the noise between weeks) is kept, and the search goes on beside
    it. Regressing on both keeps growth from looking like a shift. A step must show at levels of the driver that were
    seen before and after it, too: where the driver itself jumps, the step and a bend of the curve are the same thing.
    Signals that are mostly not positive have none.
    """
    positive = (joined.values > 0) & (joined.driver > 0)
    if positive.size == 0 or np.mean(positive) < LEAST_POSITIVE:
        return ()
    times, x, y = _thinned(joined.times[positive], np.log(joined.driver[positive]), np.log(joined.values[positive]))
    week = np.floor((times - FIRST_MONDAY) / WEEK).astype(np.int64)
    first, count = int(week[0]), int(week[-1] - week[0]) + 1
    starts = np.searchsorted(week, first + np.arange(1, count))
    if np.unique(week).size < LEAST_WEEKS or times.size < 4 * KNOTS:
        return ()
    design = _curve_design(x)
    found: list[int] = []
    for _ in range(MOST_SHIFTS):
        basis = np.linalg.qr(np.hstack([design, *(_step(times.size, starts[each]) for each in found)]))[0]
        residual = _clipped_residual(basis, y)
        noise = _noise(residual, week - first)
        size, deviation = _steps(basis, residual, starts, noise)
        stands_out = np.where(np.abs(size) >= np.log1p(LEAST_CHANGE), np.abs(size) / deviation, 0.0)
        stands_out[found] = 0.0
        ordered = [int(each) for each in np.argsort(-stands_out, kind="stable") if stands_out[each] >= LEAST_DEVIATIONS]
        best = next((each for each in ordered if _shows(x, y, basis, starts, each, float(size[each]), noise)), None)
        if best is None:
            break
        found.append(best)
    if not found:
        return ()
    full = np.hstack([design, *(_step(times.size, starts[each]) for each in found)])
    clipped = y - _residual(full, y) + _clip(_residual(full, y))
    sizes = np.linalg.lstsq(full, clipped, rcond=None)[0][design.shape[1] :]
    shifts = [Shift(week_start(first + 1 + each), float(np.exp(size))) for each, size in zip(found, sizes, strict=True)]
    return tuple(sorted(shifts, key=lambda shift: shift.time))


def _shows(
    x: FloatArray,
    y: FloatArray,
    basis: FloatArray,
    starts: np.ndarray[tuple[int], np.dtype[np.intp]],
    each: int,
    size: float,
    noise: float,
) -> bool:
    """Whether a step of that size is there at levels of ``x`` on both sides of it, next to everything in ``basis``."""
    start = int(starts[each])
    low, high = max(x[:start].min(), x[start:].min()), min(x[:start].max(), x[start:].max())
    shared = (x >= low) & (x <= high)
    apart = min(np.count_nonzero(shared[:start]), np.count_nonzero(shared[start:])) < LEAST_COMPARED
    if apart:
        shared = (x >= min(low, high) - NEAR) & (x <= max(low, high) + NEAR)
    before = shared[starts[max(0, each - WEEKS_BESIDE)] : start]
    after = shared[start : starts[each + WEEKS_BESIDE] if each + WEEKS_BESIDE < starts.size else x.size]
    if max(float(np.mean(side)) if side.size else 0.0 for side in (before, after)) < LEAST_SHARED:
        return False
    if apart:
        shared = (x >= min(low, high) - COMPARED) & (x <= max(low, high) + COMPARED)
    step = _step(x.size, start)[shared, 0]
    smaller = min(float(step.sum()), step.size - float(step.sum()))
    if smaller < LEAST_COMPARED:
        return False
    own = _residual(basis[shared], step)
    left = float(own @ own)
    if left < LEAST_OWN * smaller:
        return False
    rest = _residual(basis[shared], y[shared])
    outside = rest - own * float(own @ rest) / left
    found = float(own @ (rest - outside + _clip(outside))) / left
    return math.copysign(found, found * size) >= max(
        LEAST_DEVIATIONS_COMPARED * noise / math.sqrt(left), LEAST_SIZE_COMPARED * abs(size)
    )


def _thinned(times: FloatArray, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means of neighbouring samples, so that at most ``MOST_POINTS`` are left."""
    block = -(-times.size // MOST_POINTS)
    if block <= 1:
        return times, x, y
    size = times.size // block * block
    return times[:size:block], x[:size].reshape(-1, block).mean(axis=1), y[:size].reshape(-1, block).mean(axis=1)


def _curve_design(x: FloatArray) -> FloatArray:
    """Columns of a piecewise-linear function of ``x`` with knots at its quantiles."""
    spread = float(np.ptp(x))
    if spread <= 0:
        return np.ones((x.size, 1))
    unit = (x - x.min()) / spread
    knots = np.unique(np.quantile(unit, np.linspace(0, 1, KNOTS + 1)[1:-1]))
    return np.column_stack([np.ones_like(unit), unit, *(np.maximum(0.0, unit - knot) for knot in knots)])


def _step(size: int, start: int) -> FloatArray:
    column = np.zeros((size, 1))
    column[start:] = 1.0
    return column


def _residual(design: FloatArray, y: FloatArray) -> FloatArray:
    return np.asarray(y - design @ np.linalg.lstsq(design, y, rcond=None)[0], dtype=np.float64)


def _clip(residual: FloatArray) -> FloatArray:
    limit = 3 * 1.4826 * float(np.median(np.abs(residual - np.median(residual)))) + 1e-12
    return np.clip(residual, -limit, limit)


def _clipped_residual(basis: FloatArray, y: FloatArray) -> FloatArray:
    """Residual of a fit in which outliers were pulled in to three deviations."""
    residual = y - basis @ (basis.T @ y)
    clipped = y - residual + _clip(residual)
    return np.asarray(clipped - basis @ (basis.T @ clipped), dtype=np.float64)


def _noise(residual: FloatArray, week: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Deviation of one sample, or more where neighbouring weeks differ by more than their samples explain."""
    counts = np.bincount(week).astype(np.float64)
    means = np.bincount(week, residual)[counts > 0] / counts[counts > 0]
    sample = 1.4826 * float(np.median(np.abs(residual)))
    change = np.diff(means) / np.sqrt(1 / counts[counts > 0][1:] + 1 / counts[counts > 0][:-1])
    weekly = 1.4826 * float(np.median(np.abs(change)))
    return max(sample, weekly, 1e-9)


def _steps(
    basis: FloatArray, residual: FloatArray, starts: np.ndarray[tuple[int], np.dtype[np.intp]], noise: float
) -> tuple[FloatArray, FloatArray]:
    """Size of a step at each start and its deviation, next to everything in ``basis`` (Frisch, Waugh and Lovell)."""
    size = residual.size
    total = np.append(np.cumsum(residual[::-1])[::-1], 0.0)[starts]
    explained = np.vstack([np.cumsum(basis[::-1], axis=0)[::-1], np.zeros(basis.shape[1])])[starts]
    left = np.maximum((size - starts) - np.square(explained).sum(axis=1), 0.0)
    usable = left > 1e-3 * np.minimum(starts, size - starts)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(usable, total / left, 0.0)
        deviation = np.where(usable, noise / np.sqrt(left), np.inf)
    return step, deviation
