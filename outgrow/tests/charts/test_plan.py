"""The pictures of a plan and of its bill say what the record says, in every shape, and become files."""

from __future__ import annotations

import json
import re
import runpy
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from outgrow.charts.cost_path import cost_picture, stretches, users_ticks
from outgrow.charts.forecast import as_svg
from outgrow.charts.marks import Frame, hatching, milliseconds, month_ticks, shortened
from outgrow.charts.plan import plan_picture
from outgrow.cli.plan_pictures import cost_words, draw_cost, draw_plan, plan_words
from outgrow.points.reading import parse_declaration
from outgrow.points.templates import template_text

PLANS = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "reports" / "plans.py")))
SHAPES = ("feasible", "nobody_free", "one_past", "hostile")


@cache
def gantt(shape: str) -> str:
    plan = getattr(PLANS, shape)()
    return as_svg(plan_picture(plan, plan_words(plan, "venture platform"), PLANS.TIME_OFF))


@cache
def bill(shape: str) -> str:
    plan = getattr(PLANS, shape)()
    return as_svg(cost_picture(plan, cost_words(plan, "venture platform")))


def texts(svg: str) -> str:
    return " ".join(ElementTree.fromstring(svg).itertext())


def test_the_picture_of_a_plan_names_what_who_and_how_sure() -> None:
    said = texts(gantt("feasible"))
    for words in ("Both people can carry this", "4A Multi-region", "Grace", "93 % in time", "needed: 20 %", "today"):
        assert words in said
    for words in ("prototype, not calm", "freeze", "somebody away", "decide by", "wall, 10–50–90 %"):
        assert words in said


def test_the_legend_names_only_what_is_there() -> None:
    drawn = plan_picture(PLANS.infeasible(), plan_words(PLANS.infeasible(), "x"), dark=True)
    said = json.dumps(drawn.to_dict(validate=False))
    assert "may be under way" in said
    assert "prototype" not in said
    assert "freeze" not in said


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_drawn_and_asks_nothing_of_the_network(shape: str) -> None:
    for svg in (gantt(shape), bill(shape)):
        ElementTree.fromstring(svg)
        assert "<script" not in svg
        assert re.findall(r'(?:href|src)="(?!#)', svg) == []


def test_what_is_simulated_says_so() -> None:
    for svg in (gantt("one_past"), bill("one_past")):
        assert "made with simulated history · time scale 1s=1d" in texts(svg)
    assert "simulated" not in texts(gantt("feasible"))


def test_a_reader_who_does_not_see_it_is_told() -> None:
    plan = PLANS.feasible()
    description = plan_picture(plan, plan_words(plan, "x")).to_dict(validate=False)["description"]
    assert "2A Client store, Grace: from 3 Dec 2026 to 11 Jan 2027" in description
    assert "in time" in description
    told = cost_picture(plan, cost_words(plan, "x")).to_dict(validate=False)["description"]
    assert "(2A Client store): unknown" in told
    assert "(4A Multi-region): 15,000 USD a month" in told


def test_unknown_stretches_are_hatched_and_hold_no_bill() -> None:
    said = texts(bill("feasible"))
    assert "unknown 1A Partition 2A Client store" in said
    assert "6,000 USD" in said
    path = PLANS.COST.path
    parts = stretches(path, [milliseconds(point.at) for point in path])
    assert [(part.known, part.option.rpartition("/")[0]) for part in parts] == [
        (True, ""),
        (False, "data-architecture"),
        (False, "state-management"),
        (True, "backend-architecture"),
        (True, "distribution"),
    ]
    assert all(before.end == after.start for before, after in pairwise(parts))
    nothing = replace(PLANS.COST, path=tuple(replace(point, monthly=None) for point in path))
    plan = PLANS.feasible(cost=nothing)
    drawn = json.dumps(cost_picture(plan, cost_words(plan, "x")).to_dict(validate=False))
    assert "the bill is not declared" in drawn


def test_files_are_written_whole(tmp_path: Path) -> None:
    declaration = parse_declaration(template_text("venture-platform"))
    draw_plan(PLANS.feasible(), declaration, tmp_path / "plan.svg")
    draw_cost(PLANS.feasible(), declaration, tmp_path / "cost.png")
    assert (tmp_path / "plan.svg").read_text(encoding="utf-8").startswith("<svg")
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"plan.svg", "cost.png"}


def test_the_same_plan_gives_the_same_picture() -> None:
    one, other = (plan_picture(PLANS.feasible(), plan_words(PLANS.feasible(), "x")) for _ in range(2))
    assert json.dumps(one.to_dict(validate=False)) == json.dumps(other.to_dict(validate=False))


def test_small_pieces() -> None:
    assert month_ticks(date(2026, 1, 15), date(2026, 7, 20), 12)[0] == date(2026, 2, 1)
    ticks = month_ticks(date(2026, 1, 15), date(2036, 7, 20), 12)
    assert len(ticks) <= 12
    assert {day.month for day in ticks} == {1}
    assert shortened("x" * 40, 10) == "x" * 9 + "…"
    assert users_ticks(1000, 101_000) == [1000, 3000, 10_000, 30_000, 100_000]
    for low, high in ((2186, 6750), (10, 1e9), (990, 1010), (5, 5)):
        assert 2 <= len(users_ticks(low, high)) <= 12
    lines = hatching(10, 40, Frame(0, 100, 0, 50, 100, 50))
    assert lines
    assert all(10 <= one["x"] < one["x2"] <= 40 and 0 <= one["y"] < one["y2"] <= 50 for one in lines)
