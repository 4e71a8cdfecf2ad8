"""``outgrow handbook`` on a real ledger and real files; once in a process of its own."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from outgrow.cli import build
from outgrow.cli.output import report_error
from outgrow.errors import OutgrowError

POINT = "data-architecture"


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
    """A folder in which nothing is recorded."""
    shutil.copy(workspace / "outgrow.yaml", tmp_path)
    return tmp_path


def page_of(folder: Path) -> Path:
    return folder / "docs" / "handbook" / f"{POINT}.md"


def test_the_page_is_written_where_the_file_says_and_is_the_same_again(
    outgrow: Any, inside: Any, workspace: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(workspace, tmp_path / "copy"))
    first = outgrow("handbook", POINT, cwd=folder)
    assert first.code == 0, first.err
    assert first.out == ""
    assert f"wrote {page_of(folder)}" in first.err
    assert "next: outgrow decide data-architecture" in first.err
    page = page_of(folder).read_bytes()
    assert b"| [vector queries are slow](#slow-search)" in page
    assert b"Noted" not in page
    assert b"the measured limit governs" in page  # the ramp counts, though it was made after the last sample
    again = inside("handbook", "1", cwd=folder)  # by its number
    assert (again.code, page_of(folder).read_bytes()) == (0, page)
    assert "nothing new for" in again.err
    assert inside("handbook", POINT, "--out", "-", cwd=folder).out.encode() == page
    noted = inside("note", POINT, "contract", "they sign in May", "--source", "mail", cwd=folder)
    assert noted.code == 0, noted.err
    assert "wrote" in inside("handbook", POINT, cwd=folder).err
    assert "they sign in May (mail)" in page_of(folder).read_text()
    assert "| firing" in page_of(folder).read_text()


def test_what_people_wrote_below_the_line_survives(inside: Any, folder: Path) -> None:
    assert inside("handbook", POINT, cwd=folder).code == 0
    with page_of(folder).open("a") as page:
        page.write("\nThe pager's number is on the fridge.\n")
    inside("note", POINT, "contract", "they sign in May", cwd=folder)
    assert inside("handbook", POINT, cwd=folder).code == 0
    assert page_of(folder).read_text().endswith("-->\n\nThe pager's number is on the fridge.\n")
    assert "they sign in May" in page_of(folder).read_text()


def test_a_page_by_hand_is_left_as_it_is(inside: Any, folder: Path) -> None:
    page_of(folder).parent.mkdir(parents=True)
    page_of(folder).write_text("# Ours\n")
    refused = inside("handbook", POINT, cwd=folder)
    assert refused.code == 2
    assert "was not written by outgrow handbook" in refused.err
    assert page_of(folder).read_text() == "# Ours\n"
    assert inside("handbook", POINT, "--out", str(page_of(folder)), cwd=folder).code == 0  # told so, it is replaced


def test_two_points_do_not_write_one_page(inside: Any, folder: Path) -> None:
    with (folder / "outgrow.yaml").open("a") as file:
        file.write("handbook: HANDBOOK.md\n")
    (folder / "HANDBOOK.md").write_text("<!-- written by outgrow handbook other -->\n")
    refused = inside("handbook", POINT, cwd=folder)
    assert refused.code == 2
    assert "is the page of other" in refused.err
    assert "{point}" in refused.err


def test_a_page_on_the_web_needs_a_file(inside: Any, folder: Path) -> None:
    with (folder / "outgrow.yaml").open("a") as file:
        file.write("handbook: https://wiki.example.org/{point}\n")
    refused = inside("handbook", POINT, "--json", cwd=folder)
    assert refused.code == 2
    assert f"https://wiki.example.org/{POINT}" in refused.err
    assert refused.json["next"] == f"outgrow handbook {POINT} --out {POINT}.md"
    made = inside("handbook", POINT, "--out", "page.md", "--json", cwd=folder)
    assert made.code == 0
    assert (made.json["output"], made.json["page"], made.json["state"]) == ("page.md", None, made.json["state"])
    assert {"what": "nothing is planned yet", "next": "outgrow plan"} in made.json["missing"]
    assert (folder / "page.md").exists()


def test_what_cannot_be_written_is_one_line(inside: Any, folder: Path) -> None:
    (folder / "docs").write_text("a file where a folder should be")
    refused = inside("handbook", POINT, cwd=folder)
    assert refused.code == 2
    assert "cannot be written: " in refused.err
    assert "Traceback" not in refused.err
    assert inside("handbook", "nowhere", cwd=folder).code == 2


def test_nothing_recorded_is_unknown_and_never_quiet(inside: Any, folder: Path) -> None:
    made = inside("handbook", POINT, "--out", "-", cwd=folder)
    assert made.code == 0
    assert "**unknown**: nothing is recorded yet" in made.out
    assert "quiet:" not in made.out
    assert "next: outgrow record --once" in made.err


RECORD = """---
status: {status}
date: 2026-01-14
outgrow:
  point: data-architecture
  verdict: stay
  option: A
  digest: abc
  reopen-when:
  - {{trigger: slow-search}}
  - {{trigger: contract}}
---

# Partition
"""


def test_the_decision_is_linked_and_what_reopens_it_is_said(inside: Any, folder: Path) -> None:
    decisions = folder / "docs" / "decisions"
    decisions.mkdir(parents=True)
    (decisions / "0003-data-architecture-a.md").write_text(RECORD.format(status="accepted"))
    unmeasured = inside("handbook", POINT, "--out", "-", "--json", cwd=folder).json
    assert (unmeasured["state"], unmeasured["decision"]) == ("unknown", "0003-data-architecture-a.md")
    assert unmeasured["reopened"] == []
    (decisions / "0004-broken.md").write_text("---\noutgrow: [\n---\n")
    inside("note", POINT, "contract", "they sign in May", cwd=folder)
    made = inside("handbook", POINT, "--json", cwd=folder)
    assert made.code == 0
    assert "0004-broken.md" in made.err
    assert made.json["decision"] == "0003-data-architecture-a.md"
    assert any("contract" in why for why in made.json["reopened"])
    page = page_of(folder).read_text()
    link = page.partition("](<")[2].partition(">)")[0]
    assert (page_of(folder).parent / link).resolve() == (decisions / "0003-data-architecture-a.md").resolve()
    assert "**Reopened:** contract fires since" in page
