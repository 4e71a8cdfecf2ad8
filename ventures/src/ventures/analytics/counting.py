"""The consumer that counts, from the log and nothing else, so that reading it again makes the same counts.

An event is counted once, however often it is handled: which were counted is kept beside the counts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ventures.analytics import sql
from ventures.analytics.histogram import bucket_of
from ventures.analytics.records import CountMetric, DurationMetric
from ventures.content import api as content
from ventures.database.scope import Scope
from ventures.log.api import Event, Fact, Rest
from ventures.posts import api as posts
from ventures.tenancy import api as tenancy

NO_ZONE: Final = "UTC"
DRAFT_TO_FIRST_APPROVAL: Final[DurationMetric] = "draft_to_first_approval"


@dataclass
class Tally:
    """What some events of one log come to, and what they are folded from.

    drafted: when items were drafted that are not approved yet. doubt: kinds of the channels of posts of which nobody
    knows whether they are out. Both begin with what the tables have of the items and posts that the events are about;
    put: whose row is new, taken: whose row is to go.
    """

    zone: str
    drafted: dict[UUID, datetime]
    doubt: dict[UUID, str]
    counts: Counter[tuple[date, CountMetric, str]] = field(default_factory=Counter)
    durations: Counter[tuple[date, DurationMetric, int]] = field(default_factory=Counter)
    seconds: Counter[tuple[date, DurationMetric, int]] = field(default_factory=Counter)
    active: set[tuple[date, UUID]] = field(default_factory=set)
    put: set[UUID] = field(default_factory=set)
    taken: set[UUID] = field(default_factory=set)
    moved: bool = False

    def fold(self, event: Event) -> None:
        """One more. A day is a day in the zone that the venture had then."""
        if isinstance(event.data, tenancy.VentureFounded | tenancy.VentureChanged):
            self.zone, self.moved = event.data.zone, True
        day = day_of(event.at, self.zone)
        if (account := event.account) is not None:
            self.active.add((day, account))
        if (fold := FOLDS.get(type(event.data))) is not None:
            fold(self, day, event)

    def take(self, entity: UUID) -> None:
        """It is no longer waited for."""
        self.put.discard(entity)
        self.taken.add(entity)


Fold = Callable[[Tally, date, Event[Any]], None]


def _counting(metric: CountMetric) -> Fold:
    def fold(tally: Tally, day: date, event: Event[Any]) -> None:
        tally.counts[day, metric, ""] += 1

    return fold


def _drafted(tally: Tally, day: date, event: Event[content.ItemDrafted]) -> None:
    tally.counts[day, "items_drafted", ""] += 1
    if event.entity not in tally.drafted:
        tally.drafted[event.entity] = event.at
        tally.put.add(event.entity)


def _approved(tally: Tally, day: date, event: Event[content.ItemApproved]) -> None:
    """Only the first approval of an item tells how long it took."""
    tally.counts[day, "items_approved", ""] += 1
    if (drafted_at := tally.drafted.pop(event.entity, None)) is not None:
        tally.take(event.entity)
        seconds = int((event.at - drafted_at).total_seconds())
        key = (day, DRAFT_TO_FIRST_APPROVAL, bucket_of(seconds))
        tally.durations[key] += 1
        tally.seconds[key] += seconds


def _deleted(tally: Tally, day: date, event: Event[content.ItemDeleted]) -> None:
    tally.drafted.pop(event.entity, None)
    tally.take(event.entity)


def _post_published(tally: Tally, day: date, event: Event[posts.PostPublished]) -> None:
    tally.counts[day, "posts_published", event.data.kind] += 1


def _post_failed(tally: Tally, day: date, event: Event[posts.PublishingFailed]) -> None:
    if event.data.retry_at is None:
        tally.counts[day, "posts_failed", event.data.kind] += 1


def _post_unknown(tally: Tally, day: date, event: Event[posts.PublishingUnknown]) -> None:
    tally.counts[day, "posts_unknown", event.data.kind] += 1
    tally.doubt[event.entity] = event.data.kind
    tally.put.add(event.entity)


def _post_resolved(tally: Tally, day: date, event: Event[posts.PostResolved]) -> None:
    if (kind := tally.doubt.pop(event.entity, None)) is not None:
        tally.take(event.entity)
        tally.counts[day, "posts_published" if event.data.published else "posts_failed", kind] += 1


FOLDS: Final[Mapping[type[Fact], Fold]] = MappingProxyType(
    {
        content.ItemDrafted: _drafted,
        content.SubmittedForApproval: _counting("items_submitted"),
        content.ItemApproved: _approved,
        content.ChangesRequested: _counting("changes_requested"),
        content.ItemPublished: _counting("items_published"),
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
    apart: bool = False

    async def handle(self, scope: Scope, event: Event) -> None:
        await (await self.handle_all(scope, [event]))()

    async def handle_all(self, scope: Scope, events: Sequence[Event]) -> Rest:
        """Counts those that were not counted before, as the database tells."""
        named = {"target": self.target}
        approved = [event.entity for event in events if isinstance(event.data, content.ItemApproved)]
        resolved = [event.entity for event in events if isinstance(event.data, posts.PostResolved)]
        fresh = await scope.queued(
            sql.COUNT_ONCE, **named, seqs=[event.seq for event in events], at=[event.at for event in events]
        )
        drafted = await scope.queued(sql.DRAFTED, **named, items=approved) if approved else None
        doubt = await scope.queued(sql.UNKNOWN, **named, posts=resolved) if resolved else None

        async def rest() -> None:
            zones: dict[int, str | None] = dict(await fresh.all())
            tally = Tally(
                next(iter(zones.values()), None) or NO_ZONE,
                dict(await drafted.all()) if drafted else {},
                dict(await doubt.all()) if doubt else {},
            )
            for event in events:
                if event.seq in zones:
                    tally.fold(event)
            await _keep(scope, self.target, tally)

        return rest

    async def forget(self, scope: Scope) -> None:
        """All of it."""
        await scope.run(sql.FORGET_COUNTED, target=self.target)
        await scope.run(sql.FORGET_ZONE, target=self.target)
        await scope.run(sql.FORGET_ITEMS, target=self.target)
        await scope.run(sql.FORGET_UNKNOWN, target=self.target)
        await scope.run(sql.FORGET_COUNTS, target=self.target)
        await scope.run(sql.FORGET_DURATIONS, target=self.target)
        await scope.run(sql.FORGET_ACTIVE, target=self.target)


async def _keep(scope: Scope, target: str, tally: Tally) -> None:
    """Only what there is of it."""
    if tally.moved:
        await scope.run(sql.PUT_ZONE, target=target, zone=tally.zone)
    if tally.active:
        days, accounts = _columns(tally.active)
        await scope.run(sql.ACTIVE, target=target, days=days, accounts=accounts)
    if tally.counts:
        days, metrics, dimensions = _columns(tally.counts)
        counts = list(tally.counts.values())
        await scope.run(sql.ADD, target=target, days=days, metrics=metrics, dimensions=dimensions, counts=counts)
    if tally.durations:
        days, metrics, buckets = _columns(tally.durations)
        counts, seconds = list(tally.durations.values()), list(tally.seconds.values())
        await scope.run(
            sql.ADD_DURATIONS,
            target=target,
            days=days,
            metrics=metrics,
            buckets=buckets,
            counts=counts,
            seconds=seconds,
        )
    if tally.taken:
        await scope.run(sql.TAKE_ITEMS, target=target, items=list(tally.taken))
        await scope.run(sql.TAKE_UNKNOWN, target=target, posts=list(tally.taken))
    items = [(item, at) for item, at in tally.drafted.items() if item in tally.put]
    if items:
        drafted, at = _columns(items)
        await scope.run(sql.PUT_ITEMS, target=target, items=drafted, at=at)
    unknown = [(post, kind) for post, kind in tally.doubt.items() if post in tally.put]
    if unknown:
        found, kinds = _columns(unknown)
        await scope.run(sql.PUT_UNKNOWN, target=target, posts=found, kinds=kinds)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def day_of(at: datetime, zone: str) -> date:
    """The day on the zone's calendars; in UTC where this machine does not know the zone."""
    try:
        return at.astimezone(ZoneInfo(zone)).date()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return at.astimezone(ZoneInfo(NO_ZONE)).date()
