"""HTTP/1.1 to one server over kept connections, one request at a time on each: as little work as it can be."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import httptools

FAILED: Final = 0
"""Status of what was never answered."""


class Ask:
    """A request to send, and what to do with its answer.

    operation: its number in the workload. wants_body: whether `done` needs the body of a good answer. done: called
    with (status, version, body); version: of a strong ETag of ours, 0 where there is none.
    """

    __slots__ = ("answered", "body", "done", "etag", "intended", "operation", "request", "sent", "status", "wants_body")

    def __init__(
        self,
        operation: int,
        request: bytes,
        done: Callable[[int, int, bytes], None] | None = None,
        *,
        wants_body: bool = False,
    ) -> None:
        self.operation = operation
        self.request = request
        self.done = done
        self.wants_body = wants_body
        self.intended = self.sent = self.answered = 0.0
        self.status = FAILED
        self.etag = b""
        self.body = b""

    @property
    def version(self) -> int:
        """Of the ETag, 0 where there is none or it is not ours."""
        number = self.etag.strip(b'"')
        return int(number) if number.isdigit() else 0


class Connection(asyncio.Protocol):
    """Sends what it is given when nothing is under way, and hands the answered `Ask` back.

    ended: called with (connection, what was under way or None, why) once it is of no more use.
    """

    def __init__(
        self,
        answered: Callable[["Connection", Ask], None],
        ended: Callable[["Connection", Ask | None, str], None],
    ) -> None:
        self._answered = answered
        self._ended = ended
        self._why = "closed by the server"
        self._parser: Any = httptools.HttpResponseParser(self)
        self._transport: Any = None
        self.ask: Ask | None = None

    def connection_made(self, transport: Any) -> None:
        """Open."""
        self._transport = transport

    def send(self, ask: Ask) -> None:
        """Nothing may be under way."""
        self.ask = ask
        self._transport.write(ask.request)

    def close(self, why: str) -> None:
        """Ends it at once, with what is under way."""
        self._why = why
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """A piece of an answer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close("no HTTP")

    def connection_lost(self, error: Exception | None) -> None:
        """Whoever ended it."""
        ask, self.ask = self.ask, None
        self._ended(self, ask, self._why)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of the answer; the server writes names in small letters."""
        if name == b"etag" and self.ask is not None:
            self.ask.etag = value

    def on_body(self, body: bytes) -> None:
        """A piece of it, kept where somebody wants it."""
        ask = self.ask
        if ask is not None and (ask.wants_body or self._parser.get_status_code() >= 400):
            ask.body += body

    def on_message_complete(self) -> None:
        """The answer is whole."""
        ask, self.ask = self.ask, None
        if ask is None:
            self.close("an answer that nobody asked for")
            return
        ask.status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.close("closed by the server")
        self._answered(self, ask)

    @property
    def open(self) -> bool:
        """Whether another request may be sent."""
        return not self._transport.is_closing()
