"""The best placement by trying every one: orders, lanes, weekly starts of a few rewrites; written without the solver.

It shares nothing with what it checks but the records. Placements are tried scenario by scenario, in whole arrays of
starts; the calendar is walked day by day into a table.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from outgrow.schedule.records import NEVER, Problem


def finish_table(problem: Problem, lane: int, effort: int, last: int) -> NDArray[np.int64]:
    """The finish of an effort begun on each day from 0 to ``last``, ``NEVER`` beyond all days that matter."""
    days = last + 40 * (effort + problem.free.size)
    opened = np.array([problem.free[min(day, problem.free.size - 1)] > lane for day in range(days)])
    worked = np.flatnonzero(opened)
    first = np.searchsorted(worked, np.arange(last + 1)) + effort - 1
    return (
        np.where(first < worked.size, worked[np.minimum(first, worked.size - 1)] + 1, NEVER)
        if worked.size
        else (np.full(last + 1, NEVER))
    )


def exhaustive(problem: Problem) -> tuple[float, float]:
    """The best chance, and the least expected cost at that chance."""
    count, scenarios = problem.walls.shape
    lanes = max(1, min(int(problem.free.max()), count))
    weeks = np.arange(0, problem.horizon + 1, 7)
    starts = np.stack([axis.ravel() for axis in np.meshgrid(*[weeks] * count, indexing="ij")])
    last = problem.horizon + int(problem.releases.max()) + count * (int(problem.efforts.max()) + problem.gap) + 1
    last += problem.free.size
    tables = {
        (lane, effort): finish_table(problem, lane, effort, last)
        for lane in range(lanes)
        for effort in {int(each) for each in np.unique(problem.efforts)}
    }
    best = (2.0, 0.0)
    for order in permutations(range(count)):
        for lane in product(range(lanes), repeat=count):
            kept = np.zeros(starts.shape[1], dtype=np.int64)
            cost = np.zeros(starts.shape[1])
            for scenario in range(scenarios):
                in_time, more = _one(problem, order, lane, scenario, starts, tables, last)
                kept += in_time
                cost += more
            at = np.flatnonzero(kept == kept.max())
            least = at[np.argmin(cost[at])]
            best = min(best, (1 - kept[least] / scenarios, cost[least] / scenarios))
    return 1 - best[0], best[1]


def _one(
    problem: Problem,
    order: tuple[int, ...],
    lanes: tuple[int, ...],
    scenario: int,
    starts: NDArray[np.int64],
    tables: dict[tuple[int, int], NDArray[np.int64]],
    last: int,
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """One scenario of many starts: whether it is in time, and its cost."""
    in_time = np.ones(starts.shape[1], dtype=np.bool_)
    cost = np.zeros(starts.shape[1])
    lane_free: dict[int, NDArray[np.int64]] = {}
    major_before: NDArray[np.int64] | None = None
    for each in order:
        if not problem.needed[each, scenario]:
            continue
        begun = np.maximum(starts[each], problem.releases[each, scenario])
        if lanes[each] in lane_free:
            begun = np.maximum(begun, lane_free[lanes[each]])
        if problem.major[each] and major_before is not None:
            begun = np.maximum(begun, major_before + problem.gap)
        if problem.major[each]:
            major_before = np.minimum(begun, NEVER)
        table = tables[lanes[each], int(problem.efforts[each, scenario])]
        finish = np.where(begun <= last, table[np.minimum(begun, last)], NEVER)
        lane_free[lanes[each]] = finish
        wall = int(problem.walls[each, scenario])
        in_time &= (finish <= wall) | (not problem.judged[each])
        early = np.maximum(0, min(wall, problem.horizon) - finish)
        cost += problem.early[each] * early + problem.late[each] * np.maximum(0, finish - wall)
    return in_time, cost
