"""What moves tenants between two stores: stores that are copied, and targets that fill themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from outgrow.errors import OutgrowError
from outgrow.migration.records import Differing


class StoreFailed(OutgrowError):
    """A store did not do what it was asked: what, which, and what to do. What was asked may be asked again."""


@dataclass(frozen=True, slots=True)
class TenantSize:
    """A tenant and how many items it has; ``items`` is None where counting would cost more than it tells."""

    tenant: str
    items: int | None


@dataclass(frozen=True, slots=True)
class Item:
    """One item. ``body``: its content in the neutral form of the store's ``form``, the same bytes for the same content
    in every store of that form; None where there is none any more."""

    key: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Copied:
    """What a store holds under a key, to compare stores: ``digest_of`` of the body."""

    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Put:
    """``refused``: keys under which the store holds a newer generation; they are as they were."""

    refused: tuple[str, ...] = ()


def digest_of(body: bytes) -> bytes:
    """16 bytes that stand for a body (BLAKE2b)."""
    return hashlib.blake2b(body, digest_size=16).digest()


class Store(Protocol):
    """One store, as a move sees it. All calls may raise ``StoreFailed``; none works on two tenants, or on none.

    Keys are ordered by their UTF-8 bytes. ``form`` names what bodies hold (``points``: a vector with its payload;
    ``rows``: a row of a table): items go from a store to another of the same form.

    A move *gates* what it puts: with each item goes a generation, and an item of an older one than what is held under
    its key changes nothing. What is deleted leaves a mark with its generation (a tombstone), which no reader sees; so
    whatever arrives late, or twice, changes nothing.
    """

    @property
    def name(self) -> str: ...

    @property
    def form(self) -> str: ...

    def tenants(self) -> Sequence[TenantSize]:
        """All that have items here, in any order."""
        ...

    def page(self, tenant: str, after: str, limit: int) -> Sequence[Item]:
        """The tenant's items in the order of their keys, from behind ``after`` ("" for the first); no tombstones.

        An item that is there while the call runs, from its begin to its end, is in the page that its key falls into.
        """
        ...

    def items(self, tenant: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        """The bodies of these keys, not older than the begin of the call; absent ones are left out."""
        ...

    def put(self, tenant: str, generation: int, items: Sequence[Item]) -> Put:
        """Writes items, gated; those without a body are deleted. Durable when it returns. A repeated call changes
        nothing; one that raised may have written some.
        """
        ...

    def digests(self, tenant: str, after: str, limit: int) -> Sequence[Copied]:
        """As ``page``, but only digests."""
        ...

    def prove_writable(self, tenant: str) -> None:
        """Proves that puts and deletions of a move would be taken now: rights, room for gates, no lock that stays.
        Raises ``StoreFailed`` where they would not. Whatever the application writes meanwhile, it changes nothing that
        a reader, the application or a move sees."""
        ...

    def settle(self, tenant: str) -> None:
        """Forgets tombstones and generations of the tenant: its move is over. Its items stay."""
        ...

    def drop(self, tenant: str) -> None:
        """Deletes all items of the tenant, with tombstones and generations. Called for ``complete`` and ``cancel``
        alone."""
        ...

    def close(self) -> None:
        """Gives back what is held; no call is allowed afterwards."""
        ...


@runtime_checkable
class Searched(Protocol):
    """What a store can besides where experiments are to ask it."""

    def near(self, tenant: str, vector: Sequence[float], limit: int) -> Sequence[str]:
        """The keys of the nearest items by cosine, best first."""
        ...


@runtime_checkable
class Identified(Protocol):
    """What a store can besides: say which one it is, whatever the names by which it is reached."""

    def identity(self) -> str:
        """What tells it from any other store, the same from every machine and after a change of host or role, without
        secrets. Raises ``StoreFailed``."""
        ...


@dataclass(frozen=True, slots=True)
class Block:
    """A page of a tenant, whole, in a form of the store's own: all of its ``count`` items behind ``after`` up to and
    with ``last``. ``form`` names what ``data`` holds, down to its types: stores that name the same one understand each
    other's blocks."""

    tenant: str
    after: str
    last: str
    count: int
    form: str
    data: bytes


@runtime_checkable
class InBlocks(Protocol):
    """What a store can besides: give pages of a first copy whole, and take them where it holds nothing yet, with one
    gate for all of a page's range instead of one for each item. Calls may raise ``StoreFailed``."""

    def block_forms(self) -> Collection[str]:
        """Those in which it takes blocks; empty where there are none."""
        ...

    def block(self, tenant: str, after: str, limit: int, forms: Collection[str]) -> Block | None:
        """The tenant's next items, at least one and at most ``limit``, in one of these forms; None where there are none
        or they have no such form. No item between ``after`` and the block's ``last`` is left out, in the sense of
        ``Store.page``; fewer than ``limit`` do not mean that there are no more."""
        ...

    def put_block(self, generation: int, block: Block) -> bool:
        """Writes all of it, or nothing; → whether it did. Durable when it returns.

        It is written only where neither an item nor a gate is held in its range, (``after``, ``last``]. From then on
        the range gates each of its keys that has no gate of its own, those that are not in the block too: what is put
        under one with an older generation is refused. Whatever else comes in between, a block that is late, or comes
        twice, changes nothing.
        """
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a store that fills itself is for one tenant. ``position`` and ``head``: of the application's log;
    ``lag_seconds``: for how long it has been behind, 0 where it is not, None where that is not known. ``fault``: why
    it does not go on, "" where it does. ``items``: None where not counted."""

    position: int
    head: int
    lag_seconds: float | None = None
    items: int | None = None
    fault: str = ""


class Filling(Protocol):
    """Two stores that each fill themselves from the application's own truth, tenant by tenant, as long as they are told
    to. All calls may raise ``StoreFailed``. The application asks ``outgrow.routing.HELD`` which stores are to hold a
    tenant: that is how it is told.
    """

    def tenants(self) -> Sequence[TenantSize]:
        """All tenants there are, wherever they are."""
        ...

    def standing(self, tenant: str, store: str) -> Standing:
        """How far this store is for the tenant."""
        ...

    def differing(self, tenant: str, store: str) -> Iterator[Differing]:
        """Every key in which the store differs from the truth as it stood at one moment, at most so long ago as the
        call runs. What is merely not there yet, because it changed during the call, is no difference."""
        ...

    def repair(self, tenant: str, store: str, keys: Sequence[str]) -> None:
        """Has these keys, or the whole tenant where that is what there is, filled anew."""
        ...

    def close(self) -> None:
        """Gives back what is held."""
        ...


class Registering(Protocol):
    """Has the writes of an application registered by the stores themselves, so that it need not do that. Calls raise
    ``StoreFailed`` and may be repeated."""

    def install(self, point: str, truth: str) -> Sequence[str]:
        """Begins, before anything is copied; → sentences that say what does so from now on, and what does not.
        ``truth``: the ``postgresql://`` URL of the database where the routes of the point are."""
        ...

    def uninstall(self, point: str, is_over: Callable[[], bool] = lambda: True) -> None:
        """Ends on both stores, which may be the other way round by now: the move is over. ``is_over`` is asked where no
        ``install`` can come between any more; where it says no, all stays as it is: another move of the point has begun
        since."""
        ...


@dataclass(frozen=True, slots=True)
class Copying:
    """A move by copying: the store that has the truth today, and the one that shall have it. ``registering``: what
    registers the application's writes to them; None: the application does, by ``outgrow.routing``."""

    source: Store
    target: Store
    registering: Registering | None = None


Mover = Copying | Filling
"""What a factory of the entry point ``outgrow.movers`` gives: ``(settings, clock) -> Mover``. ``settings`` are the keys
beside ``kind`` of ``migration: {mover: …}`` in the declared file, with ``source`` and ``target``, the stores' names."""
