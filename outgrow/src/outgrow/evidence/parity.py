"""Whether an arm answers rightly: a faster wrong answer has no ratio.

An answer is the ids of what was found, in order (or one digest of the whole answer).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from outgrow.quantities import significant

Ids = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parity:
    """How an arm answered. ``recall`` and ``same`` are shares, 0 to 1; None where nothing could be compared.

    ``why_not`` is set where the arm must not have a ratio.
    """

    recall: float | None
    same: float | None
    why_not: str = ""


def parity(
    answers: Mapping[str, Ids],
    baseline: Mapping[str, Ids],
    right: Mapping[str, Ids] | None,
    texts: Mapping[str, str],
    least_recall: float,
) -> Parity:
    """What an arm's ``answers`` are worth.

    Args:
        answers, baseline: request → what the arm, and what the baseline found.
        right: request → what is right; None where nobody knows, then the baseline's answers are what is asked for.
        texts: request → its text, of all that were asked.
        least_recall: the share that must be found.
    """
    if not texts:
        return Parity(None, None)
    wanted = baseline if right is None else right
    shares = {each: recall_of(answers.get(each, ()), wanted.get(each, ())) for each in texts}
    recall = sum(shares.values()) / len(shares)
    same = sum(each in answers and set(answers[each]) == set(baseline.get(each, ())) for each in texts) / len(texts)
    if recall >= least_recall:
        return Parity(recall, same)
    worst = min(texts, key=lambda each: shares[each])
    whose = "the right answers" if right is not None else "what the baseline finds"
    why_not = (
        f"it found {_percent(recall)} of {whose}, and {_percent(least_recall)} is asked for; at its worst "
        f"{_percent(shares[worst])}, of {texts[worst][:80]!r}"
    )
    return Parity(recall, same, why_not)


def recall_of(found: Ids, right: Ids) -> float:
    """The share of ``right`` among as many that were found first; where nothing is right, whether nothing was found."""
    if not right:
        return float(not found)
    return len(set(found[: len(right)]) & set(right)) / len(set(right))


def _percent(share: float) -> str:
    """Cut rather than rounded: 94.99 % is not 95 %."""
    return f"{significant(int(share * 1000 + 1e-9) / 10)} %"
