"""A real index process on a database, within reach of signals, and what its stores hold once it has ended.

Forked from a server that has imported all it needs, so that dozens of them can be started and killed in a test.
"""

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final
from uuid import UUID

from ventures.errors import Unavailable
from ventures.search.api import WordLlamaEmbedder
from ventures.vectors.api import Held, opened
from ventures.vectors.remote import Remote
from ventures.vectors.wire import StoreStatus

MODEL: Final = WordLlamaEmbedder.model
DIMENSION: Final = WordLlamaEmbedder.dimension
PATIENCE_SECONDS: Final = 60.0
"""Only so that a fault ends the test instead of hanging it."""
SECRET: Final = "0123456789abcdef0123456789abcdef-of-a-test"  # noqa: S105 (it protects nothing)

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["ventures.workers.index", "ventures.vectors.stores.sharded"])


class IndexProcess:
    """Index process 1 of the data folder, on the database at `address`, with the layout as default."""

    def __init__(self, data: Path, address: str, *, layout: str = "tuned") -> None:
        self.data = data
        self.layout = layout
        self._environment = {
            "DATABASE_URL": address,
            "VENTURES_DATA": str(data),
            "VENTURES_SECRET": SECRET,
            "VENTURES_INDEX_LAYOUT": layout,
        }
        self._process: ForkServerProcess | None = None

    def start(self) -> None:
        """Returns at once."""
        self._process = _server.Process(target=_hold, args=(self._environment, str(self.data / "index.out")))
        self._process.start()

    def signal(self, number: signal.Signals) -> None:
        """To the process that runs."""
        assert self._process is not None
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """Ends it as the kernel does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def stop(self) -> None:
        """Ends it in order. Raises: AssertionError where it does not end, or failed."""
        assert self._process is not None
        self._process.terminate()
        self._process.join(PATIENCE_SECONDS)
        assert self._process.exitcode == 0, f"it ended with {self._process.exitcode}: {self.said}"
        self._process = None

    @property
    def said(self) -> str:
        """What it wrote so far."""
        return (self.data / "index.out").read_text(errors="replace")

    async def status(self) -> list[StoreStatus]:
        """Empty where it does not answer."""
        remote = Remote(self.data, 1)
        try:
            return await remote.status()
        except Unavailable:
            return []
        finally:
            await remote.close()

    async def caught_up(self, ventures: int) -> None:
        """Returns once it has so many ventures, and all that there is of them."""
        await self.until(lambda store: store.filled == ventures and store.behind == 0)

    async def until(self, true: Callable[[StoreStatus], bool]) -> None:
        """Returns once this holds of its default store."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not any(true(store) for store in await self.status() if store.store == self.layout):
            assert time.monotonic() < give_up, f"{await self.status()} {self.said[-3000:]}"
            await asyncio.sleep(0.03)

    async def held(self, venture: UUID) -> list[Held]:
        """What the store holds; the process must have ended."""
        return (await self.all_held([venture]))[venture]

    async def all_held(self, ventures: list[UUID]) -> dict[UUID, list[Held]]:
        """The same of several ventures, opening the store but once."""
        store = await opened(self.layout, self.data / "index", dimension=DIMENSION, model=MODEL)
        found: dict[UUID, list[Held]] = {}
        try:
            for venture in ventures:
                of_one = found.setdefault(venture, [])
                while page := await store.held(venture, after=of_one[-1].id if of_one else None):
                    of_one += page
        finally:
            await store.close()
        return found


def _hold(environment: dict[str, str], said: str) -> None:
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    for name in [name for name in os.environ if name.startswith(("VENTURES_", "DATABASE_URL"))]:
        del os.environ[name]
    os.environ.update(environment)
    from ventures.cli.output import log_to_stderr
    from ventures.workers.index import main

    log_to_stderr("info")
    main(1)
