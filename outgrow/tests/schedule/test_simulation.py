"""What a placement comes to: as if lived through day by day; and when each rewrite must start at the latest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.planning_problems import small
from outgrow.schedule.records import NEVER, Days, Placement, Problem
from outgrow.schedule.simulation import expected_cost, in_time_ratio, latest_starts, simulate

seeds = st.integers(0, 100_000)
FAR_ENOUGH = 1_500


def placed(problem: Problem, seed: int, *, weekly: bool = True) -> Placement:
    rng = np.random.default_rng(seed)
    count = len(problem.walls)
    lanes = max(1, min(int(problem.free.max()), count))
    starts = rng.integers(0, problem.horizon + 1, count) * (rng.random(count) < 0.6)
    starts = starts // 7 * 7 if weekly else starts
    return Placement(
        tuple(int(each) for each in rng.permutation(count)),
        tuple(int(each) for each in rng.integers(0, lanes, count)),
        tuple(int(each) for each in starts),
    )


def lived_through(problem: Problem, placement: Placement, scenario: int) -> tuple[dict[int, int], dict[int, int]]:
    """Starts and finishes of one scenario, one day after the other."""
    queue = [each for each in placement.order if problem.needed[each, scenario]]
    left = {each: int(problem.efforts[each, scenario]) for each in queue}
    starts: dict[int, int] = {}
    finishes: dict[int, int] = {}
    for day in range(FAR_ENOUGH):
        free = int(problem.free[min(day, len(problem.free) - 1)])
        for at, each in enumerate(queue):
            lane = placement.lane[each]
            before = [other for other in queue[:at] if placement.lane[other] == lane]
            majors = [other for other in queue[:at] if problem.major[other]]
            waits = (
                each in starts
                or day < max(placement.start[each], problem.releases[each, scenario])
                or any(other not in finishes for other in before)
                or (problem.major[each] and any(starts.get(other, NEVER) + problem.gap > day for other in majors[-1:]))
            )
            if not waits:
                starts[each] = day
        for each in starts:
            if each not in finishes and free > placement.lane[each]:
                left[each] -= 1
                if left[each] == 0:
                    finishes[each] = day + 1
    return starts, finishes


@given(seeds, seeds)
@settings(max_examples=60, deadline=None)
def test_a_simulation_is_what_happens_day_by_day(seed: int, choice: int) -> None:
    problem = small(seed)
    placement = placed(problem, choice)
    outcome = simulate(problem, placement)
    for scenario in range(min(4, problem.walls.shape[1])):
        starts, finishes = lived_through(problem, placement, scenario)
        for each in range(len(problem.walls)):
            assert outcome.starts[each, scenario] == starts.get(each, NEVER)
            assert outcome.finishes[each, scenario] == finishes.get(each, NEVER)
            on_time = finishes.get(each, NEVER) <= problem.walls[each, scenario]
            assert outcome.in_time[each, scenario] == (on_time or not problem.needed[each, scenario])


def in_time(problem: Problem, placement: Placement) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.all(simulate(problem, placement).in_time | ~problem.judged[:, None], axis=0)


def begun_by(problem: Problem, starts: tuple[int, ...], latest: Days) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    begun = np.maximum(np.array(starts)[:, None], problem.releases)
    return np.all((begun <= latest) | ~problem.needed, axis=0)


@given(seeds, seeds)
@settings(max_examples=200, deadline=None)
def test_a_scenario_is_in_time_exactly_when_every_rewrite_starts_by_its_latest_start(seed: int, choice: int) -> None:
    problem = small(seed)
    placement = placed(problem, choice, weekly=False)
    latest = latest_starts(problem, placement.order, placement.lane)
    assert np.array_equal(in_time(problem, placement), begun_by(problem, placement.start, latest))


@given(seeds, seeds)
@settings(max_examples=100, deadline=None)
def test_at_the_latest_start_a_scenario_is_kept_and_a_week_later_it_is_lost(seed: int, choice: int) -> None:
    problem = small(seed)
    placement = placed(problem, choice)
    placement = replace(placement, start=(0,) * len(placement.order))
    latest = latest_starts(problem, placement.order, placement.lane)
    for scenario in np.flatnonzero(in_time(problem, placement)):
        at = tuple(int(min(day, FAR_ENOUGH)) for day in latest[:, scenario])
        assert in_time(problem, replace(placement, start=at))[scenario]
        for each in np.flatnonzero(latest[:, scenario] < NEVER):
            later = (*at[:each], at[each] + 7, *at[each + 1 :])
            assert not in_time(problem, replace(placement, start=later))[scenario]


def tightened(problem: Problem, how: str, choice: int) -> Problem:
    if how == "gap":
        return replace(problem, gap=problem.gap + 1 + choice % 40)
    if how == "freeze":
        frozen = np.resize(problem.free, problem.free.size + 60)
        frozen[problem.free.size :] = problem.free[-1]
        frozen[choice % 50 : choice % 50 + 14] = 0
        return replace(problem, free=frozen)
    return replace(
        problem, efforts=problem.efforts + np.random.default_rng(choice).integers(0, 9, problem.efforts.shape)
    )


@pytest.mark.parametrize("how", ["gap", "freeze", "effort"])
@given(seed=seeds, choice=seeds)
@settings(max_examples=40, deadline=None)
def test_more_effort_and_tighter_rules_never_start_or_finish_anything_earlier(how: str, seed: int, choice: int) -> None:
    problem = small(seed)
    placement = placed(problem, choice)
    before, after = simulate(problem, placement), simulate(tightened(problem, how, choice), placement)
    assert np.all(after.starts >= before.starts)
    assert np.all(after.finishes >= before.finishes)
    assert in_time_ratio(problem, after) <= in_time_ratio(problem, before)


def one(wall: int, **changes: object) -> Problem:
    problem = Problem(
        walls=np.array([[wall]]),
        efforts=np.array([[10]]),
        needed=np.array([[True]]),
        releases=np.array([[0]]),
        judged=np.array([True]),
        major=np.array([True]),
        free=np.array([1]),
        gap=0,
        early=np.array([2.0]),
        late=np.array([5.0]),
        horizon=70,
    )
    return replace(problem, **changes)  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("wall", "start", "cost"),
    [(40, 0, 60.0), (40, 30, 0.0), (40, 35, 25.0), (NEVER, 0, 120.0), (90, 63, 0.0), (-5, 0, 75.0)],
)
def test_early_days_cost_up_to_the_wall_or_the_horizon_and_late_days_past_the_wall(
    wall: int, start: int, cost: float
) -> None:
    problem = one(wall)
    assert expected_cost(problem, simulate(problem, Placement((0,), (0,), (start,)))) == cost


def test_what_is_not_needed_takes_no_time_and_costs_nothing() -> None:
    problem = one(40, needed=np.array([[False]]))
    outcome = simulate(problem, Placement((0,), (0,), (0,)))
    assert (outcome.starts[0, 0], outcome.finishes[0, 0]) == (NEVER, NEVER)
    assert in_time_ratio(problem, outcome) == 1
    assert expected_cost(problem, outcome) == 0
