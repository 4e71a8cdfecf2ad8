"""Fills the stores of one index process from the rows of `embedding`, and answers searches from what is filled.

What is to be done follows from the tables alone, looked at again and again: how far the consumer "passages" has come
in each venture, which stores are to hold it (where its route leads, and while it is moved source and target), and up
to where the part of the store that holds it is filled (the position of the consumer "vectors", target: the part's
name). A part without a position, or whose position was set back, is filled from nothing; every other takes the rows
that changed since. Positions move only after a flush, so that an end at any moment, of this process or of the machine,
means doing a little again. Passages commit without waiting for the disk, so an end of PostgreSQL may undo what was read
of them here: after it was away, positions go back to where it kept them. Where a move was completed or cancelled, the
store that is to hold the venture no more drops it; its position is set back before, for good, and ends after that.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, TypeVar
from uuid import UUID

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

from ventures.database.pool import Database
from ventures.database.scope import Row
from ventures.errors import Invalid, Refused, Unavailable
from ventures.search import sql
from ventures.search.exact import POSTGRESQL
from ventures.search.shelf import Filled, Shelf, StoreFailed, give_way
from ventures.vectors.api import (
    SHARED,
    Cannot,
    Found,
    Holding,
    Holds,
    HowFar,
    Point,
    Reached,
    Refill,
    Search,
    StoreStatus,
    VectorStore,
    process_of,
)

POLL_SECONDS: Final = 0.25
RECENT_SECONDS: Final = 10.0
"""Ventures whose log moved within it are looked at, and those of which not all passages are made yet."""
WHOLE_SECONDS: Final = 15.0
"""Between looks at all ventures: for routes, and for positions that were set back."""
EVER_SECONDS: Final = 1e9
MOVES_SECONDS: Final = 1.0
SECONDS_A_MOVE: Final = 4e-4
"""Between looks at which ventures are moved, and how much longer for each of them: some 8 µs of work a move are then
`WHOLE_SHARE` of the time. Not by how long a look took, most of which is waiting while the process is busy filling:
whoever moves waits for the next one.
"""
DROPPED_AT_ONCE: Final = 64
"""Ventures that a store drops between two flushes: in most stores some milliseconds each."""
ROWS_AT_ONCE: Final = 500
"""Ventures looked at before searches are answered: about a millisecond."""
WHOLE_SHARE: Final = 0.02
"""The most of its time the process looks at all ventures: with very many it does so less often."""
KEEP_SECONDS: Final = 2.0
"""Between flushes."""
KEEP_SHARE: Final = 0.05
"""The most of its time the process flushes: it takes up to .2 s a part that changed, in which nothing is answered."""
FILLS: Final = 2
"""Fillings from nothing at once: while the points of one are put, PostgreSQL reads those of the other."""
FILL_AT_ONCE: Final = 32
"""Ventures that are begun in one transaction. The first rows of each, at most 9 MB together, are held meanwhile."""
COMPACTING_LOOK_SECONDS: Final = 1.0
ASKED_SECONDS: Final = 5.0
"""Who was asked within it pauses after a compaction as long as that took."""
PAUSE_AFTER_FAULT_SECONDS: Final = 0.5
SHARED_LOOKS: Final = 60
"""Every so many looks, what all ventures share is asked for."""

T = TypeVar("T")
log = logging.getLogger(__name__)

Opening = Callable[[str], Awaitable[VectorStore]]
"""A layout's name → its store, this process's share of it. Raises: VenturesError, OSError."""
SharedPoints = Callable[[], Awaitable[Sequence[Point]]]
"""The points that all ventures share: the global models. Raises: Refused where they cannot be had now."""


async def nothing_shared() -> Sequence[Point]:
    """No global models."""
    return ()


class Filling:
    """The stores of index process `process` of `processes` (from 1). `default`: the layout of ventures without a
    route; `opening` gives a layout's store.
    """

    def __init__(
        self,
        database: Database,
        *,
        model: str,
        dimension: int,
        default: str,
        opening: Opening,
        process: int = 1,
        processes: int = 1,
        shared_points: SharedPoints = nothing_shared,
    ) -> None:
        self._database = database
        self._model = model
        self._dimension = dimension
        self._default = default
        self._opening = opening
        self._process = process
        self._processes = processes
        self._shared_points = shared_points
        self._shelves: dict[str, Shelf] = {}
        self._moved: Mapping[UUID, object] = {}
        self._looks = 0
        self._from_nothing: dict[tuple[Shelf, UUID], bool] = {}
        self._being_filled: set[tuple[Shelf, UUID]] = set()
        self._some_to_fill = asyncio.Event()
        self._said = ""
        self._behind: set[UUID] = set()
        self._whole_at = 0.0
        self._moves: dict[UUID, frozenset[str]] = {}
        self._moves_at = 0.0
        self._faults = self._faults_seen = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then flushes and closes. Outlives a database that goes away, and a store that fails."""
        tasks = [
            asyncio.create_task(turning)
            for turning in (
                self._looking(),
                self._keeping(),
                self._compacting(),
                *(self._filling() for _ in range(FILLS)),
            )
        ]
        try:
            done, _ = await asyncio.wait(
                [waiting := asyncio.create_task(stop.wait()), *tasks], return_when=asyncio.FIRST_COMPLETED
            )
            for task in done - {waiting}:
                task.result()  # none of them ends by itself: a fault of ours, and the process is started again
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.close()

    async def caught_up(self) -> None:
        """Fills all there is to fill, once, and flushes; for tests and benchmarks. Raises: Unavailable."""
        self._whole_at = self._moves_at = 0.0
        await self.look()
        while self._from_nothing:
            await asyncio.gather(*(self._fill_next() for _ in range(FILLS)))
        await self._follow()
        await self._share()
        await self._kept()

    async def close(self) -> None:
        """Flushes, moves the positions and closes the stores, as far as they let it."""
        for shelf in self._shelves.values():
            if shelf.store is not None:
                try:
                    await shelf.keep()
                except (StoreFailed, Unavailable) as error:
                    log.warning("store %s is left as it is: %s", shelf.name, error)
            await shelf.closed()

    async def search(self, asked: Search) -> Found | Cannot:
        """The answer, or why there is none now. Raises: Refused."""
        shelf = self._shelves.get(asked.store)
        return self._no_store(asked) if shelf is None else await shelf.search(asked)

    async def held(self, asked: Holding) -> Holds | Cannot:
        """What a store holds of a venture, or why that cannot be said now. Raises: Refused."""
        shelf = self._shelves.get(asked.store)
        return self._no_store(asked) if shelf is None else await shelf.held(asked)

    async def reached(self, asked: HowFar) -> Reached:
        """How far a store is for a venture."""
        shelf = self._shelves.get(asked.store)
        filled = None if shelf is None else shelf.filled.get(asked.venture)
        return Reached(asked.number, filled.position if filled else None, "" if shelf is None else shelf.fault)

    async def refill(self, asked: Refill) -> Reached | Cannot:
        """Has a venture put into a store from nothing; until then the store does not answer for it."""
        shelf = self._shelves.get(asked.store)
        if shelf is None or asked.venture not in shelf.wanted:
            return self._no_store(asked)
        if (shelf, asked.venture) not in self._being_filled:
            shelf.filled.pop(asked.venture, None)
            self._from_nothing[shelf, asked.venture] = True
            self._some_to_fill.set()
        return Reached(asked.number, None, shelf.fault)

    def _no_store(self, asked: Search | Holding | Refill) -> Cannot:
        return Cannot(asked.number, f"Index process {self._process} holds no store {asked.store[:40]!r}.")

    async def status(self) -> list[StoreStatus]:
        """One line a store."""
        resident = psutil.Process().memory_info().rss
        return [await shelf.status(self._process, resident) for shelf in list(self._shelves.values())]

    async def look(self) -> None:
        """Compares the tables with what is filled, and notes what is to be filled from nothing; all ventures now and
        then, in between those that moved. Raises: Unavailable.
        """
        self._looks += 1
        look, began, faults = self._looks, time.monotonic(), self._faults
        doubted = self._in_doubt()
        for shelf in self._shelves.values():
            shelf.look = look
        unopened = any(shelf.store is None and shelf.wanted for shelf in self._shelves.values())
        whole = began >= self._whole_at or unopened or doubted
        async with self._database.scanning() as scope:
            if began >= self._moves_at:
                moves = await scope.all(sql.SCAN_MOVES)
                self._begun_or_ended(moves)
                self._moves_at = time.monotonic() + max(MOVES_SECONDS, len(moves) * SECONDS_A_MOVE)
            rows = await scope.all(
                sql.SCAN_FILLING,
                model=self._model,
                seconds=EVER_SECONDS if whole else RECENT_SECONDS,
                behind=list(self._behind),
            )
        kept: dict[UUID, dict[str, int]] = {}
        wanted: dict[UUID, tuple[set[str], int]] = {}
        self._behind.clear()
        self._moved = kept
        async for venture, head, until, store, part, seq, source, target in _giving_way(rows):
            here, _ = wanted.setdefault(venture, (set(), until))
            here.update(one for one in {store or self._default, source, target} if one and self._has(one, venture))
            parts = kept.setdefault(venture, {})
            if part is not None:
                parts[part] = seq
            if here and head > until:
                self._behind.add(venture)
        await self._place(wanted)
        if self._has(self._default, SHARED):
            self._shelf(self._default)  # made before the first venture waits for it
        await self._leave(kept, wanted)
        for shelf in list(self._shelves.values()):
            if doubted:
                shelf.go_back(kept)
            if await shelf.opened() is not None:
                await self._tried(shelf, self._compare(shelf, kept, look))
        self._faults_seen = faults
        if whole:
            ended = time.monotonic()
            self._whole_at = ended + max(WHOLE_SECONDS, (ended - began) / WHOLE_SHARE)
        if self._from_nothing:
            self._some_to_fill.set()

    def _in_doubt(self) -> bool:
        """PostgreSQL was away since the last look, and may have lost what it had committed last and was read here."""
        return self._faults != self._faults_seen

    def _begun_or_ended(self, rows: list[Row]) -> None:
        """Ventures whose move began or ended are looked at, though their log may be quiet."""
        moves = {UUID(venture): frozenset((source, target)) for venture, source, target in rows}
        self._behind |= {venture for venture, _ in moves.items() ^ self._moves.items()}
        self._moves = moves

    async def _place(self, wanted: dict[UUID, tuple[set[str], int]]) -> None:
        """Each venture on the shelves that are to hold it, and on no other."""
        for name in set().union(*(names for names, _ in wanted.values())):
            self._shelf(name)
        for shelf in self._shelves.values():
            async for venture, (names, until) in _giving_way(wanted.items()):
                if shelf.name in names:
                    shelf.wanted[venture] = until
                else:
                    shelf.wanted.pop(venture, None)

    async def _leave(self, kept: dict[UUID, dict[str, int]], wanted: dict[UUID, tuple[set[str], int]]) -> None:
        """Drops ventures from stores that are to hold them no more, since a move was completed or cancelled."""
        strays: dict[UUID, dict[str, list[str]]] = {}
        async for venture, parts in _giving_way(kept.items()):
            for part in parts:
                if (layout := _layout_of(part)) not in wanted[venture][0] and self._has(layout, venture):
                    strays.setdefault(venture, {}).setdefault(layout, []).append(part)
        if not strays:
            return
        async with self._database.scanning() as scope:
            rows = await scope.all(sql.SCAN_ENDED_MOVES, ventures=[str(venture) for venture in strays])
        ended: dict[str, dict[UUID, list[str]]] = {}
        for text, *layouts in rows:
            for layout in layouts:
                if parts_left := strays[UUID(text)].get(layout):
                    ended.setdefault(layout, {})[UUID(text)] = parts_left
        for layout, ventures in ended.items():
            shelf = self._shelf(layout)
            free = {one: left for one, left in ventures.items() if (shelf, one) not in self._being_filled}
            for venture in free:
                self._from_nothing.pop((shelf, venture), None)
            if await shelf.opened() is not None:
                every = list(free.items())
                for begin in range(0, len(every), DROPPED_AT_ONCE):
                    await self._tried(shelf, shelf.leave(dict(every[begin : begin + DROPPED_AT_ONCE])))

    async def _compare(self, shelf: Shelf, kept: dict[UUID, dict[str, int]], look: int) -> None:
        ended: dict[UUID, list[str]] = {}
        async for venture in _giving_way(kept):
            if (until := shelf.wanted.get(venture)) is None:
                continue
            part = shelf.part(venture)
            seq = kept[venture].get(part)
            if (shelf, venture) in self._being_filled or (shelf, venture) in self._from_nothing:
                pass  # what was begun from nothing is not gone on from
            elif not _stands(shelf, venture, part, seq, until, look):
                shelf.filled.pop(venture, None)
                if shelf.spoiled.get(venture, 0.0) < time.monotonic():
                    self._from_nothing[shelf, venture] = bool(seq)
            layout = part.partition("@")[0]
            if former := [one for one in kept[venture] if one != part and one.partition("@")[0] == layout]:
                ended[venture] = former
        await shelf.end(ended)

    def _has(self, store: str, venture: UUID) -> bool:
        return store != POSTGRESQL and process_of(store, venture, self._processes) == self._process - 1

    def _shelf(self, name: str) -> Shelf:
        if name not in self._shelves:
            self._shelves[name] = Shelf(
                name, self._database, self._model, self._dimension, lambda: self._opening(name), look=self._looks
            )
        return self._shelves[name]

    async def _looking(self) -> None:
        while True:
            try:
                await self.look()
                await self._follow()
                await self._share()
                if self._said:
                    log.info("the database answers again")
                self._said = ""
                await asyncio.sleep(POLL_SECONDS)
            except Unavailable as error:
                await self._without_database(error)

    async def _filling(self) -> None:
        while True:
            await self._some_to_fill.wait()
            try:
                await self._fill_next()
            except Unavailable as error:
                await self._without_database(error)

    async def _keeping(self) -> None:
        pause = KEEP_SECONDS
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            try:
                await self._kept()
                pause = max(KEEP_SECONDS, (time.monotonic() - began) / KEEP_SHARE)
            except Unavailable as error:
                await self._without_database(error)

    async def _compacting(self) -> None:
        while True:
            pause = COMPACTING_LOOK_SECONDS
            for shelf in list(self._shelves.values()):
                if shelf.store is None or any(busy is shelf for busy, _ in self._being_filled):
                    continue
                took = await self._tried(shelf, shelf.compact())
                if took is not None:
                    pause = took if time.monotonic() - shelf.asked_at < ASKED_SECONDS else 0.0
            await asyncio.sleep(pause)

    async def _follow(self) -> None:
        moved, self._moved = self._moved, {}
        for venture in moved:
            for shelf in list(self._shelves.values()):
                filled, until = shelf.filled.get(venture), shelf.wanted.get(venture, 0)
                if filled is not None and filled.position < until and shelf.store is not None:
                    await self._tried(shelf, shelf.follow(venture, until))

    async def _kept(self) -> None:
        if self._in_doubt():
            return
        for shelf in list(self._shelves.values()):
            if shelf.store is not None:
                await self._tried(shelf, shelf.keep())
            if self._of_no_use(shelf):
                del self._shelves[shelf.name]
                await shelf.closed()

    def _of_no_use(self, shelf: Shelf) -> bool:
        """A store that is to hold no venture any more costs memory for nothing."""
        busy = shelf.busy or any(one is shelf for one, _ in self._being_filled)
        return not (shelf.wanted or busy or shelf.fault) and shelf.name != self._default

    async def _share(self) -> None:
        if self._looks % SHARED_LOOKS:
            return
        try:
            points = await self._shared_points()
        except Refused as error:
            log.warning("what all ventures share cannot be had: %s", error)
            return
        for shelf in list(self._shelves.values()):
            if shelf.store is not None and self._has(shelf.name, SHARED) and not self._of_no_use(shelf):
                await self._tried(shelf, shelf.share(points))

    async def _fill_next(self) -> None:
        if not self._from_nothing:
            self._some_to_fill.clear()
            return
        shelf, _ = next(iter(self._from_nothing))
        next_ones = [one for one in islice(self._from_nothing, FILL_AT_ONCE) if one[0] is shelf]
        filled_before = [self._from_nothing.pop(one) for one in next_ones]
        next_ones = [one for one in next_ones if one[1] in shelf.wanted]
        if shelf.store is None or not next_ones:
            return  # the next look finds the ventures unfilled, once the store is there
        self._being_filled.update(next_ones)
        faults = self._faults
        try:
            await self._tried(shelf, shelf.fill([venture for _, venture in next_ones], durable=any(filled_before)))
        finally:
            if self._faults != faults:  # what was read before PostgreSQL went does not go with what was read after
                for _, venture in next_ones:
                    shelf.filled.pop(venture, None)
            self._being_filled.difference_update(next_ones)

    async def _tried(self, shelf: Shelf, doing: Awaitable[T]) -> T | None:
        """Its result; None where the store failed, which is closed then, or refused a venture's vectors."""
        try:
            return await doing
        except StoreFailed as error:
            shelf.failed(error)
            await shelf.closed()
        except Invalid:
            pass  # it is said, and the venture set aside
        return None

    async def _without_database(self, error: Unavailable) -> None:
        if str(error) != self._said:
            log.warning("filling waits for the database: %s", error)
        self._said = str(error)
        self._faults += 1
        await asyncio.sleep(PAUSE_AFTER_FAULT_SECONDS)


async def _giving_way(rows: Iterable[T]) -> AsyncIterator[T]:
    """The same, with searches answered in between where there are many."""
    for number, row in enumerate(rows, 1):
        yield row
        if number % ROWS_AT_ONCE == 0:
            await give_way()


def _layout_of(part: str) -> str:
    """The store of a part: of "buckets/07@…" it is buckets."""
    return part.partition("@")[0].partition("/")[0]


def _stands(shelf: Shelf, venture: UUID, part: str, seq: int | None, until: int, look: int) -> bool:
    """Whether what is filled may be gone on from; takes up a position that PostgreSQL kept from an earlier process."""
    filled = shelf.filled.get(venture)
    if filled is None:
        if not seq or seq > until or shelf.begun.get(venture, 0) >= look:
            return False
        shelf.filled[venture] = Filled(part, seq, seq, look)
        return True
    if filled.part != part:
        return False
    return filled.since >= look or (seq is not None and filled.position <= until)
