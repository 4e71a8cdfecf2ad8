"""``outgrow check`` finds what is wrong in a mover's own settings, without asking a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MOVER = """
from pydantic import BaseModel, ConfigDict, Field

class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: str = ""
    source: str
    target: str
    host: str
    port: int = Field(ge=1)

def check_settings(settings):
    if Settings.model_validate(dict(settings)).host == "nowhere":
        raise ValueError("nowhere is no host")

def open_mover(settings, clock):
    raise AssertionError("nobody is to be connected to")
"""
DECLARATION = """apiVersion: outgrow/v1
users: {signal: users}
signals: {users: {unit: users, metric: users_total, value: true}}
points:
- id: search
  monitor_from: 1000
  complete_before: 2000
  triggers: [{id: t, signal: users, threshold: 1500}]
  migration:
    source: old
    target: new
    mover:
      kind: checked
"""
Checked = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def check(tmp_path: Path) -> Checked:
    (tmp_path / "checked_for_test.py").write_text(MOVER)
    info = tmp_path / "checked_for_test-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: checked-for-test\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[outgrow.movers]\nchecked = checked_for_test:open_mover\n")

    def run(*lines: str) -> tuple[int, dict[str, Any]]:
        (tmp_path / "outgrow.yaml").write_text(DECLARATION + "".join(f"      {line}\n" for line in lines))
        path = os.pathsep.join([str(tmp_path), *sys.path])
        done = subprocess.run(
            [sys.executable, "-m", "outgrow", "check", "--offline", "--json"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout)

    return run


def test_right_settings_are_right(check: Checked) -> None:
    code, found = check("host: here", "port: 1")
    assert (code, found["ok"]) == (0, True)


def test_all_that_is_wrong_is_said_with_its_place(check: Checked) -> None:
    code, found = check("port: 0", "prot: 7")
    assert code == 2
    assert [(one["line"], one["path"], one["message"]) for one in found["errors"]] == [
        (12, "points[0].migration.mover.host", "is missing"),
        (14, "points[0].migration.mover.port", "should be greater than or equal to 1"),
        (15, "points[0].migration.mover.prot", "is not a known key"),
    ]


def test_what_only_the_mover_knows_is_said_of_the_mover(check: Checked) -> None:
    code, found = check("host: nowhere", "port: 1")
    assert code == 2
    (one,) = found["errors"]
    assert one["path"] == "points[0].migration.mover"
    assert one["message"] == "nowhere is no host"
