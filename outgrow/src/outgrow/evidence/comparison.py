"""From evidence to ratios that may be ruled on, and what they clear.

A ratio says how many times better an option is than an arm: p95 of the arm ÷ p95 of the option, round by round.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from outgrow.evidence.intervals import MOST_PAIRS, least_pairs, ratio_interval
from outgrow.evidence.records import Arm, Clearance, Evidence, MeasuredRatio, Round
from outgrow.outlook.crossing import normal_quantile
from outgrow.points.declaration import TUNE
from outgrow.quantities import Interval, significant
from outgrow.signals.series import FloatArray

CONFIDENCE = 0.95
"""What rulings need: 2.5 % a side."""

MOST_DROPPED = 0.01
"""An arm that dropped more of what it was sent is flattered: p95 is that of the survivors."""

LEAST_LOAD = 0.9
"""An arm that was sent less than this share of what the other was sent had it easier."""

STEADY = 2.576
"""Standard errors of a rank correlation of ratio and round: reached by chance in 1 of 100 steady comparisons."""

_LEAST_FOR_TREND = 8
_OVERFLOWS = 600.0


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Rounds in which both arms ran, and how many lacked one of them."""

    both: tuple[tuple[Round, Round], ...]
    left_out: int


def measured_ratios(evidence: Evidence, rule_option: str, confidence: float = CONFIDENCE) -> tuple[MeasuredRatio, ...]:
    """Every option over the tuned service, over the service as it is, and ``rule_option`` over the other options.

    Those of ``rule_option`` come first, among them those over a tuned arm, the evidence's own baseline leading. A
    comparison that cannot be ruled on has no ratio and says why and what to do.
    """
    if evidence.reported:
        return tuple(_reported(evidence, rule_option, confidence))
    found = [
        _measured(evidence, option, arm, confidence)
        for option in evidence.arms
        for arm in evidence.arms
        if _worth_showing(evidence, option, arm, rule_option)
    ]
    baseline = next((arm for arm in evidence.arms if arm.id == evidence.baseline), None)
    first = shown_as(baseline) if baseline else ""
    return tuple(sorted(found, key=lambda each: (each.option != rule_option, not each.tuned, each.against != first)))


def is_tuned(evidence: Evidence, arm: Arm) -> bool:
    """Whether an arm is the service as good as it gets without a rewrite."""
    return arm.option == TUNE or (arm.id == evidence.baseline and evidence.baseline_tuned)


def shown_as(arm: Arm) -> str:
    """How an arm is called: by its option, else by its own id."""
    return arm.option or arm.id


def clearance(ratio: Interval, stay: float, migrate: float) -> Clearance:
    """Which threshold a ratio clears with its bound, compared exactly: a bound of 4.9999 does not clear 5.

    ``above``: the lower bound reaches ``stay``. ``below``: the upper bound is at most ``migrate``. ``inside``: the
    whole interval lies between. ``unclear``: it contains a threshold.
    """
    if ratio.low >= stay:
        return "above"
    if ratio.high <= migrate:
        return "below"
    return "inside" if ratio.low > migrate and ratio.high < stay else "unclear"


def rounds_needed(ratio: Interval, rounds: int, stay: float, migrate: float) -> int | None:
    """About how many rounds would settle an unclear ratio, if its middle stays and its width shrinks as 1/√rounds.

    None where that is more than ``MOST_PAIRS``: the middle is too near to a threshold to be told apart from it.
    """
    low, mid, high = (math.log(value) for value in (ratio.low, ratio.mid, ratio.high))
    up, down = math.log(stay), math.log(migrate)
    parts = []
    if mid > up:
        parts = [(mid - low) / (mid - up)]
    elif mid < down:
        parts = [(high - mid) / (down - mid)]
    elif down < mid < up:
        parts = [(mid - low) / (mid - down), (high - mid) / (up - mid)]
    if not parts or max(parts) > math.sqrt(MOST_PAIRS / rounds):
        return None
    return max(rounds + 1, math.ceil(rounds * max(parts) ** 2))


def widened_ratio(ratio: Interval, confidence: float) -> Interval:
    """A ratio at ``confidence`` or more: widened on the log scale as a normal one would be, never narrowed."""
    factor = _widening(ratio.confidence, confidence)
    if factor <= 1:
        return ratio
    low, high = (ratio.mid * (bound / ratio.mid) ** factor for bound in (ratio.low, ratio.high))
    return Interval(min(low, ratio.low), ratio.mid, max(high, ratio.high), confidence)


def widened_value(value: Interval, confidence: float) -> Interval:
    """A measured value at ``confidence`` or more, never narrowed.

    Upwards in proportion (times are skewed that way), downwards by distance: each the more careful of the two.
    """
    factor = _widening(value.confidence, confidence)
    if factor <= 1:
        return value
    low = value.mid - (value.mid - value.low) * factor
    high = value.mid + (value.high - value.mid) * factor
    if value.mid > 0 and value.high > value.mid:
        exponent = factor * (math.log(value.high) - math.log(value.mid))
        high = max(high, value.mid * math.exp(exponent) if exponent < _OVERFLOWS else math.inf)
    return Interval(low, value.mid, high, confidence)


def _widening(given: float, wanted: float) -> float:
    return 1.0 if given >= wanted else normal_quantile((1 + wanted) / 2) / normal_quantile((1 + given) / 2)


def _worth_showing(evidence: Evidence, option: Arm, arm: Arm, rule_option: str) -> bool:
    if option is arm or option.option is None:
        return False
    if is_tuned(evidence, option):
        return arm.option is None and not is_tuned(evidence, arm)
    return is_tuned(evidence, arm) or arm.option is None or (option.option == rule_option != arm.option)


def _reported(evidence: Evidence, rule_option: str, confidence: float) -> Iterator[MeasuredRatio]:
    for reported in evidence.reported:
        yield MeasuredRatio(
            option=reported.option or rule_option,
            against=evidence.baseline or "baseline",
            tuned=evidence.baseline_tuned,
            ratio=widened_ratio(reported.ratio, confidence),
            rounds=0,
            source=evidence.source,
            made_at=evidence.made_at,
        )


def _measured(evidence: Evidence, option: Arm, arm: Arm, confidence: float) -> MeasuredRatio:
    pairs = _pairs(evidence, option.id, arm.id)
    why_not = (
        _unfit(evidence)
        or _left_out(evidence, option)
        or _left_out(evidence, arm)
        or _dropped(evidence, option)
        or _dropped(evidence, arm)
        or _unequal_load(pairs, option, arm)
        or _wrong_number(pairs, confidence)
    )
    ratio = None
    if not why_not:
        with_option, with_arm = (np.array([pair[side].p95_seconds for pair in pairs.both]) for side in (0, 1))
        log_ratios = np.log(with_arm) - np.log(with_option)
        why_not = _unsteady(log_ratios)
        ratio = None if why_not else ratio_interval(log_ratios, confidence)
    return MeasuredRatio(
        option=option.option or option.id,
        against=shown_as(arm),
        tuned=is_tuned(evidence, arm),
        ratio=ratio,
        rounds=len(pairs.both),
        source=evidence.source,
        made_at=evidence.made_at,
        why_not=why_not,
        remarks=tuple(_remarks(pairs, option, arm)),
    )


def _pairs(evidence: Evidence, option: str, arm: str) -> _Pairs:
    by_round: dict[int, dict[str, Round]] = {}
    for each in evidence.rounds:
        by_round.setdefault(each.round, {})[each.arm] = each
    both = tuple((ran[option], ran[arm]) for _, ran in sorted(by_round.items()) if option in ran and arm in ran)
    lacking = sum((option in ran) != (arm in ran) for ran in by_round.values())
    return _Pairs(both, lacking)


def _unfit(evidence: Evidence) -> str:
    fit = evidence.fit
    return f"the machine was unfit to judge: {fit.why_not}" if fit is not None and fit.why_not else ""


def _left_out(evidence: Evidence, arm: Arm) -> str:
    reason = evidence.facts_of(arm.id).left_out
    return f"{shown_as(arm)} was left out: {reason}" if reason else ""


def _dropped(evidence: Evidence, arm: Arm) -> str:
    ran = [each for each in evidence.rounds if each.arm == arm.id]
    sent, dropped = sum(each.sent for each in ran), sum(each.dropped for each in ran)
    if not sent or dropped <= MOST_DROPPED * sent:
        return ""
    return (
        f"{shown_as(arm)} dropped {dropped:,} of {sent:,} requests, so its p95 is that of the survivors; lower the "
        "rate until every arm serves all, and measure again"
    )


def _unequal_load(pairs: _Pairs, option: Arm, arm: Arm) -> str:
    sent = [(sum(pair[side].sent for pair in pairs.both), shown_as(each)) for side, each in enumerate((option, arm))]
    (few, less), (many, more) = sorted(sent)
    if few >= LEAST_LOAD * many:
        return ""
    return f"{less} was sent {few:,} requests and {more} {many:,}; measure again with the same load for both"


def _wrong_number(pairs: _Pairs, confidence: float) -> str:
    count, least = len(pairs.both), least_pairs(confidence)
    if count > MOST_PAIRS:
        return f"{count:,} rounds are more than the {MOST_PAIRS:,} that are compared; import fewer"
    if count >= least:
        return ""
    ran = "no round has both arms" if not count else f"only {count} round{'s' * (count > 1)} with both arms"
    return f"{ran}: a bound with {confidence * 100:g} % needs {least}, a useful one 12 or more; measure more rounds"


def _unsteady(log_ratios: FloatArray) -> str:
    """A ratio that rises or falls along the rounds, by Spearman's rank correlation: one typical round says nothing."""
    n = log_ratios.size
    if n < _LEAST_FOR_TREND or not np.ptp(log_ratios):
        return ""
    below = (log_ratios[:, None] > log_ratios).sum(axis=1)
    ranks = below + ((log_ratios[:, None] == log_ratios).sum(axis=1) - 1) / 2
    correlation = float(np.corrcoef(ranks, np.arange(n))[0, 1])
    if abs(correlation) * math.sqrt(n - 1) <= STEADY:
        return ""
    first, second = (float(np.exp(np.median(half))) for half in np.array_split(log_ratios, 2))
    return (
        f"the ratio was not steady: {significant(first)} in the first half of the rounds, {significant(second)} in the "
        "second; warm both arms up for longer, and measure again"
    )


def _remarks(pairs: _Pairs, option: Arm, arm: Arm) -> Iterator[str]:
    if pairs.left_out:
        rounds = f"{pairs.left_out} round{'s' * (pairs.left_out > 1)}"
        yield f"{rounds} left out, as one of {shown_as(option)} and {shown_as(arm)} did not run"
    count = len(pairs.both)
    first = sum(mine.order < other.order for mine, other in pairs.both)
    if count > 1 and first in (0, count):
        leader, follower = (option, arm) if first else (arm, option)
        yield (
            f"{shown_as(leader)} ran before {shown_as(follower)} in every round, so that what the order does is in the "
            "ratio; change the order from round to round"
        )
