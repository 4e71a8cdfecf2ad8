"""Asks an index process: one connection, many requests in flight, a deadline for each.

Whatever happens to that process, a search ends within the deadline. After some failures in a row it is asked no more:
searches are refused at once, which costs nothing, and a probe of its own looks now and then whether somebody answers.
"""

import asyncio
import logging
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final, cast
from uuid import UUID

import msgspec

from ventures.errors import Unavailable
from ventures.vectors import wire
from ventures.vectors.records import ALL, Kind, Only, Vector
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
    Status,
    StoreStatus,
)

DEADLINE_SECONDS: Final = 0.15
STATUS_SECONDS: Final = 2.0
HELD_SECONDS: Final = 20.0
"""For a page of what a store holds: a store without an index by venture looks through all it has."""
FAILURES: Final = 3
"""So many in a row, and it is asked no more until it answers the probe."""
SHORTEST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 5.0

log = logging.getLogger(__name__)


class Remote:
    """The way to index process `number` of a data folder. Belongs to one event loop; connects when it is needed."""

    def __init__(self, data: Path, number: int, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._path = wire.socket_of(data, number)
        self.number = number
        self._deadline_seconds = deadline_seconds
        self._connecting: asyncio.Task[_Connection] | None = None
        self._failures = 0
        self._probing: asyncio.Task[None] | None = None
        self._numbers = count(1)

    async def search(
        self, store: str, venture: UUID, kind: Kind, vector: Vector, *, limit: int, only: Only = ALL
    ) -> Found:
        """The nearest points in the store of that name.

        Raises: Unavailable within the deadline; Invalid where it is narrowed to more than a frame takes.
        """
        if self._probing is not None:
            raise Unavailable(f"Index process {self.number} does not answer; it is asked again from time to time.")
        until = time.monotonic() + self._deadline_seconds
        asked = Search(next(self._numbers), until, store, venture, kind, wire.packed(vector), limit, only)
        try:
            reply = await self._reply(asked, self._deadline_seconds)
        except Unavailable:
            self._failed()
            raise
        self._failures = 0
        if isinstance(reply, Found):
            return reply
        raise _refused(reply)

    async def status(self) -> list[StoreStatus]:
        """How the stores of the process are. Raises: Unavailable."""
        reply = await self._reply(Status(next(self._numbers)), STATUS_SECONDS)
        if isinstance(reply, Standing):
            return reply.stores
        raise _refused(reply)

    async def held(self, store: str, venture: UUID, *, after: UUID | None, limit: int) -> Holds:
        """A page of what the store holds of the venture. Raises: Unavailable."""
        reply = await self._reply(Holding(next(self._numbers), store, venture, after, limit), HELD_SECONDS)
        if isinstance(reply, Holds):
            return reply
        raise _refused(reply)

    async def reached(self, store: str, venture: UUID) -> Reached:
        """How far the store is for the venture. Raises: Unavailable."""
        reply = await self._reply(HowFar(next(self._numbers), store, venture), STATUS_SECONDS)
        if isinstance(reply, Reached):
            return reply
        raise _refused(reply)

    async def refill(self, store: str, venture: UUID) -> None:
        """Has the venture put into the store from nothing; returns when that is begun. Raises: Unavailable."""
        reply = await self._reply(Refill(next(self._numbers), store, venture), STATUS_SECONDS)
        if not isinstance(reply, Reached):
            raise _refused(reply)

    async def close(self) -> None:
        """Lets go of the connection; what is in flight fails."""
        for task in (self._probing, self._connecting):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await task
        self._drop()

    async def _reply(self, message: wire.Request, seconds: float) -> wire.Reply:
        frame = wire.framed(message)
        try:
            async with asyncio.timeout(seconds):
                return await (await self._connected()).ask(message.number, frame)
        except TimeoutError:
            raise Unavailable(f"Index process {self.number} did not answer within {seconds * 1000:.0f} ms.") from None
        except (OSError, msgspec.MsgspecError, wire.FrameTooLong) as error:
            raise Unavailable(f"Index process {self.number} is not there ({error}).") from None

    async def _connected(self) -> "_Connection":
        made = self._connecting
        if made is not None and made.done() and (made.cancelled() or made.exception() or made.result().lost):
            made = None
        if made is None:
            made = self._connecting = asyncio.get_running_loop().create_task(self._connect())
        return await asyncio.shield(made)  # whoever gives up waiting leaves it to the others

    async def _connect(self) -> "_Connection":
        wire.require_ours(self._path.parent)
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_unix_connection(_Connection, str(self._path))
        return connection

    def _drop(self) -> None:
        made, self._connecting = self._connecting, None
        if made is None:
            return
        if made.done() and not made.cancelled() and not made.exception():
            made.result().abort()
        else:
            made.cancel()

    def _failed(self) -> None:
        self._failures += 1
        if self._failures < FAILURES or self._probing is not None:
            return
        self._drop()
        log.warning("index process %s failed %s searches in a row; searches go without it", self.number, self._failures)
        self._probing = asyncio.get_running_loop().create_task(self._probed())

    async def _probed(self) -> None:
        pause = SHORTEST_PAUSE_SECONDS
        try:
            while True:
                await asyncio.sleep(pause)
                with suppress(Unavailable):
                    if isinstance(await self._reply(Ping(next(self._numbers)), self._deadline_seconds), Pong):
                        log.info("index process %s answers again", self.number)
                        return
                self._drop()
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        finally:
            self._failures = 0
            self._probing = None


def _refused(reply: wire.Reply) -> Unavailable:
    return Unavailable(reply.why if isinstance(reply, Cannot) else "The index answered something else.")


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._frames = wire.Frames()
        self._waiting: dict[int, asyncio.Future[wire.Reply]] = {}
        self._transport: asyncio.Transport | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc if isinstance(exc, OSError) else ConnectionResetError("the connection ended"))

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._frames.of(data):
                reply = wire.replies.decode(body)
                if (waiting := self._waiting.pop(reply.number, None)) is not None and not waiting.done():
                    waiting.set_result(reply)
        except (wire.FrameTooLong, msgspec.MsgspecError) as error:
            self._end(error)
            self.abort()

    async def ask(self, number: int, frame: bytes) -> wire.Reply:
        """The reply to the message of that number. Raises: OSError, or what made the connection end."""
        if self.lost or self._transport is None:
            raise ConnectionResetError("the connection ended")
        reply: asyncio.Future[wire.Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = reply
        self._transport.write(frame)
        try:
            return await reply
        finally:
            self._waiting.pop(number, None)

    def abort(self) -> None:
        self.lost = True
        if self._transport is not None:
            self._transport.abort()

    def _end(self, why: Exception) -> None:
        self.lost = True
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            if not one.done():
                one.set_exception(why)
