"""Generation for tests: a model on loopback or none, a search of the tables that needs no index, a plain embedder.

    async with drafting_api(database_addresses) as at:              # extractive: no language model
        ...
    async with language_model() as server, drafting_api(database_addresses, server) as at:
        draft = await finished(ada, await ada.post(f"/v1/ventures/{venture}/drafts", {"instruction": "…"}))

`at.drafting` is the `Drafting` of the process; `at.passages.planted` is what the search finds besides, right or wrong.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID, uuid5

import httpx2
import numpy as np

from ventures.content import api as content
from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.errors import Unavailable
from ventures.generation import api as generation
from ventures.generation.api import Drafting, Passage
from ventures.generation.model import LanguageModel, Times
from ventures.metering import api as metering
from ventures.testing.api import Api, Person, api
from ventures.testing.language_model import LocalLanguageModel
from ventures.vectors.api import Kind, Vector

DIMENSION: Final = 64
SOON_AGAIN: Final = Times(pause_seconds=0.01)
"""The times of production, but for the pause before a retry."""
PATIENCE_SECONDS: Final = 30.0
"""Only so that a fault ends the test instead of hanging it."""


class WordEmbedder:
    """Vectors by which words a text has: texts that share words are near each other, and nothing else is."""

    model = "words"
    dimension = DIMENSION

    async def embed(self, texts: Sequence[str]) -> Vector:
        vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in words(text) or {""}:
                vectors[row, zlib.crc32(word.encode()) % DIMENSION] += 1
        lengths: Vector = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, lengths, dtype=np.float32)


def words(text: str) -> set[str]:
    """Those of at least four letters, in lower case."""
    return {word for one in text.casefold().split() if len(word := one.strip(".,!?:;[]()#*")) > 3}


@dataclass
class TablePassages:
    """`Passages` from the tables: each paragraph is one, ranked by the words it shares with what is asked."""

    database: Database
    planted: list[Passage] = field(default_factory=list)
    broken: bool = False

    async def near(self, venture: UUID, text: str, limit: int, *, kind: Kind = Kind.CONTENT) -> list[Passage]:
        if self.broken:
            raise Unavailable("Search does not answer.")
        found: list[Passage] = []
        async with self.database.reading(venture) as scope:
            if kind is Kind.CONTEXT:
                for note in await generation.notes_of(scope, None, 100):
                    found += _paragraphs(note.id, note.title, note.text, note.version)
            else:
                for line in await content.items(scope, limit=50):
                    item = await content.item_in_full(scope, line.id)
                    found += _paragraphs(item.id, item.title, item.body, item.number)
        asked = words(text)
        found.sort(key=lambda one: (-len(asked & words(f"{one.title} {one.text}")), one.id))
        return [*self.planted, *found][:limit]


def _paragraphs(source: UUID, title: str, text: str, number: int) -> list[Passage]:
    parts = [part.strip() for part in text.split("\n\n")]
    return [Passage(uuid5(source, str(place)), source, title, part, number) for place, part in enumerate(parts) if part]


@dataclass
class DraftingApi(Api):
    """The API, and what its drafts are written from."""

    drafting: Drafting = field(kw_only=True)
    passages: TablePassages = field(kw_only=True)


@asynccontextmanager
async def drafting_api(
    addresses: Addresses, server: LocalLanguageModel | None = None, times: Times = SOON_AGAIN, **changes: Any
) -> AsyncIterator[DraftingApi]:
    """The API on a test's database, its drafts written by the server's model or, without one, put together."""
    async with api(addresses, **changes) as at:
        plain = at.platform
        passages = TablePassages(plain.database)
        drafting = Drafting(
            plain.spine,
            passages=passages,
            embedder=WordEmbedder(),
            model=None if server is None else LanguageModel(server.url, "stub", server.key, times),
            wrote=lambda venture: metering.wrote(plain.allowances, venture),
        )
        platform = at.app.state.platform = replace(plain, drafting=drafting)
        try:
            yield DraftingApi(at.app, platform, at.client, at.clock, drafting=drafting, passages=passages)
        finally:
            await drafting.close()


async def finished(person: Person, asked: httpx2.Response) -> dict[str, Any]:
    """The draft that was asked for, when it is not running any more."""
    assert asked.status_code == 201, asked.text
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            draft: dict[str, Any] = (await person.get(asked.headers["Location"])).json()
            if draft["state"] != "running":
                return draft
            await asyncio.sleep(0.01)
