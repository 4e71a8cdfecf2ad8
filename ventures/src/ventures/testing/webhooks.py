"""For who receives webhooks: `verify` a request as Standard Webhooks wants it; and a receiver that misbehaves as told.

body = verify(secret, headers, body, now=time.time())     # raises NotOurs

async with receiver() as there:
    there.answers("500", "close", "ok")                   # the next three; then always the last
    … send to there.url …
    assert [hook.id for hook in there.received]
"""

import asyncio
import hmac
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec

TOLERANCE_SECONDS: Final = 300
Behaviour = Literal["ok", "500", "410", "close", "hang", "redirect", "flood", "binary", "slow-down"]


class NotOurs(Exception):
    """The request is not from who holds the secret, not of now, or was changed on its way."""


class Hook(msgspec.Struct, frozen=True):
    """A request that came in; header names in lower case."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


def verify(
    secret: str, headers: Mapping[str, str], body: bytes, *, now: float, tolerance_seconds: int = TOLERANCE_SECONDS
) -> Any:
    """The body's JSON, where one of the signatures is the secret's and the timestamp is near `now` (Unix seconds).

    secret: "whsec_…" as it was shown. Remember `webhook-id` for as long as the tolerance, to drop repetitions.
    Raises: NotOurs.
    """
    named = {name.lower(): value for name, value in headers.items()}
    try:
        message, timestamp = named["webhook-id"], named["webhook-timestamp"]
        signatures = named["webhook-signature"].split()
        sent_at = int(timestamp)
        key = b64decode(secret.removeprefix("whsec_"), validate=True)
    except KeyError as missing:
        raise NotOurs(f"there is no header {missing.args[0]}") from None
    except (ValueError, NotBase64):
        raise NotOurs("the timestamp is no number, or the secret is not one of ours") from None
    if abs(now - sent_at) > tolerance_seconds:
        raise NotOurs("the timestamp is too old, or the clocks differ")
    expected = b"v1," + b64encode(hmac.digest(key, f"{message}.{timestamp}.".encode() + body, sha256))
    if not any(hmac.compare_digest(expected, signature.encode()) for signature in signatures):
        raise NotOurs("no signature is of this secret and this body")
    return msgspec.json.decode(body)


@dataclass
class Receiver:
    """A server on loopback. `received`: whole requests, in order, whatever was answered."""

    port: int
    redirect_to: str = "http://169.254.169.254/latest/meta-data/"
    received: list[Hook] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0
    _next: list[Behaviour] = field(default_factory=lambda: list[Behaviour](["ok"]))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def answers(self, *behaviours: Behaviour) -> None:
        """How the next requests are answered; the last one goes on."""
        self._next = list(behaviours)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = head.split("\r\n")[1:]
                headers = {
                    name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines) if name
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.received.append(Hook(headers, body))
                behaviour = self._next.pop(0) if len(self._next) > 1 else self._next[0]
                await self._answer(behaviour, reader, writer)
        finally:
            self.open_now -= 1
            writer.close()

    async def _answer(self, behaviour: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match behaviour:
            case "close":
                return
            case "hang":
                await reader.read()  # until the other side gives up
                return
            case "flood":
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                while not writer.is_closing():
                    writer.write(b"x" * 65_536)
                    await writer.drain()
                return
            case "redirect":
                answer = f"HTTP/1.1 302 Found\r\nLocation: {self.redirect_to}\r\nContent-Length: 0\r\n\r\n".encode()
            case "binary":
                answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\0\xff\0!"
            case "slow-down":
                answer = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7200\r\nContent-Length: 0\r\n\r\n"
            case "410":
                answer = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
            case "500":
                answer = b"HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\noops"
            case "ok":
                answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        writer.write(answer)
        await writer.drain()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on a free port of loopback; settings must allow 127.0.0.0/8 for webhooks to reach it."""
    there = Receiver(0)
    server = await asyncio.start_server(there._serve, "127.0.0.1", 0)
    there.port = server.sockets[0].getsockname()[1]
    try:
        yield there
    finally:
        server.close()
