"""The questions of a rule, and the answers people give to them."""

from __future__ import annotations

from collections.abc import Mapping

from outgrow.decisions.records import Answered
from outgrow.errors import UsageError
from outgrow.points.declaration import AnswersRule, Case, Point


def cases_of(point: Point) -> tuple[Case, ...]:
    """The questions of the point's rule; none for other rules."""
    return point.rule.cases if isinstance(point.rule, AnswersRule) else ()


def open_question(point: Point, answers: Mapping[str, Answered]) -> Case | None:
    """The first question that still matters: unanswered, and none before it is answered yes."""
    for case in cases_of(point):
        if case.fact not in answers:
            return case
        if answers[case.fact].answer:
            return None
    return None


def checked_answer(point: Point, fact: str, answer: bool, source: str, at: float) -> Answered | None:
    """An answer somebody gives; None where the file says the same already.

    Raises:
        UsageError: there is no such question, the file answers otherwise, or the source is missing.
    """
    case = next((one for one in cases_of(point) if one.fact == fact), None)
    if case is None:
        known = ", ".join(one.fact for one in cases_of(point))
        raise UsageError(
            f"{point.id} has no question {fact!r}; " + (f"it asks {known}" if known else "its rule asks nothing")
        )
    if case.answer is not None:
        said = "yes" if case.answer else "no"
        if case.answer is not answer:
            raise UsageError(f"the file answers {fact} with {said} ({case.source}); change it there")
        return None
    if not source.strip():
        said = "yes" if answer else "no"
        raise UsageError(
            f"an answer needs its source: who or what says so about {fact}",
            next_step=f'outgrow decide {point.id} --answer {fact}={said} --source "who says so"',
        )
    return Answered(fact, answer, " ".join(source.split()), at)
