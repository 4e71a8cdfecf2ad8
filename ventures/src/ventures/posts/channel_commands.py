"""What can be done to channels."""

from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from ventures.errors import Conflict, Invalid, LimitReached
from ventures.log.api import Command, Decide, Fact, Unit, require_version
from ventures.planner import api as planner
from ventures.posts import sql
from ventures.posts.events import (
    ChannelConnected,
    ChannelCredentialsReplaced,
    ChannelDisconnected,
    ChannelRenamed,
    PostUnscheduled,
)
from ventures.posts.items import item_left
from ventures.posts.reading import channel
from ventures.posts.records import ChannelName, Kind

MOST_CHANNELS: Final = 100
"""Channels a venture may have connected at a time."""


MOST_SETTINGS_BYTES: Final = 10_000


class ConnectChannel(Command, frozen=True, kw_only=True):
    """A channel of a kind that is installed, its settings and limits as `kinds.tried` found them good.

    credentials: a keyed digest of them, so that a request with others is another request.
    """

    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "manage"
    kind: Kind
    name: ChannelName
    settings: dict[str, Any]
    characters: Annotated[int, Meta(ge=1)]
    link_characters: Annotated[int, Meta(ge=1)] | None = None
    credentials: bytes = b""


class RenameChannel(Command, frozen=True, kw_only=True):
    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "manage"
    channel: UUID
    version: int
    name: ChannelName


class ReplaceCredentials(Command, frozen=True, kw_only=True):
    """That they were replaced; whoever appends it keeps them afterwards (`credentials.keep`)."""

    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "manage"
    channel: UUID
    version: int
    credentials: bytes = b""


class DisconnectChannel(Command, frozen=True, kw_only=True):
    """Its scheduled posts become drafts again; its credentials are deleted."""

    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "manage"
    channel: UUID
    version: int


async def connect_channel(unit: Unit, command: ConnectChannel) -> list[Fact]:
    if len(msgspec.json.encode(command.settings)) > MOST_SETTINGS_BYTES:
        raise Invalid("These settings are too long.", fields={"settings": f"at most {MOST_SETTINGS_BYTES} bytes"})
    row = await unit.scope.one(sql.CHANNELS_CONNECTED)
    if row is not None and row[0] >= MOST_CHANNELS:
        raise LimitReached(f"A venture has at most {MOST_CHANNELS} channels: disconnect one that is not used.")
    return [
        ChannelConnected(
            entity=unit.new_id(),
            kind=command.kind,
            name=command.name,
            settings=command.settings,
            characters=command.characters,
            link_characters=command.link_characters,
        )
    ]


async def rename_channel(unit: Unit, command: RenameChannel) -> list[Fact]:
    found = await channel(unit.scope, command.channel)
    require_version(found.version, command.version, "channel")
    return [ChannelRenamed(entity=found.id, name=command.name)]


async def replace_credentials(unit: Unit, command: ReplaceCredentials) -> list[Fact]:
    found = await channel(unit.scope, command.channel)
    require_version(found.version, command.version, "channel")
    return [ChannelCredentialsReplaced(entity=found.id)]


async def disconnect_channel(unit: Unit, command: DisconnectChannel) -> list[Fact]:
    found = await channel(unit.scope, command.channel)
    require_version(found.version, command.version, "channel")
    under_way = await unit.scope.all(sql.POSTS_OF_CHANNEL, channel=found.id)
    if any(state == "publishing" for _, state, _ in under_way):
        raise Conflict("A post is going out on this channel right now: disconnect it when that has ended.")
    leaving = [post for post, _, _ in under_way]
    facts: list[Fact] = []
    for post, _, item in under_way:
        why = f"Its channel “{found.name}” was disconnected."
        facts += [PostUnscheduled(entity=post, item=item, why=why), planner.EntryRemoved(entity=post)]
    for item in dict.fromkeys(item for _, _, item in under_way):
        facts += await item_left(unit, item, leaving)
    return [*facts, ChannelDisconnected(entity=found.id)]


DECIDE: dict[type[Command], Decide] = {
    ConnectChannel: connect_channel,
    RenameChannel: rename_channel,
    ReplaceCredentials: replace_credentials,
    DisconnectChannel: disconnect_channel,
}
