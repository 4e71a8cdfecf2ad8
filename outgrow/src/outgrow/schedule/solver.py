"""The plan: an order, lanes and planned starts that are best for the chance, then for the cost, and how sure that is.

First the share of scenarios in which every judged rewrite that is needed is in time is made as large as can be, over
orders, lanes and starts; among the placements with that share, the expected cost as small as can be; among equal ones
the starts that were found earliest, by index. A planned start that nothing could make true earlier is shown where it
can come true: moved up to its earliest start in any scenario, which changes no outcome.

Few rewrites: all orders are tried, and the starts proven by branch and bound. Many: orders are searched, CP-SAT bounds
the chance where the search does not reach what no order can pass, and the bound on the cost is a weak one.
"""

from __future__ import annotations

import numpy as np

from outgrow.schedule.bounds import Prover
from outgrow.schedule.chains import all_chains, chain_count, savable, unavoidable_cost
from outgrow.schedule.records import NEVER, Placement, Problem, Solution
from outgrow.schedule.search import (
    Chain,
    Found,
    Meter,
    better_chain,
    cheaper_chain,
    descend,
    rows_of,
    try_chains,
)
from outgrow.schedule.simulation import Work, simulate, start_caps, work_of

EFFORT_LIMIT = 8.0
TRIED_ALL = 6_000
_LEADS = 3
_SHARE_OF_PROOF = 0.7
_SHARES = (0.15, 0.45, 0.9)  # of the limit: orders for the chance, its proof, orders for the cost


def solve(problem: Problem, *, seed: int = 0, effort_limit: float = EFFORT_LIMIT) -> Solution:
    """The best placement within a limit of effort, and bounds that no placement passes.

    The same problem, seed and limit give the same solution on any machine.
    """
    work, meter = work_of(problem), Meter(effort_limit)
    if work.rewrites == 0 or work.scenarios == 0:
        chain: Chain = (tuple(range(work.rewrites)), (0,) * work.rewrites)
        nothing = Found(chain, (0,) * work.rewrites, work.scenarios, 0.0)
        return _solution(work, nothing, work.scenarios, 0.0, meter, seed)
    if chain_count(work) <= TRIED_ALL:
        found, most, least = _few(work, meter, np.random.default_rng(seed))
    else:
        found, most, least = _many(work, meter, np.random.default_rng(seed), seed)
    return _solution(work, found, most, least, meter, seed)


def _few(work: Work, meter: Meter, generator: np.random.Generator) -> tuple[Found, int, float]:
    """All chains tried for the chance; those tied at the best compete on cost."""
    chains = all_chains(work)
    kept = try_chains(work, *rows_of(chains), np.zeros((len(chains), work.rewrites), dtype=np.int64), meter).kept
    most = int(kept.max())
    tied = [chains[index] for index in np.flatnonzero(kept == most)]
    caps = [start_caps(work, *chain)[1] for chain in tied]
    costs = try_chains(work, *rows_of(tied), np.stack(caps), meter).cost
    leads = [tied[index] for index in np.argsort(costs, kind="stable")[:_LEADS]]
    found = min((_descended(work, chain, meter) for chain in leads), key=lambda each: (each.cost, each.starts))
    prover = Prover(work, meter, found)
    least = prover.prove(tied, caps, _SHARE_OF_PROOF)
    if least == prover.best.cost:
        return prover.best, most, least
    return cheaper_chain(work, prover.best, meter, 1.0, generator), most, least


def _many(work: Work, meter: Meter, generator: np.random.Generator, seed: int) -> tuple[Found, int, float]:
    """Orders searched for the chance, bounded by CP-SAT where need be, then searched for the cost."""
    for_chance, for_proof, for_cost = _SHARES
    most = int(savable(work).sum())
    chain = better_chain(work, _first_chain(work, meter), most, meter, for_chance, generator)
    kept, _ = start_caps(work, *chain)
    if kept < most:
        # Loading CP-SAT takes longer than most plans do.
        from outgrow.schedule.orders import best_order

        chain, kept, most = best_order(work, chain, kept, meter, for_proof, seed)
    found = cheaper_chain(work, _descended(work, chain, meter), meter, for_cost, generator)
    kept, caps = start_caps(work, *found.chain)
    found = descend(work, found.chain, found.starts, kept, caps, meter, fine=True)
    return found, max(most, kept), unavoidable_cost(work)


def _first_chain(work: Work, meter: Meter) -> Chain:
    """By mean wall, by mean latest start, and by that with the days it keeps the next waiting: whichever does best."""
    problem, lanes = work.problem, len(work.lanes)
    counts = np.maximum(problem.needed.sum(axis=1), 1)
    walls = np.minimum(problem.walls, 2 * problem.horizon + 1)
    apart = np.maximum(work.spans, problem.gap * problem.major[:, None])
    keys = (walls, walls - work.spans, walls - work.spans + apart, work.releases)
    chains = []
    for key in keys:
        ranks = np.where(problem.needed, key, 0).sum(axis=1) // counts
        order = tuple(int(index) for index in np.argsort(ranks, kind="stable"))
        chains.append((order, tuple(order.index(index) % lanes for index in range(work.rewrites))))
    trials = try_chains(work, *rows_of(chains), np.zeros((len(chains), work.rewrites), dtype=np.int64), meter)
    return chains[int(np.lexsort((trials.late_days, -trials.kept))[0])]


def _descended(work: Work, chain: Chain, meter: Meter) -> Found:
    """Starts that are good for one chain: down from the earliest and from the latest that keep its chance."""
    kept, caps = start_caps(work, *chain)
    ends = ([0] * work.rewrites, [int(cap) for cap in caps])
    tries = [descend(work, chain, starts, kept, caps, meter, fine=False) for starts in ends]
    return min(tries, key=lambda each: (each.cost, each.starts))


def _solution(work: Work, found: Found, most: int, least: float, meter: Meter, seed: int) -> Solution:
    problem, (order, lanes) = work.problem, found.chain
    scenarios = max(work.scenarios, 1)
    _, caps = start_caps(work, order, lanes)
    begun = simulate(problem, Placement(order, lanes, found.starts)).starts.min(axis=1, initial=NEVER)
    true_starts = np.minimum(np.where(begun < NEVER, begun // 7 * 7, 0), caps)
    starts = tuple(int(max(day, planned)) for day, planned in zip(true_starts, found.starts, strict=True))
    proven = found.kept == most and found.cost <= least * (1 + 1e-9)
    return Solution(
        placement=Placement(order, lanes, starts),
        in_time_ratio=found.kept / scenarios if work.scenarios else 1.0,
        best_ratio=most / scenarios if work.scenarios else 1.0,
        expected_cost=found.cost,
        least_cost=found.cost if proven else min(least, found.cost),
        latest=tuple(int(cap) for cap in caps),
        status="optimal" if proven else "feasible",
        effort=meter.used,
        effort_limit=meter.limit,
        seed=seed,
    )
