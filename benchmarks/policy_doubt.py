"""A plan that knows what the team will not know: what is begun in doubt is paid for.

``Problem`` says that what is not needed is not done. A team learns only when users reach the milestone whether it is
needed, and growth may never get there; what it begins before is begun in doubt. Here such work takes its time, holds
the team, and its bill is paid to the end of what counts. Planned starts are then moved, one at a time, to where the
expected cost is least while a share of the best chance is kept. It is an experiment beside the solver, not part of it:
two orders are tried, and the descent is not proven.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgrow.schedule.records import NEVER, Days, Placement, Problem

_WEEKS_A_STEP = 2


@dataclass(frozen=True, slots=True, eq=False)
class Doubt:
    """A problem with what its team knows when.

    Attributes:
        learned: (n, s), the day from which it is known whether the rewrite is needed; ``NEVER`` where growth does not
            get there.
        last: the day up to which a bill counts.
    """

    problem: Problem
    learned: Days
    last: int


def come_true(doubt: Doubt, order: Sequence[int], starts: Days) -> tuple[Days, NDArray[np.float64]]:
    """Scenarios in time and expected cost of planned starts (b, n) in one order, one person: (b,) each."""
    problem = doubt.problem
    shape = (starts.shape[0], problem.walls.shape[1])
    free = np.zeros(shape, dtype=np.int64)
    next_major, kept, cost = free, np.ones(shape, dtype=np.bool_), np.zeros(shape[0])
    for index in order:
        needed, learned = problem.needed[index], doubt.learned[index]
        start = np.maximum(np.maximum(starts[:, index, None], problem.releases[index]), np.maximum(free, next_major))
        begun = needed | (start < learned)
        full = start + problem.efforts[index]
        end = np.where(needed, full, np.minimum(full, np.maximum(learned, start)))
        free = np.where(begun, end, free)
        next_major = np.where(begun, start + problem.gap, next_major)
        wall = np.where(needed, problem.walls[index], NEVER)
        if problem.judged[index]:
            kept &= full <= np.where(wall < NEVER, wall, full)
        early = np.where(begun & (end == full), np.maximum(np.minimum(wall, doubt.last) - full, 0), 0).mean(axis=1)
        late = np.where(needed, np.maximum(full - wall, 0), 0).mean(axis=1)
        cost = cost + problem.early[index] * early + problem.late[index] * late
    return kept.sum(axis=1), cost


def placed_in_doubt(doubt: Doubt, placement: Placement, keep: float) -> Placement:
    """The least cost found that keeps this share of the best chance found, from a placement of the solver."""
    problem = doubt.problem
    count = problem.walls.shape[0]
    by_wall = tuple(int(index) for index in np.argsort(np.median(problem.walls, axis=1), kind="stable"))
    orders = list(dict.fromkeys((tuple(placement.order), by_wall)))
    beginnings = np.array([placement.start, (0,) * count])
    most = max(int(come_true(doubt, order, beginnings)[0].max()) for order in orders)
    tries = [_descend(doubt, order, placement.start, keep * most) for order in orders]
    order, (starts, _) = min(zip(orders, tries, strict=True), key=lambda each: each[1][1])
    return Placement(order, (0,) * count, starts)


def _descend(doubt: Doubt, order: Sequence[int], starts: Sequence[int], least: float) -> tuple[tuple[int, ...], float]:
    current, cost = np.array(starts), math.inf
    weeks = np.append(np.arange(0, doubt.last + 1, 7 * _WEEKS_A_STEP), doubt.last + 7)
    while True:
        before = cost
        for index in reversed(order):
            trial = np.tile(current, (weeks.size + 1, 1))
            trial[:-1, index] = weeks
            kept, costs = come_true(doubt, order, trial)
            costs = np.where(kept >= least - 1e-9, costs, math.inf)
            place = int(np.argmin(costs))
            if costs[place] < cost - 1e-9:
                current, cost = trial[place], float(costs[place])
        if not cost < before - 1e-9:
            return tuple(int(day) for day in current), cost
