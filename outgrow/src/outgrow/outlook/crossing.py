"""Composition: users at the limit from the curve, the date from the growth path that first gets there."""

from __future__ import annotations

import math

import numpy as np

from outgrow.outlook.records import Doubt
from outgrow.quantities import Interval
from outgrow.signals.series import FloatArray


def percentiles(values: FloatArray) -> Interval:
    """10, 50 and 90 % of draws that may be infinite: order statistics, nothing between finite and infinite."""
    ordered = np.sort(values)
    low, mid, high = (float(ordered[round(share * (ordered.size - 1))]) for share in (0.1, 0.5, 0.9))
    return Interval(low, mid, high)


def first_passage(highest: FloatArray, log_limit: FloatArray) -> FloatArray:
    """Weeks until each path first reaches its limit, between weeks by straight line; shape (draws,), ∞ when never.

    Args:
        highest: shape (draws, weeks + 1), running maximum of log users.
        log_limit: shape (draws,), log users at the limit; may be ±∞.
    """
    weeks = highest.shape[1]
    after = np.count_nonzero(highest < log_limit[:, None], axis=1)
    inside = np.clip(after, 1, weeks - 1)
    row = np.arange(highest.shape[0])
    below, above = highest[row, inside - 1], highest[row, inside]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip((log_limit - below) / (above - below), 0.0, 1.0)
    passage = np.where(after == 0, 0.0, inside - 1 + np.where(np.isfinite(share), share, 0.0))
    return np.asarray(np.where(after >= weeks, np.inf, passage), dtype=np.float64)


def split_doubt(highest: FloatArray, middle: FloatArray, log_limit: FloatArray) -> Doubt:
    """Shares of growth and curve in the variance of log time, each with the other held at its median.

    Times beyond the horizon count as one and a half horizons.

    Args:
        highest: shape (draws, weeks + 1), as for ``first_passage``.
        middle: shape (weeks + 1,), non-decreasing, the median path.
        log_limit: shape (draws,).
    """
    horizon = highest.shape[1] - 1
    median_limit = np.full(log_limit.size, np.sort(log_limit)[log_limit.size // 2])
    growth = _log_variance(first_passage(highest, median_limit), horizon)
    rising = middle + 1e-12 * np.arange(middle.size)
    held = np.interp(log_limit, rising, np.arange(middle.size, dtype=np.float64), right=np.inf)
    curve = _log_variance(held, horizon)
    if growth + curve <= 1e-12:
        return Doubt(0.5, 0.5)
    return Doubt(growth / (growth + curve), curve / (growth + curve))


def draw_lead_time(lead: Interval, draws: int, rng: np.random.Generator) -> FloatArray:
    """Lead times in the unit of ``lead``, shape (draws,): log-normal on each side of the middle through both bounds."""
    middle = max(lead.mid, 1e-9)
    reach = normal_quantile((1 + lead.confidence) / 2)
    below = math.log(middle / max(lead.low, 1e-9)) / reach
    above = math.log(max(lead.high, 1e-9) / middle) / reach
    normal = rng.standard_normal(draws)
    return np.asarray(middle * np.exp(normal * np.where(normal < 0, below, above)), dtype=np.float64)


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution, by bisection of ``math.erf``."""
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        if (1 + math.erf(middle / math.sqrt(2))) / 2 < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _log_variance(weeks: FloatArray, horizon: int) -> float:
    return float(np.var(np.log(np.clip(np.where(np.isfinite(weeks), weeks, 1.5 * horizon), 0.25, None))))
