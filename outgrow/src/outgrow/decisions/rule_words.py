"""The sentences of a ruling. Bounds are never rounded towards the better: 4.9999 does not become 5."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from outgrow.decisions.records import Weighing
from outgrow.evidence.records import Evidence, MeasuredRatio
from outgrow.points.declaration import Point
from outgrow.quantities import Interval, iso_date, significant


def label(point: Point, option: str) -> str:
    """An option as people read it: ``Partition (A)``."""
    found = next((each for each in point.options if each.id == option), None)
    return f"{found.title} ({option})" if found is not None and found.title else option


def ratio_text(ratio: Interval, measured: MeasuredRatio) -> str:
    """``6.1–13.8, 95 %, 12 rounds``; the lower bound is never rounded up, the upper never down."""
    origin = f"{measured.rounds:,} rounds" if measured.rounds else f"reported by {measured.source}"
    day = "" if measured.rounds else f", {iso_date(measured.made_at)}"
    bounds = f"{_rounded(ratio.low, ROUND_FLOOR)}–{_rounded(ratio.high, ROUND_CEILING)}"
    return f"{bounds}, {significant(ratio.confidence * 100)} %, {origin}{day}"


def ratio_lead(point: Point, option: str, measured: MeasuredRatio, ratio: Interval) -> str:
    """``Partition (A) is 9.2 times faster than the tuned service (6.1–13.8, 95 %, 12 rounds)``."""
    times = significant(ratio.mid)
    how = f"{times} times faster than" if ratio.mid > 1 else f"{times} times as fast as"
    return f"{label(point, option)} is {how} the tuned service ({ratio_text(ratio, measured)})"


def weighed(point: Point, weighing: Weighing) -> str:
    """The weighted means of those that may win, and how firmly the first leads."""
    means = [f"{label(point, option)} {score:.2f}" for option, score in weighing.scores if option in weighing.eligible]
    share = weighing.holds_in_ratio
    held = "" if share is None else f"; the first leads under {significant(share * 100)} % of all weightings"
    return f"Weighed by the five criteria: {', '.join(means)}{held}."


def simulated(evidence: Iterable[Evidence]) -> tuple[str, ...]:
    """Says so where evidence is made up."""
    made_up = sorted({one.source for one in evidence if one.simulated})
    return (f"Made with simulated evidence: {', '.join(made_up)}.",) if made_up else ()


def _rounded(value: float, rounding: str) -> str:
    """At most three digits."""
    if not math.isfinite(value) or value == 0:
        return significant(value)
    exact = Decimal(repr(value))
    unit = Decimal(1).scaleb(exact.adjusted() - 2)
    return significant(float(exact.quantize(unit, rounding)))
