"""History to import: ``time,signal,value`` and optionally ``member``, as CSV or Parquet.

A file is taken as a whole or not at all: it is read to its end and checked before the first sample leaves here. A row
whose value is empty, ``NaN`` or infinite says that there was no value then: it is left out, and counted. Rows may come
in any order; of two rows with the same time, signal and member the later one counts. Anything else that cannot be
read is an ``ImportRefused`` with its line.
"""

from __future__ import annotations

import csv
import gc
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from outgrow.errors import ImportRefused
from outgrow.imports.files import PARQUET_MAGIC, Progress, Text, first_bytes, no_progress, open_text
from outgrow.imports.history_rows import OPTIONAL_COLUMN, CheckedHistory, Rows, add_rows, refuse_columns
from outgrow.quantities import parse_time
from outgrow.signals.series import FloatArray

if TYPE_CHECKING:
    from _csv import Reader


_ROWS_AT_ONCE = 5_000
_NO_VALUE = frozenset({"", "null", "none", "na", "n/a"})


def read_history(path: Path, declared: Collection[str], progress: Progress = no_progress) -> CheckedHistory:
    """Read and check a whole file of history.

    Args:
        path: CSV (UTF-8 with a header, may be gzipped) or Parquet; which one is seen from the content. Times are
            ISO 8601 (UTC when no zone is given) or seconds or milliseconds since 1970; values are in base units.
        declared: the names of the declared signals.
        progress: told now and then how far it is.

    Returns:
        The checked history, to be used as a context manager.

    Raises:
        ImportRefused: something in it is wrong; the message names the line (the row, for Parquet).
        UsageError: it cannot be opened.
    """
    is_parquet = first_bytes(path, 4) == PARQUET_MAGIC
    history = CheckedHistory("Parquet" if is_parquet else "CSV")
    collects = gc.isenabled()
    gc.disable()  # rows hold no cycles, and looking for some would take a third of the time
    try:
        if is_parquet:
            from outgrow.imports.history_parquet import fill_from_parquet  # pyarrow is an optional extra

            fill_from_parquet(history, path, frozenset(declared), progress)
        else:
            _fill_from_csv(history, path, frozenset(declared), progress)
        if not history.rows:
            raise ImportRefused(str(path), 1, "there is no row with a value in it")
    except BaseException:
        history.close()
        raise
    finally:
        if collects:
            gc.enable()
    return history


def _fill_from_csv(history: CheckedHistory, path: Path, declared: frozenset[str], progress: Progress) -> None:
    with open_text(path) as text:
        reader = csv.reader(text.lines, strict=True)
        try:
            names = [name.strip().lower() for name in next(reader, [])]
            if len(names) == 1 and ";" in names[0]:
                raise ImportRefused(str(path), 1, "columns are parted by ';' here", next_step="part them by commas")
            refuse_columns(str(path), names)
            for lines, columns in _batches(text, reader, len(names)):
                add_rows(history, str(path), declared, _rows(str(path), dict(zip(names, columns, strict=True)), lines))
                progress(text.done, text.size)
        except csv.Error as error:
            raise ImportRefused(str(path), reader.line_num, f"this is not CSV: {error}") from None


def _batches(text: Text, reader: Reader, width: int) -> Iterator[tuple[Sequence[int], list[tuple[str, ...]]]]:
    """Lines and columns of the next rows, again and again; blank lines are passed over."""
    line = reader.line_num
    while rows := list(islice(reader, _ROWS_AT_ONCE)):
        lines: Sequence[int] = range(line + 1, line + 1 + len(rows))
        line = reader.line_num
        if lines[-1] != line:  # a quoted field went over several lines
            lines = list(accumulate((1 + sum(cell.count("\n") for cell in row) for row in rows), initial=lines[0] - 1))[
                1:
            ]
        if set(map(len, rows)) != {width}:
            lines, rows = _without_blank(text, lines, rows, width)
        if rows:
            yield lines, list(zip(*rows, strict=True))


def _without_blank(
    text: Text, lines: Sequence[int], rows: list[list[str]], width: int
) -> tuple[Sequence[int], list[list[str]]]:
    for line, row in zip(lines, rows, strict=True):
        if row and len(row) != width:
            raise ImportRefused(str(text.path), line, f"there are {len(row)} columns, not {width}")
    return [line for line, row in zip(lines, rows, strict=True) if row], [row for row in rows if row]


def _rows(file: str, columns: dict[str, tuple[str, ...]], lines: Sequence[int]) -> Rows:
    return Rows(
        times=_times(file, columns["time"], lines),
        signals=_stripped(columns["signal"]),
        members=_stripped(columns.get(OPTIONAL_COLUMN) or ("",) * len(lines)),
        values=_values(file, columns["value"], lines),
        places=lines,
    )


def _stripped(column: tuple[str, ...]) -> Sequence[str]:
    bare = {name: name.strip() for name in set(column)}
    return column if all(name == short for name, short in bare.items()) else [bare[name] for name in column]


def _times(file: str, column: tuple[str, ...], lines: Sequence[int]) -> FloatArray:
    known: dict[str, float] = {}
    for text in dict.fromkeys(column):
        try:
            known[text] = _time(text)
        except ValueError as error:
            raise ImportRefused(file, lines[column.index(text)], str(error)) from None
    return np.fromiter(map(known.__getitem__, column), dtype=np.float64, count=len(column))


def _time(text: str) -> float:
    """As ``parse_time``, twice as fast for what most files hold: ISO 8601 with a zone."""
    if text[4:5] == "-":
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return parse_time(text)
        if moment.tzinfo is not None:
            return moment.timestamp()
    return parse_time(text)


def _values(file: str, column: tuple[str, ...], lines: Sequence[int]) -> FloatArray:
    try:
        return np.fromiter(map(float, column), dtype=np.float64, count=len(column))
    except ValueError:
        return np.array([_value(file, text, line) for text, line in zip(column, lines, strict=True)])


def _value(file: str, text: str, line: int) -> float:
    if text.strip().lower() in _NO_VALUE:
        return np.nan
    try:
        return float(text)
    except ValueError:
        raise ImportRefused(
            file, line, f"the value {text!r} is not a number", next_step="write it in base units with a point: 0.25"
        ) from None
