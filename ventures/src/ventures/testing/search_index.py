"""Search for tests: an index in memory, an embedder that needs no model, and a platform's items made findable.

library = Library(database, registry, now)
await library.read()                        # passages and vectors of all logs
await library.fill(venture)                 # what the index knows from now on
library.index.away = "The index is away."   # every search is answered from PostgreSQL
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import numpy as np

from outgrow.routing import Route
from ventures.database.pool import Database
from ventures.identifiers import new_id
from ventures.log.api import Registry, Runner
from ventures.search import api as search
from ventures.search.api import Answer, Embedder, Finder, IndexUnavailable, Sampler
from ventures.search.embedding import Vectors, normalised, read
from ventures.testing.vectors_in_memory import VectorsInMemory
from ventures.vectors.api import ALL, Kind, Only, Point, Vector

STORE: Final = "memory"
POINTS: LiteralString = """
SELECT id, kind, source, state, vector FROM embedding WHERE venture = %(venture)s AND model = %(model)s"""
POSITION: LiteralString = """
SELECT seq FROM consumer_position
WHERE venture = %(venture)s AND consumer = 'passages' AND target = %(model)s"""


class WordsEmbedder:
    """Texts with the same words, in whatever order, are near to each other; others are not."""

    model = "words-of-tests"
    dimension = 64

    def __init__(self) -> None:
        self.down: Exception | None = None
        self._known: dict[str, Vector] = {}

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """A row for each. Raises: `down`."""
        if self.down is not None:
            raise self.down
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row += self._word(word)
        return normalised(rows)

    def _word(self, word: str) -> Vector:
        if word not in self._known:
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
            drawn = np.random.default_rng(seed).standard_normal(self.dimension)
            self._known[word] = (drawn / np.linalg.norm(drawn)).astype(np.float32)
        return self._known[word]


class IndexInMemory:
    """Knows of a venture what it was filled with. away: a sentence with which it refuses to answer; "" for none.
    positions: what it says of itself. foreign: ids it puts before what it found.
    """

    def __init__(self, dimension: int) -> None:
        self.store = VectorsInMemory(STORE, dimension)
        self.away = ""
        self.positions: dict[UUID, int] = {}
        self.foreign: tuple[UUID, ...] = ()
        self.asked: list[tuple[Route, UUID, Kind, int, Only]] = []

    async def search(
        self, route: Route, venture: UUID, kind: Kind, vector: Vector, *, limit: int, only: Only = ALL
    ) -> Answer:
        """Raises: IndexUnavailable."""
        self.asked.append((route, venture, kind, limit, only))
        if self.away:
            raise IndexUnavailable(self.away)
        if venture not in self.positions:
            raise IndexUnavailable("This venture is not in the index yet.")
        matches = await self.store.search(venture, kind, vector, limit=limit, only=only)
        if self.foreign:
            best = matches[0] if matches else None
            planted = [type(best)(id, 1.0) for id in self.foreign] if best else []
            matches = [*planted, *matches][:limit]
        return Answer(matches, self.positions[venture])

    async def fill(self, database: Database, model: str, venture: UUID) -> None:
        """Takes in all that there is of the venture now."""
        async with database.reading(venture) as scope:
            rows = await scope.all(POINTS, model=model)
            row = await scope.one(POSITION, model=model)
        await self.store.drop(venture)
        await self.store.put(
            venture,
            [
                Point(id=id, kind=Kind(kind), source=source, state=state, vector=read(vector))
                for id, kind, source, state, vector in rows
                if vector is not None
            ],
        )
        self.positions[venture] = row[0] if row else 0


@dataclass
class Library:
    """What is searched with, and what makes it findable. Every search of the index is sampled."""

    database: Database
    registry: Registry
    now: Callable[[], datetime]
    embedder: Embedder = field(default_factory=WordsEmbedder)

    def __post_init__(self) -> None:
        self.index = IndexInMemory(self.embedder.dimension)
        self.sampler = Sampler(self.database, self.now, new_id, every=1, pause_seconds=0)
        self.observed: list[tuple[str, str, float]] = []
        self.finder = Finder(
            embedder=self.embedder,
            index=self.index,
            store=STORE,
            now=self.now,
            observed=lambda *seen: self.observed.append(seen),
            offer=self.sampler.offer,
        )

    async def read(self) -> None:
        """Returns when the passages of all logs are made."""
        await Runner(self.database, self.registry, search.consumers(self.embedder), now=self.now).caught_up()

    async def fill(self, *ventures: UUID) -> None:
        """Makes passages of all logs, and the index know of these ventures all that there is."""
        await self.read()
        for venture in ventures:
            await self.index.fill(self.database, self.embedder.model, venture)
