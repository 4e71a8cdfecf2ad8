"""Reading a log from a position."""

from collections.abc import AsyncIterator
from uuid import UUID

from ventures.database.pool import Database
from ventures.database.scope import Row, Scope
from ventures.errors import NO_SUCH_VENTURE, NotFound
from ventures.log import sql
from ventures.log.chain import first_fault
from ventures.log.records import Event, Head
from ventures.log.registry import Registry

PAGE = 500


async def head(scope: Scope) -> Head:
    """Where the venture's log ends. Raises: NotFound."""
    found = await scope.one(sql.HEAD, Head)
    if found is None:
        raise NotFound(NO_SUCH_VENTURE)
    return found


async def read(
    scope: Scope, registry: Registry, after: int, limit: int = PAGE, *, entity: UUID | None = None
) -> list[Event]:
    """Events with seq > after, in order, at most so many; of one entity where one is given."""
    if entity is None:
        return await scope.all(sql.EVENTS, registry.event, after=after, limit=limit)
    return await scope.all(sql.EVENTS_OF_ENTITY, registry.event, entity=entity, after=after, limit=limit)


async def read_all(scope: Scope, registry: Registry, after: int = 0) -> AsyncIterator[Event]:
    """All events with seq > after, fetched by pages."""
    while events := await read(scope, registry, after):
        for event in events:
            yield event
        after = events[-1].seq


async def key_used(scope: Scope, idem: str) -> bool:
    """Whether a command was carried out under this idempotency key."""
    return await scope.one(sql.BATCH_OF_KEY, idem=idem) is not None


async def verify_chain(scope: Scope) -> tuple[int, str] | None:
    """None where every hash follows from the one before and the last is the head's; otherwise (seq, what is wrong)."""
    end = await head(scope)
    last: list[tuple[int, bytes]] = []

    async def pages() -> AsyncIterator[list[Row]]:
        after = 0
        while rows := await scope.all(sql.CHAIN, after=after, limit=PAGE):
            last[:] = [(rows[-1][0], rows[-1][-1])]
            yield rows
            after = rows[-1][0]

    fault = await first_fault(scope.venture, pages())
    if fault is not None:
        return fault
    seq, digest = last[0] if last else (0, end.hash)
    if (seq, digest) != (end.seq, end.hash):
        return seq + 1, f"the head says event {end.seq}, but the log ends with event {seq} or another hash"
    return None


async def all_ventures(database: Database) -> list[UUID]:
    """Every venture that has a log here, by id; as the workers' role, which sees ids and nothing else."""
    async with database.scanning() as scope:
        return [venture for (venture,) in await scope.all(sql.SCAN_VENTURES)]
