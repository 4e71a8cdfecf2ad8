"""``outgrow prove`` as a team meets it: real processes that measure real programs, ended in every way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest

from outgrow.cli.output import printable
from outgrow.cli.prove_progress import left_words, phase_words
from outgrow.cli.prove_table import WIDTH, bar, reach, ruler
from outgrow.imports.evidence import evidence_of
from outgrow.ledger import default_location, open_ledger
from outgrow.proving import Step
from outgrow.quantities import Interval

POINT = "data-architecture"


class Ran(Protocol):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any: ...


class Runner(Protocol):
    def __call__(self, *words: str, cwd: Path, **environment: str) -> Ran: ...


def printed(p95: float, **more: Any) -> str:
    times = {"p50_seconds": p95 / 2, "p95_seconds": p95, "p99_seconds": p95 * 2}
    return json.dumps({**times, "sent": 100, "dropped": 0, "throughput_per_second": 50.0, **more})


def arm(name: str, option: str | None, p95: float, *, ids: str = "a", wait: str = "0", **more: Any) -> dict[str, Any]:
    answers = json.dumps({"answers": {"q1": [ids, "b"], "q2": ["c", "d"]}})
    return {
        "id": name,
        "option": option,
        "command": ["sh", "-c", f"sleep {wait}; echo '{printed(p95, **more)}'"],
        "answers": ["echo", answers],
    }


THREE = (arm("current", None, 0.8), arm("tune", "tune", 0.08, measures={"slow-search": 0.08}), arm("A", "A", 0.01))


def declared(folder: Path, *arms: dict[str, Any], **more: Any) -> Path:
    """A workspace whose experiment has these arms; YAML reads JSON."""
    experiment = {"kind": "command", "rounds": 6, "round_seconds": "50ms", "arms": list(arms or THREE), **more}
    point: dict[str, Any] = {
        "id": POINT,
        "title": "Data architecture",
        "monitor_from": 1000,
        "complete_before": 2000,
        "triggers": [{"id": "slow-search", "signal": "p95", "threshold": "5s"}],
        "options": [{"id": "tune", "effort_weeks": 1}, {"id": "A", "title": "Partition", "effort_weeks": 3},
                    {"id": "B", "effort_weeks": 8}],
        "rule": {"kind": "ratio", "option": "A", "stay": 5, "migrate": 2, "otherwise": "B"},
        "experiment": experiment,
    }  # fmt: skip
    signals = {"users": {"unit": "users", "metric": "users", "value": True},
               "p95": {"unit": "seconds", "metric": "query_seconds", "quantile": 0.95}}  # fmt: skip
    whole = {"apiVersion": "outgrow/v1", "name": "a platform", "users": {"signal": "users"}, "signals": signals,
             "points": [point]}  # fmt: skip
    (folder / "outgrow.yaml").write_text(json.dumps(whole, indent=1))
    return folder


def kept(folder: Path) -> list[dict[str, Any]]:
    ledger = open_ledger(default_location(folder / "outgrow.yaml", {}, None))
    try:
        return [dict(record.body) for record in ledger.records("evidence", POINT)]
    finally:
        ledger.close()


def ended_at(folder: Path, line: str, how: signal.Signals) -> subprocess.CompletedProcess[str]:
    """Ends ``outgrow prove --json`` with a signal once it says ``line``."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("OUTGROW")}
    process = subprocess.Popen(
        [sys.executable, "-m", "outgrow", "prove", POINT, "--json"],
        cwd=folder, env={**clean, "NO_COLOR": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for said in process.stderr:
        if said.startswith(line):
            process.send_signal(how)
            break
    out, err = process.communicate()
    return subprocess.CompletedProcess([], process.returncode, out, err)


def test_a_point_is_proved_and_decided_on(outgrow: Runner, tmp_path: Path) -> None:
    folder = declared(tmp_path)
    ran = outgrow("prove", POINT, "--json", "--picture", "ratios.svg", cwd=folder)
    assert ran.code == 0, ran.err
    said = ran.json
    assert (said["point"], said["ended"], said["verdict"], said["option"]) == (POINT, "finished", "stay", "A")
    assert (said["fit"], said["baseline_tuned"], said["rounds"]) == (True, False, 6)
    assert "was untuned" in said["reasons"][0]
    first = said["ratios"][0]
    assert (first["option"], first["baseline"], first["tuned"], first["verdict"]) == ("A", "tune", True, "stay")
    assert first["low"] == pytest.approx(8) == first["high"]
    assert {each["id"]: each["recall"] for each in said["arms"]} == {"current": None, "tune": None, "A": None}
    assert [each["parity"] for each in said["arms"]] == [1.0, 1.0, 1.0]
    assert said["arms"][1]["p95_seconds"] == pytest.approx(0.08)
    assert "next: outgrow decide data-architecture" in ran.err
    assert "round 6 of 6" in ran.err
    assert "<svg" in (folder / "ratios.svg").read_text()
    (body,) = kept(folder)
    assert evidence_of(body).digest == said["evidence"]
    decided = outgrow("decide", POINT, "--json", "--dry-run", cwd=folder)
    assert (decided.code, decided.json["verdict"], decided.json["option"]) == (0, "stay", "A")


def test_what_people_read(outgrow: Runner, tmp_path: Path) -> None:
    ran = outgrow("prove", "1", cwd=declared(tmp_path))
    assert ran.code == 0
    lines = [line.rstrip() for line in ran.out.splitlines()]
    assert any(line.split() == ["current", "400", "ms", "800", "ms", "0", "50/s", "100", "%"] for line in lines)
    (ratio,) = (line for line in lines if line.startswith("A over tune"))
    assert ratio.endswith("8× (8 – 8)  stay")
    assert "● stay  Data architecture" in lines
    assert any("tune alone makes it faster by 10×" in line for line in lines)
    plain = outgrow("prove", "1", "--plain", "--fresh", cwd=tmp_path)
    assert plain.out.splitlines()[0].startswith("stay\tdata-architecture\tPartition (A) is 8 times faster")
    assert "ratio\tA\ttune\t8× (8 – 8)\tstay" in plain.out.splitlines()


def test_a_wrong_answer_has_no_ratio_and_is_a_finding(outgrow: Runner, tmp_path: Path) -> None:
    folder = declared(tmp_path, *THREE[:2], arm("A", "A", 0.01, ids="z"), users=2000)
    ran = outgrow("prove", POINT, "--json", cwd=folder)
    assert ran.code == 1
    assert (ran.json["verdict"], ran.json["option"]) == ("stay", "tune")  # it keeps every trigger quiet
    assert [each["held"] for each in ran.json["tune"]] == [True]
    assert "75 % of what the baseline finds" in ran.json["arms"][2]["left_out"]
    assert ran.json["arms"][2]["p95_seconds"] is None
    assert [each["low"] for each in ran.json["ratios"] if each["option"] == "A"] == [None, None]


def test_a_machine_that_is_unfit_measures_nothing_more(outgrow: Runner, tmp_path: Path) -> None:
    noisy = arm("current", None, 0.8)
    slow, fast = printed(0.8), printed(0.1)
    noisy["command"] = ["sh", "-c", f"echo x >> n; [ $(($(wc -l < n) % 2)) = 0 ] && echo '{slow}' || echo '{fast}'"]
    ran = outgrow("prove", POINT, "--json", cwd=declared(tmp_path, noisy, *THREE[1:]))
    assert ran.code == 3
    assert (ran.json["ended"], ran.json["fit"], ran.json["ratios"]) == ("unfit", False, [])
    assert "unfit to judge" in ran.json["sentence"]
    assert kept(tmp_path) == []


def test_what_cannot_be_told_asks_for_more_rounds(outgrow: Runner, tmp_path: Path) -> None:
    wavering = arm("A", "A", 0.014)
    times = " ".join(str(each) for each in (0.0075, 0.0165, 0.0083, 0.0150, 0.0090, 0.0140))
    pick = f"set -- {times}; shift $(( $(wc -l < m) % 6 )); echo x >> m"
    template = printed(0.5).replace("0.25", "'$1'", 1).replace('"p95_seconds": 0.5', "\"p95_seconds\": '$1'")
    wavering["command"] = ["sh", "-c", f"touch m; {pick}; echo '{template}'"]
    ran = outgrow("prove", POINT, "--json", cwd=declared(tmp_path, *THREE[:2], wavering))
    assert (ran.code, ran.json["verdict"]) == (3, "inconclusive")
    assert ran.json["ratios"][0]["rounds_needed"] > 6
    assert ran.json["next"] == f"outgrow prove {POINT} --rounds {ran.json['ratios'][0]['rounds_needed']}"


def test_a_dry_run_starts_nothing(outgrow: Runner, tmp_path: Path) -> None:
    poisoned = [{**each, "command": ["sh", "-c", "touch touched"], "answers": None} for each in THREE]
    ran = outgrow("prove", POINT, "--dry-run", "--json", "--rounds", "20", cwd=declared(tmp_path, *poisoned))
    assert ran.code == 0
    assert (ran.json["rounds"], ran.json["fitness_rounds"], ran.json["baseline"]) == (20, 6, "current")
    assert ran.json["seconds"] == pytest.approx((2 * 6 + 3 * 20) * 0.05)
    assert not (tmp_path / "touched").exists()
    assert kept(tmp_path) == []


def test_a_point_without_an_experiment_says_what_to_write(outgrow: Runner, tmp_path: Path) -> None:
    folder = declared(tmp_path)
    whole = json.loads((folder / "outgrow.yaml").read_text())
    del whole["points"][0]["experiment"]
    (folder / "outgrow.yaml").write_text(json.dumps(whole))
    ran = outgrow("prove", POINT, cwd=folder)
    assert ran.code == 2
    assert "declares no experiment" in ran.err
    assert "experiment: {kind: command" in ran.err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_rounds_outlive_whatever_ends_the_run(how: signal.Signals, outgrow: Runner, tmp_path: Path) -> None:
    arms = [{**each, "command": [*each["command"][:2], f"sleep 0.05; {each['command'][2]}"]} for each in THREE]
    folder = declared(tmp_path, *arms)
    ended = ended_at(folder, "round 4 of 6", how)
    assert kept(folder) == []
    if how is signal.SIGINT:
        assert ended.returncode == 130, ended.stderr
        said = json.loads(ended.stdout)
        assert (said["ended"], said["interrupted"], said["ratios"]) == ("interrupted", True, [])
        assert [each["p95_seconds"] for each in said["arms"]] == [None] * 3
        assert said["rounds"] >= 3
        assert f"{said['rounds']} of 6 rounds are complete and kept" in said["sentence"]
        assert said["next"] == f"outgrow prove {POINT}"
    again = outgrow("prove", POINT, "--json", cwd=folder)
    assert again.code == 0, again.err
    assert again.json["gone_on_from"] >= 3
    assert again.json["rounds"] == 6
    assert "rounds that are kept; to begin anew: --fresh" in again.err
    assert len(kept(folder)) == 1


# Pieces of what is shown


def test_a_bar_holds_its_bounds_and_the_thresholds() -> None:
    ratio = Interval(3.0, 4.0, 6.0, 0.95)
    low, high = reach([ratio], (2.0, 5.0))
    drawn = bar(ratio, low, high, (2.0, 5.0))
    assert len(drawn) == WIDTH == len(ruler(low, high, (2.0, 5.0)))
    assert drawn.index("┆") < drawn.index("├") < drawn.index("●") < drawn.index("┤")
    assert printable(drawn) == drawn


def test_a_bar_of_a_ratio_far_off_keeps_inside() -> None:
    ratio = Interval(1e-6, 1.0, 1e6, 0.95)
    assert len(bar(ratio, *reach([ratio], ()), ())) == WIDTH


@pytest.mark.parametrize(("seconds", "words"), [(0.0, ""), (42.4, "about 42s left"), (634.0, "about 10m30s left")])
def test_time_left_is_about(seconds: float, words: str) -> None:
    assert left_words(Step("rounds", 0, 12, "A", seconds)) == words


def test_rounds_are_counted_from_one() -> None:
    assert phase_words(Step("rounds", 0, 12, "A", 0)) == "round 1 of 12"
    assert phase_words(Step("rounds", 12, 12, "", 0)) == "round 12 of 12"
