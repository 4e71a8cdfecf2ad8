"""Fakes that keep the same contracts as the real adapters, without a disk or a clock."""

from __future__ import annotations

import copy
import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import fmean, median
from typing import Any

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
from outgrow.signals.series import Origin, Ramp, Series, series_of

_PRECEDENCE: tuple[Origin, ...] = ("simulated", "imported", "measured")
_SUMMARIES: Mapping[HourlyValue, Callable[[list[float]], float]] = {
    "mean": fmean,
    "median": median,
    "min": min,
    "max": max,
}


class FixedClock:
    """A clock that stands still until told to go on."""

    def __init__(self, at: float, scale: str = "") -> None:
        self.at = at
        self.scale = scale

    def now(self) -> float:
        """Where it stands, seconds since the epoch."""
        return self.at

    def advance(self, seconds: float) -> None:
        """Go on by ``seconds``."""
        self.at += seconds


@dataclass
class _Contents:
    samples: dict[tuple[str, str], dict[float, tuple[float, Origin]]] = field(default_factory=dict)
    ramps: dict[tuple[str, str, float], Ramp] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    forecasts: list[StoredForecast] = field(default_factory=list)
    records: list[StoredRecord] = field(default_factory=list)
    outbox: dict[str, Delivery] = field(default_factory=dict)
    delivered: set[str] = field(default_factory=set)
    memory: dict[tuple[str, str], bytes] = field(default_factory=dict)


class MemoryLedger:
    """A ``outgrow.ports.Ledger`` that forgets with the process."""

    def __init__(self) -> None:
        self._contents = _Contents()
        self._lock = threading.RLock()
        self._depth = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._lock:
            before = copy.deepcopy(self._contents) if self._depth == 0 else None
            self._depth += 1
            try:
                yield
            except BaseException:
                if before is not None:
                    self._contents = before
                raise
            finally:
                self._depth -= 1

    def close(self) -> None:
        return None

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
        del source
        samples = series_of(signal, "", times, values)
        with self._lock:
            kept = self._contents.samples.setdefault((signal, member), {})
            kept.update(
                (time, (value, origin))
                for time, value in zip(samples.times.tolist(), samples.values.tolist(), strict=True)
            )
        return len(samples)

    def series(
        self, signal: str, unit: str, start: float = -math.inf, end: float = math.inf, member: str = ""
    ) -> Series:
        rows = {time: value for time, (value, _) in self._rows(signal, member).items() if start <= time <= end}
        return series_of(signal, unit, list(rows), list(rows.values()), self._origin(signal, member, start, end))

    def hourly(
        self,
        signal: str,
        unit: str,
        value: HourlyValue = "mean",
        start: float = -math.inf,
        end: float = math.inf,
        member: str = "",
    ) -> Series:
        hours: dict[float, list[float]] = {}
        for time, (number, _) in self._rows(signal, member).items():
            hours.setdefault(_hour(time), []).append(number)
        kept = {hour: _SUMMARIES[value](numbers) for hour, numbers in hours.items() if start <= hour <= end}
        return series_of(signal, unit, list(kept), list(kept.values()), self._origin(signal, member, start, end))

    def members(self, signal: str) -> tuple[str, ...]:
        return tuple(
            sorted(member for (name, member), rows in self._contents.samples.items() if name == signal and rows)
        )

    def signals(self) -> tuple[SignalSummary, ...]:
        names = sorted({name for (name, _), rows in self._contents.samples.items() if rows})
        return tuple(self._summary(name) for name in names)

    def add_ramp(self, ramp: Ramp) -> None:
        self._contents.ramps[ramp.signal, ramp.name, ramp.made_at] = ramp

    def ramps(self, signal: str | None = None) -> tuple[Ramp, ...]:
        found = (ramp for ramp in self._contents.ramps.values() if signal in (None, ramp.signal))
        return tuple(sorted(found, key=lambda ramp: (ramp.made_at, ramp.signal, ramp.name)))

    def add_note(self, point: str, trigger: str, text: str, *, source: str, at: float, made_at: float) -> Note:
        note = Note(len(self._contents.notes) + 1, point, trigger, text, source, at, made_at)
        self._contents.notes.append(note)
        return note

    def notes(self, point: str | None = None, trigger: str | None = None) -> tuple[Note, ...]:
        return tuple(
            note for note in self._contents.notes if point in (None, note.point) and trigger in (None, note.trigger)
        )

    def withdraw_note(self, note_id: int, at: float) -> Note | None:
        for place, note in enumerate(self._contents.notes):
            if note.id == note_id:
                if note.withdrawn_at is None:
                    self._contents.notes[place] = replace(note, withdrawn_at=at)
                return self._contents.notes[place]
        return None

    def add_forecast(self, point: str, trigger: str, made_at: float, digest: str, body: Mapping[str, Any]) -> None:
        copied = json.loads(json.dumps(dict(body), allow_nan=False))
        self._contents.forecasts.append(StoredForecast(point, trigger, made_at, digest, copied))

    def forecast_by_digest(self, point: str, trigger: str, digest: str) -> StoredForecast | None:
        return next((found for found in reversed(self.forecasts(point, trigger)) if found.digest == digest), None)

    def forecasts(self, point: str | None = None, trigger: str | None = None) -> tuple[StoredForecast, ...]:
        found = (
            stored
            for stored in self._contents.forecasts
            if point in (None, stored.point) and trigger in (None, stored.trigger)
        )
        return tuple(sorted(found, key=lambda stored: stored.made_at))

    def add_record(
        self, kind: RecordKind, point: str, made_at: float, digest: str, body: Mapping[str, Any]
    ) -> StoredRecord:
        copied = json.loads(json.dumps(dict(body), allow_nan=False))
        for known in self._contents.records:
            if (known.kind, known.point, known.digest) == (kind, point, digest):
                return known
        added = StoredRecord(len(self._contents.records) + 1, kind, point, made_at, digest, copied)
        self._contents.records.append(added)
        return added

    def records(self, kind: RecordKind, point: str | None = None) -> tuple[StoredRecord, ...]:
        return tuple(one for one in self._contents.records if one.kind == kind and point in (None, one.point))

    def add_delivery(self, key: str, message: Message, at: float) -> bool:
        if key in self._contents.outbox:
            return False
        self._contents.outbox[key] = Delivery(key, message, at, at)
        return True

    def pending_deliveries(self, at: float) -> tuple[Delivery, ...]:
        waiting = (one for key, one in self._contents.outbox.items() if key not in self._contents.delivered)
        return tuple(sorted((one for one in waiting if one.due <= at), key=lambda one: one.created_at))

    def mark_delivered(self, key: str, at: float) -> None:
        del at
        self._contents.delivered.add(key)

    def mark_failed(self, key: str, reason: str, retry_at: float, attempts: int) -> None:
        if key in self._contents.outbox and key not in self._contents.delivered:
            failed = replace(self._contents.outbox[key], reason=reason, due=retry_at, attempts=attempts)
            self._contents.outbox[key] = failed

    def put_memory(self, source: str, key: str, content: bytes) -> None:
        self._contents.memory[source, key] = content

    def memory(self, source: str, key: str) -> bytes | None:
        return self._contents.memory.get((source, key))

    def _rows(self, signal: str, member: str) -> Mapping[float, tuple[float, Origin]]:
        return self._contents.samples.get((signal, member), {})

    def _origin(self, signal: str, member: str, start: float, end: float) -> Origin:
        rows = self._rows(signal, member).items()
        first = _hour(start)
        origins = {origin for time, (_, origin) in rows if first <= _hour(time) <= end}
        return next((origin for origin in _PRECEDENCE if origin in origins), "measured")

    def _summary(self, signal: str) -> SignalSummary:
        members = self.members(signal)
        rows = [row for member in members for row in self._rows(signal, member).items()]
        origins = {origin for _, (_, origin) in rows}
        return SignalSummary(
            signal=signal,
            count=len(rows),
            first=min(time for time, _ in rows),
            last=max(time for time, _ in rows),
            origins=tuple(origin for origin in reversed(_PRECEDENCE) if origin in origins),
            members=members,
        )


def _hour(time: float) -> float:
    return math.floor(time / HOUR) * HOUR if math.isfinite(time) else time
