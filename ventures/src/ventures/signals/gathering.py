"""All numbers of one moment, from the database and from the system."""

from datetime import datetime

from ventures.database.pool import Database
from ventures.signals.auditing import audited
from ventures.signals.counting import counts
from ventures.signals.exposition import Measured
from ventures.signals.processes import Processes, machine_busy_seconds


async def gathered(database: Database, region: str, processes: Processes, now: datetime) -> Measured:
    """What there is to show. Raises: Unavailable."""
    return Measured(
        now=now,
        counts=await counts(database, now),
        audited=await audited(database, region, now),
        processes=processes.use(),
        machine_busy_seconds=machine_busy_seconds(),
    )


def without_database(processes: Processes, now: datetime) -> Measured:
    """What can be said while the database does not answer."""
    return Measured(now=now, processes=processes.use(), machine_busy_seconds=machine_busy_seconds())
