"""``outgrow plan`` in a terminal, as plain lines and as JSON: goldens, and the width that was asked for."""

from __future__ import annotations

import json
import os
import runpy
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from outgrow.reports.plan_compare import compare_fields, compare_lines, compare_table, differences
from outgrow.reports.plan_cost import cost_lines, cost_table, rows_shown
from outgrow.reports.plan_json import plan_fields
from outgrow.reports.plan_table import plan_lines, plan_table
from outgrow.schedule.records import Plan

PLANS = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("plans.py"))))
GOLDENS = Path(__file__).parent / "goldens"
SHAPES = ("feasible", "infeasible", "nobody_free", "one_past", "hostile", "nothing_ahead")


def a_plan(shape: str) -> Plan:
    made: Plan = getattr(PLANS, shape)()
    return made


def shown(table: RenderableType, width: int) -> str:
    console = Console(file=StringIO(), width=width, color_system=None, highlight=False)
    console.print(table)
    assert isinstance(console.file, StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def same_as_golden(name: str, text: str) -> None:
    """Write the goldens anew with OUTGROW_WRITE_GOLDENS=1, and read them before you keep them."""
    golden = GOLDENS / name
    if os.environ.get("OUTGROW_WRITE_GOLDENS"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("shape", ["feasible", "infeasible"])
def test_what_a_terminal_shows(shape: str, width: int) -> None:
    text = shown(plan_table(a_plan(shape), width, PLANS.TIME_OFF), width)
    same_as_golden(f"plan-{shape.replace('_', '-')}-{width}-columns.txt", text)


def test_what_the_odd_ends_show() -> None:
    texts = [shown(plan_table(a_plan(shape), 80), 80) for shape in ("one_past", "nobody_free", "nothing_ahead")]
    same_as_golden("plan-odd-ends-80-columns.txt", "\n".join(texts))


def test_what_cost_and_comparison_show() -> None:
    cost = shown(cost_table(a_plan("feasible"), 80), 80)
    same_as_golden("plan-cost-80-columns.txt", cost)
    compared = shown(compare_table(a_plan("feasible"), a_plan("infeasible"), 80), 80)
    same_as_golden("plan-compare-80-columns.txt", compared)


def test_plain_lines() -> None:
    lines = [*plan_lines(a_plan("infeasible")), *cost_lines(a_plan("feasible"))]
    lines += compare_lines(a_plan("feasible"), a_plan("infeasible"))
    assert all("\n" not in line and line.count("\t") for line in lines)
    same_as_golden("plan-plain.txt", "".join(f"{line}\n" for line in lines))


def test_the_record_for_programs() -> None:
    fields = plan_fields(a_plan("infeasible")) | compare_fields(a_plan("feasible"), a_plan("infeasible"))
    same_as_golden("plan.json", json.dumps(fields, indent=1, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("width", [60, 72, 80, 99, 100, 121, 200])
@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_wider_than_the_terminal(shape: str, width: int) -> None:
    plan = a_plan(shape)
    views = (plan_table(plan, width, PLANS.TIME_OFF), cost_table(plan, width))
    for table in (*views, compare_table(a_plan("feasible"), plan, width)):
        assert max(cell_len(line) for line in shown(table, width).splitlines()) <= width


@pytest.mark.parametrize("shape", SHAPES)
def test_others_words_steer_no_terminal(shape: str) -> None:
    plan = a_plan(shape)
    tables = (plan_table(plan, 80), cost_table(plan, 80), compare_table(a_plan("feasible"), plan, 80))
    lines = [*plan_lines(plan), *cost_lines(plan), *compare_lines(a_plan("feasible"), plan)]
    for text in [*(shown(table, 80) for table in tables), *lines]:
        assert not set(text) & {"\x1b", "\x07", "\r", "\u202e"}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_record_is_json_without_infinite_numbers(shape: str) -> None:
    text = json.dumps(plan_fields(a_plan(shape)), allow_nan=False)
    assert json.loads(text)["digest"] == a_plan(shape).digest


def test_no_view_of_a_rehearsal_hides_that_it_is_one() -> None:
    plan, stamp = a_plan("one_past"), "time scale 1s=1d: this is a rehearsal · made with simulated history"
    for table in (plan_table(plan, 80), cost_table(plan, 80), compare_table(a_plan("feasible"), plan, 80)):
        assert shown(table, 80).startswith(stamp)
    for lines in (plan_lines(plan), cost_lines(plan), compare_lines(a_plan("feasible"), plan)):
        assert f"note\t{stamp}" in lines


def test_names_give_way_to_what_is_needed_of_them() -> None:
    assert "· needed: 80 %" in shown(plan_table(a_plan("hostile"), 80), 80)


def test_the_bill_is_shown_where_it_changes_and_never_too_long() -> None:
    cost = a_plan("feasible").cost
    rows = rows_shown(cost)
    assert (rows[0], rows[-1]) == (cost.path[0], cost.path[-1])
    assert {row.with_options for row in rows} == {point.with_options for point in cost.path}
    assert len(rows) <= 16
    assert "unknown" in shown(cost_table(a_plan("feasible"), 80), 80)


def test_a_plan_does_not_differ_from_itself() -> None:
    for shape in SHAPES:
        assert differences(a_plan(shape), a_plan(shape)) == ()
    assert "Nothing differs" in shown(compare_table(a_plan("feasible"), a_plan("feasible"), 80), 80)


def test_differences_name_both_sides_and_how_far() -> None:
    found = {(one.about, one.what): one for one in differences(a_plan("feasible"), a_plan("infeasible"))}
    start = found["distribution", "start"]
    assert (start.without, start.given, start.moved) == ("2 Dec 2027", "15 Jul 2027", "20 weeks earlier")
    assert found["", "everything in time"].moved == "45 points less"
    gone = differences(a_plan("feasible"), a_plan("one_past"))
    assert ("distribution", "planned", "yes", "no") in {(one.about, one.what, one.without, one.given) for one in gone}
