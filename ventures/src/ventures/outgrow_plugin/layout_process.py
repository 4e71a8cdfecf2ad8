"""The process that holds one layout, filled from a sample, while it is asked: `python -m … LAYOUT FOLDER`.

It ends with its standard input, and so with whoever started it. Searches come over a socket, as on the platform; for
pgvector over that of a PostgreSQL of its own.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

import msgspec

from ventures.database import embedded
from ventures.database.migrate import migrate
from ventures.database.pool import opened as opened_database
from ventures.outgrow_plugin.sampling import Taken, read
from ventures.search.api import PgvectorStore
from ventures.vectors.api import Alone, Kept, VectorStore, opened, serving, settled

SAMPLE: Final = "sample"
CHUNK: Final = 1_024
PGVECTOR: Final = "pgvector"


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What it says once it can be asked. address: of its PostgreSQL, where it has one."""

    disk_bytes: int | None
    address: str | None = None


async def hold(layout: str, folder: Path, model: str, dimension: int) -> None:
    """Fills the layout from `sample` beside its folder, says so, and answers until its input ends."""
    sample = read(folder.parent / SAMPLE)
    if layout == PGVECTOR:
        await _hold_table(sample, folder, model, dimension)
        return
    store = await opened(layout, folder, dimension=dimension, model=model)
    try:
        await _fill(store, sample)
        await settled(store)
        async with serving(folder, 1, Alone(store)):
            _say(Ready(disk_bytes=store.size().disk_bytes if isinstance(store, Kept) else None))
            await asyncio.to_thread(sys.stdin.read)
    finally:
        await store.close()


async def _hold_table(sample: list[Taken], folder: Path, model: str, dimension: int) -> None:
    addresses = embedded.start(folder, ends_with_us=True)
    try:
        await asyncio.to_thread(migrate, addresses.owner)
        async with opened_database(addresses.app, connections=2) as database:
            await _fill(PgvectorStore(database, model, dimension), sample)
        _say(Ready(disk_bytes=None, address=addresses.app))
        await asyncio.to_thread(sys.stdin.read)
    finally:
        embedded.stop(folder)


async def _fill(store: VectorStore, sample: list[Taken]) -> None:
    for one in sample:
        points = one.points()
        for begin in range(0, len(points), CHUNK):
            await store.put(one.venture, points[begin : begin + CHUNK])


def _say(ready: Ready) -> None:
    print(msgspec.json.encode(ready).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
