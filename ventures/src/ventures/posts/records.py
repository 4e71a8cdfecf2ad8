"""What posts show."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from ventures.posts.ports import Limits

State = Literal["draft", "scheduled", "publishing", "published", "failed", "unknown"]
MOST_CHARACTERS: Final = 20_000
Text = Annotated[str, Meta(min_length=1, max_length=MOST_CHARACTERS, pattern="^[^\\u0000]*$")]
ChannelName = Annotated[str, Meta(min_length=1, max_length=100, pattern="^[^\\u0000-\\u001f\\u007f]*$")]
Kind = Annotated[str, Meta(min_length=1, max_length=40, pattern="^[a-z0-9-]+$")]
Url = Annotated[str, Meta(min_length=1, max_length=2_000, pattern="^https?://")]


class Channel(msgspec.Struct, frozen=True):
    """Where posts go. settings: what its kind asks for, without secrets. characters: the most a post may have; a link
    counts for `link_characters` where that is set. has_credentials: whether any were given.
    """

    id: UUID
    kind: str
    name: str
    settings: dict[str, Any]
    characters: int
    link_characters: int | None
    created_at: datetime
    has_credentials: bool
    version: int

    @property
    def limits(self) -> Limits:
        """What a text may be."""
        return Limits(characters=self.characters, link_characters=self.link_characters)


class PostRow(msgspec.Struct, frozen=True):
    """A post as its table has it.

    number: the version of the item that it was scheduled with. scheduled_seq: the event that scheduled it.
    attempt: attempts ever begun; first_attempt: the first one since it was scheduled. first_tried_at: when the first
    of the attempts began of which nobody knows how they ended; tried_at: when the last attempt began.
    """

    id: UUID
    item: UUID
    channel: UUID
    text: str
    state: State
    number: int | None
    scheduled_seq: int | None
    attempt: int
    first_attempt: int
    first_tried_at: datetime | None
    tried_at: datetime | None
    external_id: str | None
    url: str | None
    problem: str | None
    created_at: datetime
    updated_at: datetime
    version: int


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """A content item's variant for one channel.

    draft: can be edited. scheduled: goes out at `at`. publishing: an attempt is under way, or nobody knows yet how it
    ended. published: out. failed: certainly not out; `problem` says why. unknown: may be out; look at the channel and
    resolve it.

    number: the approved version of the item it was scheduled with. at: its time in the calendar.
    """

    id: UUID
    item: UUID
    channel: UUID
    text: str
    state: State
    number: int | None
    at: datetime | None
    attempts: int
    external_id: str | None
    url: str | None
    problem: str | None
    created_at: datetime
    updated_at: datetime
    version: int
