"""The watched signal over its driver: which curves the measurements allow, and where each of them reaches a limit.

    y = β0 + β1 x + β2 h(x),   all β ≥ 0
    queue   h = ρ^(k+1) / (1 − ρ), ρ = x / C, k ∈ {0, 1, 2, 4}   (k stands for the number of servers)
    power   h = x^γ,               γ ∈ {.5 … 3}

Over a grid of (C, k, γ) each cell is one closed-form non-negative least squares; cells are weighted by prior times
likelihood, and the doubt within a cell comes from a parametric bootstrap that refits under the same constraints
(truncating unconstrained draws at zero does not: it piles up on curves that never rise). A ramp joins by a capacity
bridge: its rig has s times the load for the same answer, s ~ LogN(0, .15), settled where both overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgrow.outlook.level import level_at_limit as level_at_limit
from outgrow.outlook.records import Family
from outgrow.signals.series import FloatArray
from outgrow.signals.weekly import Bins

QUEUE_ORDERS = (0.0, 1.0, 2.0, 4.0)
POWERS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
QUEUE_SHARE = 0.75
CAPACITY_LOG_MEAN = math.log(2)
CAPACITY_LOG_DEVIATION = 0.7
BRIDGE_LOG_DEVIATION = 0.15
BRIDGES = np.exp(np.linspace(-2.4, 2.4, 13) * BRIDGE_LOG_DEVIATION)
MODEL_ERROR = 0.02
RAMP_ERROR = 0.05
Indices = NDArray[np.intp]
HUBER = 1.345
HIGHEST_SHARE = 0.99
LEAST_LEVELS = 4


@dataclass(frozen=True, slots=True, eq=False)
class RampPoints:
    """An open-loop ramp (or the usable part of a closed one) in driver units; shapes (n,)."""

    driver: FloatArray
    value: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Curves drawn from what the measurements allow.

    Attributes:
        queue: shape (draws,), which draws are queue-shaped; the others are power laws.
        capacity: shape (draws,), C over ``driver_scale`` (1 for power laws).
        exponent: shape (draws,), k for queues and γ for power laws.
        beta: shape (draws, 3), in units of ``value_scale``.
        driver_scale, value_scale: what x and y were divided by.
        queue_share: posterior probability of the queue family.
        misfit: root mean square of the standardised residuals of the best curve.
    """

    queue: NDArray[np.bool_]
    capacity: FloatArray
    exponent: FloatArray
    beta: FloatArray
    driver_scale: float
    value_scale: float
    queue_share: float
    misfit: float

    def at(self, driver: FloatArray) -> FloatArray:
        """The signal on each drawn curve; ``driver`` shape (n,) → shape (draws, n)."""
        x = np.asarray(driver, dtype=np.float64)[None, :] / self.driver_scale
        shape = _shape(self.queue[:, None], self.capacity[:, None], self.exponent[:, None], x)
        total = self.beta[:, :1] + self.beta[:, 1:2] * x + self.beta[:, 2:] * shape
        return np.asarray(total * self.value_scale, dtype=np.float64)

    def reaches(self, limit: float) -> FloatArray:
        """The driver at which each drawn curve reaches ``limit``, shape (draws,): 0 when always above, ∞ when never."""
        target = limit / self.value_scale - self.beta[:, 0]
        slope, bend = self.beta[:, 1], self.beta[:, 2]
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            by_slope = np.where(slope > 0, target / slope, np.inf)
            by_bend = np.where(
                bend > 0,
                np.where(self.queue, self.capacity, (np.maximum(target, 0) / bend) ** (1 / self.exponent)),
                np.inf,
            )
        high = np.minimum(by_slope, by_bend)
        never = ~np.isfinite(high)
        low = np.zeros_like(high)
        high = np.where(never, 1.0, high)
        for _ in range(36):
            middle = (low + high) / 2
            below = (
                slope * middle + bend * _shape(self.queue, self.capacity, self.exponent, middle, bounded=False) < target
            )
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        crossing = np.where(never, np.inf, (low + high) / 2)
        return np.asarray(np.where(target <= 0, 0.0, crossing) * self.driver_scale, dtype=np.float64)


def fit_curves(
    bins: Bins,
    ramps: tuple[RampPoints, ...],
    family: Family,
    *,
    draws: int,
    rng: np.random.Generator,
    capacity: tuple[float, float] | None = None,
    free_intercept: bool = False,
) -> Curves:
    """Draw curves from the posterior.

    Args:
        bins: production measurements by level of the driver, at least one.
        ramps: load tests of the same signal, in driver units.
        family: ``latency`` (queue or power) or ``resource`` (power only).
        draws: how many curves.
        rng: the only source of randomness.
        capacity: mean of ln C (driver units) and its deviation from measured utilisation, if any.
        free_intercept: whether β0 may be negative (a value turned round by negation).
    """
    points = _points(bins, ramps)
    cells = _cells(family, points.driver_scale, capacity)
    shapes = _shapes(cells, points)
    weights = points.weight
    for _ in range(2):
        beta, misfit = _fit(shapes, points, weights, free_intercept)
        best = np.unravel_index(int(np.argmin(misfit)), misfit.shape)
        residual = _residual(shapes, points, beta, best)
        scale = max(1.0, 1.4826 * float(np.median(np.abs(residual))))
        weights = points.weight * np.minimum(1.0, HUBER * scale / np.maximum(np.abs(residual), 1e-12))
    beta, misfit = _fit(shapes, points, weights, free_intercept)
    least = float(misfit.min())
    over = max(1.0, least / max(points.value.size - 4, 1))
    log_weight = cells.log_prior[None, :] + shapes.log_prior[:, None] - (misfit - least) / (2 * over)
    posterior = np.exp(log_weight - log_weight.max())
    posterior /= posterior.sum()
    cumulative = np.cumsum(posterior.ravel())
    picked = np.searchsorted(cumulative, (np.arange(draws) + rng.random()) / draws * cumulative[-1])
    bridge, cell = np.divmod(rng.permutation(np.minimum(picked, cumulative.size - 1)), posterior.shape[1])
    drawn = _refit(shapes, points, weights, beta, bridge, cell, math.sqrt(over), free_intercept, rng)
    return Curves(
        queue=cells.queue[cell],
        capacity=cells.capacity[cell],
        exponent=cells.exponent[cell],
        beta=drawn,
        driver_scale=points.driver_scale,
        value_scale=points.value_scale,
        queue_share=float(posterior[:, cells.queue].sum()),
        misfit=math.sqrt(least / max(points.value.size - 4, 1)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """Production points first, then ramp points, scaled to order one; ``production`` counts the former."""

    driver: FloatArray
    value: FloatArray
    weight: FloatArray
    production: int
    driver_scale: float
    value_scale: float


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """The grid of curve shapes, shape (cells,) each."""

    queue: NDArray[np.bool_]
    capacity: FloatArray
    exponent: FloatArray
    log_prior: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Shapes:
    """x and h(x) at every point: shapes (bridges, points) and (bridges, cells, points); log prior by bridge."""

    driver: FloatArray
    bend: FloatArray
    log_prior: FloatArray


def _points(bins: Bins, ramps: tuple[RampPoints, ...]) -> _Points:
    reference = bins.driver if bins.driver.size else np.concatenate([ramp.driver for ramp in ramps])
    driver_scale = float(reference.max())
    driver = np.concatenate([bins.driver, *(ramp.driver for ramp in ramps)]) / driver_scale
    value = np.concatenate([bins.value, *(ramp.value for ramp in ramps)])
    measured = bins.value if bins.value.size else value
    value_scale = float(np.median(np.abs(measured))) or float(np.abs(value).max()) or 1.0
    value = value / value_scale
    error = bins.error / value_scale
    size = np.maximum(np.abs(value), 0.1)
    variance = np.empty(value.size)
    count = bins.driver.size
    variance[:count] = error**2 + (MODEL_ERROR * size[:count]) ** 2
    variance[count:] = (RAMP_ERROR * size[count:]) ** 2 + (MODEL_ERROR * size[count:]) ** 2
    return _Points(driver, value, 1 / variance, count, driver_scale, value_scale)


def _cells(family: Family, driver_scale: float, capacity: tuple[float, float] | None) -> _Cells:
    powers = np.array(POWERS)
    power_share = 1.0 if family == "resource" else 1 - QUEUE_SHARE
    queue, size, exponent = np.zeros(powers.size, bool), np.ones(powers.size), powers
    log_prior = np.full(powers.size, math.log(power_share / powers.size))
    if family == "latency":
        grid = np.concatenate([[1.01, 1.02, 1.035], np.exp(np.linspace(math.log(1.055), math.log(25), 44))])
        mean, deviation = (
            (CAPACITY_LOG_MEAN, CAPACITY_LOG_DEVIATION)
            if capacity is None
            else (capacity[0] - math.log(driver_scale), capacity[1])
        )
        density = -(((np.log(grid) - mean) / deviation) ** 2) / 2 + np.log(np.gradient(np.log(grid)))
        density -= np.log(np.exp(density - density.max()).sum()) + density.max()
        orders = np.array(QUEUE_ORDERS)
        queue = np.concatenate([queue, np.ones(grid.size * orders.size, bool)])
        size = np.concatenate([size, np.tile(grid, orders.size)])
        exponent = np.concatenate([exponent, np.repeat(orders, grid.size)])
        log_prior = np.concatenate([log_prior, np.tile(density, orders.size) + math.log(QUEUE_SHARE / orders.size)])
    return _Cells(queue, size, exponent, log_prior)


def _shapes(cells: _Cells, points: _Points) -> _Shapes:
    has_ramp = points.production < points.value.size
    bridges = BRIDGES if has_ramp else np.ones(1)
    driver = np.tile(points.driver, (bridges.size, 1))
    driver[:, points.production :] *= bridges[:, None]
    bend = np.empty((bridges.size, cells.queue.size, points.value.size))
    for family in (False, True):
        chosen = np.flatnonzero(cells.queue == family)
        if chosen.size:
            capacity, exponent = cells.capacity[chosen, None], cells.exponent[chosen, None]
            flags = np.full((chosen.size, 1), family)
            bend[:, chosen, : points.production] = _shape(flags, capacity, exponent, driver[0, : points.production])
            if has_ramp:
                bend[:, chosen, points.production :] = _shape(
                    flags, capacity, exponent, driver[:, None, points.production :]
                )
    log_prior = -((np.log(bridges) / BRIDGE_LOG_DEVIATION) ** 2) / 2
    return _Shapes(driver, bend, log_prior)


def _shape(
    queue: NDArray[np.bool_],
    capacity: FloatArray,
    exponent: FloatArray,
    x: FloatArray,
    *,
    bounded: bool = True,
) -> FloatArray:
    """h(x); when ``bounded`` it goes on along its tangent beyond 99 % of the capacity: overload stays finite."""
    if not queue.any():
        return np.asarray(x**exponent, dtype=np.float64)
    share = x / capacity
    top = HIGHEST_SHARE if bounded else 1 - 1e-9
    inside = np.minimum(share, top)
    power = np.where(queue, exponent + 1, exponent)
    raised = np.where(queue, inside, x) ** power
    if queue.all() and not bounded:
        return np.asarray(raised / (1 - inside), dtype=np.float64)
    beyond = np.where(share > top, share - top, 0.0)
    bent = raised / (1 - inside)
    bent = bent + beyond * top**exponent * ((exponent + 1) / (1 - top) + top / (1 - top) ** 2)
    return np.asarray(np.where(queue, bent, raised), dtype=np.float64)


def _fit(shapes: _Shapes, points: _Points, weight: FloatArray, free: bool) -> tuple[FloatArray, FloatArray]:
    """β, shape (bridges, cells, 3), and the weighted sum of squares, shape (bridges, cells)."""
    x, h, y = shapes.driver, shapes.bend, points.value
    weighted = np.stack([np.broadcast_to(weight, x.shape), weight * x, np.broadcast_to(weight * y, x.shape)], axis=-1)
    by_h = h @ weighted
    h_h = np.square(h) @ weight
    total, total_y = float(weight.sum()), float(weight @ y)
    x_1, x_x, x_y = x @ weight, np.square(x) @ weight, x @ (weight * y)
    expand = (slice(None), None)
    beta, gain = solve_nonnegative(
        (np.full_like(h_h, total), x_1[expand] + 0 * h_h, by_h[..., 0], x_x[expand] + 0 * h_h, by_h[..., 1], h_h),
        (np.full_like(h_h, total_y), x_y[expand] + 0 * h_h, by_h[..., 2]),
        free_intercept=free,
    )
    return beta, np.maximum(float(weight @ y**2) - gain, 0.0)


def _residual(shapes: _Shapes, points: _Points, beta: FloatArray, best: tuple[np.intp, ...]) -> FloatArray:
    chosen = beta[best]
    fitted = chosen[0] + chosen[1] * shapes.driver[best[0]] + chosen[2] * shapes.bend[best]
    return np.asarray((points.value - fitted) * np.sqrt(points.weight), dtype=np.float64)


def _refit(
    shapes: _Shapes,
    points: _Points,
    weight: FloatArray,
    beta: FloatArray,
    bridge: Indices,
    cell: Indices,
    inflation: float,
    free: bool,
    rng: np.random.Generator,
) -> FloatArray:
    """β of each draw after fitting its own cell to values simulated from it; shape (draws, 3)."""
    x, h, fitted = shapes.driver[bridge], shapes.bend[bridge, cell], beta[bridge, cell]
    simulated = fitted[:, :1] + fitted[:, 1:2] * x + fitted[:, 2:] * h
    simulated += rng.standard_normal(simulated.shape) * (inflation / np.sqrt(points.weight))
    weighted_h, weighted_x = weight * h, weight * x
    ones = np.ones(bridge.size)
    refitted, _ = solve_nonnegative(
        (
            ones * weight.sum(),
            weighted_x.sum(axis=1),
            weighted_h.sum(axis=1),
            np.einsum("ij,ij->i", weighted_x, x),
            np.einsum("ij,ij->i", weighted_h, x),
            np.einsum("ij,ij->i", weighted_h, h),
        ),
        (
            simulated @ weight,
            np.einsum("ij,ij->i", weighted_x, simulated),
            np.einsum("ij,ij->i", weighted_h, simulated),
        ),
        free_intercept=free,
    )
    return refitted


def solve_nonnegative(
    gram: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    moment: tuple[FloatArray, FloatArray, FloatArray],
    *,
    free_intercept: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Non-negative least squares with three coefficients for many problems at once: closed form over all active sets.

    Args:
        gram: the entries 00, 01, 02, 11, 12, 22 of XᵀWX, any one shape.
        moment: the entries of XᵀWy, the same shape.
        free_intercept: whether the first coefficient may be negative.

    Returns:
        Coefficients, shape (…, 3), and how far they lower the sum of squares from yᵀWy, shape (…).
    """
    g00, g01, g02, g11, g12, g22 = gram
    r0, r1, r2 = moment
    zero = np.zeros_like(r0)
    options = [(r0 / g00, zero, zero)]
    tiny = 1e-9
    with np.errstate(divide="ignore", invalid="ignore"):
        d01 = g00 * g11 - g01 * g01
        d02 = g00 * g22 - g02 * g02
        d12 = g11 * g22 - g12 * g12
        options.append(_or_zero(d01 > tiny * g00 * g11, (r0 * g11 - r1 * g01) / d01, (r1 * g00 - r0 * g01) / d01, zero))
        first, last, none = _or_zero(
            d02 > tiny * g00 * g22, (r0 * g22 - r2 * g02) / d02, (r2 * g00 - r0 * g02) / d02, zero
        )
        options.append((first, none, last))
        c00, c01, c02 = d12, g02 * g12 - g01 * g22, g01 * g12 - g02 * g11
        c11, c12, c22 = d02, g01 * g02 - g00 * g12, d01
        determinant = g00 * c00 + g01 * c01 + g02 * c02
        options.append(
            _or_zero(
                determinant > tiny * g00 * g11 * g22,
                (c00 * r0 + c01 * r1 + c02 * r2) / determinant,
                (c01 * r0 + c11 * r1 + c12 * r2) / determinant,
                (c02 * r0 + c12 * r1 + c22 * r2) / determinant,
            )
        )
        if not free_intercept:
            options.append((zero, r1 / g11, zero))
            options.append((zero, zero, r2 / g22))
            last, first, none = _or_zero(
                d12 > tiny * g11 * g22, (r2 * g11 - r1 * g12) / d12, (r1 * g22 - r2 * g12) / d12, zero
            )
            options.append((none, first, last))
    best = np.full(r0.shape, -np.inf)
    answer = np.zeros((*r0.shape, 3))
    for b0, b1, b2 in options:
        gain = b0 * r0 + b1 * r1 + b2 * r2
        better = (gain > best) & (b1 >= 0) & (b2 >= 0)
        if not free_intercept:
            better &= b0 >= 0
        best = np.where(better, gain, best)
        answer[better, 0], answer[better, 1], answer[better, 2] = b0[better], b1[better], b2[better]
    return answer, np.maximum(best, 0.0)


def _or_zero(
    usable: NDArray[np.bool_], a: FloatArray, b: FloatArray, c: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    return np.where(usable, a, 0.0), np.where(usable, b, 0.0), np.where(usable, c, 0.0)
