"""Registered writes of both kinds, on the caller's own connection, waiting and awaiting."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from outgrow.ledger.moves import SqlMoveLedger
from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.migration.records import Migration
from outgrow.routing import (
    HELD,
    HELD_OF_ALL,
    PLACE,
    Frozen,
    Moved,
    Route,
    TooIsolated,
    in_transaction,
    registered,
    statements,
)
from outgrow.testing.move_ledger_contract import (
    POINT,
    SOURCE,
    TARGET,
    a_migration,
    begun,
    carried,
    flipped,
    row,
    rows_of,
)


@pytest.fixture
def ledger(postgresql: str) -> Iterator[SqlMoveLedger]:
    with closing(open_move_ledger(postgresql)) as ledger:
        yield ledger


@pytest.fixture
def migration(ledger: SqlMoveLedger) -> Migration:
    return begun(ledger, "a")


@pytest.fixture
def connection(postgresql: str, migration: Migration) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute("CREATE TABLE item (key text)")
        yield connection


def registered_keys(connection: psycopg.Connection) -> list[tuple[str, bool]]:
    rows = connection.execute("SELECT key, closed_at IS NULL FROM outgrow.intent ORDER BY id").fetchall()
    return [(key, is_open) for key, is_open in rows]


def given_up(connection: psycopg.Connection, ledger: SqlMoveLedger, migration: Migration, *stores: str) -> None:
    """The write under way is taken for abandoned, and the tenant switched to these stores."""
    connection.execute("UPDATE outgrow.intent SET opened_at = opened_at - interval '2 minutes'")
    for store in stores:
        carried(ledger, migration, "a")
        assert flipped(ledger, migration, "a", store).why_not == ""


async def with_async(url: str, work: Callable[[psycopg.AsyncConnection], Awaitable[Any]], **options: Any) -> Any:
    async with await psycopg.AsyncConnection.connect(url, **options) as connection:
        return await work(connection)


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_write_is_registered_before_and_closed_after(
    postgresql: str, connection: psycopg.Connection, autocommit: bool
) -> None:
    with psycopg.connect(postgresql, autocommit=autocommit) as mine:
        with registered(mine, POINT, "a", ["k1", "k2"], SOURCE) as write:
            assert write.route == Route(SOURCE, 1)
            assert registered_keys(connection) == [("k1", True), ("k2", True)]
        assert registered_keys(connection) == [("k1", False), ("k2", False)]
        assert mine.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_write_in_its_transaction_is_noted_with_it(
    postgresql: str, connection: psycopg.Connection, autocommit: bool
) -> None:
    with psycopg.connect(postgresql, autocommit=autocommit) as mine:
        with in_transaction(mine, POINT, "a", ["k"], SOURCE) as route:
            mine.execute("INSERT INTO item VALUES ('k')")
            assert route == Route(SOURCE, 1)
            assert registered_keys(connection) == []
        assert registered_keys(connection) == [("k", False)]
        with pytest.raises(ZeroDivisionError), in_transaction(mine, POINT, "a", ["l"], SOURCE):
            mine.execute("INSERT INTO item VALUES (%s)", (1 / 0,))
    assert connection.execute("SELECT key FROM item").fetchall() == [("k",)]
    assert registered_keys(connection) == [("k", False)]


def test_both_are_awaited_on_an_async_connection(postgresql: str, connection: psycopg.Connection) -> None:
    async def write(mine: psycopg.AsyncConnection) -> list[Route]:
        async with registered(mine, POINT, "a", ["k1"], SOURCE) as write:
            assert registered_keys(connection) == [("k1", True)]
        async with in_transaction(mine, POINT, "a", ["k2"], SOURCE) as route:
            await mine.execute("INSERT INTO item VALUES ('k2')")
        with pytest.raises(ZeroDivisionError):
            async with in_transaction(mine, POINT, "a", ["k3"], SOURCE):
                raise ZeroDivisionError
        return [write.route, route]

    for autocommit in (True, False):
        routes = asyncio.run(with_async(postgresql, write, autocommit=autocommit))
        assert routes == [Route(SOURCE, 1)] * 2
        assert registered_keys(connection) == [("k1", False), ("k2", False)]
        connection.execute("DELETE FROM outgrow.intent")
    assert connection.execute("SELECT key FROM item").fetchall() == [("k2",)] * 2


def test_rows_may_be_whatever_the_caller_likes_them_to_be(postgresql: str, connection: psycopg.Connection) -> None:
    with psycopg.connect(postgresql, autocommit=True, row_factory=dict_row) as mine:
        with registered(mine, POINT, "a", ["k"], SOURCE) as write:
            assert write.route == Route(SOURCE, 1)
        with in_transaction(mine, POINT, "a", ["k"], SOURCE) as route:
            assert route == Route(SOURCE, 1)


def test_a_tenant_without_a_route_is_in_the_default_store_and_leaves_nothing(connection: psycopg.Connection) -> None:
    with registered(connection, POINT, "nobody", ["k"], SOURCE) as write:
        assert write.route == Route(SOURCE)
        assert registered_keys(connection) == [("k", True)]
    with in_transaction(connection, POINT, "nobody", ["k"], SOURCE) as route:
        assert route == Route(SOURCE)
    assert registered_keys(connection) == []


def test_after_an_exception_nobody_knows_what_the_store_took(connection: psycopg.Connection) -> None:
    with pytest.raises(ZeroDivisionError), registered(connection, POINT, "a", ["k"], SOURCE):
        raise ZeroDivisionError
    assert registered_keys(connection) == [("k", True)]

    def gives_up() -> None:
        with registered(connection, POINT, "a", ["l"], SOURCE) as write:
            write.nothing_written()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        gives_up()
    assert registered_keys(connection) == [("k", True)]


def test_abandoned_writes_are_listed_and_closed(connection: psycopg.Connection) -> None:
    with pytest.raises(ZeroDivisionError), registered(connection, POINT, "a", ["k"], SOURCE) as write:
        raise ZeroDivisionError
    listed = connection.execute(statements.ABANDONED, {"point": POINT, "seconds": 60}).fetchall()
    assert listed == []
    ((id_, tenant, key, seconds),) = connection.execute(statements.ABANDONED, {"point": POINT, "seconds": 0}).fetchall()
    assert ((id_,), tenant, key) == (write.ids, "a", "k")
    assert 0 <= seconds < 60
    assert connection.execute(statements.CLOSE_ABANDONED, {"ids": [id_]}).fetchall() == [(id_,)]
    assert connection.execute(statements.CLOSE_ABANDONED, {"ids": [id_]}).fetchall() == []
    assert registered_keys(connection) == [("k", False)]


def test_a_write_in_a_transaction_of_the_caller_is_refused(postgresql: str, migration: Migration) -> None:
    with psycopg.connect(postgresql) as mine:
        mine.execute("SELECT 1")
        with pytest.raises(RuntimeError, match="commit"), registered(mine, POINT, "a", ["k"], SOURCE):
            pytest.fail("it would not be seen by anybody")


def test_whoever_comes_back_to_a_switched_tenant_is_told(
    ledger: SqlMoveLedger, migration: Migration, connection: psycopg.Connection
) -> None:
    with pytest.raises(Moved), registered(connection, POINT, "a", ["k"], SOURCE) as write:
        given_up(connection, ledger, migration, TARGET)
    assert write.route.store == SOURCE
    assert registered_keys(connection) == [("k", False)], "so that the way back mends what it wrote there"
    with registered(connection, POINT, "a", ["k"], SOURCE) as write:
        assert write.route == Route(TARGET, 2)


def test_whoever_comes_back_after_there_and_back_is_told_too(
    ledger: SqlMoveLedger, migration: Migration, connection: psycopg.Connection
) -> None:
    with pytest.raises(Moved), registered(connection, POINT, "a", ["k"], SOURCE):
        given_up(connection, ledger, migration, TARGET, SOURCE)


def test_a_row_that_was_laid_during_a_write_moves_nobody(
    ledger: SqlMoveLedger, migration: Migration, connection: psycopg.Connection
) -> None:
    with registered(connection, POINT, "b", ["k"], SOURCE) as write:
        assert write.route == Route(SOURCE)
        ledger.add_tenants(migration, rows_of("b"))
        ledger.keep(migration, replace(row(ledger, migration, "b"), state="preparing"))
        ledger.place(migration, "b")
    assert registered_keys(connection) == [("k", False)]


@pytest.mark.parametrize("kind", [in_transaction, registered])
def test_writers_wait_while_a_tenant_is_frozen(
    ledger: SqlMoveLedger, migration: Migration, connection: psycopg.Connection, kind: Any
) -> None:
    ledger.freeze(migration, "a", 0.15)
    began = time.monotonic()
    with kind(connection, POINT, "a", ["k"], SOURCE):
        assert time.monotonic() - began >= 0.1
    assert registered_keys(connection) == [("k", False)]


@pytest.mark.parametrize("kind", [in_transaction, registered])
def test_their_patience_has_an_end(
    postgresql: str, ledger: SqlMoveLedger, migration: Migration, connection: psycopg.Connection, kind: Any
) -> None:
    ledger.freeze(migration, "a", 30)
    with pytest.raises(Frozen, match="try again") as raised, kind(connection, POINT, "a", ["k"], SOURCE, 0.05):
        pytest.fail("it is frozen")
    assert 20 < raised.value.seconds <= 30

    async def write(mine: psycopg.AsyncConnection) -> None:
        with pytest.raises(Frozen):
            async with kind(mine, POINT, "a", ["k"], SOURCE, 0.05):
                pytest.fail("it is frozen")
        assert mine.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    asyncio.run(with_async(postgresql, write, autocommit=True))
    assert registered_keys(connection) == []
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert flipped(ledger, migration, "a").why_not == "", "nothing of theirs is left in the way"
    with kind(connection, POINT, "a", ["k"], SOURCE, 0.05):
        pass
    assert registered_keys(connection) == [("k", False)]


def test_within_a_transaction_of_the_caller_nobody_waits(
    ledger: SqlMoveLedger, migration: Migration, connection: psycopg.Connection
) -> None:
    ledger.freeze(migration, "a", 30)
    with connection.transaction():
        connection.execute("INSERT INTO item VALUES ('before')")
        with pytest.raises(Frozen), in_transaction(connection, POINT, "a", ["k"], SOURCE):
            pytest.fail("it is frozen")
        assert flipped(ledger, migration, "a").why_not == "", "what was tried holds no lock"
        with in_transaction(connection, POINT, "a", ["k"], SOURCE) as route:
            assert route == Route(TARGET, 2)
    assert connection.execute("SELECT key FROM item").fetchall() == [("before",)]


def test_a_move_by_filling_has_no_registered_writes(ledger: SqlMoveLedger, postgresql: str) -> None:
    filling = ledger.take(ledger.create(a_migration(kind="filling"), rows_of("a"), "ana"), "ana")
    ledger.keep(filling, replace(row(ledger, filling, "a"), state="preparing"))
    with psycopg.connect(postgresql, autocommit=True) as mine:
        with in_transaction(mine, POINT, "a", ["k"], SOURCE), mine.cursor():
            pass
        with registered(mine, POINT, "a", ["k"], SOURCE):
            pass
        assert registered_keys(mine) == []


def test_a_tenant_is_held_where_it_is_and_in_both_stores_on_the_way(ledger: SqlMoveLedger, postgresql: str) -> None:
    migration = ledger.take(ledger.create(a_migration(kind="filling"), rows_of("a"), "ana"), "ana")
    with psycopg.connect(postgresql, autocommit=True) as mine:

        def held(tenant: str = "a", default: str = SOURCE) -> list[str]:
            named = {"point": POINT, "tenant": tenant, "default": default}
            found = [store for (store,) in mine.execute(HELD, named).fetchall()]
            of_all: dict[str, list[str]] = {}
            for name, store in mine.execute(HELD_OF_ALL, {"point": POINT}).fetchall():
                of_all.setdefault(name, []).append(store)
            assert of_all.get(tenant, [default]) == found
            return found

        assert held() == [SOURCE]
        for state in (
            "preparing",
            "copying",
            "verifying",
            "shadowing",
            "ready",
            "switching",
            "switched",
            "reversing",
        ):
            ledger.keep(migration, replace(row(ledger, migration, "a"), state=state))  # type: ignore[arg-type]
            assert held() == sorted([SOURCE, TARGET])
        ledger.place(migration, "a")
        assert held() == sorted([SOURCE, TARGET])
        assert flipped(ledger, migration, "a").why_not == ""
        ledger.keep(migration, replace(row(ledger, migration, "a"), state="completed"))
        assert held() == [TARGET]
        assert held("b", "elsewhere") == ["elsewhere"]
        mine.execute(PLACE, {"point": POINT, "tenant": "b", "store": "third"})
        assert held("b", "elsewhere") == ["third"]


SNAPSHOTS = (psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE)


@pytest.mark.parametrize("level", SNAPSHOTS, ids=lambda level: level.name)
def test_an_old_snapshot_does_not_slip_past_a_move_that_began_since(
    postgresql: str, ledger: SqlMoveLedger, level: psycopg.IsolationLevel
) -> None:
    with psycopg.connect(postgresql) as mine:
        mine.isolation_level = level
        mine.execute("SELECT FROM outgrow.route")
        migration = begun(ledger, "a")
        with pytest.raises(TooIsolated, match="READ COMMITTED"), in_transaction(mine, POINT, "a", ["k"], SOURCE):
            pytest.fail("it would have written, and nobody would have known")
        assert mine.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS, "the rest of it is the caller's"
        mine.commit()
    assert ledger.changes(migration, "a", 10) == []


@pytest.mark.parametrize("level", SNAPSHOTS, ids=lambda level: level.name)
def test_writes_are_registered_in_read_committed_alone(
    postgresql: str, connection: psycopg.Connection, level: psycopg.IsolationLevel
) -> None:
    with psycopg.connect(postgresql) as mine:
        mine.isolation_level = level
        for way in (registered, in_transaction):
            with pytest.raises(TooIsolated, match=level.name.replace("_", " ")), way(mine, POINT, "a", ["k"], SOURCE):
                pytest.fail("it goes on")
            assert mine.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    async def write(mine: psycopg.AsyncConnection) -> None:
        await mine.set_isolation_level(level)
        for way in (registered, in_transaction):
            with pytest.raises(TooIsolated):
                async with way(mine, POINT, "a", ["k"], SOURCE):
                    pytest.fail("it goes on")

    asyncio.run(with_async(postgresql, write))
    assert registered_keys(connection) == []
