"""Searches that are asked of the other store too while a venture is moved, so that answers can be compared before it is
switched. Nothing of it touches the search itself: see `outgrow.routing.Mirror`.
"""

from collections.abc import Mapping
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID

from outgrow.routing import Mirror, Route
from outgrow.routing.statements import COUNT, MIRRORED, SHADOWED
from ventures.database.pool import Database
from ventures.search import sql
from ventures.search.exact import POSTGRESQL, exact_search
from ventures.search.index import RoutedIndex
from ventures.search.ports import Answer, IndexUnavailable
from ventures.search.routes import POINT, Nearest
from ventures.vectors.api import Kind, Match, Only, Vector

MOST: Final = 2
"""Mirrored searches at once: each takes a connection, of some ten that searches have."""
TIMEOUT_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 0.02
"""After which nearly every search is answered, so that it is not held up by the mirrored one."""
COMPARED: Final = 10
"""So many of the best are to be among what the other found. Behind them layouts may differ a little: not all look at
every vector."""
ROUNDING: Final = 1e-5
"""How far scores of the same vector may be from each other in two stores: float32 sums in another order."""
NOTHING: Final = -2.0
"""Less than any score."""


class _Given(NamedTuple):
    """An answer, with up to where it knows the venture's log."""

    matches: list[Match]
    position: int


class MirroredSearches:
    """Mirrors a share of the searches of ventures that are shadowed. index: a way of its own to the index processes,
    so that a store that stalls is not taken for one that searches ask. Belongs to one event loop.
    """

    def __init__(self, database: Database, index: RoutedIndex, model: str) -> None:
        self._database = database
        self._index = index
        self._model = model
        self._mirror = Mirror(POINT, self._ask, most=MOST, timeout_seconds=TIMEOUT_SECONDS, pause_seconds=PAUSE_SECONDS)

    def read(self, venture: UUID, kind: Kind, vector: Vector, limit: int, only: Only, nearest: Nearest) -> None:
        """Returns at once, and never raises."""

        async def other(store: str) -> _Given:
            given = await self._given(store, venture, kind, vector, limit, only)
            if given.position != nearest.position:
                raise IndexUnavailable("The other store knows another moment of the venture.")
            return given

        self._mirror.read(str(venture), _Given(nearest.matches, nearest.position), other, same)

    async def close(self) -> None:
        """Writes what was counted."""
        await self._mirror.close()
        await self._index.close()

    async def _given(self, store: str, venture: UUID, kind: Kind, vector: Vector, limit: int, only: Only) -> _Given:
        if store != POSTGRESQL:
            answer: Answer = await self._index.search(Route(store), venture, kind, vector, limit=limit, only=only)
            return _Given(list(answer.matches), answer.position)
        async with self._database.reading(venture) as scope:
            position = await scope.queued(sql.PASSAGES_POSITION, model=self._model)
            matches = await exact_search(scope, self._model, kind, vector, limit, only)
            return _Given(matches, (await position.one() or (0,))[0])

    async def _ask(self, statement: LiteralString, named: Mapping[str, object]) -> tuple[Any, ...] | None:
        """The statements of `outgrow.routing` as ours, each for one venture's rows alone."""
        if statement == MIRRORED:
            async with self._database.by_itself() as everywhere:
                return await everywhere.one(sql.MOVE_UNDER_WAY, point=POINT)
        venture = UUID(str(named["tenant"]))
        if statement == SHADOWED:
            async with self._database.reading(venture) as scope:
                return await scope.one(sql.SHADOWED, point=POINT, migration=named["migration"])
        assert statement == COUNT
        async with self._database.venture(venture, redoable=True) as scope:
            await scope.run(
                sql.COUNT_MIRRORED,
                migration=named["migration"],
                matched=named["matched"],
                differed=named["differed"],
                failed=named["failed"],
            )
        return None


def same(answer: _Given, other: _Given) -> bool:
    """Whether the best of each are among what the other found; what has the score of the last one may be missing."""
    return _among(answer.matches, other.matches) and _among(other.matches, answer.matches)


def _among(some: list[Match], others: list[Match]) -> bool:
    known = {match.id for match in others}
    last = others[-1].score + ROUNDING if others and len(others) >= len(some) else NOTHING
    return all(match.id in known or match.score <= last for match in some[:COMPARED])
