"""/v1/ventures/{venture}/calendar and …/items/{item}/deadline."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from ventures.database.scope import Scope
from ventures.errors import Invalid
from ventures.http import calendar_feeds
from ventures.http.exchange import (
    Body,
    IdempotencyKey,
    IfMatch,
    append,
    expected_version,
    platform_of,
    reading,
    reading_back,
    shown,
)
from ventures.http.paging import Cursor, Limit, Page, page, position
from ventures.planner import api as planner
from ventures.planner.api import CalendarEntry, Fold, Kind, Note, Title, When, ZoneName
from ventures.posts import api as posts
from ventures.tenancy import api as tenancy

LONGEST_SEARCH: Final = timedelta(days=92)
MOST_WAITING: Final = 5_000
CLOCK: Final = "^([01][0-9]|2[0-3]):[0-5][0-9]$"

From = Annotated[
    datetime | None, QueryParameter(name="from", description="Entries that end after it; with its offset from UTC.")
]
To = Annotated[
    datetime | None, QueryParameter(name="to", description="Entries that start before it; with its offset from UTC.")
]
Zone = Annotated[
    ZoneName | None,
    QueryParameter(description="IANA name of the zone that local times are shown in; by default the venture's."),
]
ClockTime = Annotated[str, QueryParameter(pattern=CLOCK, description="HH:MM on the clocks of the zone.")]


class Times(Body, frozen=True, kw_only=True):
    """When it is: `starts_at` (and `ends_at`), or `starts_on` (and `ends_on`, included) for whole days of the venture.

    A time with an offset is an instant; one without is a clock time in `zone`, by default the venture's. A clock time
    that happens twice is the earlier one unless `fold` says later; one that the clocks skip is refused.
    """

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    zone: ZoneName | None = None
    fold: Fold = "earlier"
    starts_on: date | None = None
    ends_on: date | None = None

    def when(self) -> When:
        return When(
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            zone=self.zone,
            fold=self.fold,
            starts_on=self.starts_on,
            ends_on=self.ends_on,
        )

    def timed(self) -> bool:
        """Whether any time is said."""
        return self.when() != When()


class NewEvent(Times, frozen=True, kw_only=True):
    """An event of the calendar. item: the content item it is about."""

    title: Title
    item: UUID | None = None
    note: Note = ""


class EventChanges(Times, frozen=True, kw_only=True):
    """What is absent stays as it is. Times are changed together: whoever says one says all; only the zone may stay."""

    title: Title | UnsetType = UNSET
    item: UUID | UnsetType | None = UNSET
    note: Note | UnsetType = UNSET


class NewDeadline(Times, frozen=True, kw_only=True):
    """When the item is due; a moment unless it has an end."""

    note: Note = ""


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A free time, in UTC and on the clocks of the zone that was asked for."""

    starts_at: datetime
    ends_at: datetime
    starts_local: str
    ends_local: str


class FreeSlots(msgspec.Struct, frozen=True):
    """The next free times, the earliest first."""

    items: list[Slot]
    shown_in: str


@get("/calendar", summary="The calendar", operation_id="list_calendar")
async def list_calendar(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    since: From = None,
    until: To = None,
    kind: FromQuery[list[Kind] | None] = None,
    zone: Zone = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response[Page[CalendarEntry]]:
    """Events, deadlines and posts that overlap the range, by their start."""
    begin, stop = _instant(since, "from"), _instant(until, "to")
    after = position(cursor, tuple[datetime, UUID])

    async def fetch(scope: Scope) -> list[CalendarEntry]:
        found = await planner.entries(
            scope, since=begin, until=stop, kinds=kind or planner.KINDS, after=after, limit=limit + 1
        )
        return await planner.shown(scope, found, zone)

    rows = await reading(request, venture, "planner", "view", fetch)
    return Response(page(rows, limit, lambda one: (one.starts_at, one.id)))


@post("/calendar", summary="Add an event", operation_id="add_calendar_event")
async def add_calendar_event(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    data: JSONBody[NewEvent],
    idempotency_key: IdempotencyKey = None,
) -> Response[CalendarEntry]:
    """Deadlines are set at their item, posts scheduled at the post."""
    command = planner.AddEvent(title=data.title, when=data.when(), item=data.item, note=data.note)
    done = await append(request, venture, command, idempotency_key)
    made = await reading_back(request, venture, planner.calendar_entry, done.entity)
    answer = shown(made, made.version, done=done, status=201)
    answer.headers["Location"] = f"/v1/ventures/{venture}/calendar/{made.id}"
    return answer


@get("/calendar/{entry:uuid}", summary="An entry of the calendar", operation_id="read_calendar_entry")
async def read_calendar_entry(
    request: Request[Any, Any, Any], venture: FromPath[UUID], entry: FromPath[UUID], zone: Zone = None
) -> Response[CalendarEntry]:
    found = await reading(request, venture, "planner", "view", planner.calendar_entry, entry, zone)
    return shown(found, found.version)


@patch("/calendar/{entry:uuid}", summary="Change an event", operation_id="change_calendar_event")
async def change_calendar_event(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    entry: FromPath[UUID],
    data: JSONBody[EventChanges],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[CalendarEntry]:
    """Refused for deadlines and posts: they are moved at their item or post."""
    command = planner.ChangeEvent(
        entry=entry,
        version=expected_version(if_match),
        title=data.title,
        when=data.when() if data.timed() else UNSET,
        item=data.item,
        note=data.note,
    )
    done = await append(request, venture, command, idempotency_key)
    found = await reading_back(request, venture, planner.calendar_entry, entry)
    return shown(found, found.version, done=done)


@delete("/calendar/{entry:uuid}", summary="Remove an event", operation_id="remove_calendar_event")
async def remove_calendar_event(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    entry: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Feeds show it as cancelled for 30 days."""
    command = planner.RemoveEvent(entry=entry, version=expected_version(if_match))
    await append(request, venture, command, idempotency_key)


@get("/items/{item:uuid}/deadline", summary="An item's deadline", operation_id="read_deadline")
async def read_deadline(
    request: Request[Any, Any, Any], venture: FromPath[UUID], item: FromPath[UUID], zone: Zone = None
) -> Response[CalendarEntry]:
    """The entry of the calendar that is the deadline; 404 where the item has none."""
    found = await reading(request, venture, "planner", "view", planner.deadline, item, zone)
    return shown(found, found.version)


@put("/items/{item:uuid}/deadline", summary="Set an item's deadline", operation_id="set_deadline")
async def set_deadline(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    data: JSONBody[NewDeadline],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[CalendarEntry]:
    """Moves it where there is one; then If-Match says which version of it."""
    version = None if if_match is None else expected_version(if_match)
    command = planner.SetDeadline(item=item, when=data.when(), note=data.note, version=version)
    done = await append(request, venture, command, idempotency_key)
    found = await reading_back(request, venture, planner.deadline, item)
    return shown(found, found.version, done=done)


@delete("/items/{item:uuid}/deadline", summary="Remove an item's deadline", operation_id="clear_deadline")
async def clear_deadline(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> None:
    command = planner.ClearDeadline(item=item, version=expected_version(if_match))
    await append(request, venture, command, idempotency_key)


@get("/calendar/free-slots", summary="The next free times", operation_id="find_free_slots")
async def find_free_slots(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    since: From = None,
    until: To = None,
    minutes: Annotated[int, QueryParameter(ge=5, le=1440, description="How long, in minutes.")] = 30,
    begin: ClockTime = "09:00",
    end: ClockTime = "17:00",
    weekday: Annotated[
        list[Annotated[int, msgspec.Meta(ge=1, le=7)]] | None,
        QueryParameter(description="1 is Monday, 7 Sunday; may be given several times. By default Monday to Friday."),
    ] = None,
    zone: Zone = None,
    channel: Annotated[
        UUID | None, QueryParameter(description="Posts scheduled for other channels than this one take no time.")
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100, description="Most times of the answer.")] = 10,
) -> Response[FreeSlots]:
    """Within the working hours `begin`–`end`, from now or `from` on, for two weeks or until `to` (at most 92 days).

    Events and posts take their time, deadlines and whole days do not.
    """
    start = _instant(since, "from") or platform_of(request).now()
    stop = _instant(until, "to") or start + timedelta(days=14)
    if not start < stop <= start + LONGEST_SEARCH:
        raise Invalid(
            f"`to` lies after `from`, at most {LONGEST_SEARCH.days} days.", fields={"to": "out of the search"}
        )
    opens, closes = time.fromisoformat(begin), time.fromisoformat(end)
    if opens >= closes:
        raise Invalid("The working hours end before they begin.", fields={"end": "not after begin"})

    async def fetch(scope: Scope) -> FreeSlots:
        name = (await tenancy.venture(scope)).zone if zone is None else zone
        where = planner.zone_of(name)
        hours = planner.WorkingHours(opens, closes, frozenset(weekday or range(1, 6)), where)
        mine = None if channel is None else await _scheduled_for(scope, channel)
        taken = await planner.busy(scope, start, stop, posts=mine)
        found = planner.free_slots(taken, hours, start, stop, timedelta(minutes=minutes))
        return FreeSlots(
            [
                Slot(
                    starts_at=first,
                    ends_at=last,
                    starts_local=planner.local_text(first, where),
                    ends_local=planner.local_text(last, where),
                )
                for _, (first, last) in zip(range(limit), found, strict=False)
            ],
            name,
        )

    return Response(await reading(request, venture, "planner", "view", fetch))


async def _scheduled_for(scope: Scope, channel: UUID) -> set[UUID]:
    """Raises: NotFound where there is no such channel; Invalid where too many posts wait for it."""
    await posts.channel(scope, channel)
    found = await posts.posts(scope, channel=channel, state="scheduled", limit=MOST_WAITING + 1)
    if len(found) > MOST_WAITING:
        raise Invalid(f"More than {MOST_WAITING} posts wait for it.", fields={"channel": "too full"})
    return {one.id for one in found}


def _instant(moment: datetime | None, field: str) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise Invalid("Say the offset from UTC, such as 2026-03-01T09:00:00Z.", fields={field: "without an offset"})
    return moment if moment is None else planner.instant(moment, "UTC", field=field)


ROUTERS = (
    Router(
        "/v1/ventures/{venture:uuid}",
        route_handlers=[
            *calendar_feeds.HANDLERS,
            list_calendar,
            add_calendar_event,
            find_free_slots,
            read_calendar_entry,
            change_calendar_event,
            remove_calendar_event,
            read_deadline,
            set_deadline,
            clear_deadline,
        ],
        tags=["planner"],
    ),
    Router("/", route_handlers=[calendar_feeds.read_calendar_feed_document]),
)
