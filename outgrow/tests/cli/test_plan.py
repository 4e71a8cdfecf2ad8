"""``outgrow plan`` in its own process: from a recorded history to a kept plan, its files, what-ifs and refusals."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from outgrow.cli import main
from outgrow.cli.what_if import read_pins
from outgrow.errors import UsageError
from outgrow.schedule.inputs import PacePoint
from outgrow.wiring import open_workspace

ROOT = Path(__file__).parents[3]
BOOKSHOP = ROOT / "docs" / "examples" / "bookshop"
FEW = ("--scenarios", "60")
THEN = (*FEW, "--as-of", "2026-11-01")


@dataclass(frozen=True)
class Told:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Call = Callable[..., Told]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with its history and its ramp in the ledger."""
    folder = tmp_path_factory.mktemp("plan")
    shutil.copytree(BOOKSHOP, folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OUTGROW_LEDGER", raising=False)
        patch.delenv("OUTGROW_CONFIG", raising=False)
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["outgrow", "import", "history.csv", "ramp.csv", "--simulated"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
    return folder


@pytest.fixture
def shop(recorded: Path, tmp_path: Path) -> Path:
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def service(workspace: Path, tmp_path: Path) -> Path:
    """A service whose history ends today, so that its plans are kept."""
    shutil.copytree(workspace, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """The entry point in this process."""

    def run(*words: str, cwd: Path) -> Told:
        for name in [name for name in os.environ if name.startswith("OUTGROW")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["outgrow", "plan", *words])
        streams = sys.stdout, sys.stderr
        capsys.readouterr()
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            sys.stdout.flush()
            sys.stdout, sys.stderr = streams
        told = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Told(ended.value.code, told.out, told.err)

    return run


def kept(folder: Path) -> list[Any]:
    with open_workspace(folder / "outgrow.yaml") as workspace:
        return list(workspace.ledger.records("plan"))


def test_from_a_recorded_history_to_a_kept_plan(call: Call, service: Path) -> None:
    told = call(*FEW, cwd=service)
    assert told.code == 0, told.err
    assert told.out.startswith("Both people can carry this: ")
    assert max(len(line) for line in told.out.splitlines()) <= 80
    assert "next: outgrow decide data-architecture" in told.err
    (record,) = kept(service)
    assert (record.point, record.digest) == ("", record.body["digest"])


def test_what_is_printed_as_json_is_what_is_kept(call: Call, service: Path) -> None:
    fields = call(*FEW, "--json", cwd=service).json
    assert fields.pop("schema") == "outgrow/v1"
    assert (fields.pop("reason"), fields.pop("compare")) == (None, None)
    assert fields.pop("next") == "outgrow decide data-architecture"
    assert fields == kept(service)[-1].body
    (rewrite,) = fields["rewrites"]
    assert rewrite["start_window"]["earliest"] <= rewrite["start"] <= rewrite["start_window"]["latest"]


@pytest.mark.parametrize(
    "what_if",
    [["--growth", "11%"], ["--users", "1700"], ["--people", "3"], ["--option", "1=tune"], ["--start", "early"]],
)
def test_a_what_if_is_never_kept(call: Call, service: Path, what_if: list[str]) -> None:
    assert call(*FEW, *what_if, cwd=service).out
    assert kept(service) == []


def test_the_plan_that_a_what_if_is_compared_with_is_kept(call: Call, service: Path) -> None:
    call(*FEW, "--compare", "--people", "3", cwd=service)
    (record,) = kept(service)
    assert record.body["people"] == 2


def test_another_day_is_never_kept(call: Call, shop: Path) -> None:
    told = call(*THEN, "--json", cwd=shop)
    assert told.json["made_on"] == "2026-11-02"
    assert told.json["simulated"]
    assert kept(shop) == []


def test_every_field_is_documented(call: Call, shop: Path) -> None:
    told = call(*THEN, "--json", "--compare", "--growth", "60%", "--option", "1=B", cwd=shop)
    page = (ROOT / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    section = page.split("## outgrow plan\n")[1].split("\n## ")[0]
    documented = {word for span in re.findall(r"`([^`]+)`", section) for word in re.findall(r"\w+", span)}
    assert _keys(told.json) - {"schema"} <= documented


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(_keys(inner) for inner in value.values()))
    return set().union(*(_keys(inner) for inner in value)) if isinstance(value, list) else set()


def test_what_cannot_be_carried_is_an_answer(call: Call, shop: Path) -> None:
    told = call(*THEN, "--growth", "300%", cwd=shop)
    assert told.code == 1
    assert told.out.splitlines()[1].startswith("This cannot be carried: ")
    assert "What gives" in told.out
    alone = call(*THEN, "--people", "1", cwd=shop)
    assert alone.code == 1
    assert "nobody is free for a rewrite" in alone.out
    assert "next: outgrow plan --compare --people 2" in alone.err


def test_what_is_done_needs_no_plan(call: Call, shop: Path) -> None:
    told = call(*THEN, "--option", "1=done", cwd=shop)
    assert told.code == 0
    assert "Nothing has to be planned" in told.out


def test_two_plans_are_compared_on_the_same_luck(call: Call, shop: Path) -> None:
    told = call(*THEN, "--compare", "--option", "1=B", cwd=shop)
    assert told.code == 0
    assert "1B Buy a search" in told.out
    assert "both reckoned on the same luck: 60 scenarios, seed 0" in told.out
    fields = call(*THEN, "--compare", "--option", "1=B", "--json", cwd=shop).json["compare"]
    assert fields["without"]["rewrites"][0]["option"] == "A"
    assert {"option", "bill at the end"} <= {one["what"] for one in fields["differences"]}


def test_its_cost(call: Call, shop: Path) -> None:
    told = call(*THEN, "--cost", cwd=shop)
    assert told.code == 0
    assert "The bill along this plan, in EUR a month" in told.out
    assert "runway   unknown" in told.out
    assert call(*THEN, "--cost", "--plain", cwd=shop).out.startswith("bill\t")


def test_plain_is_one_fact_a_line(call: Call, shop: Path) -> None:
    lines = call(*THEN, "--plain", cwd=shop).out.splitlines()
    assert {line.split("\t")[0] for line in lines} == {"verdict", "asked", "rewrite", "bill", "note", "reckoned"}


def test_the_files_it_writes(call: Call, shop: Path) -> None:
    told = call(*THEN, "--svg", "plan.svg", "--cost-svg", "cost.svg", "--ics", "plan.ics", cwd=shop)
    assert told.code == 0
    assert [line for line in told.err.splitlines() if line.startswith("wrote")] == [
        "wrote plan.svg",
        "wrote cost.svg",
        "wrote plan.ics",
    ]
    assert "1A Split the index" in (shop / "plan.svg").read_text(encoding="utf-8")
    assert "EUR a month" in (shop / "cost.svg").read_text(encoding="utf-8")
    assert len(Calendar.from_ical((shop / "plan.ics").read_bytes()).events) == 5
    assert not list(shop.glob(".plan*part"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--growth", "15"], "could mean 15% or 1500%"),
        (["--users", "0"], "--users 0 cannot be"),
        (["--people", "0"], "--people 0 cannot be"),
        (["--option", "1"], "write POINT=OPTION"),
        (["--option", "1=Z"], "has no option 'Z'"),
        (["--option", "9=A"], "there is no point '9'"),
        (["--start", "sometimes"], "at-milestone"),
        (["--sure", "80"], "is not a chance"),
        (["--sure", "nan"], "is not a chance"),
        (["--sure", "0%"], "is not a chance"),
        (["--scenarios", "1"], "--scenarios 1 cannot be"),
        (["--seed", "-1"], "--seed -1 cannot be"),
        (["--compare"], "there is nothing to compare"),
        (["--svg", "plan.png"], "does not end in .svg"),
        (["--ics", "plan.txt"], "does not end in .ics"),
        (["--as-of", "someday"], "is not a time"),
        (["--ics", "nowhere/plan.ics", *THEN], "cannot be written"),
    ],
)
def test_what_cannot_be_meant(call: Call, shop: Path, words: list[str], said: str) -> None:
    told = call(*words, cwd=shop)
    assert told.code == 2
    assert said in told.err.replace("\n", " ")
    assert "Traceback" not in told.err


def test_no_data_is_no_plan_and_says_what_would_make_one(call: Call, tmp_path: Path) -> None:
    shutil.copy(BOOKSHOP / "outgrow.yaml", tmp_path)
    told = call(*FEW, cwd=tmp_path)
    assert (told.code, told.out) == (3, "")
    assert "no plan can be made: " in told.err
    assert "outgrow plan --users 1000 --growth 10%" in told.err
    fields = call(*FEW, "--json", cwd=tmp_path).json
    assert (fields["feasible"], fields["rewrites"]) == (None, [])
    assert fields["reason"]
    assert fields["next"]
    given = call(*FEW, "--users", "1000", "--growth", "10%", cwd=tmp_path)
    assert given.code == 0
    compared = call(*FEW, "--users", "1000", "--growth", "10%", "--compare", cwd=tmp_path)
    assert compared.code == 0
    assert "nothing to compare with: " in compared.err


def _decision(status: str, option: str) -> str:
    return f"""---
status: {status}
date: 2026-10-20
outgrow:
  point: search
  verdict: migrate
  option: {option}
  digest: d
---

# Search
"""


def test_a_plan_follows_what_was_decided(call: Call, shop: Path) -> None:
    folder = shop / "docs" / "decisions"
    folder.mkdir(parents=True)
    (folder / "0007-search.md").write_text(_decision("accepted", "B"), encoding="utf-8")
    (rewrite,) = call(*THEN, "--json", cwd=shop).json["rewrites"]
    assert (rewrite["option"], rewrite["decision"]) == ("B", 7)
    told = call(*THEN, cwd=shop)
    assert "decided in record 7" in told.out
    assert "next: outgrow plan --ics plan.ics" in told.err
    (folder / "0007-search.md").write_text(_decision("proposed", "B"), encoding="utf-8")
    assert call(*THEN, "--json", cwd=shop).json["rewrites"][0]["option"] == "A"
    (folder / "0007-search.md").write_text(_decision("accepted", "gone"), encoding="utf-8")
    told = call(*THEN, cwd=shop)
    assert "0007-search.md chose gone at search, which is not declared any more" in told.err
    (folder / "0007-search.md").write_text(_decision("done", "B"), encoding="utf-8")
    assert "Nothing has to be planned" in call(*THEN, cwd=shop).out


def test_pins_by_number_and_by_name() -> None:
    points = (PacePoint("late", "", 1, 900, ()), PacePoint("soon", "", 1, 90, ()))
    assert read_pins(["1=A", "late=done"], points) == {"soon": "A", "late": "done"}
    with pytest.raises(UsageError, match="twice"):
        read_pins(["1=A", "soon=B"], points)
