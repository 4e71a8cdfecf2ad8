"""Clock times and instants. Pure.

A time without an offset is what a clock on the wall of its zone shows. Where the clocks go back, such a time happens
twice: the *earlier* is meant unless *later* is said (RFC 5545, 3.3.5). Where they go forward it may not happen at all:
then it is refused, with the times nearest to it. A day begins at its first moment, which is not midnight where the
clocks skip midnight.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from ventures.errors import Invalid
from ventures.planner.records import Fold

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2199
LONGEST: Final = timedelta(days=366)
"""No entry lasts longer, so that a range of the calendar is found by where entries start."""
NO_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})
"""Names that some systems have among their zones and that mean another zone elsewhere."""


class When(msgspec.Struct, frozen=True, kw_only=True):
    """A time as people say it: either `starts_at` (and `ends_at`) or `starts_on` (and `ends_on`, included).

    A time with an offset is an instant, one without is a clock time in the zone.
    """

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    zone: str | None = None
    fold: Fold = "earlier"
    starts_on: date | None = None
    ends_on: date | None = None


class Span(msgspec.Struct, frozen=True):
    """A time as the calendar keeps it; see `Entry`."""

    starts_at: datetime
    ends_at: datetime
    zone: str
    starts_on: date | None
    ends_on: date | None


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones()) - NO_ZONES


def zone_of(name: str, field: str = "zone") -> ZoneInfo:
    """The zone of an IANA name. Raises: Invalid."""
    if name not in _names():
        raise Invalid(f"“{name}” is no time zone; use a name like Europe/Berlin.", fields={field: "unknown"})
    return ZoneInfo(name)


def span_of(when: When, *, zone: str, venture_zone: str) -> Span:
    """What the calendar keeps of `when`; `zone` is taken where it names none. Raises: Invalid."""
    if when.starts_on is not None:
        if when.starts_at is not None or when.ends_at is not None:
            raise Invalid("Say either days or times, not both.", fields={"starts_on": "beside starts_at or ends_at"})
        if when.zone not in (None, venture_zone):
            raise Invalid("Days are days in the venture's zone.", fields={"zone": f"whole days are in {venture_zone}"})
        return _days(when.starts_on, when.ends_on or when.starts_on, venture_zone)
    if when.starts_at is None or when.ends_on is not None:
        raise Invalid("Say when it is: starts_at, or starts_on for whole days.", fields={"starts_at": "missing"})
    name = when.zone or zone
    starts_at = instant(when.starts_at, name, when.fold, "starts_at")
    ends_at = starts_at if when.ends_at is None else instant(when.ends_at, name, when.fold, "ends_at")
    return Span(*_ordered(starts_at, ends_at), name, None, None)


def instant(moment: datetime, zone: str, fold: Fold = "earlier", field: str = "starts_at") -> datetime:
    """The instant in UTC, in whole seconds. Raises: Invalid where no clock of the zone ever shows the time."""
    if not FIRST_YEAR < moment.year < LAST_YEAR:
        raise Invalid(
            f"The calendar reaches from {FIRST_YEAR + 1} to {LAST_YEAR - 1}.", fields={field: "out of the calendar"}
        )
    moment, where = moment.replace(microsecond=0), zone_of(zone)
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    before, after = (moment.replace(tzinfo=where, fold=fold_) for fold_ in (0, 1))
    if _skipped(moment, where):
        nearest = [one.astimezone(UTC).astimezone(where).strftime("%H:%M") for one in (after, before)]
        raise Invalid(
            f"The clocks of {zone} skip {moment:%H:%M} on {moment:%Y-%m-%d}: say {nearest[0]} or {nearest[1]}.",
            fields={field: "skipped by the clocks"},
        )
    return (after if fold == "later" else before).astimezone(UTC)


def first_moment(day: date, where: tzinfo) -> datetime:
    """The instant in UTC at which the day begins, or the next one where the zone skips this day altogether."""
    return at_or_after(datetime.combine(day, time.min), where)


def at_or_after(moment: datetime, where: tzinfo) -> datetime:
    """The instant in UTC of a clock time, the earlier of two; of a skipped one the instant at which the clocks jump."""
    before = moment.replace(tzinfo=where).astimezone(UTC)
    if not _skipped(moment, where):
        return before
    low, high = moment.replace(tzinfo=where, fold=1).astimezone(UTC), before
    offset = high.astimezone(where).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        low, high = (low, middle) if middle.astimezone(where).utcoffset() == offset else (middle, high)
    return high


def local_text(moment: datetime, where: tzinfo) -> str:
    """The instant on the zone's clocks, with their offset: "2026-03-29T03:30:00+02:00"."""
    return moment.astimezone(where).isoformat(timespec="seconds")


def _skipped(moment: datetime, where: tzinfo) -> bool:
    return moment.replace(tzinfo=where).astimezone(UTC).astimezone(where).replace(tzinfo=None, fold=0) != moment


def _days(starts_on: date, ends_on: date, zone: str) -> Span:
    for field, day in (("starts_on", starts_on), ("ends_on", ends_on)):
        if not FIRST_YEAR < day.year < LAST_YEAR:
            raise Invalid(
                f"The calendar reaches from {FIRST_YEAR + 1} to {LAST_YEAR - 1}.", fields={field: "out of the calendar"}
            )
    where = zone_of(zone)
    if ends_on < starts_on:
        raise Invalid("It ends before it starts.", fields={"ends_on": "before starts_on"})
    starts_at, ends_at = first_moment(starts_on, where), first_moment(ends_on + timedelta(days=1), where)
    if starts_at == ends_at:
        raise Invalid(f"{zone} skipped {starts_on} altogether.", fields={"starts_on": "no day of this zone"})
    return Span(*_ordered(starts_at, ends_at, "ends_on"), zone, starts_on, ends_on)


def _ordered(starts_at: datetime, ends_at: datetime, field: str = "ends_at") -> tuple[datetime, datetime]:
    if ends_at < starts_at:
        raise Invalid("It ends before it starts.", fields={field: "before the start"})
    if ends_at - starts_at > LONGEST:
        raise Invalid(f"An entry lasts at most {LONGEST.days} days.", fields={field: "too long after the start"})
    return starts_at, ends_at
