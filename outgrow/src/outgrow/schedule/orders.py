"""Proving the chance with CP-SAT: an order of many rewrites that is in time in the most scenarios, or a bound on it.

The model has a literal for every "a before b", for every lane and for every scenario that can be saved. What is before
a judged rewrite has to fit before its latest start, or the scenario is lost: by days of work (one lane) and by the
days between major rewrites. That is exact for major rewrites in one lane without calendar or releases; otherwise it
is a relaxation, and each scenario that the model thinks saved but the simulation finds late comes back as a clause: the
very chain of predecessors that made it late.

Deterministic: one worker, a fixed seed, and effort counted by CP-SAT's own measure.
"""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
from ortools.sat.python import cp_model

from outgrow.schedule.chains import forced_pairs, savable
from outgrow.schedule.records import NEVER, Days, Flags
from outgrow.schedule.search import Chain, Meter
from outgrow.schedule.simulation import Work, advance, beginning, held_until, kept_at_once

_ROUND = 0.005  # effort of handing a model over, which CP-SAT's own measure does not count

Links = tuple[tuple[int | None, int, bool], ...]
"""What was held by what, first to last: earlier, later, and whether by the days between major rewrites."""


def best_order(work: Work, chain: Chain, kept: int, meter: Meter, share: float, seed: int) -> tuple[Chain, int, int]:
    """The best chain known, its scenarios in time, and how many any chain can have at most."""
    model = _OrderModel(work, savable(work), kept)
    meter.spend(3.0 * work.rewrites**3 * work.scenarios)
    most = int(model.open_scenarios.size)
    while kept < most and meter.left(share):
        answer, bound = model.solve(chain, meter, meter.limit * share - meter.used, seed)
        most = min(most, bound)
        if answer is None:
            break
        found, claimed = answer
        truly, _ = kept_at_once(work, *found)
        if int(truly.sum()) > kept:
            chain, kept = found, int(truly.sum())
        wrong = [scenario for scenario in claimed if not truly[scenario]]
        if not wrong:
            break
        meter.used += _ROUND
        learnt = [model.learn(found, scenario) for scenario in wrong]
        if not any(learnt):
            break
    return chain, kept, max(most, kept)


class _OrderModel:
    """Literals and constraints; ``learn`` only ever removes what the simulation has refuted."""

    def __init__(self, work: Work, scenarios: Flags, kept: int) -> None:
        self.work, self.kept = work, kept
        self.open_scenarios = np.flatnonzero(scenarios)
        self.model = cp_model.CpModel()
        count = work.rewrites
        self.before: dict[tuple[int, int], cp_model.LiteralT] = {}
        self.pairs: dict[tuple[int, int], cp_model.IntVar] = {}
        for pair in combinations(range(count), 2):
            self.pairs[pair] = self.model.new_bool_var("")
            self.before[pair], self.before[pair[::-1]] = self.pairs[pair], self.pairs[pair].negated()
        for one, two, three in permutations(range(count), 3):
            if one < two and one < three:
                self.model.add_bool_or(self.before[two, one], self.before[three, two], self.before[one, three])
        self.in_lane = [[self.model.new_bool_var("") for _ in work.lanes] for _ in range(count)]
        for literals in self.in_lane:
            self.model.add_exactly_one(literals)
        self.saved = {int(scenario): self.model.new_bool_var("") for scenario in self.open_scenarios}
        self.learnt: set[tuple[Links, tuple[int, ...]]] = set()
        self.model.maximize(sum(self.saved.values()))
        self.model.add(cp_model.LinearExpr.sum(list(self.saved.values())) > kept)
        for earlier, later in forced_pairs(work, kept + 1):
            self.model.add_bool_or([self.before[earlier, later]])
        self._fit()

    def _fit(self) -> None:
        work, problem = self.work, self.work.problem
        efforts = np.maximum(work.spans, 1)
        latest = work.lanes[0].latest_start(efforts, problem.walls)
        one_lane = len(work.lanes) == 1
        capacity = work.lanes[0].worked_before(problem.walls) - efforts
        apart = np.maximum(efforts, problem.gap) if one_lane else np.full_like(efforts, problem.gap)
        majors = problem.needed & problem.major[:, None]
        for scenario in self.saved:
            for rewrite in range(work.rewrites):
                due = problem.walls[rewrite, scenario]
                if not (problem.judged[rewrite] and problem.needed[rewrite, scenario] and due < NEVER):
                    continue
                if one_lane:
                    self._room(scenario, rewrite, problem.needed, efforts, int(capacity[rewrite, scenario]))
                if problem.major[rewrite]:
                    self._room(scenario, rewrite, majors, apart, int(latest[rewrite, scenario]))

    def _room(self, scenario: int, rewrite: int, which: Flags, lengths: Days, room: int) -> None:
        """What is before the rewrite takes at most ``room`` days, or the scenario is lost."""
        others = [int(other) for other in np.flatnonzero(which[:, scenario]) if other != rewrite]
        total = int(lengths[others, scenario].sum())
        if total > room:
            literals = [*(self.before[other, rewrite] for other in others), self.saved[scenario]]
            weights = [*(int(lengths[other, scenario]) for other in others), total - room]
            self.model.add(cp_model.LinearExpr.weighted_sum(literals, weights) <= total)

    def solve(self, chain: Chain, meter: Meter, effort: float, seed: int) -> tuple[tuple[Chain, list[int]] | None, int]:
        """The model's best order with the scenarios it thinks saved, and a bound on how many can be."""
        self.model.clear_hints()  # type: ignore[no-untyped-call]  # ortools leaves it without types
        rank = {rewrite: at for at, rewrite in enumerate(chain[0])}
        for (first, second), literal in self.pairs.items():
            self.model.add_hint(literal, rank[first] < rank[second])
        for rewrite, literals in enumerate(self.in_lane):
            for lane, literal in enumerate(literals):
                self.model.add_hint(literal, chain[1][rewrite] == lane)
        truly, _ = kept_at_once(self.work, *chain)
        for scenario, literal in self.saved.items():
            self.model.add_hint(literal, bool(truly[scenario]))
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = seed
        solver.parameters.max_deterministic_time = effort
        status = solver.solve(self.model)
        meter.used += solver.response_proto.deterministic_time
        if status == cp_model.INFEASIBLE:
            return None, 0
        bound = min(int(np.floor(solver.best_objective_bound + 1e-6)), len(self.saved))
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            # A search that ends before it begins reports a bound of 0, which the model itself excludes.
            return None, bound if bound > self.kept else len(self.saved)
        count = self.work.rewrites
        ahead = [sum(solver.boolean_value(self.before[i, j]) for i in range(count) if i != j) for j in range(count)]
        order = tuple(sorted(range(count), key=lambda rewrite: ahead[rewrite]))
        lanes = tuple(next(at for at, one in enumerate(row) if solver.boolean_value(one)) for row in self.in_lane)
        claimed = [scenario for scenario, literal in self.saved.items() if solver.boolean_value(literal)]
        return ((order, lanes), claimed), bound

    def learn(self, chain: Chain, scenario: int) -> bool:
        """Refute what made a rewrite late in this scenario, in every scenario that it makes late; whether it is new."""
        links = _links_to_late(self.work, chain, scenario)
        refuted = links, tuple(chain[1][later] for _, later, _ in links)
        if refuted in self.learnt:
            return False
        self.learnt.add(refuted)
        together = self.model.new_bool_var("")
        others = [self.before[later, earlier] for earlier, later, _ in links if earlier is not None]
        if len(self.work.lanes) > 1:
            others += [self.in_lane[later][chain[1][later]].negated() for _, later, _ in links]
        self.model.add_bool_or([together, *others])
        for late in np.flatnonzero(_late_by(self.work, links, chain[1])):
            if int(late) in self.saved:
                self.model.add_bool_or([together.negated(), self.saved[int(late)].negated()])
        return True


def _links_to_late(work: Work, chain: Chain, scenario: int) -> Links:
    """From the first thing that holds the first late rewrite to that rewrite."""
    order, lanes = chain
    state = beginning(work)
    by_lane: dict[int, int] = {}
    last_major: int | None = None
    links: dict[int, tuple[int | None, int, bool]] = {}
    for rewrite in order:
        if not work.problem.needed[rewrite, scenario]:
            continue
        lane = lanes[rewrite]
        held = held_until(work, state, rewrite, lane)
        until = int(held[0, scenario])
        links[rewrite] = (None, rewrite, False)
        if until > work.releases[rewrite, scenario]:
            by_its_lane = lane in by_lane and until == state.ready[lane][0, scenario]
            links[rewrite] = (by_lane[lane] if by_its_lane else last_major, rewrite, not by_its_lane)
        finish = advance(work, state, rewrite, lane, held, 0)
        by_lane[lane] = rewrite
        last_major = rewrite if work.problem.major[rewrite] else last_major
        if finish[0, scenario] > work.deadlines[rewrite, scenario]:
            back = [links[rewrite]]
            while (earlier := back[-1][0]) is not None:
                back.append(links[earlier])
            return tuple(reversed(back))
    return ()


def _late_by(work: Work, links: Links, lanes: tuple[int, ...]) -> Flags:
    """(s,) where all of these are done and they alone make the last one late."""
    begun = finish = np.zeros(work.scenarios, dtype=np.int64)
    done = np.ones(work.scenarios, dtype=np.bool_)
    last = links[-1][1]
    for _, rewrite, apart in links:
        held = np.minimum(begun + work.problem.gap, NEVER) if apart else finish
        begun = np.maximum(held, work.releases[rewrite])
        finish = work.lanes[lanes[rewrite]].finish(begun, np.maximum(work.spans[rewrite], 1))
        done &= work.problem.needed[rewrite]
    late: Flags = done & (finish > work.deadlines[last])
    return late
