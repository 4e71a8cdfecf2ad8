"""Writes of an application while its tenants are moved: none is lost, and none lands where nobody reads.

Two kinds. ``in_transaction``: the data is in the same PostgreSQL as the routes. ``registered``: it is in another store.
Both are for ``with`` on a psycopg ``Connection`` and for ``async with`` on an ``AsyncConnection``; they hold no state
but the caller's own connection, and wait only while the tenant is frozen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, LiteralString, Protocol, TypeVar

from outgrow.routing.routes import Route
from outgrow.routing.statements import CLOSE, FROZEN, NOTE, REGISTER, SNAPSHOTS, WITHDRAW

FIRST_PAUSE_SECONDS: Final = 0.01
MOST_PAUSE_SECONDS: Final = 0.1
"""Pauses between two looks at a frozen tenant grow from the first to the most."""
BEYOND_SECONDS: Final = 1.0
"""How long is waited beyond the end of a freeze, where the caller did not say."""

_IDLE = 0  # psycopg.pq.TransactionStatus.IDLE
T = TypeVar("T")


class Frozen(Exception):
    """The tenant is about to be switched, and the caller's patience is over; nothing was written.

    ``seconds``: after so many at most, its writers go on."""

    def __init__(self, point: str, tenant: str, seconds: float) -> None:
        super().__init__(
            f"writes of {tenant} wait while its data is switched to another store ({point}); "
            f"try again in {seconds:.1f} s"
        )
        self.point, self.tenant, self.seconds = point, tenant, seconds


class Moved(Exception):
    """The tenant was switched while this write took very long: it may be where nobody reads any more. Do not
    acknowledge it; write it again, and the route leads to the right store."""

    def __init__(self, point: str, tenant: str) -> None:
        super().__init__(f"{tenant} was switched to another store ({point}) during this write; write it again")
        self.point, self.tenant = point, tenant


class TooIsolated(Exception):
    """The transaction is REPEATABLE READ or SERIALIZABLE, where it may not see a route that was laid since it began;
    nothing was written."""

    def __init__(self, level: str) -> None:
        super().__init__(
            f"writes to tenants that may be moved are registered in READ COMMITTED, and this transaction is "
            f"{level.upper()}: it may not see that its tenant is being moved. Use a connection of that isolation level "
            "for these writes, or have them registered by triggers (outgrow.movers.registering)"
        )
        self.level = level


class Connection(Protocol):
    """What is used of a psycopg ``Connection`` or ``AsyncConnection``."""

    autocommit: bool

    @property
    def info(self) -> Any: ...

    def cursor(self, *, row_factory: Any) -> Any: ...

    def transaction(self) -> Any: ...


@dataclass
class Write:
    """A registered write that may go on, to the store of ``route``."""

    route: Route
    ids: tuple[int, ...]
    withdrawn: bool = False

    def nothing_written(self) -> None:
        """Says that nothing was sent to the store, and nothing will be."""
        self.withdrawn = True


@dataclass(frozen=True, slots=True)
class _Ask:
    statement: LiteralString
    parameters: Mapping[str, object]
    rows: bool = True


@dataclass(frozen=True, slots=True)
class _Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class _Begin:
    pass


@dataclass(frozen=True, slots=True)
class _RollBack:
    why: Exception


_Step = _Ask | _Pause | _Begin | _RollBack
_Steps = Generator[_Step, Any, T]


class _Carried:
    """Carries steps out on the caller's connection, waiting or awaiting."""

    def __init__(
        self,
        connection: Connection,
        point: str,
        tenant: str,
        keys: Sequence[str],
        default: str,
        patience_seconds: float | None = None,
    ) -> None:
        """``keys``: what is written. ``default``: where a tenant without a route is. ``patience_seconds``: how long to
        wait while the tenant is frozen; as long as the freeze lasts, and a bit, where it is left out."""
        self._connection = connection
        self._named: dict[str, object] = {"point": point, "tenant": tenant, "keys": list(keys)}
        self._point, self._tenant, self._default = point, tenant, default
        self._patience = patience_seconds
        self._waited = 0.0
        self._transaction: Any = None
        self._outermost = connection.info.transaction_status == _IDLE

    def _frozen(self, seconds: float) -> Frozen:
        return Frozen(self._point, self._tenant, seconds)

    def _thawed(self, seconds: float) -> _Steps[None]:
        """Waits until writers go on. Raises ``Frozen`` once the patience is over."""
        if self._patience is None:
            self._patience = seconds + BEYOND_SECONDS
        pause = FIRST_PAUSE_SECONDS
        while seconds > 0:
            if self._waited >= self._patience:
                raise self._frozen(seconds)
            pause = min(pause, self._patience - self._waited)
            yield _Pause(pause)
            self._waited += pause
            pause = min(2 * pause, MOST_PAUSE_SECONDS)
            row = yield _Ask(FROZEN, self._named)
            seconds = 0.0 if row is None else row[0]

    def _do(self, steps: _Steps[T]) -> T:
        answer: Any = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # StopIteration knows no type
            answer = None
            match step:
                case _Pause(seconds):
                    time.sleep(seconds)
                case _Begin():
                    self._transaction = self._connection.transaction()
                    self._transaction.__enter__()
                case _RollBack(why):
                    self._transaction.__exit__(type(why), why, None)
                case _Ask(statement, parameters, rows):
                    with self._connection.cursor(row_factory=_tuples) as cursor:
                        if self._transaction is None and not self._connection.autocommit:
                            with self._connection.transaction():
                                answer = _answer(cursor.execute(statement, parameters), rows)
                        else:
                            answer = _answer(cursor.execute(statement, parameters), rows)

    async def _do_async(self, steps: _Steps[T]) -> T:
        answer: Any = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # StopIteration knows no type
            answer = None
            match step:
                case _Pause(seconds):
                    await asyncio.sleep(seconds)
                case _Begin():
                    self._transaction = self._connection.transaction()
                    await self._transaction.__aenter__()
                case _RollBack(why):
                    await self._transaction.__aexit__(type(why), why, None)
                case _Ask(statement, parameters, rows):
                    async with self._connection.cursor(row_factory=_tuples) as cursor:
                        if self._transaction is None and not self._connection.autocommit:
                            async with self._connection.transaction():
                                answer = await _awaited(await cursor.execute(statement, parameters), rows)
                        else:
                            answer = await _awaited(await cursor.execute(statement, parameters), rows)


class in_transaction(_Carried):  # noqa: N801  # reads as what it is: with in_transaction(...) as route
    """One transaction in which items of a tenant are written to the database that its routes are in.

    ``with in_transaction(connection, point, tenant, keys, default) as route:`` begins it, notes the keys and gives the
    tenant's route; write there, on the same connection. It is committed at the end, rolled back on an exception.
    Within a transaction that the caller began, it is a savepoint, and a frozen tenant raises ``Frozen`` at once, as
    waiting would hold the switch up. READ COMMITTED alone; else ``TooIsolated``.
    """

    def _begin(self) -> _Steps[Route]:
        while True:
            yield _Begin()
            store, generation, seconds, level = yield _Ask(NOTE, self._named)
            if level in SNAPSHOTS:
                raise TooIsolated(level)
            if seconds <= 0:
                return Route(self._default) if store is None else Route(store, generation)
            why = self._frozen(seconds)
            yield _RollBack(why)
            self._transaction = None
            if not self._outermost:
                raise why
            yield from self._thawed(seconds)

    def __enter__(self) -> Route:
        try:
            return self._do(self._begin())
        except BaseException as error:
            if self._transaction is not None:
                self._transaction.__exit__(type(error), error, error.__traceback__)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return bool(self._transaction.__exit__(kind, error, trace))

    async def __aenter__(self) -> Route:
        try:
            return await self._do_async(self._begin())
        except BaseException as error:
            if self._transaction is not None:
                await self._transaction.__aexit__(type(error), error, error.__traceback__)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return bool(await self._transaction.__aexit__(kind, error, trace))


class registered(_Carried):  # noqa: N801  # reads as what it is: with registered(...) as write
    """A write of a tenant's items to a store that is not the database of its routes.

    ``with registered(connection, point, tenant, keys, default) as write:`` registers the keys and gives the tenant's
    route; write to ``write.route.store``. Acknowledge the write only after the block: its end raises ``Moved`` where
    the tenant was switched meanwhile, which only happens to a write that was taken for abandoned. After an exception
    within the block the write stays registered, as nobody knows what the store took of it: the move reads these items
    again and again, until it is closed (``CLOSE_ABANDONED``). Call ``write.nothing_written()`` where nothing was sent.

    The connection must not be in a transaction, as what is registered is committed at once; else ``RuntimeError``. Its
    isolation level is READ COMMITTED; else ``TooIsolated``.
    """

    def _begin(self) -> _Steps[Write]:
        if not self._outermost:
            raise RuntimeError("a registered write needs a connection that is in no transaction: commit it first")
        while True:
            ids, store, generation, seconds, level = yield _Ask(REGISTER, self._named)
            if level in SNAPSHOTS:
                yield _Ask(WITHDRAW, {"ids": ids}, rows=False)
                raise TooIsolated(level)
            if seconds <= 0:
                route = Route(self._default) if store is None else Route(store, generation)
                self._write = Write(route, tuple(ids or ()))
                return self._write
            yield _Ask(WITHDRAW, {"ids": ids}, rows=False)
            yield from self._thawed(seconds)

    def _end(self, error: BaseException | None) -> _Steps[None]:
        write = self._write
        if write.withdrawn:
            yield _Ask(WITHDRAW, {"ids": list(write.ids)}, rows=False)
        elif error is None:
            route = {"store": write.route.store, "generation": write.route.generation}
            (here,) = yield _Ask(CLOSE, {**self._named, **route, "ids": list(write.ids)})
            if not here:
                raise Moved(self._point, self._tenant)

    def __enter__(self) -> Write:
        return self._do(self._begin())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._end(error))

    async def __aenter__(self) -> Write:
        return await self._do_async(self._begin())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._do_async(self._end(error))


def _tuples(cursor: object) -> type[tuple[Any, ...]]:
    del cursor
    return tuple


def _answer(cursor: Any, rows: bool) -> Any:
    return cursor.fetchone() if rows else None


async def _awaited(cursor: Any, rows: bool) -> Any:
    return await cursor.fetchone() if rows else None
