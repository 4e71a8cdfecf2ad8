"""What a placement comes to, scenario by scenario: starts, finishes, the chance and the expected cost.

All constraints of a placement are of the form "not before", so every start and finish grows with every planned start.
Two things follow. A placement keeps its best chance with all planned starts at 0. And a scenario is in time exactly
when every executed rewrite starts by its latest start (``latest_starts``), which depends on order and lanes alone.

Early and late days are counted as whole numbers and weighed at the end in a fixed order, so that two machines agree
to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgrow.schedule.records import NEVER, Days, Flags, Outcome, Placement, Problem
from outgrow.schedule.workdays import Lane, lanes_of

Floats = NDArray[np.float64]
FAR = 4 * NEVER
"""Further than any day: added or subtracted, it takes a rewrite that is not done out of every maximum."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A problem laid out so that many placements can be tried at once; arrays are (n, s).

    Attributes:
        spans: days of work, ``-FAR`` where it is not needed. gaps: days to the next major start, ``-FAR`` where none.
        deadlines: the wall where it counts for the chance, else ``FAR``. walls: the wall, ``FAR`` where not needed.
        dues: min(wall, horizon), where earliness ends; ``-FAR`` where not needed.
        unbounded: whether a day of ``NEVER`` could be reached, so that days must be clipped.
    """

    problem: Problem
    lanes: tuple[Lane, ...]
    releases: Days
    spans: Days
    gaps: Days
    deadlines: Days
    walls: Days
    dues: Days
    unbounded: bool

    @property
    def rewrites(self) -> int:
        """How many rewrites there are."""
        return int(self.spans.shape[0])

    @property
    def scenarios(self) -> int:
        """How many scenarios there are."""
        return int(self.spans.shape[1])


@dataclass(slots=True, eq=False)
class State:
    """How far trials have come, one row a trial (or one row for all): (b, s) each.

    ``ready`` is when each lane is free, ``next_major`` when the next major rewrite may start, ``kept`` the scenarios
    in which nothing was late so far.
    """

    ready: list[Days]
    next_major: Days
    kept: Flags

    def copy(self) -> State:
        """The same state, to be advanced on its own."""
        return State(list(self.ready), self.next_major, self.kept)


def work_of(problem: Problem) -> Work:
    """The problem laid out for trials."""
    needed = problem.needed
    efforts = np.where(needed, np.clip(problem.efforts, 1, NEVER), 1)
    releases = np.where(needed, np.clip(problem.releases, 0, NEVER), 0)
    lanes = lanes_of(problem.free, problem.walls.shape[0])
    judged = needed & problem.judged[:, None] & (problem.walls < NEVER)
    rows = (releases.max(axis=1, initial=0), efforts.max(axis=1, initial=0) + problem.gap)
    furthest = problem.horizon + sum(int(row.sum()) for row in rows)
    return Work(
        problem=problem,
        lanes=lanes,
        releases=releases,
        spans=np.where(needed, efforts, -FAR),
        gaps=np.where(needed & problem.major[:, None], problem.gap, -FAR),
        deadlines=np.where(judged, problem.walls, FAR),
        walls=np.where(needed, problem.walls, FAR),
        dues=np.where(needed, np.minimum(problem.walls, problem.horizon), -FAR),
        unbounded=furthest >= NEVER or not all(lane.always for lane in lanes),
    )


def beginning(work: Work) -> State:
    """Nothing begun: one row."""
    zero = np.zeros((1, work.scenarios), dtype=np.int64)
    return State([zero] * len(work.lanes), zero, np.ones((1, work.scenarios), dtype=np.bool_))


def held_until(work: Work, state: State, rewrite: int, lane: int) -> Days:
    """The day before which the rewrite cannot start, whatever is planned: (b, s)."""
    held: Days = np.maximum(state.ready[lane], work.releases[rewrite])
    if work.problem.major[rewrite]:
        held = np.maximum(held, state.next_major)
    return held


def advance(work: Work, state: State, rewrite: int, lane: int, held: Days, planned: Days | int) -> Days:
    """Do one rewrite in every trial, ``planned`` (b, 1) or a number; its finish (b, s), below 0 where not needed."""
    start = np.maximum(held, planned)
    if work.unbounded:
        executed = work.spans[rewrite] >= 0
        finish = np.where(executed, work.lanes[lane].finish(start, np.maximum(work.spans[rewrite], 0)), -FAR)
    else:
        finish = start + work.spans[rewrite]
    state.ready[lane] = np.maximum(state.ready[lane], finish)
    if work.problem.major[rewrite]:
        following = start + work.gaps[rewrite]
        state.next_major = np.maximum(state.next_major, np.minimum(following, NEVER) if work.unbounded else following)
    if work.problem.judged[rewrite]:
        state.kept = state.kept & (finish <= work.deadlines[rewrite])
    return finish


def early_late(work: Work, rewrite: int, finish: Days) -> tuple[Days, Days]:
    """Days early and days late, summed over scenarios: (b,) each."""
    early = np.maximum(work.dues[rewrite] - finish, 0).sum(axis=-1)
    late = np.maximum(finish - work.walls[rewrite], 0).sum(axis=-1)
    return early, late


def weigh(work: Work, early: Sequence[Days], late: Sequence[Days]) -> Floats:
    """Expected cost of summed days, given per rewrite by index."""
    cost = np.zeros(np.broadcast_shapes(*(each.shape for each in early)) if early else (1,))
    for index in range(work.rewrites):
        cost = cost + work.problem.early[index] * early[index] + work.problem.late[index] * late[index]
    return cost / max(work.scenarios, 1)


def simulate(problem: Problem, placement: Placement) -> Outcome:
    """Every rewrite of the placement in every scenario; ``NEVER`` and in time where it is not needed."""
    work = work_of(problem)
    state = beginning(work)
    starts = np.full(problem.walls.shape, NEVER, dtype=np.int64)
    finishes = starts.copy()
    for rewrite in placement.order:
        lane = placement.lane[rewrite]
        held = held_until(work, state, rewrite, lane)
        finish = advance(work, state, rewrite, lane, held, placement.start[rewrite])
        starts[rewrite] = np.maximum(held, placement.start[rewrite])
        finishes[rewrite] = finish
    starts = np.where(problem.needed, starts, NEVER)
    finishes = np.where(problem.needed, finishes, NEVER)
    return Outcome(starts, finishes, ~problem.needed | (finishes <= problem.walls))


def in_time_ratio(problem: Problem, outcome: Outcome) -> float:
    """Share of scenarios in which every judged rewrite that is needed is in time; 1 where nothing is judged."""
    scenarios = problem.walls.shape[1]
    kept = np.all(outcome.in_time | ~problem.judged[:, None], axis=0)
    return float(kept.sum()) / scenarios if scenarios else 1.0


def expected_cost(problem: Problem, outcome: Outcome) -> float:
    """Mean over scenarios of the weight of early and late days of what is done.

    A rewrite is early by the days from its finish to its wall or to the horizon, whichever comes first.
    """
    work = work_of(problem)
    finishes = np.where(problem.needed, outcome.finishes, -FAR)
    days = [early_late(work, index, finishes[index][None, :]) for index in range(work.rewrites)]
    return float(weigh(work, [each[0] for each in days], [each[1] for each in days])[0])


def latest_starts(problem: Problem, order: Sequence[int], lanes: Sequence[int]) -> Days:
    """The latest start of each rewrite in each scenario with which all judged ones still end in time: (n, s).

    A scenario is in time if and only if every rewrite done in it starts by this day. ``NEVER`` where nothing depends
    on it; negative where it is too late already.
    """
    return latest_of(work_of(problem), order, lanes)


def latest_of(work: Work, order: Sequence[int], lanes: Sequence[int]) -> Days:
    """``latest_starts`` of a problem laid out already."""
    problem = work.problem
    never = np.full(work.scenarios, NEVER, dtype=np.int64)
    by_lane: list[Days] = [never] * len(work.lanes)
    next_major = never
    latest = np.full(problem.walls.shape, NEVER, dtype=np.int64)
    for rewrite in reversed(order):
        needed, lane = problem.needed[rewrite], lanes[rewrite]
        by = np.minimum(by_lane[lane], np.minimum(work.deadlines[rewrite], NEVER))
        own = work.lanes[lane].latest_start(np.maximum(work.spans[rewrite], 1), by)
        if problem.major[rewrite]:
            own = np.minimum(own, np.where(next_major >= NEVER, NEVER, next_major - problem.gap))
            next_major = np.where(needed, own, next_major)
        latest[rewrite] = np.where(needed, own, NEVER)
        by_lane[lane] = np.where(needed, own, by_lane[lane])
    return latest


def start_caps(work: Work, order: Sequence[int], lanes: Sequence[int]) -> tuple[int, Days]:
    """Scenarios kept with all planned starts at 0, and (n,) the latest planned starts that keep them, in whole weeks.

    Exactly the planned starts within these caps keep that chance.
    """
    kept, _ = kept_at_once(work, order, lanes)
    latest = latest_of(work, order, lanes)[:, kept]
    caps = np.minimum(latest.min(axis=1, initial=NEVER), work.problem.horizon)
    return int(kept.sum()), caps // 7 * 7


def kept_at_once(work: Work, order: Sequence[int], lanes: Sequence[int]) -> tuple[Flags, Days]:
    """With all planned starts at 0: (s,) scenarios in time, and (s,) judged days late in all."""
    state = beginning(work)
    late = np.zeros(work.scenarios, dtype=np.int64)
    for rewrite in order:
        lane = lanes[rewrite]
        finish = advance(work, state, rewrite, lane, held_until(work, state, rewrite, lane), 0)
        if work.problem.judged[rewrite]:
            late = late + np.maximum(finish[0] - work.deadlines[rewrite], 0)
    return state.kept[0], late
