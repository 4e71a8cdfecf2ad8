"""Which rewrites a plan is about: the option of each point, walls, prices, and what needs no place in it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from outgrow.errors import UsageError
from outgrow.points.declaration import Point
from outgrow.points.reading import parse_declaration
from outgrow.points.templates import template_text
from outgrow.quantities import Interval
from outgrow.schedule.candidates import Choice, choose, price_notes, within_reach
from outgrow.schedule.inputs import TeamRules
from outgrow.schedule.records import Prices
from outgrow.schedule.scenarios import PlanningCase, given_growth

TEMPLATE = parse_declaration(template_text("venture-platform"))
RULES = TeamRules()


def chosen(points: tuple[Point, ...] = TEMPLATE.points, users: float = 1000, **changes: Any) -> Choice:
    return choose(points, RULES, users, **{"pinned": {}, "decided": {}, "measured": {}, **changes})


def case_of(choice: Choice, growth: float = 0.15, users: float = 1000) -> PlanningCase:
    paths = given_growth(users, growth, 100)
    return PlanningCase(
        choice.candidates, choice.alternatives, RULES, (), (), paths, "early", date(2026, 1, 5), 0, 100, bill_now=500.0
    )


def test_the_cheapest_option_other_than_tune_unless_one_is_decided_or_pinned() -> None:
    assert [each.option for each in chosen().candidates] == ["A", "A", "A", "A"]
    decided = chosen(decided={"data-architecture": (3, "B")})
    assert (decided.candidates[0].option, decided.candidates[0].decided) == ("B", 3)
    pinned = chosen(decided={"data-architecture": (3, "B")}, pinned={"data-architecture": "tune"})
    assert (pinned.candidates[0].option, pinned.candidates[0].decided) == ("tune", None)
    assert not pinned.candidates[0].major


def test_tune_where_there_is_nothing_else() -> None:
    point = TEMPLATE.points[0].model_copy(update={"options": TEMPLATE.points[0].options[:1]})
    assert chosen((point,)).candidates[0].option == "tune"


def test_the_other_options_stay_at_hand_with_their_learning() -> None:
    first = chosen().candidates[0]
    assert first.effort_weeks == Interval(2, 2.5, 3)
    others = {each.option: each for each in chosen().alternatives["data-architecture"]}
    assert set(others) == {"tune", "B"}
    assert others["B"].effort_weeks == Interval(7.5, 8.75, 10)
    assert others["B"].new_to_team
    assert not others["tune"].major


def test_points_are_counted_by_their_declared_limits() -> None:
    choice = chosen(tuple(reversed(TEMPLATE.points)), pinned={"data-architecture": "done"})
    assert [(each.number, each.point) for each in choice.candidates] == [
        (2, "state-management"),
        (3, "backend-architecture"),
        (4, "distribution"),
    ]
    assert choice.not_planned == (("data-architecture", "done, as you say"),)


def test_a_point_without_options_is_not_planned() -> None:
    point = TEMPLATE.points[0].model_copy(update={"options": ()})
    assert chosen((point,)).not_planned == (
        ("data-architecture", "no option is declared, so there is nothing to plan"),
    )


def test_the_milestone_is_where_the_file_says_to_decide_or_else_to_monitor() -> None:
    assert [each.milestone for each in chosen().candidates] == [1500, 7000, 12000, 40000]


def test_how_sure_it_is_comes_from_the_likelihood_unless_it_is_declared() -> None:
    choice = chosen()
    assert [each.needed_ratio for each in choice.candidates] == [1.0, 0.8, 0.5, 0.2]
    assert len(choice.notes) == 1
    assert "state-management (likely) 80 %, backend-architecture (possible) 50 %" in choice.notes[0]
    said = tuple(point.model_copy(update={"probability": 0.3}) for point in TEMPLATE.points)
    assert [each.needed_ratio for each in chosen(said).candidates] == [0.3] * 4
    assert chosen(said).notes == ()


def test_the_measured_limit_governs_where_it_is_given() -> None:
    users = Interval(3000, 4000, 6000)
    walls = [each.wall for each in chosen(measured={"data-architecture": users}).candidates]
    assert (walls[0].users, walls[0].source) == (users, "measured")
    assert (walls[1].users, walls[1].source) == (Interval(10_000, 10_000, 10_000), "declared")


def test_a_wall_behind_is_past() -> None:
    assert [each.past for each in chosen(users=10_000).candidates] == [True, True, False, False]
    measured = {"data-architecture": Interval(9_000, 12_000, 15_000)}
    assert not chosen(users=10_000, measured=measured).candidates[0].past


def test_a_decided_option_that_is_gone_is_said_and_passed_over() -> None:
    choice = chosen(decided={"data-architecture": (7, "Z")})
    assert (choice.candidates[0].option, choice.candidates[0].decided) == ("A", None)
    assert choice.notes[0] == "Decision 7 chose Z for data-architecture, which is not declared any more."


@pytest.mark.parametrize(
    ("pinned", "said"),
    [
        ({"data": "A"}, "there is no point 'data'; the points are data-architecture"),
        ({"data-architecture": "Z"}, "data-architecture has no option 'Z'; it has tune, A, B, or say done"),
    ],
)
def test_a_pin_that_names_nothing_is_refused(pinned: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        chosen(pinned=pinned)


def test_what_growth_hardly_ever_reaches_is_not_planned() -> None:
    case, left_out = within_reach(case_of(chosen(), growth=0.002))
    assert [each.point for each in case.candidates] == ["data-architecture"]
    assert left_out[0] == ("state-management", "10,000 users are reached within 40 years in none of the scenarios")
    assert len(left_out) == 3


def test_a_wall_that_is_past_is_planned_however_growth_goes_on() -> None:
    case, left_out = within_reach(case_of(chosen(users=5000), growth=0.0, users=5000))
    assert [each.point for each in case.candidates] == ["data-architecture"]
    assert len(left_out) == 3


def test_being_early_costs_the_bill_less_the_bill_before() -> None:
    pins = {"data-architecture": "B", "state-management": "B"}
    case, _ = within_reach(case_of(chosen(pinned=pins)))
    assert [each.prices.early for each in case.candidates] == [1000.0, 1500.0, 3000.0, 9000.0]
    assert case.candidates[0].prices == Prices(early=1000.0, late=None, bill=1500.0, per_user=None)
    unknown, _ = within_reach(case_of(chosen()))
    assert [each.prices.early for each in unknown.candidates] == [None, None, None, 9000.0]


def test_the_bill_before_an_option_is_that_of_what_is_planned_before_it() -> None:
    pins = {"data-architecture": "B", "state-management": "tune"}
    case, _ = within_reach(case_of(chosen(pinned=pins)))
    assert [each.prices.early for each in case.candidates] == [1000.0, None, 4500.0, 9000.0]
    others = {each.option: each.prices.early for each in case.alternatives["state-management"]}
    assert others == {"A": None, "B": 1500.0}


def test_assumed_prices_are_said() -> None:
    case, _ = within_reach(case_of(chosen()))
    early, late = price_notes(case)
    assert early.startswith("What a month too early costs is not known for data-architecture, state-management, ")
    assert "it weighs today's bill" in early
    assert "distribution" not in early
    assert "Declare breach_cost" in late
