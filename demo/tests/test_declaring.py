"""The demo's declaration is the platform's, and can be read by outgrow."""

from importlib.resources import files
from pathlib import Path

import pytest

from demo import declaring
from demo.declaring import POINT, TRIGGER
from demo.story import FULL, QUICK, Plan
from outgrow.points.declaration import Declaration, Point
from outgrow.points.reading import read_declaration

SHIPPED = (files("ventures") / "outgrow.yaml").read_text(encoding="utf-8")
USERS = "http://127.0.0.1:9/metrics"


@pytest.fixture(params=[FULL, QUICK], ids=["full", "quick"])
def plan(request: pytest.FixtureRequest) -> Plan:
    chosen: Plan = request.param
    return chosen


def read(text: str, folder: Path) -> Declaration:
    path = folder / "outgrow.yaml"
    declaring.put(path, text)
    return read_declaration(path)


def point_of(declaration: Declaration) -> Point:
    point = declaration.point(POINT)
    assert point is not None
    return point


def test_the_limit_the_clock_and_the_users_are_the_demos_and_the_rest_is_shipped(plan: Plan, tmp_path: Path) -> None:
    ours = read(declaring.declared(SHIPPED, plan.scale, USERS), tmp_path)
    shipped = read(SHIPPED, tmp_path)
    assert ours.time_scale == f"1s={plan.scale.days}d"
    trigger = next(one for one in point_of(ours).triggers if one.id == TRIGGER)
    assert (trigger.threshold, trigger.breaks_at) == (plan.scale.warn, plan.scale.breaks)
    assert ours.signals["requests_per_second"].scale == plan.scale.days * 86400
    assert point_of(ours).options == point_of(shipped).options
    assert [one for one in ours.points if one.id != POINT] == [one for one in shipped.points if one.id != POINT]
    assert ours.team == shipped.team


def test_another_layout_is_moved_to(tmp_path: Path) -> None:
    text = declaring.declared(SHIPPED, FULL.scale, USERS)
    moved = point_of(read(declaring.retargeted(text, "tuned"), tmp_path)).migration
    assert moved is not None
    assert (moved.source, moved.target) == ("shared", "tuned")


def test_a_finished_move_is_held_against_both_layouts(tmp_path: Path) -> None:
    text = declaring.to_prove(declaring.declared(SHIPPED, FULL.scale, USERS), FULL.scale, 1360, 61.8)
    proved = point_of(read(text, tmp_path))
    assert proved.experiment is not None
    assert (proved.complete_before, proved.experiment.users, proved.experiment.rate) == (816, 816, 37.1)
    read(declaring.validated(text, "tuned", 66.6), tmp_path)


def test_growth_is_half_way_before_its_end(plan: Plan) -> None:
    assert plan.half < len(plan.users)
    assert list(plan.users) == sorted(plan.users)
