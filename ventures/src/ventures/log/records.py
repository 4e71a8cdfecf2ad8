"""What the log is made of: commands, facts, events, and the rooms that give them meaning."""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol
from uuid import UUID

import msgspec
from typing_extensions import TypeVar

from ventures.database.scope import Scope
from ventures.identifiers import NewId


class Actor(msgspec.Struct, frozen=True):
    """Who acts: a person, a person's API key, or a part of the platform (`system`).

    `scopes` are the permissions a key is limited to ("feature:action"); None means all of the person's.
    `venture` is the one venture a key is limited to.
    """

    account: UUID | None = None
    key: UUID | None = None
    system: str | None = None
    scopes: frozenset[str] | None = None
    venture: UUID | None = None

    def __str__(self) -> str:
        if self.system is not None:
            return f"system:{self.system}"
        return f"account:{self.account}" if self.key is None else f"key:{self.key}/account:{self.account}"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants done in one venture; `feature` and `action` are the permission it needs.

    `founds` is true for the one command that may be the first of a log.
    """

    feature: ClassVar[str]
    action: ClassVar[str]
    founds: ClassVar[bool] = False


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to one entity: the data of an event. `type` is "feature.what_happened" and never changes its
    meaning; a new form of the data gets a higher `schema_version` and an upcast from the one before.
    """

    type: ClassVar[str]
    schema_version: ClassVar[int] = 1
    entity: UUID


D = TypeVar("D", bound=Fact, covariant=True, default=Fact)


class Event(msgspec.Struct, Generic[D], frozen=True, kw_only=True):
    """A fact in its place in the log.

    seq: 1, 2, 3, … within the venture, without gaps, in the order of commits.
    batch: seq of the first event of the command it came from. cause: seq of the event that it is a reaction to.
    hash: SHA-256 over the hash before and this event (`chain`).
    """

    venture: UUID
    seq: int
    epoch: int
    type: str
    entity: UUID
    actor: str
    at: datetime
    batch: int
    cause: int | None
    idem: str | None
    schema_version: int
    data: D
    hash: bytes

    @property
    def account(self) -> UUID | None:
        """The person who acted, by themselves or by a key; None for a part of the platform."""
        _, found, account = self.actor.rpartition("account:")
        return UUID(account) if found else None

    @property
    def feature(self) -> str:
        """The feature whose viewers may see it."""
        return feature_of(self.type)


def feature_of(event_type: str) -> str:
    """ "content.item_drafted" → "content" """
    return event_type.partition(".")[0]


class Head(msgspec.Struct, frozen=True):
    """Where a log ends. A position is worth something only within its epoch."""

    epoch: int
    seq: int
    hash: bytes
    moved_at: datetime


@dataclass(frozen=True)
class Unit:
    """What a decision may use: the venture's transaction to read from, who acts, the time, and ids."""

    scope: Scope
    actor: Actor
    at: datetime
    new_id: NewId


Decide = Callable[[Unit, Any], Awaitable[Sequence[Fact]]]
"""(unit, command) → facts. Reads and refuses, never writes."""
Apply = Callable[[Scope, Any], Awaitable[None]]
"""(scope, event): writes the state that the event means; depends on nothing but the event and the rows."""
React = Callable[[Unit, Any], Awaitable[Sequence[Fact]]]
"""(unit, event) → facts that follow from it in the same transaction, in another room; reads the state after the
event.
"""
Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""Data of one schema version → of the next."""


@dataclass(frozen=True)
class Room:
    """What a feature adds to the spine."""

    name: str
    decide: Mapping[type[Command], Decide]
    apply: Mapping[type[Fact], Apply]
    react: Mapping[type[Fact], React] = field(default_factory=dict)
    upcast: Mapping[tuple[str, int], Upcast] = field(default_factory=dict)


class Asked(Protocol):
    """A question about the actor's rights that is on its way to the database."""

    async def allow(self, actor: Actor, feature: str, action: str) -> None:
        """Returns where the actor, of the account asked about, may. Raises: Forbidden; NotFound for who is no
        member.
        """


class Authority(Protocol):
    """Who may do what in a venture; `tenancy` knows."""

    async def ask(self, scope: Scope, account: UUID | None) -> Asked:
        """Sends the question without waiting for the answer; None for a part of the platform."""


@dataclass(frozen=True)
class Appended:
    """The events of one command: its own first, then the reactions. `replayed`: it had been carried out before
    under the same idempotency key, nothing was done again.
    """

    events: tuple[Event, ...]
    replayed: bool = False

    @property
    def entity(self) -> UUID:
        """The entity of the first event."""
        return self.events[0].entity


@dataclass(frozen=True)
class Instruction:
    """A command of a script, and who gives it."""

    command: Command
    actor: Actor
    idem: str | None = None


Script = Generator[Instruction, Appended, None]
"""Asks for one command after the other and is sent what each brought about, so that a later one can name the entity
that an earlier one made.
"""
