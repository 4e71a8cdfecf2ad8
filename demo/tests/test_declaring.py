"""The demo's declaration is the platform's, and can be read by outgrow."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo import declaring
from demo.declaring import POINT, TRIGGER
from demo.plans import FULL, QUICK, Plan
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
    text = declaring.to_prove(declaring.declared(SHIPPED, FULL.scale, USERS), FULL.scale, 1360, 61.8, 18_000)
    proved = point_of(read(text, tmp_path))
    assert proved.experiment is not None
    assert (proved.complete_before, proved.experiment.users, proved.experiment.rate) == (680, 680, 30.9)
    assert proved.experiment.settings["passages"] == 18_000
    read(declaring.validated(text, "tuned", 66.6), tmp_path)


def test_growth_is_looked_at_before_its_end_with_no_more_users_than_there_are(plan: Plan) -> None:
    assert plan.look_after < plan.stairs.steps
    assert list(plan.stairs.users) == sorted(plan.stairs.users)
    assert plan.stairs.users[-1] <= plan.users


def test_what_is_changed_is_what_is_told(plan: Plan) -> None:
    """Every key that differs from the shipped file is one of those that people are told of."""
    ours, shipped = yaml.safe_load(declaring.declared(SHIPPED, plan.scale, USERS)), yaml.safe_load(SHIPPED)
    told = [what for what, _, _ in declaring.changes(plan.scale, plan.search_seconds)]
    assert _differing(shipped, ours) == {"time_scale", "utilisation", "signals", "points", "sources"}
    for name, signal in ours["signals"].items():
        beyond = _differing(shipped["signals"][name], signal) - {"window", "scale"}
        assert not beyond or name in told, name
    for before, after in zip(shipped["points"], ours["points"], strict=True):
        assert _differing(before, after) <= ({"triggers", "migration"} if after["id"] == POINT else set())
    point, was = (next(one for one in file["points"] if one["id"] == POINT) for file in (ours, shipped))
    assert _differing(was["migration"], point["migration"]) == {"pace"}
    assert _differing(was["triggers"][0], point["triggers"][0]) == {"threshold", "breaks_at", "for"}


def _differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
