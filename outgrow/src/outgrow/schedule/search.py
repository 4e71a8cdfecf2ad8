"""Looking for a good placement: moves over orders and lanes, and over planned starts, all tried exactly.

Everything is deterministic: randomness is a generator handed in, and effort is counted in work done, not in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outgrow.schedule.records import NEVER, Days
from outgrow.schedule.simulation import (
    FAR,
    Floats,
    State,
    Work,
    advance,
    beginning,
    early_late,
    held_until,
    start_caps,
    weigh,
)

_STEPS_A_UNIT = 2.5e8
_CHUNK = 12_000
_PATIENCE = 4  # disturbed copies in a row that come to nothing, a unit of effort allowed
_SHIFTS = (-26, -12, -6, -3, -2, -1, 1, 2, 3, 6, 12, 26)
_STRIDE = 6

Chain = tuple[tuple[int, ...], tuple[int, ...]]
"""An order of all rewrites, and the lane of each rewrite by index."""


@dataclass(slots=True)
class Meter:
    """Effort spent and allowed, in CP-SAT's units; 2.5·10⁸ rewrites tried in a scenario count as one (some 2 s)."""

    limit: float
    used: float = 0.0

    def spend(self, steps: float) -> None:
        """Count rewrites tried in a scenario."""
        self.used += steps / _STEPS_A_UNIT

    def left(self, share: float = 1.0) -> bool:
        """Whether less than this share of the limit is used."""
        return self.used < self.limit * share


@dataclass(frozen=True, slots=True)
class Found:
    """A placement with what it comes to: ``kept`` scenarios in time and the expected cost; starts by index."""

    chain: Chain
    starts: tuple[int, ...]
    kept: int
    cost: float

    def better_than(self, other: Found) -> bool:
        """More scenarios in time, or as many for less, or as many for as much but earlier, by index."""
        return (-self.kept, self.cost, self.starts) < (-other.kept, other.cost, other.starts)


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """What a batch of placements comes to, (b,) each; ``late_days`` of judged rewrites, over all scenarios."""

    kept: Days
    late_days: Days
    cost: Floats


def try_chains(work: Work, orders: Days, lanes: Days, starts: Days, meter: Meter) -> Trials:
    """Placements (b, n) with orders of their own."""
    meter.spend(float(orders.size) * work.scenarios)
    rows = max(1, _CHUNK // max(work.scenarios, 1))
    parts = [
        _try_chunk(work, orders[at : at + rows], lanes[at : at + rows], starts[at : at + rows])
        for at in range(0, len(orders), rows)
    ]
    return Trials(
        np.concatenate([part.kept for part in parts]),
        np.concatenate([part.late_days for part in parts]),
        np.concatenate([part.cost for part in parts]),
    )


def _try_chunk(work: Work, orders: Days, lanes: Days, starts: Days) -> Trials:
    problem, count = work.problem, len(orders)
    every = np.arange(count)
    ready = np.zeros((len(work.lanes), count, work.scenarios), dtype=np.int64)
    next_major = np.zeros((count, work.scenarios), dtype=np.int64)
    kept = np.ones((count, work.scenarios), dtype=np.bool_)
    late_days = np.zeros(count, dtype=np.int64)
    early_sum = np.zeros((work.rewrites, count), dtype=np.int64)
    late_sum = np.zeros((work.rewrites, count), dtype=np.int64)
    for turn in orders.T:
        lane = lanes[every, turn]
        begun = np.maximum(ready[lane, every], work.releases[turn])
        begun = np.maximum(begun, starts[every, turn][:, None])
        major = problem.major[turn]
        begun = np.maximum(begun, next_major if major.all() else np.where(major[:, None], next_major, 0))
        finish = _finish(work, begun, work.spans[turn], lane)
        ready[lane, every] = np.maximum(ready[lane, every], finish)
        next_major = np.maximum(next_major, np.minimum(begun + work.gaps[turn], NEVER))
        over = finish - work.deadlines[turn]
        kept &= over <= 0
        late_days += np.maximum(over, 0).sum(axis=1)
        early_sum[turn, every] = np.maximum(work.dues[turn] - finish, 0).sum(axis=1)
        late_sum[turn, every] = np.maximum(finish - work.walls[turn], 0).sum(axis=1)
    return Trials(kept.sum(axis=1), late_days, weigh(work, list(early_sum), list(late_sum)))


def _finish(work: Work, begun: Days, spans: Days, lane: Days) -> Days:
    if not work.unbounded:
        return begun + spans
    done = np.zeros_like(begun)
    for index, days in enumerate(work.lanes):
        rows = lane == index
        if rows.any():
            done[rows] = days.finish(begun[rows], np.maximum(spans[rows], 0))
    return np.where(spans >= 0, done, -FAR)


def try_starts(
    work: Work, chain: Chain, at: int, state: State, starts: Sequence[Days | int], meter: Meter
) -> tuple[list[Days], list[Days]]:
    """Early and late days by index of what follows position ``at`` of one chain; a start is a number or (b, 1)."""
    order, lanes = chain
    state = state.copy()
    early: list[Days] = [np.zeros(1, dtype=np.int64)] * work.rewrites
    late = list(early)
    for rewrite in order[at:]:
        held = held_until(work, state, rewrite, lanes[rewrite])
        finish = advance(work, state, rewrite, lanes[rewrite], held, starts[rewrite])
        early[rewrite], late[rewrite] = early_late(work, rewrite, finish)
        meter.spend(float(finish.size))
    return early, late


def descend(work: Work, chain: Chain, starts: Sequence[int], kept: int, caps: Days, meter: Meter, fine: bool) -> Found:
    """Move planned starts within their caps while the cost falls: one at a time, then all that follow together.

    ``fine`` tries every week for each rewrite, otherwise every sixth and those near.
    """
    current = [min(start, int(cap)) for start, cap in zip(starts, caps, strict=True)]
    cost = cost_of(work, chain, current, meter)
    while meter.left():
        before = cost
        cost = _one_at_a_time(work, chain, current, caps, meter, fine)
        cost = min(cost, _together(work, chain, current, caps, meter))
        if not cost < before:
            break
    return Found(chain, tuple(current), kept, cost)


def cost_of(work: Work, chain: Chain, starts: Sequence[int], meter: Meter) -> float:
    """Expected cost of one placement."""
    early, late = try_starts(work, chain, 0, beginning(work), starts, meter)
    return float(weigh(work, early, late)[0])


def _one_at_a_time(work: Work, chain: Chain, current: list[int], caps: Days, meter: Meter, fine: bool) -> float:
    """One pass in the order of the chain; changes ``current`` and gives its cost."""
    order, lanes = chain
    state = beginning(work)
    early: list[Days] = [np.zeros(1, dtype=np.int64)] * work.rewrites
    late = list(early)
    cost = np.inf

    def best_of(at: int, weeks: Days) -> tuple[int, float]:
        days = np.unique(np.append(weeks * 7, current[order[at]]))
        some: list[Days | int] = list(current)
        some[order[at]] = days[:, None]
        tail = try_starts(work, chain, at, state, some, meter)
        for index in order[:at]:
            tail[0][index], tail[1][index] = early[index], late[index]
        costs = weigh(work, *tail)
        best = int(np.argmin(costs))
        return int(days[best]), float(costs[best])

    for at, rewrite in enumerate(order):
        last = int(caps[rewrite]) // 7
        if fine or last <= 2 * _STRIDE:
            current[rewrite], cost = best_of(at, np.arange(last + 1))
        else:
            current[rewrite], cost = best_of(at, np.arange(0, last + 1, _STRIDE))
            middle = current[rewrite] // 7
            current[rewrite], cost = best_of(at, np.arange(max(0, middle - 5), min(last, middle + 5) + 1))
        held = held_until(work, state, rewrite, lanes[rewrite])
        finish = advance(work, state, rewrite, lanes[rewrite], held, current[rewrite])
        early[rewrite], late[rewrite] = early_late(work, rewrite, finish)
    return cost


def _together(work: Work, chain: Chain, current: list[int], caps: Days, meter: Meter) -> float:
    """The best shift of a rewrite and all that follow it by some weeks; changes ``current`` and gives its cost."""
    order, lanes = chain
    count = work.rewrites
    rows = [np.array(current)]
    for at in range(count - 1):
        for shift in _SHIFTS:
            row = np.array(current)
            moved = list(order[at:])
            row[moved] = np.clip(row[moved] + 7 * shift, 0, caps[moved])
            rows.append(row)
    starts = np.stack(rows)
    same = np.broadcast_to(np.array(order), starts.shape)
    costs = try_chains(work, same, np.broadcast_to(np.array(lanes), starts.shape), starts, meter).cost
    best = int(np.argmin(costs))
    current[:] = [int(day) for day in starts[best]]
    return float(costs[best])


def better_chain(
    work: Work, chain: Chain, most: int, meter: Meter, share: float, generator: np.random.Generator
) -> Chain:
    """Look for a chain with more scenarios in time, then with fewer judged days late; ends at ``most``.

    Steepest moves from a few sensible orders, then from disturbed copies of the best one.
    """
    best, best_key = chain, _chance_key(work, chain, meter)
    current, tries = chain, 0
    while best_key[0] > -most and meter.left(share) and tries < 6:
        current, key = _climb(work, current, meter, most)
        if key < best_key:
            best, best_key, tries = current, key, 0
        tries += 1
        current = disturbed(work, best, generator)
    return best


def _chance_key(work: Work, chain: Chain, meter: Meter) -> tuple[int, int]:
    trial = try_chains(work, *rows_of([chain]), np.zeros((1, work.rewrites), dtype=np.int64), meter)
    return -int(trial.kept[0]), int(trial.late_days[0])


def _climb(work: Work, chain: Chain, meter: Meter, most: int) -> tuple[Chain, tuple[int, int]]:
    key = _chance_key(work, chain, meter)
    while key[0] > -most and meter.left():
        chains = neighbours(work, chain)
        if not chains:
            break
        trials = try_chains(work, *rows_of(chains), np.zeros((len(chains), work.rewrites), dtype=np.int64), meter)
        best = int(np.lexsort((trials.late_days, -trials.kept))[0])
        found = (-int(trials.kept[best]), int(trials.late_days[best]))
        if not found < key:
            break
        chain, key = chains[best], found
    return chain, key


def rows_of(chains: Sequence[Chain]) -> tuple[Days, Days]:
    """Orders and lanes (b, n) of some chains."""
    return np.array([order for order, _ in chains]), np.array([lanes for _, lanes in chains])


def neighbours(work: Work, chain: Chain) -> list[Chain]:
    """Every chain that differs by one rewrite moved elsewhere in the order, or to another lane."""
    order, lanes = chain
    found: dict[Chain, None] = {}
    for source in range(len(order)):
        rest = order[:source] + order[source + 1 :]
        for target in range(len(order)):
            if target != source:
                found[(*rest[:target], order[source], *rest[target:]), lanes] = None
    for index in range(len(order)):
        for lane in range(len(work.lanes)):
            if lane != lanes[index]:
                found[order, (*lanes[:index], lane, *lanes[index + 1 :])] = None
    return list(found)


def disturbed(work: Work, chain: Chain, generator: np.random.Generator) -> Chain:
    """The chain with two or three rewrites moved to places near by, and one to another lane where there are several."""
    order, lanes = list(chain[0]), list(chain[1])
    if len(order) > 1:
        for _ in range(int(generator.integers(2, 4))):
            source = int(generator.integers(len(order)))
            target = int(np.clip(source + generator.integers(-4, 5), 0, len(order) - 1))
            order.insert(target, order.pop(source))
    if len(work.lanes) > 1:
        lanes[int(generator.integers(len(lanes)))] = int(generator.integers(len(work.lanes)))
    return tuple(order), tuple(lanes)


def cheaper_chain(work: Work, found: Found, meter: Meter, share: float, generator: np.random.Generator) -> Found:
    """Look for chains with the same chance and less cost, until ``share`` of the limit is used or patience ends."""
    best = current = found
    stale = 0
    while meter.left(share) and stale < _PATIENCE * (1 + meter.limit):
        better = _cheaper_neighbour(work, current, meter)
        if better is not None:
            current = better
            continue
        if current.better_than(best):
            best, stale = current, 0
        stale += 1
        chain = disturbed(work, best.chain, generator)
        kept, caps = start_caps(work, *chain)
        meter.spend(2.0 * work.rewrites * work.scenarios)
        current = descend(work, chain, best.starts, kept, caps, meter, fine=False) if kept >= best.kept else best
    return current if current.better_than(best) else best


def _cheaper_neighbour(work: Work, found: Found, meter: Meter) -> Found | None:
    chains = neighbours(work, found.chain)
    if not chains:
        return None
    zeros = np.zeros((len(chains), work.rewrites), dtype=np.int64)
    trials = try_chains(work, *rows_of(chains), zeros, meter)
    alike = [chains[index] for index in np.flatnonzero(trials.kept >= found.kept)]
    if not alike:
        return None
    caps = [start_caps(work, *chain) for chain in alike]
    meter.spend(2.0 * len(alike) * work.rewrites * work.scenarios)
    starts = np.stack([np.minimum(found.starts, cap) for _, cap in caps])
    costs = try_chains(work, *rows_of(alike), starts, meter).cost
    for index in np.argsort(costs, kind="stable")[:4]:
        kept, cap = caps[index]
        tried = descend(work, alike[index], found.starts, kept, cap, meter, fine=False)
        if tried.kept > found.kept or tried.cost < found.cost * (1 - 1e-9):
            return tried
    return None
