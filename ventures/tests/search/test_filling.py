"""Filling: after any sequence of changes and ends, a store holds what the rows say, and no position tells too much."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from outgrow.routing import PLACE
from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.errors import Unavailable
from ventures.identifiers import new_id
from ventures.search.filling import Filling
from ventures.testing.embeddings import DIMENSION, MODEL, Embeddings, passages, units
from ventures.testing.vectors_in_memory import VectorsInMemory
from ventures.vectors.api import ALL, SHARED, Held, Kind, Point, Vector, VectorStore
from ventures.vectors.wire import Cannot, Found, Search, packed


@pytest.fixture
def rows(database_addresses: Addresses) -> Iterator[Embeddings]:
    with Embeddings(database_addresses.superuser) as written:
        yield written


def filling(database: Database, *stores: VectorsInMemory, **more: object) -> Filling:
    by_name = {store.name: store for store in stores}

    async def opening(name: str) -> VectorStore:
        if by_name[name].down:
            raise OSError(by_name[name].down)
        return by_name[name]

    return Filling(
        database, model=MODEL, dimension=DIMENSION, default=stores[0].name, opening=opening, **more  # type: ignore[arg-type]
    )  # fmt: skip


async def held(store: VectorStore, venture: UUID) -> list[Held]:
    return await store.held(venture)


def search(store: str, venture: UUID, vector: Vector) -> Search:
    return Search(1, time.monotonic() + 1, store, venture, Kind.CONTENT, packed(vector), 5, ALL)


async def test_a_venture_is_filled_from_nothing_and_then_followed(database: Database, rows: Embeddings) -> None:
    store = VectorsInMemory()
    filled = filling(database, store)
    venture, vectors = rows.venture(), units(700)
    first = passages(vectors)
    rows.put(venture, first)
    await filled.caught_up()
    assert await held(store, venture) == rows.held(venture)
    assert len(rows.held(venture)) == 700
    assert rows.kept(venture) == {store.part(venture): 2}
    puts = store.puts

    gone = list(first)[:300]
    rows.put(venture, dict.fromkeys(gone))
    rows.put(venture, {list(first)[-1]: vectors[0]}, state="draft")
    await filled.caught_up()
    assert await held(store, venture) == rows.held(venture)
    assert store.puts == puts + 1, "only what changed is put"
    assert rows.kept(venture) == {store.part(venture): 4}

    found = await filled.search(search("memory", venture, vectors[500]))
    assert isinstance(found, Found)
    assert found.matches[0].id == list(first)[500]
    assert found.position == 4


async def test_positions_wait_for_the_flush(database: Database, rows: Embeddings) -> None:
    store = VectorsInMemory()
    filled = filling(database, store)
    venture = rows.venture()
    rows.put(venture, passages(units(3)))
    await filled.caught_up()
    rows.put(venture, passages(units(3, seed=1)))
    await filled.look()
    await filled._follow()
    assert len(await held(store, venture)) == 6
    assert rows.kept(venture) == {store.part(venture): 2}
    store.lost()
    again = filling(database, store)
    await again.caught_up()
    assert await held(store, venture) == rows.held(venture)
    assert rows.kept(venture) == {store.part(venture): 3}


async def test_a_part_of_another_name_is_filled_from_nothing_and_the_old_position_goes(
    database: Database, rows: Embeddings
) -> None:
    store = VectorsInMemory()
    filled = filling(database, store)
    venture = rows.venture()
    rows.put(venture, passages(units(5)))
    await filled.caught_up()
    store.born_anew()
    refused = await filled.search(search("memory", venture, units(1)[0]))
    assert isinstance(refused, Found), "nobody looked yet"
    await filled.caught_up()
    await filled.caught_up()
    assert await held(store, venture) == rows.held(venture)
    assert rows.kept(venture) == {store.part(venture): 2}


async def test_what_was_forgotten_is_not_found_again(database: Database, rows: Embeddings) -> None:
    """Also where the consumer has come further again before anybody looked."""
    store = VectorsInMemory()
    filled = filling(database, store)
    venture = rows.venture()
    for seed in range(3):
        rows.put(venture, passages(units(5, seed=seed)))
    await filled.caught_up()
    rows.forget(venture)
    for seed in range(7):
        rows.put(venture, passages(units(1, seed=seed)))
    await filled.caught_up()
    assert await held(store, venture) == rows.held(venture)
    assert len(rows.held(venture)) == 7

    rows.forget(venture)
    for seed in range(9):
        rows.put(venture, passages(units(1, seed=seed)))
    await filling(database, store).caught_up()  # a new process finds it, too
    assert await held(store, venture) == rows.held(venture)


async def test_a_position_is_not_moved_where_it_was_forgotten_meanwhile(database: Database, rows: Embeddings) -> None:
    store = VectorsInMemory()
    filled = filling(database, store)
    venture = rows.venture()
    rows.put(venture, passages(units(5)))
    await filled.look()
    await filled._fill_next()
    rows.forget(venture)
    rows.put(venture, passages(units(2, seed=1)))
    await filled.caught_up()
    await filled.caught_up()
    assert await held(store, venture) == rows.held(venture)
    assert rows.kept(venture) == {store.part(venture): 1}


@pytest.mark.parametrize("running", [True, False])
async def test_a_position_beyond_what_there_are_passages_of_is_not_believed(
    database: Database, rows: Embeddings, running: bool
) -> None:
    """As after a crash of PostgreSQL that undid the last turns of the consumer."""
    store = VectorsInMemory()
    filled = filling(database, store)
    venture = rows.venture()
    rows.put(venture, passages(units(5)))
    rows.put(venture, passages(units(5, seed=1)))
    await filled.caught_up()
    rows._connection.execute("DELETE FROM embedding WHERE venture = %s AND seq = 3", [venture])
    rows._connection.execute("UPDATE consumer_position SET seq = 2 WHERE consumer = 'passages'")
    await (filled if running else filling(database, store)).caught_up()
    assert await held(store, venture) == rows.held(venture)
    assert rows.kept(venture) == {store.part(venture): 2}


async def test_routes_say_which_store_and_a_venture_that_comes_back_goes_on(
    database: Database, database_addresses: Addresses, rows: Embeddings
) -> None:
    here, there = VectorsInMemory("here"), VectorsInMemory("there")
    filled = filling(database, here, there)
    stays, moves = rows.venture(), rows.venture()
    rows.put(stays, passages(units(2)))
    rows.put(moves, passages(units(2)))
    await filled.caught_up()

    def place(store: str) -> None:
        with psycopg.connect(database_addresses.owner, autocommit=True) as owner:
            owner.execute(PLACE, {"point": "data-architecture", "tenant": str(moves), "store": store})

    place("there")
    rows.put(moves, passages(units(2, seed=1)))
    await filled.caught_up()
    assert await held(there, moves) == rows.held(moves)
    assert await held(here, stays) == rows.held(stays)
    assert await there.count(stays) == 0
    assert await here.count(moves) == 2, "where it was stands still"
    place("here")
    puts = here.puts
    await filled.caught_up()
    assert await held(here, moves) == rows.held(moves)
    assert here.puts == puts + 2
    place("pgvector")
    rows.put(moves, passages(units(1, seed=2)))
    await filled.caught_up()
    assert await here.count(moves) == 4


async def test_between_looks_at_all_it_sees_what_moved_and_what_was_not_ready_when_it_moved(
    database: Database, rows: Embeddings
) -> None:
    store = VectorsInMemory()
    filled = filling(database, store)
    ventures = [rows.venture() for _ in range(3)]
    await filled.caught_up()
    filled._whole_at = time.monotonic() + 1_000
    _, late, quiet = ventures

    def age(*which: UUID) -> None:
        rows._connection.execute(
            "UPDATE log_head SET moved_at = now() - interval '1 hour' WHERE venture = ANY(%s)", [list(which)]
        )

    for one in ventures:
        rows.put(one, passages(units(2)))
    age(quiet)
    rows._connection.execute(
        "UPDATE consumer_position SET seq = 1 WHERE venture = %s AND consumer = 'passages'", [late]
    )
    await filled.look()
    await filled._follow()
    assert [await store.count(one) for one in ventures] == [2, 0, 0]
    age(late)
    rows._connection.execute(
        "UPDATE consumer_position SET seq = 2 WHERE venture = %s AND consumer = 'passages'", [late]
    )
    await filled.look()
    await filled._follow()
    assert [await store.count(one) for one in ventures] == [2, 2, 0]
    await filled.caught_up()
    assert [await store.count(one) for one in ventures] == [2, 2, 2]


async def test_what_is_not_filled_is_said(
    database: Database, rows: Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ventures.search.filling.FILL_AT_ONCE", 1)
    store = VectorsInMemory()
    filled = filling(database, store)
    ventures = [rows.venture() for _ in range(3)]
    for one in ventures:
        rows.put(one, passages(units(1)))
    await filled.look()
    await filled._fill_next()
    answers = [await filled.search(search("memory", one, units(1)[0])) for one in ventures]
    (why,) = {answer.why for answer in answers if isinstance(answer, Cannot)}
    assert why == "The index does not have this venture yet: 1 of 3 are filled."
    unknown = await filled.search(search("elsewhere", ventures[0], units(1)[0]))
    assert isinstance(unknown, Cannot)
    assert "holds no store 'elsewhere'" in unknown.why
    short = await filled.search(search("memory", ventures[0], units(1, 4)[0]))
    assert isinstance(short, Cannot)
    assert "A vector of 4 numbers came" in short.why


async def test_a_store_that_fails_is_said_once_and_tried_again(
    database: Database, rows: Embeddings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ventures.search.shelf.SHORTEST_PAUSE_SECONDS", 0.0)
    store = VectorsInMemory()
    filled = filling(database, store)
    venture = rows.venture()
    rows.put(venture, passages(units(3)))
    await filled.caught_up()
    filled._shelves["memory"]._pause = 0.0
    store.down = "No space left on device"
    rows.put(venture, passages(units(3, seed=1)))
    for _ in range(3):
        await filled.caught_up()
    refused = await filled.search(search("memory", venture, units(1)[0]))
    assert isinstance(refused, Cannot)
    assert "No space left on device" in refused.why
    assert sum("No space left" in record.message for record in caplog.records) == 1
    store.down = ""
    await filled.caught_up()
    await filled.caught_up()
    assert await held(store, venture) == rows.held(venture)


async def test_a_venture_whose_vectors_are_refused_holds_up_no_other(database: Database, rows: Embeddings) -> None:
    store = VectorsInMemory()
    filled = filling(database, store)
    bad, good = rows.venture(), rows.venture()
    rows.put(bad, {new_id(): units(1)[0] * 3})
    rows.put(good, passages(units(2)))
    await filled.caught_up()
    assert await held(store, good) == rows.held(good)
    assert isinstance(await filled.search(search("memory", bad, units(1)[0])), Cannot)
    assert isinstance(await filled.search(search("memory", good, units(1)[0])), Found)


async def test_each_process_fills_its_share_and_together_all(database: Database, rows: Embeddings) -> None:
    stores = [VectorsInMemory("buckets") for _ in range(3)]
    ventures = [rows.venture() for _ in range(12)]
    for one in ventures:
        rows.put(one, passages(units(2)))
    for number, store in enumerate(stores, 1):
        await filling(database, store, process=number, processes=3).caught_up()
    for one in ventures:
        assert sorted([len(await held(store, one)) for store in stores]) == [0, 0, 2]


async def test_what_all_share_is_put_once_and_again_where_it_changed(database: Database, rows: Embeddings) -> None:
    store = VectorsInMemory()
    rows.venture()
    shared = [Point(id=new_id(), kind=Kind.PATTERN, source=SHARED, vector=vector) for vector in units(3)]

    async def points() -> list[Point]:
        return shared

    filled = filling(database, store, shared_points=points)
    filled._looks = 59
    await filled.caught_up()
    assert await store.count(SHARED) == 3
    filled._looks = 59
    await filled.caught_up()
    assert store.puts == 3
    filled._looks = 59
    del shared[0]
    await filled.caught_up()
    assert await store.count(SHARED) == 2
    asked = Search(1, 0, "memory", SHARED, Kind.PATTERN, packed(shared[0].vector), 5, ALL)
    found = await filled.search(asked)
    assert isinstance(found, Found)
    assert found.matches[0].id == shared[0].id


Change = st.tuples(st.integers(0, 1), st.integers(0, 4), st.sampled_from(["put", "mark", "gone", "forget"]))
Happening = st.one_of(Change, st.sampled_from(["turn", "look", "fill", "keep", "together", "power", "anew", "files"]))


@settings(
    max_examples=50, phases=[Phase.generate], deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(Happening, max_size=25))
async def test_whatever_happens_the_store_ends_with_the_rows(
    database: Database, rows: Embeddings, happenings: list
) -> None:
    """Changes, and ends of the process, the power and the files between any two steps of filling."""
    store = VectorsInMemory(f"m{new_id().hex}")
    filled = filling(database, store)
    ventures = [rows.venture(), rows.venture()]
    places = passages(units(5))
    seed = 0
    for happening in happenings:
        if isinstance(happening, tuple):
            seed += 1
            which, place, how = happening
            one = list(places)[place]
            if how == "forget":
                rows.forget(ventures[which])
            else:
                vector = None if how == "gone" else units(1, seed=seed if how == "put" else place)[0]
                rows.put(ventures[which], {one: vector}, state="draft" if how == "mark" else "")
        elif happening == "together":
            await asyncio.gather(
                filled.look(), filled._fill_next(), filled._follow(), filled._kept(), filled._fill_next(), filled.look()
            )
        elif happening in ("power", "anew", "files"):
            if happening == "power":
                store.lost()
            if happening == "files":
                store.born_anew()
            filled = filling(database, store)
        else:
            await {
                "turn": filled.caught_up, "look": filled.look, "fill": filled._fill_next,
                "keep": filled._kept,
            }[happening]()  # fmt: skip
    for _ in range(2):  # the first may find a position gone when it moves it
        await filled.caught_up()
    for one in ventures:
        assert await held(store, one) == rows.held(one)


async def test_what_was_read_and_then_lost_by_postgresql_is_read_again(database: Database, rows: Embeddings) -> None:
    """What is made again may be of the same event and yet another: of an endpoint the same text has not always the same
    vector."""
    store = VectorsInMemory()
    filled = filling(database, store)
    venture, place = rows.venture(), new_id()
    rows.put(venture, {place: units(1)[0]})
    await filled.caught_up()
    lost = rows.put(venture, {place: units(1, seed=1)[0]})
    await filled.look()
    await filled._follow()
    rows.undo(venture)
    assert rows.put(venture, {place: units(1, seed=2)[0]}) == lost
    await filled._without_database(Unavailable("The database does not answer."))
    await filled._kept()
    assert rows.kept(venture) == {store.part(venture): lost - 1}, "nothing is kept of what is in doubt"
    await filled.caught_up()
    assert await held(store, venture) == rows.held(venture)
    assert rows.kept(venture) == {store.part(venture): lost}


async def test_a_filling_in_which_postgresql_went_away_is_begun_anew(database: Database, rows: Embeddings) -> None:
    class Slow(VectorsInMemory):
        async def put(self, venture: UUID, points: Sequence[Point]) -> None:
            await super().put(venture, points)
            if self.puts == len(points):
                await filled._without_database(Unavailable("The database does not answer."))

    store = Slow()
    filled = filling(database, store)
    venture = rows.venture()
    rows.put(venture, passages(units(3)))
    await filled.look()
    await filled._fill_next()
    assert not filled._shelves["memory"].filled
    await filled.caught_up()
    assert await held(store, venture) == rows.held(venture)


async def test_it_runs_until_it_is_stopped_and_outlives_a_database_that_goes(
    database: Database, database_addresses: Addresses, rows: Embeddings
) -> None:
    store = VectorsInMemory()
    stop = asyncio.Event()
    filled = filling(database, store)
    running = asyncio.create_task(filled.run(stop))
    venture = rows.venture()
    rows.put(venture, passages(units(4)))
    await until(lambda: len(store._points.get(venture, {})) == 4)
    with psycopg.connect(database_addresses.superuser, autocommit=True) as superuser:
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'ventures' AND datname = current_database()"
        )
    rows.put(venture, passages(units(4, seed=1)))
    await until(lambda: len(store._points[venture]) == 8)
    stop.set()
    await running
    assert rows.kept(venture) == {store.part(venture): 3}
    assert len(store._flushed[venture]) == 8


async def until(true: object) -> None:
    give_up = time.monotonic() + 20
    while not true():  # type: ignore[operator]
        assert time.monotonic() < give_up
        await asyncio.sleep(0.02)
