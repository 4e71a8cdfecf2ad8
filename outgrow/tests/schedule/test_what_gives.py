"""What gives when a plan cannot be carried: one thing at a time, cheapest first."""

from __future__ import annotations

import pytest

from outgrow.points.reading import parse_declaration
from outgrow.points.templates import template_text
from outgrow.schedule.inputs import TeamRules, inputs_of
from outgrow.schedule.limit import carried
from outgrow.schedule.pace import pace
from outgrow.schedule.what_gives import Give, what_gives

POINTS, TWO = inputs_of(parse_declaration(template_text("venture-platform")))


def _by(gives: tuple[Give, ...], relaxation: str, rule: str | None = None) -> Give:
    return next(give for give in gives if give.relaxation == relaxation and give.rule == rule)


def test_nothing_has_to_give_where_it_can_be_carried() -> None:
    assert what_gives(pace(POINTS, TWO, 1000, 0.15), "early") == ()
    assert what_gives(pace(POINTS, TWO, 1000, 0.05), "at-milestone") == ()


def test_starting_earlier_is_the_cheapest_when_milestones_are_too_late() -> None:
    result = pace(POINTS, TWO, 1000, 0.15)
    gives = what_gives(result, "at-milestone")
    assert gives[0].relaxation == "start-earlier"
    assert gives[0].limit == result.early.limit
    assert gives[0].state == "yes"


def test_the_order_is_from_cheap_to_dear() -> None:
    result = pace(POINTS, TWO, 1000, 0.30, {"distribution": "B"})
    kinds = [give.relaxation for give in what_gives(result, "at-milestone")]
    dearer = ["start-earlier", "tune", "cheaper-option", "team-rule", "one-more-person", "slower-growth"]
    assert list(dict.fromkeys(kinds)) == dearer


def test_each_thing_alone_buys_what_the_same_plan_without_it_stands() -> None:
    result = pace(POINTS, TWO, 1000, 0.25, {"distribution": "B"})
    gives = what_gives(result, "early")
    for give in gives:
        pins = {"distribution": "B"} | ({give.point: give.option} if give.point and give.option else {})
        rules = TWO
        if give.relaxation == "one-more-person":
            rules = TWO.with_people(3)
        elif give.rule is not None:
            values = {name: getattr(TWO, name) for name in TWO.__slots__} | {give.rule: give.value}
            rules = TeamRules(**values)
        assert give.limit == pace(POINTS, rules, 1000, 0.25, pins).early.limit
        assert give.helps == (give.limit.low > result.early.limit.low) or give.relaxation == "slower-growth"


def test_the_gap_gives_no_more_than_it_must() -> None:
    give = _by(what_gives(pace(POINTS, TWO, 1000, 0.25), "early"), "team-rule", "months_between")
    assert give.value == 4.5
    assert give.state == "yes"
    longer = TeamRules(months_between=5.0)
    assert pace(POINTS, longer, 1000, 0.25).early.state != "yes"


def test_a_third_person_alone_buys_nothing_where_the_months_between_hold() -> None:
    give = _by(what_gives(pace(POINTS, TWO, 1000, 0.25), "early"), "one-more-person")
    assert (give.helps, give.value) == (False, 3)


def test_a_second_person_frees_hands() -> None:
    give = _by(what_gives(pace(POINTS, TWO.with_people(1), 1000, 0.15), "early"), "one-more-person")
    assert (give.helps, give.state, give.value) == (True, "yes", 2)


@pytest.mark.parametrize("growth", [0.12, 0.22, 0.5, 3.0])
def test_growing_no_faster_than_the_limit_always_works(growth: float) -> None:
    result = pace(POINTS, TWO, 1000, growth)
    for assumption in ("at-milestone", "early"):
        gives = what_gives(result, assumption)
        if gives:
            slower = _by(gives, "slower-growth")
            assert slower.value is not None
            assert carried(slower.value, pace(POINTS, TWO, 1000, slower.value).early.limit) == "yes"
