"""The layout per-venture: a shard each, opened when it is needed; the kind is a field of the payload."""

import asyncio
import resource
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

from ventures.errors import Unavailable
from ventures.vectors.records import ALL, Held, Kind, Match, Only, Point, Size, Vector
from ventures.vectors.stores import points as each
from ventures.vectors.stores.checking import checked_ids, checked_limit, checked_points, checked_search
from ventures.vectors.stores.disk import disk_bytes
from ventures.vectors.stores.edge import ENGINE, Recipe, Shard
from ventures.vectors.stores.keys import process_of
from ventures.vectors.stores.manifest import Shape
from ventures.vectors.stores.points import ALONE

RECIPE: Final = Recipe(cold=True, tenant="kind", indexed=("state", "source"), indexed_from=500, wal_bytes=1 << 20)
"""Most ventures are small: nothing is kept in memory, and indexes are made where there is something to index."""
MOST_OPEN: Final = 1_024
"""Shards open at once. Each takes about 21 memory maps (the usual limit is 65,530) and a thread."""
FILES_EACH: Final = 3
FILES_FOR_OTHERS: Final = 200


class PerVenture:
    """A shard for every venture of this process's share (which, of how many)."""

    name = "per-venture"

    def __init__(self, folder: Path, *, dimension: int, model: str, share: tuple[int, int], most_open: int) -> None:
        self.dimension, self._folder, self._share = dimension, folder / self.name, share
        self._shape = Shape(
            engine=ENGINE, layout=self.name, dimension=dimension, model=model, parameters=RECIPE.parameters()
        )
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most_open = max(1, min(most_open, (allowed - FILES_FOR_OTHERS) // FILES_EACH))
        self._known: dict[UUID, Shard] = {}
        self._opened: OrderedDict[UUID, Shard] = OrderedDict()

    async def search(self, venture: UUID, kind: Kind, vector: Vector, *, limit: int, only: Only = ALL) -> list[Match]:
        wanted = checked_search(vector, self.dimension, limit, only)
        shard = self._begun(venture)
        return [] if shard is None else each.search(shard, ALONE, kind, wanted, limit, only)

    async def put(self, venture: UUID, points: Sequence[Point]) -> None:
        rows = checked_points(points, self.dimension)
        for begin in range(0, len(points), each.CHUNK):
            if begin:
                await asyncio.sleep(0)
            end = begin + each.CHUNK
            each.put(self._open(venture), ALONE, points[begin:end], rows[begin:end])

    async def delete(self, venture: UUID, ids: Sequence[UUID]) -> None:
        shard = self._begun(venture)
        if checked_ids(ids) and shard is not None:
            each.delete(shard, ALONE, ids)

    async def drop(self, venture: UUID) -> None:
        self._opened.pop(venture, None)
        self._shard(venture).remove()
        self._known.pop(venture, None)

    async def count(self, venture: UUID) -> int:
        shard = self._begun(venture)
        return 0 if shard is None else each.count(shard, ALONE)

    async def held(self, venture: UUID, *, after: UUID | None = None, limit: int = 1_000) -> list[Held]:
        page, shard = checked_limit(limit), self._begun(venture)
        return [] if shard is None else each.held(shard, ALONE, after, page)

    async def flush(self) -> None:
        fault: Unavailable | None = None
        for shard in list(self._opened.values()):
            if shard.dirty:
                try:
                    shard.flush()
                except Unavailable as error:
                    fault = error
                await asyncio.sleep(0)
        if fault is not None:
            raise fault

    def part(self, venture: UUID) -> str:
        return self._shard(venture).part

    def worth_compacting(self) -> Sequence[str]:
        return [shard.part for shard in self._opened.values() if shard.worth_compacting()]

    async def compact(self, part: str) -> None:
        for shard in list(self._opened.values()):
            if shard.part == part:
                shard.compact()

    def size(self) -> Size:
        """points is None: most shards are closed."""
        parts = sum(1 for _ in self._folder.glob("*/shard"))
        return Size(points=None, parts=parts, disk_bytes=disk_bytes(self._folder))

    async def close(self) -> None:
        while self._opened:
            self._opened.popitem()[1].close()

    def _begun(self, venture: UUID) -> Shard | None:
        """The venture's shard, open; None where nothing was ever put."""
        return self._open(venture) if self._shard(venture).manifest.begun else None

    def _open(self, venture: UUID) -> Shard:
        shard = self._shard(venture)
        if not shard.is_open:
            while len(self._opened) >= self._most_open:
                self._opened.popitem(last=False)[1].close()
            anew = not shard.open()
            self._opened[venture] = shard
            if anew:
                raise Unavailable(f"{shard.name} of the vector index was of no use and is being filled anew.")
        self._opened.move_to_end(venture)
        return shard

    def _shard(self, venture: UUID) -> Shard:
        found = self._known.get(venture)
        if found is None:
            mine, processes = self._share
            if process_of(self.name, venture, processes) != mine:
                raise Unavailable(f"{self.name}/{venture.hex} of the vector index is held by another process.")
            found = Shard(self._folder / venture.hex, f"{self.name}/{venture.hex}", recipe=RECIPE, shape=self._shape)
            self._known[venture] = found
        return found
