"""The loop that says, once, that a deadline is near."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ventures.database.pool import Database
from ventures.errors import Refused, Unavailable
from ventures.log.api import Actor, Spine
from ventures.notifications import sql
from ventures.notifications.commands import RemindOfDeadline

TURN_SECONDS: Final = 15.0
MOST_A_TURN: Final = 200
PLATFORM: Final = Actor(system="reminders")

log = logging.getLogger(__name__)


@dataclass
class Reminders:
    """Appends an event for each deadline that came near; what follows from it (notices, webhooks) follows from the log.

    The idempotency key is the entry and its time, so that it is said once, however many processes say it.
    """

    database: Database
    spine: Spine
    now: Callable[[], datetime]

    async def turn(self) -> float:
        """Says what is due; → seconds until the next look."""
        async with self.database.scanning() as scope:
            due = await scope.all(sql.SCAN_REMINDERS, now=self.now(), limit=MOST_A_TURN)
        for venture, entry, item, deadline_at in due:
            command = RemindOfDeadline(entry=entry, item=item, deadline_at=deadline_at)
            idem = f"deadline-near:{entry}:{deadline_at.isoformat()}"
            try:
                await self.spine.append(venture, command, actor=PLATFORM, idem=idem)
            except Unavailable:
                raise
            except Refused as refused:
                log.info("no reminder of a deadline: %s", refused)
        return TURN_SECONDS
