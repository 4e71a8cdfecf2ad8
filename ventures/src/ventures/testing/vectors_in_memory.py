"""A store in memory, exact and plain: the fake for whatever needs a `VectorStore`.

`flush` makes what was put outlive `lost()`, which does to it what a loss of power does to a real one.
"""

import secrets
from collections.abc import Sequence
from copy import deepcopy
from uuid import UUID

import numpy as np

from ventures.errors import Unavailable
from ventures.vectors.api import ALL, Held, Kind, Match, Only, Point, Vector, checked, digest


class VectorsInMemory:
    """All in a dictionary. `down`: the sentence with which every call fails; `""` for none."""

    def __init__(self, name: str = "memory", dimension: int = 8) -> None:
        self.name = name
        self.dimension = dimension
        self.down = ""
        self.puts = 0
        self.flushes = 0
        self._points: dict[UUID, dict[UUID, Point]] = {}
        self._flushed: dict[UUID, dict[UUID, Point]] = {}
        self._birth = secrets.token_hex(4)

    async def search(self, venture: UUID, kind: Kind, vector: Vector, *, limit: int, only: Only = ALL) -> list[Match]:
        """Exactly the nearest."""
        self._answers()
        asked = checked(vector, self.dimension)
        matches = [
            Match(point.id, float(np.dot(point.vector, asked)))
            for point in self._points.get(venture, {}).values()
            if point.kind == kind and _within(point, only)
        ]
        return sorted(matches, key=lambda match: (-match.score, match.id))[:limit]

    async def put(self, venture: UUID, points: Sequence[Point]) -> None:
        """Copies, so that who gave them may change them."""
        self._answers()
        for point in points:
            checked(point.vector, self.dimension)
        self.puts += len(points)
        self._points.setdefault(venture, {}).update((point.id, deepcopy(point)) for point in points)

    async def delete(self, venture: UUID, ids: Sequence[UUID]) -> None:
        """Those that are there."""
        self._answers()
        for one in ids:
            self._points.get(venture, {}).pop(one, None)

    async def drop(self, venture: UUID) -> None:
        """All of the venture."""
        self._answers()
        self._points.pop(venture, None)

    async def count(self, venture: UUID) -> int:
        """Of all kinds."""
        self._answers()
        return len(self._points.get(venture, {}))

    async def held(self, venture: UUID, *, after: UUID | None = None, limit: int = 1_000) -> list[Held]:
        """In the order of ids."""
        self._answers()
        points = sorted(self._points.get(venture, {}).values(), key=lambda point: point.id)
        return [
            Held(point.id, digest(point.kind, point.source, point.state, point.vector))
            for point in points
            if after is None or point.id > after
        ][:limit]

    async def flush(self) -> None:
        """What is there now is what `lost` goes back to."""
        self._answers()
        self.flushes += 1
        self._flushed = deepcopy(self._points)

    def part(self, venture: UUID) -> str:
        """One part for all."""
        return f"{self.name}@{self._birth}"

    async def close(self) -> None:
        """Flushes."""
        await self.flush()

    def lost(self) -> None:
        """The power goes: what was not flushed is gone."""
        self._points = deepcopy(self._flushed)

    def born_anew(self) -> None:
        """The files are gone: an empty store under a new name."""
        self._points, self._flushed = {}, {}
        self._birth = secrets.token_hex(4)

    def _answers(self) -> None:
        if self.down:
            raise Unavailable(self.down)


def _within(point: Point, only: Only) -> bool:
    return (
        (not only.states or point.state in only.states)
        and (not only.sources or point.source in only.sources)
        and point.source not in only.but
    )
