"""/v1/search, /v1/ventures/{venture:uuid}/search, …/recommendations, …/items/{item:uuid}/readers"""

from hashlib import sha256
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request, Router, get
from litestar.params import FromPath, QueryParameter

from ventures.content.api import State
from ventures.errors import Invalid
from ventures.http.authentication import actor_of, caller_of
from ventures.http.exchange import claimed_account, platform_of, reading, require_scope
from ventures.http.paging import Cursor, page, position
from ventures.regions import api as regions
from ventures.search import api as search_room
from ventures.search.api import By, Finder, Hit, Readers, Recommendations
from ventures.vectors.api import Kind, Only

MOST_VENTURES: Final = 50
Text = Annotated[
    str,
    QueryParameter(
        name="q",
        min_length=1,
        max_length=search_room.MOST_QUERY_CHARACTERS,
        description='What to look for: a sentence, words, "a phrase", -without. Passages with the words and passages '
        "that mean the same are found.",
    ),
]
ByState = Annotated[
    list[State] | None,
    QueryParameter(name="state", max_items=10, description="Only items in one of these states."),
]
ByItem = Annotated[
    list[UUID] | None, QueryParameter(name="item", max_items=100, description="Only passages of these items.")
]
ByKind = Annotated[
    Literal["content", "context"],
    QueryParameter(name="kind", description="Passages of items, or of the notes that drafts are written from."),
]
Explain = Annotated[bool, QueryParameter(description="With each hit the reason for its rank.")]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Most hits of the page.")]
Few = Annotated[int, QueryParameter(ge=1, le=50, description="Most of them.")]


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    """Hits, an item once, the best first. next: the cursor of the page after this one; there are at most 200 hits.

    answered_by: who compared meanings: the index; PostgreSQL itself (exact), which is slower; or nobody, so that words
    alone counted (keywords). because: why it was not the index. as_of: the event of the venture's log up to which the
    answer knows it, head: the last event there was.
    """

    items: list[Hit]
    next: str | None
    answered_by: By
    because: str | None
    as_of: int
    head: int


class SearchEverywherePage(msgspec.Struct, frozen=True, kw_only=True):
    """Hits of all your ventures, ranked together. ventures: how many were searched; more_ventures: you belong to more
    than 50, and only the first 50 were. exactly: for how many of them the index did not compare meanings, and because
    of what. behind: the most events of a venture's log that the answer does not know yet.
    """

    items: list[Hit]
    next: str | None
    ventures: int
    more_ventures: bool
    exactly: int
    because: list[str]
    behind: int


def finder_of(request: Request[Any, Any, Any]) -> Finder:
    """What this process searches with."""
    return platform_of(request).finder


@get("/search", summary="Search a venture", operation_id="search")
async def search(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    text: Text,
    states: ByState = None,
    items: ByItem = None,
    kind: ByKind = "content",
    cursor: Cursor = None,
    limit: Limit = 20,
    explain: Explain = False,
) -> SearchPage:
    """By words and by meaning. While the index is away or behind, PostgreSQL answers, and the answer says so."""
    only = Only(tuple(states or ()), tuple(items or ()))
    this = _digest(venture, text, kind, only)
    offset = _offset(cursor, this)
    finder = finder_of(request)
    claimed_account(request)  # nothing is looked for on behalf of nobody
    asked = await search_room.understood(finder, search_room.Wanted(text, Kind(kind), only))
    ahead = await search_room.told(finder, venture, asked, search_room.depth_for(offset, limit))
    found = await reading(
        request,
        venture,
        "search",
        "view",
        search_room.search,
        finder,
        asked,
        ahead,
        offset=offset,
        limit=limit,
        explain=explain,
    )
    finder.offer(found.samples)
    return SearchPage(
        items=found.hits,
        next=_next(found.more, this, offset + limit),
        answered_by=found.answered_by,
        because=found.because,
        as_of=found.as_of,
        head=found.head,
    )


@get("/search", summary="Search all your ventures", operation_id="search_everywhere")
async def search_everywhere(
    request: Request[Any, Any, Any],
    text: Text,
    states: ByState = None,
    cursor: Cursor = None,
    limit: Limit = 20,
    explain: Explain = False,
) -> SearchEverywherePage:
    """Those you belong to and may search, at most 50."""
    only = Only(tuple(states or ()))
    this = _digest(None, text, "content", only)
    offset = _offset(cursor, this)
    platform, finder = platform_of(request), finder_of(request)
    caller = await caller_of(request)
    require_scope(caller, "search", "view")
    ventures = [] if caller.venture is None else [caller.venture]
    if caller.venture is None:
        async with platform.database.everywhere() as scope:
            homes = await regions.ventures_of(scope, caller.account, None, MOST_VENTURES + 1)
        ventures = [home.venture for home in homes]
    everywhere = search_room.Everywhere(platform.database, platform.spine.authority, finder, actor_of(caller))
    found = await everywhere.search(
        ventures[:MOST_VENTURES],
        search_room.Wanted(text, Kind.CONTENT, only),
        offset=offset,
        limit=limit,
        explain=explain,
    )
    finder.offer(found.samples)
    return SearchEverywherePage(
        items=found.hits,
        next=_next(found.more, this, offset + limit),
        ventures=found.ventures,
        more_ventures=len(ventures) > MOST_VENTURES,
        exactly=found.exactly,
        because=found.because,
        behind=found.behind,
    )


@get("/recommendations", summary="Items that fit you", operation_id="recommend_items")
async def recommend_items(
    request: Request[Any, Any, Any], venture: FromPath[UUID], states: ByState = None, limit: Few = 10
) -> Recommendations:
    """Near to what you worked on, none that you wrote or touched last. While nothing is known of you, the latest."""
    finder, account = finder_of(request), claimed_account(request)
    answer, samples = await reading(
        request,
        venture,
        "search",
        "view",
        search_room.recommend,
        finder,
        account,
        limit=limit,
        states=tuple(states or ()),
    )
    finder.offer(samples)
    return answer


@get("/items/{item:uuid}/readers", summary="Who should look at an item", operation_id="suggest_readers")
async def suggest_readers(
    request: Request[Any, Any, Any], venture: FromPath[UUID], item: FromPath[UUID], limit: Few = 10
) -> Readers:
    """Members whose work is near to the item, the nearest first, without its author; `approves` says who may."""
    finder = finder_of(request)
    answer, samples = await reading(request, venture, "search", "view", search_room.readers, finder, item, limit=limit)
    finder.offer(samples)
    return answer


def _digest(venture: UUID | None, text: str, kind: str, only: Only) -> str:
    """Ties a cursor to what was asked."""
    asked = msgspec.json.encode((venture, text, kind, sorted(only.states), sorted(only.sources)))
    return sha256(asked).hexdigest()[:16]


def _offset(cursor: str | None, this: str) -> int:
    """How many hits the pages before have shown. Raises: Invalid."""
    found = position(cursor, tuple[str, int])
    if found is None:
        return 0
    if found[0] != this or not 0 < found[1] < search_room.MOST_HITS:
        raise Invalid("This cursor is of another search: begin without one.", fields={"cursor": "of another search"})
    return found[1]


def _next(more: bool, this: str, offset: int) -> str | None:
    return page([0, 1], 1, lambda _: (this, offset)).next if more else None


ROUTERS = (
    Router("/v1", route_handlers=[search_everywhere], tags=["search"]),
    Router(
        "/v1/ventures/{venture:uuid}",
        route_handlers=[search, recommend_items, suggest_readers],
        tags=["search"],
    ),
)
