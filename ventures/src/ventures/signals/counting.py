"""Numbers of the whole platform, counted once a minute by a worker, so that whoever asks reads a few rows.

Active users are kept as the latest time of each, taken from sessions and keys as they are seen, since these are
deleted; who signs in and out again between two turns may be missed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ventures.database.pool import Database
from ventures.signals import sql
from ventures.signals.records import Count

TURN_SECONDS: Final = 60.0
ACTIVE: Final = timedelta(days=30)
RECENT: Final = timedelta(days=90)
"""Complaints count for so long."""
OVERLAP: Final = timedelta(minutes=10)
"""Sessions seen so long before the last count are looked at again: their transactions may have ended after it."""
STALE: Final = timedelta(minutes=10)
"""Older counts are no answer any more."""


@dataclass
class Counter:
    """The loop "counting"."""

    database: Database
    now: Callable[[], datetime]

    async def turn(self) -> float:
        """Counts, unless another process does; → seconds until the next. Raises: Unavailable."""
        now = self.now()
        async with self.database.everywhere() as scope:
            taken = await scope.one(sql.TAKE_COUNTING)
            if taken is None or not taken[0]:
                return TURN_SECONDS
            row = await scope.one(sql.COUNTED_AT)
            last = row[0] if row and row[0] else now - ACTIVE
            await scope.run(sql.NOTE_SESSIONS, since=last - OVERLAP)
            await scope.run(sql.NOTE_KEYS, since=last - OVERLAP)
            await scope.run(sql.KEEP_USERS, now=now)
            await scope.run(sql.KEEP_ACTIVE_USERS, now=now, since=now - ACTIVE)
            await scope.run(sql.KEEP_VENTURES, now=now)
            await scope.run(sql.KEEP_USERS_BY_REGION, now=now)
            await scope.run(sql.KEEP_COMPLAINTS, now=now, since=now - RECENT)
            await scope.run(sql.DROP_OLD_COUNTS, now=now)
        return TURN_SECONDS


async def counts(database: Database, now: datetime) -> list[Count]:
    """The last counts; none where they are older than STALE: nobody counts any more."""
    async with database.by_itself() as scope:
        return [count for count in await scope.all(sql.COUNTS, Count) if now - count.at <= STALE]
