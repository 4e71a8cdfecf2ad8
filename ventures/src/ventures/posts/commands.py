"""What members can do to posts, and what happens to posts when their item changes."""

from datetime import datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID

from ventures.content import api as content
from ventures.errors import Conflict, Invalid
from ventures.log.api import Command, Decide, Event, Fact, React, Unit, require_version
from ventures.planner import api as planner
from ventures.posts import sql
from ventures.posts.events import (
    PostDeleted,
    PostDrafted,
    PostEdited,
    PostResolved,
    PostScheduled,
    PostUnscheduled,
)
from ventures.posts.items import approved, item_left, item_out
from ventures.posts.reading import channel, post_row
from ventures.posts.records import PostRow, State, Text, Url
from ventures.posts.texts import require_fits
from ventures.tenancy import api as tenancy

FURTHEST: Final = timedelta(days=2 * 366)
"""How far ahead a post may be scheduled."""
INSTEAD: Final[dict[State, str]] = {
    "draft": "It is a draft.",
    "scheduled": "It is scheduled: unschedule it first.",
    "publishing": "It is going out right now: look again in a minute.",
    "published": "It is out.",
    "failed": "It failed: retry it, schedule it again or delete it.",
    "unknown": "Nobody knows whether it is out: look at the channel and resolve it first.",
}


class _OfPost(Command, frozen=True, kw_only=True):
    post: UUID
    version: int


class DraftPost(Command, frozen=True, kw_only=True):
    """A variant of the item for the channel."""

    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "draft"
    item: UUID
    channel: UUID
    text: Text


class EditPost(_OfPost, frozen=True, kw_only=True):
    """Only what is not on its way: a scheduled post says no, so that nobody unschedules it by a typing error."""

    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "draft"
    text: Text


class DeletePost(_OfPost, frozen=True, kw_only=True):
    """What is out stays as the record of it."""

    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "draft"


class SchedulePost(_OfPost, frozen=True, kw_only=True):
    """With the item's approved version. zone: of its entry in the calendar; the venture's where there is none."""

    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "publish"
    at: datetime
    zone: str | None = None


class UnschedulePost(_OfPost, frozen=True, kw_only=True):
    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "publish"


class PublishPost(_OfPost, frozen=True, kw_only=True):
    """Schedules it for now."""

    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "publish"


class RetryPost(_OfPost, frozen=True, kw_only=True):
    """Schedules a failed post for now."""

    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "publish"


class ResolvePost(_OfPost, frozen=True, kw_only=True):
    """What a person found at the channel about a post of which the platform does not know whether it is out."""

    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "publish"
    published: bool
    url: Url | None = None


async def draft_post(unit: Unit, command: DraftPost) -> list[Fact]:
    await content.item(unit.scope, command.item)
    where = await channel(unit.scope, command.channel)
    require_fits(command.text, where.limits, where.name)
    return [PostDrafted(entity=unit.new_id(), item=command.item, channel=where.id, text=command.text)]


async def edit_post(unit: Unit, command: EditPost) -> list[Fact]:
    found = await _in(unit, command, "draft", "failed")
    where = await channel(unit.scope, found.channel)
    require_fits(command.text, where.limits, where.name)
    return [PostEdited(entity=found.id, text=command.text)]


async def delete_post(unit: Unit, command: DeletePost) -> list[Fact]:
    found = await _in(unit, command, "draft", "failed")
    return _deleted(found.id, found.item, found.state)


async def schedule_post(unit: Unit, command: SchedulePost) -> list[Fact]:
    found = await _in(unit, command, "draft", "scheduled", "failed")
    if command.at.tzinfo is None:
        raise Invalid("Say in which zone this time is, as in 2026-01-31T09:00:00+01:00.", fields={"at": "no offset"})
    if not unit.at < command.at <= unit.at + FURTHEST:
        raise Invalid("A post is scheduled for later, at most two years ahead.", fields={"at": "past or too far"})
    zone = planner.zone_of(command.zone).key if command.zone is not None else None
    return await _scheduled(unit, found, command.at, zone)


async def unschedule_post(unit: Unit, command: UnschedulePost) -> list[Fact]:
    found = await _in(unit, command, "scheduled")
    return [
        PostUnscheduled(entity=found.id, item=found.item),
        planner.EntryRemoved(entity=found.id),
        *await item_left(unit, found.item, [found.id]),
    ]


async def publish_post(unit: Unit, command: PublishPost) -> list[Fact]:
    found = await _in(unit, command, "draft", "scheduled", "failed")
    return await _scheduled(unit, found, unit.at, None)


async def retry_post(unit: Unit, command: RetryPost) -> list[Fact]:
    found = await _in(unit, command, "failed")
    return await _scheduled(unit, found, unit.at, None)


async def resolve_post(unit: Unit, command: ResolvePost) -> list[Fact]:
    found = await _in(unit, command, "unknown")
    resolved = PostResolved(entity=found.id, item=found.item, published=command.published, url=command.url)
    if command.published:
        return [resolved, *await item_out(unit, found)]
    return [resolved, *await item_left(unit, found.item, [found.id])]


async def approval_voided(unit: Unit, event: Event[content.ApprovalVoided]) -> list[Fact]:
    """What was scheduled was approved in another wording."""
    facts: list[Fact] = []
    for post, state in await unit.scope.all(sql.POSTS_OF_ITEM, item=event.entity):
        if state == "scheduled":
            why = "Its content item was edited: have it approved again, then schedule the post again."
            facts += [PostUnscheduled(entity=post, item=event.entity, why=why), planner.EntryRemoved(entity=post)]
    return facts


async def item_deleted(unit: Unit, event: Event[content.ItemDeleted]) -> list[Fact]:
    """Its posts go with it, but for those that are out or may be."""
    facts: list[Fact] = []
    for post, state in await unit.scope.all(sql.POSTS_OF_ITEM, item=event.entity):
        if state in ("draft", "scheduled", "failed"):
            facts += _deleted(post, event.entity, state)
    return facts


async def venture_deleted(unit: Unit, event: Event[tenancy.VentureDeleted]) -> list[Fact]:
    """Nothing goes out in the name of a venture that is no more."""
    facts: list[Fact] = []
    for post, item in await unit.scope.all(sql.POSTS_SCHEDULED):
        why = "The venture was deleted."
        facts += [PostUnscheduled(entity=post, item=item, why=why), planner.EntryRemoved(entity=post)]
    return facts


async def _in(unit: Unit, command: _OfPost, *states: State) -> PostRow:
    found = await post_row(unit.scope, command.post)
    require_version(found.version, command.version, "post")
    if found.state not in states:
        raise Conflict(f"This cannot be done to the post now. {INSTEAD[found.state]}")
    return found


async def _scheduled(unit: Unit, found: PostRow, at: datetime, zone: str | None) -> list[Fact]:
    item = await content.item(unit.scope, found.item)
    if (number := approved(item)) is None:
        raise Conflict("Its content item is not approved as it is now: have it approved first.")
    where = await channel(unit.scope, found.channel)
    require_fits(found.text, where.limits, where.name)
    facts: list[Fact] = [
        PostScheduled(entity=found.id, item=item.id, number=number, at=at),
        planner.EntryPut(
            entity=found.id,
            kind="post",
            item=item.id,
            subject=found.id,
            starts_at=at,
            ends_at=at,
            zone=zone or (await tenancy.venture(unit.scope)).zone,
        ),
    ]
    return [*facts, content.ItemScheduled(entity=item.id)] if item.state == "approved" else facts


def _deleted(post: UUID, item: UUID, state: State) -> list[Fact]:
    facts: list[Fact] = [] if state == "draft" else [planner.EntryRemoved(entity=post)]
    if state == "scheduled":
        facts.insert(0, PostUnscheduled(entity=post, item=item))
    return [*facts, PostDeleted(entity=post, item=item)]


DECIDE: dict[type[Command], Decide] = {
    DraftPost: draft_post,
    EditPost: edit_post,
    DeletePost: delete_post,
    SchedulePost: schedule_post,
    UnschedulePost: unschedule_post,
    PublishPost: publish_post,
    RetryPost: retry_post,
    ResolvePost: resolve_post,
}
REACT: dict[type[Fact], React] = {
    content.ApprovalVoided: approval_voided,
    content.ItemDeleted: item_deleted,
    tenancy.VentureDeleted: venture_deleted,
}
