"""What can be done to the calendar."""

from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from ventures.content import api as content
from ventures.errors import Conflict, Forbidden, LimitReached, NotFound, Stale, VersionRequired
from ventures.log.api import Command, Decide, Fact, Unit, require_version
from ventures.planner import sql
from ventures.planner.events import EntryPut, EntryRemoved, FeedOpened, FeedRevoked
from ventures.planner.records import Entry, Label, Note, Title
from ventures.planner.times import Span, When, span_of
from ventures.tenancy import api as tenancy

MOST_FEEDS = 50
"""Feeds a venture may have at a time."""
NO_SUCH_ENTRY = "There is no such entry in this calendar."
NO_SUCH_DEADLINE = "This item has no deadline."
NO_SUCH_FEED = "There is no such feed of this calendar."


class AddEvent(Command, frozen=True, kw_only=True):
    """An event of the calendar. `item`: the content item it is about."""

    feature: ClassVar[str] = "planner"
    action: ClassVar[str] = "draft"
    title: Title
    when: When
    item: UUID | None = None
    note: Note = ""


class ChangeEvent(Command, frozen=True, kw_only=True):
    """What is not UNSET is changed; `when` as a whole."""

    feature: ClassVar[str] = "planner"
    action: ClassVar[str] = "draft"
    entry: UUID
    version: int
    title: Title | UnsetType = UNSET
    when: When | UnsetType = UNSET
    item: UUID | UnsetType | None = UNSET
    note: Note | UnsetType = UNSET


class RemoveEvent(Command, frozen=True, kw_only=True):
    feature: ClassVar[str] = "planner"
    action: ClassVar[str] = "draft"
    entry: UUID
    version: int


class SetDeadline(Command, frozen=True, kw_only=True):
    """`version`: of the deadline that it moves; None where there is none yet."""

    feature: ClassVar[str] = "planner"
    action: ClassVar[str] = "draft"
    item: UUID
    when: When
    note: Note = ""
    version: int | None = None


class ClearDeadline(Command, frozen=True, kw_only=True):
    feature: ClassVar[str] = "planner"
    action: ClassVar[str] = "draft"
    item: UUID
    version: int


class OpenFeed(Command, frozen=True, kw_only=True):
    """digest: SHA-256 in hex of the token that will open the feed."""

    feature: ClassVar[str] = "planner"
    action: ClassVar[str] = "draft"
    label: Label
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class RevokeFeed(Command, frozen=True, kw_only=True):
    feature: ClassVar[str] = "planner"
    action: ClassVar[str] = "draft"
    feed: UUID


async def add_event(unit: Unit, command: AddEvent) -> list[Fact]:
    await _require_item(unit, command.item)
    span = await _span(unit, command.when)
    entry = unit.new_id()
    return [_event(entry, command.title, command.item, span, command.note)]


async def change_event(unit: Unit, command: ChangeEvent) -> list[Fact]:
    old = await _event_to_change(unit, command.entry, command.version)
    item = old.item if command.item is UNSET else command.item
    if item != old.item:
        await _require_item(unit, item)
    span = _span_kept(old) if command.when is UNSET else await _span(unit, command.when, old)
    title = (old.title or "") if command.title is UNSET else command.title
    note = old.note if command.note is UNSET else command.note
    return [_event(old.id, title, item, span, note)]


async def remove_event(unit: Unit, command: RemoveEvent) -> list[Fact]:
    return [EntryRemoved(entity=(await _event_to_change(unit, command.entry, command.version)).id)]


async def set_deadline(unit: Unit, command: SetDeadline) -> list[Fact]:
    await content.item(unit.scope, command.item)
    old = await unit.scope.one(sql.DEADLINE, Entry, item=command.item)
    if old is None and command.version is not None:
        raise Stale("This deadline was removed meanwhile: read it again.")
    if old is not None and command.version is None:
        raise VersionRequired("This item has a deadline already: say which version of it you move, as If-Match.")
    if old is not None and command.version is not None:
        require_version(old.version, command.version, "deadline")
    span = await _span(unit, command.when, old)
    return [
        EntryPut(
            entity=unit.new_id() if old is None else old.id,
            kind="deadline",
            item=command.item,
            starts_at=span.starts_at,
            ends_at=span.ends_at,
            zone=span.zone,
            starts_on=span.starts_on,
            ends_on=span.ends_on,
            note=command.note,
        )
    ]


async def clear_deadline(unit: Unit, command: ClearDeadline) -> list[Fact]:
    await content.item(unit.scope, command.item)
    old = await unit.scope.one(sql.DEADLINE, Entry, item=command.item)
    if old is None:
        raise NotFound(NO_SUCH_DEADLINE)
    require_version(old.version, command.version, "deadline")
    return [EntryRemoved(entity=old.id)]


async def open_feed(unit: Unit, command: OpenFeed) -> list[Fact]:
    row = await unit.scope.one(sql.FEEDS_OPEN)
    if row is not None and row[0] >= MOST_FEEDS:
        raise LimitReached(f"A calendar has at most {MOST_FEEDS} feeds: revoke one that nobody reads.")
    if unit.actor.account is None:
        raise Conflict("A feed is opened by a person, whose rights it has.")
    if unit.actor.scopes is not None and tenancy.permission("planner", "view") not in unit.actor.scopes:
        raise Forbidden("A feed shows the calendar, and this API key does not include planner:view.")
    return [FeedOpened(entity=unit.new_id(), label=command.label, digest=command.digest, account=unit.actor.account)]


async def revoke_feed(unit: Unit, command: RevokeFeed) -> list[Fact]:
    if await unit.scope.one(sql.FEED, feed=command.feed) is None:
        raise NotFound(NO_SUCH_FEED)
    return [FeedRevoked(entity=command.feed)]


def _event(entry: UUID, title: str, item: UUID | None, span: Span, note: str) -> EntryPut:
    return EntryPut(
        entity=entry,
        kind="event",
        title=title,
        item=item,
        starts_at=span.starts_at,
        ends_at=span.ends_at,
        zone=span.zone,
        starts_on=span.starts_on,
        ends_on=span.ends_on,
        note=note,
    )


async def _event_to_change(unit: Unit, entry: UUID, version: int) -> Entry:
    old = await unit.scope.one(sql.ENTRY, Entry, entry=entry)
    if old is None:
        raise NotFound(NO_SUCH_ENTRY)
    if old.kind == "deadline":
        raise Conflict("This is an item's deadline: change it at the item (…/items/{item}/deadline).")
    if old.kind == "post":
        raise Conflict("This is when a post goes out: reschedule or unschedule the post.")
    require_version(old.version, version, "event")
    return old


async def _span(unit: Unit, when: When, old: Entry | None = None) -> Span:
    venture_zone = (await tenancy.venture(unit.scope)).zone
    zone = venture_zone if old is None or old.all_day else old.zone
    return span_of(when, zone=zone, venture_zone=venture_zone)


def _span_kept(old: Entry) -> Span:
    return Span(old.starts_at, old.ends_at, old.zone, old.starts_on, old.ends_on)


async def _require_item(unit: Unit, item: UUID | None) -> None:
    if item is not None:
        await content.item(unit.scope, item)


DECIDE: dict[type[Command], Decide] = {
    AddEvent: add_event,
    ChangeEvent: change_event,
    RemoveEvent: remove_event,
    SetDeadline: set_deadline,
    ClearDeadline: clear_deadline,
    OpenFeed: open_feed,
    RevokeFeed: revoke_feed,
}
