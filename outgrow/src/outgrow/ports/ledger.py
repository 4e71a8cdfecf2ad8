"""The record of all that was seen, said and sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from outgrow.ports.looking import HourlyValue, Message, Numbers
from outgrow.signals.series import Origin, Ramp, Series


@dataclass(frozen=True, slots=True)
class SignalSummary:
    """What the ledger holds of one signal, over all its members.

    Attributes:
        count: samples. first, last: times of the earliest and the latest.
        origins: the kinds of data among them, sorted.
        members: the members that have samples, sorted; ``""`` is the whole.
    """

    signal: str
    count: int
    first: float
    last: float
    origins: tuple[Origin, ...]
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """A fact no metric knows. ``at`` is when it became true, ``made_at`` when it was written down."""

    id: int
    point: str
    trigger: str
    text: str
    source: str
    at: float
    made_at: float
    withdrawn_at: float | None = None


@dataclass(frozen=True, slots=True)
class StoredForecast:
    """A forecast as it was made; ``body`` is its JSON form, ``digest`` stands for the inputs it rests on."""

    point: str
    trigger: str
    made_at: float
    digest: str
    body: Mapping[str, Any]


RecordKind = Literal["evidence", "answer", "decision", "plan", "announcement", "migration", "baseline", "validation"]


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A step of the thread as it was made; ``point`` is "" for what concerns all, ``body`` is its JSON form.

    ``digest`` stands for what it rests on: there is one record of a (kind, point, digest).
    """

    id: int
    kind: RecordKind
    point: str
    made_at: float
    digest: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message waiting in the outbox. ``due`` is when it may be tried next; ``reason`` why the last attempt failed."""

    key: str
    message: Message
    created_at: float
    due: float
    attempts: int = 0
    reason: str = ""


class Ledger(Protocol):
    """The record of all that was seen, said and sent. One contract (``outgrow.testing.LedgerContract``) holds for all.

    Every write is durable, and visible to other processes, when the call returns; inside ``transaction`` when that
    block ends. An unusable ledger raises ``LedgerError`` and changes nothing. Usable from several threads.
    """

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside become visible together, or not at all when the block raises. Blocks may nest."""
        ...

    def close(self) -> None:
        """Give back what is held; no call is allowed afterwards."""
        ...

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
        """Keep samples; returns how many. For an equal (signal, member, time) the last written wins.

        Times and values, shape (n,) each, in any order. Samples that are not finite are left out: a gap is no sample.
        """
        ...

    def series(
        self, signal: str, unit: str, start: float = -math.inf, end: float = math.inf, member: str = ""
    ) -> Series:
        """The samples with ``start ≤ time ≤ end``; an empty series where there are none.

        Its origin is ``simulated`` if any sample of the hours it touches is, else ``imported`` if any is, else
        ``measured``.
        """
        ...

    def hourly(
        self,
        signal: str,
        unit: str,
        value: HourlyValue = "mean",
        start: float = -math.inf,
        end: float = math.inf,
        member: str = "",
    ) -> Series:
        """One value for each clock hour (UTC) that has samples, stamped with the hour's start; ``start ≤ hour ≤ end``.

        Kept up to date with the samples, so that a year of minutes is read as 8,766 rows. The hours of different
        signals fall on the same times and can be joined. Quantiles over it are quantiles of hours: the 95th percentile
        of a week of hourly means is the load that 8 hours of the week exceed.
        """
        ...

    def members(self, signal: str) -> tuple[str, ...]:
        """The members of a signal that have samples, sorted."""
        ...

    def signals(self) -> tuple[SignalSummary, ...]:
        """A summary of each signal that has samples, by name."""
        ...

    def add_ramp(self, ramp: Ramp) -> None:
        """Keep a ramp. One of the same (signal, name, made_at) is replaced."""
        ...

    def ramps(self, signal: str | None = None) -> tuple[Ramp, ...]:
        """The ramps of a signal, or of all, by the time they were made."""
        ...

    def add_note(self, point: str, trigger: str, text: str, *, source: str, at: float, made_at: float) -> Note:
        """Keep a note; returns it with its id."""
        ...

    def notes(self, point: str | None = None, trigger: str | None = None) -> tuple[Note, ...]:
        """Notes by id, withdrawn ones included."""
        ...

    def withdraw_note(self, note_id: int, at: float) -> Note | None:
        """Mark a note as withdrawn and return it; None when there is none of that id. A second time changes nothing."""
        ...

    def add_forecast(self, point: str, trigger: str, made_at: float, digest: str, body: Mapping[str, Any]) -> None:
        """Append a forecast, to be scored once the truth is known; ``body`` is JSON (no infinite or NaN numbers)."""
        ...

    def forecast_by_digest(self, point: str, trigger: str, digest: str) -> StoredForecast | None:
        """The forecast made last from inputs of that digest."""
        ...

    def forecasts(self, point: str | None = None, trigger: str | None = None) -> tuple[StoredForecast, ...]:
        """All forecasts, in the order they were made."""
        ...

    def add_record(
        self, kind: RecordKind, point: str, made_at: float, digest: str, body: Mapping[str, Any]
    ) -> StoredRecord:
        """Append a record and return it with its id; the one there is where (kind, point, digest) was added before.

        ``body`` is JSON (no infinite or NaN numbers).
        """
        ...

    def records(self, kind: RecordKind, point: str | None = None) -> tuple[StoredRecord, ...]:
        """The records of a kind in the order they were added, of one point or of all."""
        ...

    def add_delivery(self, key: str, message: Message, at: float) -> bool:
        """Put a message into the outbox, due at once; False when that key was ever put there before."""
        ...

    def pending_deliveries(self, at: float) -> tuple[Delivery, ...]:
        """What is undelivered and due at ``at``, oldest first."""
        ...

    def mark_delivered(self, key: str, at: float) -> None:
        """It was delivered and will not be pending again."""
        ...

    def mark_failed(self, key: str, reason: str, retry_at: float, attempts: int) -> None:
        """It failed for the ``attempts``-th time; due again at ``retry_at`` (infinite: given up)."""
        ...

    def put_memory(self, source: str, key: str, content: bytes) -> None:
        """Remember what a source needs next time (its last scrape, say); the last of a (source, key) wins."""
        ...

    def memory(self, source: str, key: str) -> bytes | None:
        """What was remembered, or None."""
        ...
