"""/v1/ventures/{venture}/calendar/feeds, and what calendar programs read: /v1/calendar/{venture}/{token}.ics."""

import hmac
import secrets
from asyncio import to_thread
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.params import FromPath, JSONBody

from ventures.errors import Forbidden, NotFound
from ventures.http.authentication import presented_by
from ventures.http.exchange import Actor, Body, IdempotencyKey, append, platform_of, reading, reading_back, shown
from ventures.http.paging import Cursor, Limit, Page, page, position
from ventures.planner import api as planner
from ventures.planner.api import Feed, Label

TOKEN_BYTES: Final = 32
NO_SUCH_FEED: Final = "There is no such feed; it may have been revoked."


class NewFeed(Body, frozen=True, kw_only=True):
    """label: what the feed is for, such as the program that reads it."""

    label: Label


class OpenedFeed(msgspec.Struct, frozen=True, kw_only=True):
    """`url` is a secret and shown this once: whoever has it reads the calendar as long as its maker may."""

    id: UUID
    label: str
    url: str
    created_by: UUID
    created_at: datetime
    version: int


@post("/calendar/feeds", summary="Open a calendar feed", operation_id="open_calendar_feed")
async def open_calendar_feed(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    data: JSONBody[NewFeed],
    idempotency_key: IdempotencyKey = None,
) -> Response[OpenedFeed]:
    """For calendar programs, which cannot sign in. The answer's `url` is a secret; only its digest is kept."""
    token = _token(request, venture, idempotency_key)
    command = planner.OpenFeed(label=data.label, digest=planner.digest_of(token).hex())
    done = await append(request, venture, command, idempotency_key)
    made = await reading_back(request, venture, planner.feed, done.entity)
    opened = OpenedFeed(
        id=made.id,
        label=made.label,
        url=f"{platform_of(request).settings.base_url}/v1/calendar/{venture}/{token}.ics",
        created_by=made.created_by,
        created_at=made.created_at,
        version=made.version,
    )
    answer = shown(opened, made.version, done=done, status=201)
    answer.headers["Location"] = f"/v1/ventures/{venture}/calendar/feeds/{made.id}"
    answer.headers["Cache-Control"] = "no-store"
    return answer


@get("/calendar/feeds", summary="Open calendar feeds", operation_id="list_calendar_feeds")
async def list_calendar_feeds(
    request: Request[Any, Any, Any], venture: FromPath[UUID], cursor: Cursor = None, limit: Limit = 50
) -> Response[Page[Feed]]:
    """Without their secrets."""
    found = position(cursor, tuple[UUID])
    rows = await reading(request, venture, "planner", "view", planner.feeds, found and found[0], limit + 1)
    return Response(page(rows, limit, lambda one: (one.id,)))


@get("/calendar/feeds/{feed:uuid}", summary="A calendar feed", operation_id="read_calendar_feed")
async def read_calendar_feed(
    request: Request[Any, Any, Any], venture: FromPath[UUID], feed: FromPath[UUID]
) -> Response[Feed]:
    """Without its secret."""
    found = await reading(request, venture, "planner", "view", planner.feed, feed)
    return shown(found, found.version)


@delete("/calendar/feeds/{feed:uuid}", summary="Revoke a calendar feed", operation_id="revoke_calendar_feed")
async def revoke_calendar_feed(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    feed: FromPath[UUID],
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Its URL answers 404 from now on."""
    await append(request, venture, planner.RevokeFeed(feed=feed), idempotency_key)


@get(
    "/v1/calendar/{venture:uuid}/{file:str}",
    summary="The calendar, for calendar programs",
    operation_id="read_calendar_feed_document",
    tags=["planner"],
    media_type="text/calendar",
    security=[{}],
)
async def read_calendar_feed_document(
    request: Request[Any, Any, Any], venture: FromPath[UUID], file: FromPath[str]
) -> Response[bytes]:
    """`file` is the feed's token with .ics behind it. From what ended a year ago on, the last 2,000 entries; what was
    removed is shown as cancelled for 30 days. Ends when the feed is revoked, or its maker may not see the calendar.
    """
    token, dot, extension = file.rpartition(".")
    if not dot or extension != "ics":
        raise NotFound(NO_SUCH_FEED)
    platform = platform_of(request)
    async with platform.database.venture(venture) as scope:
        feed = await planner.feed_of(scope, token)
        rights = await platform.spine.authority.ask(scope, feed.created_by)
        try:
            await rights.allow(Actor(account=feed.created_by), "planner", "view")
        except Forbidden:
            raise NotFound(NO_SUCH_FEED) from None
        name, entries, titles = await planner.feed_entries(scope, platform.now())
    headers = {
        "ETag": f'"{planner.fingerprint(name, entries, titles)}"',
        "Cache-Control": "private, max-age=300",
        "Referrer-Policy": "no-referrer",
        "Content-Disposition": 'inline; filename="calendar.ics"',
    }
    if _known(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(b"", status_code=304, headers=headers)
    document = await to_thread(planner.document, name, entries, titles)
    return Response(document, headers=headers, media_type="text/calendar")


def _known(if_none_match: str | None, etag: str) -> bool:
    """Whether the caller has this document already (RFC 9110, 13.1.2: weak comparison)."""
    return any(one.strip().removeprefix("W/") in (etag, "*") for one in (if_none_match or "").split(","))


def _token(request: Request[Any, Any, Any], venture: UUID, key: str | None) -> str:
    """A new secret; for a request with an idempotency key always the same, so that it can be sent again."""
    if key is None:
        return secrets.token_hex(TOKEN_BYTES)
    what = f"{venture}\n{presented_by(request).account}\n{key}"
    return hmac.digest(platform_of(request).settings.key("calendar feed"), what.encode(), "sha256").hex()


HANDLERS: Final = (open_calendar_feed, list_calendar_feeds, read_calendar_feed, revoke_calendar_feed)
"""Those under /v1/ventures/{venture}."""
