"""A room of counters, a clock and a consumer that do what a test tells them: for tests of the log and its users."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, LiteralString
from uuid import UUID

from ventures.database.scope import Scope
from ventures.errors import Conflict, NotFound
from ventures.identifiers import new_id
from ventures.log.api import Actor, Apply, Command, Decide, Event, Fact, React, Room, Spine, Unit

TABLE = """
CREATE TABLE regional.counter (
    venture uuid NOT NULL REFERENCES regional.log_head (venture), id uuid NOT NULL, value integer NOT NULL,
    raised_at timestamptz NOT NULL, version integer NOT NULL, deleted_at timestamptz, PRIMARY KEY (venture, id));
COMMENT ON TABLE regional.counter IS 'state';
ALTER TABLE regional.counter ENABLE ROW LEVEL SECURITY;
ALTER TABLE regional.counter FORCE ROW LEVEL SECURITY;
CREATE POLICY own_venture ON regional.counter
    USING (venture = nullif(current_setting('ventures.venture', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON regional.counter TO ventures_app;
"""
RAISE: LiteralString = """
INSERT INTO counter (venture, id, value, raised_at, version) VALUES (%(venture)s, %(id)s, %(by)s, %(at)s, 1)
ON CONFLICT (venture, id) DO UPDATE
SET value = counter.value + excluded.value, raised_at = excluded.raised_at, version = counter.version + 1"""
DROP: LiteralString = """
UPDATE counter SET deleted_at = %(at)s, version = version + 1 WHERE venture = %(venture)s AND id = %(id)s"""
VALUE: LiteralString = "SELECT value, deleted_at FROM counter WHERE venture = %(venture)s AND id = %(id)s"
VALUES: LiteralString = "SELECT id, value FROM counter WHERE venture = %(venture)s ORDER BY id"
SPOIL: LiteralString = "UPDATE counter SET value = value + 1 WHERE venture = %(venture)s AND id = %(id)s"

HIGHEST = 100
ANNA = Actor(account=UUID(int=1))


class Found(Command, frozen=True, kw_only=True):
    feature: ClassVar[str] = "toy"
    action: ClassVar[str] = "manage"
    founds: ClassVar[bool] = True


class Raise(Command, frozen=True, kw_only=True):
    feature: ClassVar[str] = "toy"
    action: ClassVar[str] = "draft"
    counter: UUID
    by: int = 1


class Drop(Command, frozen=True, kw_only=True):
    feature: ClassVar[str] = "toy"
    action: ClassVar[str] = "manage"
    counter: UUID


class Begun(Fact, frozen=True, kw_only=True):
    type: ClassVar[str] = "toy.begun"


class Raised(Fact, frozen=True, kw_only=True):
    type: ClassVar[str] = "toy.raised"
    by: int


class Dropped(Fact, frozen=True, kw_only=True):
    type: ClassVar[str] = "toy.dropped"


async def begin(unit: Unit, command: Found) -> list[Fact]:
    return [Begun(entity=unit.scope.venture)]


async def raise_(unit: Unit, command: Raise) -> list[Fact]:
    row = await unit.scope.one(VALUE, id=command.counter)
    if row is not None and row[1] is not None:
        raise NotFound("This counter is gone.")
    if (row[0] if row else 0) + command.by > HIGHEST:
        raise Conflict("This counter is full.")
    return [Raised(entity=command.counter, by=command.by)]


async def drop(unit: Unit, command: Drop) -> list[Fact]:
    row = await unit.scope.one(VALUE, id=command.counter)
    if row is None or row[1] is not None:
        raise NotFound("This counter is gone.")
    return [Dropped(entity=command.counter)]


async def begun(scope: Scope, event: Event[Begun]) -> None:
    return None


async def raised(scope: Scope, event: Event[Raised]) -> None:
    await scope.run(RAISE, id=event.entity, by=event.data.by, at=event.at)


async def dropped(scope: Scope, event: Event[Dropped]) -> None:
    await scope.run(DROP, id=event.entity, at=event.at)


async def drop_when_full(unit: Unit, event: Event[Raised]) -> list[Fact]:
    """A reaction: a counter that reached its highest is dropped in the same transaction."""
    row = await unit.scope.one(VALUE, id=event.entity)
    return [Dropped(entity=event.entity)] if row and row[0] == HIGHEST else []


DECIDE: dict[type[Command], Decide] = {Found: begin, Raise: raise_, Drop: drop}
APPLY: dict[type[Fact], Apply] = {Begun: begun, Raised: raised, Dropped: dropped}
REACT: dict[type[Fact], React] = {Raised: drop_when_full}
COUNTERS_ROOM = Room("toy", DECIDE, APPLY, REACT)


class Everybody:
    """An authority that forbids nothing."""

    async def ask(self, scope: Scope, account: UUID | None) -> "Everybody":
        return self

    async def allow(self, actor: Actor, feature: str, action: str) -> None:
        return None


@dataclass
class Watch:
    """A clock that moves only when told."""

    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Recorder:
    """A consumer that remembers what it was given, and fails where told."""

    name: str = "recorder"
    target: str = ""
    handles: frozenset[str] | None = None
    seen: list[tuple[UUID, int]] = field(default_factory=list)
    poison: set[tuple[UUID, int]] = field(default_factory=set)

    async def handle(self, scope: Scope, event: Event) -> None:
        if (event.venture, event.seq) in self.poison:
            raise ValueError(f"cannot digest {event.seq}")
        self.seen.append((event.venture, event.seq))

    async def forget(self, scope: Scope) -> None:
        self.seen = [(venture, seq) for venture, seq in self.seen if venture != scope.venture]


async def founded(spine: Spine) -> UUID:
    """A new venture with one event."""
    venture = new_id()
    await spine.append(venture, Found(), actor=ANNA)
    return venture
