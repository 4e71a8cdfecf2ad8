"""How far a store of the index is, and in what it differs from `embedding`, which is the truth."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple
from uuid import UUID

from ventures.database.pool import Database
from ventures.database.scope import Row
from ventures.errors import Unavailable
from ventures.search import sql
from ventures.search.embedding import read
from ventures.search.exact import POSTGRESQL
from ventures.search.index import RoutedIndex
from ventures.vectors.api import Kind, Point, digest

HELD_AT_ONCE: Final = 256
"""Of what a store holds: some 8 ms, in which it answers no search."""
ROWS_AT_ONCE: Final = 2_048
ONE_BY_ONE: Final = 100
"""Up to so many are looked at again by themselves, more by reading all again."""
COUNTED_AT_ONCE: Final = 64
AGAIN_SECONDS: Final = 0.25
PATIENCE_SECONDS: Final = 60.0
"""So long a store may take to come to where the passages were when it was asked."""
FIRST: Final = UUID(int=0)
LAST: Final = UUID(int=(1 << 128) - 1)

How = Literal["missing", "extra", "stale"]


class Reach(NamedTuple):
    """How far a store is for a venture. position: of the venture's log, up to where it has it; head: up to where
    passages were made. lag_seconds: for how long it has been behind; None where it does not have the venture yet.
    fault: why it does not go on, "" where it does.
    """

    position: int
    head: int
    lag_seconds: float | None
    fault: str


class _Seen(NamedTuple):
    """What was found different: the digests of the row and of what is held; None where there is none. settled: the
    store had come past the event that last changed the row, so that it should hold it.
    """

    wanted: bytes | None
    held: bytes | None
    settled: bool


async def sizes(database: Database, model: str) -> list[tuple[UUID, int]]:
    """All ventures, with how many vectors each has. Raises: Unavailable."""
    async with database.scanning() as scope:
        ventures = [row[0] for row in await scope.all(sql.SCAN_VENTURES)]
    counted: list[tuple[UUID, int]] = []
    for begin in range(0, len(ventures), COUNTED_AT_ONCE):
        async with database.in_turn(redoable=True) as turns:
            asked = [
                (venture, await (await turns.of(venture)).queued(sql.COUNT_POINTS, model=model))
                for venture in ventures[begin : begin + COUNTED_AT_ONCE]
            ]
            counted += [(venture, (await one.one() or (0,))[0]) for venture, one in asked]
    return counted


async def reach(database: Database, model: str, index: RoutedIndex, store: str, venture: UUID) -> Reach:
    """How far the store is. pgvector is the table itself, and so always where the passages are. Raises: Unavailable
    where PostgreSQL is away.
    """
    head = await _head(database, model, venture)
    if store == POSTGRESQL:
        return Reach(head, head, 0.0, "")
    try:
        told = await index.reached(store, venture)
    except Unavailable as error:
        return Reach(0, head, None, str(error))
    if told.position is None:
        return Reach(0, head, None if head else 0.0, told.fault)
    if told.position >= head:
        return Reach(told.position, head, 0.0, told.fault)
    async with database.reading(venture) as scope:
        row = await scope.one(sql.BEHIND_SINCE, seq=told.position + 1)
    return Reach(told.position, head, None if row is None else max(0.0, row[0]), told.fault)


async def differing(
    database: Database, model: str, index: RoutedIndex, store: str, venture: UUID
) -> AsyncIterator[tuple[UUID, How]]:
    """Every point in which the store differs from the table. What is only not there yet is looked at again until it is.

    A point is told of where it was seen different twice, in the same way, after the store had come past the event that
    last changed it. Raises: Unavailable, also where the store does not go on.
    """
    if store == POSTGRESQL:
        return
    head = await _head(database, model, venture)
    give_up = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    compared = _Compared(database, model, index, store, venture)
    if not head and (await index.reached(store, venture)).position is None:
        return  # no passage was ever made, so nothing is to be held
    before = await compared.all()
    while before:
        await asyncio.sleep(AGAIN_SECONDS)
        now = await (compared.these(list(before)) if len(before) <= ONE_BY_ONE else compared.all())
        told = [one for one, seen in now.items() if seen.settled and before.get(one) == seen]
        for one in told:
            yield one, _how(now.pop(one))
        before = now
        if before and asyncio.get_running_loop().time() > give_up:
            raise Unavailable(
                f"Store {store} is behind what was written of venture {venture} for {PATIENCE_SECONDS:g} s, so that "
                "it cannot be compared. `ventures doctor` says what it waits for."
            )


async def refill(database: Database, model: str, index: RoutedIndex, store: str, venture: UUID) -> None:
    """Has the venture put into the store from nothing, and returns when it is there. Searches of it are answered by
    PostgreSQL meanwhile. Raises: Unavailable.
    """
    if store == POSTGRESQL:
        return
    head = await _head(database, model, venture)
    await index.refill(store, venture)
    give_up = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while ((told := await index.reached(store, venture)).position or 0) < head:
        if told.fault or asyncio.get_running_loop().time() > give_up:
            raise Unavailable(told.fault or f"Store {store} is still being filled with venture {venture}.")
        await asyncio.sleep(AGAIN_SECONDS)


async def _head(database: Database, model: str, venture: UUID) -> int:
    async with database.reading(venture) as scope:
        row = await scope.one(sql.PASSAGES_POSITION, model=model)
    return 0 if row is None else int(row[0])


@dataclass(frozen=True)
class _Compared:
    """One venture in one store, beside its rows."""

    database: Database
    model: str
    index: RoutedIndex
    store: str
    venture: UUID

    async def all(self) -> dict[UUID, _Seen]:
        """What is different anywhere."""
        found: dict[UUID, _Seen] = {}
        after: UUID | None = None
        while True:
            page = await self.index.held(self.store, self.venture, after=after, limit=HELD_AT_ONCE)
            whole = len(page.held) < HELD_AT_ONCE
            last = LAST if whole else page.held[-1].id
            found |= await self._beside({one.id: one.digest for one in page.held}, page.position, after, last)
            if whole:
                return found
            after = last

    async def these(self, ids: Sequence[UUID]) -> dict[UUID, _Seen]:
        """What is different of these."""
        found: dict[UUID, _Seen] = {}
        for one in ids:
            before = UUID(int=one.int - 1)
            page = await self.index.held(self.store, self.venture, after=before, limit=1)
            held = {each.id: each.digest for each in page.held if each.id == one}
            found |= await self._beside(held, page.position, before, one)
        return found

    async def _beside(
        self, held: dict[UUID, bytes], position: int, after: UUID | None, last: UUID
    ) -> dict[UUID, _Seen]:
        """The rows are read after what is held: one that was changed since is of a later event than `position`."""
        found: dict[UUID, _Seen] = {}
        begin = after or FIRST
        while begin < last:
            async with self.database.reading(self.venture) as scope:
                rows = await scope.all(sql.BETWEEN, model=self.model, after=begin, last=last, limit=ROWS_AT_ONCE)
            for row in rows:
                wanted, there = _digest(row), held.pop(row[0], None)
                if wanted != there:
                    found[row[0]] = _Seen(wanted, there, row[5] <= position)
            begin = rows[-1][0] if len(rows) == ROWS_AT_ONCE else last
        return found | {one: _Seen(None, there, True) for one, there in held.items()}


def _digest(row: Row) -> bytes | None:
    _, kind, source, state, vector, _ = row
    return None if vector is None else digest(Kind(kind), source, state, read(vector))


def _how(seen: _Seen) -> How:
    if seen.held is None:
        return "missing"
    return "extra" if seen.wanted is None else "stale"


async def vectors_of(database: Database, model: str, venture: UUID, *, most: int) -> list[Point]:
    """The first vectors of a venture, in the order of ids. Raises: Unavailable."""
    found: list[Point] = []
    while len(found) < most:
        after, limit = found[-1].id if found else FIRST, min(ROWS_AT_ONCE, most - len(found))
        async with database.reading(venture) as scope:
            rows = await scope.all(sql.WHOLE, model=model, after=after, limit=limit)
        found += [Point(id=row[0], kind=Kind(row[1]), source=row[2], state=row[3], vector=read(row[4])) for row in rows]
        if len(rows) < limit:
            break
    return found
