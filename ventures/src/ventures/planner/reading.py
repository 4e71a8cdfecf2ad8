"""The calendar as it is read: entries with the titles of what they are about, and local times."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, get_args
from uuid import UUID

from ventures.content import api as content
from ventures.database.scope import Scope
from ventures.errors import Invalid, NotFound
from ventures.planner import sql
from ventures.planner.commands import NO_SUCH_DEADLINE, NO_SUCH_ENTRY, NO_SUCH_FEED
from ventures.planner.feed import digest_of
from ventures.planner.records import CalendarEntry, Entry, Feed, Kind
from ventures.planner.times import LONGEST, local_text, zone_of
from ventures.tenancy import api as tenancy

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
END: Final = datetime(2200, 1, 1, tzinfo=UTC)
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
NOBODY: Final = UUID(int=0)
UNTITLED: Final = "(untitled)"
FEED_REACHES_BACK: Final = timedelta(days=366)
CANCELLED_SHOWN: Final = timedelta(days=30)
"""How long a feed says of a removed entry that it is cancelled, so that programs take it away."""
MOST_IN_FEED: Final = 2_000
MOST_BUSY: Final = 5_000


async def entry(scope: Scope, identifier: UUID) -> Entry:
    """Raises: NotFound."""
    found = await scope.one(sql.ENTRY, Entry, entry=identifier)
    if found is None:
        raise NotFound(NO_SUCH_ENTRY)
    return found


async def deadlines(scope: Scope, items: Sequence[UUID]) -> dict[UUID, Entry]:
    """The deadlines of those items that have one."""
    found = await scope.all(sql.DEADLINES, Entry, items=list(items))
    return {one.item: one for one in found if one.item is not None}


async def entries_of_posts(scope: Scope, posts: Sequence[UUID]) -> dict[UUID, Entry]:
    """When posts go out, of those that stand in the calendar."""
    found = await scope.all(sql.OF_SUBJECTS, Entry, subjects=list(posts))
    return {one.subject: one for one in found if one.subject is not None}


async def entries(
    scope: Scope,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    kinds: Sequence[Kind] = KINDS,
    after: tuple[datetime, UUID] | None = None,
    limit: int,
) -> list[Entry]:
    """What overlaps [since, until), by its start, then id; `after`: start and id of the last one of the page before."""
    begin, stop = max(since or BEGINNING, BEGINNING), min(until or END, END)
    after_at, after_id = after or (BEGINNING, NOBODY)
    return await scope.all(
        sql.ENTRIES,
        Entry,
        earliest=max(begin - LONGEST, BEGINNING) if begin > BEGINNING + LONGEST else BEGINNING,
        since=begin,
        until=stop,
        kinds=list(kinds),
        after_at=after_at,
        after=after_id,
        limit=limit,
    )


async def shown(scope: Scope, found: Sequence[Entry], zone: str | None = None) -> list[CalendarEntry]:
    """Entries with titles, and local times in `zone`, or in the venture's. Raises: Invalid."""
    name = (await tenancy.venture(scope)).zone if zone is None else zone
    where = zone_of(name)
    titles = await titles_of(scope, found)
    return [
        CalendarEntry(
            id=one.id,
            kind=one.kind,
            title=titles[one.id],
            item=one.item,
            post=one.subject,
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            zone=one.zone,
            all_day=one.all_day,
            starts_on=one.starts_on,
            ends_on=one.ends_on,
            starts_local=local_text(one.starts_at, where),
            ends_local=local_text(one.ends_at, where),
            shown_in=name,
            note=one.note,
            updated_at=one.updated_at,
            version=one.version,
        )
        for one in found
    ]


async def titles_of(scope: Scope, found: Sequence[Entry]) -> dict[UUID, str]:
    """Each entry's title: its own, or that of its item as it is now."""
    items = {one.item for one in found if one.title is None and one.item is not None}
    titles = await content.titles(scope, list(items)) if items else {}
    return {one.id: one.title or titles.get(one.item or NOBODY, UNTITLED) for one in found}


async def calendar_entry(scope: Scope, identifier: UUID, zone: str | None = None) -> CalendarEntry:
    """Raises: NotFound, Invalid."""
    (one,) = await shown(scope, [await entry(scope, identifier)], zone)
    return one


async def deadline(scope: Scope, item: UUID, zone: str | None = None) -> CalendarEntry:
    """Raises: NotFound where there is no such item, or it has no deadline; Invalid."""
    await content.item(scope, item)
    found = await scope.one(sql.DEADLINE, Entry, item=item)
    if found is None:
        raise NotFound(NO_SUCH_DEADLINE)
    (one,) = await shown(scope, [found], zone)
    return one


async def feed(scope: Scope, identifier: UUID) -> Feed:
    """Raises: NotFound."""
    found = await scope.one(sql.FEED, Feed, feed=identifier)
    if found is None:
        raise NotFound(NO_SUCH_FEED)
    return found


async def feeds(scope: Scope, after: UUID | None, limit: int) -> list[Feed]:
    """Feeds that were not revoked, oldest first."""
    return await scope.all(sql.FEEDS, Feed, after=after or NOBODY, limit=limit)


async def feed_of(scope: Scope, token: str) -> Feed:
    """The feed that the token opens. Raises: NotFound."""
    found = await scope.one(sql.FEED_OF_DIGEST, Feed, digest=digest_of(token))
    if found is None:
        raise NotFound("There is no such feed; it may have been revoked.")
    return found


async def feed_entries(scope: Scope, now: datetime) -> tuple[str, list[Entry], dict[UUID, str]]:
    """What a feed shows: the venture's name, the entries (removed ones for a while), their titles.

    From what ended a year ago on; where these are more than `MOST_IN_FEED`, without the first of them.
    """
    venture = await tenancy.venture(scope)
    found = await scope.all(
        sql.FOR_FEED,
        Entry,
        since=now - FEED_REACHES_BACK,
        cancelled_since=now - CANCELLED_SHOWN,
        limit=MOST_IN_FEED,
    )
    found.reverse()
    return venture.name, found, await titles_of(scope, found)


async def busy(
    scope: Scope, since: datetime, until: datetime, *, posts: Collection[UUID] | None = None
) -> list[tuple[datetime, datetime]]:
    """When somebody is busy: events that are not of whole days, and posts, or only these `posts` where they are given.

    Raises: Invalid where the time is too full to look through.
    """
    found = await entries(scope, since=since, until=until, kinds=("event", "post"), limit=MOST_BUSY + 1)
    if len(found) > MOST_BUSY:
        raise Invalid(f"More than {MOST_BUSY} entries stand there: ask for a shorter time.", fields={"to": "too far"})
    return [
        (one.starts_at, one.ends_at)
        for one in found
        if not one.all_day and (posts is None or one.subject is None or one.subject in posts)
    ]
