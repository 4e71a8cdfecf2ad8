"""What content shows, and what a title, a body, a note and a comment may be."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from ventures.content.states import State

MOST_BODY_BYTES: Final = 200_000
ONE_LINE: Final = "^[^\\S\\u0000-\\u001f\\u007f]*[^\\s\\u0000-\\u001f\\u007f][^\\u0000-\\u001f\\u007f]*$"
"""Something to read, without control characters."""
SOMETHING: Final = "\\S"

Title = Annotated[str, Meta(min_length=1, max_length=300, pattern=ONE_LINE)]
BodyText = Annotated[str, Meta(max_length=MOST_BODY_BYTES, description="At most 200,000 bytes of UTF-8.")]
CommentText = Annotated[str, Meta(min_length=1, max_length=10_000, pattern=SOMETHING)]
Note = Annotated[str, Meta(max_length=2_000)]
Reason = Annotated[str, Meta(min_length=1, max_length=2_000, pattern=SOMETHING)]
Judgement = Literal["submitted", "approved", "changes_requested", "voided"]


class Item(msgspec.Struct, frozen=True):
    """A content item. `number`: of its current version. `approved_number`, `approved_by`: the approval that holds now;
    never of another than the current version. `published_number`: the version that went out last. `version`: counts
    changes of the item, as in its ETag.
    """

    id: UUID
    title: str
    state: State
    number: int
    approved_number: int | None
    approved_by: UUID | None
    published_number: int | None
    author: UUID
    created_at: datetime
    updated_at: datetime
    version: int


class ItemInFull(Item, frozen=True):
    """With the body of its current version."""

    body: str


class ItemVersion(msgspec.Struct, frozen=True):
    """What an item said once; it never changes. `number` counts 1, 2, 3, … `author`: whose edit it was."""

    item: UUID
    number: int
    title: str
    body: str
    author: UUID
    at: datetime


class VersionLine(msgspec.Struct, frozen=True):
    """A version without its body, of `body_bytes` UTF-8 bytes."""

    number: int
    title: str
    author: UUID
    at: datetime
    body_bytes: int


class Verdict(msgspec.Struct, frozen=True):
    """One line of an item's way through approval. `seq`: its event in the venture's log; `number`: the version it is
    about.
    """

    seq: int
    number: int
    verdict: Judgement
    by: UUID
    note: str
    at: datetime


class Comment(msgspec.Struct, frozen=True):
    """A comment on the version `number` of an item. `version`: as in its ETag."""

    id: UUID
    item: UUID
    number: int
    text: str
    author: UUID
    at: datetime
    resolved_at: datetime | None
    resolved_by: UUID | None
    version: int
