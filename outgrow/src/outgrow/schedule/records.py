"""The records of a plan: what it is reckoned from, and what it says.

Days are whole days counted from the day the plan is made (day 0); arrays hold one column a scenario. Work advances on
days on which the calendar leaves somebody free. Users and money are base units; ratios lie between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from outgrow.quantities import Interval

Days = NDArray[np.int64]
Flags = NDArray[np.bool_]

NEVER: int = 1_000_000
"""A day that does not come within anything that is looked at."""

StartRule = Literal["early", "at-milestone"]
GiveKind = Literal[
    "cheaper-option", "start-earlier", "one-more-person", "team-rule", "shed-load", "slower-growth"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wall:
    """Users at which a rewrite must be finished.

    ``source`` says which governs: the ``declared`` limit (then the three are equal) or the ``measured`` one.
    """

    users: Interval
    source: Literal["declared", "measured"]


@dataclass(frozen=True, slots=True)
class Prices:
    """Money a month in the declared currency; None = nobody knows.

    ``early`` is what it costs to have the option a month before it is needed (its bill less the bill before it),
    ``late`` a month past the wall. ``bill`` is the whole monthly bill once it is in place, ``per_user`` what grows.
    """

    early: float | None = None
    late: float | None = None
    bill: float | None = None
    per_user: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rewrite that may have to be done: a point and the option chosen for it.

    Attributes:
        number: of the point, counted by its declared limit from 1. decided: the decision record it follows, or None.
        effort_weeks: calendar weeks of one person, learning included; 10/50/90 %.
        wall: users at which it must be finished. milestone: users at which the file says to plan or decide.
        needed_ratio: probability that it is needed at all.
        major: counts for the months between rewrites. past: the wall lies behind already.
        new_to_team: ``effort_weeks`` holds the learning buffer.
    """

    number: int
    point: str
    title: str
    option: str
    option_title: str
    effort_weeks: Interval
    wall: Wall
    milestone: float
    needed_ratio: float
    major: bool = True
    past: bool = False
    prices: Prices = Prices()
    prototype_weeks: float = 1.0
    decided: int | None = None
    new_to_team: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A plan to be made, in whole days; shapes: (n,) a rewrite, (n, s) a rewrite and a scenario.

    Attributes:
        walls: (n, s), the day by which it must be finished; ``NEVER`` where growth does not get there.
        efforts: (n, s), days of work, at least 1.
        needed: (n, s). Where it is not needed it is not done: it takes no time, costs nothing and holds nobody up.
        releases: (n, s), the earliest day it may start; 0 unless a milestone is waited for.
        judged: (n,), False where the wall is past already: it is planned, but no longer a question of chance.
        major: (n,).
        free: (days,), how many people are free for rewrites on each day; the last value holds for ever after.
        gap: days from the start of a major rewrite to the start of the next.
        early, late: (n,), weight of a day in place before the wall, and of a day past it. Money where it is known.
        horizon: no planned start lies beyond this day.
    """

    walls: Days
    efforts: Days
    needed: Flags
    releases: Days
    judged: Flags
    major: Flags
    free: Days
    gap: int
    early: NDArray[np.float64]
    late: NDArray[np.float64]
    horizon: int


@dataclass(frozen=True, slots=True)
class Placement:
    """What a plan consists of: an order, who does what, and earliest starts.

    ``order`` lists rewrites by index; ``lane`` and ``start`` are indexed by rewrite. In a scenario a rewrite starts at
    the latest of its planned start, its release, the finish of what its lane does before it, and ``gap`` days after the
    major rewrite before it in the order; then it advances on the days its lane is free.
    """

    order: tuple[int, ...]
    lane: tuple[int, ...]
    start: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Solution:
    """A placement and how good it is known to be.

    Attributes:
        in_time_ratio: share of scenarios in which every judged rewrite that is needed is finished by its wall.
        best_ratio: no placement does better than this share; equal to ``in_time_ratio`` when proven.
        expected_cost: mean weight of early and late days. least_cost: no placement with that chance costs less.
        latest: (n,) latest planned starts that keep the chance, each with the others as planned.
        status: ``optimal`` (both proven) or ``feasible`` (the limit of effort ended the search).
        effort: deterministic time used (CP-SAT's unit) and its limit, so that a run can be repeated exactly.
    """

    placement: Placement
    in_time_ratio: float
    best_ratio: float
    expected_cost: float
    least_cost: float
    latest: tuple[int, ...]
    status: Literal["optimal", "feasible"]
    effort: float
    effort_limit: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What happens to a placement in every scenario; shapes (n, s). ``NEVER`` where a rewrite is not needed."""

    starts: Days
    finishes: Days
    in_time: Flags


@dataclass(frozen=True, slots=True)
class Prototype:
    """When to try the option out. ``calm``: nothing else is under way then in at least 90 % of the scenarios."""

    start: date
    finish: date
    calm: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class PlannedRewrite:
    """One rewrite of a plan; dates, with 10/50/90 % over the scenarios in which it is needed.

    ``start`` is the planned start; ``start_window`` from the first possible day to the last one with which the whole
    plan keeps the wanted chance (or its own, where that is lower).
    A date that is None lies beyond what is looked at. ``in_time_ratio`` is None where the wall is past already.
    ``starts`` are 10/50/90 % like ``finish``: before ``start`` where a rewrite that holds this one is not needed.
    """

    candidate: Candidate
    start: date
    start_window: tuple[date, date]
    finish: tuple[date | None, date | None, date | None]
    wall: tuple[date | None, date | None, date | None]
    in_time_ratio: float | None
    who: str
    prototype: Prototype | None = None
    decide_by: date | None = None
    held_by: str = ""
    starts: tuple[date | None, date | None, date | None] = (None, None, None)


@dataclass(frozen=True, slots=True)
class Relaxed:
    """One thing that could give, alone, and what it buys.

    Attributes:
        change: in words. in_time_ratio: of the whole plan then. cost: expected cost then in money, None = unknown.
        enough: whether that reaches the wanted chance.
        growth_per_month: slower-growth: the most growth at which it can be carried. assumption: under which starts.
        point, option: cheaper-option: which one is put where.
    """

    kind: GiveKind
    change: str
    in_time_ratio: float
    enough: bool
    cost: float | None = None
    growth_per_month: float | None = None
    assumption: StartRule | None = None
    point: str | None = None
    option: str | None = None


@dataclass(frozen=True, slots=True)
class CostPoint:
    """The bill at one date: users 10/50/90 %, ``monthly`` its known part at the middle path, None = unknown.

    ``with_options`` are the options in place by then (point/option); ``growing_known``: whether its growing part is
    known.
    """

    at: date
    users: Interval
    monthly: float | None
    growing_known: bool
    with_options: tuple[str, ...] = ()

    @property
    def monthly_per_user(self) -> float | None:
        """Money a user and month at the middle path: the least it can be where the growing part is not known."""
        return None if self.monthly is None or self.users.mid <= 0 else self.monthly / self.users.mid


@dataclass(frozen=True, slots=True)
class Runway:
    """Months until the cash is gone, without and with the plan; None = unknown or never. ``why``: what is missing."""

    months_without: float | None
    months_with: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class CostPath:
    """What the plan costs. ``development`` is money for person-weeks of all needed rewrites, None = unknown."""

    currency: str
    path: tuple[CostPoint, ...]
    development_weeks: Interval
    development: Interval | None
    runway: Runway
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule with its doubts.

    Attributes:
        made_on: day 0. users_now, growth_per_month: what it starts from; growth 10/50/90 %.
        growth_source: ``measured`` (drawn paths), or ``given`` (a constant rate).
        start_rule: whether rewrites may start as early as the rules allow or wait for their milestones.
        wanted_ratio: the chance that is called feasible. feasible: whether it is reached and no wall is past already.
        rewrites: in planned order. not_planned: (point, why) for points that need no place in it.
        gives: what could give, cheapest first; empty when feasible.
        scenarios, solution: how it was reckoned. notes: what a reader must know (assumed prices, simulated data).
    """

    made_on: date
    users_now: float
    growth_per_month: Interval
    growth_source: Literal["measured", "given"]
    start_rule: StartRule
    people: int
    wanted_ratio: float
    in_time_ratio: float
    feasible: bool
    rewrites: tuple[PlannedRewrite, ...]
    not_planned: tuple[tuple[str, str], ...]
    gives: tuple[Relaxed, ...]
    cost: CostPath
    scenarios: int
    solution: Solution | None
    notes: tuple[str, ...] = ()
    time_scale: str = ""
    simulated: bool = False
    digest: str = field(default="")
