"""The state of a trigger from what was measured: ``for``, hysteresis, gaps, and what only counts in normal operation.

The past samples are replayed, so the answer depends on them alone and not on who looked before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from outgrow.points.declaration import Trigger
from outgrow.quantities import DAY, HOUR, MINUTE, format_duration, format_quantity, significant
from outgrow.signals.series import FloatArray, Series

HYSTERESIS_RATIO = 0.1
"""Without ``clears_at`` a fired trigger is quiet again 10 % inside the threshold (see ``clearing``)."""


NEW_NORMAL = DAY
"""A load that stays above its usual peaks for a day is no peak any more."""

RECENT_SAMPLES = 20

NORMAL_LOAD_QUANTILE = 0.9
"""``when: normal-load`` leaves out the busiest tenth of the last four weeks."""

LOOK_BACK = 28 * DAY


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the samples alone say of one trigger.

    Attributes:
        state: ``pending`` while the condition holds but not yet for as long as declared.
        value: the latest value, in the signal's unit.
        since: when the state was entered; condition_since: see ``replay``.
        broken: the latest value is past ``breaks_at``.
    """

    state: Literal["quiet", "pending", "firing", "unknown"]
    value: float | None
    since: float
    condition_since: float | None
    reason: str
    broken: bool = False


def judge(trigger: Trigger, series: Series, load: Series | None, now: float, unknown_reason: str = "") -> Judgement:
    """The state of a ``threshold`` (or ``spread``) trigger.

    Args:
        trigger: declared; its threshold is set.
        series: the signal over at least ``for``; more lets hysteresis look further back.
        load: for ``when: normal-load``.
        now: seconds since the epoch.
        unknown_reason: why the source gave no value just now, ``""`` if it gave one.
    """
    if trigger.threshold is None:
        return Judgement("unknown", None, now, None, "no threshold is declared")
    recent = series.between(now - LOOK_BACK, now)
    if not len(recent):
        reason = unknown_reason or (
            f"the last value of {series.name} is {ago(now - series.times[-1])} old"
            if len(series)
            else f"{series.name} has never had a value"
        )
        return Judgement("unknown", None, now, None, reason)
    interval = sampling_interval(recent.times)
    age = now - recent.times[-1]
    value, last = float(recent.values[-1]), float(recent.times[-1])
    if unknown_reason:
        return Judgement("unknown", value, last, None, unknown_reason)
    if age > stale_after(interval):
        return Judgement("unknown", value, last, None, f"the last value of {series.name} is {ago(age)} old")
    if trigger.when == "normal-load":
        if load is None or is_stale(load, now):
            return Judgement("unknown", value, last, None, "it counts at normal load only, and load has no value now")
        normal = at_normal_load(recent, load.between(now - LOOK_BACK, now))
        if len(normal) and now - normal.times[-1] <= max(NEW_NORMAL, stale_after(interval)):
            recent = normal
    return replay(trigger, recent, interval, now)


def is_stale(series: Series, now: float) -> bool:
    """Whether a series has no value that may stand for the present."""
    past = series.between(-np.inf, now)
    return not len(past) or now - past.times[-1] > stale_after(sampling_interval(past.times))


def clearing(trigger: Trigger, unit: str) -> float:
    """The value at which a fired trigger is quiet again: declared, or 10 % of the way back.

    For a ratio the way back from a threshold below which it fires ends at 1, so that 95 % clears at 95.5 %.
    """
    threshold = trigger.threshold if trigger.threshold is not None else 0.0
    if trigger.clears_at is not None:
        return trigger.clears_at
    if trigger.direction == "above":
        return threshold - HYSTERESIS_RATIO * abs(threshold)
    room = max(0.0, 1 - threshold) if unit == "ratio" else abs(threshold)
    return threshold + HYSTERESIS_RATIO * room


def replay(trigger: Trigger, series: Series, interval: float, now: float) -> Judgement:
    """Run the trigger over its samples. Each sample holds until the next, the last for one ``interval``.

    Fires once the condition has held without a break for ``for``; a gap of more than three intervals is a break. A
    fired trigger stays fired until a value is beyond ``clears_at``, so a value that wavers about the threshold is one
    episode. ``condition_since`` is where the present unbroken stretch above the threshold began.
    """
    sign = 1.0 if trigger.direction == "above" else -1.0
    threshold = trigger.threshold if trigger.threshold is not None else 0.0
    clears_at = clearing(trigger, series.unit)
    over = sign * series.values > sign * threshold
    clear = sign * series.values < sign * clears_at if clears_at != threshold else ~over
    fired, since, condition_since = False, float(series.times[0]), None
    ends = np.append(series.times[1:], min(now, series.times[-1] + interval))
    for time, end, is_over, is_clear in zip(series.times, ends, over, clear, strict=True):
        held_until = min(end, time + 3 * interval)
        if is_over:
            condition_since = float(time) if condition_since is None else condition_since
            if not fired and held_until - condition_since >= trigger.for_:
                fired, since = True, max(float(time), condition_since + trigger.for_)
        else:
            condition_since = None
            if fired and is_clear:
                fired, since = False, float(time)
        if end > held_until:
            condition_since = None
    value = float(series.values[-1])
    state: Literal["quiet", "pending", "firing"] = "firing" if fired else ("pending" if condition_since else "quiet")
    broken = trigger.breaks_at is not None and sign * value > sign * trigger.breaks_at
    return Judgement(state, value, since, condition_since, _reason(trigger, series, state, since, now), broken)


def judge_fact(trigger: Trigger, noted_at: Sequence[float], now: float) -> Judgement:
    """A ``fact`` fires once ``threshold`` notes (default 1) lie within the last ``within`` seconds.

    Args:
        trigger: declared with kind ``fact``.
        noted_at: when each note that was not withdrawn became true, seconds since the epoch, in any order.
        now: seconds since the epoch.
    """
    needed = trigger.threshold if trigger.threshold is not None else 1.0
    counted = sorted(time for time in noted_at if now - trigger.within < time <= now)
    broken = trigger.breaks_at is not None and len(counted) >= trigger.breaks_at
    window = ago(trigger.within)
    if counted and len(counted) >= needed:
        since = counted[max(0, int(np.ceil(needed)) - 1)]
        return Judgement(
            "firing", float(len(counted)), since, counted[0], f"{_notes(len(counted))} in {window}", broken
        )
    state: Literal["pending", "quiet"] = "pending" if counted else "quiet"
    reason = f"{_notes(len(counted))} in {window}, {significant(needed)} would fire it"
    return Judgement(state, float(len(counted)), counted[-1] if counted else now, None, reason)


def judge_probability(trigger: Trigger, probability: float, now: float, meaning: str) -> Judgement:
    """A trigger whose value is a probability (``grows-faster-than-users``, ``worse-though-scaled-out``).

    Default threshold .8. From .5 on it is pending: more likely than not.
    """
    threshold = trigger.threshold if trigger.threshold is not None else 0.8
    state: Literal["firing", "pending", "quiet"] = (
        "firing" if probability >= threshold else ("pending" if probability >= 0.5 else "quiet")
    )
    broken = trigger.breaks_at is not None and probability >= trigger.breaks_at
    return Judgement(state, probability, now, None, f"{meaning} with probability {significant(probability, 2)}", broken)


def at_normal_load(series: Series, load: Series) -> Series:
    """The samples taken while load was at most its 90th percentile (of the load given), where load is known at all."""
    limit = np.quantile(load.values, NORMAL_LOAD_QUANTILE)
    index = np.clip(np.searchsorted(load.times, series.times, side="right") - 1, 0, len(load) - 1)
    near = np.abs(series.times - load.times[index]) <= stale_after(sampling_interval(load.times))
    keep = near & (load.values[index] <= limit)
    return Series(series.name, series.unit, series.times[keep], series.values[keep], series.origin)


def sampling_interval(times: FloatArray) -> float:
    """The usual distance between the latest samples in seconds: their median, an hour for a single one."""
    return float(np.median(np.diff(times[-RECENT_SAMPLES:]))) if times.size > 1 else HOUR


def stale_after(interval: float) -> float:
    """How old the last value may be: three intervals, at least 15 minutes."""
    return max(15 * MINUTE, 3 * interval)


def ago(seconds: float) -> str:
    """A length of time in the largest fitting unit: ``3 hours``, ``12 days``."""
    for size, word in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {word}s"
    return f"{seconds:.0f} seconds"


def _reason(trigger: Trigger, series: Series, state: str, since: float, now: float) -> str:
    value = format_quantity(float(series.values[-1]), series.unit)
    limit = format_quantity(trigger.threshold or 0.0, series.unit)
    side = trigger.direction
    over = (
        series.values[-1] > (trigger.threshold or 0.0)
        if side == "above"
        else series.values[-1] < (trigger.threshold or 0.0)
    )
    if state == "firing" and not over:
        clears = format_quantity(clearing(trigger, series.unit), series.unit)
        return f"{value}, was {side} {limit} and is not clear before {clears}"
    if state == "firing":
        return f"{value}, {side} {limit} for {ago(max(now - since + trigger.for_, 1.0))}"
    if state == "pending":
        return f"{value}, {side} {limit}, not yet for {format_duration(trigger.for_)}"
    return f"{value}, the limit is {limit}"


def _notes(count: int) -> str:
    return "no note" if count == 0 else f"{count} note{'s' if count > 1 else ''}"
