"""Free slots between what stands in the calendar. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

import msgspec

from ventures.planner.times import at_or_after

GRID: Final = timedelta(minutes=15)
"""Slots begin at a multiple of this after the beginning of the working hours."""
MOMENT: Final = timedelta(seconds=1)
"""How long an entry without a length is taken to be."""

Stretch = tuple[datetime, datetime]


class WorkingHours(msgspec.Struct, frozen=True):
    """From `begin` to `end` on the clocks of `where`, on these days of the week (1 is Monday)."""

    begin: time
    end: time
    weekdays: frozenset[int]
    where: tzinfo


def free_slots(
    busy: Sequence[Stretch], hours: WorkingHours, since: datetime, until: datetime, length: timedelta
) -> Iterator[Stretch]:
    """Slots of the length within working hours of [since, until) that overlap nothing of `busy`, nor each other."""
    taken = sorted((start, max(end, start + MOMENT)) for start, end in busy)
    for opens, closes in _working(hours, since, until):
        today = [(first, last) for first, last in taken if first < closes and last > opens]
        start = opens + GRID * -((opens - since) // GRID) if since > opens else opens
        while start + length <= min(closes, until):
            end = start + length
            blocked = max((last for first, last in today if first < end and last > start), default=None)
            if blocked is None:
                yield start, end
                blocked = end
            start = opens + GRID * -((opens - blocked) // GRID)


def _working(hours: WorkingHours, since: datetime, until: datetime) -> Iterator[Stretch]:
    day = since.astimezone(hours.where).date()
    last = until.astimezone(hours.where).date()
    while day <= last:
        if day.isoweekday() in hours.weekdays:
            yield _edge(day, hours.begin, hours.where), _edge(day, hours.end, hours.where)
        day += timedelta(days=1)


def _edge(day: date, clock: time, where: tzinfo) -> datetime:
    return at_or_after(datetime.combine(day, clock), where).astimezone(UTC)
