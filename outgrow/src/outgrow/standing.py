"""Which decision is in force for each point, and what reopens it.

In: heads of decision records, how the points stand, the ledger. Out: a ``Standing`` for each point that has a decision.
Speaks to the outside only through ``ports``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from outgrow.decisions.answers import cases_of
from outgrow.decisions.records import Answered, DecisionHead
from outgrow.decisions.reopening import decided_day, fact_firing_since, in_force, why_reopened
from outgrow.outlook.status import PointStatus, TriggerStatus
from outgrow.outlook.triggers import LOOK_BACK, replay, sampling_interval
from outgrow.points.declaration import Declaration, Point, Trigger
from outgrow.ports import Ledger
from outgrow.quantities import DAY, iso_date


@dataclass(frozen=True, slots=True)
class Standing:
    """A decision that is in force, and what reopens it, a sentence each; empty while it stands."""

    head: DecisionHead
    reopened: tuple[str, ...]


def standings(
    declaration: Declaration,
    heads: Sequence[DecisionHead],
    statuses: Sequence[PointStatus],
    ledger: Ledger,
    now: float,
) -> dict[str, Standing]:
    """The decision in force of each point that has one, by the point's id.

    Args:
        statuses: how the points stand at ``now``; those without one are judged by their answers alone.
        now: seconds since the epoch; decisions made on a later day are not there yet.
    """
    known = {status.id: status for status in statuses}
    today = iso_date(now) or ""
    found: dict[str, Standing] = {}
    for point in declaration.points:
        head = in_force([one for one in heads if one.made_on <= today], point.id)
        if head is not None:
            firing = [one for one in known[point.id].triggers if one.state == "firing"] if point.id in known else []
            watched = {one.trigger for one in head.reopen_when if one.trigger is not None}
            began = {one.trigger: _began(head, point, one, declaration, ledger, now)
                     for one in firing if one.trigger in watched}  # fmt: skip
            answers = {fact: one.answer for fact, one in answers_of(point, ledger).items()} if _asks(head) else {}
            found[point.id] = Standing(head, why_reopened(head, began, answers))
    return found


def answers_of(point: Point, ledger: Ledger) -> dict[str, Answered]:
    """The answers there are to the point's rule: what the file says, else what was answered last."""
    asked = {case.fact for case in cases_of(point)}
    found: dict[str, Answered] = {}
    for record in ledger.records("answer", point.id):
        fact, answer = record.body.get("fact"), record.body.get("answer")
        if fact in asked and isinstance(answer, bool):
            found[str(fact)] = Answered(str(fact), answer, str(record.body.get("source", "")), record.made_at)
    declared = {case.fact: Answered(case.fact, case.answer, case.source)
                for case in cases_of(point) if case.answer is not None}  # fmt: skip
    return found | declared


def _asks(head: DecisionHead) -> bool:
    return any(one.fact is not None for one in head.reopen_when)


def _began(
    head: DecisionHead, point: Point, status: TriggerStatus, declaration: Declaration, ledger: Ledger, now: float
) -> float:
    """Since when a firing trigger has fired without having gone quiet; ``-inf`` where it may be since ever.

    A judgement looks four weeks back, so that of a trigger that has fired for longer it says only that it fired then;
    the hours since the decision tell the rest. Probabilities have no past of their own: one that was above its
    threshold when the decision was made counts as being there since.
    """
    trigger = next((one for one in point.triggers if one.id == status.trigger), None)
    decided = decided_day(head)
    if trigger is None or decided is None:
        return status.since
    if trigger.kind == "fact":
        noted = [note.at for note in ledger.notes(point.id, trigger.id) if note.withdrawn_at is None]
        since = fact_firing_since(noted, trigger.threshold or 1.0, trigger.within, now)
        return status.since if since is None else since
    fired_then = head.firing_then is not None and trigger.id in head.firing_then
    if trigger.kind in ("grows-faster-than-users", "worse-though-scaled-out"):
        return -math.inf if fired_then else status.since
    if status.since > now - LOOK_BACK + trigger.for_ + DAY:
        return status.since
    if trigger.kind == "threshold" and trigger.when == "any" and trigger.signal is not None:
        return _began_by_hours(trigger, declaration, ledger, decided[0], now, status.since)
    return -math.inf if fired_then else status.since


def _began_by_hours(
    trigger: Trigger, declaration: Declaration, ledger: Ledger, decided: float, now: float, otherwise: float
) -> float:
    """The same from the signal's hours since before the decision; a dip of less than an hour is no quiet."""
    signal = trigger.signal or ""
    start = decided - LOOK_BACK - trigger.for_
    hours = ledger.hourly(signal, declaration.signals[signal].unit, "median", start, now)
    if not len(hours):
        return otherwise
    judged = replay(trigger, hours, sampling_interval(hours.times), now)
    return min(judged.since, otherwise) if judged.state == "firing" else otherwise
