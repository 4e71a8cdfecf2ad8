"""What happens to the calendar, and the rows it means."""

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from ventures.database.scope import Scope
from ventures.log.api import Apply, Event, Fact
from ventures.planner import sql
from ventures.planner.records import Kind


class EntryPut(Fact, frozen=True, kw_only=True):
    """entity: the entry, new, changed, or put again after it was removed. A post's entry has its item and, as
    `subject`, the post. See `Entry` for the times; a moment has `ends_at` = `starts_at`.
    """

    type: ClassVar[str] = "planner.entry_put"
    kind: Kind
    starts_at: datetime
    ends_at: datetime
    zone: str
    title: str | None = None
    item: UUID | None = None
    subject: UUID | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    note: str = ""


class EntryRemoved(Fact, frozen=True, kw_only=True):
    """entity: the entry."""

    type: ClassVar[str] = "planner.entry_removed"


class FeedOpened(Fact, frozen=True, kw_only=True):
    """entity: the feed. digest: SHA-256 of its token in hex; the token itself is nowhere."""

    type: ClassVar[str] = "planner.feed_opened"
    label: str
    digest: str
    account: UUID


class FeedRevoked(Fact, frozen=True, kw_only=True):
    """entity: the feed."""

    type: ClassVar[str] = "planner.feed_revoked"


async def entry_put(scope: Scope, event: Event[EntryPut]) -> None:
    fact = event.data
    await scope.run(
        sql.PUT,
        entry=fact.entity,
        kind=fact.kind,
        title=fact.title,
        item=fact.item,
        subject=fact.subject,
        starts_at=fact.starts_at,
        ends_at=fact.ends_at,
        zone=fact.zone,
        starts_on=fact.starts_on,
        ends_on=fact.ends_on,
        note=fact.note,
        at=event.at,
    )


async def entry_removed(scope: Scope, event: Event[EntryRemoved]) -> None:
    await scope.run(sql.REMOVE, entry=event.entity, at=event.at)


async def feed_opened(scope: Scope, event: Event[FeedOpened]) -> None:
    fact = event.data
    await scope.run(
        sql.OPEN_FEED, feed=fact.entity, label=fact.label, digest=fact.digest, account=fact.account, at=event.at
    )


async def feed_revoked(scope: Scope, event: Event[FeedRevoked]) -> None:
    await scope.run(sql.REVOKE_FEED, feed=event.entity, at=event.at)


APPLY: dict[type[Fact], Apply] = {
    EntryPut: entry_put,
    EntryRemoved: entry_removed,
    FeedOpened: feed_opened,
    FeedRevoked: feed_revoked,
}
