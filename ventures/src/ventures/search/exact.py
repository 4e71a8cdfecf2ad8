"""Searches answered exactly, from PostgreSQL: every vector of the venture and kind is compared."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from ventures.database.pool import Database
from ventures.database.scope import Scope
from ventures.search import sql
from ventures.search.embedding import read, written
from ventures.vectors.api import (
    ALL,
    Held,
    Kind,
    Match,
    Only,
    Point,
    Vector,
    checked_ids,
    checked_limit,
    checked_points,
    checked_search,
    digest,
)

POSTGRESQL: Final = "pgvector"
"""The layout that PostgreSQL answers by itself, and nobody fills."""
NO_ID = UUID(int=0)


class PassageText(msgspec.Struct, frozen=True):
    """A passage as it stands. place: counted from 0 within the source. number: of the version. seq: of the event that
    last changed it.
    """

    id: UUID
    kind: Kind
    source: UUID
    place: int
    number: int
    title: str
    text: str
    state: str
    seq: int
    updated_at: datetime


async def exact_search(
    scope: Scope, model: str, kind: Kind, vector: Vector, limit: int, only: Only = ALL
) -> list[Match]:
    """The nearest of the venture, best first; equal scores by id. At most `limit` (1–1,000). vector: of the model's
    dimension, of length 1. Raises: Invalid.
    """
    checked_search(vector, len(vector), limit, only)
    return await scope.all(
        sql.NEAREST,
        Match,
        model=model,
        kind=kind,
        vector=written(vector),
        states=list(only.states),
        sources=list(only.sources),
        but=list(only.but),
        limit=limit,
    )


async def texts(scope: Scope, model: str, ids: Sequence[UUID]) -> dict[UUID, PassageText]:
    """Those of the passages that are there."""
    found = await scope.all(sql.TEXTS, PassageText, model=model, ids=list(ids))
    return {one.id: one for one in found}


class PgvectorStore:
    """The table `embedding` itself as a store, so that nothing is ever filled: `put`, `delete` and `drop` are for tests
    and movers, which bring points that no event tells of. On the platform the consumer of passages alone writes the
    table; what is put here with its model would be written over with the next event.
    """

    name = POSTGRESQL

    def __init__(self, database: Database, model: str, dimension: int) -> None:
        self.dimension = dimension
        self._database = database
        self._model = model

    async def search(self, venture: UUID, kind: Kind, vector: Vector, *, limit: int, only: Only = ALL) -> list[Match]:
        checked_search(vector, self.dimension, limit, only)
        async with self._database.reading(venture) as scope:
            return await exact_search(scope, self._model, kind, vector, limit, only)

    async def put(self, venture: UUID, points: Sequence[Point]) -> None:
        rows = checked_points(points, self.dimension)
        async with self._database.venture(venture) as scope:
            await scope.changed(
                sql.PUT_POINTS,
                model=self._model,
                ids=[point.id for point in points],
                kinds=[point.kind for point in points],
                sources=[point.source for point in points],
                states=[point.state for point in points],
                vectors=[written(row) for row in rows],
            )

    async def delete(self, venture: UUID, ids: Sequence[UUID]) -> None:
        checked_ids(ids)
        async with self._database.venture(venture) as scope:
            await scope.changed(sql.DROP_POINTS, model=self._model, ids=list(ids))

    async def drop(self, venture: UUID) -> None:
        async with self._database.venture(venture) as scope:
            await scope.run(sql.FORGET_EMBEDDINGS, model=self._model)

    async def count(self, venture: UUID) -> int:
        async with self._database.reading(venture) as scope:
            row = await scope.one(sql.COUNT_POINTS, model=self._model)
            return int(row[0]) if row else 0

    async def held(self, venture: UUID, *, after: UUID | None = None, limit: int = 1_000) -> list[Held]:
        checked_limit(limit)
        async with self._database.reading(venture) as scope:
            rows = await scope.all(sql.WHOLE, model=self._model, after=after or NO_ID, limit=limit)
        return [Held(id, digest(Kind(kind), source, state, read(sent))) for id, kind, source, state, sent in rows]

    async def flush(self) -> None:
        """Each of its transactions outlives a loss of power by itself."""

    def part(self, venture: UUID) -> str:
        """Always the same: the table does not get lost without the log that it comes from."""
        return f"{self.name}/{self._model}"

    async def close(self) -> None:
        """The database is not its own."""
