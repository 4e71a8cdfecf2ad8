"""The language model: any OpenAI-compatible endpoint, streamed. What it does wrong is a value, not an exception."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final

import httpx2
import msgspec

from ventures.generation.prompts import Message
from ventures.generation.records import MOST_TEXT_CHARACTERS, Failed, Failure, Written

MOST_LINE_BYTES: Final = 65_536
MOST_ANSWER_BYTES: Final = 8_000_000
MOST_ERROR_BYTES: Final = 16_384
RETRIES: Final = 2
DONE: Final = "[DONE]"
STOPS: Final = frozenset({"stop", "eos_token", "stop_sequence", "end_turn"})
"""Ends of a whole text; all but the first are what some servers say instead."""
USAGE: Final = "stream_options"
"""What asks for the usage; some servers refuse what they do not know."""
TOO_LONG: Final = ("context_length", "maximum context", "too many tokens", "string_above_max_length")
FILTERED: Final = ("content_filter", "content_policy", "content management policy")
SENTENCES: Final[dict[Failure, str]] = {
    "unreachable": "The language model could not be reached. Try again; if it stays so, the address "
    "(VENTURES_LANGUAGE_MODEL_URL) or the network is wrong.",
    "unauthorised": "The language model refused the key of this installation. Whoever runs it has to set "
    "VENTURES_LANGUAGE_MODEL_API_KEY.",
    "rate_limited": "The language model is asked too much at present. Try again in a few minutes.",
    "model_failed": "The language model answered with an error of its own. Try again.",
    "wrong_type": "What answered is no language model that streams its text. Whoever runs this installation has to "
    "look at VENTURES_LANGUAGE_MODEL_URL.",
    "hung": "The language model stopped answering. Try again.",
    "slow": "The language model was not done in time. Try again, or ask for a shorter text.",
    "cut_off": "The language model's answer broke off before its end. Try again.",
    "garbage": "The language model answered with something that cannot be read. Try again.",
    "refused": "The language model declined to write this (its content filter). Ask in other words.",
    "too_long": "Instruction, context and text together are more than the language model takes. Ask for a shorter "
    "text, or with fewer passages.",
    "endless": "The language model wrote without end; nothing of it was kept. Try again, or ask more precisely.",
    "empty": "The language model answered without any text. Try again, or ask in other words.",
}


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """How long is waited. pause_seconds: before the first retry, doubled for the second, where the endpoint does not
    say; longest_pause_seconds: who asks for more is not waited for.
    """

    connect_seconds: float = 5.0
    first_seconds: float = 20.0
    between_seconds: float = 15.0
    whole_seconds: float = 120.0
    pause_seconds: float = 0.5
    longest_pause_seconds: float = 20.0


class Again(Exception):
    """Nothing was streamed, and asking again may help. wait_seconds: as asked for."""

    def __init__(self, failed: Failed, wait_seconds: float | None = None) -> None:
        super().__init__(failed.problem)
        self.failed = failed
        self.wait_seconds = wait_seconds


class Over(Exception):
    """The answer ends here, and not well."""

    def __init__(self, reason: Failure) -> None:
        super().__init__(reason)
        self.failed = Failed(reason, SENTENCES[reason])


class Delta(msgspec.Struct, frozen=True):
    """A piece of the text."""

    content: str | None = None


class Choice(msgspec.Struct, frozen=True):
    """finish_reason: in the last one."""

    delta: Delta | None = None
    finish_reason: str | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens, where the endpoint tells them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Chunk(msgspec.Struct, frozen=True):
    """One event of the stream."""

    choices: list[Choice] = []
    usage: Usage | None = None
    error: Any = None


class LanguageModel:
    """An endpoint. url: up to and without /chat/completions; name: the model it is asked for."""

    def __init__(self, url: str, name: str, key: str | None, times: Times | None = None) -> None:
        self.name = name
        self._asks_usage = True
        self._times = times or Times()
        headers = {"User-Agent": "ventures", "Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        self._address = f"{url.rstrip('/')}/chat/completions"
        self._client = httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(None, connect=self._times.connect_seconds, pool=self._times.connect_seconds),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=8),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.aclose()

    async def write(self, prompt: Sequence[Message]) -> AsyncGenerator[str | Written | Failed, None]:
        """Pieces of the text as they come, none of them empty; last `Written` or `Failed`. Closing the iterator ends
        the request.

        Before the first piece it is asked again, at most twice, where no connection was made or the endpoint said 429
        or 5xx.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._times.whole_seconds
        size = 0
        for retry in range(RETRIES + 1):
            try:
                async with aclosing(self._asked(prompt, until)) as pieces:
                    async for piece in pieces:
                        if isinstance(piece, str):
                            size += len(piece)
                            if size > MOST_TEXT_CHARACTERS:
                                yield Over("endless").failed
                                return
                        yield piece
                return
            except Again as again:
                wait = self._pause(again, retry)
                if retry == RETRIES or wait is None or loop.time() + wait >= until:
                    yield again.failed
                    return
                await asyncio.sleep(wait)
            except Over as over:
                yield over.failed
                return

    def _pause(self, again: Again, retry: int) -> float | None:
        if again.wait_seconds is not None:
            return again.wait_seconds if again.wait_seconds <= self._times.longest_pause_seconds else None
        return self._times.pause_seconds * 2.0**retry * random.uniform(0.8, 1.2)  # noqa: S311  spreads retries

    async def _asked(self, prompt: Sequence[Message], until: float) -> AsyncGenerator[str | Written, None]:
        """One request. Raises: Again, Over."""
        body: dict[str, Any] = {"model": self.name, "messages": prompt, "stream": True}
        if self._asks_usage:
            body[USAGE] = {"include_usage": True}
        request = self._client.build_request(
            "POST",
            self._address,
            content=msgspec.json.encode(body),
            headers={"Content-Type": "application/json"},
        )
        first_by = asyncio.get_running_loop().time() + self._times.first_seconds
        try:
            async with asyncio.timeout_at(min(first_by, until)):
                answer = await self._client.send(request, stream=True)
        except TimeoutError:
            raise Over("hung") from None
        except httpx2.HTTPError:
            raise Again(Failed("unreachable", SENTENCES["unreachable"])) from None
        try:
            if answer.status_code != 200:
                raise await self._refusal(answer, min(first_by, until))
            if not answer.headers.get("content-type", "").lower().startswith("text/event-stream"):
                raise Over("wrong_type")
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise Over("wrong_type")
            async with aclosing(self._pieces(answer, first_by, until)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            await answer.aclose()

    async def _refusal(self, answer: httpx2.Response, until: float) -> Again | Over:
        """What the status means. Of its body only known words are looked for: it may repeat the key."""
        status = answer.status_code
        if status == 429 or status >= 500:
            reason: Failure = "rate_limited" if status == 429 else "model_failed"
            return Again(Failed(reason, SENTENCES[reason]), _retry_after(answer))
        if status in (401, 403):
            return Over("unauthorised")
        if status == 413:
            return Over("too_long")
        said = b""
        try:
            async with asyncio.timeout_at(until):
                async for part in answer.aiter_raw():
                    said += part
                    if len(said) > MOST_ERROR_BYTES:
                        break
        except (TimeoutError, httpx2.HTTPError):
            said = b""
        words = said.decode(errors="replace").lower()
        if USAGE in words and self._asks_usage:
            self._asks_usage = False
            return Again(Failed("model_failed", SENTENCES["model_failed"]), 0.0)
        if any(word in words for word in TOO_LONG):
            return Over("too_long")
        if any(word in words for word in FILTERED):
            return Over("refused")
        return Over("wrong_type" if 300 <= status < 400 or status in (404, 405) else "model_failed")

    async def _pieces(
        self, answer: httpx2.Response, first_by: float, until: float
    ) -> AsyncGenerator[str | Written, None]:
        """The stream, read to its end. Raises: Over."""
        finish: str | None = None
        usage = Usage()
        anything = False
        async with aclosing(self._events(answer, first_by, until)) as events:
            async for data in events:
                if data == DONE:
                    break
                chunk = _chunk(data)
                usage = chunk.usage or usage
                for choice in chunk.choices[:1]:
                    text = _plain((choice.delta and choice.delta.content) or "")
                    if text:
                        anything = anything or not text.isspace()
                        yield text
                    finish = choice.finish_reason or finish
        if finish is None:
            raise Over("cut_off")
        if finish == "content_filter":
            raise Over("refused")
        if finish == "length":
            raise Over("too_long")
        if finish not in STOPS:
            raise Over("garbage")
        if not anything:
            raise Over("empty")
        yield Written(prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens)

    async def _events(self, answer: httpx2.Response, first_by: float, until: float) -> AsyncGenerator[str, None]:
        """Data of the events. A comment is a sign of life to proxies, not to us. Raises: Over."""
        loop = asyncio.get_running_loop()
        held, size = b"", 0
        by = first_by
        async with aclosing(answer.aiter_raw()) as parts:
            while True:
                try:
                    async with asyncio.timeout_at(min(by, until)):
                        part = await anext(parts)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise Over("slow" if loop.time() >= until else "hung") from None
                except httpx2.HTTPError:
                    raise Over("cut_off") from None
                size += len(part)
                if size > MOST_ANSWER_BYTES:
                    raise Over("endless")
                *lines, held = (held + part).split(b"\n")
                if len(held) > MOST_LINE_BYTES or any(len(line) > MOST_LINE_BYTES for line in lines):
                    raise Over("garbage")
                for line in lines:
                    field, _, value = line.rstrip(b"\r").partition(b":")
                    if field == b"data":
                        by = loop.time() + self._times.between_seconds
                        try:
                            yield value.removeprefix(b" ").decode()
                        except UnicodeDecodeError:
                            raise Over("garbage") from None
                    elif field not in (b"", b"event", b"id", b"retry"):
                        raise Over("garbage")


def _chunk(data: str) -> Chunk:
    try:
        chunk = msgspec.json.decode(data, type=Chunk)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise Over("garbage") from None
    if chunk.error is not None:
        raise Over("model_failed")
    return chunk


def _plain(text: str) -> str:
    """As PostgreSQL and UTF-8 can keep it."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode()


def _retry_after(answer: httpx2.Response) -> float | None:
    """Seconds asked for; None where nothing, or nothing readable, was."""
    said = answer.headers.get("retry-after", "").strip()
    return float(said) if said.isascii() and said.isdigit() and len(said) <= 9 else None
