"""The truth of a move: kept where the application keeps its own data, so that both see one thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from outgrow.errors import OutgrowError
from outgrow.migration.records import Goal, JournalLine, Migration, TenantMove
from outgrow.routing import Route


class Superseded(OutgrowError):
    """Another process has taken the move on since; this one stops. Nothing of this call was written."""

    exit_code = 4


class Busy(OutgrowError):
    """Another process is at this move now; the message says who, and since when."""

    exit_code = 2


class InUse(OutgrowError):
    """A transaction of the application holds the tenant's route, for longer than is waited for. Nothing was written;
    what was asked may be asked again."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Change:
    """A write that was registered: the item under ``key`` is to be read anew. ``open``: it is not finished yet.
    ``age_seconds``: how long ago it was registered; an open one older than ``outgrow.routing.ABANDONED_SECONDS``
    counts as abandoned."""

    id: int
    tenant: str
    key: str
    open: bool
    age_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Flipped:
    """A flip. ``why_not``: the sentence that says what stood against it; "" where it was done, for good."""

    route: Route
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class ShadowCount:
    """Reads that were asked of both stores. ``failed``: where the other store gave no answer in time."""

    matched: int = 0
    differed: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class TenantLook:
    """What the truth of a move says of one tenant at one moment.

    Attributes:
        now: the database's clock, seconds since the epoch. route: None without a row.
        waiting: registered writes that were not carried over yet, counted up to what was asked for; ``open``: of them,
            those still under way; ``abandoned``: of these, those open for longer than
            ``outgrow.routing.ABANDONED_SECONDS``.
        behind_seconds: the age of the oldest that is over; 0 where there is none.
    """

    now: float
    route: Route | None
    waiting: int = 0
    open: int = 0
    abandoned: int = 0
    behind_seconds: float = 0.0


class MoveLedger(Protocol):
    """What `outgrow migrate` and the application agree on. One contract (``outgrow.testing.MoveLedgerContract``) holds
    for PostgreSQL and SQLite.

    What is written is durable when a call returns, or nothing of it was. ``epoch`` fences: every writing call but
    ``create``, ``take`` and ``want`` is refused with ``Superseded`` once another process took the move on. An unusable
    database raises ``LedgerError``. Times are the database's own clock.
    """

    def close(self) -> None: ...

    def now(self) -> float:
        """Seconds since the epoch, by the database's clock."""
        ...

    def create(self, migration: Migration, tenants: Sequence[TenantMove], who: str) -> Migration:
        """Writes it down, all tenants pending; nothing moves. Raises ``UsageError`` where the point has a migration
        that has not ended."""
        ...

    def migration(self, point: str) -> Migration | None:
        """The point's migration that has not ended, else its last one."""
        ...

    def take(self, migration: Migration, who: str) -> Migration:
        """Takes it on: a lock that ends with this process or its connection, and a new epoch. Raises ``Busy``."""
        ...

    def release(self, migration: Migration) -> None:
        """Gives it back."""
        ...

    def add_tenants(self, migration: Migration, tenants: Sequence[TenantMove]) -> None:
        """Tenants that came up since; those there are stay as they are."""
        ...

    def tenants(self, migration: Migration) -> Sequence[TenantMove]:
        """All rows, by wave and tenant."""
        ...

    def keep(
        self, migration: Migration, move: TenantMove, what: str = "", facts: Mapping[str, object] | None = None
    ) -> TenantMove:
        """Writes a tenant's row that was read at ``move.version``, and a journal line where ``what`` says something;
        both or none. → the row as it stands. Raises ``Superseded`` also where the row was written in between."""
        ...

    def want(self, migration: Migration, tenants: Iterable[str] | None, goal: Goal, who: str) -> int:
        """Sets what people want of these tenants, or of all; → of how many. Needs no ``take``: who moves sees it."""
        ...

    def set_paused(self, migration: Migration, why: str, who: str) -> Migration:
        """Pauses it ("" resumes). Needs no ``take``."""
        ...

    def set_shadow_share(self, migration: Migration, share: float, who: str) -> Migration:
        """How many of the reads are mirrored, 0–1; 0 is the kill switch, heeded within a second or two. Needs no
        ``take``."""
        ...

    def set_mover(self, migration: Migration, mover: Mapping[str, str], who: str) -> Migration:
        """Accepts these as the same two stores, reached in another way. Needs no ``take``."""
        ...

    def end(self, migration: Migration) -> Migration:
        """All its tenants are completed or cancelled."""
        ...

    def place(self, migration: Migration, tenant: str) -> str:
        """Lays the tenant's route row where there is none, at the source, and → a mark for ``settled``."""
        ...

    def settled(self, mark: str) -> bool:
        """Whether every transaction that may not have seen the row is over."""
        ...

    def generation(self, migration: Migration) -> int:
        """A number higher than all before: taken before what it is to stand for is read. A process that was superseded
        gets none, so whoever takes the move on later has higher ones: a process that slept, and knows of no flip
        since, would put old states with the newest generation otherwise."""
        ...

    def changes(self, migration: Migration, tenant: str, limit: int) -> Sequence[Change]:
        """Registered writes that were not carried over yet, the oldest first, open ones among them."""
        ...

    def mark_changed(self, migration: Migration, tenant: str, keys: Sequence[str]) -> None:
        """Registers these keys as writes that are over, so that they are carried, and a flip waits for that: for a
        repair. A process that ends in the middle of one leaves them registered, so the next one puts each of them anew,
        with a newer generation than the first one's put that may still be on its way."""
        ...

    def clear(self, migration: Migration, changes: Sequence[Change]) -> None:
        """These were carried over. Those of them that were open when they were read stay: what they do may come
        after. Name them nevertheless: abandoned ones that were carried since ``freeze``, and were so old already when
        it began, do not stand against a flip."""
        ...

    def overtaken(self, migration: Migration) -> tuple[float, str] | None:
        """When the move was last taken from a process that had not given it back, and may not know yet, and from whom
        (``Migration.holder``); None: never."""
        ...

    def freeze(self, migration: Migration, tenant: str, seconds: float) -> None:
        """Writers of the tenant wait from now on, at most so long; it ends by itself. Raises ``InUse``."""
        ...

    def thaw(self, migration: Migration, tenant: str) -> None:
        """They go on. Raises ``InUse``."""
        ...

    def flip(self, migration: Migration, move: TenantMove, store: str, after: TenantMove, what: str) -> Flipped:
        """The point of no return, one transaction: locks the route, finds no registered write that was not carried
        over, writes the journal line, the route (one generation more, not frozen) and the row ``after``. Where
        something stands against it, nothing is written and the sentence says what."""
        ...

    def route(self, point: str, tenant: str) -> Route | None:
        """Where it is; None without a row."""
        ...

    def routes(self, point: str) -> Mapping[str, Route]:
        """Where each tenant of the point is that has a row."""
        ...

    def look(self, point: str, tenant: str, most: int = 100_000) -> TenantLook:
        """Time, route and how many registered writes wait, ``most`` at most; all at one moment."""
        ...

    def shadow(self, migration: Migration, tenant: str) -> ShadowCount:
        """Reads that were compared so far."""
        ...

    def write_down(self, migration: Migration, tenant: str, what: str, facts: Mapping[str, object]) -> None:
        """A journal line by itself."""
        ...

    def journal(self, migration: Migration, tenant: str | None = None, after: int = 0) -> Sequence[JournalLine]:
        """What happened, oldest first."""
        ...
