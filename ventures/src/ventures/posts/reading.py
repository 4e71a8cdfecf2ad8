"""Channels and posts as they are read."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from ventures.database.scope import Scope
from ventures.errors import NotFound
from ventures.planner import api as planner
from ventures.posts import sql
from ventures.posts.records import Channel, Post, PostRow, State

FIRST: Final = UUID(int=0)
LAST: Final = UUID(int=2**128 - 1)


async def channel(scope: Scope, identifier: UUID) -> Channel:
    """Raises: NotFound."""
    found = await scope.one(sql.CHANNEL, Channel, channel=identifier)
    if found is None:
        raise NotFound("There is no such channel in this venture.")
    return found


async def channels(scope: Scope, after: UUID | None, limit: int) -> list[Channel]:
    """Connected channels, oldest first; `after`: the last one of the page before."""
    return await scope.all(sql.CHANNELS, Channel, after=after or FIRST, limit=limit)


async def channel_kind(scope: Scope, identifier: UUID) -> str | None:
    """None where it is disconnected."""
    found = await scope.one(sql.CHANNEL, Channel, channel=identifier)
    return None if found is None else found.kind


async def post_row(scope: Scope, identifier: UUID) -> PostRow:
    """Raises: NotFound."""
    found = await scope.one(sql.POST, PostRow, post=identifier)
    if found is None:
        raise NotFound("There is no such post in this venture.")
    return found


async def post(scope: Scope, identifier: UUID) -> Post:
    """Raises: NotFound."""
    (shown,) = await _shown(scope, [await post_row(scope, identifier)])
    return shown


async def posts(
    scope: Scope,
    *,
    item: UUID | None = None,
    channel: UUID | None = None,
    state: State | None = None,
    before: UUID | None = None,
    limit: int,
) -> list[Post]:
    """Newest first; `before`: the last one of the page before."""
    rows = await scope.all(
        sql.POSTS, PostRow, item=item, channel=channel, state=state, before=before or LAST, limit=limit
    )
    return await _shown(scope, rows)


async def _shown(scope: Scope, rows: Sequence[PostRow]) -> list[Post]:
    entries = await planner.entries_of_posts(scope, [row.id for row in rows]) if rows else {}
    return [
        Post(
            id=row.id,
            item=row.item,
            channel=row.channel,
            text=row.text,
            state=row.state,
            number=row.number,
            at=entries[row.id].starts_at if row.id in entries else None,
            attempts=row.attempt,
            external_id=row.external_id,
            url=row.url,
            problem=row.problem,
            created_at=row.created_at,
            updated_at=row.updated_at,
            version=row.version,
        )
        for row in rows
    ]
