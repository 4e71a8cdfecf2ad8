"""One transaction through several ventures: each statement sees the venture whose turn it is, and no other."""

import psycopg
import pytest

from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.testing.embeddings import MODEL, Embeddings, passages, units

PASSAGES = "SELECT count(*) FROM embedding WHERE venture = %(venture)s"
EVERYBODYS = "SELECT DISTINCT venture FROM embedding"
BEGUN = """
INSERT INTO consumer_position (venture, consumer, target, seq) VALUES (%(venture)s, 'turns', %(model)s, %(seq)s)
RETURNING 1"""


async def test_each_turn_sees_its_own_venture(database: Database, database_addresses: Addresses) -> None:
    with Embeddings(database_addresses.superuser) as rows:
        ventures = sorted(rows.venture() for _ in range(5))
        for number, venture in enumerate(ventures, 1):
            rows.put(venture, passages(units(number)))
    async with database.in_turn() as turns:
        asked = []
        for venture in ventures:
            scope = await turns.of(venture)
            asked.append((await scope.queued(PASSAGES), await scope.planned_anew().queued(EVERYBODYS)))
        for number, (count, seen) in enumerate(asked):
            assert await count.one() == (number + 1,)
            assert await seen.all() == [(ventures[number],)]


async def test_a_turn_that_is_over_takes_no_statement_and_nothing_of_the_transaction_is_kept(
    database: Database, database_addresses: Addresses
) -> None:
    with Embeddings(database_addresses.superuser) as rows:
        first, second = sorted(rows.venture() for _ in range(2))

    async def twice_over() -> None:
        async with database.in_turn(redoable=True) as turns:
            over = await turns.of(first)
            assert await over.changed(BEGUN, model=MODEL, seq=1) == 1
            anew = over.planned_anew()
            await (await turns.of(second)).run(BEGUN, model=MODEL, seq=1)
            with pytest.raises(RuntimeError, match="is over"):
                await anew.one(PASSAGES)
            await over.one(PASSAGES)

    with pytest.raises(RuntimeError, match="is over"):
        await twice_over()
    with psycopg.connect(database_addresses.superuser) as connection:
        kept = connection.execute("SELECT count(*) FROM regional.consumer_position WHERE consumer = 'turns'").fetchone()
    assert kept == (0,)
