"""What a command does when it breaks, when nobody reads it any more, and when the words of others would steer it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BREAK = """
import sys, outgrow.cli as cli, outgrow.cli.init as module
def init(json: bool = False) -> None:
    {statement}
module.init = init
sys.argv[0] = "outgrow"
cli.main()
"""
NASTY = "a\x1b]0;pwned\x07 [/red] \x9b2J \x00 end"
YAML_NASTY = r'"a\e]0;pwned\a [/red] \x9b2J \0 end"'


def broken(statement: str, *words: str, stdout: int = subprocess.PIPE, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OUTGROW")}
    return subprocess.run(
        [sys.executable, "-c", BREAK.format(statement=statement), "init", *words],
        env={**environment, "NO_COLOR": "1", **more},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("raise RuntimeError('no such\\nthing')", "RuntimeError: no such thing"),
        ("raise RecursionError", "RecursionError"),
        ("raise MemoryError", "MemoryError"),
        ("import csv; raise csv.Error('field larger than limit')", "Error: field larger than limit"),
        ("raise BrokenPipeError(32, 'elsewhere')", "BrokenPipeError"),
        ("'\\ud800'.encode()", "UnicodeEncodeError"),
        ("init()", "RecursionError"),
    ],
)
def test_a_mistake_of_ours_is_one_line_and_3(statement: str, named: str) -> None:
    ran = broken(statement)
    assert ran.returncode == 3
    assert ran.stderr.startswith("error: outgrow broke: ")
    assert named in ran.stderr
    assert ran.stderr.endswith("; this is a bug, please report it with the command\n")
    assert ran.stderr.count("\n") == 1


def test_json_and_a_traceback_where_they_are_asked_for() -> None:
    ran = broken("raise RuntimeError('x')", OUTGROW_TRACEBACK="1")
    assert ran.returncode == 3
    assert "Traceback" in ran.stderr
    ran = broken("raise RuntimeError('x')", "--json")
    assert ran.returncode == 3
    assert "Traceback" not in ran.stderr
    found = json.loads(ran.stdout)
    assert (found["schema"], found["ok"]) == ("outgrow/v1", False)
    assert "outgrow broke: RuntimeError: x" in found["errors"][0]["message"]


def in_shell(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; outgrow() {{ {sys.executable} -m outgrow \"$@\"; }}; {command}"],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("words", ["status", "status --plain", "status --json", "forecast 1 --explain", "--help"])
def test_a_reader_that_goes_away_changes_no_exit_code(workspace: Path, words: str) -> None:
    ran = in_shell(f"outgrow {words} | head -c0", workspace)
    assert (ran.returncode, ran.stderr.count("rror")) == (0, 0)
    assert in_shell(f"outgrow {words} 2>&1 | head -c0", workspace).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize("words", ["status", "status --json", "status --plain", "--version"])
def test_a_full_disk_is_said_and_3(workspace: Path, words: str) -> None:
    ran = in_shell(f"outgrow {words} > /dev/full", workspace)
    assert ran.returncode == 3
    assert ran.stderr.splitlines()[-1] == "error: the output cannot be written: No space left on device"
    assert "Traceback" not in ran.stderr
    assert in_shell(f"outgrow {words} 2> /dev/full", workspace).returncode == 0


def test_without_a_stdout_it_ends_quietly(workspace: Path) -> None:
    ran = in_shell("outgrow status >&-", workspace)
    assert (ran.returncode, ran.stderr) == (3, "")
    assert in_shell("outgrow status 2>&-", workspace).returncode == 0


def test_letters_a_terminal_lacks_are_no_failure(outgrow, workspace: Path) -> None:
    ran = outgrow("status", cwd=workspace, PYTHONIOENCODING="ascii")
    assert ran.code == 0, ran.err
    assert "? approaching" in ran.out
    first, second = (
        outgrow("status", "--json", cwd=workspace, PYTHONIOENCODING=code).json for code in ("ascii", "utf8")
    )
    assert first == second


@pytest.fixture(scope="module")
def nasty(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose titles hold terminal escapes and the markup of rich."""
    folder = shutil.copytree(workspace, tmp_path_factory.mktemp("nasty") / "copy")
    path = folder / "outgrow.yaml"
    text = path.read_text().replace("title: Data architecture", f"title: {YAML_NASTY}")
    path.write_text(text.replace("vector queries are slow", YAML_NASTY))
    return folder


@pytest.mark.parametrize(
    "words",
    [("status", "-t"), ("status", "-t", "--plain"), ("forecast",), ("forecast", "--plain"), ("forecast", "--explain")],
)
def test_titles_never_steer_the_terminal(outgrow, nasty: Path, words: tuple[str, ...]) -> None:
    ran = outgrow(*words, cwd=nasty)
    assert ran.code == 0, ran.err
    assert not [letter for letter in ran.out + ran.err if ord(letter) < 32 and letter not in "\n\t"]
    assert "\x9b" not in ran.out
    assert "a�]0;pwned" in ran.out
    assert "[/red]" in ran.out


def test_json_holds_titles_as_they_are_and_no_raw_control(outgrow, nasty: Path) -> None:
    ran = outgrow("status", "--json", cwd=nasty)
    assert ran.json["points"][0]["title"] == NASTY
    assert "\x9b" not in ran.out


def test_pictures_and_pages_survive_any_title(outgrow, nasty: Path, tmp_path: Path) -> None:
    ran = outgrow("forecast", "1", "--svg", str(tmp_path / "f.svg"), "--png", str(tmp_path / "f.png"), cwd=nasty)
    assert ran.code == 0, ran.err
    assert "[/red]" in (tmp_path / "f.svg").read_text()
    assert outgrow("export", "report", "--output", str(tmp_path / "r.html"), cwd=nasty).code == 0
