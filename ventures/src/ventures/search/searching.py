"""Searching one venture, or all of a person's: words from PostgreSQL and meaning from the index, ranks made one."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from secrets import token_hex
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from outgrow.routing import Route, routed
from ventures.database.pool import Database
from ventures.database.scope import Queued, Row, Scope
from ventures.errors import Forbidden, Invalid, NotFound, Unavailable
from ventures.log.api import Actor, Authority
from ventures.search import keywords, sql
from ventures.search.keywords import plain
from ventures.search.queries import Query, parsed
from ventures.search.ranking import Found, Ranked, fused, in_order, together
from ventures.search.records import Hit, Reason
from ventures.search.routes import (
    By,
    Finder,
    Nearest,
    Sample,
    Standing,
    ask_index,
    ask_standing,
    settled,
    stood,
)
from ventures.search.snippets import BEGIN, END, snippet, words_in
from ventures.vectors.api import ALL, Kind, Only, Vector

DEPTH: Final = 100
"""Passages that each of the two searches gives at most."""
FIRST: Final = 50
"""The items of so many come before all others, so that a first page needs no more of them and all pages have one order.
"""
FEW_HITS: Final = 20
"""What is not beyond so many hits is looked for in the first passages, mostly with success."""
MOST_HITS: Final = 200
AT_ONCE: Final = 4
"""Ventures asked at the same time for one person; each takes a connection."""
NO_WORDS: Final = "There is no word to look for in this query."
MARKS: Final = BEGIN + END
_OPENED: Final = token_hex(8)
_CLOSED: Final = token_hex(8)
_MARKED: Final = f"HighlightAll=true, StartSel={_OPENED}, StopSel={_CLOSED}"

MOST_QUERY_CHARACTERS: Final = 1_000
MEANING_SECONDS: Final = 2.0
"""So long an endpoint may take for a query's vector, while a connection to PostgreSQL waits."""
NO_MEANING: Final = "The meaning of the query was not known in time, so that words alone counted."


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for, and among what. text: as they typed it."""

    text: str
    kind: Kind = Kind.CONTENT
    only: Only = ALL


@dataclass(frozen=True)
class Asked:
    """The same, understood. vector: of the query's meaning; None where there is none, with the reason in `because`."""

    query: Query
    vector: Vector | None
    because: str | None
    kind: Kind
    only: Only


@dataclass(frozen=True)
class Told:
    """What the index said of a venture, before it was known where the venture is. depth: so much was asked for."""

    route: Route
    depth: int
    said: Nearest | str | None


@dataclass(frozen=True)
class Legs:
    """What both searches of one venture found. near_first: how many by vector are of the first 50 that the index gave.
    deeper: there may be more than were asked for.
    """

    keyword: list[Found]
    vector: list[Found]
    standing: Standing
    nearest: Nearest
    near_first: int = 0
    deeper: bool = False
    sample: Sample | None = None


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A page of hits of one venture. more: there are hits behind them. as_of: the position of the venture's log up to
    which the answer knows it; head: where the log ended. samples: for the running audit.
    """

    hits: list[Hit]
    more: bool
    answered_by: By
    because: str | None
    as_of: int
    head: int
    samples: list[Sample]


class ResultsOfAll(msgspec.Struct, frozen=True, kw_only=True):
    """A page of hits of several ventures. ventures: that were asked and may be searched. exactly: how many of them did
    not answer by the index, and because of what. behind: the most events that the answer for one of them lacks.
    """

    hits: list[Hit]
    more: bool
    ventures: int
    exactly: int
    because: list[str]
    behind: int
    samples: list[Sample]


class Passage(msgspec.Struct, frozen=True):
    """A whole passage. item: the item, or for kind `CONTEXT` the note; number: of its version."""

    id: UUID
    item: UUID
    title: str
    text: str
    number: int


class Piece(NamedTuple):
    """A passage as it is shown. text: what was asked for between marks."""

    id: UUID
    item: UUID
    title: str
    state: str
    number: int
    updated_at: datetime
    text: str


async def understood(finder: Finder, wanted: Wanted) -> Asked:
    """With its vector. Where none can be made now, words alone count."""
    query = parsed(wanted.text)
    if not query.meaning:
        return Asked(query, None, NO_WORDS, wanted.kind, wanted.only)
    try:
        async with asyncio.timeout(MEANING_SECONDS):
            (vector,) = await finder.embedder.embed([query.meaning])
    except TimeoutError:
        return Asked(query, None, NO_MEANING, wanted.kind, wanted.only)
    except (Unavailable, Invalid) as refused:  # an endpoint that answers nonsense is no fault of the query's
        return Asked(query, None, str(refused), wanted.kind, wanted.only)
    return Asked(query, vector, None, wanted.kind, wanted.only)


async def told(finder: Finder, venture: UUID, asked: Asked, depth: int = DEPTH) -> Told | None:
    """Asks the index where the venture was last, or where it is by default: before a connection is taken, so that none
    waits for it. None where there is nothing to ask. It is believed once the venture is known to be there.
    """
    if asked.vector is None:
        return None
    route = finder.routes.get(venture) or routed(None, finder.store)
    return Told(
        route, depth, await ask_index(venture, finder, route, asked.kind, asked.vector, limit=depth, only=asked.only)
    )


def depth_for(offset: int, limit: int) -> int:
    """How many passages a page of hits is looked for in at first."""
    return FIRST if offset + limit <= FEW_HITS else DEPTH


async def search(
    scope: Scope,
    finder: Finder,
    asked: Asked,
    ahead: Told | None = None,
    *,
    offset: int = 0,
    limit: int = 20,
    explain: bool = False,
) -> Results:
    """Hits `offset` to `offset + limit` of the venture, of at most 200. ahead: what was `told` already.

    Raises: NotFound.
    """
    end = min(offset + limit, MOST_HITS)
    legs = await search_legs(scope, finder, asked, depth_for(offset, limit), ahead)
    ranked = in_order(legs.keyword, legs.vector, FIRST, legs.near_first)
    if len(ranked) <= end and legs.deeper:
        legs = await search_legs(scope, finder, asked, DEPTH)
        ranked = in_order(legs.keyword, legs.vector, FIRST, legs.near_first)
    return Results(
        hits=await _hits(scope, finder, asked, ranked[offset:end], explain=explain),
        more=min(len(ranked), MOST_HITS) > end,
        answered_by=legs.nearest.answered_by,
        because=legs.nearest.because,
        as_of=legs.nearest.position,
        head=legs.standing.head,
        samples=[] if legs.sample is None else [legs.sample],
    )


async def search_legs(
    scope: Scope, finder: Finder, asked: Asked, depth: int = DEPTH, ahead: Told | None = None
) -> Legs:
    """Both searches. What is in PostgreSQL now decides what of theirs can be shown.

    depth: passages that each of them gives. ahead: what was `told` already. Raises: NotFound.
    """
    if ahead is None or ahead.depth != depth:
        ahead = await told(finder, scope.venture, asked, depth)
    standing_row = await ask_standing(scope, finder)
    if asked.because == NO_WORDS:
        stands = stood(scope, finder, await standing_row.one())
        return Legs([], [], stands, Nearest([], "keywords", NO_WORDS, stands.position))
    words = await keywords.ask(scope, finder.embedder.model, asked.query.text, depth, asked.only, kind=asked.kind)
    if asked.vector is None or ahead is None:
        stands = stood(scope, finder, await standing_row.one())
        keyword = keywords.found(await words.all())
        near = Nearest([], "keywords", asked.because, stands.position)
        return Legs(keyword, [], stands, near, deeper=len(keyword) == depth < DEPTH)
    said = ahead.said
    items = await _ask_items(scope, finder, asked, said) if isinstance(said, Nearest) else None
    stands = stood(scope, finder, await standing_row.one())
    if stands.route != ahead.route:
        said = await ask_index(
            scope.venture, finder, stands.route, asked.kind, asked.vector, limit=depth, only=asked.only
        )
        items = None
    near = await settled(scope, finder, stands, asked.kind, asked.vector, said, limit=depth, only=asked.only)
    if items is None or near.answered_by == "exact":
        items = await _ask_items(scope, finder, asked, near)
    return _legs(scope, asked, depth, stands, near, keywords.found(await words.all()), await items.all())


def _legs(
    scope: Scope,
    asked: Asked,
    depth: int,
    stands: Standing,
    near: Nearest,
    keyword: list[Found],
    items: Sequence[Row],
) -> Legs:
    """items: (passage, item) of what is near and can be shown."""
    assert asked.vector is not None
    item_of = {passage.int: item for passage, item in items}
    vector = [Found(one.id, item_of[one.id.int], one.score) for one in near.matches if one.id.int in item_of]
    return Legs(
        keyword=keyword,
        vector=vector,
        standing=stands,
        nearest=near,
        near_first=sum(one.id.int in item_of for one in near.matches[:FIRST]),
        deeper=max(len(keyword), len(near.matches)) >= depth < DEPTH,
        sample=Sample(scope.venture, stands, asked.kind, asked.vector, asked.only, near),
    )


async def _ask_items(scope: Scope, finder: Finder, asked: Asked, near: Nearest) -> Queued:
    """Asks for the items of what is near, without waiting for them."""
    return await ask_items_of(
        scope,
        finder.embedder.model,
        asked.kind,
        asked.only,
        [one.id for one in near.matches],
        phrases=asked.query.phrases,
        excluded=asked.query.excluded,
    )


async def items_of(scope: Scope, model: str, kind: Kind, only: Only, passages: Sequence[UUID]) -> dict[UUID, UUID]:
    """The item of each of the passages that there still is, of the kind and among those it is narrowed to."""
    if not passages:
        return {}
    return dict(await (await ask_items_of(scope, model, kind, only, passages)).all())


async def ask_items_of(
    scope: Scope, model: str, kind: Kind, only: Only, passages: Sequence[UUID], *, phrases: str = "", excluded: str = ""
) -> Queued:
    """Asks for (passage, item) without waiting for it. phrases, excluded: as in `Query`."""
    narrowed = {
        "model": model,
        "kind": kind.value,
        "ids": _written(passages),
        "states": list(only.states),
        "sources": list(only.sources),
        "but": list(only.but),
    }
    if phrases or excluded:
        words = {"phrases": plain(phrases), "excluded": plain(excluded)}
        return await scope.queued(sql.ITEMS_OF_WORDS, **narrowed, **words)
    return await scope.queued(sql.ITEMS_OF, **narrowed)


def _written(ids: Sequence[UUID]) -> str:
    """An array as PostgreSQL reads it, in a tenth of the time that its parts take one by one."""
    return "{" + ",".join([id.hex for id in ids]) + "}"


async def _hits(
    scope: Scope, finder: Finder, asked: Asked, page: Sequence[Ranked], *, explain: bool = False
) -> list[Hit]:
    """The page as it is shown, without passages that went meanwhile."""
    if not page:
        return []
    rows = await scope.all(
        sql.PIECES,
        _piece,
        model=finder.embedder.model,
        ids=_written([one.passage for one in page]),
        words=plain(asked.query.any),
        how=_MARKED,
    )
    pieces = {piece.id.int: piece for piece in rows}
    return [
        as_hit(scope.venture, piece, one if explain else None)
        for one in page
        if (piece := pieces.get(one.passage.int)) is not None
    ]


def _piece(id: UUID, item: UUID, title: str, state: str, number: int, updated_at: datetime, text: str) -> Piece:
    """With our marks instead of those that PostgreSQL sets, which no text can hold; ours may be in it already."""
    text = text.replace(BEGIN, "").replace(END, "").replace(_OPENED, BEGIN).replace(_CLOSED, END)
    return Piece(id, item, title, state, number, updated_at, text)


def as_hit(venture: UUID, piece: Piece, ranked: Ranked | None = None) -> Hit:
    """ranked: where its rank is to be explained."""
    return Hit(
        venture=venture,
        passage=piece.id,
        item=piece.item,
        title=piece.title,
        state=piece.state,
        number=piece.number,
        snippet=snippet(piece.text),
        updated_at=piece.updated_at,
        reason=None
        if ranked is None
        else Reason(
            keyword_rank=ranked.keyword_rank,
            vector_rank=ranked.vector_rank,
            similarity=ranked.similarity,
            words=words_in(piece.text),
            fused=ranked.fused,
        ),
    )


async def passages_near(
    scope: Scope, finder: Finder, text: str, *, limit: int, kind: Kind = Kind.CONTENT, only: Only = ALL
) -> list[Passage]:
    """Whole passages of the venture, the fittest first and several of an item where they are, for who writes from
    them. Raises: NotFound.
    """
    legs = await search_legs(scope, finder, await understood(finder, Wanted(text, kind, only)))
    each = [[one._replace(item=one.passage) for one in leg] for leg in (legs.keyword, legs.vector)]
    ids = [one.passage for one in fused(*each)[:limit]]
    rows = await scope.all(sql.WHOLE_PASSAGES, Passage, model=finder.embedder.model, ids=ids, marks=MARKS)
    found = {one.id: one for one in rows}
    return [found[id] for id in ids if id in found]


@dataclass(frozen=True)
class Everywhere:
    """A person's ventures, asked one by one, each in a transaction of its own and only while they may search it."""

    database: Database
    authority: Authority
    finder: Finder
    actor: Actor
    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def search(
        self, ventures: Sequence[UUID], wanted: Wanted, *, offset: int = 0, limit: int = 20, explain: bool = False
    ) -> ResultsOfAll:
        """Hits of all ventures in one order: what each of the two searches found in any of them is ranked together."""
        asked = await understood(self.finder, wanted)
        asking = await asyncio.gather(*(self._legs(venture, asked) for venture in ventures))
        answered = {venture: legs for venture, legs in zip(ventures, asking, strict=True) if legs is not None}
        homes = {found.item: venture for venture, legs in answered.items() for found in (*legs.keyword, *legs.vector)}
        ranked = fused(
            together([legs.keyword for legs in answered.values()])[:MOST_HITS],
            together([legs.vector for legs in answered.values()])[:MOST_HITS],
        )[:MOST_HITS]
        page = ranked[offset : offset + limit]
        shown = await self._shown(homes, asked, page, explain=explain)
        reasons = [legs.nearest.because for legs in answered.values() if legs.nearest.because is not None]
        return ResultsOfAll(
            hits=[shown[one.item] for one in page if one.item in shown],
            more=len(ranked) > offset + limit,
            ventures=len(answered),
            exactly=sum(legs.nearest.answered_by != "index" for legs in answered.values()),
            because=list(dict.fromkeys(reasons)),
            behind=max((legs.standing.head - legs.nearest.position for legs in answered.values()), default=0),
            samples=[
                replace(legs.sample, account=self.actor.account)
                for legs in answered.values()
                if legs.sample is not None
            ],
        )

    async def _legs(self, venture: UUID, asked: Asked) -> Legs | None:
        """None where they may not, or not any more."""
        try:
            async with self.free:
                ahead = await told(self.finder, venture, asked)
                async with self.database.reading(venture) as scope:
                    rights = await self.authority.ask(scope, self.actor.account)
                    legs = await search_legs(scope, self.finder, asked, ahead=ahead)
                    await rights.allow(self.actor, "search", "view")
        except (NotFound, Forbidden):
            return None
        return legs

    async def _shown(
        self, homes: Mapping[UUID, UUID], asked: Asked, page: Sequence[Ranked], *, explain: bool
    ) -> dict[UUID, Hit]:
        """Hits by item; whoever stopped to belong to a venture in between sees nothing of it."""
        pages: dict[UUID, list[Ranked]] = {}
        for one in page:
            pages.setdefault(homes[one.item], []).append(one)

        async def of(venture: UUID) -> list[Hit]:
            with suppress(NotFound, Forbidden):
                async with self.free, self.database.reading(venture) as scope:
                    rights = await self.authority.ask(scope, self.actor.account)
                    found = await _hits(scope, self.finder, asked, pages[venture], explain=explain)
                    await rights.allow(self.actor, "search", "view")
                return found
            return []

        return {hit.item: hit for found in await asyncio.gather(*map(of, pages)) for hit in found}
