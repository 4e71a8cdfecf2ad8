"""An index process: it holds the vector stores, fills them from PostgreSQL and answers searches over a socket."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, get_args

import uvloop

from ventures.database.pool import opened as opened_database
from ventures.errors import SettingsError
from ventures.generation.api import shared_points
from ventures.search.api import Embedder, Filling, opened_embedder
from ventures.settings import Layout, Settings, read
from ventures.vectors.api import Point, VectorStore, serving
from ventures.vectors.api import opened as opened_store

CONNECTIONS: Final = 4
"""Two that fill, one that looks and follows, one that keeps positions."""


def main(number: int) -> None:
    """Runs as index process `number` (from 1) until SIGTERM or SIGINT; then flushes and closes the stores."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(number))


async def _run(number: int) -> None:
    settings = read(os.environ)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    await hold(settings, number, stop)


async def hold(settings: Settings, number: int, stop: asyncio.Event) -> None:
    """All of an index process's work, until `stop` is set. Raises: SettingsError where another one does it."""
    async with (
        opened_database(settings.database_address, connections=CONNECTIONS) as database,
        opened_embedder(settings) as embedder,
    ):
        filling = Filling(
            database,
            model=embedder.model,
            dimension=embedder.dimension,
            default=settings.index_layout,
            opening=_opening(settings, embedder.model, embedder.dimension, number),
            process=number,
            processes=settings.index_processes,
            shared_points=_patterns(embedder),
        )
        async with serving(settings.data, number, filling):
            await filling.run(stop)


def _patterns(embedder: Embedder) -> Callable[[], Awaitable[Sequence[Point]]]:
    """What all ventures share, made once."""
    made: list[Point] = []

    async def patterns() -> Sequence[Point]:
        if not made:
            made.extend(await shared_points(embedder))
        return made

    return patterns


def _opening(settings: Settings, model: str, dimension: int, number: int) -> Callable[[str], Awaitable[VectorStore]]:
    async def opening(layout: str) -> VectorStore:
        if layout not in get_args(Layout):
            raise SettingsError(f"A route names the layout {layout[:100]!r}, which there is not.")
        where: Path | str = settings.data / "index"
        if layout == "qdrant":
            if settings.qdrant_url is None:
                raise SettingsError("A route names the layout qdrant; VENTURES_QDRANT_URL must say where it is.")
            where = settings.qdrant_url
        return await opened_store(
            layout,
            where,
            dimension=dimension,
            model=model,
            share=(number - 1, settings.index_processes),
            api_key=settings.qdrant_api_key,
        )

    return opening
