"""What a forecast rests on, reduced: weekly medians, the signal binned by its driver, ramps in driver units.

Everything later in this room reads only this, so its digest names the forecast: it changes when a week completes, or
when a limit, a ramp or a lead time does.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from outgrow.outlook.curve import LEAST_LEVELS, RampPoints
from outgrow.outlook.records import ForecastInputs, Refusal
from outgrow.outlook.refusal import (
    LEAST_DAYS_SINCE_SHIFT,
    LEAST_WEEKS,
    missing_series,
    recent_shift,
    too_few_levels,
    too_short,
)
from outgrow.quantities import DAY, WEEK, format_quantity, significant
from outgrow.signals.series import FloatArray, Ramp, Series
from outgrow.signals.shifts import Shift, find_shifts
from outgrow.signals.weekly import (
    Bins,
    Joined,
    Weekly,
    bin_by_driver,
    join,
    sorted_quantile,
    week_of,
    week_start,
    weekly_quantile,
)

METHOD = "outgrow-outlook-2"
RATIO_WEEKS = 8
BUSY_QUANTILE = 0.95
UTILISATION_DEVIATION = 0.08
UTILISATION_DEVIATION_PER_LOG = 0.04
LEAST_BLOCKS = 6
LEAST_GROWTH = math.log(1.3)
CLEAR_DEVIATIONS = 4.0
LEAST_COST_GROWTH = 0.1
STILL_GROWING = 1.02
REFUSED_CHANGE = 0.10


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """The reduced inputs of one forecast.

    Attributes:
        users: weekly medians of users.
        end: start of the first incomplete week, seconds since the epoch.
        bins: the signal (as badness, see ``turned``) by level of its driver; may be empty when a ramp stands in.
        ramps: open-loop ramps in driver units and badness.
        per_user: mean and standard error of the log of busy driver per user; (0, 0) when users drive the signal.
        capacity: mean and deviation of ln C from utilisation, or None.
        signal_weeks: complete weeks with the signal and its driver.
        shifts: level shifts found in the signal, oldest first.
        closed_loop: whether a closed-loop ramp is among the inputs.
        notes: sentences about what was done to the data, for ``--explain``.
    """

    users: Weekly
    end: float
    bins: Bins
    ramps: tuple[RampPoints, ...]
    per_user: tuple[float, float]
    capacity: tuple[float, float] | None
    signal_weeks: int
    shifts: tuple[Shift, ...]
    closed_loop: bool
    notes: tuple[str, ...]


def turned(value: float, inputs: ForecastInputs) -> float:
    """A value of the signal as badness, which grows with load: itself, 1 − value for a ratio, else its negative.

    The same function turns badness back.
    """
    if inputs.direction == "above":
        return value
    return 1 - value if inputs.signal.unit == "ratio" else -value


def reduce_inputs(inputs: ForecastInputs) -> Reduced | Refusal:
    """Reduce the raw series, or say which of them does not suffice."""
    end = week_start(week_of(inputs.now))
    users = _positive(inputs.users)
    weekly = weekly_quantile(users, end)
    if weekly.known == 0:
        return missing_series("users", inputs.users.name)
    load = None if inputs.load is None else _positive(inputs.load)
    driver = users if inputs.driver == "users" else load
    if driver is None or np.searchsorted(driver.times, end) == 0:
        return missing_series("load", inputs.load.name if inputs.load is not None else "load")
    signal = _turned_series(inputs)
    per_user = _driver_per_user(load, weekly, inputs) if inputs.driver == "load" else (0.0, 0.0)
    joined = join(signal, driver, end)
    ramps, notes = _ramps(inputs, per_user, load, weekly, alone=joined.times.size == 0)
    if joined.times.size == 0 and not ramps:
        return missing_series("signal", inputs.signal.name)
    if weekly.known < LEAST_WEEKS:
        return too_short(inputs.users.name, weekly.known)
    if per_user is None:
        return missing_series("load", driver.name)
    weeks = np.unique(np.floor((joined.times - week_start(0)) / WEEK)).size
    if weeks < LEAST_WEEKS and not ramps:
        return too_short(inputs.signal.name, weeks)
    shifts = find_shifts(joined)
    if shifts:
        latest = shifts[-1]
        large = abs(math.log(latest.ratio)) >= math.log1p(REFUSED_CHANGE)
        fresh = large and inputs.now - latest.time < LEAST_DAYS_SINCE_SHIFT * DAY
        if fresh and not any(ramp.made_at >= latest.time for ramp in inputs.ramps if ramps):
            return recent_shift(inputs.signal.name, latest.time, latest.ratio, inputs.now)
    joined = _level(joined, shifts)
    bins = bin_by_driver(joined.driver, joined.values)
    if bins.driver.size + sum(ramp.driver.size for ramp in ramps) < LEAST_LEVELS or (
        not ramps and np.unique(joined.driver).size < LEAST_LEVELS
    ):
        return too_few_levels(driver.name, int(np.unique(joined.driver).size))
    capacity, said = _capacity(inputs, driver, bins, weekly, end)
    return Reduced(
        users=weekly,
        end=end,
        bins=bins,
        ramps=ramps,
        per_user=per_user,
        capacity=capacity,
        signal_weeks=int(weeks),
        shifts=shifts,
        closed_loop=any(ramp.loop == "closed" for ramp in inputs.ramps),
        notes=(*notes, *said),
    )


def driver_text(inputs: ForecastInputs, value: float) -> str:
    """A value of the driver as a person reads it: ``1,200 users``, ``20.6/s``."""
    if inputs.driver == "users" or inputs.load is None:
        return f"{significant(value)} users"
    return format_quantity(value, inputs.load.unit)


def digest_of(inputs: ForecastInputs) -> str:
    """Names the forecast of these inputs: 32 hexadecimal digits over everything it rests on."""
    return digest_of_reduced(reduce_inputs(inputs), inputs)


def digest_of_reduced(reduced: Reduced | Refusal, inputs: ForecastInputs) -> str:
    """``digest_of`` where the reduction is already at hand."""
    lead = inputs.lead_time_weeks
    words = [
        METHOD,
        inputs.users.name,
        inputs.signal.name,
        inputs.signal.unit,
        inputs.driver,
        inputs.family,
        inputs.direction,
        repr((inputs.threshold, inputs.breaks_at, inputs.normal_load_only, inputs.horizon_weeks)),
        repr(None if lead is None else (lead.low, lead.mid, lead.high, lead.confidence)),
        repr(week_of(inputs.now)),
    ]
    if isinstance(reduced, Refusal):
        words += [reduced.code, reduced.reason]
        return _hash(words, ())
    words += [repr((reduced.users.first_week, reduced.per_user, reduced.capacity, reduced.shifts)), *reduced.notes]
    arrays = [reduced.users.values, *_curve_arrays(reduced)]
    return _hash(words, tuple(arrays))


def growth_seed(users: Weekly) -> int:
    """Seed of the growth paths: where the history begins, not what it says.

    Neighbouring histories then share their random numbers, so that a forecast moves smoothly with its data and from
    week to week instead of jumping by the noise of its draws.
    """
    return int(_hash([METHOD, "growth", repr(users.first_week)], ())[:15], 16)


def curve_seed(inputs: ForecastInputs) -> int:
    """Seed of the curve draws: the name of the signal, for the same reason; no unit and no limit."""
    return int(_hash([METHOD, "curve", inputs.signal.name], ())[:15], 16)


def _hash(words: list[str], arrays: tuple[FloatArray, ...]) -> str:
    digest = hashlib.sha256("\x1f".join(words).encode())
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


def _curve_arrays(reduced: Reduced) -> list[FloatArray]:
    bins = reduced.bins
    ramps = [part for ramp in reduced.ramps for part in (ramp.driver, ramp.value)]
    return [bins.driver, bins.value, bins.error, *ramps]


def _positive(series: Series) -> Series:
    keep = series.values > 0
    if keep.all():
        return series
    return Series(series.name, series.unit, series.times[keep], series.values[keep], series.origin)


def _turned_series(inputs: ForecastInputs) -> Series:
    signal = inputs.signal
    if inputs.direction == "above":
        return signal
    values = 1 - signal.values if signal.unit == "ratio" else -signal.values
    return Series(signal.name, signal.unit, signal.times, values, signal.origin)


def _driver_per_user(load: Series | None, users: Weekly, inputs: ForecastInputs) -> tuple[float, float] | None:
    """Log of the load a user adds at the busy (or median) load of a week, over the last eight weeks that have both."""
    if load is None:
        return None
    logs = np.log(users.values)
    known = np.isfinite(logs)
    stop = int(np.searchsorted(load.times, week_start(int(users.weeks[-1]) + 1)))
    middles = (users.weeks + 0.5) * WEEK + week_start(0)
    first = int(np.searchsorted(load.times, middles[0] - WEEK / 2))
    times = load.times[first:stop]
    if times.size == 0:
        return None
    times = times[int(np.searchsorted(times, times[-1] - RATIO_WEEKS * WEEK)) :]
    ratio = np.log(load.values[stop - times.size : stop]) - np.interp(times, middles[known], logs[known])
    share = 0.5 if inputs.normal_load_only else BUSY_QUANTILE
    block = np.floor((times - times[0]) / (2 * WEEK)).astype(int)
    blocks = [np.sort(ratio[block == number]) for number in np.unique(block)]
    by_block = np.array([sorted_quantile(part, share) for part in blocks if part.size >= 3])
    error = float(np.std(by_block, ddof=1) / math.sqrt(by_block.size)) if by_block.size > 1 else 0.03
    return sorted_quantile(np.sort(ratio), share), min(max(error, 0.005), 0.5)


def _level(joined: Joined, shifts: tuple[Shift, ...]) -> Joined:
    """Everything before a shift brought to the level after it."""
    if not shifts:
        return joined
    values = joined.values.copy()
    for shift in shifts:
        values[: int(np.searchsorted(joined.times, shift.time))] *= shift.ratio
    return Joined(joined.times, joined.driver, values)


def _capacity(
    inputs: ForecastInputs, driver: Series, bins: Bins, users: Weekly, end: float
) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """ln C and its deviation from driver over utilisation in the last eight weeks (the utilisation law), and
    what is to be said of it.

    Where a request costs more as users grow (their data do), y = ln(driver ÷ utilisation) falls by b for each ln of
    users, and goes on falling until the driver reaches C: ln C = y − b (ln C − ln busy driver now), so C lies closer by
    the factor 1 + b on the logarithmic scale. b counts where it is clear.
    """
    if inputs.utilisation is None or inputs.family != "latency" or bins.driver.size == 0:
        return None, ()
    whole = join(inputs.utilisation, driver, end)
    joined = whole.since(end - RATIO_WEEKS * WEEK)
    usable = (joined.values > 0.01) & (joined.values <= 1.05)
    if np.count_nonzero(usable) < 7:
        return None, ()
    mean = float(np.median(np.log(joined.driver[usable] / joined.values[usable])))
    top = math.log(float(bins.driver.max()))
    farther = max(0.0, mean - top)
    falling, error = _cost_growth(whole, users)
    nearer = farther / (1 + falling)
    deviation = UTILISATION_DEVIATION + UTILISATION_DEVIATION_PER_LOG * farther + error * nearer / (1 + falling)
    said: tuple[str, ...] = ()
    if falling:
        share = significant(100 * math.exp(nearer - farther), 2)
        said = (
            f"A request costs more as users grow: utilisation at the same load rises by {significant(falling, 2)} % "
            f"for each 1 % of users. So capacity is read at {share} % of what it would be at the cost of now.",
        )
    return (mean - (farther - nearer), deviation), said


def _cost_growth(joined: Joined, users: Weekly) -> tuple[float, float]:
    """By how much ln(utilisation ÷ driver) rises for each ln of users, and its deviation; (0, 0) where that is not
    clear: users hardly grew, or it lies within four deviations of the regression of blocks of two weeks.
    """
    usable = (joined.values > 0.01) & (joined.values <= 1.05)
    times, cost = joined.times[usable], np.log(joined.values[usable] / joined.driver[usable])
    known = np.isfinite(users.values)
    if times.size < 7 * LEAST_BLOCKS or not known.any():
        return 0.0, 0.0
    block = np.floor((times - times[0]) / (2 * WEEK)).astype(int)
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    costs = np.array([np.median(each) for each in np.split(cost, starts[1:])])
    middles = np.array([np.mean(each) for each in np.split(times, starts[1:])])
    x = np.interp(middles, ((users.weeks + 0.5) * WEEK + week_start(0))[known], np.log(users.values[known]))
    if x.size < LEAST_BLOCKS or np.ptp(x) < LEAST_GROWTH:
        return 0.0, 0.0
    beside = x - x.mean()
    slope = float(beside @ costs / (beside @ beside))
    residual = costs - costs.mean() - slope * beside
    error = math.sqrt(float(residual @ residual) / (x.size - 2) / float(beside @ beside))
    return (slope, error) if slope > max(CLEAR_DEVIATIONS * error, LEAST_COST_GROWTH) else (0.0, 0.0)


def _ramps(
    inputs: ForecastInputs, per_user: tuple[float, float] | None, load: Series | None, users: Weekly, *, alone: bool
) -> tuple[tuple[RampPoints, ...], tuple[str, ...]]:
    """The ramps that join. In a closed loop clients wait for their answers, so it never joins production data."""
    usable, notes = [], []
    for ramp in inputs.ramps:
        if ramp.loop == "closed" and not alone:
            notes.append(
                f"The closed-loop ramp {ramp.name} is kept apart: its clients wait, those of production do not. "
                "Ramp at a fixed rate instead."
            )
            continue
        points, note = _ramp_points(ramp, inputs, per_user, load, users)
        if points is not None:
            usable.append(points)
        notes.append(note)
    return tuple(usable), tuple(notes)


def _ramp_points(
    ramp: Ramp, inputs: ForecastInputs, per_user: tuple[float, float] | None, load: Series | None, users: Weekly
) -> tuple[RampPoints | None, str]:
    """The ramp in driver units and badness, and a sentence about what was done with it."""
    values = np.array([turned(float(value), inputs) for value in ramp.values])
    levels, what, axis = ramp.levels, "", ramp.axis
    if ramp.loop == "closed" or axis == "concurrency":
        served = ramp.throughput_per_second
        if served is None:
            return None, (
                f"The closed-loop ramp {ramp.name} is left out: it has no measured throughput, so its clients cannot "
                "be turned into load."
            )
        growing = np.append(True, served[1:] > STILL_GROWING * np.maximum.accumulate(served)[:-1])
        count = int(np.argmin(growing)) if not growing.all() else growing.size
        levels, values, axis = served[:count], values[:count], "load"
        what = ", a closed loop read by its throughput as far as that grows"
    if inputs.driver == "load" and axis == "users":
        if per_user is None:
            return None, f"The ramp {ramp.name} counts users and is left out: no load per user is known."
        levels = levels * math.exp(per_user[0])
    elif inputs.driver == "users" and axis == "load":
        per = _driver_per_user(load, users, inputs)
        if per is None:
            return None, f"The ramp {ramp.name} counts load and is left out: no load per user is known."
        levels = levels / math.exp(per[0])
    if levels.size < LEAST_LEVELS:
        return None, f"The ramp {ramp.name} is left out: {levels.size} usable levels, and a curve needs {LEAST_LEVELS}."
    return RampPoints(levels, values), (
        f"The ramp {ramp.name} adds {levels.size} levels up to {driver_text(inputs, float(levels[-1]))}{what}."
    )
