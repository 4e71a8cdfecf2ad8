"""The document for calendar programs says what the calendar says, in every zone, whatever people type."""

import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar, Component

from ventures.planner.api import Entry, document, fingerprint
from ventures.planner.feed import timezone

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Kathmandu")
MOMENTS = st.datetimes(
    datetime.fromisoformat("2020-01-01"), datetime.fromisoformat("2030-01-01"), timezones=st.just(UTC)
).map(lambda moment: moment.replace(microsecond=0))


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """One entry, as the database would give it."""
    kind = draw(st.sampled_from(("event", "deadline", "post")))
    starts_at = draw(MOMENTS)
    days = draw(st.integers(0, 5)) if draw(st.booleans()) else None
    first = starts_at.date()
    return Entry(
        id=draw(st.uuids(version=4)),
        kind=kind,
        title=None,
        item=None,
        subject=None,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=draw(st.integers(0, 3000))),
        zone=draw(st.sampled_from(ZONES)),
        starts_on=None if days is None else first,
        ends_on=None if days is None else first + timedelta(days=days),
        note=draw(st.text(max_size=50)),
        updated_at=draw(MOMENTS),
        deleted_at=draw(st.none() | MOMENTS),
        version=draw(st.integers(1, 9)),
    )


def offsets(document_zone: Component) -> list[tuple[datetime, timedelta]]:
    """(instant, offset from then on) as the document defines them, in order."""
    found = []
    for part in document_zone.subcomponents:
        starts = [part["DTSTART"].dt]
        for more in [part["RDATE"]] if "RDATE" in part else []:
            starts += [one.dt for one in more.dts]
        for clock in starts:
            at = clock.replace(tzinfo=UTC) - part["TZOFFSETFROM"].td
            found.append((at, part["TZOFFSETTO"].td))
    return sorted(found)


def at(moment: datetime, zone: list[tuple[datetime, timedelta]]) -> timedelta:
    """The offset at an instant."""
    return [offset for since, offset in zone if since <= moment][-1]


def instants(moment: Any, zones: dict[str, list[tuple[datetime, timedelta]]]) -> Iterator[datetime]:
    """The instants that a DTSTART or DTEND may mean, by the document's own definition of the zone."""
    if moment.dt.utcoffset() is not None and "TZID" not in moment.params:
        yield moment.dt.astimezone(UTC)
        return
    wall, zone = moment.dt.replace(tzinfo=UTC), zones[moment.params["TZID"]]
    for offset in sorted({offset for _, offset in zone}, reverse=True):
        if at(wall - offset, zone) == offset:
            yield wall - offset


def cleaned(text: str) -> str:
    return "".join(text.split())


@settings(deadline=None, max_examples=60)
@given(st.lists(entries(), max_size=5, unique_by=lambda one: one.id), st.text(min_size=1, max_size=40))
def test_it_parses_and_says_exactly_the_calendar(rows: list[Entry], title: str) -> None:
    calendar = Calendar.from_ical(document("A; venture,\nof ours", rows, {one.id: title for one in rows}))
    assert isinstance(calendar, Calendar)
    zones = {str(zone["TZID"]): offsets(zone) for zone in calendar.walk("VTIMEZONE")}
    events = {UUID(event["UID"]): event for event in calendar.walk("VEVENT")}
    assert list(events) == [one.id for one in rows]
    for one in rows:
        event = events[one.id]
        assert event["SEQUENCE"] == one.version
        assert event["LAST-MODIFIED"].dt == one.updated_at
        assert event["STATUS"] == ("CONFIRMED" if one.deleted_at is None else "CANCELLED")
        if one.starts_on is not None and one.ends_on is not None:
            assert (event["DTSTART"].dt, event["DTEND"].dt) == (one.starts_on, one.ends_on + timedelta(days=1))
            continue
        assert next(instants(event["DTSTART"], zones)) == one.starts_at
        if one.ends_at > one.starts_at:
            assert next(instants(event["DTEND"], zones)) == one.ends_at
        else:
            assert "DTEND" not in event


@given(st.text(min_size=1, max_size=200))
def test_text_comes_back_as_it_was_typed(text: str) -> None:
    row = entry(note=text)
    (event,) = Calendar.from_ical(document("x", [row], {row.id: text})).walk("VEVENT")
    said = {"SUMMARY": f"Deadline: {text}", "DESCRIPTION": text}
    for name, meant in said.items():
        got = str(event.get(name, ""))
        printable = [one for one in meant if one.isprintable()]
        assert [one for one in got if one.isprintable() and one != " "] == [one for one in printable if one != " "]


def test_nobody_writes_a_property_into_the_document() -> None:
    title = "a\r\nEND:VEVENT\r\nBEGIN:VALARM\nATTACH:http://example.org/\u2028X:1\x0bY\x85Z"
    row = entry()
    text = document(title, [row], {row.id: title})
    assert not [one for one in text.decode().replace("\r\n", "") if unicodedata.category(one) in {"Cc", "Zl", "Zp"}]
    document_ = Calendar.from_ical(text)
    assert [part.name for part in document_.walk()] == [
        "VCALENDAR",
        "VTIMEZONE",
        "STANDARD",
        "DAYLIGHT",
        "STANDARD",
        "VEVENT",
    ]
    assert "ATTACH" not in document_.walk("VEVENT")[0]


def test_a_zone_says_what_the_clocks_say_at_every_hour() -> None:
    for name in ZONES[1:]:
        zone, where = offsets(timezone(name, 2024, 2026)), ZoneInfo(name)
        moment = datetime(2024, 1, 1, tzinfo=UTC)
        while moment.year < 2027:
            assert at(moment, zone) == moment.astimezone(where).utcoffset(), (name, moment)
            moment += timedelta(minutes=30)


def test_the_fingerprint_changes_with_whatever_is_shown() -> None:
    row, other = entry(), entry(version=4)
    prints = [
        fingerprint("x", [], {}),
        fingerprint("y", [], {}),
        fingerprint("x", [row], {row.id: "a"}),
        fingerprint("x", [row], {row.id: "b"}),
        fingerprint("x", [other], {other.id: "a"}),
    ]
    assert len(set(prints)) == len(prints)


def entry(*, note: str = "", version: int = 3) -> Entry:
    """A deadline in Berlin."""
    at_ = datetime(2026, 5, 5, 12, tzinfo=UTC)
    return Entry(
        UUID(int=1),
        "deadline",
        None,
        UUID(int=2),
        None,
        at_,
        at_,
        "Europe/Berlin",
        None,
        None,
        note,
        at_,
        None,
        version,
    )


def test_the_hour_that_happens_twice_is_told_apart() -> None:
    for hour in (0, 1):  # 02:30 in Berlin, both times
        moment = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        row = Entry(
            UUID(int=1), "event", "x", None, None, moment, moment, "Europe/Berlin", None, None, "", moment, None, 1
        )
        calendar = Calendar.from_ical(document("x", [row], {row.id: "x"}))
        zones = {str(zone["TZID"]): offsets(zone) for zone in calendar.walk("VTIMEZONE")}
        assert next(instants(calendar.walk("VEVENT")[0]["DTSTART"], zones)) == moment


def test_whole_days_are_dates() -> None:
    moment = datetime(2026, 5, 5, tzinfo=UTC)
    day = date(2026, 5, 5)
    row = Entry(UUID(int=1), "event", "x", None, None, moment, moment, "Asia/Tokyo", day, day, "", moment, None, 1)
    text = document("x", [row], {row.id: "x"}).decode()
    assert "DTSTART;VALUE=DATE:20260505\r\nDTEND;VALUE=DATE:20260506" in text.replace("\r\n ", "") or (
        "DTSTART;VALUE=DATE:20260505" in text and "DTEND;VALUE=DATE:20260506" in text
    )
    assert "VTIMEZONE" not in text
