"""History from a Parquet file, batch by batch; needs pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from outgrow.errors import ImportRefused, UsageError
from outgrow.imports.files import Progress
from outgrow.imports.history_rows import OPTIONAL_COLUMN, CheckedHistory, Rows, add_rows, refuse_columns
from outgrow.quantities import parse_time
from outgrow.signals.series import FloatArray

try:
    import pyarrow as pa
    from pyarrow import compute, parquet
except ImportError:
    raise UsageError(
        "reading Parquet needs pyarrow, which is not installed",
        next_step="pip install 'outgrow[parquet]', or write the file as CSV",
    ) from None

_ROWS_AT_ONCE = 65_536


def fill_from_parquet(history: CheckedHistory, path: Path, declared: frozenset[str], progress: Progress) -> None:
    """Check the rows of a Parquet file and add them; raises ``ImportRefused``, where "line" means row."""
    try:
        with parquet.ParquetFile(path) as file:
            names = [name.strip().lower() for name in file.schema_arrow.names]
            refuse_columns(str(path), names)
            total, done = file.metadata.num_rows, 0
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                columns = dict(zip(names, batch.columns, strict=True))
                places = range(done + 1, done + 1 + batch.num_rows)
                add_rows(history, str(path), declared, _rows(str(path), columns, places))
                done += batch.num_rows
                progress(done, total)
    except (pa.ArrowException, OSError) as error:
        raise ImportRefused(str(path), 1, f"this Parquet file is broken: {error}") from None


def _rows(file: str, columns: dict[str, Any], places: range) -> Rows:
    for name in ("time", "signal"):
        if columns[name].null_count:
            row = int(compute.index(columns[name].is_null(), True).as_py())
            raise ImportRefused(file, places[row], f"there is no {name}")
    members = columns.get(OPTIONAL_COLUMN)
    return Rows(
        times=_times(file, columns["time"], places),
        signals=[str(name).strip() for name in columns["signal"].to_pylist()],
        members=[""] * len(places) if members is None else [(name or "").strip() for name in members.to_pylist()],
        values=_numbers(file, "value", columns["value"], places),
        places=places,
    )


def _times(file: str, column: Any, places: range) -> FloatArray:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        micros = column.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False).cast(pa.int64())
        return np.asarray(micros.to_numpy(zero_copy_only=False), dtype=np.float64) / 1e6
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.array([_time(file, text, place) for text, place in zip(column.to_pylist(), places, strict=True)])
    numbers = _numbers(file, "time", column, places)
    return np.where(np.abs(numbers) > 1e11, numbers / 1000, numbers)


def _time(file: str, text: str, place: int) -> float:
    try:
        return parse_time(text)
    except ValueError as error:
        raise ImportRefused(file, place, str(error)) from None


def _numbers(file: str, name: str, column: Any, places: range) -> FloatArray:
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        raise ImportRefused(file, places[0], f"the column {name!r} holds {kind}, not numbers")
    numbers = compute.cast(column, pa.float64(), safe=False)
    return np.asarray(numbers.fill_null(float("nan")).to_numpy(zero_copy_only=False), dtype=np.float64)
