"""What notifications show."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

NoticeKind = Literal[
    "approval_asked",
    "approved",
    "changes_requested",
    "approval_voided",
    "commented",
    "published",
    "publishing_failed",
    "publishing_unknown",
    "deadline_set",
    "deadline_near",
    "member_joined",
    "role_changed",
    "webhook_disabled",
]
DeliveryState = Literal["waiting", "delivered", "failed", "cancelled"]
EventFilter = Annotated[
    str,
    Meta(
        pattern=r"^(\*|[a-z]+\.\*|[a-z]+\.[a-z_]+)$",
        max_length=100,
        description="An event type such as content.item_approved, all of a feature (content.*), or all (*).",
    ),
]
EventFilters = Annotated[tuple[EventFilter, ...], Meta(min_length=1, max_length=100)]
Address = Annotated[str, Meta(min_length=1, max_length=2_000)]
Label = Annotated[str, Meta(max_length=200)]

MOST_ANSWER_CHARACTERS: Final = 1_000
"""What is kept of a receiver's answer."""


class Notice(msgspec.Struct, frozen=True):
    """What a member is told. `seq` is the event it is about, and its id. `entity` is what happened to (a comment, a
    post, a member, …); `item` the content item it belongs to, and `title` what that was called then. `by` is who did
    it, under the name they had then; null for the platform itself. `detail`: a note or a problem in somebody's words.
    """

    seq: int
    kind: NoticeKind
    feature: str
    entity: UUID
    item: UUID | None
    title: str
    by: UUID | None
    by_name: str
    detail: str
    at: datetime
    read_at: datetime | None


class Webhook(msgspec.Struct, frozen=True):
    """An address that is sent a venture's events. `disabled_why` says why the platform stopped sending.

    `two_secrets_until`: until then requests are signed with the secret before, too.
    """

    id: UUID
    url: str
    label: str
    types: tuple[str, ...]
    enabled: bool
    disabled_why: str | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    rotated_at: datetime | None
    two_secrets_until: datetime | None
    version: int


class Delivery(msgspec.Struct, frozen=True):
    """One message to one webhook; `id` is what the receiver sees as webhook-id (`msg_` and its 32 hexadecimal
    digits), the same in every attempt. `seq` is the event it is about; null for a test. `status` and `problem` are
    the last attempt's. `next_at`: when it is tried (again).
    """

    id: UUID
    webhook: UUID
    seq: int | None
    type: str
    state: DeliveryState
    made_at: datetime
    attempts: int
    status: int | None
    problem: str | None
    ended_at: datetime | None
    next_at: datetime | None


class Attempt(msgspec.Struct, frozen=True):
    """One request of a delivery. `status`: of the HTTP answer, null where there was none. `answer`: how it begins."""

    number: int
    at: datetime
    duration_ms: int
    status: int | None
    answer: str
    problem: str | None


class Signing(msgspec.Struct, frozen=True):
    """Which secrets of a webhook sign: the present one and, for a while after a rotation, the one before."""

    secret_id: UUID
    previous_secret_id: UUID | None
    rotated_at: datetime | None


class Standing(msgspec.Struct, frozen=True):
    """What a decision needs to know of a webhook."""

    url: str
    label: str
    types: tuple[str, ...]
    enabled: bool
    version: int
