"""What is watched: kinds of inconsistency, counts, complaints, processes."""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from types import MappingProxyType
from typing import Annotated, Final, Literal, get_args
from uuid import UUID

import msgspec
from msgspec import Meta

About = Literal["slow", "wrong", "inconsistent", "other"]
ABOUTS: Final[tuple[About, ...]] = get_args(About)
Text = Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")]
Place = Annotated[str, Meta(max_length=200, description="The page or the part of the product it is about.")]
ProcessKind = Literal["api", "worker", "index", "serve", "postgresql"]


class Kind(IntEnum):
    """What two parts of the platform may disagree about. The numbers are kept in rows and never change."""

    DEADLINE_WITHOUT_ITEM = 1
    DEADLINE_AND_REMINDER = 2
    POST_WITHOUT_ENTRY = 3
    ENTRY_WITHOUT_POST = 4
    POST_NOT_DUE = 5
    POST_NOT_APPROVED = 6
    ITEM_NOT_SCHEDULED = 7
    MEMBER_NOT_IN_DIRECTORY = 8
    DIRECTORY_WITHOUT_MEMBER = 9
    ROLE_DIFFERS = 10
    FORMER_MEMBER_ALLOWED = 11

    @property
    def label(self) -> str:
        """As metrics name it: "post_not_due"."""
        return self.name.lower()


MEANINGS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.DEADLINE_WITHOUT_ITEM: "the calendar has a deadline of an item that is deleted (entity: the entry)",
        Kind.DEADLINE_AND_REMINDER: "a deadline and its reminder differ, or one is missing (entity: the entry)",
        Kind.POST_WITHOUT_ENTRY: "a scheduled post is missing from the calendar (entity: the post)",
        Kind.ENTRY_WITHOUT_POST: "the calendar has a post that is not scheduled (entity: the entry)",
        Kind.POST_NOT_DUE: "a scheduled post is missing from the outbox, so it will not go out (entity: the post)",
        Kind.POST_NOT_APPROVED: "a post stands for a version of its item that was not approved (entity: the post)",
        Kind.ITEM_NOT_SCHEDULED: "an item and its posts differ about being scheduled (entity: the item)",
        Kind.MEMBER_NOT_IN_DIRECTORY: "a member is missing from the directory (entity: the account)",
        Kind.DIRECTORY_WITHOUT_MEMBER: "the directory has a member who is none (entity: the account)",
        Kind.ROLE_DIFFERS: "notices are sent by another role than the member has (entity: the account)",
        Kind.FORMER_MEMBER_ALLOWED: "somebody who is no member may still look in (entity: the account or its key)",
    }
)


class Inconsistency(msgspec.Struct, frozen=True):
    """One disagreement that was there at the last look. seen_at: since when it is known."""

    venture: UUID
    kind: int
    entity: UUID
    seen_at: datetime

    @property
    def sentence(self) -> str:
        """What it means."""
        return f"In venture {self.venture} {MEANINGS[Kind(self.kind)]}: {self.entity}."


class Round(msgspec.Struct, frozen=True):
    """How far the audit is. after: the venture looked at last in the present round; seen: how many of it. whole_at:
    when the last whole round ended, which took whole_seconds for whole_ventures.
    """

    after: UUID | None
    began_at: datetime
    looked_at: datetime
    seen: int
    whole_at: datetime | None
    whole_seconds: float | None
    whole_ventures: int | None


class Audited(msgspec.Struct, frozen=True):
    """What the audit knows. known: whether it looked lately, and at most ventures, so that nothing found means that
    there is nothing. open and recent (found within 90 days): by kind, all kinds there are.
    """

    round: Round | None
    known: bool
    open: dict[Kind, int]
    recent: dict[Kind, int]


class Count(msgspec.Struct, frozen=True):
    """A number of the whole platform, as of `at`. labels: values in the order of the signal's label names."""

    signal: str
    labels: list[str]
    count: int
    at: datetime


class Complaint(msgspec.Struct, frozen=True):
    """What somebody complains about. area: where they are, as the first part of their time zone's name ("Europe"), or
    "unknown"; region: where their ventures live.
    """

    id: UUID
    account: UUID
    about: About
    text: str
    place: str
    area: str
    region: str
    at: datetime


class ProcessUse(msgspec.Struct, frozen=True, kw_only=True):
    """What one process of the installation took; "postgresql" is all of its processes as one. name: "api-1".

    cpu_seconds: since it started. resident_bytes: of PostgreSQL with the shared memory counted once.
    """

    kind: ProcessKind
    name: str
    pid: int
    cpu_seconds: float
    resident_bytes: int
