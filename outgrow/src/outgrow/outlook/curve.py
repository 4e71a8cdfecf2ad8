"""The watched signal over its driver: which curves the measurements allow, and where each of them reaches a limit.

    y = β0 + β1 x + β2 h(x),   all β ≥ 0,   h one of the bends of ``shapes``

Over a grid of bends and capacities each cell is one closed-form non-negative least squares; cells are weighted by prior
times likelihood, and the doubt within a cell comes from a parametric bootstrap that refits under the same constraints
(truncating unconstrained draws at zero does not do: it piles up on curves that never rise). A ramp joins by a capacity
bridge: production carries s times the rig's load for the same answer, s ~ LogN(0, .12), settled where both overlap.

A bend with a capacity is a wall there, however flat the curve is before it. Where neither utilisation nor a ramp places
the capacity, the highest load seen is taken to be about 40 % of it (C over it ~ LogN(ln 2.4, .55), 21 to 84 %): servers
usually run at 10 to 50 % (L. A. Barroso and U. Hölzle, The Case for Energy-Proportional Computing, 2007), and those
that are watched for their limit run higher.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgrow.outlook.level import level_at_limit as level_at_limit
from outgrow.outlook.nonnegative import solve_nonnegative
from outgrow.outlook.records import Family
from outgrow.outlook.shapes import KINDS, POWER, QUEUE, SCALING, bend_inside, bends
from outgrow.signals.series import FloatArray
from outgrow.signals.weekly import Bins

POWERS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
QUEUE_ORDERS = (0.0, 1.0, 2.0, 4.0, 8.0)
CONTENTIONS = (0.3, 1.5, 6.0)
SHARES = {POWER: 0.05, QUEUE: 0.63, SCALING: 0.32}
SHARES_WITH_CAPACITY = {POWER: 0.04, QUEUE: 0.65, SCALING: 0.31}
CAPACITIES = np.concatenate([[1.01, 1.02, 1.035], np.exp(np.linspace(math.log(1.055), math.log(25), 40))])
CAPACITIES_OF_A_RIG = np.exp(np.linspace(math.log(0.75), math.log(25), 40))
FINE_CAPACITIES = 48
CAPACITY_LOG_MEAN = math.log(2.4)
CAPACITY_LOG_DEVIATION = 0.55
BRIDGE_LOG_DEVIATION = 0.12
LEAST_BRIDGE_DEVIATION = 0.03
COARSE_BRIDGES = 5
FINE_BRIDGES = 9
LEAST_SHARE = 1e-3
MODEL_ERROR = 0.02
RAMP_ERROR = 0.05
LOAD_ERROR = 0.007
COARSE_LOAD_ERROR = 0.04
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
        driver_scale: shape (draws,), what x was divided by: the highest load seen times the drawn ratio of the rig.
        value_scale: what y was divided by.
        wall_share: posterior probability that the curve has a capacity (no power law).
        misfit: root mean square of the standardised residuals of the best curve.
    """

    kind: NDArray[np.int8]
    capacity: FloatArray
    parameter: FloatArray
    beta: FloatArray
    driver_scale: FloatArray
    value_scale: float
    wall_share: float
    misfit: float

    def at(self, driver: FloatArray) -> FloatArray:
        """The signal on each drawn curve; ``driver`` shape (n,) → shape (draws, n)."""
        x = np.asarray(driver, dtype=np.float64)[None, :] / self.driver_scale[:, None]
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
    prior = _Prior(
        {POWER: 1.0} if family == "resource" else SHARES if capacity is None else SHARES_WITH_CAPACITY,
        CAPACITY_LOG_MEAN if capacity is None else capacity[0] - math.log(points.driver_scale),
        CAPACITY_LOG_DEVIATION if capacity is None else capacity[1],
    )
    if points.production == points.value.size:
        cells = _cells(prior, CAPACITIES)
        shapes = _shapes(prior, cells, points, np.ones(1))
    else:
        cells, shapes = _look_closer(prior, points, free_intercept)
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
        driver_scale=points.driver_scale * shapes.bridge[bridge],
        value_scale=points.value_scale,
        wall_share=float(posterior[:, cells.kind != POWER].sum()),
        misfit=math.sqrt(least / max(points.value.size - 4, 1)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """Production points first, then ramp points, scaled to order one; ``production`` counts the former.

    ``coarse_weight`` allows for a grid of capacities too coarse to follow a steep ramp.
    """

    driver: FloatArray
    value: FloatArray
    weight: FloatArray
    coarse_weight: FloatArray
    production: int
    driver_scale: float
    value_scale: float


@dataclass(frozen=True, slots=True)
class _Prior:
    """Probability of each kind of bend, and the log-normal prior of the capacity over the highest load seen."""

    shares: dict[int, float]
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """The grid of curve shapes, shape (cells,) each; ``log_prior`` without the prior of the capacity.

    ``log_width`` is the log of a cell's width in ln C.
    """

    kind: NDArray[np.int8]
    capacity: FloatArray
    parameter: FloatArray
    log_prior: FloatArray
    log_width: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Shapes:
    """x and h(x) at every point, in units of the rig: shapes (bridges, points) and (bridges, cells, points).

    ``bridge`` is the load in production over that on the rig for the same answer, shape (bridges,); ``log_prior`` has
    shape (bridges, cells).
    """

    bridge: FloatArray
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
    steep = [np.gradient(ramp.value, ramp.driver) * ramp.driver / value_scale for ramp in ramps]
    by_load = np.concatenate([np.zeros(count), *steep]) ** 2
    variance[count:] = (RAMP_ERROR**2 + MODEL_ERROR**2) * size[count:] ** 2
    weight, coarse_weight = (1 / (variance + by_load * error**2) for error in (LOAD_ERROR, COARSE_LOAD_ERROR))
    return _Points(driver, value, weight, coarse_weight, count, driver_scale, value_scale)


def _cells(prior: _Prior, capacities: FloatArray) -> _Cells:
    width = np.log(np.gradient(np.log(capacities)))
    parts = []
    for kind, share in prior.shares.items():
        parameters = np.array({POWER: POWERS, QUEUE: QUEUE_ORDERS, SCALING: CONTENTIONS}[kind])
        sizes, widths = (np.ones(1), np.zeros(1)) if kind == POWER else (capacities, width)
        parts.append(
            (
                np.full(sizes.size * parameters.size, kind, dtype=np.float64),
                np.tile(sizes, parameters.size),
                np.repeat(parameters, sizes.size),
                np.full(sizes.size * parameters.size, math.log(share / parameters.size)),
                np.tile(widths, parameters.size),
            )
        )
    kinds, sizes, parameters, log_prior, widths = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Cells(kinds.astype(np.int8), sizes, parameters, log_prior, widths)


def _look_closer(prior: _Prior, points: _Points, free: bool) -> tuple[_Cells, _Shapes]:
    """Grids of capacity and bridge around what a coarse look over the whole prior finds likely."""
    coarse = np.exp(np.linspace(-2.4, 2.4, COARSE_BRIDGES) * BRIDGE_LOG_DEVIATION)
    cells = _cells(prior, CAPACITIES_OF_A_RIG)
    shapes = _shapes(prior, cells, points, coarse)
    beta, misfit = _fit(shapes, points, points.coarse_weight, free)
    over = max(1.0, float(misfit.min()) / max(points.value.size - 4, 1))
    weight = _posterior(cells, shapes, beta, misfit, over)
    by_bridge = weight.sum(axis=1)
    mean = float(by_bridge @ np.log(coarse))
    deviation = math.sqrt(float(by_bridge @ (np.log(coarse) - mean) ** 2) + LEAST_BRIDGE_DEVIATION**2)
    bridges = np.exp(mean + np.linspace(-2.4, 2.4, FINE_BRIDGES) * deviation)
    grid = CAPACITIES_OF_A_RIG
    by_capacity = np.array([weight[:, (cells.kind != POWER) & (cells.capacity == each)].sum() for each in grid])
    if by_capacity.sum() > LEAST_SHARE:
        cumulative = np.cumsum(by_capacity) / by_capacity.sum()
        low = max(int(np.searchsorted(cumulative, LEAST_SHARE)) - 1, 0)
        high = min(int(np.searchsorted(cumulative, 1 - LEAST_SHARE)) + 1, grid.size - 1)
        cells = _cells(prior, np.exp(np.linspace(math.log(grid[low]), math.log(grid[high]), FINE_CAPACITIES)))
    return cells, _shapes(prior, cells, points, bridges)


def _posterior(cells: _Cells, shapes: _Shapes, beta: FloatArray, misfit: FloatArray, over: float) -> FloatArray:
    """Weight of each bridge and cell, shape (bridges, cells), sums to 1.

    A capacity below the highest load of a ramp needs the ramp to have risen there: half of its top on the bend.
    """
    log_weight = shapes.log_prior - (misfit - misfit.min()) / (2 * over)
    row = np.arange(shapes.driver.shape[0])
    farthest = shapes.driver.argmax(axis=1)
    top = shapes.driver[row, farthest][:, None]
    on_bend = beta[..., 2] * shapes.bend[row, :, farthest]
    flat = on_bend < beta[..., 0] + beta[..., 1] * top
    log_weight[(cells.kind != POWER) & (top > cells.capacity) & flat] = -np.inf
    weight = np.exp(log_weight - log_weight.max())
    return np.asarray(weight / weight.sum(), dtype=np.float64)


def _shapes(prior: _Prior, cells: _Cells, points: _Points, bridges: FloatArray) -> _Shapes:
    driver = np.tile(points.driver, (bridges.size, 1))
    driver[:, : points.production] /= bridges[:, None]
    bent = np.empty((bridges.size, cells.kind.size, points.value.size))
    described = cells.kind, cells.capacity, cells.parameter
    bent[:, :, : points.production] = bends(*described, driver[:, None, : points.production])
    if points.production < points.value.size:
        bent[:, :, points.production :] = bends(*described, driver[:1, points.production :])
    away = (np.log(cells.capacity) + np.log(bridges)[:, None] - prior.mean) / prior.deviation
    density = np.where(
        cells.kind == POWER, 0.0, cells.log_width - away**2 / 2 - math.log(prior.deviation * math.sqrt(2 * math.pi))
    )
    bridging = -((np.log(bridges) / BRIDGE_LOG_DEVIATION) ** 2) / 2
    return _Shapes(bridges, driver, bent, cells.log_prior + density + bridging[:, None])


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
