"""One forecast: growth and curve fitted, composed, held against the rules of refusal, and explained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outgrow.outlook.backtest import Backtest, backtest
from outgrow.outlook.crossing import draw_lead_time, first_passage, percentiles, split_doubt
from outgrow.outlook.curve import Curves, fit_curves
from outgrow.outlook.explain import steps_of
from outgrow.outlook.growth import fit_growth, sample_paths
from outgrow.outlook.records import Crossing, Fan, FittedCurve, Forecast, ForecastInputs, Refusal
from outgrow.outlook.reduction import (
    Reduced,
    curve_seed,
    digest_of,
    digest_of_reduced,
    growth_seed,
    reduce_inputs,
    turned,
)
from outgrow.outlook.refusal import (
    LEAST_PROBABILITY,
    NOT_KNOWABLE_SPREAD,
    WIDE_SPREAD,
    curve_does_not_fit,
    no_crossing,
    no_growth_evidence,
    not_knowable_yet,
    open_date,
    spread,
    wide,
)
from outgrow.quantities import WEEK, WEEKS_PER_MONTH, Interval
from outgrow.signals.series import FloatArray, Origin, Series
from outgrow.signals.weekly import Bins, Weekly, week_start

__all__ = ["GrowthOutlook", "digest_of", "forecast", "forecast_many", "look_at_growth", "origins_of"]

DRAWS = 800
GROWTH_RATE_WEEKS = 13
FAN_POINTS = 80
CURVE_POINTS = 48
CURVE_DRAWS = 400
HISTORY_POINTS = 200
UNLIKELY = 0.1
TOP_LEVELS = 5
MOST_OFF = 1.3


@dataclass(frozen=True, slots=True, eq=False)
class GrowthOutlook:
    """The growth stage of a users series, shared by every trigger that rests on it.

    Attributes:
        users: the weekly medians it was fitted to.
        highest: running maximum of log users by path; shape (draws, weeks + 1), column 0 is the last complete week.
        middle_path: running maximum of the median of the paths; shape (weeks + 1,).
        per_month: growth a month over the next quarter, as a ratio.
        gate: the rolling backtest.
        fan: users over time.
    """

    users: Weekly
    highest: FloatArray
    middle_path: FloatArray
    per_month: Interval
    gate: Backtest
    fan: Fan

    @property
    def middle(self) -> float:
        """The middle of the last complete week, where the paths begin; seconds since the epoch."""
        return week_start(int(self.users.weeks[-1])) + WEEK / 2

    def fits(self, users: Weekly, weeks: int, draws: int) -> bool:
        """Whether it was made from these weeks and reaches as far."""
        return (
            self.highest.shape == (draws, weeks + 1)
            and self.users.first_week == users.first_week
            and np.array_equal(self.users.values, users.values, equal_nan=True)
        )


def look_at_growth(users: Weekly, weeks: int, draws: int = DRAWS) -> GrowthOutlook:
    """Fit the growth of weekly users and draw paths ``weeks`` beyond the last of them."""
    logs = np.log(users.values)
    fitted = fit_growth(logs, users.first_week)
    paths = sample_paths(fitted, weeks, draws, np.random.default_rng(growth_seed(users)))
    span = min(GROWTH_RATE_WEEKS, weeks)
    rate = percentiles(np.expm1((paths[:, span] - paths[:, 0]) / span * WEEKS_PER_MONTH))
    start = week_start(int(users.weeks[-1])) + WEEK / 2
    shown = np.unique(np.linspace(0, weeks, min(weeks + 1, FAN_POINTS)).round().astype(int))
    low, mid, high = _bands(paths[:, shown])
    fan = Fan(start + shown * WEEK, np.exp(low), np.exp(mid), np.exp(high))
    middle_path = np.maximum.accumulate(np.interp(np.arange(weeks + 1), shown, mid))
    highest = np.maximum.accumulate(paths, axis=1)
    return GrowthOutlook(users, highest, middle_path, rate, backtest(fitted, logs), fan)


def forecast(inputs: ForecastInputs, *, draws: int = DRAWS, growth: GrowthOutlook | None = None) -> Forecast:
    """When each limit of one trigger is crossed, or why that cannot be said.

    The same inputs give the same forecast: the random generators are seeded from the inputs, but not from the limits,
    so that a higher limit is never crossed sooner. Data that does not suffice comes back as a refusal, not as an error.

    Args:
        inputs: everything the forecast rests on.
        draws: how many curves and paths.
        growth: the growth stage of the same users, when it was looked at before; ignored when it does not match.
    """
    return _forecast(inputs, draws, growth)[0]


def forecast_many(inputs: Sequence[ForecastInputs], *, draws: int = DRAWS) -> tuple[Forecast, ...]:
    """One forecast for each, with the growth stage shared between triggers of the same users."""
    answers, latest = [], None
    for each in inputs:
        answer, looked = _forecast(each, draws, latest)
        latest = looked or latest
        answers.append(answer)
    return tuple(answers)


def _forecast(
    inputs: ForecastInputs, draws: int, growth: GrowthOutlook | None
) -> tuple[Forecast, GrowthOutlook | None]:
    reduced = reduce_inputs(inputs)
    digest = digest_of_reduced(reduced, inputs)
    if isinstance(reduced, Refusal):
        return _refused(inputs, digest, reduced), None
    stale = max(0, round((reduced.end - week_start(int(reduced.users.weeks[-1]) + 1)) / WEEK))
    weeks = inputs.horizon_weeks + stale + 1
    if growth is None or not growth.fits(reduced.users, weeks, draws):
        growth = look_at_growth(reduced.users, weeks, draws)
    rng = np.random.default_rng(curve_seed(inputs))
    free = inputs.direction == "below" and inputs.signal.unit != "ratio"
    curves = fit_curves(
        reduced.bins, reduced.ramps, inputs.family, draws=draws, rng=rng, capacity=reduced.capacity, free_intercept=free
    )
    log_per_user = reduced.per_user[0] + reduced.per_user[1] * rng.standard_normal(draws)
    warn, passage = _cross(inputs.threshold, inputs, reduced, curves, log_per_user, growth)
    breaks, start_by = warn, None
    if inputs.breaks_at is not None and inputs.breaks_at != inputs.threshold:
        breaks, passage = _cross(inputs.breaks_at, inputs, reduced, curves, log_per_user, growth)
    if inputs.lead_time_weeks is not None and breaks.crossing is not None:
        lead = draw_lead_time(inputs.lead_time_weeks, draws, rng) * WEEK
        start_by = percentiles(passage - lead).low
    answer = Forecast(
        made_at=inputs.now,
        digest=digest,
        users_now=float(reduced.users.values[-1]),
        growth_per_month=growth.per_month,
        warn=warn,
        breaks=breaks,
        start_by=start_by if start_by is None or math.isfinite(start_by) else None,
        fan=growth.fan,
        curve=_fitted(inputs, reduced, curves),
        steps=steps_of(inputs, reduced, growth.gate, growth.per_month, curves, warn, breaks, start_by),
        origins=origins_of(inputs),
        closed_loop_ramp=reduced.closed_loop,
        history=_history(inputs, reduced),
    )
    return answer, growth


def _cross(
    limit: float,
    inputs: ForecastInputs,
    reduced: Reduced,
    curves: Curves,
    log_per_user: FloatArray,
    growth: GrowthOutlook,
) -> tuple[Crossing, FloatArray]:
    """The crossing of one limit, and its time on each draw (seconds since the epoch, ∞ = not within the horizon)."""
    with np.errstate(divide="ignore"):
        log_users = np.log(curves.reaches(turned(limit, inputs))) - log_per_user
    weeks = first_passage(growth.highest, log_users)
    times = np.maximum(growth.middle + weeks * WEEK, inputs.now)
    users = percentiles(np.exp(log_users))
    when = percentiles(times)
    probability = float(np.mean(np.isfinite(weeks)))
    crossed = float(np.mean(log_users <= growth.highest[:, 0]))
    doubt = split_doubt(growth.highest, growth.middle_path, log_users)
    wide_users = spread(users)
    users_now = float(growth.users.values[-1])
    off = _off_at_the_top(reduced.bins, curves)
    if not 1 / MOST_OFF < off < MOST_OFF:
        refusal = curve_does_not_fit(inputs.signal.name, off)
        return Crossing(limit, "unknown", users, None, probability, doubt, refusal, when), times
    if crossed >= (LEAST_PROBABILITY if wide_users < NOT_KNOWABLE_SPREAD else 1 - UNLIKELY):
        now = Interval(inputs.now, inputs.now, inputs.now)
        return Crossing(limit, "dated", users, now, 1.0, doubt, None, now), np.full(times.size, inputs.now)
    if probability < UNLIKELY:
        refusal = no_crossing(probability, inputs.horizon_weeks)
        return Crossing(limit, "users-only", users, None, probability, doubt, refusal, when), times
    if wide_users >= NOT_KNOWABLE_SPREAD:
        return Crossing(
            limit, "unknown", users, None, probability, doubt, not_knowable_yet(users, users_now), when
        ), times
    if not growth.gate.passed:
        refusal = no_growth_evidence(growth.gate)
        return Crossing(limit, "users-only", users, None, probability, doubt, refusal, when), times
    if probability < LEAST_PROBABILITY:
        refusal = no_crossing(probability, inputs.horizon_weeks)
        return Crossing(limit, "users-only", users, None, probability, doubt, refusal, when), times
    if wide_users >= WIDE_SPREAD:
        refusal = wide(users, any(ramp.value.max() >= turned(limit, inputs) for ramp in reduced.ramps))
        return Crossing(limit, "range", users, when, probability, doubt, refusal, when), times
    if not math.isfinite(when.high):
        return Crossing(limit, "range", users, when, probability, doubt, open_date(probability), when), times
    return Crossing(limit, "dated", users, when, probability, doubt, None, when), times


def _off_at_the_top(bins: Bins, curves: Curves) -> float:
    """How far the signal lies off the middle curve at the highest levels of its driver, as a ratio; 1 = on it."""
    top = slice(-TOP_LEVELS, None)
    if bins.driver.size < 2 * TOP_LEVELS:
        return 1.0
    middle = np.sort(curves.at(bins.driver[top]), axis=0)[curves.kind.size // 2]
    known = (bins.value[top] > 0) & (middle > 0)
    if np.count_nonzero(known) < TOP_LEVELS - 1:
        return 1.0
    return float(np.exp(np.median(np.log(bins.value[top][known] / middle[known]))))


def _refused(inputs: ForecastInputs, digest: str, refusal: Refusal) -> Forecast:
    last = inputs.threshold if inputs.breaks_at is None else inputs.breaks_at
    users = inputs.users.values[inputs.users.times <= inputs.now]
    return Forecast(
        made_at=inputs.now,
        digest=digest,
        users_now=float(users[-1]) if users.size else None,
        growth_per_month=None,
        warn=Crossing(inputs.threshold, "unknown", refusal=refusal),
        breaks=Crossing(last, "unknown", refusal=refusal),
        steps=(refusal.reason, refusal.next_step),
        origins=origins_of(inputs),
        closed_loop_ramp=any(ramp.loop == "closed" for ramp in inputs.ramps),
        history=None,
    )


def origins_of(inputs: ForecastInputs) -> tuple[Origin, ...]:
    """The kinds of data a forecast from these inputs rests on."""
    series = [inputs.users, inputs.signal, *(s for s in (inputs.load, inputs.utilisation) if s is not None)]
    found: list[Origin] = [each.origin for each in series if len(each)] + [ramp.origin for ramp in inputs.ramps]
    return tuple(dict.fromkeys(found))


def _history(inputs: ForecastInputs, reduced: Reduced) -> Series:
    """Weekly users for the picture, the latest 200 weeks."""
    known = np.isfinite(reduced.users.values)
    times = np.asarray(week_start(0) + (reduced.users.weeks[known] + 0.5) * WEEK, dtype=np.float64)
    values = reduced.users.values[known]
    return Series(
        inputs.users.name,
        inputs.users.unit,
        times[-HISTORY_POINTS:],
        values[-HISTORY_POINTS:],
        inputs.users.origin,
    )


def _fitted(inputs: ForecastInputs, reduced: Reduced, curves: Curves) -> FittedCurve:
    """The curve over a driver grid from zero to a little beyond everything seen and the limit, where that is near."""
    bins, ramps = reduced.bins, reduced.ramps
    seen = max(float(part.max()) for part in (bins.driver, *(ramp.driver for ramp in ramps)) if part.size)
    last = inputs.threshold if inputs.breaks_at is None else inputs.breaks_at
    reach = percentiles(curves.reaches(turned(last, inputs))).mid
    grid = np.linspace(0, 1.15 * max(seen, min(reach, 4 * seen)), CURVE_POINTS + 1)[1:]
    values = curves.at(grid)[: min(CURVE_DRAWS, curves.kind.size)]
    low, mid, high = (_turned_back(band, inputs) for band in _bands(values))
    if inputs.direction == "below":
        low, high = high, low
    empty = np.empty(0)
    return FittedCurve(
        driver=inputs.driver,
        driver_values=grid,
        p10=low,
        p50=mid,
        p90=high,
        observed_driver=bins.driver,
        observed_value=_turned_back(bins.value, inputs),
        ramp_driver=np.concatenate([ramp.driver for ramp in ramps]) if ramps else empty,
        ramp_value=_turned_back(np.concatenate([ramp.value for ramp in ramps]), inputs) if ramps else empty,
    )


def _turned_back(values: FloatArray, inputs: ForecastInputs) -> FloatArray:
    if inputs.direction == "above":
        return values
    return 1 - values if inputs.signal.unit == "ratio" else -values


def _bands(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """10, 50 and 90 % along the first axis."""
    places = [round(share * (values.shape[0] - 1)) for share in (0.1, 0.5, 0.9)]
    ordered = np.partition(np.ascontiguousarray(values.T), places, axis=1)
    return ordered[:, places[0]], ordered[:, places[1]], ordered[:, places[2]]
