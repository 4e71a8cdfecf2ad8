"""Scenarios: growth paths, shared luck, the calendar, and what a case comes to in whole days."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.points.declaration import TimeOff
from outgrow.quantities import DAY, WEEK, Interval
from outgrow.schedule.inputs import TeamRules
from outgrow.schedule.records import NEVER, Candidate, Prices, Wall
from outgrow.schedule.scenarios import (
    DAYS_PER_MONTH,
    GrowthPaths,
    PlanningCase,
    drawn_growth,
    effort_days,
    free_people,
    given_growth,
    is_needed,
    milestone_days,
    problem_of,
    wall_days,
    weights,
    with_rules,
)

MADE_ON = date(2026, 1, 5)
RULES = TeamRules()


def candidate(name: str = "data", users: float = 2000, **changes: Any) -> Candidate:
    made = Candidate(
        number=1,
        point=name,
        title=name.title(),
        option="A",
        option_title="Partition",
        effort_weeks=Interval(2, 2.5, 3),
        wall=Wall(Interval(users, users, users), "declared"),
        milestone=users * 0.75,
        needed_ratio=1.0,
    )
    return replace(made, **changes)


def case_of(*candidates: Candidate, growth: GrowthPaths | None = None, **changes: Any) -> PlanningCase:
    scenarios = changes.get("scenarios", 200)
    paths = given_growth(1000, 0.15, scenarios) if growth is None else growth
    made = PlanningCase(candidates, {}, RULES, (), (), paths, "early", MADE_ON, 0, scenarios)
    return replace(made, **changes)


def drawn(scenarios: int = 200, weeks: int = 300, seed: int = 0) -> GrowthPaths:
    """Paths of about 1.5 % a week, each with its own rate."""
    rng = np.random.default_rng(seed)
    steps = 0.015 * np.exp(0.4 * rng.standard_normal((scenarios, 1))) + 0.02 * rng.standard_normal((scenarios, weeks))
    logs = math.log(1000) + np.concatenate([np.zeros((scenarios, 1)), np.cumsum(steps, axis=1)], axis=1)
    return drawn_growth(logs, 0.0, 3.5 * DAY, Interval(0.04, 0.067, 0.1))


def test_given_growth_reaches_a_wall_on_the_day_the_formula_says() -> None:
    paths = given_growth(1000, 0.15, 3)
    exactly = math.log(60) / math.log(1.15) * DAYS_PER_MONTH
    assert paths.day_of(60_000).tolist() == [math.floor(exactly)] * 3
    assert paths.users_on(np.array([math.floor(exactly)]))[0, 0] == pytest.approx(
        1000 * 1.15 ** (math.floor(exactly) / DAYS_PER_MONTH)
    )
    assert paths.day_of(1000).tolist() == [0, 0, 0]
    assert paths.day_of(999).tolist() == [0, 0, 0]


@pytest.mark.parametrize("growth", [0.0, -0.05])
def test_without_growth_nothing_new_is_ever_reached(growth: float) -> None:
    assert given_growth(1000, growth, 2).day_of(1001).tolist() == [NEVER, NEVER]


@given(st.floats(0, 2), st.floats(0, 2), st.floats(10, 1e6))
def test_more_growth_never_gives_a_later_wall_day(one: float, other: float, wall: float) -> None:
    slow, fast = sorted((one, other))
    assert given_growth(1000, fast, 1).day_of(wall)[0] <= given_growth(1000, slow, 1).day_of(wall)[0]


@settings(max_examples=40)
@given(st.floats(0, 2), st.floats(0, 2), st.floats(1000, 1e6))
def test_drawn_paths_slowed_less_never_reach_a_wall_later(one: float, other: float, wall: float) -> None:
    paths = drawn(scenarios=20)
    slow, fast = sorted((one, other))
    assert (paths.slowed(fast).day_of(wall) <= paths.slowed(slow).day_of(wall)).all()


def test_slowed_by_one_is_the_same_and_by_nothing_is_no_growth() -> None:
    for paths in (drawn(), given_growth(1000, 0.1, 5)):
        assert np.allclose(paths.slowed(1).users, paths.users)
        assert paths.slowed(1).per_month.mid == pytest.approx(paths.per_month.mid)
        assert (paths.slowed(0).day_of(paths.users[:, 0] * 1.01) == NEVER).all()
        assert paths.slowed(0).per_month.mid == 0


def test_drawn_paths_begin_at_day_zero_and_never_fall() -> None:
    logs = np.log(np.array([[100.0, 200.0, 150.0, 400.0]]))
    paths = drawn_growth(logs, 0.0, WEEK / 2, Interval(0.1, 0.1, 0.1))
    assert paths.days.tolist() == [0, 7, 14]
    assert paths.users[0].tolist() == pytest.approx([math.sqrt(100 * 200), 200, math.sqrt(200 * 400)])
    assert paths.day_of(200).tolist() == [7]
    assert paths.day_of(401).tolist() == [NEVER]
    assert paths.users_on(np.array([0, 7, 14, 900]))[0].tolist() == pytest.approx([*paths.users[0], paths.users[0, -1]])


def test_a_day_of_a_path_agrees_with_the_users_on_that_day() -> None:
    paths = drawn()
    wall = 5000.0
    days = paths.day_of(wall)
    reached = np.flatnonzero((days > 0) & (days < NEVER))
    for row in reached[:50]:
        users = paths.users_on(np.array([days[row], days[row] + 1]))[row]
        assert users[0] <= wall * (1 + 1e-9)
        assert users[1] >= wall * (1 - 1e-9)


def test_the_luck_of_a_point_is_its_own() -> None:
    one, two = candidate("data"), candidate("state", 10_000, needed_ratio=0.5)
    alone, together = case_of(two), case_of(one, two)
    assert (effort_days(alone, two) == effort_days(together, two)).all()
    assert (is_needed(alone, two) == is_needed(together, two)).all()
    assert (effort_days(together, one) != effort_days(together, two)).any()


@settings(max_examples=30)
@given(st.floats(0.5, 20), st.floats(0, 10), st.floats(1, 3))
def test_more_effort_is_more_in_every_scenario(low: float, wider: float, factor: float) -> None:
    case = case_of(scenarios=50)
    short = candidate(effort_weeks=Interval(low, low + wider / 2, low + wider))
    longer = replace(short, option="B", effort_weeks=short.effort_weeks.scaled(factor))
    assert (effort_days(case, short) <= effort_days(case, longer)).all()


def test_what_is_needed_more_surely_is_needed_wherever_it_was() -> None:
    case = case_of(scenarios=2000)
    half, most = (is_needed(case, candidate(needed_ratio=ratio)) for ratio in (0.5, 0.8))
    assert (most | ~half).all()
    assert half.mean() == pytest.approx(0.5, abs=0.05)
    assert is_needed(case, candidate(needed_ratio=1.0)).all()
    assert not is_needed(case, candidate(needed_ratio=0.0)).any()


def test_declared_bounds_of_an_effort_are_its_tenth_and_ninetieth_percentile() -> None:
    days = effort_days(case_of(scenarios=20_000), candidate(effort_weeks=Interval(10, 14, 16)))
    assert np.quantile(days, [0.1, 0.5, 0.9]) == pytest.approx([70, 98, 112], abs=1.5)
    assert set(effort_days(case_of(), candidate(effort_weeks=Interval(10, 10, 10))).tolist()) == {70}


def test_a_declared_wall_is_exact_and_a_measured_one_is_drawn() -> None:
    case = case_of(scenarios=5000)
    assert len(set(wall_days(case, candidate()).tolist())) == 1
    wall = Wall(Interval(1500, 2000, 4000), "measured")
    days = wall_days(case, candidate(wall=wall))
    users = 1000 * 1.15 ** (np.quantile(days, [0.1, 0.5, 0.9]) / DAYS_PER_MONTH)
    assert users == pytest.approx([1500, 2000, 4000], rel=0.05)


def test_a_wall_without_an_upper_bound_is_as_wide_above_as_below() -> None:
    case = case_of()
    open_ended, closed = (
        candidate(wall=Wall(Interval(1500, 2000, high), "measured")) for high in (math.inf, 2000 * 2000 / 1500)
    )
    assert (wall_days(case, open_ended) == wall_days(case, closed)).all()


def test_shed_load_moves_walls_and_not_milestones() -> None:
    case = case_of(candidate())
    shed = replace(case, load_share=0.8)
    assert (wall_days(shed, candidate()) == case.growth.day_of(2500)).all()
    assert (milestone_days(shed, candidate()) == milestone_days(case, candidate())).all()


def test_under_at_milestone_nothing_starts_before_its_milestone_or_its_wall() -> None:
    late_milestone = candidate("state", 2000, milestone=3000)
    problem = problem_of(case_of(candidate(), late_milestone, start_rule="at-milestone"))
    growth = given_growth(1000, 0.15, 1)
    assert set(problem.releases[0].tolist()) == {growth.day_of(1500)[0]}
    assert set(problem.releases[1].tolist()) == {growth.day_of(2000)[0]}
    assert not problem_of(case_of(candidate(), late_milestone)).releases.any()


def test_what_growth_never_gets_to_is_not_needed() -> None:
    growth = drawn()
    far = candidate(users=100_000)
    problem = problem_of(case_of(far, growth=growth))
    reached = growth.day_of(75_000) < NEVER
    assert 0 < reached.sum() < reached.size
    assert (problem.needed[0] == reached).all()
    assert problem.releases.max() == 0


def test_a_problem_in_figures() -> None:
    past = candidate("old", 900, past=True, needed_ratio=1.0)
    tune = candidate("data", 2000, option="tune", major=False)
    problem = problem_of(case_of(past, tune))
    assert problem.gap == 183
    assert problem.judged.tolist() == [False, True]
    assert problem.major.tolist() == [True, False]
    assert problem.free.tolist() == [1]
    assert set(problem.walls[0].tolist()) == {0}
    assert problem.horizon >= problem.walls.max()


def test_weights_are_money_a_day_where_it_is_known() -> None:
    known = candidate(prices=Prices(early=1000, late=4000))
    saving = candidate("state", prices=Prices(early=-100))
    early, late = weights(case_of(known, saving, candidate("other"), bill_now=500.0))
    assert early * DAYS_PER_MONTH == pytest.approx([1000, 0, 500])
    assert late * DAYS_PER_MONTH == pytest.approx([4000, 5000, 5000])
    early, late = weights(case_of(candidate()))
    assert (early * DAYS_PER_MONTH, late * DAYS_PER_MONTH) == (pytest.approx([1]), pytest.approx([10]))


def test_other_rules_change_efforts_that_hold_the_learning_buffer() -> None:
    new, known = candidate("data", new_to_team=True), candidate("state")
    case = case_of(new, known, alternatives={"data": (replace(new, option="B"),)})
    without = with_rules(case, replace(RULES, learning_buffer=0.0))
    assert without.candidates[0].effort_weeks.mid == pytest.approx(2.0)
    assert without.candidates[1].effort_weeks.mid == 2.5
    assert without.alternatives["data"][0].effort_weeks.mid == pytest.approx(2.0)
    assert with_rules(without, RULES).candidates[0].effort_weeks.mid == pytest.approx(2.5)


@st.composite
def times_off(draw: st.DrawFn) -> TimeOff:
    start = MADE_ON + timedelta(days=draw(st.integers(-20, 40)))
    end = start + timedelta(days=draw(st.integers(0, 20)))
    kind = draw(st.sampled_from(["absence", "freeze"]))
    who = draw(st.sampled_from([None, "Ada", "Bo"])) if kind == "absence" else None
    return TimeOff.model_validate({"kind": kind, "from": start, "to": end, "who": who})


@given(st.lists(times_off(), max_size=5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2))
def test_free_people_are_those_the_calendar_and_the_rules_leave(
    calendar: list[TimeOff], people: int, simultaneous: int, operational: int
) -> None:
    rules = TeamRules(people=people, simultaneous=simultaneous, always_operational=operational)
    free = free_people(rules, tuple(calendar), MADE_ON)
    assert free[-1] == rules.hands
    for day in range(80):
        on = MADE_ON + timedelta(days=day)
        today = [off for off in calendar if off.from_ <= on <= off.to]
        absent = len({off.who for off in today if off.who}) + sum(
            off.kind == "absence" and off.who is None for off in today
        )
        expected = max(0, min(simultaneous, people - absent - operational))
        if any(off.kind == "freeze" for off in today):
            expected = 0
        assert free[min(day, free.size - 1)] == expected
