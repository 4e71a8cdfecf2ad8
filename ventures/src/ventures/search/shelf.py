"""One store of an index process: opened, filled venture by venture, flushed, compacted, searched, and told about."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, TypeVar
from uuid import UUID

import numpy as np

from ventures.database.pool import Database
from ventures.database.scope import Queued, Row
from ventures.errors import Invalid, Refused, VenturesError
from ventures.search import sql
from ventures.vectors.api import (
    SHARED,
    Cannot,
    Found,
    Holding,
    Holds,
    Kept,
    Kind,
    Point,
    Search,
    Size,
    StoreStatus,
    VectorStore,
    unpacked,
)

CHUNK: Final = 256
"""Points put at once: some 7 ms, in which nothing is answered."""
BUSY_SECONDS: Final = 0.008
"""How long ventures are put one after the other before searches are answered."""
BEGINNING: Final = 256
"""Rows read at once of each of several ventures; who has more is read on by itself."""
AT_ONCE: Final = 64
"""Ventures whose positions move in one transaction: one alone costs as much as the points of ten passages."""
PAGE: Final = 2_048
"""Rows read at once where a venture is filled from nothing: 2 MB of vectors of 256 numbers."""
SHORTEST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
SPOILED_SECONDS: Final = 60.0
"""When a venture whose vectors the store refuses is tried again."""
SIZE_SECONDS: Final = 10.0
"""How long a size that was measured is told."""
FIRST: Final = UUID(int=0)
LAST: Final = UUID(int=(1 << 128) - 1)

T = TypeVar("T")
log = logging.getLogger(__name__)

Opening = Callable[[], Awaitable[VectorStore]]
"""Gives the store, this process's share of it. Raises: VenturesError, OSError."""


class StoreFailed(Exception):
    """The store could not be opened, read or written; the sentence says why."""


@dataclass
class Filled:
    """How far one venture is in one part. position: what is put; kept: what outlives a loss of power, as PostgreSQL
    has it. since: the look that was the last to begin before: what it and earlier ones saw is older than this.
    """

    part: str
    position: int
    kept: int
    since: int


@dataclass(eq=False)
class Shelf:
    """`wanted`: the ventures it is to hold, with the seq up to which there are passages. `look`: the last
    look at the tables that began. `begun`: with which look each was begun from nothing; before, no position counts.
    `busy`: ventures are being dropped.
    """

    name: str
    database: Database
    model: str
    dimension: int
    opening: Opening
    store: VectorStore | None = None
    fault: str = ""
    wanted: dict[UUID, int] = field(default_factory=dict)
    filled: dict[UUID, Filled] = field(default_factory=dict)
    begun: dict[UUID, int] = field(default_factory=dict)
    spoiled: dict[UUID, float] = field(default_factory=dict)
    look: int = 0
    busy: bool = False
    asked_at: float = -1e9
    _dirty: bool = False
    _flushed_at: float | None = None
    _pause: float = SHORTEST_PAUSE_SECONDS
    _again_at: float = 0.0
    _size: Size | None = None
    _sized_at: float = -1e9
    _counts: dict[UUID, int] = field(default_factory=dict)
    _shared: int | None = None
    _busy_since: float = 0.0

    async def opened(self) -> VectorStore | None:
        """The store; None where it cannot be had now, for the reason that `fault` gives. Tried again after a pause."""
        if self.store is None and time.monotonic() >= self._again_at:
            try:
                self.store = await self.opening()
            except (VenturesError, OSError) as error:
                self.failed(error)
            else:
                if self.fault:
                    log.info("store %s is there again", self.name)
                self.fault = ""
        return self.store

    def failed(self, error: Exception) -> None:
        """Says it once, and leaves the store closed for a while. What was not flushed is taken for lost."""
        sentence = f"Store {self.name} cannot be used now: {error}"
        if sentence != self.fault:
            log.error("%s Searches are answered from PostgreSQL meanwhile; it is tried again.", sentence)
        self.fault = sentence
        self._again_at = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        self.filled.clear()
        self._shared = None

    async def closed(self) -> None:
        """Lets go of the store."""
        store, self.store = self.store, None
        if store is not None:
            with suppress(Refused, OSError):
                await store.close()

    def part(self, venture: UUID) -> str:
        """Which part of the store holds the venture. Raises: StoreFailed."""
        with self._of_store(None):
            return self._there().part(venture)

    async def fill(self, ventures: Sequence[UUID], *, durable: bool) -> None:
        """Puts the whole of each venture, from nothing, but those whose vectors the store refuses, which is said.

        durable: one of them was filled before, which must never be believed again.

        Raises: StoreFailed; Unavailable where PostgreSQL is away.
        """
        store, parts = self._there(), {venture: self.part(venture) for venture in ventures}
        for venture in ventures:
            self.filled.pop(venture, None)
        begun = await self._begin(parts, durable=durable)
        self._busy_since = time.monotonic()
        for venture, part in parts.items():
            with suppress(Invalid):
                await self._fill(store, venture, part, *begun.pop(venture))
            if self.store is not store:
                return  # it failed meanwhile, and what was put with it

    async def _fill(self, store: VectorStore, venture: UUID, part: str, position: int, rows: list[Row]) -> None:
        with self._of_store(venture):
            await store.drop(venture)
        if (renamed := self.part(venture)) != part:  # where a venture has a part of its own, it is made anew
            part = renamed
            position, rows = (await self._begin({venture: part}, durable=False))[venture]
        await self._put(store, venture, rows)
        page = BEGINNING
        while len(rows) == page:
            page = PAGE
            async with self.database.reading(venture) as scope:
                rows = await scope.all(sql.WHOLE, model=self.model, after=rows[-1][0], limit=page)
            await self._put(store, venture, rows)
        if self.store is not store or self.part(venture) != part:
            return
        self._pause = SHORTEST_PAUSE_SECONDS
        self._dirty = True
        self.filled[venture] = Filled(part, position, 0, self.look)

    async def _begin(self, parts: Mapping[UUID, str], *, durable: bool) -> dict[UUID, tuple[int, list[Row]]]:
        """From now on nothing is known to be in the parts. → of each venture up to where the log is in its rows, and
        the first of them.
        """
        asked: dict[UUID, tuple[Queued, Queued]] = {}
        async with self.database.in_turn(redoable=not durable) as turns:
            for venture in sorted(parts):
                scope = await turns.of(venture)
                await scope.run(sql.BEGIN_FILLING, target=parts[venture])
                position = await scope.queued(sql.PASSAGES_POSITION, model=self.model)
                rows = await scope.queued(sql.WHOLE, model=self.model, after=FIRST, limit=BEGINNING)
                asked[venture] = (position, rows)
            begun = {
                venture: ((await position.one() or (0,))[0], await rows.all())
                for venture, (position, rows) in asked.items()
            }
        for venture in parts:
            self.begun[venture] = self.look
        return begun

    async def end(self, ended: Mapping[UUID, list[str]]) -> None:
        """Forgets positions of parts that are no more. Raises: Unavailable."""
        for some in _some(sorted(ended.items())):
            async with self.database.in_turn(redoable=True) as turns:
                for venture, targets in some:
                    await (await turns.of(venture)).run(sql.END_FILLING, targets=targets)

    async def _set_back(self, parts: Mapping[UUID, list[str]]) -> None:
        for some in _some(sorted(parts.items())):
            async with self.database.in_turn() as turns:
                for venture, targets in some:
                    await (await turns.of(venture)).run(sql.SET_FILLING_BACK, targets=targets)

    async def leave(self, ventures: Mapping[UUID, list[str]]) -> None:
        """Drops ventures for good, then forgets their positions in these parts. Whatever is undone by an end of the
        process or of PostgreSQL, none of these positions is believed again. Raises: StoreFailed, Unavailable.
        """
        store, self.busy = self._there(), True
        try:
            await self._set_back(ventures)
            self._busy_since = time.monotonic()
            for venture in ventures:
                for known in (self.filled, self.begun, self.spoiled, self._counts):
                    known.pop(venture, None)
                with self._of_store(None):
                    await store.drop(venture)
                if time.monotonic() - self._busy_since > BUSY_SECONDS:
                    await give_way()
                    self._busy_since = time.monotonic()
            with self._of_store(None):
                await store.flush()
            await self.end(ventures)
        finally:
            self.busy = False

    async def held(self, asked: Holding) -> Holds | Cannot:
        """A page of what the store holds of a venture, with a position that it was past already. Raises: Refused."""
        store, filled = self.store, self.filled.get(asked.venture)
        if store is None or filled is None:
            return Cannot(asked.number, self.fault or f"Store {self.name} does not have this venture yet.")
        position = filled.position
        held = await store.held(asked.venture, after=asked.after, limit=asked.limit)
        if self.store is not store or self.filled.get(asked.venture) is not filled:
            return Cannot(asked.number, f"Store {self.name} is being filled with this venture anew.")
        return Holds(asked.number, held, position)

    async def follow(self, venture: UUID, until: int) -> None:
        """Puts and deletes what changed in a filled venture up to the seq. Raises: as `fill`."""
        store, filled = self._there(), self.filled[venture]
        seq, after, page = filled.position, LAST, CHUNK
        while page == CHUNK:
            async with self.database.reading(venture) as scope:
                rows = await scope.all(sql.CHANGED, model=self.model, seq=seq, id=after, until=until, limit=CHUNK)
            page = len(rows)
            if rows:
                after, seq = rows[-1][0], rows[-1][5]
                gone = [row[0] for row in rows if row[4] is None]
                with self._of_store(venture):
                    if gone:
                        await store.delete(venture, gone)
                await self._put(store, venture, [row for row in rows if row[4] is not None])
                self._dirty = True
            if self.filled.get(venture) is not filled:
                return  # the store was closed, or the venture begun anew, meanwhile
        filled.position = until

    async def share(self, points: Sequence[Point]) -> None:
        """Puts what all ventures share, where it is not there yet. Raises: StoreFailed."""
        store = self._there()
        digest = hash((self.part(SHARED), tuple((point.id, point.vector.tobytes()) for point in points)))
        if self._shared == digest:
            return
        with self._of_store(SHARED):
            await store.drop(SHARED)
            await store.put(SHARED, points)
        self._shared = digest
        self._dirty = True

    def go_back(self, kept: Mapping[UUID, Mapping[str, int]]) -> None:
        """To the positions that PostgreSQL has: what it lost after them is made again, and read again from there."""
        for venture, filled in self.filled.items():
            seq = kept.get(venture, {}).get(filled.part)
            if seq is not None and seq < filled.position:
                filled.position = filled.kept = seq

    async def keep(self) -> None:
        """Flushes what was put, then moves the positions. Raises: StoreFailed, Unavailable."""
        store = self._there()
        moved = [(venture, one, one.position) for venture, one in self.filled.items() if one.position != one.kept]
        if self._dirty:
            self._dirty = False
            with self._of_store(None):
                await store.flush()
            self._flushed_at = time.monotonic()
        for some in _some(sorted(moved, key=itemgetter(0))):
            async with self.database.in_turn(redoable=True) as turns:
                asked = [
                    await (await turns.of(venture)).queued(sql.MOVE_FILLING, target=filled.part, seq=position)
                    for venture, filled, position in some
                ]
                kept = [await one.one() is not None for one in asked]
            for (venture, filled, position), there in zip(some, kept, strict=True):
                if there:  # otherwise it was forgotten, and the next look finds that
                    filled.kept = position
                    self._counts.pop(venture, None)

    async def compact(self) -> float | None:
        """Compacts one part, where that is worth it; → how many seconds it took. Raises: StoreFailed."""
        store = self._there()
        parts = store.worth_compacting() if isinstance(store, Kept) else ()
        if not parts or not isinstance(store, Kept):
            return None
        began = time.monotonic()
        with self._of_store(None):
            await store.compact(parts[0])
        return time.monotonic() - began

    async def search(self, asked: Search) -> Found | Cannot:
        """The answer, or why there is none now. Raises: Refused."""
        self.asked_at = time.monotonic()
        store = self.store
        if store is None:
            return Cannot(asked.number, self.fault or f"Store {self.name} is being opened.")
        if len(asked.vector) != 4 * self.dimension:
            return Cannot(
                asked.number,
                f"A vector of {len(asked.vector) / 4:g} numbers came; those of {self.model} have {self.dimension}.",
            )
        filled = self.filled.get(asked.venture)
        if filled is None and (asked.venture != SHARED or self._shared is None):
            if asked.venture not in self.wanted:
                return Cannot(asked.number, "The index has not heard of this venture yet; it looks again in a moment.")
            done, all_ = self.progress()
            return Cannot(asked.number, f"The index does not have this venture yet: {done} of {all_} are filled.")
        matches = await store.search(
            asked.venture, asked.kind, unpacked(asked.vector), limit=asked.limit, only=asked.only
        )
        return Found(asked.number, matches, filled.position if filled else 0)

    def progress(self) -> tuple[int, int]:
        """How many of its ventures are filled, and how many there are."""
        return sum(venture in self.filled for venture in self.wanted), len(self.wanted)

    async def status(self, process: int, resident_bytes: int) -> StoreStatus:
        """How it is now. Points are counted anew where they changed."""
        size = await self._measured()
        caught_up = sum(
            (one := self.filled.get(venture)) is not None and one.position >= until
            for venture, until in self.wanted.items()
        )
        return StoreStatus(
            store=self.name,
            process=process,
            points=await self._points(size),
            parts=size.parts,
            resident_bytes=resident_bytes,
            disk_bytes=size.disk_bytes,
            filled=caught_up,
            behind=len(self.wanted) - caught_up,
            flushed_seconds_ago=None if self._flushed_at is None else time.monotonic() - self._flushed_at,
            fault=self.fault,
        )

    async def _measured(self) -> Size:
        if self._size is None or time.monotonic() - self._sized_at > SIZE_SECONDS:
            store = self.store
            parts = len({one.part for one in self.filled.values()})
            self._size = store.size() if isinstance(store, Kept) else Size(points=None, parts=parts, disk_bytes=0)
            self._sized_at = time.monotonic()
        return self._size

    async def _points(self, size: Size) -> int:
        if size.points is not None or self.store is None:
            return size.points or 0
        for venture in [one for one in self.filled if one not in self._counts]:
            self._counts[venture] = await self.store.count(venture)
            await give_way()
        return sum(self._counts.values())

    async def _put(self, store: VectorStore, venture: UUID, rows: Sequence[Row]) -> None:
        with self._of_store(venture):
            for start in range(0, len(rows), CHUNK):
                await store.put(venture, points(rows[start : start + CHUNK], self.dimension))
                if time.monotonic() - self._busy_since > BUSY_SECONDS:
                    await give_way()
                    self._busy_since = time.monotonic()

    def _there(self) -> VectorStore:
        if self.store is None:
            raise StoreFailed(self.fault)
        return self.store

    @contextmanager
    def _of_store(self, venture: UUID | None) -> Iterator[None]:
        """What the store raises, as StoreFailed; where it refuses a venture's vectors, the others go on."""
        try:
            yield
        except Invalid as error:
            if venture is None:
                raise StoreFailed(str(error)) from error
            if venture not in self.spoiled:
                log.error("store %s refuses the vectors of venture %s: %s", self.name, venture, error)
            self.spoiled[venture] = time.monotonic() + SPOILED_SECONDS
            self.filled.pop(venture, None)
            raise
        except (Refused, OSError) as error:
            raise StoreFailed(str(error)) from error


def points(rows: Sequence[Row], dimension: int) -> list[Point]:
    """The points of rows (id, kind, source, state, vector in PostgreSQL's binary form, …).

    A vector is two 16-bit integers, the dimension and nothing, and the float32 numbers, big-endian (pgvector,
    `vector_send`); all rows become one array. Raises: Invalid where one has another dimension.
    """
    if not rows:
        return []
    whole = b"".join(row[4] for row in rows)
    if len(whole) != len(rows) * 4 * (dimension + 1) or any(len(row[4]) != 4 * (dimension + 1) for row in rows):
        raise Invalid(f"A vector has another dimension than {dimension}.")
    numbers = np.frombuffer(whole, dtype=">f4").reshape(len(rows), dimension + 1)[:, 1:].astype(np.float32)
    return [
        Point(id=row[0], kind=Kind(row[1]), source=row[2], state=row[3], vector=vector)
        for row, vector in zip(rows, numbers, strict=True)
    ]


def _some(many: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(many), AT_ONCE):
        yield many[start : start + AT_ONCE]


async def give_way() -> None:
    """Lets what has arrived meanwhile be read and answered: it takes the loop three rounds."""
    for _ in range(3):
        await asyncio.sleep(0)
