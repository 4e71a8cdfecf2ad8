"""What an arm measured over all its rounds, in a line of a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outgrow.evidence.comparison import CONFIDENCE, clearance, measured_ratios, rounds_needed
from outgrow.evidence.intervals import value_interval
from outgrow.evidence.records import Arm, ArmFacts, Evidence, MeasuredRatio, Round
from outgrow.points.declaration import RatioRule
from outgrow.quantities import Interval


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
    declared.
    """

    measured: MeasuredRatio
    verdict: str | None
    rounds_needed: int | None = None


_VERDICTS = {"above": "stay", "below": "migrate", "inside": "between", "unclear": "inconclusive"}


def arm_summaries(evidence: Evidence) -> tuple[ArmSummary, ...]:
    """Every arm, in the order they are declared."""
    return tuple(_summary(evidence, arm) for arm in evidence.arms)


def ruled_ratios(evidence: Evidence, rule_option: str, rule: RatioRule | None) -> tuple[RuledRatio, ...]:
    """Every ratio worth showing, with its verdict."""
    return tuple(_ruled(each, rule) for each in measured_ratios(evidence, rule_option))


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
