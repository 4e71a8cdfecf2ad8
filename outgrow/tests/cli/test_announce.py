"""``outgrow announce`` on a real ledger: what is told, what is kept, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from outgrow.cli import build
from outgrow.cli.output import report_error
from outgrow.errors import OutgrowError
from outgrow.wiring import open_workspace

POINT = "data-architecture"
TODAY = datetime.now(UTC).date()

RECORD = """---
status: {status}
date: 2026-01-14
outgrow: {{point: data-architecture, verdict: stay, option: A, digest: abc, reopen-when: []}}
---

# Partition
"""


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command in this process: as what a user types, in a folder."""
    monkeypatch.delenv("OUTGROW_LEDGER", raising=False)
    monkeypatch.delenv("OUTGROW_CONFIG", raising=False)

    def run(*words: str, cwd: Path) -> Said:
        monkeypatch.chdir(cwd)
        capsys.readouterr()
        try:
            code = build((words[0],))(list(words), standalone_mode=False) or 0
        except OutgrowError as error:
            code = report_error(error, as_json="--json" in words)
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def folder(workspace: Path, tmp_path: Path) -> Path:
    """A folder in which nothing is decided or planned."""
    shutil.copy(workspace / "outgrow.yaml", tmp_path)
    return tmp_path


def decide(folder: Path, status: str = "accepted", number: int = 3) -> None:
    (folder / "docs" / "decisions").mkdir(parents=True, exist_ok=True)
    (folder / "docs" / "decisions" / f"{number:04d}-a.md").write_text(RECORD.format(status=status))


def plan(folder: Path, starts_in: int, *, option: str = "A", growth: float = 0.12, point: str = POINT) -> None:
    """Keep a plan as ``outgrow plan`` does."""

    def day(ahead: int) -> str:
        return (TODAY + timedelta(days=starts_in + ahead)).isoformat()

    body = {
        "made_on": TODAY.isoformat(),
        "growth_per_month_ratio": {"p10": growth, "p50": growth, "p90": growth},
        "rewrites": [
            {
                "point": point, "option": option, "start": day(0),
                "finish": {"p10": day(15), "p50": day(20), "p90": day(30)}, "needed_ratio": 1.0,
            }
        ],
        "not_planned": [{"point": "data-architecture", "why": "it is never needed"}] if point != POINT else [],
    }  # fmt: skip
    with open_workspace(folder / "outgrow.yaml") as opened:
        digest = f"{starts_in} {option} {growth} {point} {len(opened.ledger.records('plan'))}"
        opened.ledger.add_record("plan", "", opened.clock.now(), digest, body)


def kept(folder: Path) -> list[Any]:
    with open_workspace(folder / "outgrow.yaml") as opened:
        return [record.body for record in opened.ledger.records("announcement", POINT)]


def test_the_whole_thread(inside: Any, folder: Path) -> None:
    decide(folder)
    plan(folder, 60)
    first = inside("announce", POINT, cwd=folder)
    assert first.code == 0, first.err
    assert first.out.startswith("# A change to test service: data architecture\n")
    assert "felt_by_users is not declared" in first.err
    again = inside("announce", POINT, cwd=folder)
    assert again.code == 0
    assert again.out.startswith("Nothing has moved since ")
    assert len(kept(folder)) == 1
    plan(folder, 60)  # made anew, with the same dates
    assert inside("announce", POINT, "--json", cwd=folder).json["stage"] == "unchanged"
    plan(folder, 40, growth=0.2)
    moved = inside("announce", POINT, "--json", cwd=folder)
    assert moved.code == 0
    assert moved.json["stage"] == "moved"
    assert moved.json["told_before"]["begins"] == (TODAY + timedelta(days=60)).isoformat()
    assert moved.json["told"]["begins"] == (TODAY + timedelta(days=40)).isoformat()
    assert moved.json["why"].startswith("Growth is faster than ")
    plan(folder, 60)  # back to the dates of the first note: that is news as well
    assert inside("announce", POINT, "--json", cwd=folder).json["stage"] == "moved"
    decide(folder, "done")
    done = inside("announce", POINT, cwd=folder)
    assert done.out.startswith("# Done: data architecture\n")
    assert "There is nothing to add." in inside("announce", POINT, cwd=folder).out
    assert [body["stage"] for body in kept(folder)] == ["first", "moved", "moved", "done"]


def test_a_file_holds_the_note_told_last(inside: Any, folder: Path) -> None:
    decide(folder)
    plan(folder, 60)
    assert inside("announce", POINT, "--out", "note.md", cwd=folder).code == 0
    text = (folder / "note.md").read_text()
    (folder / "note.md").unlink()
    again = inside("announce", POINT, "--out", "note.md", cwd=folder)
    assert (again.code, again.out) == (0, "")
    assert "nothing has moved" in again.err
    assert (folder / "note.md").read_text() == text == kept(folder)[0]["text"]
    (folder / "a file").write_text("x")
    plan(folder, 61)
    refused = inside("announce", POINT, "--out", "a file/note.md", cwd=folder)
    assert refused.code == 2
    assert len(kept(folder)) == 1  # what could not be written was not told


def test_what_is_not_there_yet_is_said_with_the_next_command(inside: Any, folder: Path) -> None:
    def refused(words: str, next_command: str) -> None:
        ran = inside("announce", POINT, "--json", cwd=folder)
        assert ran.code == 3, ran.out
        assert words in ran.err
        assert next_command in ran.json["next"]
        assert kept(folder) == []

    refused("nothing is decided", f"outgrow decide {POINT}")
    decide(folder, "proposed")
    refused("is proposed, not accepted", "write status: accepted in ")
    decide(folder)
    refused("no plan is kept yet", "outgrow plan")
    plan(folder, 60, point="other")
    refused("has no place for data-architecture: it is never needed", "outgrow plan")
    plan(folder, 60, option="B")
    refused("is made with option B", "outgrow plan")
    plan(folder, -60)
    refused("is over since", "outgrow plan")


def test_a_proposal_does_not_take_back_what_is_decided(inside: Any, folder: Path) -> None:
    decide(folder)
    decide(folder, "proposed", 4)
    plan(folder, 60)
    assert inside("announce", POINT, cwd=folder).code == 0
    assert kept(folder)[0]["decision"] == 3


def test_a_decision_taken_back_after_users_were_told(inside: Any, folder: Path) -> None:
    decide(folder)
    plan(folder, 60)
    assert inside("announce", POINT, cwd=folder).code == 0
    decide(folder, "rejected")
    refused = inside("announce", POINT, cwd=folder)
    assert refused.code == 3
    assert "users were told dates on" in refused.err


def test_two_at_once_keep_one_record(folder: Path) -> None:
    decide(folder)
    plan(folder, 60)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("OUTGROW")}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "outgrow", "announce", POINT, "--json"],
            cwd=folder, env=clean, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [json.loads(one.communicate()[0])["stage"] for one in running]
    assert [one.returncode for one in running] == [0, 0]
    assert set(said) <= {"first", "unchanged"}
    assert len(kept(folder)) == 1


def test_hostile_words_steer_nothing(inside: Any, folder: Path) -> None:
    text = (folder / "outgrow.yaml").read_text()
    text = text.replace("title: Data architecture", 'title: "\\e[31m[x](http://evil)\\a <b>"')
    text = text.replace("complete_before: 2000", 'complete_before: 2000\n  felt_by_users: "# big\\n\\n- list | *x*"')
    (folder / "outgrow.yaml").write_text(text)
    decide(folder)
    plan(folder, 60)
    ran = inside("announce", POINT, cwd=folder)
    assert ran.code == 0, ran.err
    assert "\x1b" not in ran.out
    assert "\x07" not in ran.out
    assert r"\[x\](http://evil) \<b\>" in ran.out
    assert r"**What you may notice.** \# big - list \| \*x\*." in ran.out
