"""Tells the workers which logs moved: one coalesced notification after commits, never inside a transaction.

A bell may be lost (nobody hears it, the process dies); what it announces is found by the workers' sweep.
"""

import asyncio
import logging
from uuid import UUID

from ventures.database.pool import Database
from ventures.errors import Unavailable
from ventures.log import sql

CHANNEL = "ventures_log"
COALESCE_SECONDS = 0.01
MOST_IDS = 200  # × 33 bytes stay under the 8,000 bytes PostgreSQL takes in one notification
SOMEWHERE = "*"


class Bell:
    """Collects ventures for some milliseconds and announces them together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._moved: set[UUID] = set()
        self._ringing: asyncio.Task[None] | None = None

    def ring(self, venture: UUID) -> None:
        """The venture's log has moved, and the commit is done."""
        self._moved.add(venture)
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._rung())

    async def _rung(self) -> None:
        while self._moved:
            await asyncio.sleep(COALESCE_SECONDS)
            moved, self._moved = self._moved, set()
            names = SOMEWHERE if len(moved) > MOST_IDS else ",".join(venture.hex for venture in moved)
            try:
                async with self._database.by_itself() as scope:
                    await scope.run(sql.RING, ventures=names)
            except Unavailable:
                logging.getLogger(__name__).info(
                    "no bell: the database does not answer; the workers' sweep will find it"
                )

    async def silent(self) -> None:
        """Returns when all that was to be announced is."""
        if self._ringing is not None:
            await self._ringing


def moved_ventures(payload: str) -> set[UUID] | None:
    """What a notification announces; None for "somewhere"."""
    return None if payload == SOMEWHERE else {UUID(hex=name) for name in payload.split(",") if name}
