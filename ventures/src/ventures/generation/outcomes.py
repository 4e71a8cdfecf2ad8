"""How drafts end, over all ventures: counted from the log into global rows that name nobody."""

from bisect import bisect_left
from collections.abc import Mapping
from datetime import UTC
from typing import Final

import msgspec

from ventures.database.pool import Database
from ventures.database.scope import GlobalScope, Scope
from ventures.generation import sql
from ventures.generation.events import DraftCancelled, DraftFailed, DraftFinished
from ventures.log.api import Event

BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0)
"""Upper bounds in seconds, each part of its bucket; the bucket after the last has none. Kept by index."""
HANDLED: Final = frozenset(fact.type for fact in (DraftFinished, DraftFailed, DraftCancelled))


class Durations(msgspec.Struct, frozen=True):
    """How long drafts took that finished, or failed after they had begun. counts: by bucket, one more than `BOUNDS`,
    not cumulative. seconds: of all together.
    """

    counts: tuple[int, ...]
    seconds: float


class Outcomes:
    """The consumer "generation". What it writes is global, outside the venture's transaction, and counted once a
    number.
    """

    name = "generation"
    target = ""
    handles: frozenset[str] | None = HANDLED

    def __init__(self, database: Database) -> None:
        self._database = database

    async def handle(self, scope: Scope, event: Event) -> None:
        outcome, seconds = _ended(event)
        async with self._database.by_itself() as everywhere:
            await everywhere.run(
                sql.TELL,
                venture_id=event.venture,
                seq=event.seq,
                day=event.at.astimezone(UTC).date(),
                outcome=outcome,
                bucket=None if seconds is None else bisect_left(BOUNDS, seconds),
                seconds=seconds,
            )

    async def forget(self, scope: Scope) -> None:
        """Nothing: a number is counted once, so that reading the log again changes nothing."""


def _ended(event: Event) -> tuple[str, float | None]:
    fact = event.data
    if isinstance(fact, DraftFinished):
        return "finished", fact.seconds
    if isinstance(fact, DraftFailed):
        return fact.reason, fact.seconds
    return "cancelled", None


async def outcomes(scope: GlobalScope) -> Mapping[str, int]:
    """How many drafts ended how, since ever: `finished`, `cancelled`, or a failure's reason (`records.Failure`)."""
    return dict(await scope.all(sql.OUTCOMES))


async def durations(scope: GlobalScope) -> Durations:
    """How long they took, since ever."""
    counts = [0] * (len(BOUNDS) + 1)
    whole = 0.0
    for bucket, count, seconds in await scope.all(sql.SECONDS):
        counts[bucket] = count
        whole += seconds
    return Durations(tuple(counts), whole)
