"""Which messages follow from the state of a trigger: once an episode each, however much the input flaps.

Three things are remembered of a trigger, each with its own episode:

* the limit: opened by ``firing``; ``warning`` and ``critical`` are told at most once in it; closed by one ``resolved``
  after the trigger was seen not to fire for ``settle_seconds`` without a break;
* the approach: ``approaching`` is told once; closed silently after ``approach_settle_seconds`` of quiet;
* sight: ``unknown`` is told once it lasted ``unknown_after_seconds``; closed by ``seen`` after ``settle_seconds`` of
  sight. Not knowing never resolves anything.

A trigger that is no longer declared while its limit is open is closed by ``unwatched``. Triggers that only confirm
others have no messages of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from outgrow.outlook.status import PointStatus, TriggerStatus
from outgrow.quantities import DAY, MINUTE

Kind = Literal["approaching", "unknown", "warning", "critical", "resolved", "seen", "unwatched"]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited before people are told; all in seconds.

    ``settle_seconds`` outlasts a few looks at the usual minute; ``unknown_after_seconds`` a restart of what is watched.
    """

    settle_seconds: float = 10 * MINUTE
    approach_settle_seconds: float = DAY
    unknown_after_seconds: float = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class Told:
    """What people know of one trigger. Times are seconds since the epoch, None where nothing is open.

    Attributes:
        looked_at: when it was looked at last.
        limit_opened: the look at which the open limit episode began. limit_since: since when the trigger fired then.
        critical: whether ``critical`` was told in it.
        calm_since: since when the trigger is seen not to fire, within the limit episode.
        approach_since: when the open approach began. far_since: since when it is quiet within it.
        unknown_since: when sight was lost. unknown_told: whether people know. seen_since: since when it is back.
    """

    point: str
    trigger: str
    looked_at: float | None = None
    limit_opened: float | None = None
    limit_since: float = 0.0
    critical: bool = False
    calm_since: float | None = None
    approach_since: float | None = None
    far_since: float | None = None
    unknown_since: float | None = None
    unknown_told: bool = False
    seen_since: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell.

    ``episode`` sets one episode apart from the next: (point, trigger, kind, episode) is told once. ``since`` is when
    what is told began, for the reader. Both are seconds since the epoch.
    """

    kind: Kind
    point: str
    trigger: str
    episode: float
    since: float


Memory = Mapping[tuple[str, str], Told]


def follow(
    memory: Memory, points: Iterable[PointStatus], now: float, patience: Patience | None = None
) -> tuple[dict[tuple[str, str], Told], tuple[Event, ...]]:
    """What is told now, and what is remembered for the next look.

    Args:
        memory: what the last call returned; empty at first.
        points: the status of every declared point; a trigger that is missing is taken as no longer declared.
        now: seconds since the epoch.
    """
    waits = patience or Patience()
    after: dict[tuple[str, str], Told] = {}
    events: list[Event] = []
    for point in points:
        for status in point.triggers:
            if status.confirms:
                continue
            key = (status.point, status.trigger)
            after[key], told_now = _look(memory.get(key) or Told(*key), status, now, waits)
            events.extend(told_now)
    for key, told in memory.items():
        if key not in after and told.limit_opened is not None:
            events.append(Event("unwatched", *key, told.limit_opened, told.limit_since))
    return after, tuple(events)


def _look(told: Told, status: TriggerStatus, now: float, waits: Patience) -> tuple[Told, list[Event]]:
    events: list[Event] = []
    for step in (_limit, _approach, _sight):
        told, kind, episode, since = step(told, status, now, waits)
        if kind is not None:
            events.append(Event(kind, told.point, told.trigger, episode, since))
    return replace(told, looked_at=now), events


_Step = tuple[Told, Kind | None, float, float]


def _entered(told: Told, status: TriggerStatus, now: float) -> float:
    """When the present state began; never before the last look, which still saw another one."""
    since = min(status.since, now)
    return since if told.looked_at is None else max(since, min(told.looked_at, now))


def _limit(told: Told, status: TriggerStatus, now: float, waits: Patience) -> _Step:
    opened = told.limit_opened
    if status.state == "firing":
        if opened is None:
            told = replace(told, limit_opened=now, limit_since=min(status.since, now), critical=False)
        told_already = opened is not None and (told.critical or not status.broken)
        after = replace(told, critical=told.critical or status.broken, calm_since=None)
        kind: Kind | None = None if told_already else "critical" if status.broken else "warning"
        return after, kind, now if opened is None else opened, told.limit_since
    if opened is None:
        return told, None, 0.0, 0.0
    if status.state == "unknown":
        return replace(told, calm_since=None), None, 0.0, 0.0
    calm_since = _entered(told, status, now) if told.calm_since is None else told.calm_since
    if now - calm_since < waits.settle_seconds:
        return replace(told, calm_since=calm_since), None, 0.0, 0.0
    after = replace(told, limit_opened=None, critical=False, calm_since=None)
    return after, "resolved", opened, told.limit_since


def _approach(told: Told, status: TriggerStatus, now: float, waits: Patience) -> _Step:
    opened = told.approach_since
    if status.state in ("approaching", "firing"):
        if opened is not None:
            return replace(told, far_since=None), None, 0.0, 0.0
        since = _entered(told, status, now)
        # What fires was approaching: people who were told so need no notice when it falls back to approaching.
        silent = status.state == "firing" or told.limit_opened is not None
        return replace(told, approach_since=since, far_since=None), None if silent else "approaching", since, since
    if status.state == "unknown" or opened is None:
        return told, None, 0.0, 0.0
    far_since = _entered(told, status, now) if told.far_since is None else told.far_since
    if now - far_since < waits.approach_settle_seconds:
        return replace(told, far_since=far_since), None, 0.0, 0.0
    return replace(told, approach_since=None, far_since=None), None, 0.0, 0.0


def _sight(told: Told, status: TriggerStatus, now: float, waits: Patience) -> _Step:
    lost = told.unknown_since
    if status.state == "unknown":
        lost = _entered(told, status, now) if lost is None else lost
        tell = not told.unknown_told and now - lost >= waits.unknown_after_seconds
        after = replace(told, unknown_since=lost, unknown_told=told.unknown_told or tell, seen_since=None)
        return after, "unknown" if tell else None, lost, lost
    if lost is None:
        return told, None, 0.0, 0.0
    seen_since = _entered(told, status, now) if told.seen_since is None else told.seen_since
    if now - seen_since < waits.settle_seconds:
        return replace(told, seen_since=seen_since), None, 0.0, 0.0
    # While the limit is open, its own messages show that there is sight again.
    tell = told.unknown_told and told.limit_opened is None
    return replace(told, unknown_since=None, unknown_told=False, seen_since=None), "seen" if tell else None, lost, lost
