"""The calendar as a document for calendar programs (RFC 5545)."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from hashlib import sha256
from typing import Final
from uuid import UUID

from icalendar import Calendar, Component, Event, Timezone, TimezoneDaylight, TimezoneStandard, vText

from ventures.planner.records import Entry, Kind
from ventures.planner.times import zone_of

REFRESH: Final = timedelta(hours=1)
"""How often a program is asked to look again."""
PREFIX: Final[Mapping[Kind, str]] = {"event": "", "deadline": "Deadline: ", "post": "Post: "}


def digest_of(token: str) -> bytes:
    """What is kept of a feed's token."""
    return sha256(token.encode()).digest()


def fingerprint(name: str, entries: Sequence[Entry], titles: Mapping[UUID, str]) -> str:
    """The same for the same document; it need not be made to know it."""
    seen = sha256(name.encode())
    for one in entries:
        seen.update(f"\n{one.id} {one.version} {titles[one.id]}".encode())
    return seen.hexdigest()[:32]


def document(name: str, entries: Sequence[Entry], titles: Mapping[UUID, str]) -> bytes:
    """The calendar called `name`. Removed entries are in it as cancelled.

    An entry's UID is its id and never changes, SEQUENCE is its version. Times are on the clocks of the entry's zone,
    which the document defines for as long as its entries need it.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//ventures//calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for property_ in ("name", "x-wr-calname"):  # not known as texts to icalendar, which would write them as they are
        calendar.add(property_, vText(_text(name)))
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    years: dict[str, tuple[int, int]] = {}
    for one in entries:
        if not one.all_day and one.zone != "UTC":
            low, high = years.get(one.zone, (one.starts_at.year, one.ends_at.year))
            years[one.zone] = min(low, one.starts_at.year), max(high, one.ends_at.year)
    for zone, (low, high) in sorted(years.items()):
        calendar.add_component(timezone(zone, low, high))
    shell: bytes = calendar.to_ical()
    begin, end, rest = shell.rpartition(b"END:VCALENDAR")
    return b"".join([begin, *(_written(one, titles[one.id]) for one in entries), end, rest])


@lru_cache(maxsize=20_000)
def _written(entry: Entry, title: str) -> bytes:
    """Kept, because the same entries are asked for every hour and writing one takes most of a millisecond."""
    written: bytes = _event(entry, title).to_ical()
    return written


def _event(entry: Entry, title: str) -> Event:
    event = Event()
    event.add("uid", str(entry.id))
    event.add("dtstamp", entry.updated_at.astimezone(UTC))
    event.add("last-modified", entry.updated_at.astimezone(UTC))
    event.add("sequence", entry.version)
    event.add("summary", _text(PREFIX[entry.kind] + title))
    event.add("categories", [entry.kind])
    if entry.note:
        event.add("description", _text(entry.note))
    event.add("status", "CONFIRMED" if entry.deleted_at is None else "CANCELLED")
    event.add("transp", "OPAQUE" if entry.kind == "event" and not entry.all_day else "TRANSPARENT")
    if entry.starts_on is not None and entry.ends_on is not None:
        event.add("dtstart", entry.starts_on)
        event.add("dtend", entry.ends_on + timedelta(days=1))
        return event
    where: tzinfo = UTC if entry.zone == "UTC" else zone_of(entry.zone)
    if any(moment.astimezone(where).fold for moment in (entry.starts_at, entry.ends_at)):
        where = UTC  # the format has no way to say the later one of a clock time that happens twice
    event.add("dtstart", entry.starts_at.astimezone(where))
    if entry.ends_at > entry.starts_at:
        event.add("dtend", entry.ends_at.astimezone(where))
    return event


def _text(text: str) -> str:
    """Without the control characters and separators that the format has no way to write; lines stay lines."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        one if one == "\n" or unicodedata.category(one) not in {"Cc", "Zl", "Zp", "Cs"} else " " for one in lines
    )


@lru_cache(maxsize=1024)  # more than there are zones: a calendar that uses all of them is not searched anew
def timezone(name: str, first_year: int, last_year: int) -> Component:
    """The zone's offsets from the day before the first year to the day after the last.

    Each onset is written as the clock showed it before it changed (RFC 5545, 3.6.5). `Timezone.from_tzinfo` of
    icalendar 7.3 writes the clock after it where the clocks go forward, an hour late.
    """
    where = zone_of(name)
    moment = datetime(first_year, 1, 1, tzinfo=UTC) - timedelta(days=1)
    end = datetime(last_year + 1, 1, 1, tzinfo=UTC) + timedelta(days=1)
    here = moment.astimezone(where)
    onsets: dict[tuple[timedelta, timedelta, str, bool], list[datetime]] = {}

    def onset(at: datetime, before: timedelta) -> None:
        after = at.astimezone(where)
        key = (before, after.utcoffset() or timedelta(), after.tzname() or name, bool(after.dst()))
        onsets.setdefault(key, []).append((at + before).replace(tzinfo=None))

    onset(moment, here.utcoffset() or timedelta())
    while moment < end:
        following = moment + timedelta(days=7)  # no zone changes twice within a week
        if _state(following, where) != _state(moment, where):
            before = moment.astimezone(where).utcoffset() or timedelta()
            low, high = moment, following
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (low, middle) if _state(middle, where) != _state(moment, where) else (middle, high)
            onset(high, before)
        moment = following
    zone = Timezone()
    zone.add("tzid", name)
    for (before, after, label, summer), clocks in onsets.items():
        part = TimezoneDaylight() if summer else TimezoneStandard()
        part.add("dtstart", clocks[0])
        if clocks[1:]:
            part.add("rdate", clocks[1:])
        part.add("tzname", label)
        part.add("tzoffsetfrom", before)
        part.add("tzoffsetto", after)
        zone.add_component(part)
    return zone


def _state(moment: datetime, where: tzinfo) -> tuple[object, ...]:
    there = moment.astimezone(where)
    return there.utcoffset(), there.tzname(), there.dst()
