"""From a placement to what people read: starts and what holds them, dates, people, prototypes, and the digest."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.points.declaration import TimeOff
from outgrow.quantities import Interval
from outgrow.schedule.assembly import assign, digest_of_case, middle, people_of, planned_rewrites, quantile
from outgrow.schedule.inputs import TeamRules
from outgrow.schedule.records import NEVER, Candidate, Placement, PlannedRewrite, Solution, Wall
from outgrow.schedule.scenarios import PlanningCase, given_growth, problem_of
from outgrow.schedule.simulation import in_time_ratio, simulate

MADE_ON = date(2026, 1, 5)


def candidate(number: int, users: float, weeks: float = 10, **changes: Any) -> Candidate:
    made = Candidate(
        number=number,
        point=f"point-{number}",
        title=f"Point {number}",
        option="A",
        option_title="Way A",
        effort_weeks=Interval(weeks, weeks, weeks),
        wall=Wall(Interval(users, users, users), "declared"),
        milestone=users * 0.8,
        needed_ratio=1.0,
    )
    return replace(made, **changes)


def case_of(*candidates: Candidate, growth: float = 0.1, scenarios: int = 100, **changes: Any) -> PlanningCase:
    paths = given_growth(1000, growth, scenarios)
    made = PlanningCase(candidates, {}, TeamRules(), (), (), paths, "early", MADE_ON, 0, scenarios)
    return replace(made, **changes)


TWO = (candidate(1, 3000), candidate(2, 10_000))


def read(case: PlanningCase, *starts: int, lanes: tuple[int, ...] | None = None) -> tuple[PlannedRewrite, ...]:
    """What people read of the candidates in their order, planned for these days."""
    count = len(case.candidates)
    placement = Placement(tuple(range(count)), lanes or (0,) * count, starts)
    problem = problem_of(case)
    outcome = simulate(problem, placement)
    chance = in_time_ratio(problem, outcome)
    latest = tuple(start + 14 for start in starts)
    solution = Solution(placement, chance, chance, 0.0, 0.0, latest, "optimal", 0.0, 1.0, 0)
    return planned_rewrites(case, problem, solution, outcome)


def day(when: date | None) -> int:
    assert when is not None
    return (when - MADE_ON).days


def test_dates_of_a_plan() -> None:
    first, second = read(case_of(*TWO), 14, 210)
    assert [day(each) for each in first.finish] == [14 + 70] * 3
    assert [day(first.start), *(day(each) for each in first.start_window)] == [14, 0, 280]
    assert [day(second.start), *(day(each) for each in second.start_window)] == [210, 14 + 183, 665]
    assert day(first.wall[1]) == problem_of(case_of(*TWO)).walls[0, 0]
    assert (first.in_time_ratio, second.in_time_ratio) == (1.0, 1.0)
    assert day(first.decide_by) == 14  # users reach its milestone later, but beginning is deciding
    assert day(second.decide_by) == min(210, case_of(*TWO).growth.day_of(TWO[1].milestone)[0])


def test_a_start_that_cannot_be_as_planned_is_said_as_it_will_be() -> None:
    second = read(case_of(*TWO), 0, 0)[1]
    assert day(second.start) == 183
    assert day(second.start_window[1]) == 665


@pytest.mark.parametrize(
    ("case", "starts", "said"),
    [
        (case_of(*TWO), (0, 189), ("", "6 months after the start of Point 1")),
        (case_of(*TWO), (7, 210), ("so late on purpose: infrastructure is not paid too early",) * 2),
        (case_of(candidate(1, 3000, 40), TWO[1]), (0, 0), ("", "Point 1 is finished first")),
        (
            case_of(*TWO, start_rule="at-milestone"),
            (0, 0),
            ("users reach 2,400 first", "users reach 8,000 first"),
        ),
        (case_of(TWO[0], candidate(2, 10_000, option="tune", major=False)), (0, 70), ("", "Point 1 is finished first")),
    ],
)
def test_what_holds_a_start(case: PlanningCase, starts: tuple[int, ...], said: tuple[str, ...]) -> None:
    assert tuple(each.held_by for each in read(case, *starts)) == said


def test_what_is_seldom_needed_does_not_hold_what_comes_after() -> None:
    seldom = candidate(1, 3000, needed_ratio=0.2)
    first, second = read(case_of(seldom, TWO[1]), 0, 0)
    assert second.held_by == ""
    assert day(second.start) == 0
    assert [day(each) for each in second.starts] == [0, 0, 183]
    assert day(first.finish[0]) == 70


def test_what_is_not_reached_has_no_date() -> None:
    far = candidate(2, 1e20, needed_ratio=1.0, milestone=3000.0)
    rewrite = read(case_of(TWO[0], far), 0, 189)[1]
    assert rewrite.wall == (None, None, None)
    assert rewrite.in_time_ratio == 1.0
    assert read(case_of(TWO[0], replace(far, milestone=1e20)), 0, 189)[1].finish == (None, None, None)


def test_a_wall_that_is_past_is_no_question_of_chance() -> None:
    past = candidate(1, 900, past=True)
    first = read(case_of(past, TWO[1]), 0, 189)[0]
    assert first.in_time_ratio is None
    assert first.start_window == (MADE_ON, MADE_ON)


def test_tune_needs_no_prototype() -> None:
    tune = candidate(1, 3000, 1, option="tune", major=False)
    first, second = read(case_of(tune, TWO[1]), 0, 189)
    assert first.prototype is None
    assert second.prototype is not None
    assert day(second.prototype.finish) == 189


def test_two_people_take_turns() -> None:
    four = tuple(candidate(number, 3000.0 * number) for number in range(1, 5))
    case = case_of(*four, names=("Ada", "Bo"))
    assert [each.who for each in read(case, 0, 190, 380, 570)] == ["Ada", "Bo", "Ada", "Bo"]


def test_the_absent_one_is_not_asked_if_it_can_be_avoided() -> None:
    start = MADE_ON + timedelta(days=10)
    away = TimeOff.model_validate({"from": start, "to": start + timedelta(days=5), "who": "Ada"})
    case = case_of(*TWO, names=("Ada", "Bo"), calendar=(away,))
    assert [each.who for each in read(case, 0, 189)] == ["Bo", "Ada"]


def test_nobody_does_two_rewrites_at_once() -> None:
    rules = TeamRules(people=3, simultaneous=2, months_between=0)
    case = case_of(*TWO, candidate(3, 20_000), rules=rules, names=("Ada",))
    assert people_of(case) == ("Ada", "person 2", "person 3")
    assert [each.who for each in read(case, 0, 10, 80, lanes=(0, 1, 0))] == ["Ada", "person 2", "person 3"]


def test_who_is_busy_is_not_asked_even_if_all_others_are_away_for_a_day() -> None:
    day_off = {"from": MADE_ON + timedelta(days=30), "to": MADE_ON + timedelta(days=30)}
    calendar = tuple(TimeOff.model_validate({**day_off, "who": who}) for who in ("Bo", "Cy"))
    rules = TeamRules(people=3, simultaneous=2, months_between=0)
    case = case_of(*TWO, rules=rules, names=("Ada", "Bo", "Cy"), calendar=calendar)
    assert [each.who for each in read(case, 0, 10, lanes=(0, 1))] == ["Ada", "Bo"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 600), min_size=3, max_size=3), st.integers(2, 4))
def test_who_is_free_is_found_whenever_there_is_one(starts: list[int], people: int) -> None:
    rules = TeamRules(people=people, simultaneous=people - 1, months_between=0)
    case = case_of(*TWO, candidate(3, 20_000), rules=rules)
    lanes = tuple(index % (people - 1) for index in range(3))
    placement = Placement((0, 1, 2), lanes, tuple(starts))
    outcome = simulate(problem_of(case), placement)
    who = assign(case, placement, outcome)
    spans = [(middle(outcome.starts[row]), middle(outcome.finishes[row]), who[row]) for row in range(3)]
    for one in range(3):
        for other in range(one):
            if spans[one][2] == spans[other][2]:
                assert spans[one][0] >= spans[other][1] or spans[other][0] >= spans[one][1]


def test_order_statistics_of_days() -> None:
    days = np.array([5, NEVER, 1, 3, 2])
    assert [quantile(days, share) for share in (0.0, 0.5, 1.0)] == [1, 3, NEVER]
    assert middle(days) == 3
    assert quantile(days[:0], 0.5) == NEVER


def test_the_digest_names_what_a_plan_rests_on() -> None:
    case = case_of(*TWO)
    same = digest_of_case(case_of(*TWO), 0.8, None)
    assert digest_of_case(case, 0.8, None) == same
    changed = [
        replace(case, seed=1),
        replace(case, candidates=TWO[:1]),
        replace(case, growth=given_growth(1000, 0.11, 100)),
        replace(case, start_rule="at-milestone"),
        replace(case, made_on=MADE_ON + timedelta(days=1)),
        replace(case, calendar=(TimeOff.model_validate({"from": MADE_ON, "to": MADE_ON}),)),
    ]
    digests = {same, digest_of_case(case, 0.9, None), *(digest_of_case(each, 0.8, None) for each in changed)}
    assert len(digests) == len(changed) + 2


def test_the_digest_is_the_same_in_another_process() -> None:
    script = (
        "from outgrow.points.reading import parse_declaration\n"
        "from outgrow.points.templates import template_text\n"
        "from outgrow.planning import PlanRequest, make_plan\n"
        "file = parse_declaration(template_text('venture-platform'))\n"
        "request = PlanRequest(users=1000, growth_per_month=0.15, scenarios=20, gives=False)\n"
        "digest = make_plan(file, None, request, now=1.79e9).digest\n"
    )
    here: dict[str, str] = {}
    exec(script, here)
    there = subprocess.run(
        [sys.executable, "-c", f"{script}print(digest)"],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == here["digest"]
    assert len(here["digest"]) == 32
