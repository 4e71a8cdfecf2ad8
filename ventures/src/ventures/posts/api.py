"""What other rooms may use of posts."""

import random

from ventures.log.api import Consumer, Loop, Room, Spine
from ventures.posts import channel_commands, commands, publishing
from ventures.posts.channel_commands import ConnectChannel, DisconnectChannel, RenameChannel, ReplaceCredentials
from ventures.posts.commands import (
    DeletePost,
    DraftPost,
    EditPost,
    PublishPost,
    ResolvePost,
    RetryPost,
    SchedulePost,
    UnschedulePost,
)
from ventures.posts.credentials import PURPOSE as CREDENTIALS_PURPOSE
from ventures.posts.credentials import keep as keep_credentials
from ventures.posts.events import (
    APPLY,
    ChannelConnected,
    ChannelCredentialsReplaced,
    ChannelDisconnected,
    ChannelRenamed,
    PostDeleted,
    PostDrafted,
    PostEdited,
    PostPublished,
    PostResolved,
    PostScheduled,
    PostUnscheduled,
    PublishingBegan,
    PublishingFailed,
    PublishingUnknown,
)
from ventures.posts.kinds import Ready, factories, made, tried
from ventures.posts.outbox import Outbox
from ventures.posts.publisher import Publisher
from ventures.posts.reading import channel, channels, post, posts
from ventures.posts.records import Channel, ChannelName, Kind, Post, State, Text, Url
from ventures.settings import Settings

ROOM = Room("posts", channel_commands.DECIDE | commands.DECIDE | publishing.DECIDE, APPLY, commands.REACT)
PUBLISHERS = 3
"""Loops a process runs, so that a network that hangs holds up one of them."""


def consumers() -> list[Consumer]:
    """The outbox."""
    return [Outbox()]


def loops(spine: Spine, settings: Settings) -> list[Loop]:
    """The publishers."""
    return [
        Loop(
            f"publisher-{number}",
            Publisher(
                spine,
                make=made,
                key=lambda: settings.key(CREDENTIALS_PURPOSE),
                networks=settings.webhook_networks,
                now=spine.now,
                jitter=random.random,
            ).turn,
        )
        for number in range(1, PUBLISHERS + 1)
    ]


__all__ = [
    "CREDENTIALS_PURPOSE",
    "ROOM",
    "Channel",
    "ChannelConnected",
    "ChannelCredentialsReplaced",
    "ChannelDisconnected",
    "ChannelName",
    "ChannelRenamed",
    "ConnectChannel",
    "DeletePost",
    "DisconnectChannel",
    "DraftPost",
    "EditPost",
    "Kind",
    "Outbox",
    "Post",
    "PostDeleted",
    "PostDrafted",
    "PostEdited",
    "PostPublished",
    "PostResolved",
    "PostScheduled",
    "PostUnscheduled",
    "PublishPost",
    "Publisher",
    "PublishingBegan",
    "PublishingFailed",
    "PublishingUnknown",
    "Ready",
    "RenameChannel",
    "ReplaceCredentials",
    "ResolvePost",
    "RetryPost",
    "SchedulePost",
    "State",
    "Text",
    "UnschedulePost",
    "Url",
    "channel",
    "channels",
    "consumers",
    "factories",
    "keep_credentials",
    "loops",
    "made",
    "post",
    "posts",
    "tried",
]
