"""The example source of docs/examples: it comes in by the plugin door, and holds the contract of every source."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from outgrow import wiring
from outgrow.errors import DeclarationError
from outgrow.testing import FixedClock, MemoryLedger
from outgrow.testing.source_contract import SIGNALS, START, STORY, Played, SourceContract
from outgrow.wiring import open_workspace

PACKAGE = Path(__file__).parents[3] / "docs" / "examples" / "csv_tail_source"
GROUP = "outgrow.sources"

DECLARATION = """\
apiVersion: outgrow/v1
users: {signal: users}
signals:
  users: {unit: users, metric: active_users, value: true}
  requests: {unit: per_second, metric: requests_total, rate: true, window: 66}
points:
- {id: growth, monitor_from: 10, complete_before: 100, triggers: [{id: many, signal: requests, threshold: 5}]}
sources:
- {kind: csv-tail, samples_file: samples.csv}
"""


@pytest.fixture(autouse=True, scope="module")
def importable() -> Iterator[None]:
    """As if the package were installed: its module can be imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PACKAGE))
        yield


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package were installed: its own entry point is found."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    own = [EntryPoint(name, value, GROUP) for name, value in project["entry-points"][GROUP].items()]
    found = wiring.entry_points
    monkeypatch.setattr(wiring, "entry_points", lambda group: [*found(group=group), *(own if group == GROUP else ())])


def opened(file: Path) -> Any:
    from csv_tail_source import open_source

    return open_source({"samples_file": str(file)}, FixedClock(START))


def append(file: Path, at: float, instance: str, text: str) -> None:
    """What the exposition in ``text`` holds, as a program that writes the file would append it."""
    is_new = not file.exists()
    with file.open("a", newline="") as lines:
        writer = csv.writer(lines)
        if is_new:
            writer.writerow(["time", "instance", "metric", "labels", "value"])
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ";".join(f"{name}={value}" for name, value in sample.labels.items())
                writer.writerow([at, instance, sample.name, labels, sample.value])


class TestContract(SourceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def played(cls, importable: None, tmp_path_factory: pytest.TempPathFactory) -> Played:
        file = tmp_path_factory.mktemp("tail") / "samples.csv"
        source, seen = opened(file), []
        for step in STORY:
            for instance, text in step.exposed.items():
                if text is not None:
                    append(file, step.at, instance, text)
            seen.append(source.observe(SIGNALS, step.at))
        return Played(source, tuple(seen))

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Any:
        return opened(tmp_path / "there-is-none.csv")


def test_a_declared_file_finds_it_by_its_kind(tmp_path: Path) -> None:
    (tmp_path / "outgrow.yaml").write_text(DECLARATION)
    for step in STORY[:6]:
        for instance, text in step.exposed.items():
            append(tmp_path / "samples.csv", step.at, instance, text or "")
    with open_workspace(tmp_path / "outgrow.yaml") as workspace:
        (source,) = wiring.open_sources(workspace.path, workspace.declaration, FixedClock(STORY[5].at), MemoryLedger())
        seen = source.observe(workspace.declaration.signals, STORY[5].at)
    assert source.name == "csv-tail"
    assert {sample.signal: sample.value for sample in seen.samples} == {"users": 95, "requests": pytest.approx(3.0)}


def test_a_wrong_setting_is_a_finding_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "outgrow.yaml").write_text(DECLARATION.replace("samples_file", "sample_file"))
    with (
        open_workspace(tmp_path / "outgrow.yaml") as workspace,
        pytest.raises(DeclarationError, match=r"outgrow\.yaml:9:\d+: sources\[0\]\.sample"),
    ):
        _ = workspace.sources


def test_the_readme_of_the_example_shows_what_it_reads(tmp_path: Path) -> None:
    text = (PACKAGE / "README.md").read_text()
    (tmp_path / "samples.csv").write_text(text.split("```csv\n")[1].split("```")[0])
    assert opened(tmp_path / "samples.csv").reachable() is None
