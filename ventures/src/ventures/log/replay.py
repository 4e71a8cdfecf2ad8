"""The law of the log: replaying it from nothing gives exactly the state that stands in the regional tables."""

from dataclasses import dataclass
from uuid import UUID

from ventures.database.pool import Database
from ventures.database.stand_in import differences, rows_of, stand_in_for, state_tables
from ventures.errors import NotFound
from ventures.log import sql
from ventures.log.reading import read_all
from ventures.log.records import Head
from ventures.log.registry import Registry


@dataclass(frozen=True)
class Difference:
    """A row that only one side has. `where`: "replayed" or "stored"."""

    table: str
    where: str
    row: str


@dataclass(frozen=True)
class Replay:
    """What a replay found: the last event, how many stored rows it compared by table, what differs."""

    seq: int
    rows: dict[str, int]
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """True where every row was the same."""
        return not self.differences


async def replay(database: Database, registry: Registry, venture: UUID, *, most_differences: int = 100) -> Replay:
    """Applies the venture's events to empty stand-ins of the state tables and compares row by row.

    Writers of this venture wait meanwhile (its head is locked); nothing is changed. Raises: NotFound.
    """
    async with database.trial(venture) as scope:
        end = await scope.one(sql.LOCK_HEAD, Head)
        if end is None:
            raise NotFound("There is no such venture.")
        tables = await state_tables(scope)
        for table in tables:
            await stand_in_for(scope, table)
        async for event in read_all(scope, registry):
            await registry.apply[event.type](scope, event)
        found: list[Difference] = []
        for table in tables:
            for side, row in await differences(scope, table, max(most_differences - len(found), 0)):
                found.append(Difference(table, "replayed" if side == "stand-in" else "stored", row))
        return Replay(end.seq, {table: await rows_of(scope, table) for table in tables}, tuple(found))
