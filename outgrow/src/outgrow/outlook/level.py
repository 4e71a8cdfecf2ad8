"""The level of a ramp at which a limit would be crossed, beyond the last level measured.

Past its knee a closed loop rises almost linearly in its clients (Little's law at constant throughput), but the knee is
no parabola and no law of scalability sees it from below. So the slope is followed, not a shape: level and slope are a
random walk over N (the state-space form of a smoothing spline, Wecker and Ansley 1983), averaged over how fast the
slope may turn and how noisy a level is.
"""

from __future__ import annotations

import numpy as np

from outgrow.outlook.crossing import percentiles
from outgrow.outlook.records import Refusal
from outgrow.quantities import Interval, significant
from outgrow.signals.series import FloatArray

LEAST_LEVELS = 4
TURNING = (0.05, 0.15, 0.5, 1.0)
NOISE = (0.01, 0.02, 0.05)
DISCREPANCY = 0.05
LEAST_SLOPE = 0.05
FARTHEST = 4.0
DRAWS = 1000


def level_at_limit(
    levels: FloatArray, values: FloatArray, limit: float, rng: np.random.Generator, draws: int = DRAWS
) -> Interval | Refusal:
    """Where on its axis a ramp reaches ``limit``; 10, 50 and 90 %.

    Args:
        levels: shape (n,), strictly increasing, > 0.
        values: shape (n,), the signal at each level, > 0.
        limit: in the signal's unit.
        rng: the only source of randomness.
        draws: how many continuations are drawn.

    Returns:
        The level; a refusal for fewer than four levels or a limit more than four times beyond them.
    """
    if levels.size < LEAST_LEVELS or not (np.all(values > 0) and limit > 0):
        return Refusal(
            "too-few-levels",
            f"The ramp has {levels.size} usable levels; to continue it takes {LEAST_LEVELS}.",
            "Run the ramp again with more levels.",
        )
    if values[-1] >= limit:
        return _within(levels, values, limit)
    last, top = float(levels[-1]), float(values[-1])
    height, slope = _end_state(levels / last, values / top, draws, rng)
    beyond = (limit / top - height) / np.maximum(slope, LEAST_SLOPE * height)
    reach = 1 + np.maximum(beyond, 0.0)
    reach *= np.exp(DISCREPANCY * rng.standard_normal(draws) * np.log2(np.maximum(reach, 1.1)))
    found = percentiles(np.maximum(reach, 1.0) * last)
    if found.mid > FARTHEST * last:
        return Refusal(
            "not-knowable-yet",
            f"The ramp ends at {significant(last)} with {significant(top / limit * 100, 2)} % of the limit and rises "
            f"too slowly to say more than: not before {significant(found.low)}.",
            "Run the ramp further, to at least two thirds of the limit.",
        )
    return found


def _within(levels: FloatArray, values: FloatArray, limit: float) -> Interval:
    """The limit lies inside the ramp: first crossing by straight line, with the levels on either side as bounds."""
    after = int(np.argmax(values >= limit))
    if after == 0:
        return Interval(0.0, float(levels[0]) / 2, float(levels[0]))
    low, high = float(levels[after - 1]), float(levels[after])
    share = (limit - values[after - 1]) / (values[after] - values[after - 1])
    return Interval(low, low + float(share) * (high - low), high)


def _end_state(x: FloatArray, y: FloatArray, draws: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Height and slope at the last level drawn from their posterior; shape (draws,) each."""
    turning, noise = (each.ravel() for each in np.meshgrid(TURNING, NOISE))
    height, slope = np.full(turning.size, y[0]), np.full(turning.size, (y[-1] - y[0]) / (x[-1] - x[0]))
    p_height, p_cross, p_slope = np.ones(turning.size), np.zeros(turning.size), np.full(turning.size, 4.0)
    likelihood = np.zeros(turning.size)
    for position in range(x.size):
        if position:
            step = float(x[position] - x[position - 1])
            height = height + step * slope
            p_height = p_height + step * (2 * p_cross + step * p_slope) + turning * step**3 / 3
            p_cross = p_cross + step * p_slope + turning * step**2 / 2
            p_slope = p_slope + turning * step
        error = y[position] - height
        variance = p_height + (noise * y[position]) ** 2
        likelihood -= (np.log(variance) + error * error / variance) / 2
        gain_height, gain_slope = p_height / variance, p_cross / variance
        height, slope = height + gain_height * error, slope + gain_slope * error
        p_slope = p_slope - gain_slope * p_cross
        p_cross = p_cross - gain_height * p_cross
        p_height = p_height - gain_height * p_height
    weight = np.exp(likelihood - likelihood.max())
    cumulative = np.cumsum(weight / weight.sum())
    cell = np.minimum(np.searchsorted(cumulative, (np.arange(draws) + rng.random()) / draws), turning.size - 1)
    normal = rng.standard_normal((2, draws))
    deviation = np.sqrt(np.maximum(p_height[cell], 1e-18))
    cross = p_cross[cell] / deviation
    rest = np.sqrt(np.maximum(p_slope[cell] - cross * cross, 0.0))
    return height[cell] + deviation * normal[0], slope[cell] + cross * normal[0] + rest * normal[1]
