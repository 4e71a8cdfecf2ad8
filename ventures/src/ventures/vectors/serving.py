"""Answers searches over a Unix socket in a private folder, for the processes of the same account alone.

A connection has several requests in flight, each answered when it is done. What nobody waits for any more is not
searched: after a pause of the process (a flush, a compaction, the machine) only those that are still of use are.
"""

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Protocol, TextIO, cast

import msgspec

from ventures.errors import Refused, SettingsError
from ventures.vectors import wire
from ventures.vectors.wire import (
    Cannot,
    Found,
    Holding,
    Holds,
    HowFar,
    Ping,
    Pong,
    Reached,
    Refill,
    Search,
    Standing,
    StoreStatus,
)

IN_FLIGHT: Final = 256
"""Requests of one connection that are worked on; further ones wait in the socket."""

WATCH_SECONDS: Final = 2.0
"""Between looks whether the socket is still there."""

log = logging.getLogger(__name__)


class Holder(Protocol):
    """Who has the stores, and knows how far each is filled."""

    async def search(self, asked: Search) -> Found | Cannot:
        """The answer, or why there is none now. Raises: Refused, which says the same."""

    async def status(self) -> list[StoreStatus]:
        """One line a store."""

    async def held(self, asked: Holding) -> Holds | Cannot:
        """A page of what a store holds of a venture. Raises: Refused."""

    async def reached(self, asked: HowFar) -> Reached | Cannot:
        """How far a store is for a venture."""

    async def refill(self, asked: Refill) -> Reached | Cannot:
        """Begins to put a venture into a store from nothing."""


@asynccontextmanager
async def serving(data: Path, number: int, holder: Holder) -> AsyncIterator[None]:
    """Listens as index process `number` of this data folder, until the end.

    Raises: SettingsError where another one does, or the folder is not ours.
    """
    door = _Door(data, number, holder)
    await door.open()
    watching = asyncio.create_task(door.watched())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await door.close()


class _Door:
    """The socket with its lock, made anew where somebody removed them while the process runs."""

    def __init__(self, data: Path, number: int, holder: Holder) -> None:
        self._path = wire.socket_of(data, number)
        self._taken = f"Index process {number} runs already with the data in {data}. Stop it first."
        self._holder = holder
        self._connections: set[_Connection] = set()
        self._lock: TextIO | None = None
        self._server: asyncio.AbstractServer | None = None
        self._inode: int | None = 0

    async def open(self) -> None:
        folder = wire.private(self._path.parent)
        lock = self._locked(folder / f"{self._path.stem}.lock")
        if self._server is not None:
            self._server.close()
        if self._lock is not None and self._lock is not lock:
            self._lock.close()
        self._lock = lock
        self._path.unlink(missing_ok=True)  # of a process that was killed
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: _Connection(self._holder, self._connections.add, self._connections.discard), str(self._path)
        )
        self._inode = _inode(self._path)

    async def watched(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if _inode(self._path) == self._inode:
                continue
            try:
                await self.open()
                log.warning("the socket %s was gone; it is there again", self._path)
            except (SettingsError, OSError) as error:
                log.error("the socket %s is gone and cannot be made again: %s", self._path, error)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if _inode(self._path) == self._inode:
            self._path.unlink(missing_ok=True)
        for connection in list(self._connections):
            await connection.finished()
        if self._lock is not None:
            self._lock.close()

    def _locked(self, path: Path) -> TextIO:
        if self._lock is not None and os.fstat(self._lock.fileno()).st_ino == _inode(path):
            return self._lock
        lock = path.open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise SettingsError(self._taken) from None
        return lock


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


class _Connection(asyncio.Protocol):
    def __init__(
        self, holder: Holder, made: "Callable[[_Connection], None]", lost: "Callable[[_Connection], None]"
    ) -> None:
        self._holder = holder
        self._made, self._lost = made, lost
        self._frames = wire.Frames()
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self._made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost(self)
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._frames.of(data):
                self._begin(wire.requests.decode(body))
        except (wire.FrameTooLong, msgspec.MsgspecError) as error:
            log.warning("a connection sent what cannot be read (%s); it is closed", error)
            if self._transport is not None:
                self._transport.abort()

    async def finished(self) -> None:
        """Answers what was asked and closes."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._transport is not None:
            self._transport.close()

    def _begin(self, request: wire.Request) -> None:
        if isinstance(request, Ping):
            self._answer(Pong(request.number))
            return
        task = asyncio.get_running_loop().create_task(self._answered(request))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        if len(self._tasks) == IN_FLIGHT and self._transport is not None:
            self._transport.pause_reading()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if len(self._tasks) == IN_FLIGHT - 1 and self._transport is not None:
            self._transport.resume_reading()
        with suppress(asyncio.CancelledError):
            task.result()

    async def _answered(self, request: wire.Request) -> None:
        if isinstance(request, Search):
            if time.monotonic() < request.until:
                self._answer(await self._found(request))
            return
        try:
            self._answer(await self._told(request))
        except Refused as refusal:
            self._answer(Cannot(request.number, str(refusal)))
        except Exception as error:  # a fault in the figures must not end the process that answers searches
            log.exception("what was asked of the stores cannot be told")
            self._answer(Cannot(request.number, f"What was asked of the stores cannot be told: {error}"))

    async def _told(self, request: wire.Request) -> wire.Reply:
        match request:
            case Holding():
                return await self._holder.held(request)
            case HowFar():
                return await self._holder.reached(request)
            case Refill():
                return await self._holder.refill(request)
            case _:
                return Standing(request.number, await self._holder.status())

    async def _found(self, asked: Search) -> Found | Cannot:
        try:
            return await self._holder.search(asked)
        except Refused as refusal:
            return Cannot(asked.number, str(refusal))
        except Exception:  # a fault of an engine: the caller has another way to the answer
            log.exception("a search failed")
            return Cannot(asked.number, "The index failed at this search; why is in its messages.")

    def _answer(self, reply: wire.Reply) -> None:
        if self._transport is not None:
            self._transport.write(wire.framed(reply))
