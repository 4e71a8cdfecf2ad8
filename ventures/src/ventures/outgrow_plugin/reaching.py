"""The platform as a tool beside it reaches it: settings from the environment, PostgreSQL and index processes on an
event loop of their own, calls from any thread.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from ventures.database import embedded
from ventures.database.pool import Database, opened
from ventures.errors import VenturesError
from ventures.search.api import RoutedIndex, opened_embedder
from ventures.settings import Settings, read

CONNECTIONS: Final = 4
CLOSING_SECONDS: Final = 10.0
KEYS: Final = {"data"}
T = TypeVar("T")


def settings_of(given: Mapping[str, Any], more: set[str], environ: Mapping[str, str] | None = None) -> Settings:
    """The platform's settings. given: the plugin's own, of which `data` names the platform's data folder; `more`: the
    further keys it may have. Raises: ValueError.
    """
    if strange := sorted(set(given) - KEYS - more):
        raise ValueError(f"{strange[0]!r} is no setting of it; there are {', '.join(sorted(KEYS | more))}")
    try:
        settings = read(os.environ if environ is None else environ)
    except VenturesError as error:
        raise ValueError(str(error)) from error
    if "data" not in given:
        return settings
    if not isinstance(given["data"], str):
        raise ValueError("data is to be the path of a folder")
    return msgspec.structs.replace(settings, data=Path(given["data"]).expanduser().absolute())


class Platform:
    """Opened when it is first asked; every call is carried out on one event loop in a thread of its own.

    model, dimension: of the vectors that are searched; known once `database` was asked for. Calls raise VenturesError.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.model, self.dimension = "", 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._beginning, self._opening = threading.Lock(), threading.Lock()
        self._stack: AsyncExitStack | None = None
        self._database: Database | None = None
        self.index = RoutedIndex(settings.data, processes=settings.index_processes)

    @property
    def database(self) -> Database:
        """Raises: DatabaseUnfit where none runs; Unavailable."""
        with self._opening:
            if self._database is None:
                self._database = self.do(self._opened())
            return self._database

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Its result. Ctrl-C ends the work, too."""
        with self._beginning:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="ventures", daemon=True)
                self._thread.start()
        doing = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return doing.result()
        except BaseException:
            doing.cancel()
            raise

    def each(self, source: AsyncIterator[T]) -> Iterator[T]:
        """What it yields, one after the other."""

        async def following() -> tuple[T] | None:
            try:
                return (await anext(source),)
            except StopAsyncIteration:
                return None

        while (one := self.do(following())) is not None:
            yield one[0]

    def close(self) -> None:
        """Lets go of all; no call is allowed afterwards."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or loop.is_closed():
            return

        async def closing() -> None:
            await self.index.close()
            if self._stack is not None:
                await self._stack.aclose()

        self.do(closing())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSING_SECONDS)
        loop.close()

    async def _opened(self) -> Database:
        async with AsyncExitStack() as stack:
            embedder = await stack.enter_async_context(opened_embedder(self.settings))
            database = await stack.enter_async_context(opened(app_address(self.settings), connections=CONNECTIONS))
            self.model, self.dimension = embedder.model, embedder.dimension
            self._stack = stack.pop_all()
            return database


def app_address(settings: Settings) -> str:
    """Where the application's role signs in: what DATABASE_URL says, or the platform's own server, which must run.

    Raises: SettingsError.
    """
    if settings.database_url is None and embedded.running(settings.data) is not None:
        return embedded.addresses(settings.data).app
    return settings.database_address
