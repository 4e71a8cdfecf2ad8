"""Searches asked of the other store too: what is counted, who may see it, and that the search never waits for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.identifiers import new_id
from ventures.search import mirroring
from ventures.search.index import RoutedIndex
from ventures.search.mirroring import MirroredSearches, _Given, same
from ventures.search.routes import Nearest
from ventures.testing.embeddings import MODEL, Embeddings, passages, units
from ventures.testing.moves import Moves
from ventures.vectors.api import ALL, Kind, Match, Vector

Found = Callable[[UUID, int], Nearest]


@pytest.fixture
def rows(database_addresses: Addresses) -> Iterator[Embeddings]:
    with Embeddings(database_addresses.superuser) as written:
        yield written


@pytest.fixture
def moves(database_addresses: Addresses) -> Iterator[Moves]:
    with Moves(database_addresses.owner) as written:
        yield written


@pytest_asyncio.fixture
async def mirrored(
    database: Database, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[MirroredSearches]:
    monkeypatch.setattr(mirroring, "TIMEOUT_SECONDS", 0.5)
    made = MirroredSearches(database, RoutedIndex(tmp_path_factory.mktemp("v"), processes=1), MODEL)
    yield made
    await made.close()


def of(rows: Embeddings, venture: UUID, vector: Vector, position: int = 2) -> Nearest:
    found = rows._connection.execute(
        "SELECT id, (1 - (vector OPERATOR(public.<=>) %s::public.vector))::float8 FROM embedding WHERE venture = %s"
        " ORDER BY 2 DESC, id",
        [str(vector.tolist()), venture],
    ).fetchall()
    return Nearest([Match(*one) for one in found], "index", None, position)


async def read(mirrored: MirroredSearches, venture: UUID, vector: Vector, nearest: Nearest) -> None:
    mirrored.read(venture, Kind.CONTENT, vector, 100, ALL, nearest)
    while mirrored._mirror._reads:
        await asyncio.sleep(0.01)


async def test_a_shadowed_ventures_searches_are_counted_and_no_others(
    mirrored: MirroredSearches, rows: Embeddings, moves: Moves
) -> None:
    shadowed, prepared = rows.venture(), rows.venture()
    moves.begin("memory", "pgvector", share=1.0)
    moves.state(shadowed, "shadowing")
    moves.state(prepared, "preparing")
    vector = units(1)[0]
    for venture in (shadowed, prepared):
        rows.put(venture, passages(units(20)))
        await read(mirrored, venture, vector, of(rows, venture, vector))
    right = of(rows, shadowed, vector)
    await read(mirrored, shadowed, vector, Nearest(right.matches[1:], "index", None, 2))
    await read(mirrored, shadowed, vector, Nearest([Match(new_id(), 0.99), *right.matches], "index", None, 2))
    await read(mirrored, shadowed, vector, Nearest(right.matches, "index", None, 1))
    await mirrored.close()
    assert moves.counted(shadowed) == (1, 2, 1), "one of another moment of the venture is no difference"
    assert moves.counted(prepared) is None


async def test_share_zero_and_a_store_that_is_away(mirrored: MirroredSearches, rows: Embeddings, moves: Moves) -> None:
    venture, vector = rows.venture(), units(1)[0]
    rows.put(venture, passages(units(5)))
    moves.begin("memory", "buckets", share=0.0)
    moves.state(venture, "shadowing")
    await read(mirrored, venture, vector, of(rows, venture, vector))
    moves.mirrored(1.0)
    mirrored._mirror._known_until = 0.0
    began = time.perf_counter()
    mirrored.read(venture, Kind.CONTENT, vector, 100, ALL, of(rows, venture, vector))
    assert time.perf_counter() - began < 0.5
    while mirrored._mirror._reads:
        await asyncio.sleep(0.01)
    await mirrored.close()
    assert moves.counted(venture) == (0, 0, 1)


def test_the_application_sees_and_counts_its_ventures_moves_alone(
    database_addresses: Addresses, rows: Embeddings, moves: Moves
) -> None:
    mine, other = rows.venture(), rows.venture()
    moves.begin("memory", "pgvector", share=0.5)
    for venture in (mine, other):
        moves.state(venture, "shadowing")
    with psycopg.connect(database_addresses.app, autocommit=True) as app:
        app.execute("SELECT set_config('ventures.venture', %s, false)", [str(mine)])
        assert app.execute("SELECT tenant FROM outgrow.moves").fetchall() == [(str(mine),)]
        assert app.execute('SELECT shadow_share FROM "global".move_under_way').fetchall() == [(0.5,)]
        count = "INSERT INTO outgrow.mirrored (migration, venture, matched) VALUES (%s, %s, 1)"
        app.execute(count, [moves._id, str(mine)])
        for forbidden, values in (
            (count, [moves._id, str(other)]),
            ("UPDATE outgrow.shadow SET migration = 'x' WHERE true", []),
            ("DELETE FROM outgrow.shadow WHERE true", []),
            ("UPDATE outgrow.tenant_state SET state = 'completed' WHERE true", []),
            ("UPDATE outgrow.moves SET state = 'completed' WHERE true", []),
            ("SELECT pace FROM outgrow.migration", []),
            ("UPDATE outgrow.migration SET shadow_share = 1 WHERE true", []),
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(forbidden, values)  # type: ignore[call-overload]  # texts of this test
    assert moves.counted(mine) == (1, 0, 0)
    assert moves.counted(other) is None


def test_answers_are_the_same_where_the_best_of_each_are_among_the_others() -> None:
    ids = [new_id() for _ in range(30)]
    matches = [Match(one, 1 - place / 100) for place, one in enumerate(ids)]

    def given(*places: int) -> _Given:
        return _Given([matches[place] for place in places], 7)

    every = given(*range(20))
    assert same(every, every)
    assert same(given(), given())
    assert same(every, given(*range(12), *range(13, 21))), "behind the first ten they may differ"
    assert not same(every, given(*range(5), *range(6, 21)))
    assert not same(every, given(*range(5)))
    assert not same(given(0), given(1))
    equal = [_Given([Match(ids[0], 0.5), Match(one, 0.4)], 7) for one in ids[1:3]]
    assert same(*equal), "of equal scores at the end either may be there"
