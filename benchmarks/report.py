"""How a benchmark leaves its result: a table people read and a JSON beside it, with the command that made them."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
Cell = str | float | int | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under ``columns``; ``notes`` say what the columns mean."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that was promised: ``low ≤ value ≤ high``; None where it could not be measured."""

    claim: str
    value: float | None
    high: float = math.inf
    low: float = -math.inf

    @property
    def outcome(self) -> str:
        """``hit``, ``miss`` or ``not measured``."""
        if self.value is None or math.isnan(self.value):
            return "not measured"
        return "hit" if self.low <= self.value <= self.high else "miss"

    @property
    def bound(self) -> str:
        """The promise as people write it."""
        if math.isinf(self.low):
            return f"≤ {show(self.high)}"
        return f"≥ {show(self.low)}" if math.isinf(self.high) else f"{show(self.low)} – {show(self.high)}"


@dataclass(frozen=True, slots=True)
class Report:
    """One benchmark's result. ``name`` names the files; ``command`` made them."""

    name: str
    title: str
    command: str
    tables: tuple[Table, ...]
    targets: tuple[Target, ...] = ()
    facts: Mapping[str, Cell] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    packages: tuple[str, ...] = ("numpy",)


def show(value: Cell) -> str:
    """A cell as text: at most three significant digits, ∞ for infinity, an en dash for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        if math.isinf(value):
            return "∞" if value > 0 else "-∞"
        text = f"{value:.3g}" if abs(value) < 1 else f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
        return text if "e" not in text else f"{value:.2g}"
    return str(value)


def machine() -> dict[str, Cell]:
    """What the figures depend on, and nothing that names the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cores": cores, "architecture": platform.machine(), "Python": platform.python_version()}


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed versions; ``not installed`` where there is none."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def source_digest(*packages: str) -> str:
    """Twelve hexadecimal digits over the source of these packages: names the very code that was measured."""
    digest = hashlib.sha256()
    for package in packages:
        for folder in importlib.import_module(package).__path__:
            for path in sorted(Path(folder).rglob("*.py")):
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def write_report(report: Report, folder: Path = RESULTS) -> Path:
    """Write ``NAME.md`` and ``NAME.json`` into ``folder``; the Markdown's path."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {**machine(), **versions(report.packages), **report.facts}
    lines = [f"# {report.title}", "", f"Made by `{report.command}`.", ""]
    lines += ["; ".join(f"{name} {show(value)}" for name, value in facts.items()) + ".", ""]
    if report.targets:
        rows = tuple((target.claim, target.value, target.bound, target.outcome) for target in report.targets)
        lines += _markdown(Table("Targets", ("claim", "measured", "target", "outcome"), rows))
    for table in report.tables:
        lines += _markdown(table)
    lines += [f"{note}\n" for note in report.notes]
    path = folder / f"{report.name}.md"
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    data = {
        "title": report.title,
        "command": report.command,
        "facts": facts,
        "targets": [{**asdict(target), "outcome": target.outcome, "bound": target.bound} for target in report.targets],
        "tables": [
            {"title": table.title, "rows": [dict(zip(table.columns, row, strict=True)) for row in table.rows]}
            for table in report.tables
        ],
    }
    text = json.dumps(_finite(data), indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    return path


def _markdown(table: Table) -> list[str]:
    lines = [f"## {table.title}", "", "| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    lines += ["| " + " | ".join(show(cell) for cell in row) + " |" for row in table.rows]
    return [*lines, "", *(f"{note}\n" for note in table.notes)]


def _finite(value: object) -> object:
    """JSON knows no infinity: it becomes the text ``inf``, and NaN null."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value
