"""Whether the service is measurably faster than it was, on the same workload."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from outgrow.evidence.comparison import CONFIDENCE, LEAST_LOAD, MOST_DROPPED
from outgrow.evidence.intervals import MOST_PAIRS, least_pairs, student_quantile
from outgrow.evidence.records import Arm, ArmFacts, Evidence, Round
from outgrow.evidence.summary import ratio_words, ruled_ratios
from outgrow.quantities import Interval, iso_date, significant
from outgrow.signals.series import FloatArray
from outgrow.validation.baseline import Baseline
from outgrow.validation.load import LEAST_REQUESTS
from outgrow.validation.records import Check

NO_DIFFERENCE = 1.05
"""An interval around 1 that reaches no further than this has shown that there is no improvement worth the name."""

_SAME_MACHINE = ("cores", "architecture", "system")


def interleaved_check(
    before: str, after: str, rounds: Sequence[Round], rate_per_second: float | None, left_out: Mapping[str, str]
) -> Check:
    """Both arms side by side: the interval of before ÷ after, paired by round.

    Args:
        rounds: of both arms. left_out: arm → why it failed in mid-run.
    """
    evidence = Evidence(
        point="", made_at=0.0, source="", baseline=before, baseline_tuned=False, digest="",
        arms=(Arm(before, None), Arm(after, after)), rounds=tuple(rounds),
        facts=tuple(ArmFacts(arm, left_out=why) for arm, why in left_out.items()),
    )  # fmt: skip
    ruled = next((each for each in ruled_ratios(evidence, after, None)), None)
    measured = ruled.measured if ruled is not None else None
    kept: dict[str, Any] = {
        "how": "interleaved",
        "before": before,
        "after": after,
        "ratio": asdict(measured.ratio) if measured is not None and measured.ratio else None,
        "p50": asdict(ruled.p50) if ruled is not None and ruled.p50 else None,
        "throughput": asdict(ruled.throughput) if ruled is not None and ruled.throughput else None,
        "rate_per_second": rate_per_second,
        **_p95s(before, after, [each for each in rounds if each.arm == before],
                [each for each in rounds if each.arm == after]),
        "rounds": [asdict(each) for each in rounds],
    }  # fmt: skip
    if measured is None or measured.ratio is None:
        why = measured.why_not if measured is not None else f"{before} and {after} are one arm"
        return Check("improvement", None, f"Cannot tell: {why}.", kept)
    words = f"{before} ÷ {after} is {ratio_words(measured.ratio)}, {measured.rounds} rounds side by side"
    return _judged(measured.ratio, words, kept, (*measured.remarks, *_few(rounds)), measured.rounds)


def unpaired_check(
    baseline: Baseline, after: str, rounds: Sequence[Round], rate_per_second: float | None,
    machine: Mapping[str, str], workload: str, why_unpaired: str,
) -> Check:  # fmt: skip
    """Rounds of a kept baseline against rounds of now: Welch's interval on the logarithm of p95, unpaired.

    Args:
        rounds: of ``after``, at ``rate_per_second``. machine, workload: of now. why_unpaired: why nobody asked both.
    """
    kept: dict[str, Any] = {
        "how": "against a kept baseline",
        "before": baseline.arm,
        "after": after,
        "ratio": None,
        "rate_per_second": rate_per_second,
        "baseline_made_at": iso_date(baseline.made_at),
        "baseline_occasion": baseline.occasion or None,
        **_p95s(baseline.arm, after, baseline.rounds, rounds),
        "rounds": [asdict(each) for each in (*baseline.rounds, *rounds)],
    }
    since = f"the baseline of {iso_date(baseline.made_at)}"
    remark = (
        f"unpaired: rounds of {since} against rounds of now, as {why_unpaired.rstrip('.')}; whatever else changed in "
        "between is in the ratio"
    )
    remarks = (remark, *_other_versions(baseline, machine), *_few((*baseline.rounds, *rounds)))
    why = unfit_baseline(baseline, machine, workload) or _unfit_rounds(baseline, after, rounds)
    ratio = None
    if not why:
        logs = [np.log([each.p95_seconds for each in side]) for side in (baseline.rounds, rounds)]
        ratio = welch_ratio(logs[0], logs[1], CONFIDENCE)
    if why or ratio is None:
        return Check("improvement", None, f"Cannot tell: {why or 'too few rounds'}.", kept, remarks)
    kept["ratio"] = asdict(ratio)
    words = f"{baseline.arm} ÷ {after} is {ratio_words(ratio)}, unpaired: {since} against now"
    return _judged(ratio, words, kept, remarks, len(rounds))


def unfit_baseline(baseline: Baseline, machine: Mapping[str, str], workload: str) -> str:
    """Why nothing of now may be held against it; "" where it may."""
    if baseline.workload != workload:
        return f"the workload has changed since the baseline of {iso_date(baseline.made_at)} was recorded"
    other = [name for name in _SAME_MACHINE if baseline.machine.get(name) != machine.get(name)]
    if other:
        told = ", ".join(f"{name} {baseline.machine.get(name)} then, {machine.get(name)} now" for name in other)
        return f"the baseline was recorded on another machine ({told})"
    if len(baseline.rounds) < least_pairs(CONFIDENCE):
        return f"the baseline has {len(baseline.rounds)} rounds, and {least_pairs(CONFIDENCE)} are needed"
    return ""


def welch_ratio(before: FloatArray, after: FloatArray, confidence: float) -> Interval | None:
    """exp of the difference of two means of logarithms, with Welch's interval; None with too few on a side.

    Freedom by Welch and Satterthwaite (Welch 1947), rounded down: the more careful way.
    """
    if min(before.size, after.size) < least_pairs(confidence):
        return None
    errors = [side.var(ddof=1) / side.size for side in (before, after)]
    difference, error = float(before.mean() - after.mean()), float(sum(errors))
    if error <= 0:
        exactly = math.exp(difference)
        return Interval(exactly, exactly, exactly, confidence)
    freedom = error**2 / sum(part**2 / (side.size - 1) for part, side in zip(errors, (before, after), strict=True))
    reach = student_quantile((1 + confidence) / 2, max(1, math.floor(freedom))) * math.sqrt(error)
    return Interval(math.exp(difference - reach), math.exp(difference), math.exp(difference + reach), confidence)


def _judged(ratio: Interval, words: str, kept: Mapping[str, Any], remarks: tuple[str, ...], rounds: int) -> Check:
    if ratio.low > 1:
        return Check("improvement", True, f"{words}: faster.", kept, remarks)
    if ratio.high < 1:
        return Check(
            "improvement", False, f"{words}: slower than before.", kept, remarks, "look for what became slower"
        )
    if ratio.low > 1 / NO_DIFFERENCE and ratio.high < NO_DIFFERENCE:
        said = f"{words}: no improvement, as all of it lies within {significant((NO_DIFFERENCE - 1) * 100)} % of 1."
        return Check("improvement", False, said, kept, remarks, "ask what the move was made for, and measure that")
    more = _more_rounds(ratio, rounds)
    step = f"write rounds: {more} under workload:" if more else "measure longer rounds (round_seconds:)"
    return Check("improvement", None, f"Cannot tell: {words}, and it contains 1.", kept, remarks, step)


def _more_rounds(ratio: Interval, rounds: int) -> int | None:
    """About how many rounds would exclude 1, if the middle stays and the width shrinks as 1/√rounds."""
    low, mid, high = (math.log(value) for value in (ratio.low, ratio.mid, ratio.high))
    reach = mid - low if mid > 0 else high - mid
    if not mid or rounds * (reach / mid) ** 2 > MOST_PAIRS:
        return None
    return max(rounds + 1, math.ceil(rounds * (reach / mid) ** 2))


def _unfit_rounds(baseline: Baseline, after: str, rounds: Sequence[Round]) -> str:
    sent = {arm: sum(each.sent for each in side) / max(1, len(side))
            for arm, side in ((baseline.arm, baseline.rounds), (after, rounds))}  # fmt: skip
    for arm, side in ((baseline.arm, baseline.rounds), (after, rounds)):
        total, dropped = sum(each.sent for each in side), sum(each.dropped for each in side)
        if dropped > MOST_DROPPED * total:
            return f"{arm} dropped {dropped:,} of {total:,} requests, so its p95 is that of the survivors"
    few, many = sorted(sent.values())
    if few < LEAST_LOAD * many:
        told = ", ".join(f"{arm} {number:,.0f}" for arm, number in sent.items())
        return f"they were not sent the same a round: {told}"
    return ""


def _other_versions(baseline: Baseline, machine: Mapping[str, str]) -> tuple[str, ...]:
    then, now = baseline.machine.get("python"), machine.get("python")
    return () if then == now else (f"what asks ran on Python {then} then, and on {now} now",)


def _few(rounds: Sequence[Round]) -> tuple[str, ...]:
    usual = float(np.median([each.sent for each in rounds])) if rounds else math.inf
    if usual >= LEAST_REQUESTS:
        return ()
    return (f"{usual:,.0f} requests a round are few for a p95; longer rounds tell more",)


def _p95s(before: str, after: str, olds: Sequence[Round], news: Sequence[Round]) -> dict[str, Any]:
    """Of a typical round of each side."""
    return {
        "p95_seconds": {
            arm: float(np.median([each.p95_seconds for each in side])) if side else None
            for arm, side in ((before, olds), (after, news))
        }
    }
