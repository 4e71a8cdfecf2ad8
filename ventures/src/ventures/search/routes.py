"""A venture's vectors, asked for where its route says that they are, and exactly in PostgreSQL wherever that fails."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter
from typing import Final, Literal, NamedTuple, TypeAlias
from uuid import UUID

from outgrow.routing import Route, routed
from ventures.database.scope import Queued, Row, Scope
from ventures.errors import NO_SUCH_VENTURE, NotFound
from ventures.search import sql
from ventures.search.embedding import Embedder
from ventures.search.exact import POSTGRESQL, exact_search
from ventures.search.ports import Index, IndexUnavailable
from ventures.search.records import AnsweredBy
from ventures.vectors.api import ALL, Kind, Match, Only, Vector

POINT: Final = "data-architecture"
"""The rewrite point whose routes say where a venture's vectors are."""
BEHIND_EVENTS: Final = 50
BEHIND_SECONDS: Final = 5.0
"""An index that lacks more events than this, or any for longer, is not asked: fillings take a few seconds at most."""
MOST_REMEMBERED: Final = 10_000
"""Ventures whose routes a process remembers: a few MB."""

By: TypeAlias = AnsweredBy | Literal["keywords"]
"""Who answered for the meaning of a query: the index, PostgreSQL exactly, or nobody, so that words alone counted."""
Observed: TypeAlias = Callable[[str, AnsweredBy, float], None]
"""(store, answered by, seconds) of each time that vectors were asked for."""


def unobserved(store: str, answered_by: AnsweredBy, seconds: float) -> None:
    """For where nobody measures."""


class Standing(NamedTuple):
    """head: of the venture's log. model: whose vectors are meant. position: up to where passages were made of it."""

    head: int
    model: str
    position: int
    route: Route


@dataclass(frozen=True)
class Nearest:
    """What is near, best first. because: why the index did not answer, where it should have. position: of the log, up
    to which the answer knows the venture.
    """

    matches: list[Match]
    answered_by: By
    because: str | None
    position: int


@dataclass(frozen=True)
class Sample:
    """What the vectors of one venture were asked and gave, for the running audit. account: of whom it is to be checked
    that they belonged to the venture.
    """

    venture: UUID
    standing: Standing
    kind: Kind
    vector: Vector
    only: Only
    nearest: Nearest
    account: UUID | None = None


def unsampled(samples: Iterable[Sample]) -> None:
    """For where nothing is audited."""


Mirrored: TypeAlias = Callable[[UUID, Kind, Vector, int, Only, Nearest], None]
"""(venture, kind, vector, limit, only, what was found): what may be asked of the other store too, while it is moved."""


def unmirrored(venture: UUID, kind: Kind, vector: Vector, limit: int, only: Only, nearest: Nearest) -> None:
    """For where nobody compares stores."""


@dataclass(frozen=True)
class Finder:
    """What searches are made with. store: where ventures without a route are. offer: takes what may be audited.
    mirror: takes what may be asked of another store too; it returns at once and never raises. routes: where ventures
    that have a route were when they were asked for last, so that their index can be asked before it is known where they
    are now.
    """

    embedder: Embedder
    index: Index
    store: str
    now: Callable[[], datetime]
    observed: Observed = unobserved
    offer: Callable[[Iterable[Sample]], None] = unsampled
    mirror: Mirrored = unmirrored
    routes: dict[UUID, Route] = field(default_factory=dict)


async def standing(scope: Scope, finder: Finder) -> Standing:
    """Raises: NotFound."""
    return stood(scope, finder, await (await ask_standing(scope, finder)).one())


async def ask_standing(scope: Scope, finder: Finder) -> Queued:
    """The same, sent without waiting for it."""
    return await scope.queued(sql.STANDING, model=finder.embedder.model, point=POINT)


def stood(scope: Scope, finder: Finder, row: Row | None) -> Standing:
    """What was asked for with `ask_standing`. Raises: NotFound."""
    finder.routes.pop(scope.venture, None)
    if row is None:
        raise NotFound(NO_SUCH_VENTURE)
    head, position, store, generation = row
    route = routed(None if store is None else (store, generation), finder.store)
    if store is not None:
        if len(finder.routes) >= MOST_REMEMBERED:
            del finder.routes[next(iter(finder.routes))]
        finder.routes[scope.venture] = route
    return Standing(head, finder.embedder.model, position, route)


async def nearest(
    scope: Scope, finder: Finder, stands: Standing, kind: Kind, vector: Vector, *, limit: int, only: Only = ALL
) -> Nearest:
    """From the index; exactly from PostgreSQL where it cannot answer now, or knows too little of the venture."""
    asked = await ask_index(scope.venture, finder, stands.route, kind, vector, limit=limit, only=only)
    return await settled(scope, finder, stands, kind, vector, asked, limit=limit, only=only)


async def ask_index(
    venture: UUID, finder: Finder, route: Route, kind: Kind, vector: Vector, *, limit: int, only: Only
) -> Nearest | str | None:
    """What the index says; a sentence where it cannot, None where PostgreSQL is the index."""
    if route.store == POSTGRESQL:
        return None
    began = perf_counter()
    try:
        answer = await finder.index.search(route, venture, kind, vector, limit=limit, only=only)
    except IndexUnavailable as unavailable:
        return str(unavailable)
    finder.observed(route.store, "index", perf_counter() - began)
    return Nearest(list(answer.matches), "index", None, answer.position)


async def settled(
    scope: Scope,
    finder: Finder,
    stands: Standing,
    kind: Kind,
    vector: Vector,
    asked: Nearest | str | None,
    *,
    limit: int,
    only: Only,
) -> Nearest:
    """The index's answer where it is good enough, otherwise the exact one."""
    found = await _settled(scope, finder, stands, kind, vector, asked, limit=limit, only=only)
    finder.mirror(scope.venture, kind, vector, limit, only, found)
    return found


async def _settled(
    scope: Scope,
    finder: Finder,
    stands: Standing,
    kind: Kind,
    vector: Vector,
    asked: Nearest | str | None,
    *,
    limit: int,
    only: Only,
) -> Nearest:
    because = asked if isinstance(asked, str) else None
    if isinstance(asked, Nearest):
        because = await _behind(scope, stands, asked.position, finder.now())
        if because is None:
            return replace(asked, position=min(asked.position, stands.position))
    began = perf_counter()
    matches = await exact_search(scope, finder.embedder.model, kind, vector, limit, only)
    finder.observed(stands.route.store, "exact", perf_counter() - began)
    return Nearest(matches, "exact", because, stands.position)


async def _behind(scope: Scope, stands: Standing, position: int, now: datetime) -> str | None:
    """A sentence where what stands at `position` is too old to be shown."""
    events = stands.position - position
    if events <= 0:
        return None
    if events <= BEHIND_EVENTS:
        row = await scope.one(sql.MOVED_AT, seq=position + 1)
        if row is None or (now - row[0]).total_seconds() <= BEHIND_SECONDS:
            return None
    return f"The index is {events} {'event' if events == 1 else 'events'} behind; it catches up by itself."
