"""Connections of one process, and the transactions on them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection, OperationalError
from psycopg.errors import PipelineAborted
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from ventures.database.gathering import GatheringPipeline
from ventures.database.scope import GlobalScope, Row, Scope, Turns, bind_venture
from ventures.errors import Unavailable

SEARCH_PATH = "-c search_path=regional"
ACQUIRE_SECONDS = 5.0
BEGIN: LiteralString = "BEGIN"
COMMIT: LiteralString = "COMMIT"


class Database:
    """A pool of connections as the role that row-level security binds."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Row]], address: str) -> None:
        self._pool = pool
        self._address = address

    @asynccontextmanager
    async def venture(self, venture: UUID, *, redoable: bool = False) -> AsyncIterator[Scope]:
        """One transaction on one venture; committed at the end, rolled back where anything is raised.

        redoable: its end does not wait for the disk. A crash of PostgreSQL may undo the last of such transactions, each
        as a whole and none before an earlier one: for what is done again by itself, never for what is acknowledged.

        Raises: Unavailable when PostgreSQL does not answer.
        """
        async with self._transaction() as connection:
            await bind_venture(connection, venture, redoable=redoable)
            yield Scope(connection, venture)

    @asynccontextmanager
    async def reading(self, venture: UUID) -> AsyncIterator[Scope]:
        """The same for reads only, without the round trip of a commit: what is sent before an answer is waited for is
        one transaction by itself, which ends with that answer, and the setting of the venture with it. The scope sets
        it again for what is asked later.
        """
        async with self._pipeline() as (connection, pipeline):
            pipeline.answers_end = True
            yield Scope(connection, venture, reads=pipeline)

    @asynccontextmanager
    async def in_turn(self, *, redoable: bool = False) -> AsyncIterator[Turns]:
        """`venture` for several of them in one transaction, one bound after the other: no statement sees another than
        the bound one. Take them in the order of their ids, so that two such transactions do not wait for each other.
        """
        async with self._transaction() as connection:
            yield Turns(connection, redoable=redoable)

    @asynccontextmanager
    async def by_itself(self) -> AsyncIterator[GlobalScope]:
        """`everywhere` without begin and commit: what is sent before an answer is waited for is a transaction.

        Whatever is raised later does not undo it: for a single change, or none.
        """
        async with self._pipeline() as (connection, pipeline):
            pipeline.answers_end = True
            yield GlobalScope(connection)

    @asynccontextmanager
    async def everywhere(self) -> AsyncIterator[GlobalScope]:
        """One transaction on `global` tables; regional ones show no row in it."""
        async with self._transaction() as connection:
            yield GlobalScope(connection)

    @asynccontextmanager
    async def scanning(self) -> AsyncIterator[GlobalScope]:
        """One transaction as the workers' role, which sees of every venture how far its log and its consumers are."""
        async with self._transaction() as connection:
            await connection.execute("SET LOCAL ROLE ventures_runner")
            yield GlobalScope(connection)

    @asynccontextmanager
    async def trial(self, venture: UUID) -> AsyncIterator[Scope]:
        """One transaction on one venture that is always rolled back, on a connection of its own without cached
        plans, so that temporary tables can stand in front of the real ones.
        """
        async with (
            await AsyncConnection.connect(
                self._address, autocommit=True, prepare_threshold=None, options=SEARCH_PATH
            ) as connection,
            connection.transaction(force_rollback=True),
        ):
            await bind_venture(connection, venture)
            yield Scope(connection, venture, prepare=None)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection[Row]]:
        """Begin and end travel with the statements between them: two round trips less than `Connection.transaction`.

        Whatever is raised leaves the connection's own context, which rolls back.
        """
        async with self._pipeline() as (connection, _):
            await connection.execute(BEGIN, prepare=True)
            yield connection
            ended = await connection.execute(COMMIT, prepare=True)
        if ended.statusmessage != "COMMIT":
            raise RuntimeError(f"a transaction ended with {ended.statusmessage!r}: a statement of it had failed unseen")

    @asynccontextmanager
    async def _pipeline(self) -> AsyncIterator[tuple[AsyncConnection[Row], GatheringPipeline]]:
        try:
            async with (
                self._pool.connection(timeout=ACQUIRE_SECONDS) as connection,
                connection.pipeline() as pipeline,
            ):
                pipeline.__class__ = GatheringPipeline
                assert isinstance(pipeline, GatheringPipeline)
                yield connection, pipeline
        except PipelineAborted:  # our own fault: a statement's failure was swallowed, and more was sent
            raise
        except (OperationalError, PoolTimeout) as error:
            raise Unavailable(
                "The database does not answer; nothing of this request was kept unless it was acknowledged. Try again.",
                retry_after_seconds=1,
            ) from error

    @asynccontextmanager
    async def listening(self, channel: str) -> AsyncIterator[AsyncConnection[Row]]:
        """A connection of its own that hears the channel's notifications (`connection.notifies()`).

        Raises: Unavailable when PostgreSQL goes away.
        """
        try:
            async with await AsyncConnection.connect(self._address, autocommit=True) as connection:
                await connection.execute(SQL("LISTEN {}").format(Identifier(channel)))
                yield connection
        except OperationalError as error:
            raise Unavailable("The database does not answer.", retry_after_seconds=1) from error


async def _configured(connection: AsyncConnection[Any]) -> None:
    await connection.set_autocommit(True)


@asynccontextmanager
async def opened(address: str, *, connections: int = 8) -> AsyncIterator[Database]:
    """A `Database` on the address (a PostgreSQL URL) with at most so many connections, closed at the end."""
    async with AsyncConnectionPool[AsyncConnection[Row]](
        address,
        min_size=1,
        max_size=connections,
        open=False,
        configure=_configured,
        kwargs={"options": SEARCH_PATH, "application_name": "ventures"},
        check=None,
    ) as pool:
        yield Database(pool, address)
