"""What the demo reckons by itself, so that what the tool said can be held against it. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

BUCKET = re.compile(r"^(?P<name>\w+)_bucket\{(?P<labels>.*)\} (?P<count>\S+)$")
BOUND = re.compile(r'(?:^|,)le="([^"]*)"')

Buckets = Mapping[float, float]
"""Upper bound in seconds → observations up to it, so far."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """An interval, 10 to 90 %, and its middle."""

    low: float
    mid: float
    high: float


@dataclass(frozen=True, slots=True)
class Judged:
    """How a warning did. late: the demo has failed."""

    how: Literal["held", "early", "late"]
    sentence: str


def buckets_of(metrics: str, name: str, label: str = "") -> dict[float, float]:
    """A histogram in Prometheus' text format, all its series together, or those whose labels hold `label`."""
    found: dict[float, float] = {}
    for line in metrics.splitlines():
        seen = BUCKET.match(line)
        if seen is None or seen["name"] != name or label not in seen["labels"]:
            continue
        bound = BOUND.search(seen["labels"])
        if bound is not None:
            found[float(bound[1])] = found.get(float(bound[1]), 0.0) + float(seen["count"])
    return found


def quantile_between(before: Buckets, after: Buckets, share: float) -> float | None:
    """The quantile of what was observed between two looks, in a straight line within its bucket; None for nothing.

    Beyond the last finite bound it is that bound.
    """
    counts = [(bound, after[bound] - before.get(bound, 0.0)) for bound in sorted(after)]
    if not counts or counts[-1][1] <= 0:
        return None
    wanted, lower, below = share * counts[-1][1], 0.0, 0.0
    for bound, count in counts:
        if count >= wanted and count > below:
            if math.isinf(bound):
                return lower
            return lower + (bound - lower) * (wanted - below) / (count - below)
        lower, below = bound if math.isfinite(bound) else lower, count
    return lower


def reached_at(levels: Sequence[float], values: Sequence[float], limit: float) -> float | None:
    """Where values first pass the limit, between two levels by a straight line in log-log; None where they never do.

    levels: rising, positive. values: positive.
    """
    for place, value in enumerate(values):
        if value <= limit:
            continue
        if place == 0:
            return levels[0]
        low, high = math.log(values[place - 1]), math.log(value)
        part = 1.0 if high <= low else (math.log(limit) - low) / (high - low)
        part = min(max(part, 0.0), 1.0)
        return math.exp(math.log(levels[place - 1]) * (1 - part) + math.log(levels[place]) * part)
    return None


def judged(said: Bounds | None, wall: float, *, days_said: Bounds | None, days: float) -> Judged:
    """The users that were said beforehand against those at which it broke; the days until then against those it took.

    Late: nothing was said before the wall, or its earliest bound lies beyond. A bound that lies before it warned early.
    """
    if said is None:
        return Judged("late", f"The wall came at {wall:,.0f} users, and nobody had been told of it before.")
    span = f"{span_of(said)} users"
    if said.low > wall:
        return Judged("late", f"Too late: {span} were said, and it broke at {wall:,.0f}.")
    if days_said is not None and days_said.low > days:
        return Judged(
            "late",
            f"Too late: {days_said.low:,.0f} to {days_said.high:,.0f} days were said, and it took {days:,.0f}.",
        )
    when = ""
    if days_said is not None:
        how = "too early" if days_said.high < days else "right"
        when = f" The date was {how}: “{in_days(days_said)}” was said, and it took {days:,.0f}."
    if said.high < wall:
        return Judged("early", f"In time, but too early: {span} were said, and it broke at {wall:,.0f} only.{when}")
    return Judged("held", f"It held: {span} were said, and it broke at {wall:,.0f}.{when}")


def span_of(said: Bounds) -> str:
    """From its earliest to its latest, as people say it."""
    return f"{said.low:,.0f}–{said.high:,.0f}" if math.isfinite(said.high) else f"{said.low:,.0f} or more"


def in_days(said: Bounds) -> str:
    """A span of time left, as people say it."""
    if said.high < 1:
        return "any day now"
    return f"within {said.high:,.0f} days" if said.low < 1 else f"in {said.low:,.0f} to {said.high:,.0f} days"


def bounds_of(told: Mapping[str, float | None] | None) -> Bounds | None:
    """From p10, p50 and p90 of a forecast; an end that is not known is infinite."""
    if not told or told.get("p10") is None:
        return None
    low, mid, high = (
        math.inf if told.get(name) is None else float(told[name] or 0.0) for name in ("p10", "p50", "p90")
    )
    return Bounds(low, mid, high)
