"""Rows of history on their way in: checked, piled up compactly, and given out again once the whole file is right."""

from __future__ import annotations

import difflib
import math
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from outgrow.errors import ImportRefused
from outgrow.quantities import iso_date
from outgrow.signals.series import FloatArray

COLUMNS = ("time", "signal", "value")
OPTIONAL_COLUMN = "member"

IN_MEMORY = 4_000_000
"""Samples held before they go to a temporary file: 64 MB."""

EARLIEST, LATEST = 631_152_000.0, 4_102_444_800.0
"""1990 and 2100: a time outside was written in a unit that was not meant."""


def refuse_columns(file: str, names: list[str]) -> None:
    """Raise ``ImportRefused`` unless the columns are those of a history."""
    wanted = f"the columns are {','.join(COLUMNS)} and optionally {OPTIONAL_COLUMN}"
    for name in COLUMNS:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            found = f"; {close[0]!r} looks like it" if close else ""
            raise ImportRefused(file, 1, f"there is no column {name!r}{found}", next_step=wanted)
    for place, name in enumerate(names):
        if name in names[:place]:
            raise ImportRefused(file, 1, f"the column {name!r} stands twice", next_step=wanted)
        if name not in (*COLUMNS, OPTIONAL_COLUMN):
            raise ImportRefused(file, 1, f"the column {name!r} means nothing here", next_step=wanted)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Samples of one (signal, member), shape (n,) each, in the order of the file."""

    signal: str
    member: str
    times: FloatArray
    values: FloatArray


class _Pile:
    """Pieces by key, joined; what exceeds ``IN_MEMORY`` waits in a temporary file that nobody else can see."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], list[tuple[FloatArray, FloatArray]]] = {}
        self._count = 0
        self._file: IO[bytes] | None = None
        self._written: list[tuple[tuple[str, str], int]] = []

    def add(self, key: tuple[str, str], times: FloatArray, values: FloatArray) -> None:
        self._held.setdefault(key, []).append((times, values))
        self._count += times.size
        if self._count >= IN_MEMORY:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="outgrow-import-")  # noqa: SIM115 - lives until close()
            for (signal, member), piece_times, piece_values in self._joined():
                self._file.write(piece_times.tobytes())
                self._file.write(piece_values.tobytes())
                self._written.append(((signal, member), piece_times.size))
            self._held, self._count = {}, 0

    def pieces(self) -> Iterator[Piece]:
        if self._file is not None:
            self._file.seek(0)
            for (signal, member), count in self._written:
                block = np.frombuffer(self._file.read(16 * count), dtype=np.float64)
                yield Piece(signal, member, block[:count], block[count:])
        for (signal, member), times, values in self._joined():
            yield Piece(signal, member, times, values)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _joined(self) -> Iterator[tuple[tuple[str, str], FloatArray, FloatArray]]:
        for key, parts in self._held.items():
            yield key, np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


@dataclass(slots=True)
class CheckedHistory:
    """A file that was read to its end and is right. A context manager: it may hold a temporary file.

    Attributes:
        format: ``CSV`` or ``Parquet``.
        rows: rows with a value. gaps: rows that said there was none.
        first, last: the earliest and the latest time of a row with a value.
        counts: rows with a value by (signal, member).
    """

    format: str
    rows: int = 0
    gaps: int = 0
    first: float = math.inf
    last: float = -math.inf
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    _pile: _Pile = field(default_factory=_Pile)

    def pieces(self) -> Iterator[Piece]:
        """All samples, in pieces of at most about four million; a later piece overrides an earlier one."""
        return self._pile.pieces()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the temporary file back."""
        self._pile.close()

    def add(self, key: tuple[str, str], times: FloatArray, values: FloatArray) -> None:
        """Take samples of one (signal, member) that were checked; those that are not finite count as gaps."""
        kept = np.isfinite(values)
        self.gaps += int(values.size - kept.sum())
        times, values = times[kept], values[kept]
        if times.size:
            self.rows += times.size
            self.first, self.last = min(self.first, float(times.min())), max(self.last, float(times.max()))
            self.counts[key] = self.counts.get(key, 0) + times.size
            self._pile.add(key, times, values)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one file, column by column; ``places`` are their lines (rows, for Parquet), counted from 1."""

    times: FloatArray
    signals: Sequence[str]
    members: Sequence[str]
    values: FloatArray
    places: Sequence[int]


def add_rows(history: CheckedHistory, file: str, declared: Collection[str], rows: Rows) -> None:
    """Check rows and add them to the history. Raises ``ImportRefused`` for the first row that is wrong."""
    refuse_strange_times(file, rows.times, rows.places)
    refuse_unknown_signals(file, declared, rows.signals, rows.places)
    signals, signal_numbers = _numbered(rows.signals)
    members, member_numbers = _numbered(rows.members)
    which = signal_numbers * len(members) + member_numbers
    order = np.argsort(which, kind="stable")
    numbers, starts = np.unique(which[order], return_index=True)
    for number, chosen in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
        key = (signals[number // len(members)], members[number % len(members)])
        history.add(key, rows.times[chosen], rows.values[chosen])


def _numbered(names: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """The different names, and for each row the place of its name among them."""
    different = list(dict.fromkeys(names))
    places = {name: place for place, name in enumerate(different)}
    return different, np.fromiter(map(places.__getitem__, names), dtype=np.int64, count=len(names))


def refuse_strange_times(file: str, times: FloatArray, places: Sequence[int]) -> None:
    """Raise ``ImportRefused`` for the first time that lies before 1990 or after 2100."""
    strange = np.flatnonzero(~((times >= EARLIEST) & (times <= LATEST)))
    if strange.size:
        time = float(times[strange[0]])
        means = f"would be {iso_date(time)}" if 0 <= time < 1e11 else "lies in no year we know"
        raise ImportRefused(
            file,
            places[strange[0]],
            f"the time {time:g} {means}",
            next_step="write times in ISO 8601 (2026-03-01T12:00:00Z), or in seconds or milliseconds since 1970",
        )


def refuse_unknown_signals(file: str, declared: Collection[str], signals: Sequence[str], places: Sequence[int]) -> None:
    """Raise ``ImportRefused`` for the first signal that is not declared."""
    unknown = set(signals) - set(declared)
    if not unknown:
        return
    place, name = next((place, name) for place, name in zip(places, signals, strict=True) if name in unknown)
    close = difflib.get_close_matches(name, declared, n=1)
    known = ", ".join(sorted(declared)[:12]) or "none"
    meant = f"did you mean {close[0]}?" if close else f"declared are: {known}"
    raise ImportRefused(
        file,
        place,
        f"the signal {name!r} is not declared; {meant}",
        next_step="correct the name, or declare it under signals in outgrow.yaml",
    )
