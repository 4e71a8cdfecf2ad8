"""What gives in a plan: the known growth limits, the order, and that each relaxation buys what it says."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.points.declaration import TimeOff
from outgrow.points.reading import parse_declaration
from outgrow.points.templates import template_text
from outgrow.quantities import Interval
from outgrow.schedule.candidates import choose, priced
from outgrow.schedule.inputs import TeamRules, rules_of
from outgrow.schedule.limit import Assumption
from outgrow.schedule.records import Candidate, Placement, Prices, Relaxed, Solution, StartRule, Wall
from outgrow.schedule.relaxations import known_limit, relax, with_option
from outgrow.schedule.scenarios import PlanningCase, given_growth, problem_of, with_rules
from outgrow.schedule.simulation import expected_cost, in_time_ratio, simulate
from outgrow.schedule.solver import solve

TEMPLATE = parse_declaration(template_text("venture-platform"))
MADE_ON = date(2026, 1, 5)
NOTHING = Solution(Placement((), (), ()), 0, 0, 0, 0, (), "optimal", 0, 0, 1)
"""The plan of a team of which nobody is free."""


def case_of(
    growth: float,
    pins: Mapping[str, str] | None = None,
    start_rule: StartRule = "early",
    rules: TeamRules | None = None,
) -> PlanningCase:
    team = rules or rules_of(TEMPLATE)
    chosen = choose(TEMPLATE.points, team, 1000, pinned=pins or {}, decided={}, measured={})
    paths = given_growth(1000, growth, 200)
    return priced(
        PlanningCase(
            chosen.candidates, chosen.alternatives, team, (), (), paths, start_rule, MADE_ON, 1, 200, bill_now=500
        )
    )


def gives_of(case: PlanningCase, wanted_ratio: float = 0.8) -> tuple[Relaxed, ...]:
    return relax(case, wanted_ratio, solve(problem_of(case)))


def exhaustive(case: PlanningCase) -> float:
    """The best chance over all orders and lanes, started at once."""
    problem = problem_of(case)
    count, lanes = len(case.candidates), max(1, min(int(problem.free.max()), len(case.candidates)))
    return max(
        in_time_ratio(problem, simulate(problem, Placement(order, lane, (0,) * count)))
        for order in itertools.permutations(range(count))
        for lane in itertools.product(range(lanes), repeat=count)
    )


def of_kind(gives: tuple[Relaxed, ...], kind: str, words: str = "") -> Relaxed:
    return next(give for give in gives if give.kind == kind and words in give.change)


def test_a_plan_that_reaches_the_wanted_chance_gives_nothing() -> None:
    assert gives_of(case_of(0.15)) == ()
    case = case_of(0.25)
    own = solve(problem_of(case))
    assert relax(case, own.in_time_ratio, own) == ()
    assert relax(case, own.in_time_ratio + 0.01, own) != ()


def test_what_gives_as_it_is_read() -> None:
    case = case_of(0.3, {"data-architecture": "B"}, "at-milestone")
    assert [give.change for give in gives_of(case)] == [
        "tune the store that is there instead of migrate at Data architecture "
        "(tune: ½–1 weeks instead of B: 7.5–10), if a measurement shows that it is enough",
        "tune what is there instead of client store at State management "
        "(tune: 1–2 weeks instead of A: 3–4), if a measurement shows that it is enough",
        "tune what is there instead of services and workers at Backend architecture "
        "(tune: 1–2 weeks instead of A: 7.5–10), if a measurement shows that it is enough",
        "tune what is there instead of multi-region at Distribution "
        "(tune: 1–2 weeks instead of A: 15–20), if a measurement shows that it is enough",
        "partition instead of migrate at Data architecture (A: 2–3 weeks instead of B: 7.5–10)",
        "start as early as the team rules allow, without waiting for the milestones",
        "a third person (what that costs is not declared: costs.person_week)",
        "no time between the starts of major rewrites instead of 6 months",
        "without the 25 % more time for what is new to the team",
        "2 rewrites at a time instead of 1 (alone it changes nothing: nobody else is free)",
        "nobody kept operational instead of 1 (alone it helps on days off only: one rewrite at a time)",
        "shed 50 % of the load",
        "grow by 11.9 % a month at most, instead of 30 %",
        "grow by 19.8 % a month at most: the limit when everything may start as early as the team rules allow, "
        "if all are needed and take their longest",
        "grow by 9.2 % a month at most: the limit when every rewrite waits for its milestone, "
        "if all are needed and take their longest (4A alone sets it)",
    ]


@pytest.mark.parametrize(
    ("point", "option", "percent"),
    [
        ("distribution", "A", 9.2),
        ("distribution", "B", 4.5),
        ("data-architecture", "B", 13.3),
        ("state-management", "B", 13.2),
        ("backend-architecture", "C", 7.7),
    ],
)
def test_the_known_limit_of_one_rewrite_at_its_milestone(point: str, option: str, percent: float) -> None:
    case = case_of(0.15, {point: option})
    (alone,) = (each for each in case.candidates if each.point == point)
    limit = known_limit((alone,), case.rules, 1000, "at-milestone")
    assert limit.low == pytest.approx(percent / 100, abs=0.0005)


@pytest.mark.parametrize(
    ("pins", "early", "at_milestone", "setter"),
    [
        ({}, 19.8, 9.2, "4A"),
        ({"distribution": "B"}, 16.2, 4.5, "4B"),
        ({"backend-architecture": "C"}, 17.1, 7.6, "3C"),
        ({"data-architecture": "B", "state-management": "B"}, 19.8, 9.2, "4A"),
    ],
)
def test_the_known_limits_of_the_plan_under_both_assumptions(
    pins: Mapping[str, str], early: float, at_milestone: float, setter: str
) -> None:
    gives = gives_of(case_of(0.4, pins))
    limits = {give.assumption: give for give in gives[-2:]}
    told: dict[Assumption, float] = {"early": early, "at-milestone": at_milestone}
    for assumption, percent in told.items():
        give = limits[assumption]
        assert give.kind == "slower-growth"
        assert give.growth_per_month is not None
        assert int(give.growth_per_month * 1000) / 10 == percent
        assert f"grow by {percent:g} % a month" in give.change
        assert give.enough
    assert limits["at-milestone"].change.endswith(f"({setter} alone sets it)")


def test_a_limit_above_the_growth_there_is_asks_for_no_slower_growth() -> None:
    *_, early, at_milestone = gives_of(case_of(0.15, start_rule="at-milestone"))
    assert early.change.startswith("grow as now: 19.8 % a month is the limit when everything may start as early as")
    assert early.in_time_ratio == exhaustive(case_of(0.15))
    assert at_milestone.change.startswith("grow by 9.2 % a month at most: the limit when every rewrite waits")


def test_a_rule_gives_no_more_than_it_must() -> None:
    case = case_of(0.25)
    give = of_kind(gives_of(case), "team-rule", "between the starts")
    months = float(give.change.split()[0])
    assert give.enough
    assert 0 < months < 6
    longer = with_rules(case, replace(case.rules, months_between=months + 0.5))
    assert exhaustive(longer) < 0.8 <= exhaustive(with_rules(case, replace(case.rules, months_between=months)))


def test_no_more_load_is_shed_than_must_be() -> None:
    case = case_of(0.25)
    give = of_kind(gives_of(case), "shed-load")
    share = int(give.change.split()[1]) / 100
    assert give.enough
    assert exhaustive(replace(case, load_share=1 - share)) == give.in_time_ratio
    assert exhaustive(replace(case, load_share=1 - share + 0.05)) < 0.8


def test_growth_is_slowed_no_more_than_must_be() -> None:
    case = case_of(0.25)
    give = next(give for give in gives_of(case) if give.kind == "slower-growth")
    assert give.growth_per_month is not None
    assert give.enough
    assert give.assumption == "early"
    assert exhaustive(replace(case, growth=given_growth(1000, give.growth_per_month, 200))) == give.in_time_ratio
    assert exhaustive(replace(case, growth=given_growth(1000, give.growth_per_month + 0.002, 200))) < 0.8


def test_each_relaxation_is_solved_on_the_same_scenarios() -> None:
    case = case_of(0.15, {"distribution": "B"}, "at-milestone")
    gives = gives_of(case)
    third = with_rules(case, case.rules.with_people(3))
    assert of_kind(gives, "one-more-person").in_time_ratio == exhaustive(third)
    assert of_kind(gives, "start-earlier").in_time_ratio == exhaustive(replace(case, start_rule="early"))
    untaught = with_rules(case, replace(case.rules, learning_buffer=0))
    assert of_kind(gives, "team-rule", "without the 25 %").in_time_ratio == exhaustive(untaught)
    option = next(each for each in case.alternatives["distribution"] if each.option == "A")
    assert of_kind(gives, "cheaper-option", "multi-region").in_time_ratio == exhaustive(with_option(case, option))


def test_with_one_person_nobody_is_free_until_there_is_a_second_or_the_rule_falls() -> None:
    case = case_of(0.1, rules=replace(rules_of(TEMPLATE), people=1))
    gives = relax(case, 0.8, NOTHING)
    assert {give.kind for give in gives if give.enough} == {"one-more-person", "team-rule"}
    assert [give.change for give in gives if give.enough] == [
        "a second person (what that costs is not declared: costs.person_week)",
        "nobody kept operational instead of 1",
    ]
    assert all(give.in_time_ratio == 0 for give in gives if not give.enough)
    assert {"shed-load", "slower-growth"}.isdisjoint(give.kind for give in gives)


def test_a_gap_between_rewrites_gives_nothing_where_there_is_only_one() -> None:
    case = case_of(3.0)
    alone = replace(case, candidates=case.candidates[-1:], alternatives={})
    gives = gives_of(alone, 1.0)
    assert gives
    assert not [give for give in gives if "between the starts" in give.change]


def test_the_cost_is_money_only_where_every_price_is_known() -> None:
    assert all(give.cost is None for give in gives_of(case_of(0.25)))
    unpriced = case_of(0.25)
    prices = [Prices(early=None, late=20_000, bill=bill) for bill in (1500, 3000, 6000, 15_000)]
    case = priced(
        replace(
            unpriced,
            alternatives={},
            candidates=tuple(
                replace(each, prices=price) for each, price in zip(unpriced.candidates, prices, strict=True)
            ),
        )
    )
    own = solve(problem_of(case))
    gives = relax(case, 0.8, own)
    assert of_kind(gives, "one-more-person").cost is None
    unknown = replace(case.candidates[0], prices=replace(case.candidates[0].prices, late=None))
    partly = replace(case, candidates=(unknown, *case.candidates[1:]))
    assert all(give.cost is None for give in relax(partly, 0.8, own))
    shorter = of_kind(gives, "team-rule", "between the starts")
    months = float(shorter.change.split()[0])
    problem = problem_of(with_rules(case, replace(case.rules, months_between=months)))
    best = solve(problem)
    assert shorter.cost == pytest.approx(expected_cost(problem, simulate(problem, best.placement)), rel=0.02)
    hired = of_kind(relax(case, 0.8, own, person_week=1000), "one-more-person")
    assert hired.change == "a third person"
    assert hired.cost is not None
    assert hired.cost > own.expected_cost


def test_an_option_that_lowers_the_chance_is_no_relaxation() -> None:
    case = case_of(0.25)
    first = case.candidates[0]
    slower = replace(first, option="Z", effort_weeks=Interval(2.5, 2.7, 2.9), wall=Wall(Interval(1, 1, 1), "measured"))
    gives = gives_of(replace(case, alternatives={first.point: (slower,)}))
    assert all(give.kind != "cheaper-option" for give in gives)


def test_the_absence_of_one_of_two_closes_one_lane_only() -> None:
    case = case_of(0.25, rules=replace(rules_of(TEMPLATE), people=3, simultaneous=2, months_between=0))
    away = TimeOff.model_validate({"kind": "absence", "from": date(2026, 1, 1), "to": date(2029, 1, 1)})
    case = replace(case, calendar=(away,), start_rule="at-milestone", alternatives={})
    gives = relax(case, 1.0, NOTHING)
    untaught = with_rules(case, replace(case.rules, learning_buffer=0))
    assert of_kind(gives, "team-rule", "without the 25 %").in_time_ratio == exhaustive(untaught)
    assert of_kind(gives, "start-earlier").in_time_ratio == exhaustive(replace(case, start_rule="early")) > 0.5


def test_many_rewrites_are_searched_by_the_solver() -> None:
    case = case_of(0.25)
    many = tuple(
        replace(case.candidates[index % 4], number=index + 1, point=f"point-{index}", needed_ratio=1.0)
        for index in range(9)
    )
    case = replace(case, candidates=many, alternatives={}, rules=replace(case.rules, months_between=1.0))
    gives = relax(case, 0.95, solve(problem_of(case), effort_limit=1.0), effort_limit=0.2)
    assert gives[0].kind == "one-more-person"
    assert gives[-1].kind == "slower-growth"


weeks = st.tuples(st.floats(0.5, 20), st.floats(1, 2)).map(
    lambda pair: Interval(pair[0], pair[0] * (1 + pair[1]) / 2, pair[0] * pair[1])
)


@st.composite
def cases(draw: st.DrawFn) -> PlanningCase:
    candidates = []
    alternatives: dict[str, tuple[Candidate, ...]] = {}
    walls = sorted(draw(st.lists(st.integers(900, 50_000), min_size=1, max_size=3)))
    for number, wall in enumerate(walls, start=1):
        effort = draw(weeks)
        candidate = Candidate(
            number=number,
            point=f"point-{number}",
            title=f"Point {number}",
            option="A",
            option_title="Way",
            effort_weeks=effort,
            wall=Wall(Interval(wall, wall, wall), "declared"),
            milestone=wall * draw(st.floats(0.5, 1)),
            needed_ratio=draw(st.sampled_from([0.2, 0.5, 1.0])),
            past=wall <= 1000,
            new_to_team=draw(st.booleans()),
        )
        candidates.append(candidate)
        lighter = replace(candidate, option="tune", major=False, effort_weeks=effort.scaled(draw(st.floats(0.1, 0.9))))
        alternatives[candidate.point] = (lighter,)
    start_rule = draw(st.sampled_from(["early", "at-milestone"]))
    off = [
        TimeOff.model_validate({"kind": "freeze", "from": date(2026, 2, 1), "to": date(2026, 2, 20)}),
        TimeOff.model_validate({"kind": "absence", "from": date(2026, 1, 10), "to": date(2026, 5, 20)}),
    ]
    off = draw(st.lists(st.sampled_from(off), max_size=2)) if start_rule == "early" else []
    rules = TeamRules(
        people=draw(st.integers(2, 3)),
        simultaneous=draw(st.integers(1, 2)),
        months_between=draw(st.sampled_from([0, 1.2, 6])),
    )
    return priced(
        PlanningCase(
            tuple(candidates),
            alternatives,
            rules,
            (),
            tuple(off),
            given_growth(1000, draw(st.floats(0.02, 1)), 15),
            start_rule,
            MADE_ON,
            draw(st.integers(0, 5)),
            15,
        )
    )


KINDS = ["cheaper-option", "start-earlier", "one-more-person", "team-rule", "shed-load", "slower-growth"]


@settings(max_examples=60, deadline=None)
@given(cases(), st.sampled_from([0.5, 0.8, 1.0]))
def test_no_relaxation_lowers_the_chance_and_enough_is_what_reaches_it(case: PlanningCase, wanted: float) -> None:
    own = solve(problem_of(case))
    assert own.in_time_ratio == exhaustive(case)
    gives = relax(case, wanted, own)
    assert (gives == ()) == (own.in_time_ratio >= wanted)
    order = [KINDS.index(give.kind) for give in gives]
    assert order == sorted(order)
    for give in gives:
        assert give.enough == (give.in_time_ratio >= wanted)
        if give.assumption in (None, case.start_rule, "early"):
            assert give.in_time_ratio >= own.in_time_ratio
    if gives:
        assert any(give.enough for give in gives if give.kind == "slower-growth")
        more = with_rules(case, case.rules.with_people(case.rules.people + 1))
        assert of_kind(gives, "one-more-person").in_time_ratio == exhaustive(more)
