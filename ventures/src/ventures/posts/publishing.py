"""What the platform does to a post that is due: begin, and say how it ended. Members cannot give these commands.

Between the two stands the call of the channel, about which the log may learn nothing: then the post stays *publishing*
until the next attempt, not before SETTLE has passed, finds out.
"""

from datetime import datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID

from ventures.errors import Conflict, Forbidden
from ventures.log.api import Actor, Command, Decide, Fact, Unit
from ventures.planner import api as planner
from ventures.posts import sql
from ventures.posts.events import (
    PostPublished,
    PostUnscheduled,
    PublishingBegan,
    PublishingFailed,
    PublishingUnknown,
)
from ventures.posts.items import approved, item_left, item_or_none, item_out
from ventures.posts.reading import channel_kind, post_row
from ventures.posts.records import PostRow

PUBLISHER: Final = Actor(system="publisher")
SETTLE: Final = timedelta(seconds=120)
"""How long an attempt may still be under way somewhere: longer than its calls may last (40 s), and than a server works
on a request whose client is gone. Mastodon keeps the key only after it has made the status, so that a second request
during the first would make a second one.
"""
MOST_ATTEMPTS: Final = 8
"""Attempts since the post was scheduled."""


class _OfPublisher(Command, frozen=True, kw_only=True):
    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "manage"
    post: UUID


class BeginPublishing(_OfPublisher, frozen=True, kw_only=True):
    """seq: the event that scheduled it, as the outbox remembers; another one since then refuses it."""

    seq: int


class EndPublished(_OfPublisher, frozen=True, kw_only=True):
    """It is out. Also told by an attempt that was given up meanwhile."""

    attempt: int
    external_id: str
    url: str | None = None


class EndFailed(_OfPublisher, frozen=True, kw_only=True):
    """It is certainly not out. retry_at: when it may be tried again."""

    attempt: int
    problem: str
    retry_at: datetime | None = None


class EndUnknown(_OfPublisher, frozen=True, kw_only=True):
    """It may be out, and the platform has no way to find out."""

    attempt: int
    problem: str


async def begin_publishing(unit: Unit, command: BeginPublishing) -> list[Fact]:
    """Emits how it went instead, where there is nothing to begin any more."""
    post = await _of_publisher(unit, command)
    if post.state not in ("scheduled", "publishing") or post.scheduled_seq != command.seq:
        raise Conflict(f"This post is {post.state}, or was scheduled anew.")
    kind = await channel_kind(unit.scope, post.channel)
    good = kind is not None and approved(await item_or_none(unit.scope, post.item)) == post.number
    if post.state == "publishing":
        if post.tried_at is not None and unit.at < post.tried_at + SETTLE:
            raise Conflict("An attempt may still be under way.")
        if not good or post.attempt >= post.first_attempt + MOST_ATTEMPTS - 1:
            return [
                _unknown(post, kind, "Its end was not heard of, and it cannot be tried again: look at the channel.")
            ]
        return [PublishingBegan(entity=post.id, attempt=post.attempt + 1, doubtful_since=post.first_tried_at)]
    entry = (await planner.entries_of_posts(unit.scope, [post.id])).get(post.id)
    if entry is None or entry.starts_at > unit.at:
        raise Conflict("This post is not due yet.")
    if not good:
        why = "Its content item is not approved as it is now, or its channel is disconnected."
        unscheduled = PostUnscheduled(entity=post.id, item=post.item, why=why)
        return [
            unscheduled,
            planner.EntryRemoved(entity=post.id),
            *await item_left(unit, post.item, [post.id]),
        ]
    return [PublishingBegan(entity=post.id, attempt=post.attempt + 1)]


async def end_published(unit: Unit, command: EndPublished) -> list[Fact]:
    post = await _of_publisher(unit, command)
    if post.state in ("published", "draft") or command.attempt > post.attempt:
        raise Conflict(f"This post is {post.state}.")
    kind = await channel_kind(unit.scope, post.channel)
    other = await unit.scope.one(sql.SAME_OUTSIDE, channel=post.channel, external_id=command.external_id, post=post.id)
    if other is not None:
        return [_unknown(post, kind, "The channel has one like it, which is another post's: look at the channel.")]
    return [
        PostPublished(
            entity=post.id,
            item=post.item,
            number=post.number or 0,
            kind=kind or "",
            external_id=command.external_id,
            url=command.url,
        ),
        *await item_out(unit, post),
    ]


async def end_failed(unit: Unit, command: EndFailed) -> list[Fact]:
    post = await _of_publisher(unit, command)
    _require_last(post, command.attempt)
    last = post.attempt >= post.first_attempt + MOST_ATTEMPTS - 1
    retry_at = None if last else command.retry_at
    left = await item_left(unit, post.item, [post.id]) if retry_at is None else []
    kind = await channel_kind(unit.scope, post.channel) or ""
    failed = PublishingFailed(entity=post.id, item=post.item, kind=kind, problem=command.problem, retry_at=retry_at)
    return [failed, *left]


async def end_unknown(unit: Unit, command: EndUnknown) -> list[Fact]:
    post = await _of_publisher(unit, command)
    _require_last(post, command.attempt)
    return [_unknown(post, await channel_kind(unit.scope, post.channel), command.problem)]


async def _of_publisher(unit: Unit, command: _OfPublisher) -> PostRow:
    if unit.actor.system != PUBLISHER.system:
        raise Forbidden("Only the platform's publisher does this.")
    return await post_row(unit.scope, command.post)


def _require_last(post: PostRow, attempt: int) -> None:
    if post.state != "publishing" or attempt != post.attempt:
        raise Conflict(f"This post is {post.state}, at attempt {post.attempt}.")


def _unknown(post: PostRow, kind: str | None, problem: str) -> PublishingUnknown:
    return PublishingUnknown(entity=post.id, item=post.item, kind=kind or "", problem=problem)


DECIDE: dict[type[Command], Decide] = {
    BeginPublishing: begin_publishing,
    EndPublished: end_published,
    EndFailed: end_failed,
    EndUnknown: end_unknown,
}
