"""What there is to say while tenants are moved: lines as they happen, and a report that another process can read."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from outgrow.errors import OutgrowError
from outgrow.migration.batches import OUTRUN_STEP
from outgrow.migration.commands import Command, Outcome, ProveWayBack, Thaw, Verify, Wait
from outgrow.migration.progress import MOST_LOOKS, Look, Progress, progress
from outgrow.migration.records import Migration, TenantMove
from outgrow.quantities import Interval

MOST_WAITING = 20
FRESH_SECONDS = 15.0
"""A report that is older comes of a process that is gone."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One line for people, as it happens; ``tenant`` is "" for the whole move."""

    kind: Literal["step", "error", "note", "wait"]
    text: str
    tenant: str = ""


@dataclass(slots=True)
class Report:
    """How a run stands.

    Attributes:
        began: monotonic seconds.
        progress: states, wave, rate, time left.
        lag_seconds: the largest lag of a tenant that is being moved.
        throttled: why nothing is copied, "" for no reason. stop: why no further wave begins, "" for no reason.
        waiting: (tenant, why, next step) of tenants that wait, a few of them, those that wait for people first.
    """

    began: float = 0.0
    progress: Progress = field(default_factory=lambda: Progress({}, None, 0, None, None, None))
    lag_seconds: float = 0.0
    throttled: str = ""
    stop: str = ""
    waiting: list[tuple[str, str, str]] = field(default_factory=list)
    _looks: deque[Look] = field(default_factory=lambda: deque(maxlen=MOST_LOOKS))
    _done: int = 0
    _outrun: dict[str, str] = field(default_factory=dict)

    def count(self, outcome: Outcome) -> None:
        """Counts what a command brought."""
        self._done += outcome.copied

    def observe(self, tenant: str, outrun: str) -> str:
        """Takes up whether a tenant is written faster than it is carried; → what is new of it for people, "" for
        nothing."""
        before = self._outrun.pop(tenant, "")
        if outrun:
            self._outrun[tenant] = outrun
        return f"{outrun}; {OUTRUN_STEP}" if outrun and not before else ""

    def look(self, rows: Sequence[TenantMove], lags: Mapping[str, float], waits: Mapping[str, Wait], at: float) -> None:
        """Takes up how the rows stand; ``at`` is monotonic."""
        if not self._looks or at - self._looks[-1].at >= 1.0:
            self._looks.append(Look(at, self._done))
        self.progress = progress(rows, self._looks)
        self.lag_seconds = max((lags.get(row.tenant, 0.0) for row in rows), default=0.0)
        told = [(tenant, wait) for tenant, wait in waits.items() if wait.kind != "throttled"]
        told.sort(key=lambda one: one[1].kind != "people")
        waiting = [(tenant, said, OUTRUN_STEP) for tenant, said in self._outrun.items()]
        waiting += [(tenant, wait.reason, wait.next_step) for tenant, wait in told if tenant not in self._outrun]
        self.waiting = waiting[:MOST_WAITING]

    def body(self, migration: Migration, at: float) -> bytes:
        """The report for another process, as ``read_report`` reads it."""
        fields = {
            "migration": migration.id,
            "at": at,
            "items_per_second": _mid(self.progress.per_second),
            "lag_seconds": self.lag_seconds,
            "eta_seconds": _mid(self.progress.left_seconds),
            "throttled": self.throttled,
            "stop": self.stop,
            "waiting": self.waiting,
        }
        return json.dumps(fields).encode()


def read_report(body: bytes | None, migration: Migration, now: float) -> dict[str, Any] | None:
    """A report of this migration that is not old, as JSON; else None."""
    try:
        fields = json.loads(body or b"null")
    except ValueError:
        return None
    if not isinstance(fields, dict) or fields.get("migration") != migration.id:
        return None
    return fields if abs(now - float(fields.get("at", 0))) <= FRESH_SECONDS else None


def _mid(interval: Interval | None) -> float | None:
    return None if interval is None or not math.isfinite(interval.mid) else interval.mid


def said(failed: OutgrowError) -> str:
    """A failure with its next step, in one sentence."""
    return failed.message + (f"; {failed.next_step}" if failed.next_step else "")


def counted(number: int, noun: str) -> str:
    """``1 tenant``, ``1,500 tenants``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def told_of(before: TenantMove, after: TenantMove, command: Command, outcome: Outcome) -> tuple[str, dict[str, object]]:
    """The journal's line and its facts of a step; "" where nothing happened that anybody would look for."""
    if outcome.failed:
        return ("failed", {"why": outcome.failed, "tries": after.tries}) if outcome.failed != before.error else ("", {})
    match command:
        case Verify(truth, repair):
            what = "verified" if not outcome.differing else "differs"
            return ("repaired" if repair and what == "verified" else what), {
                "truth": truth, "items": outcome.items, "differing": outcome.differing,
            }  # fmt: skip
        case Thaw(reason):
            return f"fell back to {after.state}", {"why": reason}
        case ProveWayBack() if outcome.refused:
            return "way back refused", {"why": outcome.refused}
    if outcome.refused:
        return "flip refused", {"why": outcome.refused}
    if after.state != before.state:
        facts: dict[str, object] = {"items": after.items, "copied": after.copied}
        return after.state.replace("_", " "), {key: value for key, value in facts.items() if value is not None}
    if after.step != before.step and after.step:
        return after.step.replace("_", " "), {"differing": outcome.differing} if outcome.differing else {}
    if outcome.differing:
        return "differs", {"differing": outcome.differing}
    return ("dropped", {}) if after.dropped and not before.dropped else ("", {})
