"""What a plan says in words: chances are never rounded up, the unknown never becomes zero, gaps are named."""

from __future__ import annotations

import runpy
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.quantities import Interval
from outgrow.reports.plan_words import (
    asked_text,
    chance_text,
    clean,
    cost_text,
    facts_text,
    headline,
    label,
    money_text,
    needed_text,
    reckoned_text,
    runway_text,
    span_text,
    useless_text,
    wall_text,
    weakest,
)
from outgrow.schedule.records import Runway, Wall

PLANS = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("plans.py"))))


@pytest.mark.parametrize(
    ("shape", "code", "words"),
    [
        ("feasible", "carried", "87 % chance that every rewrite that is needed is finished in time (80 % wanted)"),
        ("infeasible", "not-carried", "4A Multi-region is the tightest: 47 %"),
        ("infeasible", "not-carried", "The cheapest that is enough: tune instead of 4A Multi-region"),
        ("nobody_free", "nobody-free", "with one person nobody is free"),
        ("nobody_free", "nobody-free", "a second person (then 87 %)"),
        ("nothing_ahead", "nothing-ahead", "no rewrite needs a place"),
        ("one_past", "late", "1A Partition is past its wall: begin now, or tune."),
    ],
)
def test_the_answer_comes_first(shape: str, code: str, words: str) -> None:
    said = headline(getattr(PLANS, shape)())
    assert said.code == code
    assert words in said.sentence


@pytest.mark.parametrize(("people", "who"), [(1, "One person"), (2, "Both people"), (3, "All three")])
def test_who_can_carry_it(people: int, who: str) -> None:
    assert headline(PLANS.feasible(people=people)).headline == f"{who} can carry this"


def test_where_nothing_alone_is_enough_the_one_that_buys_most_is_named() -> None:
    gives = tuple(replace(give, enough=False, in_time_ratio=min(give.in_time_ratio, 0.58)) for give in PLANS.GIVES)
    said = headline(PLANS.infeasible(gives=gives)).sentence
    assert "No single thing is enough; most buys: tune instead of 4A Multi-region" in said
    none = tuple(replace(give, enough=False, in_time_ratio=0.41) for give in PLANS.GIVES)
    assert headline(PLANS.infeasible(gives=none)).sentence.endswith("No single thing that was tried buys anything.")
    assert "a third person" in useless_text(PLANS.infeasible(gives=none))
    assert useless_text(PLANS.infeasible()) == ""
    enough = replace(PLANS.GIVES[0], in_time_ratio=0.418)
    assert useless_text(PLANS.infeasible(gives=(enough,), wanted_ratio=0.4)) == ""


def test_what_stands_in_brackets_is_left_to_the_table() -> None:
    give = replace(PLANS.GIVES[0], change="a third person (what that costs is not declared), if one is found")
    assert "a third person, if one is found (then 81 %)" in headline(PLANS.infeasible(gives=(give,))).sentence


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_chance_never_looks_better_than_it_is(one: float, other: float) -> None:
    def least(text: str) -> float:
        return 0.995 if text == "> 99 %" else 0.0 if text == "< 1 %" else float(text.split()[0]) / 100

    assert least(chance_text(one)) <= one + 1e-9
    low, high = sorted((one, other))
    assert least(chance_text(low)) <= least(chance_text(high))
    assert chance_text(one) != "100 %"


def test_how_it_was_reckoned() -> None:
    assert "500 scenarios, seed 0: chances ± 2 points; proven" in reckoned_text(PLANS.feasible())
    ended = reckoned_text(PLANS.infeasible())
    assert "the search ended at its limit of 20 units of work" in ended
    assert "no plan reaches more than 44 %" in ended
    assert "at most 2 % of its cost could be saved" in ended
    assert "nothing to arrange" in reckoned_text(PLANS.nobody_free())


def test_the_unknown_never_becomes_zero() -> None:
    cost = PLANS.COST
    assert money_text(None, "USD") == "unknown"
    assert "unknown in between" in cost_text(cost)
    assert runway_text(cost) == "unknown: declare costs.cash and costs.monthly_burn"
    assert runway_text(replace(cost, runway=Runway(14.2, 9.0))) == "9 months with this plan, 14.2 months without it"
    assert "never gone" in runway_text(replace(cost, runway=Runway(None, 9.0)))
    assert "never gone" in runway_text(replace(cost, runway=Runway(None, None)))
    assert "of work" in cost_text(replace(cost, path=()))
    assert "500 USD a month now, 500 USD" in cost_text(replace(cost, path=cost.path[:1]))


def test_walls_labels_and_needs() -> None:
    assert wall_text(PLANS.exactly(2000)) == "2,000 users, declared"
    assert wall_text(Wall(Interval(5600, 6100, float("inf")), "measured")) == "6,100 (5,600–∞) users, measured"
    assert wall_text(Wall(Interval(5600, float("inf"), float("inf")), "measured")) == "5,600 users or more, measured"
    assert label(PLANS.REGIONS) == "4A Multi-region"
    assert label(replace(PLANS.REGIONS, option="tune", option_title="Tune what is there")) == "4 Tune what is there"
    assert (needed_text(PLANS.DATA), needed_text(PLANS.STATE)) == ("surely needed", "needed: 80 %")
    assert weakest(PLANS.nobody_free()) is None
    first, second, *_ = PLANS.rewrites()
    assert facts_text(first) == "the wall is at 2,000 users, declared · decided in record 1"
    assert facts_text(second).endswith("· decide by 26 Nov 2026")


def test_dates_and_growth_as_a_person_reads_them() -> None:
    assert span_text(date(2026, 2, 5), date(2026, 2, 12)) == "5–12 Feb 2026"
    assert span_text(date(2026, 1, 28), date(2026, 2, 4)) == "28 Jan – 4 Feb 2026"
    assert span_text(date(2026, 12, 28), date(2027, 1, 4)) == "28 Dec 2026 – 4 Jan 2027"
    assert span_text(date(2026, 2, 5), date(2026, 2, 5)) == "5 Feb 2026"
    assert "(-2 to 1 %, measured)" in asked_text(PLANS.nothing_ahead())
    assert "growing 25 % a month (given)" in asked_text(PLANS.infeasible())
    assert clean("a\tb\n\x1b[31m\u202e") == "a b \ufffd[31m\ufffd"
