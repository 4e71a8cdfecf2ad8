"""What gives when a plan does not reach the wanted chance: one relaxation at a time, on the same scenarios.

Cheapest first is read as a fixed order: a lighter option (tune, then the lightest of the others, point by point), an
earlier start, one more person, one team rule lifted, load shed, slower growth. Where a relaxation has a size, it is the
smallest that reaches the wanted chance; where none does, it is the largest that is looked at, with the chance it gives.
Sizes are found by bisection: less of a rule, of load or of growth is taken never to lower the chance. (Days off can
break this by a hair, as they lie on fixed dates; the chance given is always that of the size given.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from outgrow.points.declaration import TUNE
from outgrow.quantities import Interval
from outgrow.schedule.candidates import priced
from outgrow.schedule.inputs import PaceOption, PacePoint, Step, TeamRules
from outgrow.schedule.limit import Assumption, plan_limit
from outgrow.schedule.records import NEVER, Candidate, GiveKind, Problem, Relaxed, Solution, StartRule
from outgrow.schedule.scenarios import PlanningCase, problem_of, with_rules
from outgrow.schedule.simulation import (
    State,
    Work,
    advance,
    beginning,
    expected_cost,
    held_until,
    in_time_ratio,
    kept_at_once,
    simulate,
    work_of,
)
from outgrow.schedule.solver import solve

EFFORT_LIMIT = 0.25
"""Deterministic time for each search; what gives is asked of many problems."""

_GAP_STEP = 0.5  # months; nobody plans finer
_LOAD_STEPS = tuple(step / 20 for step in range(19, 9, -1))  # of the load, 95 % down to 50 %
_GROWTH_STEPS = 256
_MOST_TRIALS = 4000  # rewrites placed while orders are tried one by one; beyond that the solver searches
_ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}
_FRACTIONS = {0.25: "¼", 0.5: "½", 0.75: "¾"}


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """What is relaxed, and how every relaxation of it is judged."""

    case: PlanningCase
    problem: Problem
    solution: Solution
    wanted_ratio: float
    effort_limit: float


@dataclass(frozen=True, slots=True)
class _Judged:
    """The chance of a relaxed case, and what it then costs: None where a price is not known."""

    in_time_ratio: float
    cost: float | None
    last_finish_days: float


def relax(
    case: PlanningCase,
    wanted_ratio: float,
    solution: Solution,
    *,
    effort_limit: float = EFFORT_LIMIT,
    person_week: float | None = None,
) -> tuple[Relaxed, ...]:
    """Everything that could give, in the fixed order; empty where the plan reaches ``wanted_ratio``.

    Where nobody is ever free the chance stays that of the plan, whose placement is empty then.

    For ``given`` growth the known growth limits follow the growth that is enough, under both assumptions about starts
    (``known_limit``).

    Args:
        solution: the plan of ``case``. effort_limit: of each search, in the solver's deterministic time.
        person_week: money for a week of one person, None = unknown; prices one more person until the last finish.
    """
    if solution.in_time_ratio >= wanted_ratio:
        return ()
    asked = _Asked(case, problem_of(case), solution, wanted_ratio, effort_limit)
    return (
        *_lighter_options(asked),
        *_earlier_start(asked),
        *_one_more_person(asked, person_week),
        *_team_rules(asked),
        *(_less_load(asked) if _anybody_free(asked.problem) else ()),
        *(_slower_growth(asked) if _anybody_free(asked.problem) else ()),
        *_known_limits(asked),
    )


def known_limit(
    candidates: Sequence[Candidate], rules: TeamRules, users: float, assumption: Assumption, load_share: float = 1.0
) -> Interval:
    """Growth a month (ratio) up to which all candidates end in time, as ``pace`` reckons it; ``low`` = longest efforts.

    Every rewrite counts as needed, days off are left aside, walls stand at the middle of their intervals, and walls
    already past are not judged.

    Args:
        candidates: in the order in which they are taken up. users: today.
    """
    return plan_limit([_step(candidate, load_share) for candidate in candidates], rules, users, assumption)


def _step(candidate: Candidate, load_share: float) -> Step:
    effort = candidate.effort_weeks  # learning is in it
    option = PaceOption(
        candidate.point, candidate.option, candidate.option_title, (effort.low, effort.high), new_to_team=False
    )
    wall = candidate.wall.users.mid / load_share
    milestone = candidate.milestone
    return Step(PacePoint(candidate.point, candidate.title, milestone, wall, (option,), milestone), option)


def _lighter_options(asked: _Asked) -> Iterator[Relaxed]:
    for tune in (True, False):
        for candidate in asked.case.candidates:
            lighter = [
                other
                for other in asked.case.alternatives.get(candidate.point, ())
                if (other.option == TUNE) == tune
                and other.effort_weeks.high < candidate.effort_weeks.high
                and other.major <= candidate.major
            ]
            if not lighter:
                continue
            other = min(lighter, key=lambda each: (each.effort_weeks.high, each.effort_weeks.low))
            change = (
                f"{_lowered(other.option_title)} instead of {_lowered(candidate.option_title)} at {candidate.title} "
                f"({other.option}: {_weeks_text(other.effort_weeks)} weeks instead of "
                f"{candidate.option}: {_weeks_text(candidate.effort_weeks)})"
            )
            if tune:
                change += ", if a measurement shows that it is enough"
            give = _give(asked, "cheaper-option", change, with_option(asked.case, other))
            if give.in_time_ratio >= asked.solution.in_time_ratio:
                yield replace(give, point=other.point, option=other.option)


def with_option(case: PlanningCase, option: Candidate) -> PlanningCase:
    """The case with ``option`` in its point's place, priced again."""
    candidates = tuple(option if each.point == option.point else each for each in case.candidates)
    return priced(replace(case, candidates=candidates))


def _earlier_start(asked: _Asked) -> Iterator[Relaxed]:
    if asked.case.start_rule == "at-milestone":
        change = "start as early as the team rules allow, without waiting for the milestones"
        yield _give(asked, "start-earlier", change, replace(asked.case, start_rule="early"))


def _one_more_person(asked: _Asked, person_week: float | None) -> Iterator[Relaxed]:
    people = asked.case.rules.people + 1
    case = with_rules(asked.case, asked.case.rules.with_people(people))
    judged = _judge(asked, case)
    cost = None
    if judged.cost is not None and person_week is not None:
        cost = judged.cost + person_week * judged.last_finish_days / 7
    change = f"a {_ORDINALS.get(people, f'{people}th')} person"
    if person_week is None:
        change += " (what that costs is not declared: costs.person_week)"
    yield replace(_relaxed(asked, "one-more-person", change, judged), cost=cost)


def _team_rules(asked: _Asked) -> Iterator[Relaxed]:
    case, rules = asked.case, asked.case.rules
    if rules.months_between > 0 and sum(candidate.major for candidate in case.candidates) > 1:
        yield _shorter_gap(asked)
    if rules.learning_buffer > 0 and any(candidate.new_to_team for candidate in case.candidates):
        change = f"without the {rules.learning_buffer:.0%} more time for what is new to the team".replace("%", " %")
        yield _give(asked, "team-rule", change, with_rules(case, replace(rules, learning_buffer=0.0)))
    more = replace(rules, simultaneous=rules.simultaneous + 1)
    change = f"{more.simultaneous} rewrites at a time instead of {rules.simultaneous}"
    if more.hands == rules.hands:
        change += " (alone it changes nothing: nobody else is free)"
    yield _give(asked, "team-rule", change, with_rules(case, more))
    if rules.always_operational > 0:
        fewer = replace(rules, always_operational=rules.always_operational - 1)
        kept = f"only {fewer.always_operational}" if fewer.always_operational else "nobody"
        change = f"{kept} kept operational instead of {rules.always_operational}"
        if fewer.hands == rules.hands:
            change += f" (alone it helps on days off only: {_at_a_time(rules.simultaneous)} at a time)"
        yield _give(asked, "team-rule", change, with_rules(case, fewer))


def _shorter_gap(asked: _Asked) -> Relaxed:
    months = asked.case.rules.months_between
    gaps = [step * _GAP_STEP for step in range(math.ceil(months / _GAP_STEP) - 1, -1, -1)]

    def under(gap: float) -> PlanningCase:
        return with_rules(asked.case, replace(asked.case.rules, months_between=gap))

    gap = _mildest(asked, gaps, under)
    left = f"{gap:g} months" if gap else "no time"
    change = f"{left} between the starts of major rewrites instead of {months:g} months"
    return _give(asked, "team-rule", change, under(gap))


def _less_load(asked: _Asked) -> Iterator[Relaxed]:
    def with_load(share: float) -> PlanningCase:
        return replace(asked.case, load_share=asked.case.load_share * share)

    share = _mildest(asked, _LOAD_STEPS, with_load)
    yield _give(asked, "shed-load", f"shed {round(100 * (1 - share))} % of the load", with_load(share))


def _slower_growth(asked: _Asked) -> Iterator[Relaxed]:
    growth = asked.case.growth

    def with_growth(factor: float) -> PlanningCase:
        return replace(asked.case, growth=growth.slowed(factor))

    factors = [step / _GROWTH_STEPS for step in range(_GROWTH_STEPS - 1, -1, -1)]
    factor = _mildest(asked, factors, with_growth)
    case = with_growth(factor)
    rate = case.growth.per_month.mid
    change = f"grow by {_percent(rate)} a month at most, instead of {_percent(growth.per_month.mid)}"
    yield replace(_give(asked, "slower-growth", change, case), growth_per_month=rate, assumption=case.start_rule)


def _known_limits(asked: _Asked) -> Iterator[Relaxed]:
    """The growth limits of ``pace`` for ``given`` growth; one that lies above it is judged at the growth there is."""
    case, growth = asked.case, asked.case.growth
    if growth.source != "given" or growth.per_month.mid <= 0:
        return
    users = float(growth.users[0, 0])
    starts: tuple[tuple[StartRule, str], ...] = (
        ("early", "when everything may start as early as the team rules allow"),
        ("at-milestone", "when every rewrite waits for its milestone"),
    )
    for assumption, words in starts:
        limit = known_limit(case.candidates, case.rules, users, assumption, case.load_share).low
        if not 0 < limit < math.inf:
            continue
        factor = min(1.0, math.log1p(limit) / math.log1p(growth.per_month.mid))
        slowed = replace(case, start_rule=assumption, growth=growth.slowed(factor))
        at_most = f"grow by {_percent(limit)} a month at most: the limit"
        if limit >= growth.per_month.mid:
            at_most = f"grow as now: {_percent(limit)} a month is the limit"
        change = f"{at_most} {words}, if all are needed and take their longest"
        tight = [
            _label(each)
            for each in case.candidates
            if known_limit((each,), case.rules, users, assumption, case.load_share).low <= limit * (1 + 1e-9)
        ]
        if tight:
            change += f" ({' and '.join(tight)} alone {'sets' if len(tight) == 1 else 'set'} it)"
        yield replace(_give(asked, "slower-growth", change, slowed), growth_per_month=limit, assumption=assumption)


def _mildest(asked: _Asked, sizes: Sequence[float], case_of: Callable[[float], PlanningCase]) -> float:
    """The first size, from mild to strong, that reaches the wanted chance; the last one where none does."""
    low, high = 0, len(sizes) - 1
    while low < high:
        middle = (low + high) // 2
        chance = _best_chance(asked, problem_of(case_of(sizes[middle])), asked.wanted_ratio)
        low, high = (low, middle) if chance >= asked.wanted_ratio else (middle + 1, high)
    return sizes[low]


def _give(asked: _Asked, kind: GiveKind, change: str, case: PlanningCase) -> Relaxed:
    return _relaxed(asked, kind, change, _judge(asked, case))


def _relaxed(asked: _Asked, kind: GiveKind, change: str, judged: _Judged) -> Relaxed:
    return Relaxed(kind, change, judged.in_time_ratio, judged.in_time_ratio >= asked.wanted_ratio, judged.cost)


def _judge(asked: _Asked, case: PlanningCase) -> _Judged:
    problem, own = problem_of(case), asked.solution
    priced_all = all(each.prices.early is not None and each.prices.late is not None for each in case.candidates)
    if not _anybody_free(problem):
        return _Judged(own.in_time_ratio, None, 0.0)
    unchanged = _same(problem, asked.problem)
    if not priced_all:
        return _Judged(own.in_time_ratio if unchanged else _best_chance(asked, problem), None, 0.0)
    placements = [own.placement]
    if not unchanged:
        placements = [solve(problem, seed=case.seed, effort_limit=asked.effort_limit).placement]
        placements += [replace(own.placement, start=(0,) * len(own.placement.order))] if own.placement.order else []
    judged = []
    for placement in placements:
        outcome = simulate(problem, placement)
        last = np.where(outcome.finishes < NEVER, outcome.finishes, 0).max(axis=0, initial=0)
        cost = expected_cost(problem, outcome)
        judged.append(_Judged(in_time_ratio(problem, outcome), cost, float(np.median(last))))
    return max(judged, key=lambda each: each.in_time_ratio)


def _best_chance(asked: _Asked, problem: Problem, goal: float = 1.0) -> float:
    """The largest chance over all orders and lanes, or the first one found that reaches ``goal``.

    With all planned starts at 0 an order has its best chance, so only orders and lanes are searched: depth first, the
    plan's own order first, leaving out what cannot beat the best one found.
    """
    if not _anybody_free(problem):
        return asked.solution.in_time_ratio
    work = work_of(problem)
    search = _OrderSearch(work, goal)
    placement = asked.solution.placement
    if placement.order:
        kept, _ = kept_at_once(work, placement.order, [min(lane, len(work.lanes) - 1) for lane in placement.lane])
        search.best = _share(kept)
    by_wall = np.argsort(problem.walls.mean(axis=1), kind="stable")
    search.extend(beginning(work), tuple(int(rewrite) for rewrite in by_wall))
    if search.trials <= _MOST_TRIALS or search.best >= goal:
        return search.best
    found = solve(problem, seed=asked.case.seed, effort_limit=asked.effort_limit).in_time_ratio
    return max(found, search.best)


@dataclass(slots=True)
class _OrderSearch:
    """The best chance found so far, and how many rewrites were placed to find it."""

    work: Work
    goal: float
    best: float = 0.0
    trials: int = 0

    def extend(self, state: State, left: tuple[int, ...]) -> None:
        """Try every way to go on from a beginning of an order."""
        if not left:
            self.best = max(self.best, _share(state.kept))
            return
        ways, bound = [], state.kept
        for rewrite in left:
            alone = np.zeros_like(bound)
            for lane in range(len(self.work.lanes)):
                after = state.copy()
                advance(self.work, after, rewrite, lane, held_until(self.work, state, rewrite, lane), 0)
                alone = alone | after.kept
                ways.append((after, rewrite))
            bound = bound & alone  # a rewrite is never finished sooner than when it comes next
        self.trials += len(ways)
        for after, rewrite in ways:
            if self.best >= min(self.goal, _share(bound)) or self.trials > _MOST_TRIALS:
                return
            if _share(after.kept) > self.best:
                self.extend(after, tuple(each for each in left if each != rewrite))


def _share(kept: NDArray[np.bool_]) -> float:
    return int(np.count_nonzero(kept)) / kept.size if kept.size else 1.0


def _anybody_free(problem: Problem) -> bool:
    return int(problem.free.max(initial=0)) > 0


def _same(one: Problem, other: Problem) -> bool:
    return all(np.array_equal(getattr(one, each.name), getattr(other, each.name)) for each in fields(Problem))


def _label(candidate: Candidate) -> str:
    return f"{candidate.number}{' ' if len(candidate.option) > 2 else ''}{candidate.option}"


def _lowered(title: str) -> str:
    """A title inside a sentence; abbreviations keep their capitals."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _at_a_time(count: int) -> str:
    return "one rewrite" if count == 1 else f"{count} rewrites"


def _percent(ratio: float) -> str:
    """Growth, rounded down so that what is written can be carried: ``9.2 %``."""
    return f"{math.floor(ratio * 1000 + 1e-6) / 10:g} %"


def _weeks_text(weeks: Interval) -> str:
    """``7.5–10``, ``½–1``."""
    low, high = (_FRACTIONS.get(value, f"{value:.3g}") for value in (weeks.low, weeks.high))
    return low if low == high else f"{low}–{high}"
