"""The port of a channel, and what passes through it.

An adapter enters by an entry point of the group `ventures.channels`: its name is the kind, its value a `Factory`.
`ventures.testing.channels` holds the contract it must keep.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Protocol
from uuid import UUID

import httpx2
import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a text may be. `link_characters`: what any link counts for, however long it is; None for its length."""

    characters: int
    link_characters: int | None = None


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """What goes out. `first_tried_at`: when the first attempt began of those whose end is unknown, or this one."""

    venture: UUID
    post: UUID
    item: UUID
    text: str
    first_tried_at: datetime


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """It is out. `external_id`: what the channel calls it, at most 500 characters; `url`: where people see it."""

    external_id: str
    url: str | None = None


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """It is certainly not out by this attempt. `again`: whether a later attempt may succeed, and after how long."""

    problem: str
    again: bool = False
    retry_after_seconds: float | None = None


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """It may be out."""

    problem: str


class CannotTell(msgspec.Struct, frozen=True, kw_only=True):
    """The look-up had no clear answer."""

    problem: str


class Channel(Protocol):
    """One account on one network, ready to be called; made anew for every use.

    takes_key: publishing twice with one key makes one post, as long as the first has ended.
    looks_up: `find` can tell. An adapter with neither is never asked twice; its doubtful attempts end as unknown.
    address: the URL that is called, where there is one; the platform refuses those inside private networks.
    """

    kind: ClassVar[str]
    takes_key: ClassVar[bool]
    looks_up: ClassVar[bool]

    @property
    def limits(self) -> Limits:
        """Of this account's network."""

    @property
    def address(self) -> str | None:
        """See above."""

    async def publish(self, post: Outgoing, key: str) -> Published | Failed | Unknown:
        """Puts it out. Whatever it raises counts as Unknown."""

    async def find(self, post: Outgoing, key: str) -> Published | CannotTell | None:
        """Whether it is out already, and where; None when it is certainly not. Whatever it raises counts as
        CannotTell.
        """


Factory = Callable[[Mapping[str, Any], Mapping[str, str], httpx2.AsyncClient], Channel]
"""(settings, credentials, client) → the channel. Refuses settings and credentials that cannot be right by
`errors.Invalid`, its fields named from `settings.` or `credentials.` on. Sends nothing yet.
"""
