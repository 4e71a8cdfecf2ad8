"""A ramp written as a table: one row a level, ``concurrency|users|load_per_second`` and quantile columns."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from outgrow.errors import ImportRefused
from outgrow.imports.files import open_text
from outgrow.imports.ramp_records import Loop, RampRequest, ReadRamp, latency_ramp
from outgrow.quantities import parse_time
from outgrow.signals.series import FloatArray, Ramp

AXES: dict[str, Literal["load", "users", "concurrency"]] = {
    "concurrency": "concurrency",
    "users": "users",
    "load_per_second": "load",
}
USUAL_LOOP: dict[str, Loop] = {"concurrency": "closed", "users": "closed", "load": "open"}
_QUANTILE = re.compile(r"(?:p(?P<percent>\d{1,2}(?:[._]\d+)?)|(?P<share>0?\.\d+))(?P<unit>_seconds|_s|_ms)?")
_WANTED = (
    "the columns are one of concurrency, users, load_per_second; quantiles such as p95_seconds, p99_ms or 0.95 (or "
    "value); and optionally throughput_per_second, loop, time"
)


def read_table(path: Path, request: RampRequest) -> ReadRamp:
    """A ramp from a CSV table.

    ``p95_seconds`` and plain ``p95`` or ``0.95`` are in seconds, ``p95_ms`` in milliseconds; ``value`` is in the
    signal's base unit. A ``loop`` column (``open`` or ``closed``) holds for the whole ramp. Without it, unless told,
    a table of ``load_per_second`` is taken as open loop, one of ``concurrency`` or ``users`` as closed.

    Raises:
        ImportRefused: with the line that is wrong.
    """
    names, rows = _cells(path)
    axis_name = next(name for name in names if name in AXES)
    numbers = {name: _column(path, name, names, rows) for name in names if name not in ("loop", "time")}
    levels = numbers[axis_name]
    order = np.argsort(levels, kind="stable")
    _refuse_levels(path, levels, [line for line, _ in rows])
    quantiles = {_quantile(name): numbers[name][order] * _factor(name) for name in names if _QUANTILE.fullmatch(name)}
    throughput = numbers["throughput_per_second"][order] if "throughput_per_second" in numbers else None
    axis = AXES[axis_name]
    made_at = _made_at(path, names, rows)
    loop = request.loop or _loop(path, names, rows) or USUAL_LOOP[axis]
    if "value" in numbers:
        values = numbers["value"][order]
        _refuse_missing(path, "value", values, order, rows)
        if levels.size < 2:
            raise ImportRefused(str(path), rows[0][0], "there is only one level; a ramp needs at least two")
        ramp = Ramp(
            path.name, request.signal, axis, levels[order], values, loop, made_at, throughput, quantiles, request.origin
        )
    else:
        wanted = request.quantile or 0.95
        if wanted in quantiles:
            _refuse_missing(path, f"the {wanted:g} quantile", quantiles[wanted], order, rows)
        ramp = latency_ramp(
            path,
            request,
            axis=axis,
            loop=loop,
            levels=levels[order],
            quantiles=quantiles,
            throughput_per_second=throughput,
            made_at=made_at,
        )
    return ReadRamp(ramp, "ramp table", _remarks(names, ramp))


def _cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Column names, and each row with its line."""
    with open_text(path) as text:
        reader = csv.reader(text.lines, strict=True)
        try:
            names = [name.strip().lower() for name in next(reader, [])]
            _refuse_names(path, names)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
        except csv.Error as error:
            raise ImportRefused(str(path), reader.line_num, f"this is not CSV: {error}") from None
    for line, row in rows:
        if len(row) != len(names):
            raise ImportRefused(str(path), line, f"there are {len(row)} columns, not {len(names)}")
    if not rows:
        raise ImportRefused(str(path), 1, "there is no level in it")
    return names, rows


def _refuse_names(path: Path, names: list[str]) -> None:
    axes = [name for name in names if name in AXES]
    if len(axes) != 1:
        raise ImportRefused(str(path), 1, f"there are {len(axes)} load columns, not one", next_step=_WANTED)
    for place, name in enumerate(names):
        if name in names[:place]:
            raise ImportRefused(str(path), 1, f"the column {name!r} stands twice", next_step=_WANTED)
        known = name in AXES or name in ("throughput_per_second", "loop", "time", "value")
        if not known and not _QUANTILE.fullmatch(name):
            raise ImportRefused(str(path), 1, f"the column {name!r} means nothing here", next_step=_WANTED)
    if not any(name == "value" or _QUANTILE.fullmatch(name) for name in names):
        raise ImportRefused(str(path), 1, "there is no quantile column and no value", next_step=_WANTED)


def _column(path: Path, name: str, names: list[str], rows: list[tuple[int, list[str]]]) -> FloatArray:
    place, numbers = names.index(name), []
    for line, row in rows:
        try:
            numbers.append(float(row[place] or "nan"))
        except ValueError:
            raise ImportRefused(str(path), line, f"{name} {row[place]!r} is not a number") from None
    return np.array(numbers, dtype=np.float64)


def _refuse_levels(path: Path, levels: FloatArray, lines: list[int]) -> None:
    for place, level in enumerate(levels.tolist()):
        if not (math.isfinite(level) and level > 0):
            raise ImportRefused(str(path), lines[place], f"the level {level:g} is not above zero")
        if level in levels[:place]:
            raise ImportRefused(str(path), lines[place], f"the level {level:g} stands twice")


def _refuse_missing(
    path: Path, what: str, values: FloatArray, order: NDArray[np.intp], rows: list[tuple[int, list[str]]]
) -> None:
    missing = np.flatnonzero(~np.isfinite(values))
    if missing.size:
        line = rows[int(order[missing[0]])][0]
        raise ImportRefused(str(path), line, f"{what} is missing at this level", next_step="leave the level out")


def _loop(path: Path, names: list[str], rows: list[tuple[int, list[str]]]) -> Loop | None:
    if "loop" not in names:
        return None
    place = names.index("loop")
    first = rows[0][1][place].lower()
    for line, row in rows:
        if row[place].lower() not in ("open", "closed"):
            raise ImportRefused(str(path), line, f"loop {row[place]!r} is neither open nor closed")
        if row[place].lower() != first:
            raise ImportRefused(str(path), line, "loop changes; one ramp is open or closed as a whole")
    return "open" if first == "open" else "closed"


def _made_at(path: Path, names: list[str], rows: list[tuple[int, list[str]]]) -> float:
    if "time" not in names:
        return path.stat().st_mtime
    times = []
    for line, row in rows:
        try:
            times.append(parse_time(row[names.index("time")]))
        except ValueError as error:
            raise ImportRefused(str(path), line, str(error)) from None
    return min(times)


def _quantile(name: str) -> float:
    match = _QUANTILE.fullmatch(name)
    assert match is not None
    if match["share"]:
        return float(match["share"])
    return round(float(match["percent"].replace("_", ".")) / 100, 9)


def _factor(name: str) -> float:
    return 1e-3 if name.endswith("_ms") else 1.0


def _remarks(names: list[str], ramp: Ramp) -> tuple[str, ...]:
    bare = [name for name in names if _QUANTILE.fullmatch(name) and not name.endswith(("_ms", "_s", "_seconds"))]
    if bare and float(np.max(ramp.values)) > 100:
        return (f"{bare[0]} was read as seconds; if these are milliseconds, name the column {bare[0]}_ms",)
    return ()
