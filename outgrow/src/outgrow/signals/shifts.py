"""Deploy shifts: moments at which a signal changes at unchanged load."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgrow.quantities import WEEK
from outgrow.signals.series import FloatArray
from outgrow.signals.weekly import FIRST_MONDAY, Joined, week_start

WINDOW_WEEKS = 4
LOAD_BINS = 8
LEAST_CHANGE = 0.10
LEAST_DEVIATIONS = 6.0
NEAR_BINS = 0.5


@dataclass(frozen=True, slots=True)
class Shift:
    """A step in a signal that its driver does not explain.

    ``time``: start of the first week after it, seconds since the epoch. ``ratio``: level after over level before.
    """

    time: float
    ratio: float


def find_shifts(joined: Joined) -> tuple[Shift, ...]:
    """Steps of at least a tenth, oldest first, by comparing four weeks on either side within the same load bins.

    Comparing within bins of load keeps growth from looking like a shift. A step counts when it stands out from the
    usual difference between neighbouring windows (six robust deviations) and is the largest within its four weeks.
    Only positive values are compared (logarithms); signals without them have no shifts.
    """
    positive = joined.values > 0
    if np.count_nonzero(positive) < 8 * LOAD_BINS or np.mean(positive) < 0.5:
        return ()
    table, first_week = _levels_by_week_and_load(
        joined.times[positive], joined.driver[positive], np.log(joined.values[positive])
    )
    change, usual = _changes(table)
    usable = np.isfinite(change)
    if np.count_nonzero(usable) < WINDOW_WEEKS:
        return ()
    needed = np.maximum(LEAST_DEVIATIONS * usual, np.log1p(LEAST_CHANGE))
    size = np.where(usable, np.abs(change) / needed, 0.0)
    shifts = []
    for week in np.flatnonzero(size > 1):
        around = size[max(0, week - WINDOW_WEEKS + 1) : week + WINDOW_WEEKS]
        if size[week] >= around.max():
            shifts.append(Shift(week_start(first_week + int(week)), float(np.exp(change[week]))))
    return tuple(shifts)


def _levels_by_week_and_load(times: FloatArray, driver: FloatArray, log_values: FloatArray) -> tuple[FloatArray, int]:
    """Mean log value a week and load bin, adjusted to the bin's middle; shape (weeks, bins), NaN where empty."""
    weeks = np.floor((times - FIRST_MONDAY) / WEEK).astype(np.int64)
    first = int(weeks[0])
    count = int(weeks[-1]) - first + 1
    edges = np.quantile(driver, np.linspace(0, 1, LOAD_BINS + 1)[1:-1])
    bins = np.searchsorted(edges, driver)
    cell = (weeks - first) * LOAD_BINS + bins
    slope = _slopes(driver, log_values, bins)
    adjusted = log_values - slope
    totals = np.bincount(cell, adjusted, minlength=count * LOAD_BINS)
    counts = np.bincount(cell, minlength=count * LOAD_BINS).astype(np.float64)
    with np.errstate(invalid="ignore"):
        table = np.where(counts >= 2, totals / np.maximum(counts, 1), np.nan)
    return table.reshape(count, LOAD_BINS), first


def _slopes(driver: FloatArray, log_values: FloatArray, bins: NDArray[np.intp]) -> FloatArray:
    """What the driver explains inside its bin: piecewise-linear interpolation between the medians of the bins."""
    centres, levels = [], []
    for number in range(LOAD_BINS):
        inside = bins == number
        if inside.any():
            centres.append(float(np.median(driver[inside])))
            levels.append(float(np.median(log_values[inside])))
    return np.asarray(np.interp(driver, centres, levels), dtype=np.float64)


def _changes(table: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean change of level at the start of each week and its usual size; shape (weeks,), NaN where nothing compares."""
    weeks = table.shape[0]
    known = np.isfinite(table)
    filled = np.where(known, table, 0.0)
    total = np.vstack([np.zeros(LOAD_BINS), np.cumsum(filled, axis=0)])
    count = np.vstack([np.zeros(LOAD_BINS), np.cumsum(known, axis=0)])
    at = np.arange(weeks)
    low, high = np.maximum(at - WINDOW_WEEKS, 0), np.minimum(at + WINDOW_WEEKS, weeks)
    before_count, after_count = count[at] - count[low], count[high] - count[at]
    both = (before_count > 0) & (after_count > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = (total[high] - total[at]) / after_count - (total[at] - total[low]) / before_count
        weight = np.where(both, 1 / (1 / before_count + 1 / after_count), 0.0)
        change = np.where(both, difference * weight, 0.0).sum(axis=1) / weight.sum(axis=1)
        precision = np.sqrt(weight.sum(axis=1))
    change[(both.sum(axis=1) < NEAR_BINS) | (at == 0)] = np.nan
    usable = np.isfinite(change)
    if not usable.any():
        return change, np.full(weeks, np.inf)
    scaled = change[usable] * precision[usable]
    deviation = 1.4826 * float(np.median(np.abs(scaled - np.median(scaled))))
    return change, np.where(precision > 0, deviation / np.maximum(precision, 1e-9), np.inf)
