"""When a decision must be thought over again: one of its triggers began to fire after it, or an answer turned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

from outgrow.decisions.records import Answered, DecisionHead, ReopenWhen, Status
from outgrow.outlook.sentences import day
from outgrow.points.declaration import Point
from outgrow.quantities import DAY

IN_FORCE: tuple[Status, ...] = ("proposed", "accepted", "done")
"""Statuses of decisions that stand; a rejected, deprecated or superseded one does not."""

_OPEN: tuple[Status, ...] = ("proposed", "accepted")


def in_force(heads: Iterable[DecisionHead], point: str) -> DecisionHead | None:
    """The newest decision of a point that stands, or None; a proposal only where nothing is decided."""
    standing = [one for one in heads if one.point == point and one.superseded_by is None and one.status in IN_FORCE]
    return max(standing, key=lambda one: (one.status != "proposed", one.number, one.file), default=None)


def reopening_conditions(point: Point, answers: Iterable[Answered]) -> tuple[ReopenWhen, ...]:
    """What reopens a decision on this point: each trigger that may fire alone, and each answer it rests on, turned."""
    triggers = [ReopenWhen(trigger=one.id) for one in point.triggers if not one.confirms]
    return (*triggers, *(ReopenWhen(fact=one.fact, becomes=not one.answer) for one in answers))


def decided_day(head: DecisionHead) -> tuple[float, float] | None:
    """Begin and end (UTC) of the day a decision was made, seconds since the epoch; None where its date is no date."""
    try:
        made = date.fromisoformat(head.made_on)
    except ValueError:
        return None
    begin = datetime(made.year, made.month, made.day, tzinfo=UTC).timestamp()
    return begin, begin + DAY


def why_reopened(head: DecisionHead, began: Mapping[str, float], answers: Mapping[str, bool]) -> tuple[str, ...]:
    """What reopens a decision, a sentence each; empty where nothing does.

    Only an accepted or proposed decision can be reopened. A trigger reopens it when it began to fire after the day of
    the decision; within that day only where the record says which triggers fired when it was made. One that fired then
    must first have gone quiet, which shows in the time it began.

    Args:
        head: the decision.
        began: triggers of its point that fire now → since when without having gone quiet, seconds since the epoch.
        answers: facts of its point's rule → the answer now.
    """
    decided = decided_day(head)
    if decided is None or head.superseded_by is not None or head.status not in _OPEN:
        return ()
    begin, end = decided
    reasons = []
    for when in head.reopen_when:
        since = began.get(when.trigger) if when.trigger is not None else None
        if since is not None and (since >= end or (since >= begin and _fired_not(head, when.trigger))):
            reasons.append(f"{when.trigger} fires since {day(since)}; the decision is of {day(begin)}")
        if when.fact is not None and when.becomes is not None and answers.get(when.fact) is when.becomes:
            before, now = ("no", "yes") if when.becomes else ("yes", "no")
            reasons.append(f"{when.fact} was answered {before} when this was decided, and is {now} now")
    return tuple(reasons)


def fact_firing_since(noted_at: Sequence[float], needed: float, within: float, now: float) -> float | None:
    """Since when ``needed`` notes have lain within ``within`` seconds without a break; None while they do not.

    Args:
        noted_at: when each note that counts became true, seconds since the epoch, in any order.
        needed: notes that make the fact fire.
        within: how long a note counts, seconds.
        now: seconds since the epoch; later notes do not count yet.
    """
    came = [(at, 1) for at in noted_at if at <= now]
    went = [(at + within, -1) for at, _ in came if at + within <= now]
    count, since = 0, None
    for at, change in sorted(came + went, key=lambda one: (one[0], -one[1])):
        count += change
        if count < needed or not count:
            since = None
        elif since is None:
            since = at
    return since


def _fired_not(head: DecisionHead, trigger: str | None) -> bool:
    """The record says what fired when it was made, and this trigger did not."""
    return head.firing_then is not None and trigger not in head.firing_then
