"""The index as searches see it: each venture asked for where its route says that it is."""

import asyncio
from pathlib import Path
from uuid import UUID

from outgrow.routing import Route
from ventures.errors import Unavailable
from ventures.search.ports import Answer, IndexUnavailable
from ventures.vectors.api import ALL, Holds, Kind, Only, Reached, Remote, StoreStatus, Vector, process_of


class RoutedIndex:
    """`Index` over `processes` index processes of a data folder. Belongs to one event loop."""

    def __init__(self, data: Path, *, processes: int) -> None:
        self._remotes = [Remote(data, number + 1) for number in range(processes)]

    async def search(
        self, route: Route, venture: UUID, kind: Kind, vector: Vector, *, limit: int, only: Only = ALL
    ) -> Answer:
        """The nearest points, in the store of the route. Raises: IndexUnavailable within a fraction of a second."""
        try:
            found = await self._remote(route.store, venture).search(
                route.store, venture, kind, vector, limit=limit, only=only
            )
        except Unavailable as error:
            raise IndexUnavailable(str(error)) from error
        return Answer(found.matches, found.position)

    async def status(self) -> list[StoreStatus]:
        """A line for each store of each process; for a process that does not answer one without a store, with why."""
        told = await asyncio.gather(*(_status(remote) for remote in self._remotes))
        return [line for lines in told for line in lines]

    async def held(self, store: str, venture: UUID, *, after: UUID | None, limit: int) -> Holds:
        """A page of what a store holds of a venture, in the order of ids. Raises: Unavailable."""
        return await self._remote(store, venture).held(store, venture, after=after, limit=limit)

    async def reached(self, store: str, venture: UUID) -> Reached:
        """How far a store is for a venture. Raises: Unavailable."""
        return await self._remote(store, venture).reached(store, venture)

    async def refill(self, store: str, venture: UUID) -> None:
        """Has a venture put into a store from nothing; returns when that is begun. Raises: Unavailable."""
        await self._remote(store, venture).refill(store, venture)

    def _remote(self, store: str, venture: UUID) -> Remote:
        if not self._remotes:
            raise IndexUnavailable("No process holds the vector index here: VENTURES_INDEX_PROCESSES is 0.")
        return self._remotes[process_of(store, venture, len(self._remotes))]

    async def close(self) -> None:
        """Lets go of the connections."""
        for remote in self._remotes:
            await remote.close()


async def _status(remote: Remote) -> list[StoreStatus]:
    try:
        return await remote.status()
    except Unavailable as error:
        return [
            StoreStatus(
                store="",
                process=remote.number,
                points=0,
                parts=0,
                resident_bytes=0,
                disk_bytes=0,
                filled=0,
                behind=0,
                flushed_seconds_ago=None,
                fault=str(error),
            )
        ]
