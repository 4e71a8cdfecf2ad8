"""Simulated histories of a growing service, with the truth beside them.

A history is what a team has measured when it asks "when do we reach this limit?": users, load and one signal, day by
day, for 20 to 100 weeks. The truth is what nobody has measured: the curve, users at the limit, the week of crossing.

How a history is made
    *Users* follow a growth kind: ``steady`` exponential; ``slowing`` (the slope halves every 26–104 weeks towards a
    fifth of itself); ``wandering`` (the slope is a random walk, up or down); ``piecewise`` (the slope changes about
    once a year by a factor exp(N(0, .5))); and, outside the model, ``saturating`` (logistic, the ceiling .7–3 times the
    users at the limit, so that some never cross). All carry small weekly shocks to the level.
    *Load* = users × load per user × weekly cycle × a real day-to-day wobble. The *signal* follows the real load
    (latency families) or the users (resource), through one of the curves of ``TrueCurve``. Then every series gets
    multiplicative observation noise, the signal also rare incident days, and days are missing. A third of the histories
    have a deploy, some day of the record, that shifted the level of the curve by LogN(0, .2).

What is true
    A limit is crossed in the first week in which the noise-free signal, at the busy load of that week, exceeds it.
    Busy load = the 95th percentile of the distribution of load within a week, given that week's users: weekly cycle
    and wobble are part of it, observation noise is not. A resource has no cycle: it is judged at the week's users.
    ``crossing`` is the start of that week, the middle between the last mid-week below and the first above.
    Deploys after the origin are not part of the truth: the question is "when, if we change nothing". Capacity that
    raises itself (``steps``) goes on doing so, and is part of the truth.
    A crossing more than three years after the origin counts as "does not cross".

When the question is asked (the origin)
    On the first day on which an observed state passes a milestone drawn beforehand: the week's median of measured users
    reaches a random share of the limit that the team declared (a guess, LogN(0, .35) around the truth), or the
    week's median of measured utilisation reaches a random value. ``first_day_at`` sees the past only; the time to
    the crossing plays no part. A draw in which the milestone never comes, comes within 20 weeks, or comes when the
    limit has already been crossed is drawn again: nobody asks then. None of these looks beyond the origin.

Seeds 0–9,999 are for development. The benchmark draws from 2,000,000 upwards, which nobody tunes on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from outgrow.outlook.records import Driver, Family, ForecastInputs
from outgrow.quantities import DAY, WEEK
from outgrow.signals.series import FloatArray, Ramp, Series, series_of

CurveKind = Literal["mmc", "usl", "power"]
GrowthKind = Literal["steady", "slowing", "wandering", "piecewise", "saturating"]
World = Literal["in-model", "saturating", "step-capacity"]
RampKind = Literal["none", "two-thirds", "limit"]

DEVELOPMENT_SEEDS = range(10_000)
FIRST_FRESH_SEED = 2_000_000
IN_MODEL_GROWTH: tuple[GrowthKind, ...] = ("steady", "slowing", "wandering", "piecewise")
SERVERS = (1, 2, 4, 8, 16)
HORIZON_WEEKS = 156

_CURVE_KINDS: tuple[CurveKind, ...] = ("mmc", "usl", "power")
_START = 1_609_718_400.0  # Monday, 4 January 2021, 00:00 UTC
_PAST_WEEKS = 260
_WEEKS = _PAST_WEEKS + HORIZON_WEEKS + 1
_DAYS = 7 * _WEEKS
_WEEKEND_DIP = np.array([0.0, 0.0, 0.0, 0.0, 0.2, 1.0, 0.8])


def erlang_c(servers: int, utilisation: FloatArray) -> FloatArray:
    """Probability that an arrival waits in M/M/c, for ``utilisation`` in [0, 1). Erlang 1917."""
    offered = servers * utilisation
    term, below = np.ones_like(offered), np.ones_like(offered)
    for k in range(1, servers):
        term = term * offered / k
        below = below + term
    top = term * offered / servers / (1 - utilisation)
    return np.asarray(top / (below + top))


def mmc_quantile(servers: int, utilisation: FloatArray, probability: float = 0.95) -> FloatArray:
    """Quantile of the response time in M/M/c (first come, first served), in mean service times.

    P(T > t) = e^−t · (1 + W·(1 − e^−dt)/d) with d = c(1 − ρ) − 1 and W = Erlang C; solved by bisection.
    """
    rho = np.clip(np.asarray(utilisation, dtype=np.float64), 0.0, 0.999)
    waits = erlang_c(servers, rho)
    gap = servers * (1 - rho) - 1
    gap = np.where(np.abs(gap) < 1e-9, 1e-9, gap)
    low = np.zeros_like(rho)
    high = -math.log(1 - probability) / np.minimum(1.0, servers * (1 - rho)) + 40.0
    for _ in range(60):
        middle = (low + high) / 2
        beyond = np.exp(-middle) + waits * (np.exp(-middle) - np.exp(-(1 + gap) * middle)) / gap
        above = beyond > 1 - probability
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2


@dataclass(frozen=True, slots=True)
class TrueCurve:
    """The noise-free signal over its driver.

    ``mmc``: p95 of M/M/c at utilisation x / ``capacity``. ``usl``: Little's law on the universal scalability law,
    R = N / X(N) on the rising branch, x = X(N), ``capacity`` = its peak. ``power``: ``base`` + x^``exponent``, x in
    units of ``capacity``. The outcome is multiplied by ``scale`` (base unit of the signal).
    """

    kind: CurveKind
    capacity: float
    scale: float
    servers: int = 1
    alpha: float = 0.0
    beta: float = 0.0
    base: float = 0.0
    exponent: float = 1.0

    def value(self, driver: FloatArray) -> FloatArray:
        """The signal at ``driver`` (load a second or users), any shape."""
        share = np.asarray(driver, dtype=np.float64) / self.capacity
        if self.kind == "mmc":
            shape = mmc_quantile(self.servers, share)
        elif self.kind == "usl":
            shape = _usl_latency(self.alpha, self.beta, share)
        else:
            shape = self.base + share**self.exponent
        return np.asarray(self.scale * shape)

    def driver_at(self, limit: float) -> float:
        """The driver at which the signal reaches ``limit``, by nested grids."""
        low, high = 0.0, self.capacity
        while self.kind == "power" and float(self.value(np.array([high]))[0]) < limit:
            high *= 2
        for _ in range(9):  # each round narrows the bracket 64 times
            grid = np.linspace(low, high, 65)
            place = int(np.clip(np.searchsorted(self.value(grid), limit), 1, 64))
            low, high = float(grid[place - 1]), float(grid[place])
        return (low + high) / 2

    def raised(self, factor: float) -> TrueCurve:
        """The same system with ``factor`` times the capacity."""
        return TrueCurve(
            self.kind,
            self.capacity * factor,
            self.scale,
            self.servers,
            self.alpha,
            self.beta,
            self.base,
            self.exponent,
        )


def _usl_latency(alpha: float, beta: float, share: FloatArray) -> FloatArray:
    """N / X(N) relative to X(1) = 1 at load = ``share`` of the peak; an overloaded open queue grows beyond it."""
    peak_clients = math.sqrt((1 - alpha) / beta)
    peak = peak_clients / (1 + alpha * (peak_clients - 1) + beta * peak_clients * (peak_clients - 1))
    x = np.clip(share, 1e-9, 1 - 1e-12) * peak
    linear = 1 - x * (alpha - beta)
    root = np.sqrt(np.maximum(linear**2 - 4 * x**2 * beta * (1 - alpha), 0.0))
    clients = 2 * x * (1 - alpha) / (linear + root)
    return np.asarray(clients / x * (1 + 20 * np.maximum(share - 1, 0.0)))


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """One history as measured, and the truth about it.

    Attributes:
        seed, world, curve_kind, growth_kind: labels.
        origin_rule: ``users`` or ``utilisation``: which state passed its milestone.
        driver, family: as ``ForecastInputs`` has them.
        users, load, signal, utilisation: measured, daily; load and utilisation are None for a resource.
        limit: the value of the signal that is watched for.
        declared_users: the users at which the team guesses the limit to be.
        now: the origin, seconds since the epoch.
        crossing: the truth, seconds since the epoch; infinite beyond three years from the origin.
        users_at_limit: the truth with the capacity there is at the origin (``steps`` raise it later).
        users_now: the true users at the origin.
        curve: the noise-free signal over its driver, as of the origin.
        busy_driver_per_user: what one user adds to the driver at busy load (1 for a resource).
        ramp_to_limit: stopped at the first level whose measured value passed the limit.
        ramp_two_thirds: stopped at two thirds of the limit's load. Both ran open-loop on a rig whose capacity is off by
            LogN(0, .1); a resource is ramped on users.
        rig_ratio: how much more the rig of ``ramp_to_limit`` bears than production (truth, for the floor of any ramp).
        deploy_weeks_ago: when the level shifted last before the origin, or None.
    """

    seed: int
    world: World
    curve_kind: CurveKind
    growth_kind: GrowthKind
    origin_rule: Literal["users", "utilisation"]
    driver: Driver
    family: Family
    users: Series
    load: Series | None
    signal: Series
    utilisation: Series | None
    limit: float
    declared_users: float
    now: float
    crossing: float
    users_at_limit: float
    users_now: float
    curve: TrueCurve
    busy_driver_per_user: float
    ramp_to_limit: Ramp
    ramp_two_thirds: Ramp
    rig_ratio: float
    deploy_weeks_ago: float | None

    @property
    def crosses(self) -> bool:
        """Whether the limit is crossed within three years of the origin."""
        return math.isfinite(self.crossing)

    def inputs(self, ramp: RampKind = "none", *, utilisation: bool = False) -> ForecastInputs:
        """What the estimator is given: without a ramp, or with one; utilisation only when asked for."""
        ramps = {"none": (), "limit": (self.ramp_to_limit,), "two-thirds": (self.ramp_two_thirds,)}[ramp]
        return ForecastInputs(
            users=self.users,
            load=self.load,
            signal=self.signal,
            driver=self.driver,
            family=self.family,
            direction="above",
            threshold=self.limit,
            breaks_at=None,
            now=self.now,
            ramps=ramps,
            utilisation=self.utilisation if utilisation else None,
            horizon_weeks=HORIZON_WEEKS,
        )


def first_day_at(milestone: float, measured: FloatArray) -> int | None:
    """The first day whose trailing seven days (NaN = missing) have a median ≥ ``milestone``; sees the past only."""
    windows = np.lib.stride_tricks.sliding_window_view(measured, 7)
    reached = np.flatnonzero(_nan_median(windows) >= milestone)
    return int(reached[0]) + 6 if reached.size else None


def _nan_median(windows: FloatArray) -> FloatArray:
    ordered = np.sort(windows, axis=1)  # NaN sorts last
    counts = np.sum(np.isfinite(ordered), axis=1)
    rows = np.arange(len(ordered))
    lower, upper = np.maximum(counts - 1, 0) // 2, counts // 2
    return np.asarray((ordered[rows, lower] + ordered[rows, np.minimum(upper, 6)]) / 2)


def simulate(
    seed: int,
    curve_kind: CurveKind | None = None,
    growth_kind: GrowthKind | None = None,
    world: World = "in-model",
) -> History:
    """The history of ``seed``. Without kinds: half M/M/c, a quarter USL, a quarter power law; growth kinds evenly.

    ``world`` ``saturating`` replaces the growth by a logistic one; ``step-capacity`` lets capacity be raised in
    steps (a power law becomes M/M/c there: a resource has no utilisation to act on).
    """
    rng = np.random.default_rng([seed])
    kind = curve_kind or _CURVE_KINDS[int(rng.choice(3, p=[0.5, 0.25, 0.25]))]
    growth = growth_kind or IN_MODEL_GROWTH[int(rng.integers(len(IN_MODEL_GROWTH)))]
    if world == "saturating":
        growth = "saturating"
    if world == "step-capacity" and kind == "power":
        kind = "mmc"
    for attempt in range(1000):
        history = _attempt(np.random.default_rng([seed, 1 + attempt]), seed, kind, growth, world)
        if history is not None:
            return history
    raise RuntimeError(f"seed {seed}: no history in 1000 draws; the simulator's ranges contradict each other")


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def _log_users(rng: np.random.Generator, kind: GrowthKind, at_limit: float, milestone: float) -> FloatArray:
    """True log users at the middle of each week, shape (_WEEKS,)."""
    slope = math.log1p(_log_uniform(rng, 0.02, 0.20)) / (365.25 / 84)
    weeks = np.arange(_WEEKS)
    start = math.log(milestone) - slope * rng.uniform(30, 130)
    shocks = np.cumsum(rng.normal(0.0, _log_uniform(rng, 0.001, 0.008), _WEEKS))
    slopes = np.full(_WEEKS, slope)
    if kind == "slowing":
        slopes = slope * (0.2 + 0.8 * 0.5 ** (weeks / rng.uniform(26, 104)))
    elif kind == "wandering":
        steps = rng.normal(0.0, slope * _log_uniform(rng, 0.02, 0.10), _WEEKS)
        slopes = np.clip(slope + np.cumsum(steps), -0.5 * slope, 4 * slope)
    elif kind == "piecewise":
        factors = np.where(rng.random(_WEEKS) < 1 / 52, rng.normal(0.0, 0.5, _WEEKS), 0.0)
        slopes = slope * np.exp(np.cumsum(factors))
    elif kind == "saturating":
        ceiling = math.log(at_limit * _log_uniform(rng, 0.7, 3.0))
        distance = math.log(max(math.expm1(max(ceiling - start, 0.05)), 1e-6)) - 1.5 * slope * weeks
        return np.asarray(ceiling - np.logaddexp(0.0, distance) + shocks)
    return np.asarray(start + np.cumsum(slopes) + shocks)


def _draw_curve(rng: np.random.Generator, kind: CurveKind) -> tuple[TrueCurve, float]:
    """A curve with capacity 1 and its limit, which is 1.5–10 times the value at a tenth of the capacity."""
    if kind == "power":
        curve = TrueCurve("power", 1.0, _log_uniform(rng, 1e8, 1e11), base=_log_uniform(rng, 0.02, 1.0))
        curve = TrueCurve("power", 1.0, curve.scale, base=curve.base, exponent=rng.uniform(0.7, 1.8))
        return curve, curve.scale * (curve.base + 1.0)
    scale, times = _log_uniform(rng, 0.005, 0.5), _log_uniform(rng, 1.5, 10.0)
    if kind == "mmc":
        curve = TrueCurve("mmc", 1.0, scale, servers=int(rng.choice(SERVERS)))
    else:
        alpha, beta = _log_uniform(rng, 0.005, 0.1), _log_uniform(rng, 1e-5, 1e-3)
        curve = TrueCurve("usl", 1.0, scale, alpha=alpha, beta=beta)
    low, wall = curve.value(np.array([0.1, 0.999]))
    return curve, float(min(times * low, 0.95 * wall))


def _raised_capacity(rng: np.random.Generator, busy: FloatArray, curve: TrueCurve, *, steps: bool) -> FloatArray:
    """Capacity factor a week: raised by 25–100 % whenever busy utilisation passes a mark, one to four times in all."""
    factors = np.ones(_WEEKS)
    left, mark, gain = int(rng.integers(1, 5)), rng.uniform(0.4, 0.75), rng.uniform(1.25, 2.0)
    if not steps:
        return factors
    factor = 1.0
    for week in range(_WEEKS):
        factors[week] = factor
        if left and busy[week] > mark * factor * curve.capacity:
            factor, left = factor * gain, left - 1
    return factors


def _missing(rng: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which days are missing: 3 % at random, and in a third of the histories gaps of up to ten days."""
    missing = rng.random(_DAYS) < 0.03
    gaps, lengths = rng.random(_DAYS) < 1 / 200, rng.integers(2, 11, _DAYS)
    if rng.random() < 1 / 3:
        for day in np.flatnonzero(gaps):
            missing[day : day + lengths[day]] = True
    return missing


def _ramp(
    rng: np.random.Generator, curve: TrueCurve, limit: float, axis: Literal["load", "users"], made_at: float, top: float
) -> tuple[Ramp, float]:
    """An open-loop ramp up to ``top`` of the rig's own limit; at 1 it goes on to the first measured value above it.

    With it comes how much more the rig bears than production.
    """
    rig_ratio = float(np.exp(rng.normal(0.0, 0.1)))
    rig = curve.raised(rig_ratio)
    step = rng.uniform(0.05, 0.12)
    shares = np.arange(step, top if top < 1 else 2.0, step)
    levels = shares * rig.driver_at(limit)
    values = rig.value(levels) * np.exp(rng.normal(0.0, 0.05, levels.size))
    if top >= 1:
        over = np.flatnonzero(values > limit)
        last = int(over[0]) + 1 if over.size else levels.size
        levels, values = levels[:last], values[:last]
    return Ramp("rig", "signal", axis, levels, values, "open", made_at, origin="simulated"), rig_ratio


def _attempt(
    rng: np.random.Generator,
    seed: int,
    kind: CurveKind,
    growth: GrowthKind,
    world: World,
) -> History | None:
    resource = kind == "power"

    # The week: cycle, wobble, and where its 95th percentile lies relative to the mean.
    cycle = 1 - rng.uniform(0.0, 0.5) * _WEEKEND_DIP
    cycle, wobble = cycle / cycle.mean(), rng.uniform(0.02, 0.06)
    spread = np.sort(np.random.default_rng(1).normal(size=999))
    busy_ratio = float(np.quantile(cycle[:, None] * np.exp(wobble * spread)[None, :], 0.95))
    per_user = 1.0 if resource else _log_uniform(rng, 0.001, 0.05)
    busy_per_user = 1.0 if resource else per_user * busy_ratio

    # The curve, placed so that the limit is reached at a drawn number of users.
    at_limit = _log_uniform(rng, 1_000, 60_000)
    unit_curve, limit = _draw_curve(rng, kind)
    curve = unit_curve.raised(at_limit * busy_per_user / unit_curve.driver_at(limit))
    declared = at_limit * float(np.exp(rng.normal(0.0, 0.35)))
    users_milestone, busy_milestone = declared * rng.uniform(0.2, 0.6), rng.uniform(0.15, 0.6)
    by_utilisation = not resource and rng.random() < 0.5
    expected = busy_milestone * curve.capacity / per_user if by_utilisation else users_milestone
    log_users = _log_users(rng, growth, at_limit, expected)

    # Day by day, for all time; only what lies before the origin is handed out.
    days = np.arange(_DAYS)
    users = np.exp(np.interp(days + 0.5, 7 * np.arange(_WEEKS) + 3.5, log_users))
    busy = np.exp(log_users) * busy_per_user
    factors = _raised_capacity(rng, busy, curve, steps=world == "step-capacity")
    load = users * per_user * (1.0 if resource else cycle[days % 7] * np.exp(rng.normal(0.0, wobble, _DAYS)))
    daily_factor = np.repeat(factors, 7)
    level_noise = rng.uniform(0.01, 0.05) if resource else rng.uniform(0.04, 0.15)
    incidents = (rng.random(_DAYS) < 0.01) * np.abs(rng.normal(0.0, 0.7, _DAYS)) * (not resource)
    noise = np.exp(level_noise * rng.normal(size=_DAYS) + incidents)
    seen_users = users * np.exp(rng.normal(0.0, rng.uniform(0.003, 0.02), _DAYS))
    seen_load = load * np.exp(rng.normal(0.0, rng.uniform(0.005, 0.03), _DAYS))
    seen_busy_share = np.minimum(1.0, load / (curve.capacity * daily_factor) * np.exp(rng.normal(0.0, 0.05, _DAYS)))
    gone = [_missing(rng) for _ in range(4)]

    # The origin: an observed state passes a milestone. Nothing after that day is looked at.
    state, missing = (seen_busy_share, gone[3]) if by_utilisation else (seen_users, gone[0])
    state = np.where(missing, np.nan, state)
    last_day = first_day_at(busy_milestone if by_utilisation else users_milestone, state[: 7 * _PAST_WEEKS])
    if last_day is None or last_day < 7 * 20:
        return None
    end = last_day + 1
    origin_week = end // 7

    # The truth.
    weekly = curve.value(busy / factors)
    over = np.flatnonzero(weekly > limit)
    crossing_week = int(over[0]) if over.size else _WEEKS
    if crossing_week <= origin_week:
        return None
    now = _START + end * DAY
    crossing = _START + crossing_week * WEEK
    if crossing > now + HORIZON_WEEKS * WEEK or crossing_week >= _WEEKS:
        crossing = math.inf

    # What is handed out.
    first = max(0, end - 7 * int(rng.integers(20, 101)))
    deploy_day = int(rng.uniform(first, end)) if rng.random() < 1 / 3 else 0
    level = np.where(days < deploy_day, float(np.exp(rng.normal(0.0, 0.2))), 1.0)[:end]
    signal = np.zeros(end)
    signal[first:] = curve.value((load / daily_factor)[first:end]) * level[first:] * noise[first:end]
    now_curve = curve.raised(float(daily_factor[last_day]))

    def handed_out(name: str, unit: str, values: FloatArray, which: int) -> Series:
        kept = np.flatnonzero(~gone[which][first:end]) + first
        return series_of(name, unit, _START + (kept + 0.5) * DAY, values[kept], "simulated")

    ramp_at = now - rng.uniform(0, 4) * WEEK
    axis: Literal["load", "users"] = "users" if resource else "load"
    to_limit, rig_ratio = _ramp(rng, now_curve, limit, axis, ramp_at, 1.0)
    two_thirds, _ = _ramp(rng, now_curve, limit, axis, ramp_at, 2 / 3)
    return History(
        seed=seed,
        world=world,
        curve_kind=kind,
        growth_kind=growth,
        origin_rule="utilisation" if by_utilisation else "users",
        driver="users" if resource else "load",
        family="resource" if resource else "latency",
        users=handed_out("users", "users", seen_users, 0),
        load=None if resource else handed_out("load", "per_second", seen_load, 1),
        signal=handed_out("signal", "bytes" if resource else "seconds", signal, 2),
        utilisation=None if resource else handed_out("utilisation", "ratio", seen_busy_share, 3),
        limit=limit,
        declared_users=declared,
        now=now,
        crossing=crossing,
        users_at_limit=now_curve.driver_at(limit) / busy_per_user,
        users_now=float(users[last_day]),
        curve=now_curve,
        busy_driver_per_user=busy_per_user,
        ramp_to_limit=to_limit,
        ramp_two_thirds=two_thirds,
        rig_ratio=rig_ratio,
        deploy_weeks_ago=(end - deploy_day) / 7 if deploy_day else None,
    )
