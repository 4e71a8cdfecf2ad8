"""Ramps to import: which kind of file it is, and the ramp in it."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from outgrow.errors import ImportRefused
from outgrow.imports.files import PARQUET_MAGIC, Progress, first_bytes, no_progress, open_text
from outgrow.imports.history_rows import COLUMNS
from outgrow.imports.ramp_k6 import CSV_START, read_k6_csv, read_k6_json, read_k6_summaries
from outgrow.imports.ramp_locust import HISTORY_COLUMNS, read_locust
from outgrow.imports.ramp_records import RampRequest, ReadRamp
from outgrow.imports.ramp_table import AXES, read_table

Kind = Literal["history", "ramp table", "k6 CSV output", "k6 JSON output", "k6 summary", "Locust history", "repository"]
RAMP_KINDS: tuple[Kind, ...] = ("ramp table", "k6 CSV output", "k6 JSON output", "k6 summary", "Locust history")
READABLE = (
    "history (CSV or Parquet with time,signal,value), ramps (CSV with concurrency, users or load_per_second and "
    "quantiles; k6 --out csv or json, k6 summaries; Locust *_stats_history.csv), or a git repository"
)
_FIRST_LINE = 1_000_000


def detect(path: Path) -> Kind:
    """What a file to import is, by its content.

    Raises:
        ImportRefused: it is nothing that can be imported.
        UsageError: it cannot be opened.
    """
    if path.is_dir():
        return "repository"
    if first_bytes(path, 4) == PARQUET_MAGIC:
        return "history"
    with open_text(path) as text:
        line = text.lines.readline(_FIRST_LINE)
        if line.lstrip().startswith("{"):
            return _kind_of_json(line)
    if line.startswith(CSV_START):
        return "k6 CSV output"
    names = next(csv.reader([line]), [])
    lowered = {name.strip().lower() for name in names}
    if set(HISTORY_COLUMNS) <= set(names):
        return "Locust history"
    if "Request Count" in names:
        raise ImportRefused(
            str(path),
            1,
            "this is Locust's summary of a whole run, without its steps",
            next_step="import the *_stats_history.csv beside it",
        )
    if lowered & set(AXES):
        return "ramp table"
    if len(lowered & set(COLUMNS)) >= 2:
        return "history"
    raise ImportRefused(str(path), 1, "what this file is cannot be seen from its first line", next_step=READABLE)


def read_ramps(paths: Sequence[Path], request: RampRequest, progress: Progress = no_progress) -> tuple[ReadRamp, ...]:
    """The ramps of files: one each, but all k6 summaries together are the steps of one.

    Raises:
        ImportRefused: a file is broken or is no ramp; nothing of any is returned.
    """
    kinds = {path: detect(path) for path in paths}
    summaries = [path for path, kind in kinds.items() if kind == "k6 summary"]
    ramps = [read_k6_summaries(summaries, request)] if summaries else []
    for path, kind in kinds.items():
        if kind == "ramp table":
            ramps.append(read_table(path, request))
        elif kind == "k6 CSV output":
            ramps.append(read_k6_csv(path, request, progress))
        elif kind == "k6 JSON output":
            ramps.append(read_k6_json(path, request, progress))
        elif kind == "Locust history":
            ramps.append(read_locust(path, request))
        elif kind != "k6 summary":
            raise ImportRefused(str(path), 1, f"this is no ramp but a {kind}", next_step=READABLE)
    return tuple(ramps)


def _kind_of_json(first_line: str) -> Kind:
    """A line that is a document of its own and says ``type`` begins k6's stream of points."""
    try:
        document = json.loads(first_line)
    except json.JSONDecodeError:
        return "k6 summary"
    return "k6 JSON output" if document.get("type") in ("Metric", "Point") else "k6 summary"
