"""An OpenAI-compatible language model on loopback that writes what it is told, and misbehaves in every way it knows.

async with language_model() as server:
    server.says = "Oolong is half oxidised [1]."
    server.misdeeds.append("hangs")              # what the next request meets, then the next one after it …
    model = LanguageModel(server.url, "stub", server.key)
    assert server.prompts == [...]               # all it was asked, as one text each
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Literal, get_args

import msgspec

Misdeed = Literal[
    "refuses_connection",
    "hangs",
    "hangs_midway",
    "hangs_in_refusal",
    "pings_for_ever",
    "drips",
    "cuts_off",
    "cuts_off_midway",
    "ends_without_end",
    "garbage",
    "broken_json",
    "not_utf8",
    "wrong_shape",
    "endless",
    "endless_line",
    "empty",
    "only_spaces",
    "nul",
    "filtered",
    "filtered_at_once",
    "too_long",
    "too_long_at_once",
    "unauthorised",
    "rate_limited",
    "rate_limited_for_long",
    "busy",
    "error_in_stream",
    "html",
    "json",
    "redirects",
    "compressed",
    "unknown_end",
]
MISDEEDS: Final[tuple[Misdeed, ...]] = get_args(Misdeed)
KEY: Final = "sk-a-key-that-nobody-may-see"
EVENTS: Final = {"Content-Type": "text/event-stream"}
LONG_RETRY_SECONDS: Final = 3_600


@dataclass
class LocalLanguageModel:
    """The server. says: its text, in pieces of `piece_characters`; pause_seconds: between pieces.

    retry_after: what it says with 429, in seconds. tells_usage: otherwise it refuses to be asked for it. prompts: the
    messages of each request, as one text.
    """

    url: str = ""
    key: str = KEY
    says: str = "Oolong is half oxidised [1]."
    piece_characters: int = 5
    pause_seconds: float = 0.0
    retry_after: str | None = "0"
    tells_usage: bool = True
    misdeeds: deque[Misdeed] = field(default_factory=deque)
    prompts: list[str] = field(default_factory=list)
    left: int = 0
    """Requests whose client went away before the end."""


@asynccontextmanager
async def language_model() -> AsyncIterator[LocalLanguageModel]:
    """→ the server, on a port the system chose."""
    server = LocalLanguageModel()
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await _answered(server, reader, writer)
        writer.close()

    listening = await asyncio.start_server(one, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listening.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


async def _answered(server: LocalLanguageModel, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    misdeed = server.misdeeds.popleft() if server.misdeeds else None
    if misdeed == "refuses_connection":
        return
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n"))
    }
    body = msgspec.json.decode(await reader.readexactly(int(headers.get("content-length", "0"))))
    assert body["stream"] is True
    server.prompts.append("\n".join(message["content"] for message in body["messages"]))
    if headers.get("authorization") != f"Bearer {server.key}":
        misdeed = "unauthorised"
    if "stream_options" in body and not server.tells_usage:
        await _whole(writer, 422, {"detail": [{"loc": ["body", "stream_options"], "type": "extra_forbidden"}]})
        return
    gone = asyncio.create_task(_gone(server, reader))
    work = asyncio.create_task(_spoken(server, writer, misdeed))
    try:
        await asyncio.wait({gone, work}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        for task in (gone, work):
            task.cancel()
        await asyncio.gather(gone, work, return_exceptions=True)


async def _gone(server: LocalLanguageModel, reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        while await reader.read(1_024):
            continue
    server.left += 1


async def _spoken(server: LocalLanguageModel, writer: asyncio.StreamWriter, misdeed: Misdeed | None) -> None:
    match misdeed:
        case "hangs":
            await asyncio.Event().wait()
        case "cuts_off":
            return
        case "unauthorised":
            await _whole(writer, 401, {"error": {"message": f"Incorrect API key provided: {server.key}"}})
        case "rate_limited" | "rate_limited_for_long":
            wait = server.retry_after if misdeed == "rate_limited" else str(LONG_RETRY_SECONDS)
            await _whole(writer, 429, {"error": {}}, {} if wait is None else {"Retry-After": wait})
        case "busy":
            await _whole(writer, 503, {"error": {"message": "overloaded"}})
        case "filtered_at_once":
            await _whole(writer, 400, {"error": {"code": "content_filter"}})
        case "too_long_at_once":
            await _whole(writer, 400, {"error": {"code": "context_length_exceeded"}})
        case "redirects":
            await _whole(writer, 302, {}, {"Location": "http://127.0.0.1:9/"})
        case "html":
            await _whole(writer, 200, b"<html>Sign in</html>", {"Content-Type": "text/html"})
        case "json":
            await _whole(writer, 200, {"choices": [{"message": {"content": server.says}, "finish_reason": "stop"}]})
        case "compressed":
            await _whole(writer, 200, b"\x1f\x8b\x08", {**EVENTS, "Content-Encoding": "gzip"})
        case "hangs_in_refusal":
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\n{")
            await writer.drain()
            await asyncio.Event().wait()
        case _:
            await _streamed(server, writer, misdeed)


async def _streamed(server: LocalLanguageModel, writer: asyncio.StreamWriter, misdeed: Misdeed | None) -> None:
    await _head(writer, 200, EVENTS)
    match misdeed:
        case "pings_for_ever":
            while True:
                await _raw(writer, b": ping\n\n")
                await asyncio.sleep(0.01)
        case "drips":
            while True:
                await _event(writer, _piece("."))
                await asyncio.sleep(0.02)
        case "endless":
            while True:
                await _event(writer, _piece("and so on " * 100))
        case "endless_line":
            await _raw(writer, b"data: ")
            while True:
                await _raw(writer, b"x" * 4_096)
        case "garbage":
            await _raw(writer, bytes(range(1, 200)) + b"\n\n")
            return
        case "not_utf8":
            await _raw(writer, b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n')
            return
    if misdeed not in ("empty", "only_spaces"):
        await _event(writer, _piece("Tea\0! " if misdeed == "nul" else ""))
    match misdeed:
        case "broken_json":
            await _raw(writer, b'data: {"choices": [{"delta": {"cont\n\n')
            return
        case "wrong_shape":
            await _event(writer, {"choices": {"text": 7}})
            return
        case "error_in_stream":
            await _event(writer, {"error": {"message": f"failed for {server.key}"}})
            return
    text = {"empty": "", "only_spaces": "  \n "}.get(misdeed or "", server.says)
    for start in range(0, len(text), server.piece_characters):
        await _event(writer, _piece(text[start : start + server.piece_characters]))
        await asyncio.sleep(server.pause_seconds)
        if start and misdeed == "hangs_midway":
            await asyncio.Event().wait()
        if start and misdeed == "cuts_off_midway":
            writer.transport.abort()
            return
    if misdeed == "ends_without_end":
        await _raw(writer, b"data: [DONE]\n\n")
        return
    reasons = {"filtered": "content_filter", "too_long": "length", "unknown_end": "tool_calls"}
    await _event(writer, {"choices": [{"delta": {}, "finish_reason": reasons.get(misdeed or "", "stop")}]})
    if server.tells_usage:
        await _event(writer, {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}})
    await _raw(writer, b"data: [DONE]\n\n")


def _piece(text: str) -> dict[str, Any]:
    return {"id": "1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}


async def _event(writer: asyncio.StreamWriter, data: Any) -> None:
    await _raw(writer, b"data: " + msgspec.json.encode(data) + b"\n\n")


async def _raw(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _whole(
    writer: asyncio.StreamWriter, status: int, content: Any, headers: dict[str, str] | None = None
) -> None:
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    given = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    await _head(writer, status, given)
    await _raw(writer, body)


async def _head(writer: asyncio.StreamWriter, status: int, headers: dict[str, str]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Connection": "close"}.items())
    await _raw(writer, f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n".encode())
