"""The watched signal over its driver: which curves the measurements allow, and where each of them reaches a limit.

    y = β0 + β1 x + β2 h(x),   all β ≥ 0,   h one of the bends of ``shapes``

Over a grid of bends and capacities each cell is one closed-form non-negative least squares; cells are weighted by prior
times likelihood, and the doubt within a cell comes from a parametric bootstrap that refits under the same constraints
(truncating unconstrained draws at zero does not do: it piles up on curves that never rise). A ramp joins by a capacity
bridge: its rig has s times the load for the same answer, s ~ LogN(0, .12), settled where both overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgrow.outlook.level import level_at_limit as level_at_limit
from outgrow.outlook.records import Family
from outgrow.outlook.shapes import KINDS, POWER, QUEUE, SCALING, bend_inside, bends
from outgrow.signals.series import FloatArray
from outgrow.signals.weekly import Bins

POWERS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
QUEUE_ORDERS = (0.0, 1.0, 2.0, 4.0, 8.0)
CONTENTIONS = (0.3, 1.5, 6.0)
SHARES = {POWER: 0.06, QUEUE: 0.63, SCALING: 0.31}
SHARES_WITH_CAPACITY = {POWER: 0.04, QUEUE: 0.65, SCALING: 0.31}
CAPACITIES = np.concatenate([[1.01, 1.02, 1.035], np.exp(np.linspace(math.log(1.055), math.log(25), 40))])
CAPACITY_LOG_MEAN = math.log(2.7)
CAPACITY_LOG_DEVIATION = 0.45
BRIDGE_LOG_DEVIATION = 0.12
LEAST_BRIDGE_DEVIATION = 0.03
COARSE_BRIDGES = 7
FINE_BRIDGES = 9
MODEL_ERROR = 0.03
RAMP_ERROR = 0.08
Indices = NDArray[np.intp]
HUBER = 1.345
LEAST_LEVELS = 4
BISECTIONS = 30


@dataclass(frozen=True, slots=True, eq=False)
class RampPoints:
    """An open-loop ramp (or the usable part of a closed one) in driver units; shapes (n,)."""

    driver: FloatArray
    value: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Curves drawn from what the measurements allow.

    Attributes:
        kind: shape (draws,), POWER, QUEUE or SCALING of ``shapes``.
        capacity: shape (draws,), C over ``driver_scale`` (1 for power laws).
        parameter: shape (draws,), γ, k or κ.
        beta: shape (draws, 3), in units of ``value_scale``.
        driver_scale, value_scale: what x and y were divided by.
        wall_share: posterior probability that the curve has a capacity (no power law).
        misfit: root mean square of the standardised residuals of the best curve.
    """

    kind: NDArray[np.int8]
    capacity: FloatArray
    parameter: FloatArray
    beta: FloatArray
    driver_scale: float
    value_scale: float
    wall_share: float
    misfit: float

    def at(self, driver: FloatArray) -> FloatArray:
        """The signal on each drawn curve; ``driver`` shape (n,) → shape (draws, n)."""
        x = np.asarray(driver, dtype=np.float64)[None, :] / self.driver_scale
        bent = bends(self.kind, self.capacity, self.parameter, x)
        total = self.beta[:, :1] + self.beta[:, 1:2] * x + self.beta[:, 2:] * bent
        return np.asarray(total * self.value_scale, dtype=np.float64)

    def reaches(self, limit: float) -> FloatArray:
        """The driver at which each drawn curve reaches ``limit``, shape (draws,): 0 when always above, ∞ when never."""
        target = limit / self.value_scale - self.beta[:, 0]
        found = np.empty(target.size)
        for kind in KINDS:
            chosen = np.flatnonzero(self.kind == kind)
            found[chosen] = _solve(
                kind,
                self.capacity[chosen],
                self.parameter[chosen],
                self.beta[chosen, 1:],
                np.maximum(target[chosen], 0.0),
            )
        return np.asarray(np.where(target <= 0, 0.0, found) * self.driver_scale, dtype=np.float64)


def _solve(kind: int, capacity: FloatArray, parameter: FloatArray, beta: FloatArray, target: FloatArray) -> FloatArray:
    """x with β1 x + β2 h(x) = ``target``, by bisection; ∞ where it never gets there. All shapes (n,), β (n, 2)."""
    slope, bent = beta[:, 0], beta[:, 1]
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        by_slope = np.where(slope > 0, target / slope, np.inf)
        by_bend = np.where(bent > 0, (target / bent) ** (1 / parameter), np.inf)
        high = np.minimum(by_slope, by_bend if kind == POWER else capacity)
    never = ~np.isfinite(high)
    low, high = np.zeros_like(high), np.where(never, 1.0, high)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        below = slope * middle + bent * bend_inside(kind, parameter, middle / capacity) < target
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.where(never, np.inf, (low + high) / 2)


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
        family: ``latency`` (any bend) or ``resource`` (power only).
        draws: how many curves.
        rng: the only source of randomness.
        capacity: mean of ln C (driver units) and its deviation from measured utilisation, if any.
        free_intercept: whether β0 may be negative (a value turned round by negation).
    """
    points = _points(bins, ramps)
    cells = _cells(family, points.driver_scale, capacity)
    shapes = _shapes(cells, points, _bridges(cells, points, free_intercept))
    beta, misfit = _fit(shapes, points, points.weight, free_intercept)
    residual = _residual(shapes, points, beta, np.unravel_index(int(np.argmin(misfit)), misfit.shape))
    scale = max(1.0, 1.4826 * float(np.median(np.abs(residual))))
    weights = points.weight * np.minimum(1.0, HUBER * scale / np.maximum(np.abs(residual), 1e-12))
    beta, misfit = _fit(shapes, points, weights, free_intercept)
    least = float(misfit.min())
    over = max(1.0, least / max(points.value.size - 4, 1))
    posterior = _posterior(cells, shapes, beta, misfit, over)
    cumulative = np.cumsum(posterior.ravel())
    picked = np.searchsorted(cumulative, (np.arange(draws) + rng.random()) / draws * cumulative[-1])
    bridge, cell = np.divmod(rng.permutation(np.minimum(picked, cumulative.size - 1)), posterior.shape[1])
    drawn = _refit(shapes, points, weights, beta, bridge, cell, math.sqrt(over), free_intercept, rng)
    return Curves(
        kind=cells.kind[cell],
        capacity=cells.capacity[cell],
        parameter=cells.parameter[cell],
        beta=drawn,
        driver_scale=points.driver_scale,
        value_scale=points.value_scale,
        wall_share=float(posterior[:, cells.kind != POWER].sum()),
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

    kind: NDArray[np.int8]
    capacity: FloatArray
    parameter: FloatArray
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
    shares = {POWER: 1.0} if family == "resource" else SHARES if capacity is None else SHARES_WITH_CAPACITY
    mean, deviation = (
        (CAPACITY_LOG_MEAN, CAPACITY_LOG_DEVIATION)
        if capacity is None
        else (capacity[0] - math.log(driver_scale), capacity[1])
    )
    density = np.log(np.gradient(np.log(CAPACITIES))) - ((np.log(CAPACITIES) - mean) / deviation) ** 2 / 2
    density -= density.max() + math.log(float(np.exp(density - density.max()).sum()))
    parts = []
    for kind, share in shares.items():
        parameters = np.array({POWER: POWERS, QUEUE: QUEUE_ORDERS, SCALING: CONTENTIONS}[kind])
        sizes, prior = (np.ones(1), np.zeros(1)) if kind == POWER else (CAPACITIES, density)
        parts.append(
            (
                np.full(sizes.size * parameters.size, kind, dtype=np.float64),
                np.tile(sizes, parameters.size),
                np.repeat(parameters, sizes.size),
                np.tile(prior, parameters.size) + math.log(share / parameters.size),
            )
        )
    kinds, sizes, parameters, prior = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Cells(kinds.astype(np.int8), sizes, parameters, prior)


def _bridges(cells: _Cells, points: _Points, free: bool) -> FloatArray:
    """Where to look for the ratio between rig and production: a coarse look over the prior, then a grid around it."""
    if points.production == points.value.size:
        return np.ones(1)
    coarse = np.exp(np.linspace(-2.4, 2.4, COARSE_BRIDGES) * BRIDGE_LOG_DEVIATION)
    shapes = _shapes(cells, points, coarse)
    beta, misfit = _fit(shapes, points, points.weight, free)
    over = max(1.0, float(misfit.min()) / max(points.value.size - 4, 1))
    weight = _posterior(cells, shapes, beta, misfit, over).sum(axis=1)
    mean = float(weight @ np.log(coarse))
    deviation = math.sqrt(float(weight @ (np.log(coarse) - mean) ** 2) + LEAST_BRIDGE_DEVIATION**2)
    return np.exp(mean + np.linspace(-2.4, 2.4, FINE_BRIDGES) * deviation)


def _posterior(cells: _Cells, shapes: _Shapes, beta: FloatArray, misfit: FloatArray, over: float) -> FloatArray:
    """Weight of each bridge and cell, shape (bridges, cells), sums to 1.

    A capacity below the highest load of a ramp needs the ramp to have risen there: half of its top on the bend.
    """
    log_weight = cells.log_prior[None, :] + shapes.log_prior[:, None] - (misfit - misfit.min()) / (2 * over)
    row = np.arange(shapes.driver.shape[0])
    farthest = shapes.driver.argmax(axis=1)
    top = shapes.driver[row, farthest][:, None]
    on_bend = beta[..., 2] * shapes.bend[row, :, farthest]
    flat = on_bend < beta[..., 0] + beta[..., 1] * top
    log_weight[(cells.kind != POWER) & (top > cells.capacity) & flat] = -np.inf
    weight = np.exp(log_weight - log_weight.max())
    return np.asarray(weight / weight.sum(), dtype=np.float64)


def _shapes(cells: _Cells, points: _Points, bridges: FloatArray) -> _Shapes:
    has_ramp = points.production < points.value.size
    driver = np.tile(points.driver, (bridges.size, 1))
    driver[:, points.production :] *= bridges[:, None]
    bent = np.empty((bridges.size, cells.kind.size, points.value.size))
    described = cells.kind, cells.capacity, cells.parameter
    bent[:, :, : points.production] = bends(*described, driver[:1, : points.production])
    if has_ramp:
        bent[:, :, points.production :] = bends(*described, driver[:, None, points.production :])
    log_prior = -((np.log(bridges) / BRIDGE_LOG_DEVIATION) ** 2) / 2
    return _Shapes(driver, bent, log_prior)


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
