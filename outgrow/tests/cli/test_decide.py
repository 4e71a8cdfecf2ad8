"""``outgrow decide`` and ``outgrow decisions`` as a team meets them, and what ``status`` says of what is decided."""

from __future__ import annotations

import json
import os
import pty
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import time

import pytest

from outgrow.decisions.records import CRITERIA
from outgrow.imports.evidence import evidence_body, read_evidence
from outgrow.ledger import default_location, open_ledger
from outgrow.ports import Ledger

DECLARATION = (Path(__file__).parents[1] / "decisions" / "declaration.yaml").read_text()
DATA, STATE, FACT = "data-architecture", "state-management", "real-time-collaboration"
SAID = ("--answer", f"{FACT}=yes", "--source", "Ana, for the board")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "outgrow.yaml").write_text(DECLARATION)
    return tmp_path


def evidence(folder: Path, low: float, mid: float, high: float, baseline: str = "tune") -> str:
    path = folder / "evidence.json"
    ratio = {"low": low, "mid": mid, "high": high, "confidence": 0.95}
    path.write_text(json.dumps({"schema": "outgrow/evidence/v1", "point": DATA, "source": "a colleague's bench",
                                "date": "2026-01-10", "baseline": baseline, "ratio": ratio}))  # fmt: skip
    return str(path)


def keep_evidence(folder: Path, low: float, mid: float, high: float, baseline: str = "tune") -> None:
    found = read_evidence(Path(evidence(folder, low, mid, high, baseline)))
    with opened(folder) as ledger:
        ledger.add_record("evidence", found.point, found.made_at, found.digest, evidence_body(found))


@contextmanager
def opened(folder: Path) -> Iterator[Ledger]:
    ledger = open_ledger(default_location(folder / "outgrow.yaml", {}, None))
    yield ledger
    ledger.close()


def records(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "docs" / "decisions").glob("*"))}


def test_without_evidence_nothing_is_decided_and_it_says_what_would_settle_it(outgrow, folder: Path) -> None:
    ran = outgrow("decide", DATA, cwd=folder)
    assert ran.code == 3
    assert ran.out.startswith("● inconclusive  Data architecture\n")
    assert "outgrow import evidence FILE" in ran.err
    assert not (folder / "docs").exists()
    shown = outgrow("decide", "1", "--json", cwd=folder)
    assert shown.code == 3
    assert shown.json["schema"] == "outgrow/v1"
    assert (shown.json["verdict"], shown.json["option"], shown.json["record"]) == ("inconclusive", None, None)
    assert shown.json["missing"]


def test_a_decision_from_evidence_to_status(outgrow, folder: Path) -> None:
    assert outgrow("import", "evidence", evidence(folder, 6.1, 9.2, 13.8), cwd=folder).code == 0
    rehearsed = outgrow("decide", DATA, "--dry-run", cwd=folder)
    assert rehearsed.code == 0
    assert "would write docs/decisions/0001-data-architecture-partition.md" in rehearsed.err
    assert not (folder / "docs").exists()

    made = outgrow("decide", DATA, "--decision-maker", "Ana", "--decision-maker", "Ben", cwd=folder)
    assert made.code == 0
    assert made.out.startswith("● stay  Data architecture: Partition (A)\n")
    assert "wrote docs/decisions/0001-data-architecture-partition.md (accepted)\n" in made.err
    assert "next: outgrow plan" in made.err
    before = records(folder)
    assert b"decision-makers: [Ana, Ben]\n" in before["0001-data-architecture-partition.md"]

    again = outgrow("decide", DATA, "--json", cwd=folder)
    assert again.code == 0
    assert again.json["record"] == "docs/decisions/0001-data-architecture-partition.md"
    assert (again.json["how"], again.json["number"], again.json["status"]) == ("kept", 1, "accepted")
    assert again.json["ratio"]["low"] == 6.1
    assert records(folder) == before

    listed = outgrow("decisions", "--json", cwd=folder)
    assert listed.code == 0
    (one,) = listed.json["decisions"]
    assert (one["number"], one["point"], one["state"]) == (1, DATA, "accepted")
    assert (one["option"], one["verdict"]) == ("A", "stay")

    status = outgrow("status", "--offline", "--json", cwd=folder)
    decided = {point["id"]: point["decision"] for point in status.json["points"]}
    assert decided[STATE] is None
    assert decided[DATA] == {
        "number": 1,
        "file": "docs/decisions/0001-data-architecture-partition.md",
        "option": "A",
        "verdict": "stay",
        "status": "accepted",
        "reopened": False,
        "reason": None,
    }


def test_the_untuned_service_is_shown_and_never_ruled_on(outgrow, folder: Path) -> None:
    keep_evidence(folder, 310, 420, 560, baseline="current")
    ran = outgrow("decide", DATA, "--plain", cwd=folder)
    assert ran.code == 3
    assert any(line.startswith("shown, never ruled on\tPartition (A) against current, not tuned: 420 times")
               for line in ran.out.splitlines())  # fmt: skip


def test_between_with_a_tie_is_a_finding_without_a_record(outgrow, folder: Path) -> None:
    same = f"{{{', '.join(f'{criterion}: 3' for criterion in CRITERIA)}}}"
    lines = [f"    scores: {same}" if line.strip().startswith("scores:") else line for line in DECLARATION.splitlines()]
    (folder / "outgrow.yaml").write_text("\n".join(lines))
    keep_evidence(folder, 2.4, 3.1, 4.2)
    ran = outgrow("decide", DATA, "--json", cwd=folder)
    assert ran.code == 1
    assert (ran.json["verdict"], ran.json["option"], ran.json["record"]) == ("between", None, None)
    assert ran.json["weighing"]["best"] is None
    assert not (folder / "docs").exists()


def test_answers_are_kept_with_their_source_and_a_reopened_decision_is_a_finding(outgrow, folder: Path) -> None:
    unsaid = outgrow("decide", STATE, "--no-input", cwd=folder)
    assert unsaid.code == 3
    assert f'outgrow decide {STATE} --answer {FACT}=yes --source "who says so"' in unsaid.err
    assert outgrow("decide", STATE, "--answer", f"{FACT}=maybe", "--source", "Ana", cwd=folder).code == 2
    made = outgrow("decide", STATE, *SAID, "--json", cwd=folder)
    assert made.code == 0
    assert made.json["answers"] == [
        {"fact": FACT, "answer": True, "source": "Ana, for the board", "at": datetime.now(UTC).date().isoformat()}
    ]
    outgrow("decide", STATE, "--answer", f"{FACT}=no", "--source", "Ben", "--dry-run", cwd=folder)

    path = next((folder / "docs" / "decisions").iterdir())
    path.write_text(path.read_text().replace("date: 20", "date: 19", 1))
    with opened(folder) as ledger:
        for _ in range(2):
            ledger.add_note(STATE, "inconsistent-data", "x", source="support", at=time() - 60, made_at=time())
    listed = outgrow("decisions", "--plain", cwd=folder)
    assert listed.code == 1
    assert listed.out.startswith("0001\treopened\tstate-management\tB\tmigrate\t19")
    assert "answered" not in listed.out
    status = outgrow("status", "--offline", cwd=folder)
    assert status.code == 1
    assert "Decision 0001 (accepted): migrate, B. It is reopened: inconsistent-data fires since" in " ".join(
        status.out.split()
    )
    assert "next: outgrow decide state-management" in status.err


def test_a_broken_record_is_a_warning_and_status_goes_on(outgrow, folder: Path) -> None:
    place = folder / "docs" / "decisions"
    place.mkdir(parents=True)
    (place / "0001-half.md").write_text("---\nstatus: accepted\noutgrow:\n  point: data-arch")
    (place / "0002-ours.md").write_text("---\nstatus: accepted\n---\n# We write tests\n")
    status = outgrow("status", "--offline", cwd=folder)
    assert status.code == 3
    assert "0001-half.md: its front matter does not end" in status.err
    listed = outgrow("decisions", "--json", cwd=folder)
    assert listed.code == 0
    assert listed.json["decisions"] == []
    assert len(listed.json["warnings"]) == 1


def test_a_folder_in_the_way_is_one_line_and_nothing_is_written(outgrow, folder: Path) -> None:
    (folder / "docs").write_text("a file")
    ran = outgrow("decide", STATE, *SAID, cwd=folder)
    assert ran.code == 3
    assert "cannot be written" in ran.err
    assert "Traceback" not in ran.err


def test_two_runs_at_once_write_one_record_each(folder: Path) -> None:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("OUTGROW")}
    state = [sys.executable, "-m", "outgrow", "decide", STATE, *SAID, "--json"]
    keep_evidence(folder, 6.1, 9.2, 13.8)
    data = [sys.executable, "-m", "outgrow", "decide", DATA, "--json"]
    running = [
        subprocess.Popen(words, cwd=folder, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for words in (state, data, state)
    ]
    made = [json.loads(one.communicate()[0]) for one in running]
    assert [one.returncode for one in running] == [0, 0, 0]
    assert made[0]["record"] == made[2]["record"]
    assert sorted([made[0]["how"], made[2]["how"]]) == ["kept", "written"]
    assert {made[0]["number"], made[1]["number"]} == {1, 2}
    assert len(records(folder)) == 2


@contextmanager
def terminal(*words: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, list[bytes]]]:
    """The command on a terminal of its own; yields its process, the terminal, and what it has shown so far."""
    ours, theirs = pty.openpty()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("OUTGROW")}
    process = subprocess.Popen(
        [sys.executable, "-m", "outgrow", *words],
        cwd=cwd,
        env={**clean, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"},
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown: list[bytes] = []

    def read() -> None:
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the terminal closes with its last user
                return
            if not part:
                return
            shown.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield process, ours, shown
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(ours)


@pytest.mark.parametrize(
    ("typed", "code", "source"),
    [(b"perhaps\nyes\nBen\n", 0, "Ben"), (b"\n", 3, None)],
    ids=["answered", "not known"],
)
def test_on_a_terminal_it_asks_what_it_has_to_know(folder: Path, typed: bytes, code: int, source: str | None) -> None:
    with terminal("decide", STATE, cwd=folder) as (process, keys, shown):
        os.write(keys, typed)
        assert process.wait() == code
    said = b"".join(shown).decode()
    assert "Must several people edit the same thing at once? [yes/no; empty: not known]" in said
    if source is not None:
        assert "Who or what says so?" in said
        (text,) = (content.decode() for content in records(folder).values())
        assert "**yes** (Ben, " in text


def test_evidence_edited_in_the_database_is_not_ruled_on(outgrow, folder: Path) -> None:
    arms = [{"id": "tuned", "option": "tune"}, {"id": "A", "option": "A"}]
    rounds = [
        {"round": number, "arm": arm, "order": order, "p95_seconds": p95 * (1 + number % 3 / 100), "sent": 900,
         "dropped": 0}
        for number in range(1, 13) for order, (arm, p95) in enumerate((("tuned", 0.9), ("A", 0.1)))
    ]  # fmt: skip
    (folder / "measured.json").write_text(json.dumps({
        "schema": "outgrow/evidence/v1", "point": DATA, "date": "2026-01-10", "source": "a bench", "baseline": "tuned",
        "arms": arms, "rounds": rounds,
    }))  # fmt: skip
    assert outgrow("import", "evidence", "measured.json", cwd=folder).code == 0
    before = outgrow("decide", DATA, "--dry-run", "--json", cwd=folder)
    assert (before.code, before.json["verdict"]) == (0, "stay")
    edit = (
        "UPDATE record SET body = replace(body, '\"p95_seconds\":0.1', '\"p95_seconds\":0.8') WHERE kind = 'evidence'"
    )
    with closing(sqlite3.connect(default_location(folder / "outgrow.yaml", {}, None))) as database, database:
        assert database.execute(edit).rowcount == 1
    after = outgrow("decide", DATA, cwd=folder)
    assert after.code == 3
    assert after.out.startswith("● inconclusive")
    assert "record 1 of the ledger" in after.err
    assert "left out" in after.err
    assert not (folder / "docs").exists()
