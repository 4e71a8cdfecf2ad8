"""Which rewrites a plan is about: one candidate a point, with the option chosen for it, and the options left aside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from outgrow.errors import UsageError
from outgrow.points.declaration import TUNE, Option, Point
from outgrow.quantities import Interval, format_quantity, significant
from outgrow.schedule.inputs import PaceOption, TeamRules, weeks
from outgrow.schedule.pace import DONE
from outgrow.schedule.records import NEVER, Candidate, Prices, Wall
from outgrow.schedule.scenarios import PlanningCase, wall_days

PROBABILITY = {"inevitable": 1.0, "likely": 0.8, "possible": 0.5, "only-if": 0.2}
"""That a rewrite is needed at all, where the file gives no probability. Own reading."""
REACHED_RATIO = 0.1
"""A wall that growth reaches in fewer scenarios than this is not planned for."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The candidates in the order of their declared limits; ``alternatives`` holds the other options of each point.

    ``not_planned`` is (point, why); ``notes`` say what was read into the file.
    """

    candidates: tuple[Candidate, ...]
    alternatives: Mapping[str, tuple[Candidate, ...]]
    not_planned: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def choose(
    points: Sequence[Point],
    rules: TeamRules,
    users_now: float,
    *,
    pinned: Mapping[str, str],
    decided: Mapping[str, tuple[int, str]],
    measured: Mapping[str, Interval],
    firing: Collection[str] = (),
) -> Choice:
    """A candidate for each point that has options and is not done.

    Its option is the pinned one, else the decided one, else the one with the least work other than *tune*, as ``pace``
    chooses; *tune* where there is nothing else.

    Args:
        pinned: point → option, or ``done``. decided: point → (number of the decision record, option).
        measured: point → users at its wall, 10/50/90 %, where the measured limit governs.
        firing: points of which a trigger fires; they are needed, whatever was thought likely.

    Raises:
        UsageError: a pin names no point or no option.
    """
    _check(points, pinned)
    ordered = sorted(points, key=lambda point: point.complete_before)
    chosen, notes = list[Candidate](), list[str]()
    not_planned, alternatives = list[tuple[str, str]](), dict[str, tuple[Candidate, ...]]()
    for number, point in enumerate(ordered, start=1):
        if pinned.get(point.id) == DONE:
            not_planned.append((point.id, "done, as you say"))
            continue
        if not point.options:
            not_planned.append((point.id, "no option is declared, so there is nothing to plan"))
            continue
        record = decided.get(point.id) if point.id not in pinned else None
        if record is not None and record[1] not in [option.id for option in point.options]:
            notes.append(f"Decision {record[0]} chose {record[1]} for {point.id}, which is not declared any more.")
            record = None
        wanted = record[1] if record else pinned.get(point.id)
        options = {option.id: _candidate(number, point, option, rules, users_now, measured) for option in point.options}
        if point.id in firing and options:
            options = {name: replace(option, needed_ratio=1.0) for name, option in options.items()}
        taken = options[wanted] if wanted else _cheapest(list(options.values()))
        chosen.append(replace(taken, decided=record[0] if record else None))
        alternatives[point.id] = tuple(each for each in options.values() if each.option != taken.option)
    burning = [each.point for each in chosen if each.point in firing]
    if burning:
        notes.append(f"A trigger fires at {', '.join(burning)}: planned as needed for certain.")
    return Choice(tuple(chosen), alternatives, tuple(not_planned), (*notes, *_read_in(ordered, chosen)))


def within_reach(case: PlanningCase) -> tuple[PlanningCase, tuple[tuple[str, str], ...]]:
    """The case without candidates whose wall growth reaches in fewer than a tenth of the scenarios, and (point, why).

    What is left is priced again, since the bill before an option is that of the candidate before it.
    """
    kept, left_out = list[Candidate](), list[tuple[str, str]]()
    years = significant(float(case.growth.days[-1]) / 365.25, 2)
    for candidate in case.candidates:
        reached = float(np.mean(wall_days(case, candidate) < NEVER))
        if reached >= REACHED_RATIO:
            kept.append(candidate)
            continue
        share = format_quantity(reached, "ratio") if reached else "none"
        users = significant(candidate.wall.users.mid)
        left_out.append(
            (candidate.point, f"{users} users are reached within {years} years in {share} of the scenarios")
        )
    return priced(replace(case, candidates=tuple(kept))), tuple(left_out)


def priced(case: PlanningCase) -> PlanningCase:
    """The case with what each option costs a month too early: its bill less the bill in place before it.

    Bills are those of whole services, so the one before is that of the candidate before, today's for the first.
    """
    before, candidates = case.bill_now, list[Candidate]()
    alternatives = dict(case.alternatives)
    for candidate in case.candidates:
        others = alternatives.get(candidate.point, ())
        alternatives[candidate.point] = tuple(_early(other, before) for other in others)
        candidates.append(_early(candidate, before))
        before = before if candidate.prices.bill is None and not candidate.major else candidate.prices.bill
    return replace(case, candidates=tuple(candidates), alternatives=alternatives)


def price_notes(case: PlanningCase) -> tuple[str, ...]:
    """What was assumed in place of prices nobody declared, for the reader of the plan."""
    early = [each.point for each in case.candidates if each.prices.early is None]
    late = [each.point for each in case.candidates if each.prices.late is None]
    notes = []
    if early:
        bill = "today's bill" if case.bill_now else "1 (no bill is declared)"
        notes.append(f"What a month too early costs is not known for {', '.join(early)}; it weighs {bill}.")
    if late:
        notes.append(
            f"What a month past the limit costs is not declared for {', '.join(late)}; it weighs ten times a month too "
            "early. Declare breach_cost to say otherwise."
        )
    return tuple(notes)


def _early(candidate: Candidate, before: float | None) -> Candidate:
    bill = candidate.prices.bill
    early = None if bill is None or before is None else bill - before
    return replace(candidate, prices=replace(candidate.prices, early=early))


def _candidate(
    number: int,
    point: Point,
    option: Option,
    rules: TeamRules,
    users_now: float,
    measured: Mapping[str, Interval],
) -> Candidate:
    limit = float(point.complete_before)
    wall = Wall(Interval(limit, limit, limit), "declared")
    if point.id in measured:
        wall = Wall(measured[point.id], "measured")
    work = PaceOption(point.id, option.id, option.title, option.effort_weeks, option.new_to_team)
    bill = None if isinstance(option.monthly_cost, str) else option.monthly_cost
    return Candidate(
        number=number,
        point=point.id,
        title=point.title or point.id,
        option=option.id,
        option_title=option.title or option.id,
        effort_weeks=weeks(work, rules),
        wall=wall,
        milestone=float(point.monitor_from if point.decide_by is None else point.decide_by),
        needed_ratio=PROBABILITY[point.likelihood] if point.probability is None else point.probability,
        major=work.major,
        past=users_now >= wall.users.mid,
        prices=Prices(
            late=known_money(point.breach_cost),
            bill=None if bill is None else known_money(bill.fixed),
            per_user=None if bill is None else known_money(bill.per_user),
        ),
        prototype_weeks=option.prototype_weeks,
        new_to_team=option.new_to_team,
    )


def _cheapest(options: Sequence[Candidate]) -> Candidate:
    major = [option for option in options if option.option != TUNE] or list(options)
    return min(major, key=lambda option: (option.effort_weeks.high, option.effort_weeks.low))


def known_money(money: float | str) -> float | None:
    """Declared money; None where it is ``unknown``."""
    return None if isinstance(money, str) else float(money)


def _read_in(points: Sequence[Point], chosen: Sequence[Candidate]) -> list[str]:
    likelihoods = {point.id: point.likelihood for point in points if point.probability is None}
    read = [
        f"{each.point} ({likelihoods[each.point]}) {format_quantity(each.needed_ratio, 'ratio')}"
        for each in chosen
        if each.needed_ratio < 1 and each.point in likelihoods
    ]
    if not read:
        return []
    return [f"That it is needed at all is read from the likelihood: {', '.join(read)}. Declare probability to say it."]


def _check(points: Sequence[Point], pinned: Mapping[str, str]) -> None:
    known = {point.id: [option.id for option in point.options] for point in points}
    for point, option in pinned.items():
        if point not in known:
            raise UsageError(f"there is no point {point!r}; the points are {', '.join(known)}")
        if option != DONE and option not in known[point]:
            raise UsageError(f"{point} has no option {option!r}; it has {', '.join(known[point])}, or say {DONE}")
