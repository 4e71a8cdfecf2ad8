"""Layouts in which ventures share shards: shared, tuned, buckets."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import filelock

from ventures.errors import Unavailable
from ventures.vectors.records import ALL, Held, Kind, Match, Only, Point, Size, Vector
from ventures.vectors.stores import points as each
from ventures.vectors.stores.checking import checked_ids, checked_limit, checked_points, checked_search
from ventures.vectors.stores.disk import disk_bytes
from ventures.vectors.stores.edge import ENGINE, Recipe, Shard
from ventures.vectors.stores.keys import bucket_of
from ventures.vectors.stores.manifest import Shape

SHARED: Final = Recipe(hnsw=True, int8=False, threads=None)
"""As somebody builds it first: all defaults, the venture one more field of the payload, without an index."""
TUNED: Final = Recipe(tenant="of", indexed=("state", "source"), wal_bytes=4 << 20)
"""Points of a venture lie together and are scanned in int8; the best are scored again by the vectors themselves."""


class Sharded:
    """Ventures by hash in one shard or several; a process may hold every n-th of them (`share`: which, of how many)."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        recipe: Recipe,
        buckets: int,
        dimension: int,
        model: str,
        share: tuple[int, int],
    ) -> None:
        self.name, self.dimension, self._buckets, self._folder = name, dimension, buckets, folder / name
        parameters = recipe.parameters() | {"buckets": str(buckets)}
        shape = Shape(engine=ENGINE, layout=name, dimension=dimension, model=model, parameters=parameters)
        mine, processes = share
        self._shards = {
            number: Shard(self._folder / f"{number:02}", f"{name}/{number:02}", recipe=recipe, shape=shape)
            for number in range(buckets)
            if number % processes == mine
        }
        try:
            for shard in self._shards.values():
                shard.open()
        except BaseException:
            for shard in self._shards.values():
                shard.close()
            raise
        _clear(self._folder, buckets)

    async def search(self, venture: UUID, kind: Kind, vector: Vector, *, limit: int, only: Only = ALL) -> list[Match]:
        wanted = checked_search(vector, self.dimension, limit, only)
        return each.search(*self._of(venture), kind, wanted, limit, only)

    async def put(self, venture: UUID, points: Sequence[Point]) -> None:
        rows = checked_points(points, self.dimension)
        for begin in range(0, len(points), each.CHUNK):
            if begin:
                await asyncio.sleep(0)
            end = begin + each.CHUNK
            each.put(*self._of(venture), points[begin:end], rows[begin:end])

    async def delete(self, venture: UUID, ids: Sequence[UUID]) -> None:
        if checked_ids(ids):
            each.delete(*self._of(venture), ids)

    async def drop(self, venture: UUID) -> None:
        each.drop(*self._of(venture))

    async def count(self, venture: UUID) -> int:
        return each.count(*self._of(venture))

    async def held(self, venture: UUID, *, after: UUID | None = None, limit: int = 1_000) -> list[Held]:
        return each.held(*self._of(venture), after, checked_limit(limit))

    async def flush(self) -> None:
        fault: Unavailable | None = None
        for shard in self._shards.values():
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
        return [shard.part for shard in self._shards.values() if not shard.recipe.hnsw and shard.worth_compacting()]

    async def compact(self, part: str) -> None:
        for shard in self._shards.values():
            if shard.part == part:
                shard.compact()

    def size(self) -> Size:
        """points is None while a shard is being made anew."""
        counts = [shard.points() for shard in self._shards.values()]
        points = None if None in counts else sum(count for count in counts if count is not None)
        return Size(points=points, parts=len(self._shards), disk_bytes=disk_bytes(self._folder))

    async def close(self) -> None:
        for shard in self._shards.values():
            shard.close()

    def _of(self, venture: UUID) -> tuple[Shard, each.Tenant]:
        shard = self._shard(venture)
        return shard, each.one_of_many(venture, shard.manifest.birth)

    def _shard(self, venture: UUID) -> Shard:
        number = bucket_of(venture, self._buckets)
        try:
            return self._shards[number]
        except KeyError:
            raise Unavailable(f"{self.name}/{number:02} of the vector index is held by another process.") from None


def _clear(folder: Path, buckets: int) -> None:
    """Removes shards of a time with more buckets, where nobody has them."""
    for manifest in folder.glob("*/manifest.json"):
        old = manifest.parent
        if old.name.isdigit() and int(old.name) >= buckets:
            try:
                with filelock.FileLock(old.with_suffix(".lock"), timeout=0):
                    shutil.rmtree(old, ignore_errors=True)
            except filelock.Timeout:
                continue
