"""A declared signal from scraped samples held over its window: the road without a Prometheus server.

The semantics are those of PromQL, so that the same declaration gives the same number on both roads. Formulas follow
Prometheus 3 (github.com/prometheus/prometheus, Apache-2.0): windows are left-open, as in ``promql/engine.go``; rates as
``extrapolatedRate`` in ``promql/functions.go``; quantiles as ``BucketQuantile`` in ``promql/quantile.go``. Prometheus 2
differs in two corners: its windows include their left edge, and a counter that began inside the window may be
extrapolated a little further.

Where PromQL would answer NaN, infinity or nothing, there is no value here but a reason.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from outgrow.points.declaration import Aggregate, Selection, Signal
from outgrow.quantities import format_duration
from outgrow.signals.promql import label_text, selections_of, selector

LOOKBACK_SECONDS = 300.0
"""An instant value older than this is no value; the default ``--query.lookback-delta`` of Prometheus."""

_EXTRAPOLATION_REACH = 1.1  # × the average distance of samples; promql/functions.go, extrapolationThreshold
_SMALL_DELTA = 1e-12  # promql/quantile.go, smallDeltaTolerance


@dataclass(frozen=True, slots=True)
class Held:
    """One scraped time series.

    Attributes:
        metric, labels: its identity, the target's labels included.
        times: shape (n,), seconds since the epoch, strictly increasing.
        values: shape (n,), as scraped (NaN and infinities included).
        current: whether the latest scrape of its target still had it; if not, it has ended and has no value now.
    """

    metric: str
    labels: Mapping[str, str]
    times: Sequence[float]
    values: Sequence[float]
    current: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """A signal's value and, for ``by``, that of each member; or ``value`` None and the reason why there is none.

    ``idle``: there is none because it is known that nothing happened within the window.
    """

    value: float | None
    members: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    idle: bool = False


class _NoValue(Exception):
    """Carries the reason out of a nested reading."""


class _Idle(_NoValue):
    """The counts are known, and did not rise."""


def evaluate(signal: Signal, held: Iterable[Held], at: float) -> Reading:
    """The signal's reading at ``at`` (seconds since the epoch), in its base unit.

    Args:
        signal: as declared; ``promql`` cannot be evaluated here and gives a reason.
        held: all series that may matter; those that the signal does not select are passed over.
        at: samples later than this are not seen.
    """
    if signal.promql is not None:
        return Reading(None, reason="it is written in PromQL, which only a Prometheus-compatible source can evaluate")
    series = tuple(held)
    try:
        reading = _read(signal, series, at)
    except (_NoValue, ValueError) as why:
        return Reading(None, reason=str(why), idle=isinstance(why, _Idle))
    if not all(math.isfinite(value) for value in (reading.value or 0.0, *reading.members.values())):
        return Reading(None, reason="it is larger than any number; check what the target exports, and scale")
    return reading


def _read(signal: Signal, series: tuple[Held, ...], at: float) -> Reading:
    chosen = [[one for one in series if selects(selection, one)] for selection in selections_of(signal)]
    for selection, found in zip(selections_of(signal), chosen, strict=True):
        if not found:
            raise _NoValue(_nothing_matches(selection))
    if signal.quantile is not None:
        return Reading(_quantile(signal, signal.quantile, chosen[0], at) * signal.scale)
    if signal.ratio is not None:
        return Reading(_ratio(signal, chosen[0], chosen[1], at) * signal.scale)
    return _aggregated(signal, chosen[0], at)


def selects(selection: Selection, held: Held) -> bool:
    """Whether a series is one of the selection's. A label that is absent equals the empty text, as in PromQL.

    Raises:
        ValueError: a regex cannot be read.
    """
    return held.metric == selection.metric and all(
        label_matches(expected, held.labels.get(name, "")) for name, expected in selection.labels.items()
    )


def label_matches(expected: str, value: str) -> bool:
    """Whether a label's value is the declared one, or matches it whole where it is a regex (``~…``)."""
    return bool(_regex(expected[1:]).fullmatch(value)) if expected.startswith("~") else expected == value


def counter_rate(times: Sequence[float], values: Sequence[float], at: float, window_seconds: float) -> float | None:
    """Increase a second of a counter over ``(at − window, at]``, resets corrected; None with fewer than two samples.

    Extrapolated to the window's edges where samples reach close to them: Prometheus ``promql/functions.go``,
    ``extrapolatedRate``. Times are taken to the millisecond, as Prometheus keeps them.
    """
    inside = _inside(times, at, window_seconds)
    if len(inside) < 2:
        return None
    end_ms, window_ms = _milliseconds(at), _milliseconds(window_seconds)
    within = values[inside.start : inside.stop]
    increase = within[-1] - within[0]
    for before, after in pairwise(within):
        if after < before:
            increase += before
    first_ms, last_ms = _milliseconds(times[inside.start]), _milliseconds(times[inside.stop - 1])
    sampled = (last_ms - first_ms) / 1000
    if sampled <= 0:  # two samples within one millisecond
        return None
    average = sampled / (len(within) - 1)
    to_start, to_end = (first_ms - end_ms + window_ms) / 1000, (end_ms - last_ms) / 1000
    if to_start >= average * _EXTRAPOLATION_REACH:
        to_start = average / 2
    if increase > 0 and within[0] >= 0:
        to_start = min(to_start, sampled * (within[0] / increase))  # a counter was never below zero
    if to_end >= average * _EXTRAPOLATION_REACH:
        to_end = average / 2
    return increase * ((sampled + to_start + to_end) / sampled) / (window_ms / 1000)


def bucket_quantile(quantile: float, buckets: Iterable[tuple[float, float]]) -> float | None:
    """The quantile of a classic histogram, interpolated linearly within its bucket; None where there is none.

    Prometheus ``promql/quantile.go``, ``BucketQuantile``: the lowest bucket begins at 0 unless its bound is negative;
    in the bucket up to +Inf the answer is the highest finite bound; counts that fall are taken as level.

    Args:
        quantile: between 0 and 1.
        buckets: (upper bound, cumulative count or rate) in any order; counts of equal bounds are added.
    """
    merged: dict[float, float] = {}
    for bound, count in buckets:
        merged[bound] = merged.get(bound, 0.0) + count
    bounds = sorted(merged)
    if len(bounds) < 2 or bounds[-1] != math.inf:
        return None
    counts = _level([merged[bound] for bound in bounds])
    if not counts[-1] > 0:
        return None
    rank = quantile * counts[-1]
    place = next((index for index, count in enumerate(counts[:-1]) if count >= rank), len(counts) - 1)
    if place == len(counts) - 1:
        return bounds[-2]
    if place == 0 and bounds[0] <= 0:
        return bounds[0]
    lower, below = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    return lower + (bounds[place] - lower) * ((rank - below) / (counts[place] - below))


def _level(counts: list[float]) -> list[float]:
    """Cumulative counts made monotonic; differences below the noise of floating point are no differences."""
    level, highest = [counts[0]], counts[0]
    for count in counts[1:]:
        if count > highest and (count - highest) / (abs(count) + abs(highest)) >= _SMALL_DELTA:
            highest = count
        level.append(highest)
    return level


def _quantile(signal: Signal, probability: float, series: list[Held], at: float) -> float:
    what, buckets = selector(selections_of(signal)[0]), dict[float, float]()
    for one, rate in _rates(signal, series, at):
        bound = _upper_bound(one)
        buckets[bound] = buckets.get(bound, 0.0) + rate
    value = bucket_quantile(probability, buckets.items())
    if value is not None:
        return value
    if buckets.get(math.inf) == 0:
        raise _Idle(f"nothing was observed in {what} within {format_duration(signal.window)}, so it has no quantile")
    raise _NoValue(f'{what} is not a whole histogram: it needs two buckets, one of them le="+Inf"')


def _ratio(signal: Signal, numerators: list[Held], denominators: list[Held], at: float) -> float:
    above = sum(rate for _, rate in _rates(signal, numerators, at))
    below = sum(rate for _, rate in _rates(signal, denominators, at))
    if below == 0:
        what = selector(selections_of(signal)[1])
        raise _Idle(f"nothing was counted by {what} within {format_duration(signal.window)}, so it has no ratio")
    return above / below


def _aggregated(signal: Signal, series: list[Held], at: float) -> Reading:
    read = _instants(series, at) if signal.value else _peaks(signal, series, at) if signal.max else None
    if read is None:
        read = _rates(signal, series, at)
    if not read:
        raise _NoValue(f"{selector(selections_of(signal)[0])} has no value any more; does its target still export it?")
    members: dict[str, list[float]] = {}
    for one, value in read:
        member = one.labels.get(signal.by, "") if signal.by else ""
        if member:
            members.setdefault(member, []).append(value)
    return Reading(
        _aggregate(signal.across, [value for _, value in read]) * signal.scale,
        {member: _aggregate(signal.across, values) * signal.scale for member, values in sorted(members.items())},
    )


def _instants(series: list[Held], at: float) -> list[tuple[Held, float]]:
    read = []
    for one in series:
        last = bisect_right(one.times, at) - 1
        if one.current and last >= 0 and at - one.times[last] < LOOKBACK_SECONDS:
            read.append((one, _finite(one, one.values[last])))
    return read


def _peaks(signal: Signal, series: list[Held], at: float) -> list[tuple[Held, float]]:
    read = []
    for one in series:
        inside = _inside(one.times, at, signal.window)
        if inside:
            read.append((one, max(_finite(one, value) for value in one.values[inside.start : inside.stop])))
    return read


def _rates(signal: Signal, series: list[Held], at: float) -> list[tuple[Held, float]]:
    read = []
    for one in series:
        inside = _inside(one.times, at, signal.window)
        for value in one.values[inside.start : inside.stop]:
            _finite(one, value)
        rate = counter_rate(one.times, one.values, at, signal.window)
        if rate is not None:
            read.append((one, rate))
    if not read:
        raise _NoValue(
            f"{_identity(series[0])} was scraped less than twice within {format_duration(signal.window)}, and a rate "
            "needs two; wait for the next scrape, scrape more often, or widen the window"
        )
    return read


def _inside(times: Sequence[float], at: float, window_seconds: float) -> range:
    """The places of the samples in ``(at − window, at]``, times taken to the millisecond."""
    end = _milliseconds(at)
    start = end - _milliseconds(window_seconds)
    return range(bisect_right(times, start, key=_milliseconds), bisect_right(times, end, key=_milliseconds))


def _aggregate(across: Aggregate, values: list[float]) -> float:
    if across == "max":
        return max(values)
    if across == "min":
        return min(values)
    if across == "count":
        return float(len(values))
    return sum(values) / (len(values) if across == "avg" else 1)


def _finite(one: Held, value: float) -> float:
    if not math.isfinite(value):
        raise _NoValue(f"the target returned {value} for {_identity(one)}")
    return value


def _upper_bound(bucket: Held) -> float:
    text = bucket.labels.get("le", "")
    try:
        bound = float(text)
    except ValueError:
        bound = math.nan
    if math.isnan(bound):
        raise _NoValue(f"{_identity(bucket)} is no bucket: its label le is no number")
    return bound


def _nothing_matches(selection: Selection) -> str:
    return (
        f"no series matches {selector(selection)}; check the metric's name and its labels, "
        "and that a counter is exported before it first counts"
    )


def _identity(one: Held) -> str:
    return f"{one.metric}{label_text(one.labels)}"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


@lru_cache(maxsize=512)
def _regex(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error as wrong:
        raise ValueError(f"the regex {pattern!r} cannot be read: {wrong}") from None
