"""Laws of the compared policies: the team's rules hold for all of them, none looks ahead, and figures add up."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.policies import Tally, resampled, sums, tally
from benchmarks.policy_doubt import Doubt, come_true, placed_in_doubt
from benchmarks.policy_rules import (
    GAP_DAYS,
    POLICIES,
    Course,
    Deadline,
    Planned,
    Trigger,
    carry_out,
    hindsight,
    problem_known,
    relaxed,
)
from benchmarks.policy_world import END, HORIZON, GrowthHistory, Rewrite, declared, history_of
from benchmarks.simulator import FIRST_FRESH_SEED
from outgrow.quantities import DAY
from outgrow.schedule.records import NEVER, Placement
from outgrow.schedule.simulation import expected_cost, simulate
from outgrow.schedule.solver import solve

seeds = st.integers(0, FIRST_FRESH_SEED - 1)


def with_rewrite(history: GrowthHistory, **changes: object) -> GrowthHistory:
    """The history with its first rewrite alone, changed."""
    return replace(history, rewrites=(replace(history.rewrites[0], **changes),))  # type: ignore[arg-type]


def altered_after(history: GrowthHistory, day: int) -> GrowthHistory:
    """Another future from ``day`` on: users, walls, triggers and efforts that nobody can know by then."""
    measured = history.measured
    later = measured.times >= history.now + day * DAY
    values = np.where(later, 3 * measured.values, measured.values)
    log_users = np.where(np.arange(END + 1) > day, history.log_users + 1.0, history.log_users)

    def other(rewrite: Rewrite) -> Rewrite:
        days = {name: getattr(rewrite, name) for name in ("wall", "fires", "learned")}
        moved = {name: at if at <= day else at + 17 for name, at in days.items()}
        return replace(rewrite, **moved)

    weeks = math.floor((history.now + day * DAY - 4 * DAY) / (7 * DAY)) - history.weekly.first_week
    weekly = replace(
        history.weekly,
        values=np.where(np.arange(len(history.weekly)) >= weeks, 3 * history.weekly.values, history.weekly.values),
    )
    return replace(
        history,
        measured=replace(measured, values=values),
        log_users=log_users,
        weekly=weekly,
        rewrites=tuple(other(each) for each in history.rewrites),
    )


@given(seed=seeds)
@settings(max_examples=12, deadline=None)
def test_a_history_is_what_it_says(seed: int) -> None:
    history, again = history_of(seed), history_of(seed)
    assert history.rewrites == again.rewrites
    assert np.array_equal(history.measured.values, again.measured.values)
    assert history.log_users.size == END + 1
    for rewrite in history.rewrites:
        assert rewrite.true_wall > math.exp(history.log_users[0])
        if rewrite.wall < NEVER:
            assert history.log_users[rewrite.wall] >= math.log(rewrite.true_wall)
            assert history.log_users[rewrite.wall - 1] < math.log(rewrite.true_wall)
            assert rewrite.fires <= rewrite.wall
        if not rewrite.needed:
            assert rewrite.wall == rewrite.fires == NEVER


def test_options_and_prices_are_those_of_the_template() -> None:
    candidates, rules, bill_now = declared()
    assert [each.prices.early for each in candidates] == [1000, 1500, 3000, 9000]
    assert [each.wall.users.mid for each in candidates] == [2000, 10000, 20000, 60000]
    assert [each.needed_ratio for each in candidates] == [1.0, 0.8, 0.5, 0.2]
    assert bill_now == 500
    assert rules.hands == 1


def test_a_wall_is_measured_neither_too_surely_nor_too_shyly() -> None:
    inside = [
        interval.low <= rewrite.true_wall <= interval.high
        for history in map(history_of, range(400))
        for rewrite in history.rewrites[-1:]
        for interval in [history.wall_known(replace(rewrite, fires=NEVER), 0)]
    ]
    assert np.mean(inside) == pytest.approx(0.8, abs=0.06)


@given(seed=seeds, day=st.integers(0, HORIZON))
@settings(max_examples=15, deadline=None)
def test_what_is_known_of_a_wall_lies_above_the_users_there_have_been(seed: int, day: int) -> None:
    history = history_of(seed)
    for rewrite in history.rewrites:
        known = history.wall_known(rewrite, day)
        assert known.low <= known.mid <= known.high
        if rewrite.wall > day:
            assert known.low >= math.exp(history.log_users[day]) * (1 - 1e-9)
        else:
            assert known.mid == rewrite.true_wall


@given(seed=seeds, day=st.integers(1, HORIZON))
@settings(max_examples=10, deadline=None)
def test_no_policy_looks_ahead(seed: int, day: int) -> None:
    """Whatever begins before a day begins all the same when everything after that day is different."""
    history = history_of(seed)
    other = altered_after(history, day)
    for policy in (Deadline, Planned):
        first = policy("high") if policy is Deadline else policy(91, 0.95, scenarios=20)
        second = policy("high") if policy is Deadline else policy(91, 0.95, scenarios=20)
        before = {index: at for index, at in carry_out(history, first).starts.items() if at < day}
        assert before == {index: at for index, at in carry_out(other, second).starts.items() if at < day}


@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_the_rules_of_the_team_hold_for_every_policy(seed: int) -> None:
    history = history_of(seed)
    courses = [carry_out(history, make()) for make in list(POLICIES.values())[:5]] + [hindsight(history)]
    for course in courses:
        ordered = sorted(course.starts.items(), key=lambda each: each[1])
        for (index, start), (_, following) in pairwise(ordered):
            assert following >= start + GAP_DAYS
            end = course.finishes.get(index, start + course.stopped.get(index, 0))
            assert following >= end
        for index, finish in course.finishes.items():
            assert finish >= course.starts[index] + history.rewrites[index].effort
        for index, start in course.starts.items():
            rewrite = history.rewrites[index]
            assert rewrite.needed or start < rewrite.learned
        assert not set(course.finishes) & set(course.stopped)


def test_the_trigger_begins_when_it_fires_and_stops_nothing() -> None:
    history = next(each for each in map(history_of, range(99)) if each.rewrites[0].due)
    history = with_rewrite(history, fires=100, wall=400, learned=50, effort=60)
    course = carry_out(history, Trigger())
    assert course.starts == {0: 105}
    assert course.finishes == {0: 165}


def test_what_turns_out_not_to_be_needed_is_stopped_that_week() -> None:
    history = next(each for each in map(history_of, range(99)) if each.rewrites[0].due)
    history = with_rewrite(history, needed=False, wall=NEVER, fires=NEVER, learned=20, effort=60)

    class AtOnce:
        def choose(self, history: GrowthHistory, course: Course, day: int) -> int | None:
            return min(course.open(history, day), default=None)

    course = carry_out(history, AtOnce())
    assert course.starts == {0: 0}
    assert course.stopped == {0: 21}
    assert course.finishes == {}
    late = with_rewrite(history, learned=200)
    assert carry_out(late, AtOnce()).finishes == {0: 60}
    told = tally(late, carry_out(late, AtOnce()), Course())
    assert told.early == pytest.approx(1000 * (HORIZON - 60) / 30.4375)
    assert told.idle_weeks == pytest.approx(60 / 7)
    assert told.due == 0


def test_time_and_money_are_counted_as_said() -> None:
    history = next(each for each in map(history_of, range(99)) if each.rewrites[0].due)
    history = with_rewrite(history, wall=400)
    in_time = tally(history, Course({0: 100}, {0: 300}), Course({0: 331}, {0: 400}))
    assert (in_time.due, in_time.in_time, in_time.breach) == (1, 1, 0)
    assert in_time.early == pytest.approx(1000 * 100 / 30.4375)
    assert in_time.regrets == (-33,)
    late = tally(history, Course({0: 400}, {0: 500}), Course({0: 331}, {0: 400}))
    assert (late.in_time, late.early) == (0, 0)
    assert late.breach == pytest.approx(10_000 * 100 / 30.4375)
    never = tally(history, Course(), Course({0: 331}, {0: 400}))
    assert never.late_months == pytest.approx((END - 400) / 30.4375)
    table = sums([in_time, late, never], resampled(3))
    assert table.in_time_ratio()[0] == pytest.approx(1 / 3)
    assert table.mean_late()[0] == pytest.approx((late.late_months + never.late_months) / 2)
    assert table.total(4)[0] == pytest.approx((in_time.early + 4 * (late.breach + never.breach)) / 3)


def test_histories_without_a_rewrite_due_count_for_money_alone() -> None:
    quiet = Tally(0, 0, 0.0, 500.0, 0.0, 0.0, ())
    busy = Tally(2, 2, 0.0, 100.0, 0.0, 0.0, (0.0, 0.0))
    table = sums([quiet, busy], resampled(2))
    assert table.all_ratio()[0] == 1.0
    assert table.total()[0] == 300.0


@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_nobody_is_in_time_more_often_than_with_perfect_foresight_where_all_can_be(seed: int) -> None:
    history = history_of(seed)
    best = hindsight(history)
    if all(best.finishes[index] <= each.wall for index, each in enumerate(history.rewrites) if each.due):
        return
    for make in list(POLICIES.values())[:5]:
        course = carry_out(history, make())
        due = [index for index, each in enumerate(history.rewrites) if each.due]
        assert any(course.finishes.get(index, NEVER) > history.rewrites[index].wall for index in due)


@given(seed=seeds)
@settings(max_examples=6, deadline=None)
def test_giving_up_a_little_chance_never_costs_more_and_keeps_its_share(seed: int) -> None:
    history = history_of(seed)
    problem, _ = problem_known(history, tuple(Course().open(history, 0)), 0, 40, False)
    solution = solve(problem, effort_limit=1.0)
    first, second = simulate(problem, solution.placement), simulate(problem, relaxed(problem, solution, 0.9))
    assert expected_cost(problem, second) <= expected_cost(problem, first) + 1e-6
    kept = [np.all(each.in_time | ~problem.judged[:, None], axis=0).sum() for each in (first, second)]
    assert kept[1] >= 0.9 * kept[0] - 1e-9


@given(seed=seeds)
@settings(max_examples=6, deadline=None)
def test_without_doubt_both_reckonings_agree(seed: int) -> None:
    """Where need is known from the start, what is begun is what the solver takes it to be."""
    history = history_of(seed)
    problem, learned = problem_known(history, tuple(Course().open(history, 0)), 0, 40, False)
    placement = solve(problem, effort_limit=1.0).placement
    known = Doubt(problem, np.zeros_like(learned), problem.horizon)
    kept, cost = come_true(known, placement.order, np.array([placement.start]))
    outcome = simulate(problem, placement)
    assert kept[0] == np.all(outcome.in_time, axis=0).sum()
    assert cost[0] == pytest.approx(expected_cost(problem, outcome), rel=1e-9, abs=1e-6)
    doubtful = Doubt(problem, learned, HORIZON)
    placed = placed_in_doubt(doubtful, placement, 0.95)
    assert isinstance(placed, Placement)
    assert sorted(placed.order) == sorted(placement.order)
