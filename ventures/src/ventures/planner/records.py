"""What stands in the calendar and how it is shown."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

Kind = Literal["event", "deadline", "post"]
Fold = Literal["earlier", "later"]
Title = Annotated[str, Meta(min_length=1, max_length=300)]
Note = Annotated[str, Meta(max_length=10_000)]
ZoneName = Annotated[str, Meta(min_length=1, max_length=64, description="An IANA name such as Europe/Berlin.")]
Label = Annotated[str, Meta(min_length=1, max_length=100)]


class Entry(msgspec.Struct, frozen=True):
    """A row of the calendar. `item`: the content item it is about. `subject`: the post whose time it is.

    `starts_at` ≤ `ends_at`, both in UTC; the end is not part of it. `starts_on` and `ends_on`, both included, are set
    for entries of whole days only, whose instants are the first and last of these days in `zone`.
    """

    id: UUID
    kind: Kind
    title: str | None
    item: UUID | None
    subject: UUID | None
    starts_at: datetime
    ends_at: datetime
    zone: str
    starts_on: date | None
    ends_on: date | None
    note: str
    updated_at: datetime
    deleted_at: datetime | None
    version: int

    @property
    def all_day(self) -> bool:
        """Whether it is of whole days."""
        return self.starts_on is not None


class CalendarEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the calendar. `title` is the item's own for a deadline and a post. `item`: the content item it is
    about; `post`: the post whose time it is.

    `starts_at` and `ends_at` are in UTC, the end is not part of it; `starts_local` and `ends_local` are the same on the
    clocks of `shown_in`, with their offset. `zone` is where the entry was made for. Entries of whole days have
    `starts_on` and `ends_on`, both included.
    """

    id: UUID
    kind: Kind
    title: str
    item: UUID | None
    post: UUID | None
    starts_at: datetime
    ends_at: datetime
    zone: str
    all_day: bool
    starts_on: date | None
    ends_on: date | None
    starts_local: str
    ends_local: str
    shown_in: str
    note: str
    updated_at: datetime
    version: int


class Feed(msgspec.Struct, frozen=True):
    """A calendar feed that somebody may subscribe to without signing in, as long as its maker may see the calendar."""

    id: UUID
    label: str
    created_by: UUID
    created_at: datetime
    version: int
