"""A request's head is bounded in size and time, its body and a kept connection are not."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from ventures.http import heads

PATIENCE_SECONDS = 60.0


async def answers(scope: Any, receive: Any, send: Any) -> None:
    """Says how long the body was."""
    length = 0
    while True:
        message = await receive()
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": b"%08d" % length})


@asynccontextmanager
async def served() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server with bounded heads."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(
            uvicorn.Config(answers, http=heads.BoundedHeads, lifespan="off", log_level="critical", access_log=False)
        )
        running = asyncio.create_task(server.serve([listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
            server.should_exit = True
            await running


async def said(reader: asyncio.StreamReader, length: int = 65_536) -> bytes:
    return await asyncio.wait_for(reader.read(length), PATIENCE_SECONDS)


async def test_a_head_that_is_too_long_is_refused() -> None:
    async with served() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ")
        for _ in range(100):
            if writer.is_closing():
                break
            writer.write(b"a" * 8192)
            try:
                await writer.drain()
            except ConnectionError:
                break
            await asyncio.sleep(0)
        try:
            answer = await said(reader)
        except ConnectionError:
            answer = b""
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


async def test_a_long_body_and_a_second_request_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"b" * 300_000
    async with served() as (reader, writer):
        for _ in range(2):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            answer = await said(reader)
            while b"00300000" not in answer:
                answer += await said(reader)
            assert answer.startswith(b"HTTP/1.1 200")


async def test_a_head_that_never_ends_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.2)
    async with served() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert await said(reader) == b""


async def test_whoever_says_nothing_at_all_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.2)
    async with served() as (reader, _):
        assert await said(reader) == b""
