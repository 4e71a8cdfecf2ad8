"""From what is declared and known to a plan: who rewrites what, from when, and how surely before its wall.

In: a declaration, what the lookout knows (users, growth, measured limits), and what is asked. Out: a plan, or why there
is none and what would make one. Reads only what is known (``Known``); the same inputs give the same plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol

import numpy as np

from outgrow.outlook.forecast import GrowthOutlook
from outgrow.outlook.growth import fit_growth, sample_paths
from outgrow.outlook.records import Refusal
from outgrow.outlook.reduction import growth_seed
from outgrow.outlook.refusal import no_growth_evidence
from outgrow.outlook.status import PointStatus
from outgrow.points.declaration import Declaration
from outgrow.quantities import DAY, WEEK, Interval, at_date
from outgrow.schedule.assembly import digest_of_case, planned_rewrites
from outgrow.schedule.candidates import choose, known_money, price_notes, within_reach
from outgrow.schedule.cost_path import cost_path
from outgrow.schedule.inputs import rules_of
from outgrow.schedule.records import Outcome, Placement, Plan, Problem, Relaxed, Solution, StartRule
from outgrow.schedule.relaxations import relax
from outgrow.schedule.scenarios import GrowthPaths, PlanningCase, drawn_growth, given_growth, problem_of
from outgrow.schedule.simulation import simulate
from outgrow.schedule.solver import EFFORT_LIMIT, solve
from outgrow.signals.series import Origin

HORIZON_WEEKS = 312
"""How far measured growth is drawn: twice as far as limits are forecast, since a plan goes on beyond its first wall."""

_SAY_GROWTH = "Or say what growth to plan with: `outgrow plan --growth 10%`."


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What is asked of a plan.

    Attributes:
        growth_per_month: what if it grows by this ratio every month; None: as measured.
        users: what if there are so many today; None: as measured. people: what if the team is so large.
        options: point → option, or ``done``; they come before decisions.
        start_rule: as early as the rules allow, or not before the milestone.
        wanted_ratio: the chance from which a plan is feasible.
        scenarios, seed, effort_limit: how it is reckoned; the limit in the solver's deterministic time, None: its own.
        gives: also look for what could give where it is not feasible.
    """

    growth_per_month: float | None = None
    users: float | None = None
    people: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    start_rule: StartRule = "early"
    wanted_ratio: float = 0.8
    scenarios: int = 500
    seed: int = 0
    effort_limit: float | None = None
    gives: bool = True


class Known(Protocol):
    """What is known when a plan is made; the lookout knows it."""

    @property
    def unknown(self) -> Mapping[str, str]:
        """Signal → why its source gave no value just now."""
        ...

    @property
    def users_origin(self) -> Origin | None:
        """The kind of data users are known from; None where there is none."""
        ...

    def users_now(self) -> float | None:
        """Users now; None where no value may stand for now."""
        ...

    def growth(self) -> GrowthOutlook | Refusal:
        """The growth of users, looked at or refused."""
        ...

    def statuses(self) -> tuple[PointStatus, ...]:
        """Every point, with its measured limit and which limit governs."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Reckoned:
    """A plan with what it was reckoned from. ``outcome`` is what happens to it in every scenario of ``case``."""

    plan: Plan
    case: PlanningCase
    problem: Problem
    outcome: Outcome


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What a plan stands on: users today, their growth, and users at the walls that are measured, by point.

    ``firing`` are the points of which a trigger fires: what is breaking is needed. ``simulated`` says whether any of it
    was read from simulated data. ``notes`` say what was read into the file.
    """

    users_now: float
    growth: GrowthPaths
    measured: Mapping[str, Interval]
    firing: frozenset[str]
    simulated: bool
    notes: tuple[str, ...] = ()


def make_plan(
    declaration: Declaration,
    lookout: Known | None,
    request: PlanRequest,
    *,
    now: float,
    decided: Mapping[str, tuple[int, str]] = MappingProxyType({}),
    time_scale: str = "",
) -> Plan | Refusal:
    """The plan, or why there is none; arguments as for ``reckon``."""
    reckoned = reckon(declaration, lookout, request, now=now, decided=decided, time_scale=time_scale)
    return reckoned if isinstance(reckoned, Refusal) else reckoned.plan


def reckon(
    declaration: Declaration,
    lookout: Known | None,
    request: PlanRequest,
    *,
    now: float,
    decided: Mapping[str, tuple[int, str]] = MappingProxyType({}),
    time_scale: str = "",
) -> Reckoned | Refusal:
    """The plan and what it was reckoned from, or why there is none.

    Args:
        lookout: what is known; None where users and growth are given and nothing is recorded.
        now: seconds since the epoch; its UTC date is day 0.
        decided: point → (number of the accepted decision record, option). time_scale: stamped on the plan.

    Raises:
        UsageError: an option of the request names no point or no option.
    """
    ground = stand(declaration, lookout, request, now)
    if isinstance(ground, Refusal):
        return ground
    case, not_planned, notes = _case(declaration, ground, request, now, decided)
    problem = problem_of(case)
    solution = _solution(case, problem, request)
    outcome = simulate(problem, solution.placement)
    rewrites = (
        planned_rewrites(case, problem, solution, outcome, request.wanted_ratio) if solution.placement.order else ()
    )
    sure = solution.in_time_ratio >= request.wanted_ratio
    feasible = sure and not any(candidate.past for candidate in case.candidates)
    plan = Plan(
        made_on=case.made_on,
        users_now=ground.users_now,
        growth_per_month=case.growth.per_month,
        growth_source=case.growth.source,
        start_rule=case.start_rule,
        people=case.rules.people,
        wanted_ratio=request.wanted_ratio,
        in_time_ratio=solution.in_time_ratio,
        feasible=feasible,
        rewrites=rewrites,
        not_planned=not_planned,
        gives=() if sure or not request.gives else _gives(case, declaration, request, solution),
        cost=cost_path(case, rewrites, outcome, declaration.costs),
        scenarios=case.scenarios,
        solution=solution if rewrites else None,
        notes=(*notes, *price_notes(case), *_warnings(case)),
        time_scale=time_scale,
        simulated=ground.simulated,
        digest=digest_of_case(case, request.wanted_ratio, request.effort_limit),
    )
    return Reckoned(plan, case, problem, outcome)


def stand(declaration: Declaration, lookout: Known | None, request: PlanRequest, now: float) -> Ground | Refusal:
    """What the plan stands on, or what is missing; what is given in the request comes before what is measured."""
    users = request.users if request.users is not None or lookout is None else lookout.users_now()
    notes: tuple[str, ...] = ()
    if users is None and request.growth_per_month is not None and declaration.costs.at_users is not None:
        users = float(declaration.costs.at_users)
        notes = (f"Users today are not measured; the plan starts from the {users:,.0f} of costs.at_users.",)
    if users is None:
        return _no_users(declaration, lookout)
    day_zero = math.floor(now / DAY) * DAY
    simulated = request.users is None and lookout is not None and lookout.users_origin == "simulated"
    if request.growth_per_month is not None:
        growth = given_growth(users, request.growth_per_month, request.scenarios)
    else:
        measured_growth = _measured_growth(lookout, request, day_zero)
        if isinstance(measured_growth, Refusal):
            return replace(measured_growth, next_step=f"{measured_growth.next_step} {_SAY_GROWTH}")
        growth = measured_growth
        simulated = simulated or (lookout is not None and lookout.users_origin == "simulated")
    walls, firing = {}, set[str]()
    for status in lookout.statuses() if lookout is not None else ():
        if status.state == "firing":
            firing.add(status.id)
        if status.governs == "measured" and status.measured_users is not None:
            walls[status.id] = status.measured_users
            simulated = simulated or any("simulated" in trigger.origins for trigger in status.triggers)
    return Ground(users, growth, walls, frozenset(firing), simulated, notes)


def _case(
    declaration: Declaration,
    ground: Ground,
    request: PlanRequest,
    now: float,
    decided: Mapping[str, tuple[int, str]],
) -> tuple[PlanningCase, tuple[tuple[str, str], ...], tuple[str, ...]]:
    """The case, (point, why) for what is not planned, and notes on what was read into the file."""
    rules = rules_of(declaration)
    if request.people is not None:
        rules = rules.with_people(request.people)
    choice = choose(
        declaration.points,
        rules,
        ground.users_now,
        pinned=request.options,
        decided=decided,
        measured=ground.measured,
        firing=ground.firing,
    )
    case, left_out = within_reach(
        PlanningCase(
            candidates=choice.candidates,
            alternatives=choice.alternatives,
            rules=rules,
            names=declaration.team.names,
            calendar=declaration.team.calendar,
            growth=ground.growth,
            start_rule=request.start_rule,
            made_on=at_date(now),
            seed=request.seed,
            scenarios=request.scenarios,
            bill_now=known_money(declaration.costs.monthly_now),
        )
    )
    return case, (*choice.not_planned, *left_out), (*ground.notes, *choice.notes)


def _no_users(declaration: Declaration, lookout: Known | None) -> Refusal:
    name = declaration.users.signal
    known = lookout is not None and lookout.users_origin is not None
    reason = (lookout.unknown.get(name, "") if lookout is not None else "") or (
        f"the last value of {name} is too old to stand for today" if known else f"{name} has never had a value"
    )
    return Refusal(
        "no-users",
        f"How many users there are is not known: {reason}.",
        "Run `outgrow record --once`, `outgrow import` a history, or say it: `outgrow plan --users 1000 --growth 10%`.",
    )


def _measured_growth(lookout: Known | None, request: PlanRequest, day_zero: float) -> GrowthPaths | Refusal:
    """Drawn paths of users as the outlook draws them, with the seed of the request."""
    if lookout is None:
        return Refusal("no-users", "Nothing is recorded that growth could be read from.", "`outgrow import` a history.")
    looked = lookout.growth()
    if isinstance(looked, Refusal):
        return looked
    if not looked.gate.passed:
        return no_growth_evidence(looked.gate)
    ahead = math.ceil((day_zero - looked.middle) / WEEK)
    fitted = fit_growth(np.log(looked.users.values), looked.users.first_week)
    rng = np.random.default_rng([growth_seed(looked.users), request.seed])
    paths = sample_paths(fitted, HORIZON_WEEKS + ahead, request.scenarios, rng)
    growth = drawn_growth(paths, looked.middle, day_zero, looked.per_month)
    if request.users is None:
        return growth
    return replace(growth, users=growth.users * (request.users / float(np.median(growth.users[:, 0]))))


def _solution(case: PlanningCase, problem: Problem, request: PlanRequest) -> Solution:
    """The best placement; an empty one where there is nothing to place, or nobody to do it (never in time then)."""
    if case.candidates and case.rules.hands:
        limit = EFFORT_LIMIT if request.effort_limit is None else request.effort_limit
        return solve(problem, seed=request.seed, effort_limit=limit)
    chance = 0.0 if case.candidates else 1.0
    nothing = Placement((), (), ())
    return Solution(nothing, chance, chance, 0.0, 0.0, (), "optimal", 0.0, 0.0, request.seed)


def _gives(
    case: PlanningCase, declaration: Declaration, request: PlanRequest, solution: Solution
) -> tuple[Relaxed, ...]:
    person_week = known_money(declaration.costs.person_week)
    return relax(case, request.wanted_ratio, solution, person_week=person_week)


def _warnings(case: PlanningCase) -> list[str]:
    said = []
    if case.candidates and not case.rules.hands:
        people = "the one person" if case.rules.people == 1 else f"{case.rules.people} people"
        kept = case.rules.always_operational
        said.append(f"Nobody is free for a rewrite: of {people}, {kept} must stay operational.")
    past = [candidate.point for candidate in case.candidates if candidate.past]
    if past:
        said.append(f"The limit is past already at {', '.join(past)}: planned, but no longer a question of chance.")
    return said
