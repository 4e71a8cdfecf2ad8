"""Programs of any kind are asked as declared, believed only in what they print, and ended with their children."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from outgrow.experiments import programs
from outgrow.experiments.command import CommandExperiment, open_experiment
from outgrow.ports import Experiment, ExperimentFailed, Load, Request
from outgrow.testing import FixedClock
from outgrow.testing.experiment_contract import ExperimentContract

LOAD = Load(1.0, seed=4, rate_per_second=20.0)
GOOD = {
    "p50_seconds": 0.01,
    "p95_seconds": 0.02,
    "p99_seconds": 0.03,
    "sent": 20,
    "dropped": 1,
    "throughput_per_second": 19.0,
}


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def prints(value: object) -> list[str]:
    return python(f"print({json.dumps(value)!r})")


def opened(**arm: Any) -> CommandExperiment:
    more = {key: arm.pop(key) for key in ("timeout", "prepare_timeout", "right") if key in arm}
    arms = [{"id": "now", **arm}, {"id": "new", "option": "A", "command": prints(GOOD)}]
    for key in ("answers", "capacity"):
        if key in arm:
            arms[1][key] = arm[key]
    return open_experiment({"arms": arms, **more}, FixedClock(0))


def failure(command: list[str], **more: Any) -> str:
    experiment = opened(command=command, **more)
    with pytest.raises(ExperimentFailed) as failed:
        experiment.run("now", LOAD)
    assert "OUTGROW_ARM=now" in failed.value.next_step
    return failed.value.message


def leaves_running(file: Path) -> str:
    """Code that leaves a child behind, whose number is in the file."""
    return f"import subprocess; p = subprocess.Popen(['sleep', '600']); open({str(file)!r}, 'w').write(str(p.pid))"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int) -> bool:
    """Ended within some seconds."""
    for _ in range(200):
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


class TestContract(ExperimentContract):
    @pytest.fixture
    def experiment(self) -> Iterator[Experiment]:
        answers = {"answers": {"r1": ["a", 2], "r2": []}, "texts": {"r1": "tea"}}
        experiment = opened(
            command=prints(GOOD), answers=prints(answers), capacity=prints({"throughput_per_second": 50})
        )
        yield experiment
        experiment.close()


def test_a_program_is_told_what_it_is_to_measure() -> None:
    code = (
        "import json, os; print('about to');"
        f"said = dict({GOOD!r}, versions={{k: v for k, v in os.environ.items() if k.startswith('OUTGROW_')}});"
        "print(json.dumps(said))"
    )
    experiment = opened(command=python(code))
    assert experiment.run("now", LOAD).p95_seconds == 0.02
    assert {name: said for name, said in experiment.versions().items() if name != "programs"} == {
        "now OUTGROW_ARM": "now",
        "now OUTGROW_RATE": "20",
        "now OUTGROW_SECONDS": "1",
        "now OUTGROW_SEED": "4",
    }


def test_what_it_prints_of_memory_and_triggers_is_taken() -> None:
    said = {**GOOD, "memory_bytes": 8e9, "measures": {"slow-search": 0.4}}
    experiment = opened(command=prints(said))
    assert experiment.footprint("now").memory_bytes is None
    assert experiment.run("now", LOAD).measures == {"slow-search": 0.4}
    assert experiment.footprint("now").memory_bytes == 8e9
    assert experiment.footprint("new").memory_bytes is None


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("", "printed nothing on stdout"),
        ("hello", "printed a last line that is no JSON: hello"),
        (json.dumps(GOOD)[:40], "printed a last line that is no JSON: {"),
        (json.dumps(GOOD) + "\nTraceback", "no JSON: Traceback"),
        ("[1]", "should be"),
        (json.dumps({**GOOD, "p95_seconds": None}), "p95_seconds should be a valid number"),
        (json.dumps({**GOOD, "p95_seconds": "0.02"}), "p95_seconds should be a valid number"),
        (json.dumps({**GOOD, "p95_seconds": float("nan")}), "p95_seconds should be a finite number"),
        (json.dumps({**GOOD, "p95_seconds": 0.0}), "p95_seconds should be greater than 0"),
        (json.dumps({**GOOD, "p95_seconds": 0.5}), "p95_seconds ≤ p99_seconds does not hold"),
        (json.dumps({**GOOD, "dropped": 21}), "dropped is 21, more than sent, 20"),
        (json.dumps({**GOOD, "sent": 0}), "sent should be greater than 0"),
        (json.dumps({**GOOD, "memroy_bytes": 1}), "memroy_bytes is not a known key"),
        (json.dumps({key: GOOD[key] for key in GOOD if key != "sent"}), "sent is missing"),
    ],
)
def test_what_is_no_measurement_is_said(printed: str, message: str) -> None:
    said = failure(python(f"import sys; sys.stdout.write({printed!r})"))
    assert said.startswith(f"now: command: {sys.executable} printed")
    assert message in said


def test_another_code_than_0_fails_with_the_last_lines_of_stderr() -> None:
    code = (
        f"import sys; print({json.dumps(GOOD)!r});"
        "[print(f'line {n}', file=sys.stderr) for n in range(9)];"
        "print('\\x1b[31mred', file=sys.stderr); sys.exit(3)"
    )
    said = failure(python(code))
    assert said == (
        f"now: command: {sys.executable} ended with code 3; its last lines: line 6 ⏎ line 7 ⏎ line 8 ⏎  [31mred"
    )


def test_a_program_that_was_killed_says_by_what() -> None:
    assert "was ended by SIGKILL; it said nothing" in failure(python("import os; os.kill(os.getpid(), 9)"))


def test_a_program_that_is_not_there_is_said() -> None:
    assert "/nowhere/bench cannot be started: No such file" in failure(["/nowhere/bench"])


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_GRACE_SECONDS", 0.3)
    file = tmp_path / "pids"
    code = (
        "import os, signal, subprocess, sys, time;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen(['sleep', '600']);"
        f"open({str(file)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}');"
        "print('starting', file=sys.stderr, flush=True);"
        "time.sleep(600)"
    )
    said = failure(python(code), timeout=0.5)
    assert "had not ended after 1.5 s and was ended; its last lines: starting" in said
    assert all(gone(int(pid)) for pid in file.read_text().split())


def test_endless_output_is_cut() -> None:
    code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    assert "printed more than 32 MB and was ended" in failure(python(code), timeout=60)


def test_what_a_program_leaves_running_is_ended(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = f"{leaves_running(file)}; print({json.dumps(GOOD)!r})"
    opened(command=python(code)).run("now", LOAD)
    assert gone(int(file.read_text()))


def test_what_prepare_leaves_running_runs_until_the_end(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    experiment = opened(command=prints(GOOD), prepare=python(leaves_running(file)))
    told: list[str] = []
    experiment.prepare("now", told.append)
    pid = int(file.read_text())
    experiment.run("now", LOAD)
    assert alive(pid)
    assert told
    experiment.close()
    assert gone(pid)


def test_an_interruption_ends_the_program(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = (
        f"import os, signal, time; open({str(file)!r}, 'w').write(str(os.getpid()));"
        "os.kill(os.getppid(), signal.SIGINT); time.sleep(600)"
    )
    experiment = opened(command=python(code))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            experiment.run("now", LOAD)
    finally:
        signal.signal(signal.SIGINT, before)
    assert gone(int(file.read_text()))


def test_prepare_that_fails_names_the_arm() -> None:
    experiment = opened(command=prints(GOOD), prepare=python("raise SystemExit('no docker here')"))
    with pytest.raises(ExperimentFailed, match=r"now: prepare: .* ended with code 1; its last lines: no docker here"):
        experiment.prepare("now", lambda text: None)


def test_answers_are_compared_by_what_the_baseline_answers() -> None:
    experiment = opened(command=prints(GOOD), answers=prints({"answers": {"r1": ["a", 2]}, "texts": {"r1": "tea"}}))
    requests = experiment.requests(3)
    assert requests == (Request("r1", "tea"),)
    asked = [*requests, Request("r2", "unknown")]
    assert experiment.answers("new", asked).by_request == {"r1": ("a", "2"), "r2": ()}
    assert experiment.right(requests) is None


def test_right_answers_must_be_there_for_each() -> None:
    answers = prints({"answers": {"r1": ["a"], "r2": ["b"]}})
    experiment = opened(command=prints(GOOD), answers=answers, right=prints({"answers": {"r1": ["a"]}}))
    with pytest.raises(ExperimentFailed, match="says nothing of 1 of 2 requests, 'r2' first"):
        experiment.right(experiment.requests(1))


def test_an_arm_that_has_no_answers_program_where_others_have_is_refused() -> None:
    arms = [
        {"id": "now", "command": ["x"], "answers": ["y"]},
        {"id": "new", "option": "A", "command": ["x"]},
    ]
    with pytest.raises(ValidationError, match="new: answers is missing; every arm needs it, or none"):
        open_experiment({"arms": arms}, FixedClock(0))


@pytest.mark.parametrize(
    ("arms", "place", "message"),
    [
        ([{"id": "now", "command": "python bench.py"}], ("arms", 0, "command"), "write a list of program and argum"),
        ([{"id": "now", "command": []}], ("arms", 0, "command"), "at least 1"),
        ([{"id": "now", "command": ["x"], "shell": True}], ("arms", 0, "shell"), "not permitted"),
        ([{"id": "now", "command": ["x"]}], ("arms",), "at least 2"),
        ([{"id": "now", "command": ["x"]}] * 2, ("arms",), "two arms have the id 'now'"),
        ([{"id": "a", "command": ["x"]}, {"id": "b", "command": ["x"]}], ("arms",), "a and b name no option"),
        (
            [{"id": "a", "option": "A", "command": ["x"]}, {"id": "b", "option": "B", "command": ["x"]}],
            ("arms",),
            "one arm must be the service as it is",
        ),
    ],
)
def test_wrong_settings_are_refused_where_they_are(arms: list[Any], place: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        open_experiment({"arms": arms}, FixedClock(0))
    found = {item["loc"]: item["msg"] for item in refused.value.errors()}
    assert message in found[place]


def test_a_program_that_was_edited_has_another_fingerprint(tmp_path: Path) -> None:
    program = tmp_path / "measure.py"
    found = []
    for text in ("print(1)", "print(1)", "print(2)"):
        program.write_text(text)
        found.append(opened(command=[sys.executable, str(program)]).versions()["programs"])
    assert found[0] == found[1] != found[2]
