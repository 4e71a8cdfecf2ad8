"""The consumer that counts, from the log and nothing else, so that reading it again makes the same counts.

An event is counted once, however often it is handled: which were counted is kept beside the counts.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from ventures.analytics import sql
from ventures.analytics.histogram import bucket_of
from ventures.analytics.records import CountMetric
from ventures.content import api as content
from ventures.database.scope import Scope
from ventures.log.api import Event, Fact
from ventures.posts import api as posts
from ventures.tenancy import api as tenancy

NO_ZONE: Final = "UTC"


class Place(msgspec.Struct, frozen=True):
    """Where a count goes."""

    target: str
    day: date


Fold = Callable[[Scope, Place, Event[Any]], Awaitable[None]]


async def add(scope: Scope, place: Place, metric: CountMetric, dimension: str = "") -> None:
    """One more."""
    await scope.run(sql.ADD, target=place.target, day=place.day, metric=metric, dimension=dimension)


async def _drafted(scope: Scope, place: Place, event: Event[content.ItemDrafted]) -> None:
    await add(scope, place, "items_drafted")
    await scope.run(sql.PUT_ITEM, target=place.target, item=event.entity, at=event.at)


async def _submitted(scope: Scope, place: Place, event: Event[content.SubmittedForApproval]) -> None:
    await add(scope, place, "items_submitted")


async def _approved(scope: Scope, place: Place, event: Event[content.ItemApproved]) -> None:
    """Only the first approval of an item tells how long it took."""
    await add(scope, place, "items_approved")
    row = await scope.one(sql.TAKE_ITEM, target=place.target, item=event.entity)
    if row is not None:
        seconds = int((event.at - row[0]).total_seconds())
        await scope.run(
            sql.ADD_DURATION,
            target=place.target,
            day=place.day,
            metric="draft_to_first_approval",
            bucket=bucket_of(seconds),
            seconds=seconds,
        )


async def _changes_requested(scope: Scope, place: Place, event: Event[content.ChangesRequested]) -> None:
    await add(scope, place, "changes_requested")


async def _published(scope: Scope, place: Place, event: Event[content.ItemPublished]) -> None:
    await add(scope, place, "items_published")


async def _deleted(scope: Scope, place: Place, event: Event[content.ItemDeleted]) -> None:
    await scope.run(sql.TAKE_ITEM, target=place.target, item=event.entity)


async def _post_published(scope: Scope, place: Place, event: Event[posts.PostPublished]) -> None:
    await add(scope, place, "posts_published", event.data.kind)


async def _post_failed(scope: Scope, place: Place, event: Event[posts.PublishingFailed]) -> None:
    if event.data.retry_at is None:
        await add(scope, place, "posts_failed", event.data.kind)


async def _post_unknown(scope: Scope, place: Place, event: Event[posts.PublishingUnknown]) -> None:
    await add(scope, place, "posts_unknown", event.data.kind)
    await scope.run(sql.PUT_UNKNOWN, target=place.target, post=event.entity, kind=event.data.kind)


async def _post_resolved(scope: Scope, place: Place, event: Event[posts.PostResolved]) -> None:
    row = await scope.one(sql.TAKE_UNKNOWN, target=place.target, post=event.entity)
    if row is not None:
        await add(scope, place, "posts_published" if event.data.published else "posts_failed", row[0])


FOLDS: Final[Mapping[type[Fact], Fold]] = MappingProxyType(
    {
        content.ItemDrafted: _drafted,
        content.SubmittedForApproval: _submitted,
        content.ItemApproved: _approved,
        content.ChangesRequested: _changes_requested,
        content.ItemPublished: _published,
        content.ItemDeleted: _deleted,
        posts.PostPublished: _post_published,
        posts.PublishingFailed: _post_failed,
        posts.PublishingUnknown: _post_unknown,
        posts.PostResolved: _post_resolved,
    }
)


@dataclass
class Counting:
    """Counts into `target`; a second one is filled beside the first and read by nobody until it is asked for."""

    name: str = "analytics"
    target: str = ""
    handles: frozenset[str] | None = None

    async def handle(self, scope: Scope, event: Event) -> None:
        """A day is a day in the zone that the venture had then."""
        row = await scope.one(sql.COUNT_ONCE, target=self.target, seq=event.seq, at=event.at)
        if row is None:
            return
        zone = row[0] or NO_ZONE
        if isinstance(event.data, tenancy.VentureFounded | tenancy.VentureChanged):
            zone = event.data.zone
            await scope.run(sql.PUT_ZONE, target=self.target, zone=zone)
        place = Place(self.target, day_of(event.at, zone))
        account = event.account
        if account is not None:
            await scope.run(sql.ACTIVE, target=self.target, day=place.day, account=account)
        if (fold := FOLDS.get(type(event.data))) is not None:
            await fold(scope, place, event)

    async def forget(self, scope: Scope) -> None:
        """All of it."""
        await scope.run(sql.FORGET_COUNTED, target=self.target)
        await scope.run(sql.FORGET_ZONE, target=self.target)
        await scope.run(sql.FORGET_ITEMS, target=self.target)
        await scope.run(sql.FORGET_UNKNOWN, target=self.target)
        await scope.run(sql.FORGET_COUNTS, target=self.target)
        await scope.run(sql.FORGET_DURATIONS, target=self.target)
        await scope.run(sql.FORGET_ACTIVE, target=self.target)


def day_of(at: datetime, zone: str) -> date:
    """The day on the zone's calendars; in UTC where this machine does not know the zone."""
    try:
        return at.astimezone(ZoneInfo(zone)).date()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return at.astimezone(ZoneInfo(NO_ZONE)).date()
