"""All orders and lanes of a few rewrites, and bounds that hold for every order."""

from __future__ import annotations

from itertools import permutations, product
from math import factorial

import numpy as np

from outgrow.schedule.records import NEVER, Days, Flags
from outgrow.schedule.search import Chain
from outgrow.schedule.simulation import Work, early_late, weigh


def chain_count(work: Work) -> int:
    """How many orders and lanes there are, alike ones counted apart."""
    return int(factorial(work.rewrites) * len(work.lanes) ** work.rewrites)


def all_chains(work: Work) -> list[Chain]:
    """Every order with every choice of lanes; of those that come to the same, the first.

    Two come to the same when each lane does the same in the same order, the major rewrites come in the same order, and
    lanes that are open on the same days are taken as one.
    """
    kinds = [
        next(at for at, other in enumerate(work.lanes) if _alike(work, lane, at)) for lane in range(len(work.lanes))
    ]
    seen: dict[object, Chain] = {}
    for order in permutations(range(work.rewrites)):
        majors = tuple(index for index in order if work.problem.major[index])
        for lanes in product(range(len(work.lanes)), repeat=work.rewrites):
            queues = [(kinds[lane], tuple(i for i in order if lanes[i] == lane)) for lane in range(len(work.lanes))]
            seen.setdefault((majors, tuple(sorted(queues))), (order, lanes))
    return list(seen.values())


def _alike(work: Work, lane: int, other: int) -> bool:
    one, two = work.lanes[lane], work.lanes[other]
    return one.after == two.after and np.array_equal(one.worked, two.worked)


def savable(work: Work, earlier: int | None = None, later: int | None = None) -> Flags:
    """(s,) False where no order can have every judged rewrite in time; of those with one before another, when given.

    Three relaxations, each by earliest due day, which is best where nothing is released later (Jackson, 1955): every
    rewrite alone, begun at its release; work in all lanes together, which may be split at will; and major rewrites,
    whose starts lie ``gap`` apart, and their own length too where there is one lane. What has to come before another
    is due when that has to begin.
    """
    problem = work.problem
    counts = problem.needed & problem.judged[:, None] & (problem.walls < NEVER)
    efforts = np.maximum(work.spans, 1)
    latest = work.lanes[0].latest_start(efforts, problem.walls)
    alone = np.all(~counts | (work.releases <= latest), axis=0)
    one_lane = len(work.lanes) == 1
    capacity = np.asarray(sum(lane.worked_before(problem.walls) for lane in work.lanes))
    apart = np.maximum(efforts, problem.gap) if one_lane else np.full_like(efforts, problem.gap)
    majors = problem.needed & problem.major[:, None]
    pair = None if earlier is None or later is None else (earlier, later)
    by_work = _by_due_day(counts, problem.needed, efforts, capacity, pair if one_lane else None)
    by_gap = _by_due_day(counts & majors, majors, apart, latest + apart, pair)
    fits: Flags = alone & by_work & by_gap
    return fits


def _by_due_day(counts: Flags, done: Flags, lengths: Days, due: Days, pair: tuple[int, int] | None) -> Flags:
    """Whether all that counts fits when done by earliest due day: (s,)."""
    if pair is not None:
        earlier, later = pair
        both = counts[later] & done[earlier]
        before = np.where(both, due[later] - lengths[later], np.iinfo(np.int64).max)
        due, counts = due.copy(), counts.copy()
        due[earlier] = np.where(counts[earlier], np.minimum(due[earlier], before), before)
        counts[earlier] |= both
    ranked = np.argsort(np.where(counts, due, np.iinfo(np.int64).max), axis=0, kind="stable")
    lengths = np.take_along_axis(np.where(counts, lengths, 0), ranked, axis=0)
    fits = np.cumsum(lengths, axis=0) <= np.take_along_axis(due, ranked, axis=0)
    return np.asarray(np.all(fits | ~np.take_along_axis(counts, ranked, axis=0), axis=0))


def forced_pairs(work: Work, kept: int) -> list[tuple[int, int]]:
    """Pairs (earlier, later) that any chain with at least ``kept`` scenarios in time has in this order."""
    pairs = permutations(range(work.rewrites), 2)
    return [(later, earlier) for earlier, later in pairs if int(savable(work, earlier, later).sum()) < kept]


def unavoidable_cost(work: Work) -> float:
    """What every placement costs at least: the late days of rewrites that nothing but their release holds back."""
    days = []
    for rewrite in range(work.rewrites):
        finish = work.lanes[0].finish(work.releases[rewrite], np.maximum(work.spans[rewrite], 1))
        days.append(early_late(work, rewrite, np.where(work.spans[rewrite] >= 0, finish, -NEVER)[None, :])[1])
    return float(weigh(work, [np.zeros_like(late) for late in days], days)[0])
