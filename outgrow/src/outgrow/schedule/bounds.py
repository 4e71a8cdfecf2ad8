"""Proving planned starts: branch and bound over boxes of planned starts, for one chain or several.

Within a box, what holds a rewrite back (its release, its lane, the major rewrite before it) lies between what it is at
the lowest and at the highest planned starts, since every start grows with every planned start. In a scenario the
weight of a start falls until its best day and rises from there. So a rewrite planned for ``p`` costs at least what it
would if it could not begin before the best day within those bounds: the bound of a box is the sum over rewrites of the
least such cost over their own ``p``. It is exact where nothing holds a rewrite back but its own planned start.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from outgrow.schedule.records import NEVER, Days
from outgrow.schedule.search import Chain, Found, Meter, try_starts
from outgrow.schedule.simulation import FAR, Floats, Work, advance, beginning, held_until, weigh

_SLACK = 1e-9
_WORTH_ANOTHER = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class _Weights:
    """Of one rewrite in one lane: days early and late of every weekly start (weeks, s), the best day to start (s,)."""

    early: Days
    late: Days
    ideal: Days


@dataclass(slots=True)
class Prover:
    """Boxes of planned starts still open, over all chains that are tied in chance; best bound first."""

    work: Work
    meter: Meter
    best: Found
    tables: dict[tuple[int, int], _Weights] = field(default_factory=dict)
    heap: list[tuple[float, int, Chain, tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    pushed: int = 0

    def prove(self, chains: Sequence[Chain], caps: Sequence[Days], share: float) -> float:
        """Search all chains within their caps; the least cost any can have. Equal to that of ``best`` when proven."""
        for chain, latest in zip(chains, caps, strict=True):
            self._push(0.0, chain, (0,) * len(latest), tuple(int(day) // 7 for day in latest))
        while self.heap and self.meter.left(share):
            bound, _, chain, low, high = heapq.heappop(self.heap)
            if bound < self._limit():
                self._open(chain, low, high)
        return min([self.best.cost, *(entry[0] for entry in self.heap)])

    def _limit(self) -> float:
        return self.best.cost * (1 - _SLACK)

    def _push(self, bound: float, chain: Chain, low: tuple[int, ...], high: tuple[int, ...]) -> None:
        self.pushed += 1
        heapq.heappush(self.heap, (bound, self.pushed, chain, low, high))

    def _open(self, chain: Chain, low: tuple[int, ...], high: tuple[int, ...]) -> None:
        """Bound a box, narrow it while that pays, try what the bound suggests, and split what is left."""
        while True:
            bound = self._bound(chain, low, high)
            total = float(sum(costs.min() for costs in bound))
            if total >= self._limit():
                return
            exact = self._try(chain, [7 * (week + int(costs.argmin())) for week, costs in zip(low, bound, strict=True)])
            wide = sum(high) - sum(low)
            low, high = self._narrowed(bound, total, low, high)
            if sum(high) - sum(low) > _WORTH_ANOTHER * wide or low == high:
                break
        if low == high:
            self._try(chain, [7 * week for week in low])
            return
        branch = self._branch(chain[0], low, high, [float(costs.min()) for costs in bound], exact)
        middle = (low[branch] + high[branch]) // 2
        self._push(total, chain, low, (*high[:branch], middle, *high[branch + 1 :]))
        self._push(total, chain, (*low[:branch], middle + 1, *low[branch + 1 :]), high)

    def _bound(self, chain: Chain, low: tuple[int, ...], high: tuple[int, ...]) -> list[Floats]:
        """By rewrite: what it costs at least when planned for each week of the box."""
        work, (order, lanes) = self.work, chain
        state = beginning(work)
        bound: list[Floats] = [np.zeros(1)] * work.rewrites
        for rewrite in order:
            lane = lanes[rewrite]
            held = np.broadcast_to(held_until(work, state, rewrite, lane), (2, work.scenarios))
            weights = self._weights(rewrite, lane)
            begun = np.clip(weights.ideal, held[0], held[1])
            weeks = np.arange(low[rewrite], high[rewrite] + 1)[:, None]
            early, late = self._early_late(rewrite, lane, begun)
            waits, box = weeks * 7 < begun, slice(low[rewrite], high[rewrite] + 1)
            bound[rewrite] = self._weigh(
                rewrite,
                np.where(waits, early, weights.early[box]).sum(axis=1),
                np.where(waits, late, weights.late[box]).sum(axis=1),
            )
            planned = np.array([[7 * low[rewrite]], [7 * high[rewrite]]])
            advance(work, state, rewrite, lane, held, planned)
            self.meter.spend(0.6 * waits.size + 4.0 * work.scenarios)
        return bound

    def _early_late(self, rewrite: int, lane: int, begun: Days) -> tuple[Days, Days]:
        """Days early and days late of starting on given days, scenario by scenario."""
        work, spans = self.work, self.work.spans[rewrite]
        finish = np.where(spans >= 0, work.lanes[lane].finish(begun, np.maximum(spans, 1)), -FAR)
        return np.maximum(work.dues[rewrite] - finish, 0), np.maximum(finish - work.walls[rewrite], 0)

    def _weigh(self, rewrite: int, early: Days, late: Days) -> Floats:
        problem = self.work.problem
        weight: Floats = (problem.early[rewrite] * early + problem.late[rewrite] * late) / self.work.scenarios
        return weight

    def _weights(self, rewrite: int, lane: int) -> _Weights:
        key = rewrite, lane
        if key not in self.tables:
            work = self.work
            weeks = np.arange(0, work.problem.horizon + 1, 7)[:, None]
            by = np.minimum(work.walls[rewrite], NEVER)
            in_time = work.lanes[lane].latest_start(np.maximum(work.spans[rewrite], 1), by)
            over = np.minimum(in_time + 1, NEVER)
            before, after = (self._weigh(rewrite, *self._early_late(rewrite, lane, day)) for day in (in_time, over))
            ideal = np.where(before <= after, in_time, over)
            self.tables[key] = _Weights(*self._early_late(rewrite, lane, weeks), ideal)
        return self.tables[key]

    def _try(self, chain: Chain, starts: Sequence[int]) -> list[float]:
        """Cost by rewrite of one placement, kept when it is better."""
        problem, scenarios = self.work.problem, self.work.scenarios
        early, late = try_starts(self.work, chain, 0, beginning(self.work), starts, self.meter)
        cost = float(weigh(self.work, early, late)[0])
        if cost < self.best.cost:
            self.best = Found(chain, tuple(starts), self.best.kept, cost)
        pairs = zip(problem.early, early, problem.late, late, strict=True)
        return [float((weight * before + other * after)[0]) / scenarios for weight, before, other, after in pairs]

    def _narrowed(
        self, bound: list[Floats], total: float, low: tuple[int, ...], high: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The box without the weeks at its ends that cannot be part of anything better."""
        new_low, new_high = list(low), list(high)
        for rewrite, costs in enumerate(bound):
            open_weeks = np.flatnonzero(total - float(costs.min()) + costs < self._limit())
            if open_weeks.size:
                new_low[rewrite] = low[rewrite] + int(open_weeks[0])
                new_high[rewrite] = low[rewrite] + int(open_weeks[-1])
        return tuple(new_low), tuple(new_high)

    @staticmethod
    def _branch(
        order: tuple[int, ...], low: tuple[int, ...], high: tuple[int, ...], bound: list[float], exact: list[float]
    ) -> int:
        """The rewrite to split at: the widest of those before the one whose bound is furthest off."""
        furthest = max(range(len(order)), key=lambda at: exact[order[at]] - bound[order[at]])
        before = [rewrite for rewrite in order[:furthest] if high[rewrite] > low[rewrite]]
        return max(before or range(len(order)), key=lambda rewrite: high[rewrite] - low[rewrite])
