"""The store that reads are mirrored to, as the platform meets it: alive, stalled, or failing at all it is asked."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress

from ventures.testing.serving import Serving
from ventures.vectors import wire

FAILURE = "This store fails at whatever it is asked."


class ShadowStore:
    """Index process `number`, which holds the target and nothing else that is searched.

    Stalled: it is stopped by SIGSTOP, and its socket takes connections and requests and says nothing. Failing: it is
    stopped, and something else listens at its socket, which refuses every search at once.
    """

    def __init__(self, platform: Serving, number: int) -> None:
        self._socket = wire.socket_of(platform.data, number)
        self._aside = self._socket.with_suffix(".aside")
        found = [one for one in platform.processes("index") if one.cmdline()[-1] == str(number)]
        if len(found) != 1:
            raise RuntimeError(f"there is no index process {number}")
        self._process: int = found[0].pid
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self.asked_at: list[float] = []
        """When searches came while it was failing: seconds of the monotonic clock."""

    def stall(self) -> None:
        """From now on it says nothing."""
        os.kill(self._process, signal.SIGSTOP)

    async def fail(self) -> None:
        """From now on it refuses."""
        self.stall()
        self._socket.rename(self._aside)
        self._server = await asyncio.start_unix_server(self._refuse, str(self._socket))

    async def heal(self) -> None:
        """It is as it was."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for connection in self._connections:
                connection.close()
            self._connections.clear()
            self._socket.unlink(missing_ok=True)
            self._aside.rename(self._socket)
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGCONT)

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int.from_bytes(await reader.readexactly(wire.LENGTH_BYTES), "big")
                request = wire.requests.decode(await reader.readexactly(size))
                if isinstance(request, wire.Search):
                    self.asked_at.append(time.monotonic())
                pong = isinstance(request, wire.Ping)
                writer.write(wire.framed(wire.Pong(request.number) if pong else wire.Cannot(request.number, FAILURE)))
        self._connections.discard(writer)
