"""All numbers of one moment, from the database and from the system."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from ventures.database.pool import Database
from ventures.generation import api as generation
from ventures.search import api as search
from ventures.signals.auditing import audited
from ventures.signals.counting import counts
from ventures.signals.exposition import Measured
from ventures.signals.processes import Processes, machine_busy_seconds
from ventures.signals.records import StoreUse


@runtime_checkable
class TellsStatus(Protocol):
    """An index that says how its stores are; one that has none does not."""

    async def status(self) -> Sequence[Any]:
        """A line for each store of each process, as `StoreUse` has it; `fault` is "" where all is well."""


async def gathered(database: Database, region: str, processes: Processes, index: object, now: datetime) -> Measured:
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
        stores=await _stores(index),
        checks={str(result): count for result, count in checks.items()},
    )


def without_database(region: str, processes: Processes, now: datetime) -> Measured:
    """What can be said while the database does not answer."""
    return Measured(now=now, region=region, processes=processes.use(), machine_busy_seconds=machine_busy_seconds())


def _drafts(outcomes: Mapping[str, int]) -> dict[tuple[str, str], int]:
    """By outcome and reason, all there are: a counter begins at 0, not with the first it counts."""
    whole = {(outcome, ""): outcomes.get(outcome, 0) for outcome in ("finished", "cancelled")}
    return whole | {("failed", reason): outcomes.get(reason, 0) for reason in generation.FAILURES}


async def _stores(index: object) -> list[StoreUse] | None:
    if not isinstance(index, TellsStatus):
        return None
    return [
        StoreUse(
            store=line.store,
            process=f"index-{line.process}",
            points=line.points,
            disk_bytes=line.disk_bytes,
            filled=line.filled,
            behind=line.behind,
            fault=line.fault,
        )
        for line in await index.status()
    ]
