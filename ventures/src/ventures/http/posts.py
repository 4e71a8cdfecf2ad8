"""/v1/ventures/{venture:uuid}/channels and …/posts"""

import hmac
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post, put
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from ventures.http.exchange import (
    Body,
    IdempotencyKey,
    IfMatch,
    append,
    expected_version,
    platform_of,
    reading,
    reading_back,
    shown,
)
from ventures.http.paging import Cursor, Limit, Page, page, position
from ventures.log.api import Appended, Command
from ventures.planner.api import ZoneName
from ventures.posts import api as posts
from ventures.posts.api import Channel, ChannelName, Kind, Post, State, Text, Url
from ventures.tenancy import api as tenancy

Credentials = Annotated[
    dict[Annotated[str, Meta(max_length=100)], Annotated[str, Meta(max_length=2_000)]],
    Meta(max_length=20, description="What its kind asks for. Kept encrypted and never shown again."),
]
OfItem = Annotated[UUID | None, QueryParameter(name="item", description="Only posts of this content item.")]
ByState = Annotated[State | None, QueryParameter(name="state", description="Only posts in this state.")]
OnChannel = Annotated[UUID | None, QueryParameter(name="channel", description="Only posts for this channel.")]


class NewChannel(Body, frozen=True, kw_only=True):
    """kind: mastodon, webhook, sink, or another that is installed. settings and credentials: what the kind asks for.

    mastodon: settings server (https://…), visibility, language, characters; credentials access_token.
    webhook: settings url, characters; credentials secret (whsec_…). sink: settings characters.
    """

    kind: Kind
    name: ChannelName
    settings: Annotated[dict[str, Any], Meta(max_length=50)] = msgspec.field(default_factory=dict)
    credentials: Credentials = msgspec.field(default_factory=dict)


class ChangedChannel(Body, frozen=True, kw_only=True):
    name: ChannelName


class NewCredentials(Body, frozen=True, kw_only=True):
    """All of them; the old ones are forgotten."""

    credentials: Credentials


class NewPost(Body, frozen=True, kw_only=True):
    """The item's variant for the channel."""

    item: UUID
    channel: UUID
    text: Text


class ChangedPost(Body, frozen=True, kw_only=True):
    text: Text


class Schedule(Body, frozen=True, kw_only=True):
    """at: with its offset from UTC. zone: in which the calendar shows it; by default the venture's."""

    at: datetime
    zone: ZoneName | None = None


class Resolution(Body, frozen=True, kw_only=True):
    """published: whether you found it at the channel. url: where."""

    published: bool
    url: Url | None = None


@get("/", summary="Channels", operation_id="list_channels")
async def list_channels(
    request: Request[Any, Any, Any], venture: FromPath[UUID], cursor: Cursor = None, limit: Limit = 50
) -> Page[Channel]:
    """The connected ones, the oldest first."""
    after = position(cursor, tuple[UUID])
    rows = await reading(request, venture, "posts", "view", posts.channels, after[0] if after else None, limit + 1)
    return page(rows, limit, lambda channel: (channel.id,))


@post("/", summary="Connect a channel", operation_id="connect_channel")
async def connect_channel(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    data: JSONBody[NewChannel],
    idempotency_key: IdempotencyKey = None,
) -> Response[Channel]:
    """Nothing is sent to it yet."""
    await reading(request, venture, "posts", "manage", tenancy.venture)
    ready = await posts.tried(
        data.kind, data.settings, data.credentials, platform_of(request).settings.webhook_networks
    )
    command = posts.ConnectChannel(
        kind=data.kind,
        name=data.name,
        settings=data.settings,
        characters=ready.limits.characters,
        link_characters=ready.limits.link_characters,
        credentials=_digest(request, data.credentials),
    )
    done = await append(request, venture, command, idempotency_key)
    await _keep(request, venture, done, 1, data.credentials)
    found = await reading_back(request, venture, posts.channel, done.entity)
    return shown(found, found.version, done=done, status=201, location=f"/v1/ventures/{venture}/channels/{found.id}")


@get("/{channel:uuid}", summary="A channel", operation_id="read_channel")
async def read_channel(
    request: Request[Any, Any, Any], venture: FromPath[UUID], channel: FromPath[UUID]
) -> Response[Channel]:
    """Without its credentials."""
    found = await reading(request, venture, "posts", "view", posts.channel, channel)
    return shown(found, found.version)


@patch("/{channel:uuid}", summary="Rename a channel", operation_id="rename_channel")
async def rename_channel(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    channel: FromPath[UUID],
    data: JSONBody[ChangedChannel],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Channel]:
    """Where it goes is not changed: connect another one."""
    command = posts.RenameChannel(channel=channel, version=expected_version(if_match), name=data.name)
    return await _changed_channel(request, venture, await append(request, venture, command, idempotency_key))


@put("/{channel:uuid}/credentials", summary="Replace a channel's credentials", operation_id="replace_credentials")
async def replace_credentials(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    channel: FromPath[UUID],
    data: JSONBody[NewCredentials],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Channel]:
    """Posts that are under way use them from their next attempt on."""
    version = expected_version(if_match)
    old = await reading(request, venture, "posts", "manage", posts.channel, channel)
    await posts.tried(old.kind, old.settings, data.credentials, platform_of(request).settings.webhook_networks)
    command = posts.ReplaceCredentials(channel=channel, version=version, credentials=_digest(request, data.credentials))
    done = await append(request, venture, command, idempotency_key)
    await _keep(request, venture, done, version + 1, data.credentials)
    return await _changed_channel(request, venture, done)


@delete("/{channel:uuid}", summary="Disconnect a channel", operation_id="disconnect_channel")
async def disconnect_channel(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    channel: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Its scheduled posts become drafts again; its credentials are deleted."""
    command = posts.DisconnectChannel(channel=channel, version=expected_version(if_match))
    await append(request, venture, command, idempotency_key)


@get("/", summary="Posts", operation_id="list_posts")
async def list_posts(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: OfItem = None,
    in_state: ByState = None,
    channel: OnChannel = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Post]:
    """The newest first."""
    before = position(cursor, tuple[UUID])
    rows = await reading(
        request,
        venture,
        "posts",
        "view",
        posts.posts,
        item=item,
        state=in_state,
        channel=channel,
        before=before[0] if before else None,
        limit=limit + 1,
    )
    return page(rows, limit, lambda post: (post.id,))


@post("/", summary="Draft a post", operation_id="draft_post")
async def draft_post(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    data: JSONBody[NewPost],
    idempotency_key: IdempotencyKey = None,
) -> Response[Post]:
    """A content item's variant for one channel, within the channel's limits."""
    command = posts.DraftPost(item=data.item, channel=data.channel, text=data.text)
    done = await append(request, venture, command, idempotency_key)
    found = await reading_back(request, venture, posts.post, done.entity)
    return shown(found, found.version, done=done, status=201, location=f"/v1/ventures/{venture}/posts/{found.id}")


@get("/{post:uuid}", summary="A post", operation_id="read_post")
async def read_post(request: Request[Any, Any, Any], venture: FromPath[UUID], post: FromPath[UUID]) -> Response[Post]:
    found = await reading(request, venture, "posts", "view", posts.post, post)
    return shown(found, found.version)


@patch("/{post:uuid}", summary="Edit a post", operation_id="edit_post")
async def edit_post(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    post: FromPath[UUID],
    data: JSONBody[ChangedPost],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Post]:
    """A draft or one that failed. A scheduled post is unscheduled first."""
    command = posts.EditPost(post=post, version=expected_version(if_match), text=data.text)
    return await _changed(request, venture, command, idempotency_key)


@delete("/{post:uuid}", summary="Delete a post", operation_id="delete_post")
async def delete_post(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    post: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """A draft or one that failed; what is out stays as the record of it."""
    command = posts.DeletePost(post=post, version=expected_version(if_match))
    await append(request, venture, command, idempotency_key)


@post("/{post:uuid}/schedule", status_code=200, summary="Schedule a post", operation_id="schedule_post")
async def schedule_post(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    post: FromPath[UUID],
    data: JSONBody[Schedule],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Post]:
    """Or move one that is scheduled. Its content item must be approved; an edit of the item unschedules it."""
    command = posts.SchedulePost(post=post, version=expected_version(if_match), at=data.at, zone=data.zone)
    return await _changed(request, venture, command, idempotency_key)


@post("/{post:uuid}/unschedule", status_code=200, summary="Unschedule a post", operation_id="unschedule_post")
async def unschedule_post(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    post: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Post]:
    """It is a draft again."""
    command = posts.UnschedulePost(post=post, version=expected_version(if_match))
    return await _changed(request, venture, command, idempotency_key)


@post("/{post:uuid}/publish", status_code=200, summary="Publish a post now", operation_id="publish_post")
async def publish_post(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    post: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Post]:
    """Schedules it for now; it goes out within seconds."""
    command = posts.PublishPost(post=post, version=expected_version(if_match))
    return await _changed(request, venture, command, idempotency_key)


@post("/{post:uuid}/retry", status_code=200, summary="Try a failed post again", operation_id="retry_post")
async def retry_post(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    post: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Post]:
    """Schedules it for now."""
    command = posts.RetryPost(post=post, version=expected_version(if_match))
    return await _changed(request, venture, command, idempotency_key)


@post("/{post:uuid}/resolve", status_code=200, summary="Say whether a post is out", operation_id="resolve_post")
async def resolve_post(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    post: FromPath[UUID],
    data: JSONBody[Resolution],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Post]:
    """Of a post whose state is unknown, after you looked at the channel. One that is not out can then be retried."""
    version = expected_version(if_match)
    command = posts.ResolvePost(post=post, version=version, published=data.published, url=data.url)
    return await _changed(request, venture, command, idempotency_key)


async def _changed(request: Request[Any, Any, Any], venture: UUID, command: Command, key: str | None) -> Response[Post]:
    done = await append(request, venture, command, key)
    found = await reading_back(request, venture, posts.post, done.entity)
    return shown(found, found.version, done=done)


async def _changed_channel(request: Request[Any, Any, Any], venture: UUID, done: Appended) -> Response[Channel]:
    found = await reading_back(request, venture, posts.channel, done.entity)
    return shown(found, found.version, done=done)


def _digest(request: Request[Any, Any, Any], credentials: dict[str, str]) -> bytes:
    key = platform_of(request).settings.key("credentials of a request")
    return hmac.digest(key, msgspec.json.encode(credentials, order="deterministic"), "sha256")


async def _keep(
    request: Request[Any, Any, Any], venture: UUID, done: Appended, version: int, credentials: dict[str, str]
) -> None:
    """After the event, which allowed it. A request that is repeated keeps them where its first did not come this far,
    and touches nothing that was changed since.
    """
    if not credentials:
        return
    platform = platform_of(request)
    async with platform.database.venture(venture) as scope:
        if not done.replayed or (await posts.channel(scope, done.entity)).version == version:
            key = platform.settings.key(posts.CREDENTIALS_PURPOSE)
            await posts.keep_credentials(scope, key, done.entity, credentials, platform.now())


ROUTERS = (
    Router(
        "/v1/ventures/{venture:uuid}/channels",
        route_handlers=[
            list_channels,
            connect_channel,
            read_channel,
            rename_channel,
            replace_credentials,
            disconnect_channel,
        ],
        tags=["posts"],
    ),
    Router(
        "/v1/ventures/{venture:uuid}/posts",
        route_handlers=[
            list_posts,
            draft_post,
            read_post,
            edit_post,
            delete_post,
            schedule_post,
            unschedule_post,
            publish_post,
            retry_post,
            resolve_post,
        ],
        tags=["posts"],
    ),
)
