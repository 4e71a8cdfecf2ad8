"""Consumers: whatever follows from the log, read from a position that is kept with what was made of it.

A turn does not wait for the disk: after a crash, position and rows are those of an earlier turn, and it is done
again.

Delivery is at least once, ordered within a venture, parallel across ventures and processes. A consumer's writes to
the venture's own tables are in the transaction that moves its position, so they happen exactly once; what it does
elsewhere must be idempotent by (venture, seq). An event that fails is tried again with back-off and then *parked*
with the reason; later events of the same entity are parked behind it, so that order holds, and all others go on.
`replay_parked` tries them again.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeGuard
from uuid import UUID

from ventures.database.pool import Database
from ventures.database.scope import Row, Scope
from ventures.errors import Unavailable
from ventures.log import sql
from ventures.log.records import Event
from ventures.log.registry import Registry, UnknownEvent

ATTEMPTS = 5
"""How often an event is tried before it is parked."""
BATCH = 200
"""Events a transaction."""

log = logging.getLogger(__name__)


class Consumer(Protocol):
    """`name` and `target` name its positions: a second target of the same consumer has positions of its own, so
    that a new one can be filled beside the old. `handles`: the event types it wants; None means all.
    """

    name: str
    target: str
    handles: frozenset[str] | None

    async def handle(self, scope: Scope, event: Event) -> None:
        """Makes of the event what this consumer makes; a second time changes nothing."""

    async def forget(self, scope: Scope) -> None:
        """Deletes all it made of this venture's log, before it is read again from the beginning."""


Rest = Callable[[], Awaitable[None]]
"""What is left of a turn when the answers are there."""


class Bulk(Consumer, Protocol):
    """A consumer that takes a turn's events at once. apart: it may take long (it asks somebody outside, say), and so
    takes turns of its own and holds up no other.
    """

    apart: bool

    async def handle_all(self, scope: Scope, events: Sequence[Event]) -> Rest | None:
        """As `handle` of each in order, and quicker. It asks without waiting (`scope.queued`) and returns what is to
        be done with the answers, so that the questions of all consumers travel together; None where nothing is left.
        Where one of both raises, the turn is undone and `handle` is called for each, so that only the failing event is
        tried again and parked.
        """


class Followed(Consumer, Protocol):
    """A consumer whose tables are read on by the events that last changed their rows."""

    async def handled_late(self, scope: Scope) -> None:
        """An event far behind its position was handled: whoever reads on has missed its rows."""


@dataclass(frozen=True)
class Step:
    """What one turn did.

    moved: events it went past. more: there may be more. busy: another process has these positions. retry_at: an event
    failed and is tried again then. parked: events it gave up on. behind: consumers that stand further back than the
    others and need turns of their own. appended_at: when the events it went past were appended.
    """

    moved: int = 0
    more: bool = False
    busy: bool = False
    retry_at: datetime | None = None
    parked: int = 0
    behind: tuple[Consumer, ...] = ()
    appended_at: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Parked:
    """An event that a consumer could not handle, and why."""

    seq: int
    entity: UUID
    reason: str
    parked_at: datetime


class EventFailed(Exception):
    """Carries the failing event out of the transaction that it rolls back."""

    def __init__(self, event: Event, reason: str) -> None:
        super().__init__(reason)
        self.event = event
        self.reason = reason


async def step_together(
    database: Database,
    registry: Registry,
    consumers: Sequence[Consumer],
    venture: UUID,
    *,
    now: Callable[[], datetime],
) -> Step:
    """One turn of all consumers that stand at the same, foremost position, but for those that take turns apart: the
    events are read once, and one transaction keeps what all of them made. Where one of them fails, each takes a turn of
    its own. Raises: Unavailable.
    """
    try:
        return await _turn_together(database, registry, consumers, venture, now)
    except (Unavailable, UnknownEvent):
        raise
    except Exception:  # foreign code, and what it sent without waiting: each finds out for itself
        return Step(behind=tuple(consumers))


async def _turn_together(
    database: Database,
    registry: Registry,
    consumers: Sequence[Consumer],
    venture: UUID,
    now: Callable[[], datetime],
) -> Step:
    async with database.venture(venture, redoable=True) as scope:
        standing, rows = await _taken(scope, consumers)
        if not standing:
            return Step(busy=True)
        apart = [one for one in standing if _takes_turns_apart(one.consumer)]
        others = [one for one in standing if not _takes_turns_apart(one.consumer)]
        foremost = max(one.seq for one in others or apart)
        group = [one for one in others if one.seq == foremost and one.retry_at is None]
        events = [registry.event(*row) for row in rows] if group else []
        last = rows[-1][1] if rows else foremost
        behind = (
            *(one.consumer for one in others if one.seq < foremost or one.retry_at),
            *(one.consumer for one in apart if one.seq < last),
        )
        if not events:
            return Step(behind=behind)
        await _handled_by(scope, group, events, now)
        await scope.run(
            sql.MOVE_POSITIONS,
            consumers=[one.consumer.name for one in group],
            targets=[one.consumer.target for one in group],
            seq=events[-1].seq,
        )
    return _moved(events, BATCH, behind)


@dataclass(frozen=True)
class _Standing:
    """A consumer whose position this turn holds."""

    consumer: Consumer
    seq: int
    retry_at: datetime | None
    some_parked: bool


async def _taken(scope: Scope, consumers: Sequence[Consumer], limit: int = BATCH) -> tuple[list[_Standing], list[Row]]:
    """→ (those whose positions were free, the events beyond the foremost of those that move together), in one round
    trip: a position that is held moves no more, so that the events beyond it can be asked for before it is known.
    """
    known = {(consumer.name, consumer.target): consumer for consumer in consumers}
    together = [key for key, consumer in known.items() if not _takes_turns_apart(consumer)] or list(known)
    positions = await scope.queued(sql.TAKE_POSITIONS, **_names(known))
    beyond = await scope.queued(sql.EVENTS_BEYOND, **_names(together), limit=limit)
    standing = [
        _Standing(known[name, target], seq, retry_at, some_parked)
        for name, target, seq, retry_at, some_parked in await positions.all()
    ]
    if len(standing) == len(known):
        return standing, await beyond.all()
    if await scope.changed(sql.OPEN_POSITIONS, **_names(known)):
        return await _taken(scope, consumers, limit)
    if not standing:
        return [], []
    foremost = max(
        (one.seq for one in standing if (one.consumer.name, one.consumer.target) in together),
        default=max(one.seq for one in standing),
    )
    return standing, await scope.all(sql.EVENTS, after=foremost, limit=limit)


def _names(keys: Iterable[tuple[str, str]]) -> dict[str, Any]:
    names = list(keys)
    return {"consumers": [name for name, _ in names], "targets": [target for _, target in names]}


async def step(
    database: Database, registry: Registry, consumer: Consumer, venture: UUID, *, now: Callable[[], datetime]
) -> Step:
    """One turn: the next events of one venture for one consumer, in one transaction. Raises: Unavailable."""
    try:
        return await _turn(database, registry, consumer, venture, BATCH, now)
    except (Unavailable, UnknownEvent):
        raise
    except Exception:  # foreign code; a statement of it that was not waited for fails at the end, whichever it was
        log.debug("%s failed in %s: its events are handled one by one", consumer.name, venture, exc_info=True)
    try:
        return await _turn(database, registry, consumer, venture, BATCH, now, singly=True)
    except EventFailed as failed:
        # what came before the failing event is good: keep it, so that only the failing one is tried again
        async with database.venture(venture) as scope:
            row = await scope.one(sql.WAIT_FOR_POSITION, consumer=consumer.name, target=consumer.target)
        before = failed.event.seq - 1 - (row[0] if row else 0)
        if before > 0:
            try:
                await _turn(database, registry, consumer, venture, before, now, singly=True)
            except EventFailed as earlier:
                failed = earlier
        return await _failed(database, consumer, failed, now)


async def _turn(
    database: Database,
    registry: Registry,
    consumer: Consumer,
    venture: UUID,
    most: int,
    now: Callable[[], datetime],
    *,
    singly: bool = False,
) -> Step:
    async with database.venture(venture, redoable=True) as scope:
        found, rows = await _taken(scope, [consumer], most)
        if not found:
            return Step(busy=True)
        (standing,) = found
        if standing.retry_at is not None and standing.retry_at > now():
            return Step(retry_at=standing.retry_at)
        events = [registry.event(*row) for row in rows]
        if events:
            await _handled_by(scope, [standing], events, now, singly=singly)
            which = {"consumer": consumer.name, "target": consumer.target}
            await scope.run(sql.MOVE_POSITION, **which, seq=events[-1].seq)
    return _moved(events, most)


def _moved(events: Sequence[Event], most: int, behind: tuple[Consumer, ...] = ()) -> Step:
    return Step(
        moved=len(events), more=len(events) == most, behind=behind, appended_at=tuple(event.at for event in events)
    )


async def _handled_by(
    scope: Scope,
    group: Sequence[_Standing],
    events: Sequence[Event],
    now: Callable[[], datetime],
    *,
    singly: bool = False,
) -> None:
    """What each makes of the events; those that take them at once ask first, all of them, and then go on."""
    rests: list[Rest] = []
    for one in group:
        consumer = one.consumer
        wanted = [event for event in events if consumer.handles is None or event.type in consumer.handles]
        if wanted and one.some_parked:
            wanted = await _free(scope, consumer, wanted, now)
        if not wanted:
            continue
        if not singly and _is_bulk(consumer):
            if (rest := await consumer.handle_all(scope, wanted)) is not None:
                rests.append(rest)
            continue
        for event in wanted:
            await (_handled(scope, consumer, event) if singly else consumer.handle(scope, event))
    for rest in rests:
        await rest()


async def _free(scope: Scope, consumer: Consumer, wanted: Sequence[Event], now: Callable[[], datetime]) -> list[Event]:
    """What is not of an entity that has parked events; the rest is parked behind the last of them."""
    rows = await scope.all(sql.PARKED, consumer=consumer.name, target=consumer.target)
    held = {entity: seq for seq, entity, *_ in rows}
    await _parked_behind(scope, consumer, [event for event in wanted if event.entity in held], held, now)
    return [event for event in wanted if event.entity not in held]


async def _parked_behind(
    scope: Scope, consumer: Consumer, events: Iterable[Event], held: dict[UUID, int], now: Callable[[], datetime]
) -> None:
    for event in events:
        await scope.run(
            sql.PARK,
            consumer=consumer.name,
            target=consumer.target,
            seq=event.seq,
            entity=event.entity,
            reason=f"waits for event {held[event.entity]} of the same entity, which is parked",
            at=now(),
        )


def _is_bulk(consumer: Consumer) -> TypeGuard[Bulk]:
    return hasattr(consumer, "handle_all")


def _is_followed(consumer: Consumer) -> TypeGuard[Followed]:
    return hasattr(consumer, "handled_late")


def _takes_turns_apart(consumer: Consumer) -> bool:
    return _is_bulk(consumer) and consumer.apart


async def _handled(scope: Scope, consumer: Consumer, event: Event) -> None:
    """Waits for all that was sent, so that what fails is this event's. Raises: EventFailed."""
    try:
        await consumer.handle(scope, event)
        await scope.all(sql.ANSWERED)
    except Unavailable:
        raise
    except Exception as error:  # a consumer is foreign code: whatever it raises parks the event, never the consumer
        raise EventFailed(event, f"{type(error).__name__}: {error}"[:1000]) from error


async def _failed(database: Database, consumer: Consumer, failed: EventFailed, now: Callable[[], datetime]) -> Step:
    which = {"consumer": consumer.name, "target": consumer.target}
    event = failed.event
    async with database.venture(event.venture) as scope:
        await scope.run(sql.OPEN_POSITION, **which)
        row = await scope.one(sql.WAIT_FOR_POSITION, **which)
        if row is None or row[0] != event.seq - 1:
            return Step(more=True)
        retry_at = now() + timedelta(seconds=0.1)
        counted = await scope.one(sql.COUNT_FAILURE, **which, seq=event.seq - 1, retry_at=retry_at)
        failures = counted[0] if counted else 1
        if failures < ATTEMPTS:
            return Step(retry_at=now() + timedelta(seconds=0.1 * 2**failures))
        reason = f"{failures} attempts, the last: {failed.reason}"
        await scope.run(sql.PARK, **which, seq=event.seq, entity=event.entity, reason=reason, at=now())
        await scope.run(sql.MOVE_POSITION, **which, seq=event.seq)
    return Step(moved=1, more=True, parked=1)


async def parked(scope: Scope, consumer: Consumer) -> list[Parked]:
    """The venture's parked events of a consumer, in order."""
    return await scope.all(sql.PARKED, Parked, consumer=consumer.name, target=consumer.target)


async def replay_parked(
    database: Database, registry: Registry, consumer: Consumer, venture: UUID, *, now: Callable[[], datetime]
) -> tuple[int, int]:
    """Tries the venture's parked events again, in order; → (handled, still parked). An entity's later events wait
    for its first.
    """
    which = {"consumer": consumer.name, "target": consumer.target}
    async with database.venture(venture) as scope:
        waiting = await parked(scope, consumer)
    handled, stuck = 0, set[UUID]()
    for one in waiting:
        if one.entity in stuck:
            continue
        try:
            async with database.venture(venture) as scope:
                await scope.one(sql.WAIT_FOR_POSITION, **which)
                (event,) = await scope.all(sql.ONE_EVENT, registry.event, seq=one.seq)
                await _handled(scope, consumer, event)
                if _is_followed(consumer):
                    await consumer.handled_late(scope)
                await scope.run(sql.UNPARK, **which, seq=one.seq)
            handled += 1
        except (EventFailed, UnknownEvent) as error:
            stuck.add(one.entity)
            async with database.venture(venture) as scope:
                await scope.run(sql.PARK, **which, seq=one.seq, entity=one.entity, reason=str(error), at=now())
    return handled, len(waiting) - handled


async def rewind(database: Database, consumer: Consumer, venture: UUID) -> None:
    """Forgets all the consumer made of this venture and sets its position to the beginning; the workers do the rest."""
    which = {"consumer": consumer.name, "target": consumer.target}
    async with database.venture(venture) as scope:
        await scope.run(sql.OPEN_POSITION, **which)
        await scope.one(sql.WAIT_FOR_POSITION, **which)
        await consumer.forget(scope)
        await scope.run(sql.UNPARK_ALL, **which)
        await scope.run(sql.MOVE_POSITION, **which, seq=0)


@dataclass(frozen=True)
class Lag:
    """How far a consumer is behind, over all ventures. `seconds`: age of the oldest move of a log it has not caught
    up with.
    """

    consumer: str
    target: str
    ventures: int
    events: int
    seconds: float
    failing: int
    parked: int


async def lags(database: Database, consumers: Sequence[Consumer], now: datetime) -> list[Lag]:
    """One line a consumer."""
    found = []
    async with database.scanning() as scope:
        in_parking = {(name, target): count for name, target, count in await scope.all(sql.SCAN_PARKED)}
        for consumer in consumers:
            row = await scope.one(sql.SCAN_LAG, consumer=consumer.name, target=consumer.target)
            ventures, events, oldest, failing = row or (0, 0, None, 0)
            seconds = max((now - oldest).total_seconds(), 0.0) if oldest else 0.0
            left = in_parking.get((consumer.name, consumer.target), 0)
            found.append(Lag(consumer.name, consumer.target, ventures, events, seconds, failing, left))
    return found
