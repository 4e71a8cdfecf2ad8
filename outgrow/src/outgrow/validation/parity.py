"""Whether two services answer the same, beyond what one of them differs from itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import comb
from typing import Any, Literal

from outgrow.evidence.parity import Ids, recall_of
from outgrow.quantities import significant
from outgrow.validation.records import Check, all_of

ASKED_AGAIN = 3
"""How often both are asked once more where they differ: a flake is no difference."""

LEAST_STEADY = 0.5
"""Share of the requests to which the old service answers itself the same; below it nothing can be compared."""

BY_CHANCE = 0.05
"""Of flakes of the new one that the old one does not have: less likely than this is no chance."""

SHOWN_IDS = 10

How = Literal["other order", "other ids", "other answer"]
Pass = Mapping[str, Ids]
"""Request → what was answered, in one pass over the requests, or over some of them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A request to which the new service never gave the answer that the old one always gave."""

    request: str
    text: str
    how: How
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """How two services answered.

    Attributes:
        requests: how many. same: how many of them were answered the same throughout.
        differences: beyond the noise. now_and_then: answered otherwise by the new one in some passes, not in all.
        unsteady: to which the old one answers itself otherwise now and then: the noise floor.
        only_before, only_after: requests in which one of them alone changed its answer from a pass to the next.
        recall_before, recall_after: of the right answers, where somebody knows them.
    """

    requests: int
    same: int
    differences: tuple[Difference, ...]
    now_and_then: tuple[str, ...]
    unsteady: tuple[str, ...]
    only_before: int
    only_after: int
    recall_before: float | None = None
    recall_after: float | None = None


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """The team's own tests against an arm. ``code`` is None where they did not end by themselves: ``why_not``."""

    arm: str
    base_url: str
    code: int | None
    last_lines: tuple[str, ...] = ()
    why_not: str = ""


def to_ask_again(before: Sequence[Pass], after: Sequence[Pass]) -> tuple[str, ...]:
    """Requests that the old service answered the same in all passes, and the new one otherwise."""
    return tuple(each for each, old in before[0].items() if _steady(before, each) and after[0].get(each, ()) != old)


def compared(
    texts: Mapping[str, str], before: Sequence[Pass], after: Sequence[Pass], right: Pass | None = None
) -> Compared:
    """What passes over the same requests say.

    Args:
        texts: request → how a person is told which one it was.
        before: two whole passes, then those over what was asked again. after: one whole pass, then likewise.
        right: the right answers; None where nobody knows them.
    """
    differences, now_and_then, unsteady, same = list[Difference](), list[str](), list[str](), 0
    only_before = only_after = 0
    for each, text in texts.items():
        olds, news = _given(before, each), _given(after, each)
        steady, differs = len(set(olds)) == 1, news[0] != olds[0]
        persists = steady and all(new != olds[0] for new in news)
        only_before += olds[0] != olds[1] and not differs
        only_after += olds[0] == olds[1] and differs and not persists
        if not steady:
            unsteady.append(text)
        elif persists:
            differences.append(_difference(each, text, olds[0], news[0]))
        elif set(news) != {olds[0]}:
            now_and_then.append(text)
        else:
            same += 1
    return Compared(
        len(texts),
        same,
        tuple(differences),
        tuple(now_and_then),
        tuple(unsteady),
        only_before,
        only_after,
        _recall(texts, before[0], right),
        _recall(texts, after[0], right),
    )


def parity_check(
    answers: Compared | None, suite: Sequence[SuiteRun], least_recall: float, failed: str = "", failed_step: str = ""
) -> Check:
    """Answers and the team's tests; ok only where all that was compared is.

    Args:
        answers: None where none could be compared, and ``failed`` says why; "" where there are no requests at all.
        suite: against both arms, the old one first; empty where none is declared.
        least_recall: where the right answers are known, the share of them that the new service must find.
    """
    evidence: dict[str, Any] = {
        "answers": None if answers is None else asdict(answers),
        "suite": [asdict(each) for each in suite],
    }
    parts, said, remarks, step = list[bool | None](), list[str](), list[str](), ""
    if answers is not None:
        ok, words, step = _judged(answers, least_recall)
        parts.append(ok)
        said.append(words)
        if answers.unsteady:
            remarks.append(
                f"noise floor: the old service answers {len(answers.unsteady):,} of {answers.requests:,} requests "
                "otherwise itself when it is asked again"
            )
        if answers.now_and_then:
            remarks.append(f"answered otherwise now and then, not always: {len(answers.now_and_then):,}")
    elif failed:
        parts.append(None)
        said.append(failed)
        step = failed_step or "mend that, then validate again"
    if suite:
        ok, words = _suite_judged(suite)
        parts.append(ok)
        said.append(words)
        new = suite[-1]
        given = f"OUTGROW_ARM={new.arm}" + (f" OUTGROW_BASE_URL={new.base_url}" if new.base_url else "")
        step = step or ("" if ok else f"run the suite by hand, with {given}")
    if not parts:
        said.append("nothing was compared: the workload has no requests with answers, and no suite: is declared")
        step = "write suite: under validation:, or requests that can be compared"
    verdict = all_of(parts)
    return Check("parity", verdict, _sentence(said, verdict), evidence, tuple(remarks), step)


def _sentence(said: Sequence[str], verdict: bool | None) -> str:
    whole = "; ".join(each.rstrip(".") for each in said)
    return f"{'Cannot tell: ' if verdict is None else ''}{whole}."


def _judged(answers: Compared, least_recall: float) -> tuple[bool | None, str, str]:
    """Verdict, words and next step."""
    count = answers.requests
    if answers.recall_after is not None and answers.recall_before is not None:
        words = (
            f"the new service finds {_percent(answers.recall_after)} of the right answers to {count:,} requests, the "
            f"old one {_percent(answers.recall_before)}, and {_percent(least_recall)} is asked for"
        )
        ok = answers.recall_after >= least_recall
        return ok, words, "" if ok else "outgrow validate --json lists the requests that differ"
    if answers.differences:
        words = f"{len(answers.differences):,} of {count:,} requests are answered otherwise"
        return False, words, "ask both for the first of them by hand"
    if len(answers.unsteady) > (1 - LEAST_STEADY) * count:
        words = (
            f"the old service answers {len(answers.unsteady):,} of {count:,} requests otherwise itself when it is "
            "asked again, so the rest says little"
        )
        return None, words, "leave out what changes by itself (ignore:, ids:)"
    if answers.only_after > answers.only_before:
        chance = _chance(answers.only_after, answers.only_before)
        words = (
            f"the new service changed its answer from a pass to the next in {answers.only_after:,} of {count:,} "
            f"requests, the old one in {answers.only_before:,}"
        )
        if chance < BY_CHANCE:
            return False, words, "ask the new one for the same thing again and again, by hand"
        if not answers.only_before:
            return None, f"{words}, which may be chance", "compare more requests"
    return True, f"{count:,} requests are answered the same", ""


def _suite_judged(suite: Sequence[SuiteRun]) -> tuple[bool | None, str]:
    old, new = suite[0], suite[-1]
    if new.code is None:
        return None, f"the suite did not end by itself against {new.arm}: {new.why_not}"
    if new.code == 0:
        beside = "" if old.code == 0 else f", though not against {old.arm}"
        return True, f"the suite passes against {new.arm}{beside}"
    if old.code == 0:
        return False, f"the suite fails against {new.arm} (code {new.code}) and passes against {old.arm}"
    how = f"code {old.code}" if old.code is not None else old.why_not
    return (
        None,
        f"the suite fails against both ({old.arm}: {how}, {new.arm}: code {new.code}), so it tells no difference",
    )


def _steady(passes: Sequence[Pass], request: str) -> bool:
    return len(set(_given(passes, request))) == 1


def _given(passes: Sequence[Pass], request: str) -> list[Ids]:
    return [each[request] for each in passes if request in each] or [()]


def _difference(request: str, text: str, old: Ids, new: Ids) -> Difference:
    how: How = "other answer" if len(old) == len(new) == 1 else "other ids"
    if sorted(old) == sorted(new):
        how = "other order"
    return Difference(request, text, how, old[:SHOWN_IDS], new[:SHOWN_IDS])


def _recall(texts: Mapping[str, str], found: Pass, right: Pass | None) -> float | None:
    if right is None or not texts:
        return None
    return sum(recall_of(found.get(each, ()), right.get(each, ())) for each in texts) / len(texts)


def _chance(more: int, fewer: int) -> float:
    """That of so many flakes as many or more fall on the one side, were both alike (McNemar's exact test)."""
    both = more + fewer
    return sum(comb(both, each) for each in range(more, both + 1)) / (1 << both)


def _percent(share: float) -> str:
    """Cut rather than rounded: 94.99 % is not 95 %."""
    return f"{significant(int(share * 1000 + 1e-9) / 10)} %"
