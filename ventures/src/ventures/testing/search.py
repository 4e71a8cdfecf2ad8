"""Passages for tests: an embedder that takes no time, and what the consumer made, row by row.

consumer = Passages(WordsEmbedder(), [ContentSource()])
await consumed(spine, consumer, venture)
assert (await made(database, venture, consumer.target)).passages[item] == ["The text."]
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import numpy as np

from ventures.database.pool import Database
from ventures.errors import Unavailable
from ventures.log.api import Consumer, Spine, step
from ventures.search.embedding import Vectors, normalised

PASSAGES: LiteralString = """
SELECT id, kind, source, place, number, title, text, state, seq, updated_at, words::text FROM passage
WHERE venture = %(venture)s AND model = %(model)s ORDER BY source, place"""
EMBEDDINGS: LiteralString = """
SELECT id, kind, source, state, seq, vector::text FROM embedding
WHERE venture = %(venture)s AND model = %(model)s ORDER BY id"""
PREFERENCES: LiteralString = """
SELECT account, weight, at, seq FROM preference WHERE venture = %(venture)s AND model = %(model)s ORDER BY account"""
MOST_TURNS = 1_000


class WordsEmbedder:
    """Each word is a direction of its own, by its hash; a text is the sum of its words. `down`: it does not answer."""

    def __init__(self, model: str = "words-of-tests", dimension: int = 16) -> None:
        self.model = model
        self.dimension = dimension
        self.down = False
        self.calls: list[int] = []

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """A row for each text."""
        if self.down:
            raise Unavailable("The embedder is down.")
        self.calls.append(len(texts))
        sums = np.zeros((len(texts), self.dimension))
        for row, text in enumerate(texts):
            for word in text.lower().split():
                sums[row] += _direction(word, self.dimension)
        return normalised(sums)


@dataclass(frozen=True)
class Made:
    """Rows of the three tables, in order; their times and vectors as PostgreSQL has them."""

    passage: list[tuple[Any, ...]]
    embedding: list[tuple[Any, ...]]
    preference: list[tuple[Any, ...]]

    @property
    def passages(self) -> dict[UUID, list[str]]:
        """The texts of each source."""
        found: dict[UUID, list[str]] = {}
        for row in self.passage:
            found.setdefault(row[2], []).append(row[6])
        return found

    @property
    def vectors(self) -> dict[UUID, str | None]:
        """By id; None for what is gone."""
        return {row[0]: row[5] for row in self.embedding}


async def made(database: Database, venture: UUID, model: str) -> Made:
    """All that a consumer of passages made of a venture."""
    async with database.venture(venture) as scope:
        return Made(
            await scope.all(PASSAGES, model=model),
            await scope.all(EMBEDDINGS, model=model),
            await scope.all(PREFERENCES, model=model),
        )


async def consumed(spine: Spine, consumer: Consumer, venture: UUID) -> None:
    """Turns the consumer until it has read the venture's log. Raises: AssertionError where it parks or waits."""
    for _ in range(MOST_TURNS):
        done = await step(spine.database, spine.registry, consumer, venture, now=spine.now)
        assert not done.parked, "parked an event"
        assert done.retry_at is None, "failed at an event"
        if not done.more:
            return
    raise AssertionError("never comes to rest")


def _direction(word: str, dimension: int) -> Any:
    seed = int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest())
    return np.random.default_rng(seed).standard_normal(dimension)
