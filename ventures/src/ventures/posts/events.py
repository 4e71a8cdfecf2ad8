"""What happens to channels and posts, and the rows it means."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from ventures.database.scope import Scope
from ventures.log.api import Apply, Event, Fact
from ventures.posts import sql


class ChannelConnected(Fact, frozen=True, kw_only=True):
    """entity: the channel. settings: without secrets. See `records.Channel` for the limits."""

    type: ClassVar[str] = "posts.channel_connected"
    kind: str
    name: str
    settings: dict[str, Any]
    characters: int
    link_characters: int | None = None


class ChannelRenamed(Fact, frozen=True, kw_only=True):
    """entity: the channel."""

    type: ClassVar[str] = "posts.channel_renamed"
    name: str


class ChannelCredentialsReplaced(Fact, frozen=True, kw_only=True):
    """entity: the channel. The credentials themselves are in no event."""

    type: ClassVar[str] = "posts.channel_credentials_replaced"


class ChannelDisconnected(Fact, frozen=True, kw_only=True):
    """entity: the channel."""

    type: ClassVar[str] = "posts.channel_disconnected"


class PostDrafted(Fact, frozen=True, kw_only=True):
    """entity: the post."""

    type: ClassVar[str] = "posts.post_drafted"
    item: UUID
    channel: UUID
    text: str


class PostEdited(Fact, frozen=True, kw_only=True):
    """entity: the post."""

    type: ClassVar[str] = "posts.post_edited"
    text: str


class PostScheduled(Fact, frozen=True, kw_only=True):
    """entity: the post. number: the approved version of the item. at: when it goes out."""

    type: ClassVar[str] = "posts.post_scheduled"
    item: UUID
    number: int
    at: datetime


class PostUnscheduled(Fact, frozen=True, kw_only=True):
    """entity: the post, a draft again. why: for people; None where one of them asked for it."""

    type: ClassVar[str] = "posts.post_unscheduled"
    item: UUID
    why: str | None = None


class PublishingBegan(Fact, frozen=True, kw_only=True):
    """entity: the post. doubtful_since: where nobody knows how earlier attempts ended, when the first of them began."""

    type: ClassVar[str] = "posts.publishing_began"
    attempt: int
    doubtful_since: datetime | None = None


class PostPublished(Fact, frozen=True, kw_only=True):
    """entity: the post. kind: the channel's. number: the version of the item that is out."""

    type: ClassVar[str] = "posts.post_published"
    item: UUID
    number: int
    kind: str
    external_id: str
    url: str | None = None


class PublishingFailed(Fact, frozen=True, kw_only=True):
    """entity: the post; it is certainly not out. retry_at: when it is tried again; None where it is not."""

    type: ClassVar[str] = "posts.publishing_failed"
    item: UUID
    kind: str
    problem: str
    retry_at: datetime | None = None


class PublishingUnknown(Fact, frozen=True, kw_only=True):
    """entity: the post; it may be out, and a person has to look."""

    type: ClassVar[str] = "posts.publishing_unknown"
    item: UUID
    kind: str
    problem: str


class PostResolved(Fact, frozen=True, kw_only=True):
    """entity: the post. published: whether a person found it at the channel, at `url`."""

    type: ClassVar[str] = "posts.post_resolved"
    item: UUID
    published: bool
    url: str | None = None


class PostDeleted(Fact, frozen=True, kw_only=True):
    """entity: the post."""

    type: ClassVar[str] = "posts.post_deleted"
    item: UUID


async def channel_connected(scope: Scope, event: Event[ChannelConnected]) -> None:
    fact = event.data
    await scope.run(
        sql.CONNECT,
        channel=fact.entity,
        kind=fact.kind,
        name=fact.name,
        settings=msgspec.json.encode(fact.settings).decode(),
        characters=fact.characters,
        link_characters=fact.link_characters,
        at=event.at,
    )


async def channel_renamed(scope: Scope, event: Event[ChannelRenamed]) -> None:
    await scope.run(sql.RENAME, channel=event.entity, name=event.data.name)


async def channel_credentials_replaced(scope: Scope, event: Event[ChannelCredentialsReplaced]) -> None:
    await scope.run(sql.TOUCH_CHANNEL, channel=event.entity)


async def channel_disconnected(scope: Scope, event: Event[ChannelDisconnected]) -> None:
    await scope.run(sql.DISCONNECT, channel=event.entity, at=event.at)


async def post_drafted(scope: Scope, event: Event[PostDrafted]) -> None:
    fact = event.data
    await scope.run(sql.DRAFT, post=fact.entity, item=fact.item, channel=fact.channel, text=fact.text, at=event.at)


async def post_edited(scope: Scope, event: Event[PostEdited]) -> None:
    await scope.run(sql.EDIT, post=event.entity, text=event.data.text, at=event.at)


async def post_scheduled(scope: Scope, event: Event[PostScheduled]) -> None:
    await scope.run(sql.SCHEDULE, post=event.entity, number=event.data.number, seq=event.seq, at=event.at)


async def post_unscheduled(scope: Scope, event: Event[PostUnscheduled]) -> None:
    await scope.run(sql.UNSCHEDULE, post=event.entity, why=event.data.why, at=event.at)


async def publishing_began(scope: Scope, event: Event[PublishingBegan]) -> None:
    await scope.run(sql.BEGIN, post=event.entity, attempt=event.data.attempt, at=event.at)


async def post_published(scope: Scope, event: Event[PostPublished]) -> None:
    fact = event.data
    await scope.run(sql.OUT, post=fact.entity, external_id=fact.external_id, url=fact.url, at=event.at)


async def publishing_failed(scope: Scope, event: Event[PublishingFailed]) -> None:
    fact = event.data
    state = "failed" if fact.retry_at is None else "scheduled"
    await scope.run(sql.NOT_OUT, post=fact.entity, state=state, problem=fact.problem, at=event.at)


async def publishing_unknown(scope: Scope, event: Event[PublishingUnknown]) -> None:
    await scope.run(sql.MAYBE_OUT, post=event.entity, problem=event.data.problem, at=event.at)


async def post_resolved(scope: Scope, event: Event[PostResolved]) -> None:
    fact = event.data
    if fact.published:
        await scope.run(sql.OUT, post=fact.entity, external_id=None, url=fact.url, at=event.at)
    else:
        problem = "It did not go out, as a member found."
        await scope.run(sql.NOT_OUT, post=fact.entity, state="failed", problem=problem, at=event.at)


async def post_deleted(scope: Scope, event: Event[PostDeleted]) -> None:
    await scope.run(sql.DELETE, post=event.entity, at=event.at)


APPLY: dict[type[Fact], Apply] = {
    ChannelConnected: channel_connected,
    ChannelRenamed: channel_renamed,
    ChannelCredentialsReplaced: channel_credentials_replaced,
    ChannelDisconnected: channel_disconnected,
    PostDrafted: post_drafted,
    PostEdited: post_edited,
    PostScheduled: post_scheduled,
    PostUnscheduled: post_unscheduled,
    PublishingBegan: publishing_began,
    PostPublished: post_published,
    PublishingFailed: publishing_failed,
    PublishingUnknown: publishing_unknown,
    PostResolved: post_resolved,
    PostDeleted: post_deleted,
}
