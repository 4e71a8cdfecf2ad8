"""The solver of the plan: no placement is better, a tighter rule never helps, and the same question has one answer."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from benchmarks.exhaustive import exhaustive
from benchmarks.planning_problems import realistic, small
from outgrow.schedule import solver
from outgrow.schedule.chains import all_chains, savable
from outgrow.schedule.orders import best_order
from outgrow.schedule.records import NEVER, Problem
from outgrow.schedule.search import Meter
from outgrow.schedule.simulation import expected_cost, in_time_ratio, kept_at_once, simulate, work_of
from outgrow.schedule.solver import solve

seeds = st.integers(0, 100_000)


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_no_placement_is_better(seed: int) -> None:
    problem = small(seed)
    assume(len(problem.walls) < 4)
    solution = solve(problem)
    ratio, cost = exhaustive(problem)
    assert solution.status == "optimal"
    assert solution.in_time_ratio == solution.best_ratio == pytest.approx(ratio, abs=1e-12)
    assert solution.expected_cost == solution.least_cost == pytest.approx(cost, rel=1e-9, abs=1e-9)


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_where_orders_are_searched_the_bounds_hold(seed: int) -> None:
    problem = small(seed)
    assume(len(problem.walls) < 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solver, "TRIED_ALL", 0)
        solution = solve(problem, effort_limit=0.5)
    ratio, cost = exhaustive(problem)
    assert solution.in_time_ratio <= ratio + 1e-12 <= solution.best_ratio + 2e-12
    if solution.in_time_ratio == solution.best_ratio:
        assert solution.least_cost <= cost * (1 + 1e-9) <= solution.expected_cost * (1 + 2e-9)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_no_order_saves_what_is_called_past_saving(seed: int) -> None:
    work = work_of(small(seed))
    kept = {chain: kept_at_once(work, *chain)[0] for chain in all_chains(work)}
    assert not np.any([each & ~savable(work) for each in kept.values()])
    for earlier, later in permutations(range(work.rewrites), 2):
        can_be = savable(work, earlier, later)
        for (order, _), each in kept.items():
            assert order.index(earlier) > order.index(later) or not np.any(each & ~can_be)


@given(seeds)
@example(104)
@example(307)
@example(7589)
@settings(max_examples=25, deadline=None)
def test_from_the_worst_order_the_best_is_found_and_proven(seed: int) -> None:
    work = work_of(small(seed))
    kept = {chain: int(kept_at_once(work, *chain)[0].sum()) for chain in all_chains(work)}
    worst = min(kept, key=lambda chain: kept[chain])
    chain, found, most = best_order(work, worst, kept[worst], Meter(2.0), 1.0, 0)
    assert found == most == max(kept.values())
    assert int(kept_at_once(work, *chain)[0].sum()) == found


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_a_solution_says_what_its_placement_comes_to(seed: int) -> None:
    problem = small(seed)
    solution = solve(problem)
    outcome = simulate(problem, solution.placement)
    assert solution.in_time_ratio == in_time_ratio(problem, outcome)
    assert solution.expected_cost == pytest.approx(expected_cost(problem, outcome), rel=1e-12)
    assert all(start % 7 == 0 and 0 <= start <= problem.horizon for start in solution.placement.start)
    assert all(day % 7 == 0 and 0 <= day <= problem.horizon for day in solution.latest)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_up_to_the_latest_starts_the_chance_is_kept_and_a_week_later_it_is_not(seed: int) -> None:
    problem = small(seed)
    solution = solve(problem)

    def chance(starts: tuple[int, ...]) -> float:
        return in_time_ratio(problem, simulate(problem, replace(solution.placement, start=starts)))

    assert chance(solution.latest) == solution.in_time_ratio
    for each, latest in enumerate(solution.latest):
        planned = solution.placement.start
        assert planned[each] <= latest
        assert chance((*planned[:each], latest, *planned[each + 1 :])) == solution.in_time_ratio
        if latest + 7 <= problem.horizon:
            assert chance((*planned[:each], latest + 7, *planned[each + 1 :])) < solution.in_time_ratio


def tighter(problem: Problem, how: str) -> Problem:
    if how == "gap":
        return replace(problem, gap=problem.gap + 21)
    if how == "fewer":
        return replace(problem, free=np.minimum(problem.free, 1))
    if how == "freeze":
        free = np.concatenate([np.resize(problem.free, 1).repeat(0), problem.free, np.repeat(problem.free[-1], 30)])
        free[10:31] = 0
        return replace(problem, free=free)
    return replace(problem, efforts=problem.efforts + 5)


@pytest.mark.parametrize("how", ["gap", "fewer", "freeze", "effort"])
@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_tighter_rules_and_more_effort_never_improve_the_chance(how: str, seed: int) -> None:
    problem = small(seed)
    assert solve(tighter(problem, how)).in_time_ratio <= solve(problem).in_time_ratio


@given(seeds, st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_the_same_seed_gives_the_same_plan(problem_seed: int, seed: int) -> None:
    assert solve(small(problem_seed), seed=seed) == solve(small(problem_seed), seed=seed)


def test_the_same_seed_gives_the_same_plan_where_orders_are_searched() -> None:
    problem = realistic(9, 40, 3, tightness=1.5)
    first, second = (solve(problem, seed=5, effort_limit=0.2) for _ in range(2))
    assert first == second
    assert first.in_time_ratio <= first.best_ratio
    assert first.least_cost <= first.expected_cost


def test_the_brief_size_is_proven() -> None:
    solution = solve(realistic(4, 500, 1))
    assert solution.status == "optimal"


def test_without_effort_the_answer_is_called_unproven() -> None:
    solution = solve(realistic(4, 50, 1), effort_limit=0.0)
    assert solution.status == "feasible"
    assert solution.least_cost <= solution.expected_cost


def test_where_nothing_costs_anything_an_unproven_chance_is_still_unproven() -> None:
    problem = realistic(9, 40, 3, tightness=1.5)
    free_of_charge = replace(problem, early=np.zeros(9), late=np.zeros(9))
    solution = solve(free_of_charge, effort_limit=0.0)
    assert solution.expected_cost == solution.least_cost == 0
    assert solution.in_time_ratio < solution.best_ratio
    assert solution.status == "feasible"


def emptied(problem: Problem, count: int) -> Problem:
    rows = {name: getattr(problem, name)[:count] for name in ("walls", "efforts", "needed", "releases", "judged")}
    rows |= {name: getattr(problem, name)[:count] for name in ("major", "early", "late")}
    return replace(problem, **rows)


def test_nothing_to_plan_is_a_plan() -> None:
    solution = solve(emptied(realistic(3, 20, 0), 0))
    assert (solution.placement.order, solution.in_time_ratio, solution.status) == ((), 1.0, "optimal")


def test_nothing_needed_is_in_time_for_nothing() -> None:
    problem = realistic(3, 20, 0)
    solution = solve(replace(problem, needed=np.zeros_like(problem.needed)))
    assert (solution.in_time_ratio, solution.expected_cost, solution.status) == (1.0, 0.0, "optimal")


def test_what_is_past_is_planned_at_once_and_not_judged() -> None:
    problem = realistic(3, 20, 0)
    solution = solve(replace(problem, judged=np.zeros(3, dtype=np.bool_), walls=np.full_like(problem.walls, -30)))
    assert (solution.in_time_ratio, solution.status) == (1.0, "optimal")
    assert min(solution.placement.start) == 0


def test_walls_that_never_come_are_always_in_time_and_need_no_early_start() -> None:
    problem = realistic(2, 20, 0)
    solution = solve(replace(problem, walls=np.full_like(problem.walls, NEVER)))
    assert (solution.in_time_ratio, solution.status, solution.expected_cost) == (1.0, "optimal", 0.0)


def test_walls_before_today_are_never_in_time() -> None:
    problem = realistic(2, 20, 0)
    solution = solve(replace(problem, walls=np.full_like(problem.walls, -1), needed=np.ones_like(problem.needed)))
    assert (solution.in_time_ratio, solution.best_ratio, solution.status) == (0.0, 0.0, "optimal")


def test_where_nobody_is_free_nothing_is_in_time() -> None:
    problem = realistic(2, 20, 0)
    solution = solve(replace(problem, free=np.array([0]), needed=np.ones_like(problem.needed)))
    assert (solution.in_time_ratio, solution.status) == (0.0, "optimal")
