"""``outgrow pace`` in a terminal: goldens of what a stranger reads first, and the words of every verdict."""

from __future__ import annotations

import os
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from outgrow.points.reading import parse_declaration
from outgrow.points.templates import template_text
from outgrow.quantities import Interval
from outgrow.reports.pace_json import pace_record
from outgrow.reports.pace_table import pace_lines, pace_table
from outgrow.reports.pace_words import (
    gives_shown,
    growth_text,
    limit_text,
    month_text,
    percent,
    span_text,
    users_text,
    verdict,
    weeks_text,
)
from outgrow.schedule.inputs import PaceOption, PacePoint, inputs_of
from outgrow.schedule.pace import Pace, pace

POINTS, TWO = inputs_of(parse_declaration(template_text("venture-platform")))
TODAY = date(2026, 1, 15)
GOLDENS = Path(__file__).parent / "goldens"


def _asked(users: int = 1000, growth: float = 0.15, people: int = 2, pins: dict[str, str] | None = None) -> Pace:
    return pace(POINTS, TWO.with_people(people), users, growth, pins)


def _shown(asked: Pace, width: int) -> str:
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(pace_table(asked, TODAY, width))
    assert isinstance(console.file, StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


@pytest.mark.parametrize(
    ("name", "asked", "width"),
    [
        ("pace-15-percent-100-columns", _asked(), 100),
        ("pace-15-percent-80-columns", _asked(), 80),
        ("pace-25-percent-100-columns", _asked(growth=0.25), 100),
        ("pace-already-past-100-columns", _asked(users=5000), 100),
    ],
)
def test_what_a_terminal_shows(name: str, asked: Pace, width: int) -> None:
    """Write the goldens anew with OUTGROW_WRITE_GOLDENS=1, and read them before you keep them."""
    shown, golden = _shown(asked, width), GOLDENS / f"{name}.txt"
    if os.environ.get("OUTGROW_WRITE_GOLDENS"):
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [60, 80, 95, 96, 100, 200])
@pytest.mark.parametrize("growth", [-0.05, 0.001, 0.15, 0.5, 10.0])
def test_nothing_is_wider_than_the_terminal(width: int, growth: float) -> None:
    for asked in (_asked(growth=growth), _asked(users=5000, growth=growth), _asked(people=1, growth=growth)):
        assert max(len(line) for line in _shown(asked, width).splitlines()) <= width


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        (_asked(growth=0.05), "carried", "even when each waits for its milestone"),
        (_asked(), "carried-early", "4A Multi-region would end 7 weeks after 60,000 users"),
        (_asked(growth=0.205), "at-best", "no longer than its low estimate"),
        (_asked(growth=0.25), "not-carried", "tune instead of 1A Partition, if that proves enough"),
        (_asked(growth=10.0), "not-carried", "grow by 19.8 % a month at most."),
        (_asked(people=1), "nobody-free", "One person always stays operational"),
        (_asked(people=1), "nobody-free", "A second person makes up to 19.8 % a month possible"),
        (_asked(growth=0.0), "never-reached", "nothing has to start"),
        (_asked(growth=-0.1), "never-reached", "growth of -10 % a month"),
        (_asked(users=5000, growth=0.05), "carried", "if it is done, say --option data-architecture=done"),
        (_asked(users=90_000), "carried", "No limit lies ahead"),
    ],
)
def test_the_verdict_says_it_in_words(asked: Pace, code: str, words: str) -> None:
    said = verdict(asked, TODAY)
    assert said.code == code
    assert words in said.sentence


def test_a_hair_above_the_limit_is_too_late_by_a_hair() -> None:
    limit = _asked().at_milestone.limit.low
    assert "60,000 users" in verdict(_asked(growth=limit * (1 + 1e-3)), TODAY).sentence
    assert "a moment too late" in verdict(_asked(growth=limit * (1 + 1e-13)), TODAY).sentence


def test_what_buys_nothing_is_said_too() -> None:
    shown = _shown(_asked(growth=0.25), 200)
    assert "none of these buys anything: two rewrites at once; nobody stays operational; a third person." in shown


def test_a_file_with_words_for_options_reads_well() -> None:
    options = (PaceOption("db", "shard", "Shard by tenant", (4, 6)), PaceOption("db", "buy", "buy", (2, 3)))
    asked = pace((PacePoint("db", "Database", 5000, 9000, options),), TWO, 1000, 0.2)
    shown = _shown(asked, 100)
    assert "  Shard by tenant" in shown
    assert "▸ buy" in shown
    assert "the rewrite ahead" in shown


def test_plain_lines_are_tab_separated_facts() -> None:
    lines = list(pace_lines(_asked(), TODAY))
    assert lines[0] == "asked\t1,000 users\t15 % a month\ttwo people"
    assert {line.split("\t")[0] for line in lines} == {"asked", "option", "plan", "rewrite", "gives", "verdict"}
    assert sum(line.startswith("option\t") for line in lines) == 13
    assert "rewrite\tat-milestone\t4A Multi-region\tstart: Mar 2028, 40,000 users\t7 weeks late" in lines


def test_the_record_for_programs() -> None:
    record = pace_record(_asked(), TODAY)
    assert record["verdict"]["code"] == "carried-early"
    distribution = record["points"][3]
    assert (distribution["id"], distribution["due_date"]) == ("distribution", "2028-06-24")
    option = distribution["options"][1]
    assert option["growth_limit_ratio"]["at_milestone"]["low"] == pytest.approx(0.092, abs=0.001)
    assert option["growth_limit_ratio"]["early"]["low"] == pytest.approx(0.199, abs=0.001)
    assert option["state"] == {"at_milestone": "no", "early": "yes"}
    assert option["start"]["latest_users"] == pytest.approx(31_548, abs=1)
    assert record["plans"]["at_milestone"]["rewrites"][2]["after"] == "state-management"
    assert record["gives"]["at_milestone"][0]["relaxation"] == "start-earlier"
    assert pace_record(_asked(growth=0.0), TODAY)["points"][0]["due_date"] is None


def test_gives_are_of_the_plan_that_fails() -> None:
    assert gives_shown(_asked())[1] == "when every rewrite waits for its milestone"
    assert gives_shown(_asked(growth=0.25))[1].startswith("even when everything starts as early")
    assert gives_shown(_asked(growth=0.0)) == ((), "")


def test_limits_are_rounded_down_so_that_what_is_written_can_be_carried() -> None:
    assert percent(0.19862) == "19.8 %"
    assert limit_text(Interval(0.0921546, 0.1, 0.1247)) == "9.2–12.4 %"
    assert limit_text(Interval(0.827, 1.0, 1.4)) == "82.7–100+ %"
    assert limit_text(Interval(1.7, 2.0, 3.0)) == "> 100 %"
    assert users_text(31_548) == "31,500"
    assert users_text(40_000 * (1 - 1e-12)) == "40,000"


def test_numbers_as_a_person_reads_them() -> None:
    efforts = (Interval(0.5, 0.75, 1), Interval(7.5, 8, 10), Interval(4, 4, 4))
    assert [weeks_text(effort) for effort in efforts] == ["½–1", "7½–10", "4"]
    assert [span_text(months) for months in (0.001, 0.2, 1.5, 4.25, 12, 29.3, 4000)] == [
        "1 day",
        "6 days",
        "7 weeks",
        "4.2 months",
        "12 months",
        "2.4 years",
        "333 years",
    ]
    assert month_text(TODAY, 14.9) == "Apr 2027"
    assert month_text(TODAY, float("inf")) == "never"
    assert month_text(TODAY, 99_999) == "in 8,333 years"
    assert growth_text(0.125) == "12.5 %"
