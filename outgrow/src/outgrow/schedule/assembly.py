"""From a solved placement to what people read: dates, what holds each start, who does it, and when it is tried out."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from outgrow.points.declaration import TUNE, TimeOff
from outgrow.quantities import significant
from outgrow.schedule.prototypes import Wish, place_prototypes, prototype_days
from outgrow.schedule.records import NEVER, Candidate, Days, Outcome, Placement, PlannedRewrite, Problem, Solution
from outgrow.schedule.scenarios import PlanningCase, milestone_days
from outgrow.schedule.simulation import in_time_ratio, simulate

ON_PURPOSE_DAYS = 7
"""Planned starts fall on whole weeks, so a start less than a week after what holds it is held by that."""

_SHARES = (0.1, 0.5, 0.9)


def planned_rewrites(
    case: PlanningCase, problem: Problem, solution: Solution, outcome: Outcome, wanted_ratio: float = 1.0
) -> tuple[PlannedRewrite, ...]:
    """The rewrites in planned order.

    ``start`` is the planned start, or later where a milestone or what comes before it holds it longer in most of the
    scenarios in which it is needed: then their middle. ``start_window`` begins with the middle of the starts if this
    one alone were planned for at once, and ends with the last start that keeps the wanted chance of the whole plan, or
    the chance there is where that is lower; with ``start`` where the wall is past: later is only worse.
    """
    placement = solution.placement
    starts = [
        max(planned, middle(begun)) if needed.any() else planned
        for planned, begun, needed in zip(placement.start, outcome.starts, problem.needed, strict=True)
    ]
    wishes = [_wish(case, candidate, starts[row]) for row, candidate in enumerate(case.candidates)]
    prototypes = place_prototypes(wishes, outcome, case.calendar, case.made_on)
    people = assign(case, placement, outcome)
    rewrites = []
    for row in placement.order:
        candidate, needed = case.candidates[row], problem.needed[row]
        latest = starts[row] if candidate.past else max(starts[row], _last_day(problem, solution, row, wanted_ratio))
        rewrites.append(
            PlannedRewrite(
                candidate=candidate,
                start=on(case, starts[row]),
                start_window=(on(case, _first_day(problem, placement, row, starts[row])), on(case, latest)),
                finish=_dates(case, outcome.finishes[row][needed]),
                wall=_dates(case, problem.walls[row][needed]),
                in_time_ratio=None
                if candidate.past
                else float(outcome.in_time[row][needed].mean())
                if needed.any()
                else 1.0,
                who=people[row],
                prototype=prototypes[row],
                decide_by=_date(case, _decide_by(case, candidate, starts[row])),
                held_by=held_by(case, problem, placement, outcome, row),
                starts=_dates(case, outcome.starts[row][needed]),
            )
        )
    return tuple(rewrites)


def held_by(case: PlanningCase, problem: Problem, placement: Placement, outcome: Outcome, row: int) -> str:
    """What holds a start in most of the scenarios in which it is needed, in words; ``""`` where nothing does."""
    here = np.flatnonzero(problem.needed[row])
    if here.size == 0:
        return ""
    candidate = case.candidates[row]
    before = placement.order[: placement.order.index(row)]
    holds: list[tuple[str, Days]] = [("", np.zeros(here.size, dtype=np.int64))]
    if case.start_rule == "at-milestone":
        users = min(candidate.milestone, candidate.wall.users.mid / case.load_share)
        holds.append((f"users reach {significant(users)} first", problem.releases[row][here]))
    for other in before:
        name, done = case.candidates[other].title, problem.needed[other][here]
        if placement.lane[other] == placement.lane[row]:
            holds.append((f"{name} is finished first", np.where(done, outcome.finishes[other][here], 0)))
        if candidate.major and case.candidates[other].major and problem.gap:
            months = significant(case.rules.months_between)
            after = np.where(done, outcome.starts[other][here] + problem.gap, 0)
            holds.append((f"{months} months after the start of {name}", after))
    days = np.stack([np.where((day > 0) | (index == 0), day, -1) for index, (_, day) in enumerate(holds)])
    binding = days.shape[0] - 1 - np.argmax(days[::-1], axis=0)
    on_purpose = placement.start[row] - days.max(axis=0) >= ON_PURPOSE_DAYS
    if np.mean(on_purpose) > 0.5:
        return f"{_no_later(case, problem, placement, outcome, row)}: infrastructure is not paid too early"
    return holds[int(np.bincount(binding[~on_purpose], minlength=len(holds)).argmax())][0]


def _no_later(case: PlanningCase, problem: Problem, placement: Placement, outcome: Outcome, row: int) -> str:
    """What a start a week later would put at risk, in words."""
    later = tuple(start + 7 * (index == row) for index, start in enumerate(placement.start))
    lost = outcome.in_time & ~simulate(problem, replace(placement, start=later)).in_time & problem.judged[:, None]
    others = [other for other in placement.order if other != row and lost[other].any()]
    if lost[row].any():
        return "as late as its wall allows"
    if others:
        return f"as late as {case.candidates[others[0]].title} after it allows"
    return "so late on purpose"


def assign(case: PlanningCase, placement: Placement, outcome: Outcome) -> tuple[str, ...]:
    """Who does each rewrite, by row: nobody who is busy with another, the least absent, then who did the fewest so far.

    So that two people take turns, and both can run everything in the end.
    """
    names = people_of(case)
    spans: list[list[tuple[int, int]]] = [[] for _ in names]
    who = [""] * len(case.candidates)
    for row in placement.order:
        start, finish = middle(outcome.starts[row]), middle(outcome.finishes[row])
        if start >= NEVER:
            start = finish = placement.start[row]

        def price(person: int, start: int = start, finish: int = finish) -> tuple[bool, int, int, int]:
            busy = any(begin < finish and start < end for begin, end in spans[person])
            last = max((end for _, end in spans[person]), default=-1)
            away = days_away(case.calendar, names[person], on(case, start), on(case, finish))
            return busy, away, len(spans[person]), last

        person = min(range(len(names)), key=price)
        spans[person].append((start, finish))
        who[row] = names[person]
    return tuple(who)


def people_of(case: PlanningCase) -> tuple[str, ...]:
    """A name for everybody on the team, ``person 3`` for those who have none."""
    return tuple(
        case.names[index] if index < len(case.names) else f"person {index + 1}" for index in range(case.rules.people)
    )


def days_away(calendar: Sequence[TimeOff], name: str, start: date, finish: date) -> int:
    """Days from ``start`` to the day before ``finish`` on which somebody is declared absent by name."""
    last = finish - timedelta(days=1)
    return sum(
        max(0, (min(off.to, last) - max(off.from_, start)).days + 1)
        for off in calendar
        if off.kind == "absence" and off.who == name
    )


def digest_of_case(case: PlanningCase, wanted_ratio: float, effort_limit: float | None) -> str:
    """Names the plan of this case: 32 hexadecimal digits over everything it is reckoned from."""
    words = [
        "outgrow-plan-1",
        *(repr(candidate) for candidate in case.candidates),
        *(repr(other) for point in sorted(case.alternatives) for other in case.alternatives[point]),
        *(off.model_dump_json() for off in case.calendar),
        repr((case.rules, case.names, case.start_rule, case.made_on, case.seed, case.scenarios, case.load_share)),
        repr((case.bill_now, case.growth.per_month, case.growth.source, wanted_ratio, effort_limit)),
    ]
    digest = hashlib.sha256("\x1f".join(words).encode())
    digest.update(case.growth.days.tobytes())
    rows = case.growth.users[:1] if case.growth.source == "given" else case.growth.users
    digest.update(np.ascontiguousarray(rows).tobytes())
    return digest.hexdigest()[:32]


def quantile(days: Days, share: float) -> int:
    """An order statistic of days, ``NEVER`` of none."""
    return int(np.sort(days)[round(share * (days.size - 1))]) if days.size else NEVER


def middle(days: Days) -> int:
    """The middle of the days that come at all, ``NEVER`` of none."""
    return quantile(days[days < NEVER], 0.5)


def on(case: PlanningCase, day: int) -> date:
    """The date of a day."""
    return case.made_on + timedelta(days=min(day, (date.max - case.made_on).days))


def _wish(case: PlanningCase, candidate: Candidate, start: int) -> Wish | None:
    """*Tune* is its own prototype."""
    if candidate.option == TUNE or start >= NEVER:
        return None
    return Wish(prototype_days(candidate.prototype_weeks), _decide_by(case, candidate, start), start)


def _decide_by(case: PlanningCase, candidate: Candidate, start: int) -> int:
    """The early day on which users reach the milestone; a start before it is a decision as well."""
    return min(quantile(milestone_days(case, candidate), _SHARES[0]), start)


def _first_day(problem: Problem, placement: Placement, row: int, start: int) -> int:
    at_once = replace(placement, start=(*placement.start[:row], 0, *placement.start[row + 1 :]))
    return min(start, middle(simulate(problem, at_once).starts[row]))


def _last_day(problem: Problem, solution: Solution, row: int, wanted_ratio: float) -> int:
    """The last planned start, the others as planned, with which enough scenarios are in time."""
    placement, enough = solution.placement, min(wanted_ratio, solution.in_time_ratio)

    def holds(week: int) -> bool:
        day = placement.start[row] + 7 * week
        moved = replace(placement, start=(*placement.start[:row], day, *placement.start[row + 1 :]))
        return in_time_ratio(problem, simulate(problem, moved)) >= enough

    weeks = range((problem.horizon - placement.start[row]) // 7 + 1)
    return placement.start[row] + 7 * max(0, bisect_left(weeks, True, key=lambda week: not holds(week)) - 1)


def _dates(case: PlanningCase, days: Days) -> tuple[date | None, date | None, date | None]:
    low, mid, high = (_date(case, quantile(days, share)) for share in _SHARES)
    return low, mid, high


def _date(case: PlanningCase, day: int) -> date | None:
    return None if day >= NEVER else on(case, day)
