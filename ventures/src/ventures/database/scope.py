"""The one place that scopes a query.

A `Scope` is one transaction on one venture: the venture is bound to every statement as `%(venture)s` and set for the
transaction, where the policies of row-level security read it. A `GlobalScope` is one transaction without a venture;
the policies then show it no regional row at all. Statements are sent in pipeline mode: `run` does not wait for the
server, and an error of such a statement surfaces at the next read or at the end of the transaction, which then rolls
back. A scope for reads has a transaction for each time it waits: the end of one travels with what is asked in it. What
is noted beside a read (that a session was used) does not wait for the disk.
"""

from collections.abc import Callable, Mapping
from typing import Any, LiteralString, TypeVar, overload
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor

from ventures.database.gathering import GatheringPipeline

Row = tuple[Any, ...]
T = TypeVar("T")


class GlobalScope:
    """One transaction that sees `global` tables only."""

    def __init__(self, connection: AsyncConnection[Row], *, prepare: bool | None = True) -> None:
        self.connection = connection
        self._prepare = prepare

    def _bound(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return parameters

    async def _sent(self, statement: LiteralString, parameters: Mapping[str, Any]) -> AsyncCursor[Row]:
        cursor = self.connection.cursor(binary=True)
        await cursor.execute(statement, self._bound(parameters), prepare=self._prepare)
        return cursor

    @overload
    async def one(self, statement: LiteralString, /, **parameters: Any) -> Row | None: ...
    @overload
    async def one(self, statement: LiteralString, into: Callable[..., T], /, **parameters: Any) -> T | None: ...
    async def one(
        self, statement: LiteralString, into: Callable[..., Any] | None = None, /, **parameters: Any
    ) -> Any | None:
        """The first row, or None; with `into` (a struct with the columns' order of fields), made of it."""
        row = await (await self._sent(statement, parameters)).fetchone()
        return row if row is None or into is None else into(*row)

    @overload
    async def all(self, statement: LiteralString, /, **parameters: Any) -> list[Row]: ...
    @overload
    async def all(self, statement: LiteralString, into: Callable[..., T], /, **parameters: Any) -> list[T]: ...
    async def all(
        self, statement: LiteralString, into: Callable[..., Any] | None = None, /, **parameters: Any
    ) -> list[Any]:
        """All rows, in the statement's order."""
        rows = await (await self._sent(statement, parameters)).fetchall()
        return rows if into is None else [into(*row) for row in rows]

    async def run(self, statement: LiteralString, /, **parameters: Any) -> None:
        """Sent without waiting; use `changed` where the number of rows matters."""
        await self._sent(statement, parameters)

    async def changed(self, statement: LiteralString, /, **parameters: Any) -> int:
        """How many rows the statement changed. Write `RETURNING 1` at its end: the rows are what is counted."""
        return len(await (await self._sent(statement, parameters)).fetchall())

    async def queued(self, statement: LiteralString, /, **parameters: Any) -> "Queued":
        """Sent without waiting, its rows fetched later: for reads that should share one round trip."""
        return Queued(await self._sent(statement, parameters))


class Queued:
    """Rows on their way."""

    def __init__(self, cursor: AsyncCursor[Row]) -> None:
        self._cursor = cursor

    async def one(self) -> Row | None:
        return await self._cursor.fetchone()

    async def all(self) -> list[Row]:
        return await self._cursor.fetchall()


class Scope(GlobalScope):
    """One transaction on one venture. `%(venture)s` is bound to every statement; no caller can bind another."""

    def __init__(
        self,
        connection: AsyncConnection[Row],
        venture: UUID,
        *,
        prepare: bool | None = True,
        reads: GatheringPipeline | None = None,
    ) -> None:
        super().__init__(connection, prepare=prepare)
        self.venture = venture
        self._reads = reads

    def _bound(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        if "venture" in parameters:
            raise TypeError("the scope binds the venture; a statement cannot be given another")
        return {**parameters, "venture": self.venture}

    def planned_anew(self) -> "Scope":
        """The same, for a statement whose best plan depends on what it is asked: it is planned each time."""
        return Scope(self.connection, self.venture, prepare=False, reads=self._reads)

    async def _sent(self, statement: LiteralString, parameters: Mapping[str, Any]) -> AsyncCursor[Row]:
        if self._reads is not None and self._reads.ended:
            await bind_venture(self.connection, self.venture, redoable=True)
        return await super()._sent(statement, parameters)


class Turns:
    """One transaction that goes through several ventures, one after the other: one round trip for all of them."""

    def __init__(self, connection: AsyncConnection[Row], *, redoable: bool) -> None:
        self._connection = connection
        self._redoable = redoable
        self.bound: UUID | None = None

    async def of(self, venture: UUID) -> Scope:
        """The venture's turn, until the next one's: the scopes of those before take no statement any more. Rows that
        were asked for in them can be fetched later.
        """
        self.bound = None
        await bind_venture(self._connection, venture, redoable=self._redoable)
        self.bound = venture
        return _Turn(self, self._connection, venture)


class _Turn(Scope):
    """A scope that ends when another venture is bound."""

    def __init__(
        self, turns: Turns, connection: AsyncConnection[Row], venture: UUID, *, prepare: bool | None = True
    ) -> None:
        super().__init__(connection, venture, prepare=prepare)
        self._turns = turns

    def _bound(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._turns.bound != self.venture:
            raise RuntimeError(f"the turn of venture {self.venture} is over: another is bound")
        return super()._bound(parameters)

    def planned_anew(self) -> Scope:
        return _Turn(self._turns, self.connection, self.venture, prepare=False)


SET_VENTURE: LiteralString = "SELECT set_config('ventures.venture', %(venture)s, true)"
SET_VENTURE_REDOABLE: LiteralString = """
SELECT set_config('ventures.venture', %(venture)s, true), set_config('synchronous_commit', 'off', true)"""


async def bind_venture(connection: AsyncConnection[Row], venture: UUID, *, redoable: bool = False) -> None:
    """For this transaction only: the policies of row-level security read it."""
    statement = SET_VENTURE_REDOABLE if redoable else SET_VENTURE
    await connection.execute(statement, {"venture": str(venture)}, prepare=True)
