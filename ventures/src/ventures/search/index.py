"""The index as searches see it: each venture asked for where its route says that it is."""

import asyncio
from pathlib import Path
from uuid import UUID

from outgrow.routing import Route
from ventures.errors import Unavailable
from ventures.search.ports import Answer, IndexUnavailable
from ventures.vectors.api import ALL, Kind, Only, Remote, StoreStatus, Vector, process_of


class RoutedIndex:
    """`Index` over `processes` index processes of a data folder. Belongs to one event loop."""

    def __init__(self, data: Path, *, processes: int) -> None:
        self._remotes = [Remote(data, number + 1) for number in range(processes)]

    async def search(
        self, route: Route, venture: UUID, kind: Kind, vector: Vector, *, limit: int, only: Only = ALL
    ) -> Answer:
        """The nearest points, in the store of the route. Raises: IndexUnavailable within a fraction of a second."""
        if not self._remotes:
            raise IndexUnavailable("No process holds the vector index here: VENTURES_INDEX_PROCESSES is 0.")
        remote = self._remotes[process_of(route.store, venture, len(self._remotes))]
        try:
            found = await remote.search(route.store, venture, kind, vector, limit=limit, only=only)
        except Unavailable as error:
            raise IndexUnavailable(str(error)) from error
        return Answer(found.matches, found.position)

    async def status(self) -> list[StoreStatus]:
        """A line for each store of each process; for a process that does not answer one without a store, with why."""
        told = await asyncio.gather(*(_status(remote) for remote in self._remotes))
        return [line for lines in told for line in lines]

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
