"""What rounds are worth that somebody ended early, without a word on where their ratio lies: who looked could stop when
it looks best, and a verdict would err more often than it says.
"""

from __future__ import annotations

import math

from outgrow.evidence.comparison import CONFIDENCE, measured_ratios
from outgrow.evidence.intervals import least_pairs
from outgrow.evidence.records import Evidence
from outgrow.quantities import significant


def worth_sentence(evidence: Evidence, rule_option: str, planned: int) -> str:
    """How many rounds are kept, how far apart they would leave the bounds of the first ratio, and all planned ones."""
    done = len({each.round for each in evidence.rounds})
    if not done:
        return "No round was complete yet."
    kept = f"{done} of {planned} rounds are complete and kept"
    least = least_pairs(CONFIDENCE)
    if done < least:
        return f"{kept}: worth nothing by themselves, as fewer than {least} bound no ratio."
    found = next((each for each in measured_ratios(evidence, rule_option) if each.ratio is not None), None)
    if found is None or found.ratio is None:
        return f"{kept}; no ratio can be told from them."
    factor = math.sqrt(found.ratio.high / found.ratio.low)
    in_the_end = factor ** math.sqrt(done / planned)
    so_far, all_of_them = significant(factor), significant(in_the_end)
    return (
        f"{kept}: they bound {found.option} over {found.against} to ×÷ {so_far}, and all {planned} would to about "
        f"×÷ {all_of_them}. Where the ratio lies is not told, so that nobody stops when it looks best."
    )
