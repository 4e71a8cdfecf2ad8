"""The policies that are compared, and the one way in which all of them are carried out.

Carrying out
    Once a week, and on the day on which hands or the six months between major starts come free, a policy is asked what
    to begin. One rewrite at a time; six months from major start to major start; what is begun is finished, unless it
    turns out during the work that it is not needed: then the work stops that day and its weeks are lost.

Policies
    ``Deadline``: a line through log users of the last 90 days gives the day of each wall (its middle), less the effort
    is the start; reckoned again every four weeks. Whatever is not known to be superfluous counts as needed.
    ``Trigger``: what has fired is begun, the first to fire first.
    ``Planned``: the plan of outgrow, made on day 0 or again once a quarter (the first time something could begin in
    it) with what is known then; what is done or
    under way stays. It is carried out as it stands: in its order, each at its planned start or, when that is not
    possible, as soon as it is. What the plan leaves out as out of reach starts when its trigger fires. ``patient``
    begins nothing before it is known to be needed (``start_rule: at-milestone``).
    ``hindsight``: the plan for the one scenario that comes true.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np

from benchmarks.policy_doubt import Doubt, placed_in_doubt
from benchmarks.policy_world import END, HORIZON, GrowthHistory, Rewrite
from outgrow.outlook.forecast import look_at_growth
from outgrow.quantities import DAY, at_date
from outgrow.schedule.candidates import REACHED_RATIO
from outgrow.schedule.records import NEVER, Candidate, Days, Placement, Problem, Solution, Wall
from outgrow.schedule.scenarios import GrowthPaths, PlanningCase, drawn_growth, given_growth, milestone_days, problem_of
from outgrow.schedule.search import Meter, try_chains
from outgrow.schedule.simulation import simulate, work_of
from outgrow.schedule.solver import solve

GAP_DAYS = 183
QUARTER = 91
MONTH = 28
EFFORT_LIMIT = 1.0
SCENARIOS = 200
DAYS_PER_MONTH = 30.4375


@dataclass(slots=True)
class Course:
    """What has happened so far, by index of the rewrite; days.

    ``finishes`` holds what is done, ``running`` is (rewrite, its finish), ``stopped`` what was given up and its days of
    work.
    """

    starts: dict[int, int] = field(default_factory=dict)
    finishes: dict[int, int] = field(default_factory=dict)
    stopped: dict[int, int] = field(default_factory=dict)
    running: tuple[int, int] | None = None

    @property
    def last_start(self) -> int:
        """The day of the last major start; long ago where there is none."""
        return max(self.starts.values(), default=-NEVER)

    def open(self, history: GrowthHistory, day: int) -> list[int]:
        """Rewrites that are not begun and not known to be superfluous."""
        return [
            index
            for index, rewrite in enumerate(history.rewrites)
            if index not in self.starts and (rewrite.needed or day < rewrite.learned)
        ]


class Policy(Protocol):
    """Says what to begin."""

    def choose(self, history: GrowthHistory, course: Course, day: int) -> int | None:
        """The rewrite to begin on this day, one of ``course.open``, or None; hands and gap are free.

        Called in the order of days with the same course.
        """
        ...


def carry_out(history: GrowthHistory, policy: Policy) -> Course:
    """What comes of a policy in a history."""
    course, day = Course(), 0
    while day <= END:
        if course.running is not None:
            index, finish = course.running
            rewrite = history.rewrites[index]
            if finish <= day:
                course.finishes[index], course.running = finish, None
            elif not rewrite.needed and rewrite.learned <= day:
                course.stopped[index], course.running = day - course.starts[index], None
        choice = None
        if course.running is None and day >= course.last_start + GAP_DAYS:
            choice = policy.choose(history, course, day)
        if choice is not None:
            course.starts[choice] = day
            course.running = (choice, day + history.rewrites[choice].effort)
        events = [day - day % 7 + 7, course.last_start + GAP_DAYS]
        if course.running is not None:
            events.append(course.running[1])
        day = min(event for event in events if event > day)
    return course


@dataclass(slots=True)
class Deadline:
    """Start at the deadline less the effort; ``effort`` says which end of its range."""

    effort: Literal["mid", "high"]
    _reckoned: int = -NEVER
    _starts: dict[int, float] = field(default_factory=dict)

    def choose(self, history: GrowthHistory, course: Course, day: int) -> int | None:
        """What should have begun by today, the earliest wall first."""
        waiting = course.open(history, day)
        if day >= self._reckoned + MONTH:
            slope, level = history.line(day)
            self._starts = {index: self._start(history, index, day, slope, level) for index in waiting}
            self._reckoned = day - day % 7
        due = [index for index in waiting if self._starts[index] <= day]
        return min(due, key=lambda index: history.wall_known(history.rewrites[index], day).mid, default=None)

    def _start(self, history: GrowthHistory, index: int, day: int, slope: float, level: float) -> float:
        rewrite = history.rewrites[index]
        away = math.log(history.wall_known(rewrite, day).mid) - level
        if away <= 0:
            return day
        weeks = rewrite.candidate.effort_weeks
        return day + away / slope - 7 * (weeks.mid if self.effort == "mid" else weeks.high) if slope > 0 else NEVER


@dataclass(slots=True)
class Trigger:
    """Start when the trigger fires."""

    def choose(self, history: GrowthHistory, course: Course, day: int) -> int | None:
        """What fired first."""
        fired = [index for index in course.open(history, day) if history.rewrites[index].fires <= day]
        return min(fired, key=lambda index: history.rewrites[index].fires, default=None)


@dataclass(slots=True)
class Planned:
    """The plan of outgrow. ``keep`` is the share of the best chance that it must keep, 1 for all of it."""

    every: int | None = None
    keep: float = 1.0
    patient: bool = False
    doubt: bool = False
    scenarios: int = SCENARIOS
    _made: int | None = None
    _begins: list[tuple[int, int]] = field(default_factory=list)

    def choose(self, history: GrowthHistory, course: Course, day: int) -> int | None:
        """What the plan has at its turn."""
        period = day // self.every if self.every is not None else 0
        if period != self._made:
            self._made = period
            self._begins = plan_of(history, course, day, self)
        waiting = course.open(history, day)
        for index, start in self._begins:
            if index not in waiting:
                continue
            if self.patient and day < min(history.rewrites[index].learned, history.rewrites[index].wall):
                continue
            if start <= day:
                return index
            if not self.patient:
                return None  # those behind it wait for their turn
        planned = {index for index, _ in self._begins}
        fired = [i for i in waiting if i not in planned and history.rewrites[i].fires <= day]
        return min(fired, key=lambda index: history.rewrites[index].fires, default=None)


def plan_of(history: GrowthHistory, course: Course, day: int, policy: Planned) -> list[tuple[int, int]]:
    """Rewrites with the days of their planned starts, in planned order; nothing is under way and hands are free."""
    waiting = tuple(course.open(history, day))
    problem, learned = problem_known(history, waiting, day, policy.scenarios, policy.patient)
    kept = np.flatnonzero(np.mean(problem.walls < NEVER, axis=1) >= REACHED_RATIO)
    if kept.size == 0:
        return []
    solution = solved(history, waiting, day, policy.scenarios, policy.patient)
    problem = rows(problem, kept)
    if policy.doubt:
        placement = placed_in_doubt(Doubt(problem, learned[kept], HORIZON), solution.placement, policy.keep)
    elif policy.keep < 1:
        placement = relaxed(problem, solution, policy.keep)
    else:
        placement = solution.placement
    return [(waiting[kept[index]], day + placement.start[index]) for index in placement.order]


@lru_cache(maxsize=256)
def problem_known(
    history: GrowthHistory, waiting: tuple[int, ...], day: int, scenarios: int, patient: bool
) -> tuple[Problem, Days]:
    """The problem of some rewrites as known on a day, and when it is learned whether they are needed: (n, s)."""
    candidates = [candidate_known(history, history.rewrites[index], day) for index in waiting]
    case = PlanningCase(
        candidates=tuple(candidates),
        alternatives={},
        rules=history.rules,
        names=(),
        calendar=(),
        growth=growth_known(history, day, scenarios),
        start_rule="at-milestone" if patient else "early",
        made_on=at_date(history.now + day * DAY),
        seed=history.seed,
        scenarios=scenarios,
        bill_now=history.bill_now,
    )
    problem = problem_of(case)
    learned = np.array([milestone_days(case, each) for each in candidates]).reshape(problem.walls.shape)
    return problem, learned


@lru_cache(maxsize=256)
def solved(history: GrowthHistory, waiting: tuple[int, ...], day: int, scenarios: int, patient: bool) -> Solution:
    """What the solver says of those rewrites that growth may reach; policies in the same place share it."""
    problem, _ = problem_known(history, waiting, day, scenarios, patient)
    kept = np.flatnonzero(np.mean(problem.walls < NEVER, axis=1) >= REACHED_RATIO)
    return solve(rows(problem, kept), effort_limit=EFFORT_LIMIT)


@lru_cache(maxsize=64)
def growth_known(history: GrowthHistory, day: int, scenarios: int) -> GrowthPaths:
    """Paths of users from the measured past, 156 weeks; a constant rate where growth foretells nothing.

    There the plan of outgrow refuses, and says to give a rate: it gets that of the last 90 days.
    """
    past = history.weeks_until(day)
    looked = look_at_growth(past, 157, scenarios)
    if not looked.gate.passed:
        slope, level = history.line(day)
        return given_growth(math.exp(level), math.expm1(slope * DAYS_PER_MONTH), scenarios)
    return drawn_growth(looked.highest, looked.middle, history.now + day * DAY, looked.per_month)


def candidate_known(history: GrowthHistory, rewrite: Rewrite, day: int) -> Candidate:
    """The candidate with what is known of its wall and its need on a day."""
    wall = history.wall_known(rewrite, day)
    known = day >= min(rewrite.learned, rewrite.wall)
    return replace(
        rewrite.candidate,
        wall=Wall(wall, "measured"),
        needed_ratio=1.0 if known else rewrite.candidate.needed_ratio,
        past=rewrite.wall <= day,
    )


def rows(problem: Problem, kept: Days) -> Problem:
    """The problem of some of its rewrites."""
    names = ("walls", "efforts", "needed", "releases", "judged", "major", "early", "late")
    return replace(problem, **{name: getattr(problem, name)[kept] for name in names})


def relaxed(problem: Problem, solution: Solution, keep: float) -> Placement:
    """Planned starts moved one at a time to where the cost is least while a share of the best chance is kept."""
    work, found = work_of(problem), solution.placement
    least = keep * solution.in_time_ratio * problem.walls.shape[1]
    meter, current, cost = Meter(math.inf), list(found.start), math.inf
    weeks = np.arange(0, min(problem.horizon, HORIZON) + 1, 7)
    while True:
        before = cost
        for index in reversed(found.order):
            trial = np.tile(np.array(current), (weeks.size + 1, 1))
            trial[:-1, index] = weeks
            order, lanes = (np.broadcast_to(np.array(each), trial.shape) for each in (found.order, found.lane))
            tried = try_chains(work, order, lanes, trial, meter)
            costs = np.where(tried.kept >= least - 1e-9, tried.cost, math.inf)
            place = int(np.argmin(costs))
            if costs[place] < cost - 1e-9:
                current[index], cost = int(trial[place, index]), float(costs[place])
        if not cost < before - 1e-9:
            return replace(found, start=tuple(current))


def hindsight(history: GrowthHistory) -> Course:
    """The plan for the one scenario that comes true; walls beyond what counts need no rewrite."""
    count = len(history.rewrites)
    due = np.array([[rewrite.due] for rewrite in history.rewrites])
    problem = Problem(
        walls=np.array([[rewrite.wall] for rewrite in history.rewrites], dtype=np.int64),
        efforts=np.array([[rewrite.effort] for rewrite in history.rewrites], dtype=np.int64),
        needed=due,
        releases=np.zeros((count, 1), dtype=np.int64),
        judged=np.ones(count, dtype=np.bool_),
        major=np.ones(count, dtype=np.bool_),
        free=np.ones(1, dtype=np.int64),
        gap=GAP_DAYS,
        early=np.array([rewrite.candidate.prices.early for rewrite in history.rewrites]) / DAYS_PER_MONTH,
        late=np.array([rewrite.candidate.prices.late for rewrite in history.rewrites]) / DAYS_PER_MONTH,
        horizon=END,
    )
    outcome = simulate(problem, solve(problem, effort_limit=EFFORT_LIMIT).placement)
    course = Course()
    for index in range(count):
        if due[index, 0]:
            course.starts[index] = int(outcome.starts[index, 0])
            course.finishes[index] = int(outcome.finishes[index, 0])
    return course


POLICIES: Mapping[str, Callable[[], Policy]] = {
    "deadline − effort (mid)": lambda: Deadline("mid"),
    "deadline − effort (high)": lambda: Deadline("high"),
    "trigger fires": Trigger,
    "plan, once": Planned,
    "plan, quarterly": lambda: Planned(QUARTER),
    "plan, once, 95 %": lambda: Planned(keep=0.95),
    "plan, quarterly, 95 %": lambda: Planned(QUARTER, 0.95),
    "plan, quarterly, 90 %": lambda: Planned(QUARTER, 0.9),
    "plan, quarterly, at milestones": lambda: Planned(QUARTER, patient=True),
    "plan, quarterly, 95 %, doubt paid": lambda: Planned(QUARTER, 0.95, doubt=True),
    "plan, quarterly, 90 %, doubt paid": lambda: Planned(QUARTER, 0.9, doubt=True),
}
"""Every policy by its name, made afresh for each history."""
