"""A bound for the heads of requests, which come before anything of ours can refuse them.

uvicorn waits for a head as long as its sender likes, and keeps all of it.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES: Final = 65_536
"""Browsers and proxies stay below 16 KiB; the rest is room."""
HEAD_SECONDS: Final = 15.0
"""From the first byte of a head, or from the connection, until its last."""


class BoundedHeads(HttpToolsProtocol):
    """A connection whose request's head is too long, or not there in time, is ended."""

    head_bytes = 0
    head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begins to wait."""
        super().connection_made(transport)
        self._await_head()

    def on_message_begin(self) -> None:
        """The next request of a connection that was kept."""
        super().on_message_begin()
        if self.head_due is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._forget()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Counts while the head is on its way; a body that comes in the same piece is none of it."""
        super().data_received(data)
        if self.head_due is None:
            return
        self.head_bytes += len(data)
        if self.head_bytes > MOST_HEAD_BYTES:
            self._forget()
            self.send_400_response("The head of this request is too long.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever ended it."""
        self._forget()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self.head_due = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _forget(self) -> None:
        self.head_bytes = 0
        if self.head_due is not None:
            self.head_due.cancel()
            self.head_due = None
