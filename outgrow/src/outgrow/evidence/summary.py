"""What an arm measured over all its rounds, in a line of a table."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np

from outgrow.evidence.comparison import CONFIDENCE, clearance, measured_ratios, rounds_needed, shown_as
from outgrow.evidence.intervals import ratio_interval, value_interval
from outgrow.evidence.records import Arm, ArmFacts, Evidence, MeasuredRatio, Round
from outgrow.points.declaration import RatioRule
from outgrow.quantities import Interval, significant


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """Of a typical round: medians over the rounds, None without any; ``p95`` with its bounds where there are enough."""

    arm: Arm
    facts: ArmFacts
    rounds: int
    p50_seconds: float | None
    p95_seconds: float | None
    p95: Interval | None
    throughput_per_second: float | None
    sent: int
    dropped: int


@dataclass(frozen=True, slots=True)
class RuledRatio:
    """A ratio, what the rule's thresholds make of it, and how many rounds in all would settle an open one.

    ``verdict`` is None for what is never ruled on: over a baseline that is not tuned, or where no thresholds are
    declared. ``p50`` (times as fast) and ``throughput`` (times as much answered) are of the same pairs, and never ruled
    on either; None where they are not known.
    """

    measured: MeasuredRatio
    verdict: str | None
    rounds_needed: int | None = None
    p50: Interval | None = None
    throughput: Interval | None = None


def ratio_words(ratio: Interval) -> str:
    """``8.1× (7.2 – 9)``; the lower bound is never rounded up, the upper never down."""
    low, high = _rounded(ratio.low, ROUND_FLOOR), _rounded(ratio.high, ROUND_CEILING)
    return f"{significant(ratio.mid)}× ({low} – {high})"


def _rounded(value: float, rounding: str) -> str:
    if not math.isfinite(value) or value == 0:
        return significant(value)
    exact = Decimal(f"{value:.12g}")  # what the last bits of a float say is nobody's doubt
    return significant(float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - 2), rounding)))


_VERDICTS = {"above": "stay", "below": "migrate", "inside": "between", "unclear": "inconclusive"}


def arm_summaries(evidence: Evidence) -> tuple[ArmSummary, ...]:
    """Every arm, in the order they are declared."""
    return tuple(_summary(evidence, arm) for arm in evidence.arms)


def ruled_ratios(evidence: Evidence, rule_option: str, rule: RatioRule | None) -> tuple[RuledRatio, ...]:
    """Every ratio worth showing, with its verdict."""
    return tuple(_beside(evidence, _ruled(each, rule)) for each in measured_ratios(evidence, rule_option))


def _beside(evidence: Evidence, ruled: RuledRatio) -> RuledRatio:
    """With the ratios of p50 and of throughput, where that of p95 could be told."""
    if ruled.measured.ratio is None:
        return ruled
    arms = {shown_as(arm): arm.id for arm in evidence.arms}
    option, against = (arms.get(name, "") for name in (ruled.measured.option, ruled.measured.against))
    return replace(
        ruled,
        p50=_paired(evidence, against, option, "p50_seconds"),
        throughput=_paired(evidence, option, against, "throughput_per_second"),
    )


def _paired(evidence: Evidence, above: str, below: str, name: str) -> Interval | None:
    """The ratio of a quantity of two arms, round by round."""
    values = {(each.round, each.arm): value for each in evidence.rounds if (value := getattr(each, name))}
    numbers = sorted({number for number, arm in values if arm == above and (number, below) in values})
    logs = [math.log(values[number, above] / values[number, below]) for number in numbers]
    return ratio_interval(np.array(logs), CONFIDENCE)


def _summary(evidence: Evidence, arm: Arm) -> ArmSummary:
    rounds = [each for each in evidence.rounds if each.arm == arm.id]
    times = np.array([each.p95_seconds for each in rounds])
    return ArmSummary(
        arm=arm,
        facts=evidence.facts_of(arm.id),
        rounds=len(rounds),
        p50_seconds=_typical(rounds, "p50_seconds"),
        p95_seconds=_typical(rounds, "p95_seconds"),
        p95=value_interval(times, CONFIDENCE),
        throughput_per_second=_typical(rounds, "throughput_per_second"),
        sent=sum(each.sent for each in rounds),
        dropped=sum(each.dropped for each in rounds),
    )


def _typical(rounds: list[Round], name: str) -> float | None:
    values = [value for each in rounds if (value := getattr(each, name)) is not None]
    return float(np.median(values)) if values else None


def _ruled(measured: MeasuredRatio, rule: RatioRule | None) -> RuledRatio:
    if rule is None or not measured.tuned:
        return RuledRatio(measured, None)
    if measured.ratio is None:
        return RuledRatio(measured, "inconclusive")
    cleared = clearance(measured.ratio, rule.stay, rule.migrate)
    unclear = cleared == "unclear" and measured.rounds > 0
    more = rounds_needed(measured.ratio, measured.rounds, rule.stay, rule.migrate) if unclear else None
    return RuledRatio(measured, _VERDICTS[cleared], more)
