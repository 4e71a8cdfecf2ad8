"""Users over time: a Bayesian average over damped local linear trends.

For one configuration (q_level, q_slope, φ), with z the weekly median of log users and all variances in units of the
measurement variance σ²:

    z = ℓ + ε,   ℓ′ = ℓ + φ b + ξ  (variance q_level),   b′ = φ b + η  (variance q_slope)

One Kalman pass runs all configurations side by side; σ² is integrated out under an inverse-gamma prior, which makes the
weight of a configuration a Student-t likelihood (West and Harrison, Bayesian Forecasting and Dynamic Models, 4.5).
Future paths add a chance of 1/52 a week that the slope changes by a factor exp(N(0, .27)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgrow.signals.series import FloatArray

LEVEL_RATIOS = (0.0, 0.1, 1.0, 10.0)
SLOPE_RATIOS = (0.0, 1e-4, 1e-3, 1e-2, 1e-1)
DAMPINGS = {1.0: 0.8, 0.99: 0.1, 0.9: 0.05, 0.7: 0.05}
PRIOR_COUNT = 2.0
PRIOR_DEVIATION = 0.005
HAZARD_PER_WEEK = 1 / 52
HAZARD_LOG_DEVIATION = 0.27
LARGEST_LOG_STEP = 0.7
YEAR_WEEKS = 365.25 / 7
SEASON_FROM_WEEKS = 104


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """What is known about users after the last complete week.

    Attributes:
        weight: shape (configurations,), posterior; sums to 1.
        level, slope: shape (configurations,), filtered means of log users and its weekly change.
        level_variance, slope_variance, covariance: shape (configurations,), in units of σ².
        q_level, q_slope, damping: shape (configurations,).
        shape, scale: the inverse-gamma posterior of σ²; ``scale`` has shape (configurations,).
        season: four coefficients (cos, sin, cos 2, sin 2 of the year), zeros below two years.
        weeks: how many weeks lie between the first and the last.
        level_path, slope_path: shape (weeks,), filtered means under the weights of each week, for the backtest.
        drift_path: shape (weeks, dampings), mean slope by damping under those weights.
        first_week: number of the first week, for the phase of the season.
    """

    weight: FloatArray
    level: FloatArray
    slope: FloatArray
    level_variance: FloatArray
    slope_variance: FloatArray
    covariance: FloatArray
    q_level: FloatArray
    q_slope: FloatArray
    damping: FloatArray
    shape: float
    scale: FloatArray
    season: FloatArray
    weeks: int
    first_week: int
    level_path: FloatArray
    drift_path: FloatArray


def fit_growth(log_users: FloatArray, first_week: int = 0) -> Growth:
    """Fit all configurations to weekly log users.

    Args:
        log_users: shape (weeks,), natural logarithm; NaN for a gap; at least two finite, the first among them.
        first_week: number of the first week (phase of the annual season).
    """
    season = _season(log_users, first_week)
    z = log_users - season_at(season, first_week + np.arange(log_users.size))
    q_level, q_slope, damping, prior = _configurations()
    cells = prior.size
    level, slope = np.full(cells, z[0]), np.zeros(cells)
    p_level, p_cross, p_slope = np.ones(cells), np.zeros(cells), np.full(cells, 1e4)
    log_determinant, squares = np.zeros(cells), np.zeros(cells)
    seen = 0
    levels, drifts = np.empty(z.size), np.empty((z.size, len(DAMPINGS)))
    groups = np.array([[value == choice for value in damping] for choice in DAMPINGS], dtype=np.float64)
    log_prior = np.log(prior)
    weight = prior
    for week, value in enumerate(z):
        if week > 0:
            p_level = p_level + damping * (2 * p_cross + damping * p_slope) + q_level
            p_cross = damping * (p_cross + damping * p_slope)
            p_slope = damping * damping * p_slope + q_slope
            slope = damping * slope
            level = level + slope
        if week > 0 and value == value:
            error, variance = value - level, p_level + 1
            gain_level, gain_slope = p_level / variance, p_cross / variance
            level, slope = level + gain_level * error, slope + gain_slope * error
            p_slope = p_slope - gain_slope * p_cross
            p_cross = p_cross - gain_level * p_cross
            p_level = gain_level
            if seen > 0:
                log_determinant += np.log(variance)
                squares += error * error / variance
            seen += 1
            exponent = (
                log_prior
                - log_determinant / 2
                - (PRIOR_COUNT + max(seen - 1, 0)) / 2 * np.log(PRIOR_COUNT * PRIOR_DEVIATION**2 + squares)
            )
            weight = np.exp(exponent - exponent.max())
            weight /= weight.sum()
        levels[week] = weight @ level
        drifts[week] = groups @ (weight * slope)
    return Growth(
        weight=weight,
        level=level,
        slope=slope,
        level_variance=p_level,
        slope_variance=p_slope,
        covariance=p_cross,
        q_level=q_level,
        q_slope=q_slope,
        damping=damping,
        shape=(PRIOR_COUNT + max(seen - 1, 0)) / 2,
        scale=(PRIOR_COUNT * PRIOR_DEVIATION**2 + squares) / 2,
        season=season,
        weeks=z.size,
        first_week=first_week,
        level_path=levels,
        drift_path=drifts,
    )


def sample_paths(growth: Growth, weeks: int, draws: int, rng: np.random.Generator) -> FloatArray:
    """Log users from the last complete week (column 0) to ``weeks`` later; shape (draws, weeks + 1).

    Configurations are drawn systematically (one uniform number for all), which keeps small samples honest.
    """
    cumulative = np.cumsum(growth.weight)
    cell = np.searchsorted(cumulative, (np.arange(draws) + rng.random()) / draws * cumulative[-1])
    cell = rng.permutation(np.minimum(cell, growth.weight.size - 1))
    deviation = np.sqrt(growth.scale[cell] / rng.gamma(growth.shape, 1.0, draws))
    normal = rng.standard_normal((2, draws))
    level_deviation = np.sqrt(growth.level_variance[cell])
    level = growth.level[cell] + deviation * level_deviation * normal[0]
    cross = growth.covariance[cell] / level_deviation
    rest = np.sqrt(np.maximum(growth.slope_variance[cell] - cross * cross, 0.0))
    slope = growth.slope[cell] + deviation * (cross * normal[0] + rest * normal[1])
    half = rng.standard_normal((2, weeks, -(-draws // 2)), dtype=np.float32)
    noise = np.concatenate([half, -half], axis=2)[:, :, :draws]
    level_noise, slope_noise = (deviation * np.sqrt(each[cell]) for each in (growth.q_level, growth.q_slope))
    factor = np.tile(growth.damping[cell], (weeks, 1))
    changes = rng.integers(0, factor.size, rng.binomial(factor.size, HAZARD_PER_WEEK))
    factor.ravel()[changes] *= np.exp(HAZARD_LOG_DEVIATION * rng.standard_normal(changes.size))
    paths = np.empty((weeks + 1, draws))
    paths[0] = level
    for week in range(weeks):
        slope *= factor[week]
        level = level + np.minimum(np.maximum(slope, -LARGEST_LOG_STEP), LARGEST_LOG_STEP)
        level += level_noise * noise[0, week]
        slope += slope_noise * noise[1, week]
        paths[week + 1] = level
    if growth.season.any():
        last = growth.first_week + growth.weeks - 1
        paths += season_at(growth.season, last + np.arange(weeks + 1))[:, None]
    return np.ascontiguousarray(paths.T)


def season_at(season: FloatArray, weeks: FloatArray | NDArray[np.int64]) -> FloatArray:
    """The annual season in log users at week numbers; the shape of ``weeks``."""
    if not season.any():
        return np.zeros(np.shape(weeks))
    return np.asarray(_harmonics(np.asarray(weeks, dtype=np.float64)) @ season, dtype=np.float64)


def _configurations() -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    rows = [
        (level, slope, damping, share / (len(LEVEL_RATIOS) * len(SLOPE_RATIOS)))
        for damping, share in DAMPINGS.items()
        for level in LEVEL_RATIOS
        for slope in SLOPE_RATIOS
    ]
    table = np.array(rows)
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3]


def _harmonics(weeks: FloatArray) -> FloatArray:
    angle = 2 * math.pi / YEAR_WEEKS * weeks
    return np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)], axis=-1)


def _season(log_users: FloatArray, first_week: int) -> FloatArray:
    """Annual harmonics from weekly differences, kept only when they lower the Bayesian information criterion.

    Differences remove the level; a cubic in time takes the slow change of growth.
    """
    none = np.zeros(4)
    if log_users.size < SEASON_FROM_WEEKS:
        return none
    weeks = first_week + np.arange(log_users.size, dtype=np.float64)
    known = np.isfinite(log_users)
    weeks, z = weeks[known], log_users[known]
    if z.size < SEASON_FROM_WEEKS * 3 // 4:
        return none
    difference, gap = np.diff(z), np.diff(weeks)
    middle = (weeks[1:] + weeks[:-1]) / 2
    unit = (middle - middle.mean()) / (middle[-1] - middle[0])
    slow = np.stack([unit**power for power in range(4)], axis=1) * gap[:, None]
    full = np.hstack([slow, np.diff(_harmonics(weeks), axis=0)])
    limit = 4 * float(np.median(np.abs(difference - np.median(difference)))) * 1.4826 + 1e-9
    difference = np.clip(difference, np.median(difference) - limit, np.median(difference) + limit)
    without = difference - slow @ np.linalg.lstsq(slow, difference, rcond=None)[0]
    answer = np.linalg.lstsq(full, difference, rcond=None)[0]
    after = difference - full @ answer
    gain = difference.size * math.log(max(float(without @ without), 1e-18) / max(float(after @ after), 1e-18))
    return np.asarray(answer[4:], dtype=np.float64) if gain > 4 * math.log(difference.size) + 6 else none
