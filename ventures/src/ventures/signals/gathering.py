"""All numbers of one moment, from the database and from the system."""

from collections.abc import Mapping
from datetime import datetime

from ventures.database.pool import Database
from ventures.generation import api as generation
from ventures.search import api as search
from ventures.signals.auditing import audited
from ventures.signals.counting import counts
from ventures.signals.exposition import Measured
from ventures.signals.processes import Processes, machine_busy_seconds


async def gathered(
    database: Database, region: str, processes: Processes, index: search.RoutedIndex, now: datetime
) -> Measured:
    """What there is to show. region: this installation's; index: where searches ask. Raises: Unavailable."""
    async with database.by_itself() as scope:
        outcomes = await generation.outcomes(scope)
        durations = await generation.durations(scope)
        checks = await search.audited(scope)
    return Measured(
        now=now,
        region=region,
        counts=await counts(database, now),
        audited=await audited(database, region, now),
        processes=processes.use(),
        machine_busy_seconds=machine_busy_seconds(),
        drafts=_drafts(outcomes),
        draft_seconds=(generation.BOUNDS, durations.counts, durations.seconds),
        stores=await index.status(),
        checks={str(result): count for result, count in checks.items()},
    )


def without_database(region: str, processes: Processes, now: datetime) -> Measured:
    """What can be said while the database does not answer."""
    return Measured(now=now, region=region, processes=processes.use(), machine_busy_seconds=machine_busy_seconds())


def _drafts(outcomes: Mapping[str, int]) -> dict[tuple[str, str], int]:
    """By outcome and reason, all there are: a counter begins at 0, not with the first it counts."""
    whole = {(outcome, ""): outcomes.get(outcome, 0) for outcome in ("finished", "cancelled")}
    return whole | {("failed", reason): outcomes.get(reason, 0) for reason in generation.FAILURES}
