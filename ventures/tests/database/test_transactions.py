"""A transaction is all or nothing, whatever ends it, and leaves its connection clean."""

import asyncio
from contextlib import suppress
from uuid import UUID

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from ventures.database.pool import Database, opened
from ventures.database.roles import Addresses

KEEP = "INSERT INTO kept (number) VALUES (%(number)s)"
KEPT = "SELECT number FROM kept ORDER BY number"
REPEATED = "SELECT %(number)s::int, repeat('x', 20000)"
SLEEP = "SELECT pg_sleep(30)"
NOW = "SELECT now()"
BOUND = "SELECT current_setting('ventures.venture', true), current_setting('synchronous_commit')"
VENTURE = UUID("00000000-0000-4000-8000-000000000001")


@pytest.fixture
def table(database_addresses: Addresses) -> None:
    with psycopg.connect(database_addresses.owner, autocommit=True) as connection:
        connection.execute("CREATE TABLE regional.kept (number integer PRIMARY KEY)")
        connection.execute("GRANT SELECT, INSERT ON regional.kept TO ventures_app")


async def kept(database: Database) -> list[int]:
    async with database.everywhere() as scope:
        return [number for (number,) in await scope.all(KEPT)]


async def clean(database: Database) -> bool:
    async with database._pool.connection() as connection:
        return connection.info.transaction_status == TransactionStatus.IDLE


async def test_what_is_sent_without_waiting_is_kept(database: Database, table: None) -> None:
    async with database.everywhere() as scope:
        for number in range(50):
            await scope.run(KEEP, number=number)
    assert await kept(database) == list(range(50))


async def test_statements_travel_together_and_all_answers_come(database: Database, table: None) -> None:
    """Far more of them, and far larger answers, than any buffer holds."""
    async with database.everywhere() as scope:
        asked = [await scope.queued(REPEATED, number=number) for number in range(300)]
        for number in range(3_000):
            await scope.run(KEEP, number=number)
        for number, one in enumerate(asked):
            assert await one.one() == (number, "x" * 20_000)
    assert await kept(database) == list(range(3_000))


async def test_what_raises_undoes_all(database: Database, table: None) -> None:
    async def broken() -> None:
        async with database.everywhere() as scope:
            await scope.run(KEEP, number=1)
            assert await scope.all(KEPT) == [(1,)]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broken()
    assert await kept(database) == []
    assert await clean(database)


async def test_a_statement_that_fails_unseen_is_seen_at_the_end_and_undoes_all(database: Database, table: None) -> None:
    async def twice() -> None:
        async with database.everywhere() as scope:
            await scope.run(KEEP, number=1)
            await scope.run(KEEP, number=1)
            await scope.run(KEEP, number=2)

    with pytest.raises(psycopg.errors.UniqueViolation):
        await twice()
    assert await kept(database) == []
    assert await clean(database)


async def test_a_failure_that_somebody_swallows_still_undoes_all(database: Database, table: None) -> None:
    async def careless() -> None:
        async with database.everywhere() as scope:
            await scope.run(KEEP, number=1)
            await scope.run(KEEP, number=1)
            with suppress(psycopg.Error):
                await scope.all(KEPT)
            await scope.run(KEEP, number=2)

    with pytest.raises(psycopg.errors.PipelineAborted):
        await careless()
    assert await kept(database) == []
    assert await clean(database)


@pytest.mark.parametrize("after_seconds", [0.0, 0.001, 0.01, 0.1])
async def test_who_is_cancelled_leaves_nothing_behind(
    database_addresses: Addresses, table: None, after_seconds: float
) -> None:
    async with opened(database_addresses.app, connections=1) as database:

        async def slow() -> None:
            async with database.everywhere() as scope:
                await scope.run(KEEP, number=1)
                await scope.all(SLEEP)

        await kept(database)
        task = asyncio.create_task(slow())
        await asyncio.sleep(after_seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await kept(database) == []
        assert await clean(database)


async def test_a_venture_is_set_for_one_transaction_only(database_addresses: Addresses) -> None:
    setting = "SELECT current_setting('ventures.venture', true)"
    async with opened(database_addresses.app, connections=1) as database:
        for entered in (database.venture, database.reading):
            async with entered(UUID(int=7)) as scope:
                assert await scope.one(setting) == (str(UUID(int=7)),)
            async with database.everywhere() as scope:
                assert (await scope.one(setting)) in [("",), (None,)]


async def test_a_read_ends_with_its_answer_and_what_is_asked_later_is_of_the_same_venture(
    database_addresses: Addresses,
) -> None:
    async with opened(database_addresses.app, connections=1) as database:
        async with database.by_itself() as everywhere:
            await everywhere.run("SET synchronous_commit = on")
        async with database.reading(VENTURE) as scope:
            began = await scope.queued(NOW)
            assert await scope.one(BOUND) == (str(VENTURE), "off")
            assert scope.connection.info.transaction_status == TransactionStatus.IDLE
            assert await scope.planned_anew().one(BOUND) == (str(VENTURE), "off")
            assert await scope.one(NOW) != await began.one()
        async with database.by_itself() as everywhere:
            assert await everywhere.one(BOUND) == ("", "on")
        assert await clean(database)


async def test_a_read_that_fails_leaves_the_venture_bound_for_what_follows(database: Database) -> None:
    async with database.reading(VENTURE) as scope:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await scope.one("SELECT 1 / 0")
        assert await scope.one(BOUND) == (str(VENTURE), "off")
    assert await clean(database)


async def test_what_is_sent_alone_is_kept_with_and_without_an_answer(database: Database, table: None) -> None:
    async with database.by_itself() as scope:
        await scope.run(KEEP, number=1)
        assert await scope.all(KEPT) == [(1,)]
        await scope.run(KEEP, number=2)
    assert await kept(database) == [1, 2]
