"""The ledger itself: what is kept and how it is read back, over either database."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.ledger.bodies import message_of, ramp_of, ramp_text, strict_json
from outgrow.ledger.database import Database
from outgrow.ledger.hours import ORIGINS, hour_starts, origin_bit, origins_of, prevailing, sum_up, whole_hours
from outgrow.ports import (
    Delivery,
    HourlyValue,
    Message,
    Note,
    Numbers,
    RecordKind,
    SignalSummary,
    StoredForecast,
    StoredRecord,
)
from outgrow.quantities import HOUR
from outgrow.signals.series import FloatArray, Origin, Ramp, Series, series_of

_WRITE_AT_ONCE = 100_000
_HOURS_AT_ONCE = 2_000


class SqlLedger:
    """A ``outgrow.ports.Ledger`` over a database; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._series_ids: dict[tuple[str, str], int] = {}
        self._provenance_ids: dict[tuple[str, str], int] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            with self._database.transaction():
                yield
        except BaseException:
            # Ids handed out inside went with the transaction.
            self._series_ids.clear()
            self._provenance_ids.clear()
            raise

    def close(self) -> None:
        self._database.close()

    def add_samples(
        self,
        signal: str,
        times: Numbers,
        values: Numbers,
        *,
        origin: Origin,
        source: str,
        member: str = "",
    ) -> int:
        samples = series_of(signal, "", times, values)
        if not len(samples):
            return 0
        with self.transaction():
            series_id = self._series_id(signal, member)
            provenance_id = self._provenance_id(origin, source)
            for part in whole_hours(samples.times, _WRITE_AT_ONCE):
                part_times, part_values = samples.times[part], samples.values[part]
                touched = np.unique(hour_starts(part_times))
                alone = not self._any_sample(series_id, touched[0], touched[-1] + HOUR)
                self._database.write_samples(series_id, provenance_id, part_times, part_values)
                if alone:
                    bits = np.full(part_times.size, origin_bit(origin), dtype=np.int64)
                    self._database.write_hours(series_id, sum_up(part_times, part_values, bits))
                else:
                    self._renew_hours(series_id, touched)
        return len(samples)

    def series(
        self, signal: str, unit: str, start: float = -math.inf, end: float = math.inf, member: str = ""
    ) -> Series:
        return self._read("samples", signal, unit, start, end, member)

    def hourly(
        self,
        signal: str,
        unit: str,
        value: HourlyValue = "mean",
        start: float = -math.inf,
        end: float = math.inf,
        member: str = "",
    ) -> Series:
        return self._read(f"hours_{value}", signal, unit, start, end, member)

    def members(self, signal: str) -> tuple[str, ...]:
        return tuple(row[0] for row in self._database.rows("members", signal=signal))

    def signals(self) -> tuple[SignalSummary, ...]:
        rows = self._database.rows("summary")
        return tuple(
            _summary(signal, [row for row in rows if row[0] == signal]) for signal in {row[0]: 0 for row in rows}
        )

    def add_ramp(self, ramp: Ramp) -> None:
        self._database.run("add_ramp", signal=ramp.signal, name=ramp.name, made_at=ramp.made_at, body=ramp_text(ramp))

    def ramps(self, signal: str | None = None) -> tuple[Ramp, ...]:
        rows = self._database.rows("ramps")
        return tuple(ramp for row in rows if signal in (None, (ramp := ramp_of(row[0])).signal))

    def add_note(self, point: str, trigger: str, text: str, *, source: str, at: float, made_at: float) -> Note:
        rows = self._database.rows(
            "add_note", point=point, trigger=trigger, text=text, source=source, at=at, made_at=made_at
        )
        return Note(rows[0][0], point, trigger, text, source, at, made_at)

    def notes(self, point: str | None = None, trigger: str | None = None) -> tuple[Note, ...]:
        notes = (Note(*row) for row in self._database.rows("notes"))
        return tuple(note for note in notes if point in (None, note.point) and trigger in (None, note.trigger))

    def withdraw_note(self, note_id: int, at: float) -> Note | None:
        self._database.run("withdraw_note", id=note_id, at=at)
        rows = self._database.rows("note", id=note_id)
        return Note(*rows[0]) if rows else None

    def add_forecast(self, point: str, trigger: str, made_at: float, digest: str, body: Mapping[str, Any]) -> None:
        text = strict_json(dict(body))
        self._database.run("add_forecast", point=point, trigger=trigger, made_at=made_at, digest=digest, body=text)

    def forecast_by_digest(self, point: str, trigger: str, digest: str) -> StoredForecast | None:
        rows = self._database.rows("forecast_by_digest", point=point, trigger=trigger, digest=digest)
        return next(map(_forecast, rows), None)

    def forecasts(self, point: str | None = None, trigger: str | None = None) -> tuple[StoredForecast, ...]:
        if point is None:
            rows = self._database.rows("forecasts")
        else:
            rows = self._database.rows("forecasts_of_point", point=point)
        return tuple(_forecast(row) for row in rows if trigger in (None, row[1]))

    def add_record(
        self, kind: RecordKind, point: str, made_at: float, digest: str, body: Mapping[str, Any]
    ) -> StoredRecord:
        key = {"kind": kind, "point": point, "digest": digest}
        with self.transaction():
            self._database.run("add_record", **key, made_at=made_at, body=strict_json(dict(body)))
            return _record(self._database.rows("record", **key)[0])

    def records(self, kind: RecordKind, point: str | None = None) -> tuple[StoredRecord, ...]:
        rows = self._database.rows("records", kind=kind)
        return tuple(_record(row) for row in rows if point in (None, row[2]))

    def add_delivery(self, key: str, message: Message, at: float) -> bool:
        return self._database.run("add_delivery", key=key, message=json.dumps(asdict(message)), at=at) == 1

    def pending_deliveries(self, at: float) -> tuple[Delivery, ...]:
        rows = self._database.rows("pending_deliveries", at=at)
        return tuple(Delivery(key, message_of(text), *rest) for key, text, *rest in rows)

    def mark_delivered(self, key: str, at: float) -> None:
        self._database.run("mark_delivered", key=key, at=at)

    def mark_failed(self, key: str, reason: str, retry_at: float, attempts: int) -> None:
        self._database.run("mark_failed", key=key, reason=reason, due=retry_at, attempts=attempts)

    def put_memory(self, source: str, key: str, content: bytes) -> None:
        self._database.run("put_memory", source=source, key=key, content=content)

    def memory(self, source: str, key: str) -> bytes | None:
        rows = self._database.rows("memory", source=source, key=key)
        return bytes(rows[0][0]) if rows else None

    def _read(self, query: str, signal: str, unit: str, start: float, end: float, member: str) -> Series:
        series_id = self._known_series(signal, member)
        if series_id is None:
            return series_of(signal, unit, (), ())
        bounds = {"series_id": series_id, "start": start, "end": end}
        rows = self._database.pairs(query, **bounds)
        first_hour = float(hour_starts(np.array([start]))[0])
        bits = self._database.rows("hour_origins", series_id=series_id, start=first_hour, end=end)
        origin = prevailing(int(np.bitwise_or.reduce([row[0] for row in bits], dtype=np.int64)) if bits else 0)
        return Series(signal, unit, rows[:, 0].copy(), rows[:, 1].copy(), origin)

    def _any_sample(self, series_id: int, start: float, end: float) -> bool:
        return bool(self._database.rows("any_sample", series_id=series_id, start=float(start), end=float(end)))

    def _renew_hours(self, series_id: int, touched: FloatArray) -> None:
        """Sum up the touched hours anew from all their samples; a dense run of hours is read at once."""
        for first in range(0, touched.size, _HOURS_AT_ONCE):
            for run in _dense_runs(touched[first : first + _HOURS_AT_ONCE]):
                bounds = {"series_id": series_id, "start": float(run[0]), "end": float(run[-1] + HOUR)}
                rows = self._database.rows("samples_with_origin", **bounds)
                bits: NDArray[np.int64] = np.array([origin_bit(row[2]) for row in rows], dtype=np.int64)
                numbers = np.array([row[:2] for row in rows], dtype=np.float64)
                self._database.write_hours(series_id, sum_up(numbers[:, 0], numbers[:, 1], bits).among(run))

    def _known_series(self, signal: str, member: str) -> int | None:
        key = (signal, member)
        if key not in self._series_ids:
            rows = self._database.rows("series_id", signal=signal, member=member)
            if not rows:
                return None
            self._series_ids[key] = rows[0][0]
        return self._series_ids[key]

    def _series_id(self, signal: str, member: str) -> int:
        known = self._known_series(signal, member)
        if known is None:
            self._database.run("add_series", signal=signal, member=member)
            known = self._known_series(signal, member)
        assert known is not None
        return known

    def _provenance_id(self, origin: Origin, source: str) -> int:
        key = (origin, source)
        if key not in self._provenance_ids:
            rows = self._database.rows("provenance_id", origin=origin, source=source)
            if not rows:
                self._database.run("add_provenance", origin=origin, source=source)
                rows = self._database.rows("provenance_id", origin=origin, source=source)
            self._provenance_ids[key] = rows[0][0]
        return self._provenance_ids[key]


def _dense_runs(starts: FloatArray) -> list[FloatArray]:
    """Hours split where more than a day lies between two of them, so that no long gap is read for nothing."""
    return np.split(starts, np.flatnonzero(np.diff(starts) > 24 * HOUR) + 1)


def _summary(signal: str, rows: list[tuple[Any, ...]]) -> SignalSummary:
    bits = int(np.bitwise_or.reduce([row[3] for row in rows]))
    return SignalSummary(
        signal=signal,
        count=sum(int(row[2]) for row in rows),
        first=min(row[4] for row in rows),
        last=max(row[5] for row in rows),
        origins=tuple(sorted(origins_of(bits), key=ORIGINS.index)),
        members=tuple(sorted({row[1] for row in rows})),
    )


def _forecast(row: tuple[Any, ...]) -> StoredForecast:
    point, trigger, made_at, digest, body = row
    return StoredForecast(point, trigger, made_at, digest, json.loads(body))


def _record(row: tuple[Any, ...]) -> StoredRecord:
    number, kind, point, made_at, digest, body = row
    return StoredRecord(number, kind, point, made_at, digest, json.loads(body))
