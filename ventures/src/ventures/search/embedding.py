"""Vectors of texts: by the small model inside the package, or by an OpenAI-compatible endpoint."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import httpx2
import msgspec
import numpy as np
import numpy.typing as npt

from ventures.errors import Invalid, Unavailable
from ventures.settings import Settings
from ventures.vectors.api import Vector

Vectors = npt.NDArray[np.float32]
"""Shape (texts, dimension), float32, each row of length 1."""

MOST_CHARACTERS: Final = 20_000
"""Of one text; a passage has about 1,000."""
BRIEF_CHARACTERS: Final = 20_000
"""The small model takes about 10 ms for so many; more are a thread's work."""
BATCH_TEXTS: Final = 128
"""Texts a request to an endpoint. OpenAI takes 2,048, smaller servers 32 to a few hundred."""
ATTEMPTS: Final = 3
TIMEOUT_SECONDS: Final = 20.0
"""For one request, from the first byte to the last."""
PAUSE_SECONDS: Final = 0.5
MOST_PAUSE_SECONDS: Final = 5.0
"""However long the endpoint asks to be left alone: a worker waits, and has others to serve."""
REST_SECONDS: Final = 5.0
"""So long an endpoint that did not answer is left alone; then one request at a time looks whether it does."""
SLOW_SECONDS: Final = 1.5
"""Who gave up waiting after so long found an endpoint that does not answer."""
MOST_ANSWER_BYTES: Final = 64_000_000
"""128 vectors of 4,096 numbers, written out, are 12 MB."""

_loading = threading.Lock()


class EndpointDown(Unavailable):
    """The endpoint does not answer whatever it is asked; with other texts it would not either."""


class Embedder(Protocol):
    """`model` names what makes the vectors: those of different models are never compared. dimension: numbers a
    vector.
    """

    model: str
    dimension: int

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """A row for each text. A text without a word the model knows gets a vector too, always the same one.

        Raises: Unavailable where an endpoint does not answer, Invalid where it answers nonsense, or a text has more
        than 20,000 characters.
        """


class WordLlamaEmbedder:
    """The model inside the package wordllama: the mean of its words' vectors. English; 256 numbers; the same text gets
    the same vector, bit by bit, whatever it is embedded with. Loaded with the first text, once a process.
    """

    model = "wordllama-l2-supercat-256"
    dimension = 256

    async def embed(self, texts: Sequence[str]) -> Vectors:
        plain = [_fitting(text) for text in texts]
        if _model.cache_info().currsize and sum(map(len, plain)) <= BRIEF_CHARACTERS:
            return self._embedded(plain)
        return await asyncio.to_thread(self._embedded, plain)

    def _embedded(self, texts: Sequence[str]) -> Vectors:
        with _loading:
            model = _model()
        known: Vectors = model.embedding
        sums = np.zeros((len(texts), self.dimension), np.float32)
        for row, encoded in enumerate(model.tokenizer.encode_batch_fast(texts, add_special_tokens=False)):
            if encoded.ids:
                sums[row] = known[encoded.ids].sum(axis=0)
        return normalised(sums)


class EndpointEmbedder:
    """POST `url`/embeddings as OpenAI has it. The key goes into a header and nowhere else."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        url: str,
        model: str,
        dimension: int,
        key: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
        rest_seconds: float = REST_SECONDS,
    ) -> None:
        self.model = f"{model}:{dimension}"
        self.dimension = dimension
        self._client = client
        self._url = url.rstrip("/") + "/embeddings"
        self._asked = model
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._timeout_seconds = timeout_seconds
        self._pause_seconds = pause_seconds
        self._rest_seconds = rest_seconds
        self._rests_until: float | None = None
        self._looking = False

    async def embed(self, texts: Sequence[str]) -> Vectors:
        plain = [_fitting(text) or " " for text in texts]
        batches = [plain[at : at + BATCH_TEXTS] for at in range(0, len(plain), BATCH_TEXTS)]
        found = [await self._patiently(batch) for batch in batches]
        return np.concatenate(found) if found else np.zeros((0, self.dimension), np.float32)

    async def _patiently(self, texts: list[str]) -> Vectors:
        """At once refused while the endpoint rests: whoever asks holds a connection, or others' turn."""
        looks = self._rests_until is not None
        if self._rests_until is not None and (self._looking or time.monotonic() < self._rests_until):
            raise EndpointDown("The embedding endpoint did not answer; it is asked again in a few seconds.")
        self._looking = self._looking or looks
        began, down = time.monotonic(), False
        try:
            found = await self._batch(texts)
        except EndpointDown:
            down = True
            raise
        except asyncio.CancelledError:
            down = looks or time.monotonic() - began >= SLOW_SECONDS
            raise
        else:
            self._rests_until = None
            return found
        finally:
            if looks:
                self._looking, self._rests_until = False, None
            if down:
                self._rests_until = time.monotonic() + self._rest_seconds

    async def _batch(self, texts: list[str]) -> Vectors:
        body = {"model": self._asked, "input": texts, "encoding_format": "float"}
        for attempt in range(1, ATTEMPTS + 1):
            pause = self._pause_seconds * 2 ** (attempt - 1)
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    status, answer, asked_pause = await self._sent(body)
            except (httpx2.HTTPError, TimeoutError) as error:
                why, down = f"it did not answer ({type(error).__name__})", True
            else:
                if status == 200:
                    return await asyncio.to_thread(self._checked, answer, len(texts))
                if status in (400, 413, 422):
                    raise Invalid(f"The embedding endpoint refuses these texts with status {status}.")
                why, down = f"it answered with status {status}", status != 500  # which may be of these texts
                if status < 500 and status not in (408, 409, 425, 429):
                    break
                pause = max(pause, asked_pause)
            if attempt < ATTEMPTS:
                await asyncio.sleep(min(pause, MOST_PAUSE_SECONDS))
        kind = EndpointDown if down else Unavailable
        raise kind(f"The embedding endpoint gives no vectors: {why}.", retry_after_seconds=MOST_PAUSE_SECONDS)

    async def _sent(self, body: dict[str, Any]) -> tuple[int, bytes, float]:
        """(status, answer, seconds it asks to be left alone)."""
        request = self._client.build_request("POST", self._url, json=body, headers=self._headers)
        response = await self._client.send(request, stream=True)
        try:
            answer = bytearray()
            async for part in response.aiter_bytes():
                answer += part
                if len(answer) > MOST_ANSWER_BYTES:
                    raise Invalid(f"The embedding endpoint answers with more than {MOST_ANSWER_BYTES} bytes.")
        finally:
            await response.aclose()
        wait = response.headers.get("retry-after", "")
        return response.status_code, bytes(answer), float(wait) if wait.isascii() and wait.isdigit() else 0.0

    def _checked(self, answer: bytes, texts: int) -> Vectors:
        try:
            rows = sorted(msgspec.json.decode(answer, type=_Answer).data, key=lambda row: row.index)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Invalid("The embedding endpoint answers with something that is no list of vectors.") from None
        if [row.index for row in rows] != list(range(texts)):
            raise Invalid(f"The embedding endpoint was given {texts} texts and answers for {len(rows)}, or others.")
        if wrong := {len(row.embedding) for row in rows} - {self.dimension}:
            raise Invalid(
                f"The embedding endpoint gives vectors of {min(wrong)} numbers, but VENTURES_EMBEDDING_DIMENSION is "
                f"{self.dimension}."
            )
        vectors = np.array([row.embedding for row in rows], np.float64)
        if not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
            raise Invalid("The embedding endpoint gives a vector of nothing but zeros, or with what is no number.")
        with np.errstate(over="ignore"):
            scaled = (vectors / np.abs(vectors).max(axis=1, keepdims=True)).astype(np.float32)
        return normalised(scaled)


class _Row(msgspec.Struct):
    index: int
    embedding: list[float]


class _Answer(msgspec.Struct):
    data: list[_Row]


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Embedder]:
    """The embedder that the settings ask for; at the end its connections are closed."""
    if settings.embedding_url is None or settings.embedding_model is None:
        yield WordLlamaEmbedder()
        return
    async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        yield EndpointEmbedder(
            client,
            settings.embedding_url,
            settings.embedding_model,
            settings.embedding_dimension,
            settings.embedding_api_key,
        )


def normalised(vectors: npt.NDArray[np.floating[Any]]) -> Vectors:
    """Each row by its length; a row of zeros becomes the one vector that stands for nothing known."""
    lengths = np.sqrt((vectors.astype(np.float64) ** 2).sum(axis=1))
    unknown = lengths == 0
    lengths[unknown] = 1.0
    found: Vectors = (vectors / lengths[:, None]).astype(np.float32)
    found[unknown] = 1 / np.sqrt(vectors.shape[1])
    return found


def written(vector: Vector) -> str:
    """As pgvector reads it, exactly."""
    return msgspec.json.encode(vector.tolist()).decode()


def read(sent: bytes) -> Vector:
    """A vector as pgvector sends it in binary: its dimension and an unused number of 16 bits each, then float32, all
    big-endian.
    """
    return np.frombuffer(sent, ">f4", offset=4).astype(np.float32)


def _fitting(text: str) -> str:
    """Without halves of surrogate pairs, which no encoder takes."""
    if len(text) > MOST_CHARACTERS:
        raise Invalid(f"A text has {len(text)} characters; {MOST_CHARACTERS} can be made a vector of.")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


@cache
def _model() -> Any:
    """Importing it sets up logging for everybody, which is undone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        import wordllama  # type: ignore[import-untyped]  # it ships none; imported here, since it takes half a second

        folder = Path(wordllama.__file__).parent
        model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    model.tokenizer.no_padding()
    return model
