"""The port behind which every layout lies. `ventures.testing.vectors` has its contract suite."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable
from uuid import UUID

from ventures.vectors.records import ALL, Held, Kind, Match, Only, Point, Size, Vector


class VectorStore(Protocol):
    """Points of ventures in one layout. `name`: the layout's, as it stands in a route. No call works on more than one
    venture, and none without one. All raise Unavailable where the store does not answer.
    """

    name: str
    dimension: int

    async def search(self, venture: UUID, kind: Kind, vector: Vector, *, limit: int, only: Only = ALL) -> list[Match]:
        """The nearest points of the kind, best first; equal scores by id. At most `limit` (1–1,000). Raises:
        Invalid.
        """

    async def put(self, venture: UUID, points: Sequence[Point]) -> None:
        """Adds the points or replaces those with their ids, at most `MOST_AT_ONCE`. They are found from now on. Raises:
        Invalid, with nothing put. After Unavailable some may be put; to put them again is right.
        """

    async def delete(self, venture: UUID, ids: Sequence[UUID]) -> None:
        """Those that are not there are no fault; another venture's stay. At most `MOST_AT_ONCE`. Raises: Invalid."""

    async def drop(self, venture: UUID) -> None:
        """Deletes all points of the venture. The part may keep its name: a position kept for it is the caller's to
        forget.
        """

    async def count(self, venture: UUID) -> int:
        """How many points of the venture there are, of all kinds."""

    async def held(self, venture: UUID, *, after: UUID | None = None, limit: int = 1_000) -> list[Held]:
        """The venture's points in the order of their ids, from behind `after`."""

    async def flush(self) -> None:
        """Returns when all that was put and deleted outlives a loss of power."""

    def part(self, venture: UUID) -> str:
        """Names the part of the store that holds the venture, with when it was made: "buckets/07@…". Another name
        than before means that what was put under the former is gone (lost, corrupt, of another version) and to be
        put again. Take the name before reading what to put, and move the position of that name: where a part is found
        broken it gets another, and the call that found it raises Unavailable. Raises: Unavailable.
        """

    async def close(self) -> None:
        """Flushes and lets go of it."""


@runtime_checkable
class Kept(Protocol):
    """What stores whose files lie on this machine can besides."""

    def worth_compacting(self) -> Sequence[str]:
        """The parts in which much was put or deleted since they were compacted. Costs nothing."""

    async def compact(self, part: str) -> None:
        """Merges what a part took up one by one; it answers nothing meanwhile (about 15 µs a point). A part of another
        name than `part` names now is no fault. Raises: Unavailable.
        """

    def size(self) -> Size:
        """What it holds on this machine. Walks its folder: some milliseconds."""
