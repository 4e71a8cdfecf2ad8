"""``outgrow import`` and ``outgrow note`` as people and programs meet them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from outgrow.cli import main
from outgrow.ledger import open_ledger

DECLARATION = """\
apiVersion: outgrow/v1
users: {signal: registered_users}
signals:
  registered_users: {unit: users, metric: users, value: true}
  search_p95: {unit: seconds, metric: search_seconds, quantile: 0.95}
  memory: {unit: bytes, metric: process_resident_memory_bytes, value: true}
  users_by_region: {unit: users, metric: users, value: true, by: region}
  lead_time: {unit: seconds, metric: lead_time_seconds, value: true}
points:
- id: search
  monitor_from: 1000
  complete_before: 2000
  triggers:
  - {id: slow, signal: search_p95, threshold: 5}
  - {id: contract, kind: fact}
"""
HISTORY = (
    "time,signal,value\n2026-03-01,registered_users,1200\n2026-03-02,registered_users,1210\n2026-03-03,search_p95,\n"
)
RAMP = "concurrency,p95_ms,throughput_per_second\n1,20,50\n8,60,130\n20,400,150\n"


@pytest.fixture(scope="module")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("empty") / "ledger.sqlite"
    open_ledger(path).close()
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path: Path, empty_ledger: bytes) -> Path:
    (tmp_path / "outgrow.yaml").write_text(DECLARATION)
    (tmp_path / ".outgrow").mkdir()
    (tmp_path / ".outgrow" / "ledger.sqlite").write_bytes(empty_ledger)
    return tmp_path


@pytest.fixture
def outgrow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path):
    """The command in this process: what it prints and how it ends are the same, and the many cases take no time."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(folder)
        monkeypatch.delenv("OUTGROW_LEDGER", raising=False)
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setattr(sys, "argv", ["outgrow", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def test_history_and_ramp_go_in_at_once(outgrow, folder: Path) -> None:
    (folder / "history.csv").write_text(HISTORY)
    (folder / "ramp.csv").write_text(RAMP)
    code, out, err = outgrow("import", "history.csv", "ramp.csv")
    assert code == 0
    assert out == (
        "ramp.csv (ramp table): search_p95 at 3 levels of concurrency, 1 to 20, closed loop: 20 ms to 400 ms\n"
        "history.csv: 2 samples of registered_users, 2026-03-01 to 2026-03-02; 1 row without a value left out\n"
    )
    assert err == (
        "  closed loop: kept apart from production data, as clients that wait hide the wall; "
        "if requests left on schedule: --open-loop\n"
        "next: outgrow forecast\n"
    )
    _, again, _ = outgrow("import", "history.csv", "--simulated", "--json")
    assert json.loads(again) == {
        "schema": "outgrow/v1",
        "imported": [
            {
                "file": "history.csv",
                "kind": "history",
                "format": "CSV",
                "signals": ["registered_users"],
                "samples": 2,
                "gaps": 1,
                "first": "2026-03-01",
                "last": "2026-03-02",
                "origin": "simulated",
            }
        ],
    }


@pytest.mark.parametrize(
    ("name", "text", "words", "says"),
    [
        (
            "h.csv",
            HISTORY + "2026-03-04,serch_p95,1\n",
            (),
            "h.csv:5: the signal 'serch_p95' is not declared; did you mean search_p95?",
        ),
        ("h.csv", HISTORY.replace("1210", "many"), (), "h.csv:3: the value 'many' is not a number"),
        ("h.csv", "time,signal,value,member\n2026-03-01,memory,1,eu\n", (), "declared without by:"),
        ("r.csv", RAMP, ("--signal", "latency"), "there is no signal 'latency'; declared are lead_time, memory,"),
        ("k.csv", "metric_name,timestamp,metric_value\n", (), "there is no sample of http_req_duration"),
        ("x.txt", "hello\n", (), "what this file is cannot be seen from its first line"),
        ("absent.csv", None, (), "absent.csv cannot be read: No such file or directory"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(outgrow, folder, name, text, words, says) -> None:
    if text is not None:
        (folder / name).write_text(text)
    code, out, err = outgrow("import", name, *words)
    assert (code, out) == (2, "")
    assert says in err
    ledger = open_ledger(folder / ".outgrow" / "ledger.sqlite")
    assert (ledger.signals(), ledger.ramps()) == ((), ())
    ledger.close()


def test_lead_time_comes_from_a_repository(outgrow, folder: Path) -> None:
    repository = folder / "app"
    repository.mkdir()
    monday = 1_772_409_600
    commands = [("init", "-q", "-b", "main"), ("commit", "-q", "--allow-empty", "-m", "x", monday, monday)]
    commands += [("commit", "-q", "--allow-empty", "-m", "x", monday, monday + 86_400)] * 6
    for command in commands:
        *words, authored, committed = command if command[0] == "commit" else (*command, monday, monday)
        names = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        dates = {"GIT_AUTHOR_DATE": f"{authored} +0000", "GIT_COMMITTER_DATE": f"{committed} +0000"}
        subprocess.run(["git", *words], cwd=repository, env={**os.environ, **names, **dates}, check=True)
    code, out, err = outgrow("import", "app")
    assert code == 0, err
    assert out == "app: lead time for change of 6 commits in 1 week, 2026-03-09 to 2026-03-09; last 1d\n"
    assert "without a lead time, as made on the main line or squashed: 1 commit\n" in err
    code, _, err = outgrow("import", "app", "--signal", "memory")
    assert code == 2
    assert "is in seconds, but memory is in bytes" in err


def test_a_fact_is_noted_listed_and_withdrawn(outgrow, folder: Path) -> None:
    code, out, err = outgrow("note")
    assert (code, out) == (0, "")
    assert 'next: outgrow note search contract "what happened" --source "who says so"' in err
    _, _, err = outgrow(
        "note", "search", "contract", "a client asks for it", "--source", "sales", "--date", "2026-03-01"
    )
    assert err == (
        "noted as number 1: 2026-03-01 search/contract: a client asks for it (sales)\nnext: outgrow status\n"
    )
    listed = json.loads(outgrow("note", "1", "--json")[1])["notes"]
    assert [(note["id"], note["at"], note["source"], note["withdrawn_at"]) for note in listed] == [
        (1, "2026-03-01", "sales", None)
    ]
    assert outgrow("note", "--withdraw", "1")[0] == 0
    assert ", withdrawn 20" in outgrow("note")[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("serch", "contract", "x"), "there is no point 'serch'; declared: search"),
        (("search", "slow", "x"), "slow of search is measured, not noted; of kind fact there is contract"),
        (("search", "nothing", "x"), "search has no trigger 'nothing'; of kind fact there is contract"),
        (("search", "contract", " "), "a note needs a sentence"),
        (("search", "contract", "x", "--date", "soon"), "'soon' is not a time"),
        (("search", "contract", "x", "--date", "2999-01-01"), "is yet to come"),
        (("--withdraw", "7"), "there is no note 7"),
        (("search", "contract", "x", "--withdraw", "7"), "takes a note back and adds none"),
    ],
)
def test_a_wrong_note_is_explained(outgrow, folder: Path, words: tuple[str, ...], says: str) -> None:
    code, out, err = outgrow("note", *words)
    assert (code, out) == (2, "")
    assert says in err
