"""The universal scalability law, the response time of a queue, and whether more replicas now serve less.

    X(N) = γ N / (1 + α (N − 1) + β N (N − 1))

N. J. Gunther, Guerrilla Capacity Planning (Springer 2007), chapter 4: γ is the throughput of one, α contention,
β coherency. With β > 0 throughput peaks at N = √((1 − α) / β) and falls beyond.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from outgrow.outlook.nonnegative import solve_nonnegative
from outgrow.outlook.records import Refusal
from outgrow.quantities import DAY
from outgrow.signals.series import FloatArray, Series
from outgrow.signals.weekly import join, sorted_quantile

LEAST_SIZES = 4
BUSY_SHARE = 0.25
BOOTSTRAP_DRAWS = 400
ITERATIONS = 60


@dataclass(frozen=True, slots=True)
class Usl:
    """The law fitted to measurements.

    Attributes:
        alpha, beta: contention and coherency, ≥ 0. gamma: throughput at N = 1, in the unit of the measurements.
        alpha_error, beta_error, gamma_error: standard errors; None for a coefficient at its bound of zero.
        peak_n: where throughput peaks; infinite when β = 0.
        peak_throughput: throughput there; with β = 0 the asymptote.
        limit: γ / α, what contention alone would allow; infinite when α = 0.
    """

    alpha: float
    beta: float
    gamma: float
    alpha_error: float | None
    beta_error: float | None
    gamma_error: float | None

    @property
    def peak_n(self) -> float:
        """√((1 − α) / β), at least 1."""
        return math.inf if self.beta <= 0 else max(1.0, math.sqrt(max(1 - self.alpha, 0.0) / self.beta))

    @property
    def peak_throughput(self) -> float:
        """X at the peak."""
        return self.limit if math.isinf(self.peak_n) else float(self.at(np.array([self.peak_n]))[0])

    @property
    def limit(self) -> float:
        """γ / α."""
        return self.gamma / self.alpha if self.alpha > 0 else math.inf

    def at(self, n: FloatArray) -> FloatArray:
        """Throughput at ``n``, any shape."""
        return np.asarray(self.gamma * n / (1 + self.alpha * (n - 1) + self.beta * n * (n - 1)), dtype=np.float64)


def fit_usl(n: FloatArray, x: FloatArray) -> Usl | Refusal:
    """Least squares of throughput under α, β ≥ 0 and γ > 0.

    Args:
        n: shape (points,), clients or replicas, ≥ 1.
        x: shape (points,), throughput, > 0.
    """
    if np.unique(n).size < LEAST_SIZES or not (np.all(n >= 1) and np.all(x > 0)):
        return too_few_sizes(int(np.unique(n).size))
    coefficients = _fit_batch(n[None, :], x[None, :])[0]
    a, b, c = coefficients
    alpha, beta, gamma = b / a, c / a, 1 / a
    free = np.array([True, alpha > 0, beta > 0])
    errors = _standard_errors(n, x, alpha, beta, gamma, free)
    return Usl(float(alpha), float(beta), float(gamma), errors[1], errors[2], errors[0])


def _fit_batch(n: FloatArray, x: FloatArray) -> FloatArray:
    """(1/γ, α/γ, β/γ) of each row, shape (rows, 3).

    With q = N / X linear in these three, X = N / q is fitted by Gauss–Newton steps, each a non-negative least squares.
    """
    size = np.maximum(x.max(axis=1, keepdims=True), 1e-300)
    y = x / size
    design = np.stack([np.ones_like(n), n - 1, n * (n - 1)])
    current, _ = _weighted(design, n / y, (y * y / n) ** 2)
    for _ in range(ITERATIONS):
        q = np.maximum(np.einsum("kij,ik->ij", design, current), 1e-12)
        slope = n / q**2
        target = 2 * q - y * q * q / n
        proposed, _ = _weighted(design, target, slope**2)
        proposed[:, 0] = np.maximum(proposed[:, 0], 1e-12)
        current = np.where(
            _squares(design, proposed, n, y) <= _squares(design, current, n, y), proposed, (current + proposed) / 2
        )
    return np.asarray(current / size, dtype=np.float64)


def _squares(design: FloatArray, coefficients: FloatArray, n: FloatArray, y: FloatArray) -> FloatArray:
    q = np.maximum(np.einsum("kij,ik->ij", design, coefficients), 1e-12)
    return np.asarray(np.square(y - n / q).sum(axis=1, keepdims=True), dtype=np.float64)


def _weighted(design: FloatArray, target: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    one, first, second = design
    gram = tuple(
        (weight * left * right).sum(axis=1)
        for left, right in ((one, one), (one, first), (one, second), (first, first), (first, second), (second, second))
    )
    moment = tuple((weight * part * target).sum(axis=1) for part in design)
    return solve_nonnegative((gram[0], gram[1], gram[2], gram[3], gram[4], gram[5]), (moment[0], moment[1], moment[2]))


def _standard_errors(
    n: FloatArray,
    x: FloatArray,
    alpha: float,
    beta: float,
    gamma: float,
    free: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> list[float | None]:
    """Of γ, α, β from the Jacobian at the optimum; None at a bound."""
    below = 1 + alpha * (n - 1) + beta * n * (n - 1)
    jacobian = np.stack([n / below, -gamma * n * (n - 1) / below**2, -gamma * n * n * (n - 1) / below**2], axis=1)[
        :, free
    ]
    freedom = n.size - jacobian.shape[1]
    if freedom <= 0:
        return [None, None, None]
    residual = x - gamma * n / below
    scale = np.linalg.norm(jacobian, axis=0)
    covariance = np.linalg.pinv((jacobian / scale).T @ (jacobian / scale)) * float(residual @ residual) / freedom
    found = iter(np.sqrt(np.maximum(np.diag(covariance), 0.0)) / scale)
    return [float(next(found)) if known else None for known in free]


def erlang_c(servers: int, rho: float) -> float:
    """Probability that an arrival waits in M/M/c at utilisation ``rho`` in [0, 1). A. K. Erlang, 1917."""
    offered = servers * rho
    blocking = 1.0
    for k in range(1, servers + 1):
        blocking = offered * blocking / (k + offered * blocking)
    return blocking / (1 - rho * (1 - blocking))


def p95_mmc(rho: float, servers: int) -> float:
    """95th percentile of the response time of M/M/c, in mean service times; infinite from ``rho`` = 1 on.

    P(T > t) = e^−t (1 + W (1 − e^−dt) / d), d = c (1 − ρ) − 1, W the probability of waiting.
    """
    if rho >= 1:
        return math.inf
    waits, gap = erlang_c(servers, max(rho, 0.0)), servers * (1 - rho) - 1

    def beyond(t: float) -> float:
        queued = t if abs(gap) < 1e-9 else -math.expm1(-gap * t) / gap
        return math.exp(-t) * (1 + waits * queued)

    low, high = 0.0, 3.0
    while beyond(high) > 0.05:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle) > 0.05 else (low, middle)
    return (low + high) / 2


def too_few_sizes(sizes: int) -> Refusal:
    """The replicas hardly varied."""
    return Refusal(
        "too-few-levels",
        f"The service ran with {sizes} different {'number' if sizes == 1 else 'numbers'} of replicas; the scalability "
        f"law needs {LEAST_SIZES}.",
        "Run a load test at one, two, four and more replicas, or wait until the number of replicas has varied.",
    )


def probability_worse_though_scaled_out(
    replicas: Series, throughput: Series, latency: Series, rng: np.random.Generator, draws: int = BOOTSTRAP_DRAWS
) -> float | Refusal:
    """Probability that the service is past the peak of its scalability: β > 0, N now beyond it, and latency rising.

    For each number of replicas the busiest quarter of its samples counts: throughput below demand says nothing about
    capacity. Whole days are resampled, because samples of one day are alike.

    Args:
        replicas: how many ran, over time.
        throughput: what was served, over time.
        latency: seconds, over time.
        rng: the only source of randomness.
        draws: how many bootstrap samples.
    """
    end = math.inf
    served, slow = join(throughput, replicas, end), join(latency, replicas, end)
    times, at_served, at_slow = np.intersect1d(served.times, slow.times, return_indices=True)
    if times.size == 0:
        return too_few_sizes(0)
    sizes = np.round(served.driver[at_served]).astype(np.int64)
    x, seconds = served.values[at_served], slow.values[at_slow]
    usable = (sizes >= 1) & (x > 0) & (seconds > 0)
    times, sizes, x, seconds = times[usable], sizes[usable], x[usable], seconds[usable]
    distinct = np.unique(sizes)
    if distinct.size < LEAST_SIZES:
        return too_few_sizes(int(distinct.size))
    now = int(sizes[-1])
    capacity, response = np.empty((draws, distinct.size)), np.empty((draws, distinct.size))
    for column, size in enumerate(distinct):
        inside = sizes == size
        capacity[:, column], response[:, column] = _resampled(times[inside], x[inside], seconds[inside], draws, rng)
    n = np.broadcast_to(distinct.astype(np.float64), capacity.shape)
    fitted = _fit_batch(np.ascontiguousarray(n), capacity)
    alpha, beta = fitted[:, 1] / fitted[:, 0], fitted[:, 2] / fitted[:, 0]
    with np.errstate(divide="ignore"):
        peak = np.where(beta > 0, np.sqrt(np.maximum(1 - alpha, 0.0) / np.maximum(beta, 1e-300)), np.inf)
    largest = distinct >= np.sort(distinct)[-min(LEAST_SIZES, distinct.size)]
    centred = np.log(distinct[largest]) - np.log(distinct[largest]).mean()
    rising = np.log(response[:, largest]) @ centred > 0
    return float(np.mean((now > peak) & rising))


def _resampled(
    times: FloatArray, x: FloatArray, seconds: FloatArray, draws: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Busy throughput and the latency that goes with it for resampled days; shape (draws,) each."""
    days = np.floor(times / DAY)
    rows = []
    for day in np.unique(days):
        inside = days == day
        x_of_day, seconds_of_day = x[inside], seconds[inside]
        busy = x_of_day >= sorted_quantile(np.sort(x_of_day), 1 - BUSY_SHARE)
        rows.append((float(x_of_day[busy].mean()), float(np.median(seconds_of_day[busy]))))
    table = np.array(rows)
    picked = table[rng.integers(0, table.shape[0], (draws, table.shape[0]))]
    busiest = np.quantile(picked[..., 0], 1 - BUSY_SHARE, axis=1, keepdims=True)
    busy = picked[..., 0] >= busiest
    weight = busy / busy.sum(axis=1, keepdims=True)
    return (picked[..., 0] * weight).sum(axis=1), (picked[..., 1] * weight).sum(axis=1)
