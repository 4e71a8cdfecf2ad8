"""Triggers that compare: does a signal grow faster than users, and over how many regions are users spread?"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from outgrow.outlook.backtest import backtest
from outgrow.outlook.crossing import draw_lead_time, percentiles
from outgrow.outlook.growth import fit_growth, sample_paths
from outgrow.outlook.records import Crossing, Fan, Forecast, Refusal
from outgrow.outlook.reduction import METHOD, growth_seed
from outgrow.outlook.refusal import LEAST_PROBABILITY, LEAST_WEEKS, missing_series, no_crossing, too_short
from outgrow.quantities import WEEK, Interval, at_date, format_quantity, significant
from outgrow.signals.series import FloatArray, Origin, Series
from outgrow.signals.weekly import Weekly, week_of, week_start, weekly_quantile

CORRELATIONS = np.concatenate([np.arange(0.0, 0.9, 0.1), [0.9, 0.95, 0.98, 0.99]])
LEAST_USER_CHANGE = 0.10
DRAWS = 1000
HORIZON_WEEKS = 156


def probability_outpaces(signal: Series, users: Series, now: float) -> float | Refusal:
    """Probability that the exponent exceeds 1 in signal ∝ users^exponent, from weekly medians.

    Neighbouring weeks resemble each other, so the residuals follow a first-order autoregression whose correlation is
    averaged over (0 to .99, by likelihood), and their variance is integrated out: for each correlation the exponent is
    Student-t (Zellner, Bayesian Inference in Econometrics, 4.1). Nothing random is left.

    Args:
        signal, users: raw, positive values count.
        now: seconds since the epoch; complete weeks before it count.
    """
    end = week_start(week_of(now))
    medians = []
    for series, what in ((users, "users"), (signal, "signal")):
        weekly = weekly_quantile(_positive(series), end)
        if weekly.known == 0:
            return missing_series(what, series.name)
        medians.append(weekly)
    y, x = _common(medians[1], medians[0])
    known = np.isfinite(x) & np.isfinite(y)
    if np.count_nonzero(known) < LEAST_WEEKS:
        return too_short(f"{signal.name} together with {users.name}", int(np.count_nonzero(known)))
    change = float(np.ptp(x[known]))
    if change < math.log1p(LEAST_USER_CHANGE):
        return Refusal(
            "too-few-levels",
            f"{users.name} changed by only {format_quantity(math.expm1(change), 'ratio')} over these weeks; to compare "
            f"rates of growth it must change by {format_quantity(LEAST_USER_CHANGE, 'ratio')}.",
            f"Wait until {users.name} has grown further.",
        )
    return _probability_above_one(x[known], y[known], np.flatnonzero(known))


def forecast_spread(
    users_by_region: Mapping[str, Series],
    *,
    threshold: float,
    now: float,
    breaks_at: float | None = None,
    share: float = 0.05,
    lead_time_weeks: Interval | None = None,
    horizon_weeks: int = HORIZON_WEEKS,
    draws: int = DRAWS,
) -> Forecast:
    """When users are spread over more than ``threshold`` regions with at least ``share`` of all users each.

    Each region grows on its own paths; one with too short a history, or whose growth predicts no better than no change,
    stays where it is. ``users_at_limit`` is all regions together at that moment.
    """
    end = week_start(week_of(now))
    last = threshold if breaks_at is None else breaks_at
    names = sorted(users_by_region)
    weekly = {name: weekly_quantile(_positive(users_by_region[name]), end) for name in names}
    weekly = {name: each for name, each in weekly.items() if each.known}
    digest = _digest(weekly, (threshold, breaks_at, share, horizon_weeks, end), lead_time_weeks)
    origins: tuple[Origin, ...] = tuple(dict.fromkeys(users_by_region[name].origin for name in weekly))
    longest = max((each.known for each in weekly.values()), default=0)
    if longest < LEAST_WEEKS:
        refusal = missing_series("users", "users by region") if not weekly else too_short("Users by region", longest)
        first, second = (Crossing(limit, "unknown", refusal=refusal) for limit in (threshold, last))
        return Forecast(now, digest, None, None, first, second, steps=(refusal.reason, refusal.next_step))
    paths, moving = _region_paths(weekly, end, horizon_weeks, draws)
    total = paths.sum(axis=0)
    counts = (paths >= share * total).sum(axis=0)
    start = end - WEEK / 2
    warn, _ = _spread_crossing(counts, total, threshold, now, start, horizon_weeks)
    breaks, times = _spread_crossing(counts, total, last, now, start, horizon_weeks)
    start_by = None
    if lead_time_weeks is not None and breaks.crossing is not None:
        rng = np.random.default_rng(int(digest[:15], 16))
        start_by = percentiles(times - WEEK * draw_lead_time(lead_time_weeks, draws, rng)).low
        start_by = start_by if math.isfinite(start_by) else None
    shown = np.unique(np.linspace(0, horizon_weeks, 80).round().astype(int))
    bands = [percentiles(total[:, week]) for week in shown]
    return Forecast(
        made_at=now,
        digest=digest,
        users_now=float(np.median(total[:, 0])),
        growth_per_month=None,
        warn=warn,
        breaks=breaks,
        start_by=start_by,
        fan=Fan(
            np.asarray(start + shown * WEEK, dtype=np.float64),
            np.array([band.low for band in bands]),
            np.array([band.mid for band in bands]),
            np.array([band.high for band in bands]),
        ),
        steps=_spread_steps(weekly, moving, paths, share, warn, breaks, breaks_at is not None),
        origins=origins,
    )


def _probability_above_one(x: FloatArray, y: FloatArray, weeks: np.ndarray[tuple[int], np.dtype[np.intp]]) -> float:
    design = np.stack([np.ones_like(x), x - x.mean()], axis=1)
    gaps = np.diff(weeks)
    freedom = x.size - 2
    log_weight, above = [], []
    for correlation in CORRELATIONS:
        decay = correlation**gaps
        scale = np.sqrt(1 - decay * decay)
        rows = np.vstack([design[:1], (design[1:] - decay[:, None] * design[:-1]) / scale[:, None]])
        values = np.append(y[:1], (y[1:] - decay * y[:-1]) / scale)
        gram = rows.T @ rows
        answer = np.linalg.solve(gram, rows.T @ values)
        squares = max(float(np.square(values - rows @ answer).sum()), 1e-12 * x.size)
        error = math.sqrt(squares / freedom * float(np.linalg.inv(gram)[1, 1]))
        log_weight.append(
            -float(np.log(scale).sum()) - float(np.linalg.slogdet(gram)[1]) / 2 - freedom / 2 * math.log(squares)
        )
        above.append(student_t_above((1 - float(answer[1])) / error, freedom))
    weight = np.exp(np.array(log_weight) - max(log_weight))
    return float(np.clip(weight @ np.array(above) / weight.sum(), 0.0, 1.0))


def student_t_above(t: float, freedom: int) -> float:
    """P(T > t) of Student's t distribution with ``freedom`` degrees, by the trapezoid rule in the angle atan(T/√ν)."""
    angle = math.atan(t / math.sqrt(freedom))
    grid = np.linspace(angle, math.pi / 2, 2001)
    log_norm = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(math.pi)
    return float(math.exp(log_norm) * np.trapezoid(np.maximum(np.cos(grid), 0.0) ** (freedom - 1), grid))


def _common(first: Weekly, second: Weekly) -> tuple[FloatArray, FloatArray]:
    """Logarithms over the weeks both cover."""
    start = max(first.first_week, second.first_week)
    stop = min(first.first_week + len(first), second.first_week + len(second))
    stop = max(start, stop)
    return (
        np.log(first.values[start - first.first_week : stop - first.first_week]),
        np.log(second.values[start - second.first_week : stop - second.first_week]),
    )


def _region_paths(
    weekly: Mapping[str, Weekly], end: float, horizon: int, draws: int
) -> tuple[FloatArray, tuple[str, ...]]:
    """Users by region from the last complete week on, shape (regions, draws, weeks + 1), and which regions move."""
    paths, moving = [], []
    for position, (name, each) in enumerate(weekly.items()):
        logs = np.log(each.values)
        stale = max(0, round((end - week_start(int(each.weeks[-1]) + 1)) / WEEK))
        fitted = fit_growth(logs, each.first_week) if each.known >= LEAST_WEEKS else None
        if fitted is not None and backtest(fitted, logs).passed:
            moving.append(name)
            rng = np.random.default_rng([growth_seed(each), position])
            paths.append(sample_paths(fitted, horizon + stale, draws, rng)[:, stale:])
        else:
            paths.append(np.full((draws, horizon + 1), logs[-1]))
    return np.exp(np.minimum(np.stack(paths), 60.0)), tuple(moving)


def _spread_crossing(
    counts: FloatArray, total: FloatArray, limit: float, now: float, start: float, horizon: int
) -> tuple[Crossing, FloatArray]:
    over = counts > limit
    passed = over.any(axis=1)
    week = np.argmax(over, axis=1)
    times = np.where(passed, np.maximum(start + week * WEEK, now), np.inf)
    probability = float(np.mean(passed))
    when = percentiles(times)
    users = percentiles(np.where(passed, total[np.arange(total.shape[0]), week], np.inf))
    if float(np.mean(over[:, 0])) >= LEAST_PROBABILITY:
        reached = Interval(now, now, now)
        return Crossing(limit, "dated", users, reached, 1.0, None, None, reached), np.full(times.size, now)
    if probability < LEAST_PROBABILITY:
        refusal = no_crossing(probability, horizon)
        return Crossing(limit, "users-only", users, None, probability, None, refusal, when), times
    return Crossing(limit, "dated", users, when, probability, None, None, when), times


def _spread_steps(
    weekly: Mapping[str, Weekly],
    moving: tuple[str, ...],
    paths: FloatArray,
    share: float,
    warn: Crossing,
    breaks: Crossing,
    has_both: bool,
) -> tuple[str, ...]:
    now = np.median(paths[:, :, 0], axis=1)
    of_all = now / now.sum()
    listed = sorted(zip(weekly, of_all, strict=True), key=lambda pair: -pair[1])
    shown = ", ".join(f"{name} {format_quantity(float(part), 'ratio')}" for name, part in listed[:8])
    steps = [
        f"Users by region now: {shown}.",
        f"{int((of_all >= share).sum())} of {len(weekly)} regions hold at least {format_quantity(share, 'ratio')}.",
        f"{len(moving)} of them grow on paths of their own; the others stay where they are, because their history is "
        "short or growth predicts no better than no change."
        if len(moving) < len(weekly)
        else "Each grows on paths of its own.",
    ]
    for crossing in (warn, breaks) if has_both else (warn,):
        text = f"More than {significant(crossing.limit)} regions"
        if crossing.crossing is None:
            text += f": in {format_quantity(crossing.probability or 0.0, 'ratio')} of the paths within the horizon"
        else:
            mid = crossing.crossing.mid
            text += f" around {at_date(mid).isoformat()}"
        steps.append(f"{text}.")
    return tuple(steps)


def _digest(weekly: Mapping[str, Weekly], settings: tuple[object, ...], lead: Interval | None) -> str:
    digest = hashlib.sha256(repr((METHOD, "spread", settings, lead)).encode())
    for name, each in weekly.items():
        digest.update(repr((name, each.first_week, each.values.shape)).encode())
        digest.update(np.ascontiguousarray(each.values).tobytes())
    return digest.hexdigest()[:32]


def _positive(series: Series) -> Series:
    keep = series.values > 0
    return replace(series, times=series.times[keep], values=series.values[keep])
