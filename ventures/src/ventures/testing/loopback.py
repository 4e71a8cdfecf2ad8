"""A small HTTP server on loopback that does what a test tells it, on the level of the connection too.

    async def handle(request: Request) -> Answer | Drop: ...
    async with serving(handle) as url: ...

A handler may also hang, by waiting for something that never comes; it ends with the server.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec


@dataclass(frozen=True)
class Request:
    """What was asked. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is answered: `content` as JSON, or bytes as they are."""

    content: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Drop:
    """The connection is closed without an answer."""


Handle = Callable[[Request], Awaitable[Answer | Drop]]


@asynccontextmanager
async def serving(handle: Handle) -> AsyncIterator[str]:
    """→ the server's URL, on a port the system chose."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await _answered(handle, reader, writer)
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _answered(handle: Handle, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    answer = await handle(Request(method, parts.path, dict(parse_qsl(parts.query)), headers, body))
    if isinstance(answer, Drop):
        return
    content = answer.content if isinstance(answer.content, bytes) else msgspec.json.encode(answer.content)
    given = {"Content-Type": "application/json", "Content-Length": str(len(content)), "Connection": "close"}
    given.update(answer.headers)
    status = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
    writer.write(
        (status + "".join(f"{name}: {value}\r\n" for name, value in given.items()) + "\r\n").encode() + content
    )
    await writer.drain()
