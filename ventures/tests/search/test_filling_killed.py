"""The index when PostgreSQL is killed and loses the commits that did not wait for the disk."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ventures.database import embedded
from ventures.database.migrate import migrate
from ventures.database.pool import opened
from ventures.search.filling import Filling
from ventures.testing.embeddings import DIMENSION, MODEL, Embeddings, passages, units
from ventures.testing.moves import Moves
from ventures.testing.serving import folder
from ventures.testing.vectors_in_memory import VectorsInMemory
from ventures.vectors.api import VectorStore

PATIENCE_SECONDS = 60.0
"""Only so that a fault ends the test instead of hanging it."""
LATE_TO_DISK = {"wal_writer_delay": "10s", "autovacuum": "off", "max_connections": "30"}
"""Whatever does not wait for the disk is lost by a kill."""


@pytest.fixture
def data() -> Iterator[Path]:
    with folder() as above:
        yield above
        embedded.stop(above)


def killed(data: Path) -> None:
    server = embedded.running(data)
    assert server is not None
    os.kill(server, signal.SIGKILL)
    give_up = time.monotonic() + PATIENCE_SECONDS
    while embedded.running(data) == server:
        assert time.monotonic() < give_up
        time.sleep(0.01)


async def test_what_was_dropped_is_not_believed_to_be_there(data: Path) -> None:
    """A venture left a store and comes back, and PostgreSQL forgot between that its position had ended."""
    stores = {name: VectorsInMemory(name) for name in ("shared", "buckets")}

    async def opening(name: str) -> VectorStore:
        return stores[name]

    def filling() -> Filling:
        return Filling(database, model=MODEL, dimension=DIMENSION, default="shared", opening=opening)

    addresses = embedded.start(data, settings=LATE_TO_DISK)
    migrate(addresses.owner)
    with Embeddings(addresses.superuser) as rows, Moves(addresses.owner) as moves:
        async with opened(addresses.app, connections=4) as database:
            filled = filling()
            venture = rows.venture()
            rows.put(venture, passages(units(5)))
            moves.begin("shared", "buckets")
            moves.place(venture, "shared")
            moves.state(venture, "ready")
            await filled.caught_up()
            assert len(rows.kept(venture)) == 2
            moves.place(venture, "buckets")
            moves.state(venture, "completed")
            await filled.caught_up()
            assert await stores["shared"].count(venture) == 0
            assert len(rows.kept(venture)) == 1
            killed(data)
    embedded.start(data, settings=LATE_TO_DISK)
    with Embeddings(addresses.superuser) as rows, Moves(addresses.owner) as moves:
        moves.begin("buckets", "shared")
        moves.state(venture, "preparing")
        async with opened(addresses.app, connections=4) as database:
            assert len(rows.kept(venture)) == 2, "the kill lost nothing, and this shows nothing"
            filled = filling()
            await filled.caught_up()
        assert await stores["shared"].held(venture) == rows.held(venture)
        assert len(rows.held(venture)) == 5
