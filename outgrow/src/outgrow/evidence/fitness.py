"""Whether a machine can judge at all: an arm is compared with itself, and must not differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from outgrow.evidence.comparison import CONFIDENCE, MOST_DROPPED
from outgrow.evidence.intervals import least_pairs, ratio_interval
from outgrow.evidence.records import Fit, Round
from outgrow.quantities import significant

FIT_WITHIN = 1.25
"""How far an arm may be from itself, as a factor either way (± 25 %)."""


def fitness(arm: str, pairs: Sequence[tuple[Round, Round]], confidence: float = CONFIDENCE) -> Fit:
    """The ratio of an arm over itself: of each pair, p95 of the one half ÷ p95 of the other.

    Which of the two ran first changes from pair to pair. Unfit where the interval lacks 1 (the two halves differ,
    though they are the same), where it reaches beyond ``FIT_WITHIN`` (differences that matter would not be seen), or
    where requests were dropped. By chance alone about one fit machine in thirty is called unfit at 95 %.
    """
    sent = sum(half.sent for pair in pairs for half in pair)
    dropped = sum(half.dropped for pair in pairs for half in pair)
    if dropped > MOST_DROPPED * sent:
        return Fit(
            arm, None, len(pairs), f"it dropped {dropped:,} of {sent:,} requests of {arm} already; lower the load"
        )
    logs = np.array([math.log(one.p95_seconds) - math.log(other.p95_seconds) for one, other in pairs])
    ratio = ratio_interval(logs, confidence)
    if ratio is None:
        return Fit(arm, None, len(pairs), f"{len(pairs)} rounds bound nothing; {least_pairs(confidence)} do")
    bounds = f"{significant(ratio.low)} – {significant(ratio.high)}"
    if not ratio.low <= 1 <= ratio.high:
        said = f"{arm} against itself came out as {bounds} times as fast, though it is the same"
        return Fit(arm, ratio, len(pairs), said)
    if ratio.low < 1 / FIT_WITHIN or ratio.high > FIT_WITHIN:
        percent = significant((FIT_WITHIN - 1) * 100)
        said = f"{arm} against itself came out anywhere from {bounds}, and ± {percent} % is asked for"
        return Fit(arm, ratio, len(pairs), said)
    return Fit(arm, ratio, len(pairs))


def only_too_wide(fit: Fit) -> bool:
    """Whether more rounds may show that it is fit after all: 1 lies within, and only the bounds are too far apart."""
    return bool(fit.why_not) and fit.ratio is not None and fit.ratio.low <= 1 <= fit.ratio.high


def fit_sentence(fit: Fit) -> str:
    """What the comparison of an arm with itself has shown, in a sentence."""
    if fit.why_not or fit.ratio is None:
        return f"This machine is unfit to judge: {fit.why_not}."
    bounds = f"{significant(fit.ratio.low)} – {significant(fit.ratio.high)}"
    return f"This machine is fit to judge: {fit.arm} against itself is {bounds} over {fit.rounds} rounds."
