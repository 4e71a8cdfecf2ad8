"""``outgrow pace`` as a stranger runs it: no file, no metrics. In a real process, and its many cases in this one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from outgrow.cli import main

OWN = """\
apiVersion: outgrow/v1
users: {signal: people}
signals: {people: {unit: users, metric: people, value: true}}
team: {people: 3, months_between: 4}
points:
- id: database
  monitor_from: 4000
  decide_by: 5000
  complete_before: 9000
  triggers: [{id: told, kind: fact}]
  options:
  - {id: shard, title: Shard by tenant, effort_weeks: [4, 6]}
"""


def _run(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("OUTGROW")}
    return subprocess.run(
        [sys.executable, "-m", "outgrow", "pace", *words],
        cwd=cwd,
        env={**clean, "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def _call(*words: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> int:
    """The entry point itself, in this process; returns the exit code."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "argv", ["outgrow", "pace", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_it_needs_no_file_and_writes_none(tmp_path: Path) -> None:
    ran = _run("--users", "1000", "--growth", "15%", "--people", "2", "--from", "2026-01-15", cwd=tmp_path)
    assert ran.returncode == 0
    golden = Path(__file__).parents[1] / "reports" / "goldens" / "pace-15-percent-100-columns.txt"
    assert "".join(f"{line.rstrip()}\n" for line in ran.stdout.splitlines()) == golden.read_text(encoding="utf-8")
    assert ran.stderr == "next: outgrow init --template venture-platform\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--growth", "25%"], 1, "No: not at this growth"),
        (["--people", "1"], 1, "nobody is free"),
        (["--growth", "0"], 0, "Nothing ahead is ever reached"),
        (["--growth", "-3%"], 0, "Nothing ahead is ever reached"),
        (["--users", "5000", "--growth", "5%"], 1, "One limit is already past"),
        (["--users", "5000", "--growth", "5%", "--option", "1=done"], 0, "Yes: two people can carry it"),
        (["--option", "distribution=B", "--growth", "17%"], 1, "4B Edge-first"),
    ],
)
def test_exit_codes_of_findings(
    words: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _call(*words, monkeypatch=monkeypatch, folder=tmp_path) == code
    shown = capsys.readouterr()
    assert said in shown.out
    assert "error" not in shown.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--users", "0"], "at least 1"),
        (["--users", "-5"], "at least 1"),
        (["--growth", "fast"], "write for example 15%"),
        (["--growth", "nan"], "growth"),
        (["--people", "0"], "at least 1|1 person or more"),
        (["--from", "tomorrow"], "is not a date"),
        (["--option", "4"], "POINT=OPTION"),
        (["--option", "4=Z"], "has no option 'Z'"),
        (["--option", "4=A", "--option", "distribution=B"], "given twice"),
        (["--config", "missing.yaml"], "there is no missing.yaml"),
        (["--html", "nowhere/page.html"], "cannot be written"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_would_be_right(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(*words, monkeypatch=monkeypatch, folder=tmp_path) == 2
    shown = capsys.readouterr()
    assert re.search(said, shown.err)
    assert shown.out == ""


def test_json_and_page(tmp_path: Path) -> None:
    ran = _run("--json", "--html", "page.html", "--from", "2026-01-15", cwd=tmp_path)
    record = json.loads(ran.stdout)
    assert (record["schema"], record["verdict"]["code"]) == ("outgrow/v1", "carried-early")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "outgrow pace --users 1000 --growth 15% --people 2 --from 2026-01-15" in page


def test_plain_is_one_fact_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call("--plain", monkeypatch=monkeypatch, folder=tmp_path) == 0
    assert all("\t" in line for line in capsys.readouterr().out.splitlines())


def test_colour_only_where_it_is_wanted(tmp_path: Path) -> None:
    coloured = _run(cwd=tmp_path, FORCE_COLOR="1")
    assert "\x1b[32m" in coloured.stdout
    plain = _run(cwd=tmp_path, FORCE_COLOR="1", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", plain.stdout)


def test_your_own_points_and_team(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.yaml").write_text(OWN, encoding="utf-8")
    _call("--config", "own.yaml", "--json", monkeypatch=monkeypatch, folder=tmp_path)
    shown = capsys.readouterr()
    record = json.loads(shown.out)
    assert [point["id"] for point in record["points"]] == ["database"]
    assert (record["team"]["people"], record["team"]["months_between"]) == (3, 4)
    assert "next: outgrow forecast --config own.yaml" in shown.err
    _call("--config", "own.yaml", "--people", "4", "--json", monkeypatch=monkeypatch, folder=tmp_path)
    team = json.loads(capsys.readouterr().out)["team"]
    assert (team["people"], team["hands"]) == (4, 2)
