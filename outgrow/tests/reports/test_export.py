"""``outgrow export`` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from outgrow.cli.export import app
from outgrow.errors import UsageError
from outgrow.points.templates import template_text

DEPLOY = Path(__file__).parents[3] / "deploy"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "outgrow.yaml").write_text(template_text("venture-platform"))
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NO_COLOR": "1", "OUTGROW_CONFIG": str(folder / "outgrow.yaml")}
    return subprocess.run(
        [sys.executable, "-m", "outgrow", "export", *words],
        cwd=folder, capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip


def test_rules_go_to_stdout_and_what_they_leave_out_to_stderr(folder: Path) -> None:
    done = run(folder, "prometheus-rules")
    assert (done.returncode, done.stdout) == (0, (DEPLOY / "prometheus" / "rules.yml").read_text())
    assert "regional-compliance" in done.stderr
    assert "next: promtool check rules" in done.stderr


def test_the_dashboard_goes_to_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, ["grafana", "--output", "dashboard.json"])
    assert (done.exit_code, done.stdout) == (0, "")
    assert (folder / "dashboard.json").read_text() == (DEPLOY / "grafana" / "dashboard.json").read_text()
    assert "wrote dashboard.json" in done.stderr


def test_the_page_is_made_even_if_nothing_is_known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    done = CliRunner().invoke(app, ["report", "--offline", "--output", "report.html", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["schema"], said["output"], said["text"]) == ("outgrow/v1", "report.html", None)
    assert set(said["states"].values()) == {"unknown"}
    page = (folder / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert str(folder) not in page, "a page that is mailed names no folder of this machine"


def test_a_file_that_cannot_be_written_is_said_and_nothing_is_left_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "taken").mkdir()
    monkeypatch.chdir(folder)
    failed = CliRunner().invoke(app, ["grafana", "--output", "taken"])
    assert isinstance(failed.exception, UsageError)
    assert "taken cannot be written" in str(failed.exception)
    assert sorted(path.name for path in folder.iterdir()) == ["outgrow.yaml", "taken"]
