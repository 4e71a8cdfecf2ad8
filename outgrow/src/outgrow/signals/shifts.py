"""Deploy shifts: moments at which a signal changes at unchanged load."""

from __future__ import annotations

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
    it. Regressing on both keeps growth from looking like a shift. Signals that are mostly not positive have none.
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
        size, deviation = _steps(basis, residual, starts, _noise(residual, week - first))
        stands_out = np.where(np.abs(size) >= np.log1p(LEAST_CHANGE), np.abs(size) / deviation, 0.0)
        stands_out[found] = 0.0
        best = int(np.argmax(stands_out))
        if stands_out[best] < LEAST_DEVIATIONS:
            break
        found.append(best)
    if not found:
        return ()
    full = np.hstack([design, *(_step(times.size, starts[each]) for each in found)])
    clipped = y - _residual(full, y) + _clip(_residual(full, y))
    sizes = np.linalg.lstsq(full, clipped, rcond=None)[0][design.shape[1] :]
    shifts = [Shift(week_start(first + 1 + each), float(np.exp(size))) for each, size in zip(found, sizes, strict=True)]
    return tuple(sorted(shifts, key=lambda shift: shift.time))


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
