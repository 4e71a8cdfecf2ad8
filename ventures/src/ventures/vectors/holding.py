"""A store by itself behind a socket, for whoever measures layouts: nothing is filled or checked beside it."""

from ventures.errors import Unavailable
from ventures.vectors.ports import Kept, VectorStore
from ventures.vectors.wire import (
    Cannot,
    Found,
    Holding,
    Holds,
    HowFar,
    Reached,
    Refill,
    Search,
    StoreStatus,
    unpacked,
)


class Alone:
    """Answers searches from a store."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store

    async def search(self, asked: Search) -> Found | Cannot:
        """The nearest points; the position is 0."""
        vector = unpacked(asked.vector)
        found = await self._store.search(asked.venture, asked.kind, vector, limit=asked.limit, only=asked.only)
        return Found(asked.number, found, 0)

    async def status(self) -> list[StoreStatus]:
        """Nobody asks."""
        return []

    async def held(self, asked: Holding) -> Holds | Cannot:
        """What it holds; the position is 0."""
        return Holds(asked.number, await self._store.held(asked.venture, after=asked.after, limit=asked.limit), 0)

    async def reached(self, asked: HowFar) -> Reached | Cannot:
        """It is filled by whoever made it."""
        return Reached(asked.number, 0, "")

    async def refill(self, asked: Refill) -> Reached | Cannot:
        """Raises: Unavailable."""
        raise Unavailable("This store is filled by nobody.")


async def settled(store: VectorStore) -> None:
    """All that was put is kept, and its parts are compacted where that is worth it. Raises: Unavailable."""
    await store.flush()
    if isinstance(store, Kept):
        for part in list(store.worth_compacting()):
            await store.compact(part)
