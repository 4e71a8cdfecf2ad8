"""Vectors of texts: always the same, of length 1; an endpoint that misbehaves is told from one that is down."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ventures.errors import Invalid, Unavailable
from ventures.search.embedding import (
    MOST_CHARACTERS,
    EndpointEmbedder,
    WordLlamaEmbedder,
    opened,
    read,
    written,
)
from ventures.settings import read as read_settings
from ventures.testing.loopback import Answer, Drop, Request, serving

KEY = "a-key-that-nobody-may-see"
texts = st.lists(st.text(max_size=60) | st.sampled_from(["spring tea", "", "\ud800", "\x00", "🙂‮"]), max_size=8)


@settings(deadline=None, max_examples=30)
@given(texts)
async def test_each_text_has_one_vector_of_length_1_whatever_it_comes_with(several: list[str]) -> None:
    embedder = WordLlamaEmbedder()
    vectors = await embedder.embed(several)
    assert vectors.shape == (len(several), embedder.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in zip(several, vectors, strict=True):
        assert np.array_equal((await embedder.embed([text]))[0], vector)


async def test_what_is_alike_is_near() -> None:
    tea, brew, tax = await WordLlamaEmbedder().embed(
        ["green tea for spring mornings", "a cup of tea at breakfast", "quarterly corporate tax filing"]
    )
    assert tea @ brew > tea @ tax + 0.1


async def test_many_texts_do_not_hold_up_the_loop() -> None:
    embedder = WordLlamaEmbedder()
    await embedder.embed(["loaded"])
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await embedder.embed(["some words of a passage " * 25] * 200)
    ticking.cancel()
    assert ticks > 2


async def test_enormous_texts_are_refused() -> None:
    with pytest.raises(Invalid, match="20001 characters"):
        await WordLlamaEmbedder().embed(["x" * (MOST_CHARACTERS + 1)])


def test_the_model_leaves_logging_alone() -> None:
    """In a process of its own: importing it has its effect once."""
    load = "import asyncio, logging; from ventures.search.embedding import WordLlamaEmbedder as Embedder; "
    load += "asyncio.run(Embedder().embed(['x'])); print(logging.getLogger().handlers, logging.getLogger().level)"
    said = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["[]", str(logging.WARNING)]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_a_vector_is_written_and_read_exactly(numbers: list[float]) -> None:
    vector = np.array(numbers, np.float32)
    assert np.array_equal(np.array(eval(written(vector)), np.float32), vector)
    sent = len(numbers).to_bytes(2, "big") + bytes(2) + vector.astype(">f4").tobytes()
    assert np.array_equal(read(sent), vector)


def rows(*vectors: list[Any], first: int = 0) -> dict[str, Any]:
    """An answer as OpenAI gives it."""
    return {"data": [{"index": first + n, "embedding": vector} for n, vector in enumerate(vectors)]}


async def embedded(
    answer: Callable[[Request], Awaitable[Answer | Drop]], several: list[str], timeout_seconds: float = 5.0
) -> Any:
    async with serving(answer) as url, httpx2.AsyncClient(trust_env=False) as client:
        embedder = EndpointEmbedder(
            client, f"{url}/v1", "small", 3, KEY, timeout_seconds=timeout_seconds, pause_seconds=0.01
        )
        return await embedder.embed(several)


def always(answer: Answer | Drop) -> tuple[list[Request], Callable[[Request], Awaitable[Answer | Drop]]]:
    """What it was asked, and who answers so."""
    asked: list[Request] = []

    async def answers(request: Request) -> Answer | Drop:
        asked.append(request)
        return answer

    return asked, answers


async def test_an_endpoint_is_asked_as_openai_is_and_its_rows_are_put_in_order() -> None:
    asked, answers = always(Answer({"data": [*rows([0, 5, 0], first=1)["data"], *rows([3, 0, 4])["data"]]}))
    found = await embedded(answers, ["one", "two"])
    assert np.allclose(found, [[0.6, 0, 0.8], [0, 1, 0]])
    (request,) = asked
    assert (request.path, request.headers["authorization"]) == ("/v1/embeddings", f"Bearer {KEY}")
    assert b'"small"' in request.body
    assert b'["one","two"]' in request.body


async def test_many_texts_are_asked_for_by_batches() -> None:
    sizes = []

    async def answers(request: Request) -> Answer:
        count = request.body.count(b'"t"')
        sizes.append(count)
        return Answer(rows(*[[1, 0, 0]] * count))

    assert (await embedded(answers, ["t"] * 300)).shape == (300, 3)
    assert sizes == [128, 128, 44]
    assert (await embedded(answers, [])).shape == (0, 3)


@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        b'{"data": []}',
        rows([1, 0]),
        rows([1, 0, 0], [1, 0, 0]),
        rows([1, 0, 0], first=1),
        rows([0, 0, 0]),
        b'{"data": [{"index": 0, "embedding": [NaN, 0, 1]}]}',
        b'{"data": [{"index": 0, "embedding": [1e999, 0, 1]}]}',
        rows(["1", 0, 0]),
        b"\xff\xfe",
    ],
)
async def test_nonsense_is_refused(content: Any) -> None:
    _, answers = always(Answer(content))
    with pytest.raises(Invalid, match="endpoint"):
        await embedded(answers, ["one"])


async def test_large_numbers_are_no_nonsense() -> None:
    _, answers = always(Answer(rows([1e300, 0, 0])))
    assert np.array_equal(await embedded(answers, ["one"]), np.array([[1, 0, 0]], np.float32))


@pytest.mark.parametrize("answer", [Answer(status=500), Answer(status=429), Answer(status=503), Drop()])
async def test_who_is_down_is_asked_three_times(answer: Answer | Drop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asked, answers = always(answer)
    with pytest.raises(Unavailable) as refused:
        await embedded(answers, ["one"])
    assert len(asked) == 3
    assert KEY not in caplog.text + str(refused.value) + repr(refused.value)


async def test_who_recovers_is_heard() -> None:
    waiting = [Answer(status=502), Drop(), Answer(rows([1, 0, 0]))]

    async def answers(request: Request) -> Answer | Drop:
        return waiting.pop(0)

    assert (await embedded(answers, ["one"])).shape == (1, 3)


@pytest.mark.parametrize(
    ("status", "refused"), [(401, Unavailable), (404, Unavailable), (400, Invalid), (413, Invalid)]
)
async def test_a_refusal_is_not_asked_again(status: int, refused: type[Exception]) -> None:
    asked, answers = always(Answer(status=status))
    with pytest.raises(refused, match=str(status)):
        await embedded(answers, ["one"])
    assert len(asked) == 1


async def test_who_hangs_is_left() -> None:
    async def hangs(request: Request) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(Unavailable, match="TimeoutError"):
        await embedded(hangs, ["one"], timeout_seconds=0.05)


async def test_settings_choose_and_the_model_names_its_dimension() -> None:
    async with opened(read_settings({})) as embedder:
        assert (type(embedder), embedder.dimension) == (WordLlamaEmbedder, 256)
    told = {"URL": "http://127.0.0.1:9/v1", "MODEL": "small", "DIMENSION": "64", "API_KEY": KEY}
    async with opened(read_settings({f"VENTURES_EMBEDDING_{name}": value for name, value in told.items()})) as embedder:
        assert (type(embedder), embedder.model, embedder.dimension) == (EndpointEmbedder, "small:64", 64)
        assert KEY not in repr(embedder)
