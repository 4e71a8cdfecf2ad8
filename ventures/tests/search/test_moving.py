"""A move of the index: both stores are filled while a venture is on its way, and the one it left drops it."""

import time
from collections.abc import Iterator
from uuid import UUID

import pytest

from outgrow.routing import HELD
from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.search.filling import MOVES_SECONDS, Filling
from ventures.testing.embeddings import DIMENSION, MODEL, Embeddings, passages, units
from ventures.testing.moves import POINT, Moves
from ventures.testing.vectors_in_memory import VectorsInMemory
from ventures.vectors.api import Holding, Holds, HowFar, Refill, VectorStore
from ventures.vectors.wire import Cannot

ON_THE_WAY = ("preparing", "copying", "catching_up", "verifying", "shadowing", "ready", "switching", "switched",
              "reversing")  # fmt: skip


@pytest.fixture
def rows(database_addresses: Addresses) -> Iterator[Embeddings]:
    with Embeddings(database_addresses.superuser) as written:
        yield written


@pytest.fixture
def moves(database_addresses: Addresses) -> Iterator[Moves]:
    with Moves(database_addresses.owner) as written:
        yield written


class Stores(dict[str, VectorsInMemory]):
    """Made when they are asked for, and kept."""

    def __missing__(self, name: str) -> VectorsInMemory:
        self[name] = VectorsInMemory(name)
        return self[name]

    async def opening(self, name: str) -> VectorStore:
        return self[name]

    async def holding(self, venture: UUID) -> set[str]:
        return {name for name, store in self.items() if await store.count(venture)}


@pytest.fixture
def stores() -> Stores:
    return Stores()


@pytest.fixture
def filled(database: Database, stores: Stores) -> Filling:
    return Filling(database, model=MODEL, dimension=DIMENSION, default="shared", opening=stores.opening)


async def test_every_state_holds_the_stores_that_outgrow_says(
    database_addresses: Addresses, filled: Filling, stores: Stores, rows: Embeddings, moves: Moves
) -> None:
    ventures = {state: rows.venture() for state in ("pending", *ON_THE_WAY, "completed", "cancelled", "")}
    moves.begin("shared", "buckets")
    for state, venture in ventures.items():
        rows.put(venture, passages(units(2)))
        if state:
            moves.place(venture, "buckets" if state in ("switched", "reversing", "completed") else "shared")
            moves.state(venture, state)
    await filled.caught_up()
    for state, venture in ventures.items():
        named = {"point": POINT, "tenant": str(venture), "default": "shared"}
        said = {store for (store,) in moves._connection.execute(HELD, named)}
        assert await stores.holding(venture) == said, state
        assert {part.partition("@")[0] for part in rows.kept(venture)} == said, state
        for name in said:
            assert await stores[name].held(venture) == rows.held(venture)


async def test_a_completed_or_cancelled_move_drops_the_copy_and_ends_its_position(
    filled: Filling, stores: Stores, rows: Embeddings, moves: Moves
) -> None:
    done, given_up, stays = rows.venture(), rows.venture(), rows.venture()
    moves.begin("shared", "buckets")
    for venture in (done, given_up, stays):
        rows.put(venture, passages(units(3)))
        moves.place(venture, "shared")
        moves.state(venture, "ready")
    await filled.caught_up()
    assert await stores.holding(done) == {"shared", "buckets"}
    moves.place(done, "buckets")
    moves.state(done, "switched")
    rows.put(done, passages(units(2, seed=1)))
    await filled.caught_up()
    assert await stores.holding(done) == {"shared", "buckets"}, "the way back is kept up"
    assert await stores["shared"].held(done) == rows.held(done)

    moves.state(done, "completed")
    moves.state(given_up, "cancelled")
    await filled.caught_up()
    assert await stores.holding(done) == {"buckets"}
    assert await stores.holding(given_up) == {"shared"}
    assert await stores.holding(stays) == {"shared", "buckets"}
    assert list(rows.kept(done)) == [stores["buckets"].part(done)]
    assert list(rows.kept(given_up)) == [stores["shared"].part(given_up)]

    moves.begin("buckets", "shared")
    moves.state(done, "preparing")
    await filled.caught_up()
    assert await stores["shared"].held(done) == rows.held(done), "a later move fills it from nothing"


async def test_what_is_to_be_dropped_is_dropped_by_the_next_process_too(
    database: Database, filled: Filling, stores: Stores, rows: Embeddings, moves: Moves
) -> None:
    venture = rows.venture()
    rows.put(venture, passages(units(3)))
    moves.begin("shared", "pgvector")
    moves.state(venture, "ready")
    await filled.caught_up()
    await filled.close()
    moves.place(venture, "pgvector")
    moves.state(venture, "completed")
    stores["shared"].down = "not now"
    again = Filling(database, model=MODEL, dimension=DIMENSION, default="buckets", opening=stores.opening)
    await again.caught_up()
    assert len(rows.kept(venture)) == 1, "it is not forgotten before it is gone"
    stores["shared"].down = ""
    again._shelves["shared"]._again_at = 0.0
    await again.caught_up()
    assert await stores.holding(venture) == set()
    assert rows.kept(venture) == {}
    assert set(again._shelves) == {"buckets"}, "a store of no use is closed"


async def test_a_route_that_was_only_placed_drops_nothing(
    filled: Filling, stores: Stores, rows: Embeddings, moves: Moves
) -> None:
    venture = rows.venture()
    rows.put(venture, passages(units(3)))
    await filled.caught_up()
    moves.place(venture, "pgvector")
    await filled.caught_up()
    assert await stores.holding(venture) == {"shared"}
    moves.begin("pgvector", "shared")
    moves.state(venture, "pending")
    await filled.caught_up()
    assert await stores.holding(venture) == {"shared"}, "nor does a move that has not begun"


async def test_a_move_of_a_quiet_venture_is_seen_between_looks_at_all(
    filled: Filling, stores: Stores, rows: Embeddings, moves: Moves
) -> None:
    venture = rows.venture()
    rows.put(venture, passages(units(3)))
    rows._connection.execute("UPDATE log_head SET moved_at = now() - interval '1 hour'")
    await filled.caught_up()
    moves.begin("shared", "buckets")
    moves.state(venture, "preparing")
    filled._whole_at, filled._moves_at = 1e12, 0.0
    await filled.look()
    await filled._fill_next()
    assert await stores.holding(venture) == {"shared", "buckets"}
    moves.state(venture, "cancelled")
    filled._moves_at = 0.0
    await filled.look()
    assert await stores.holding(venture) == {"shared"}


async def test_moves_are_looked_at_soon_again_however_long_a_look_took(
    filled: Filling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filled, "_begun_or_ended", lambda rows: time.sleep(0.2))
    filled._moves_at = 0.0
    await filled.look()
    assert filled._moves_at <= time.monotonic() + MOVES_SECONDS


async def test_what_a_store_holds_is_told_page_by_page_of_that_venture_alone(filled: Filling, rows: Embeddings) -> None:
    venture, other = rows.venture(), rows.venture()
    rows.put(venture, passages(units(7)))
    rows.put(other, passages(units(4, seed=1)))
    await filled.caught_up()
    told = []
    while True:
        page = await filled.held(Holding(1, "shared", venture, told[-1].id if told else None, 3))
        assert isinstance(page, Holds)
        assert page.position == 2
        if not page.held:
            break
        told += page.held
    assert told == rows.held(venture)
    theirs = rows.held(other)
    behind_theirs = await filled.held(Holding(2, "shared", venture, theirs[0].id, 100))
    assert isinstance(behind_theirs, Holds)
    assert not {one.id for one in behind_theirs.held} & {one.id for one in theirs}
    assert isinstance(await filled.held(Holding(3, "buckets", venture, None, 3)), Cannot)


async def test_a_refill_puts_all_anew_and_is_not_believed_before(
    filled: Filling, stores: Stores, rows: Embeddings
) -> None:
    venture = rows.venture()
    rows.put(venture, passages(units(7)))
    await filled.caught_up()
    await stores["shared"].delete(venture, [rows.held(venture)[0].id])
    assert (await filled.reached(HowFar(1, "shared", venture))).position == 2
    await filled.refill(Refill(2, "shared", venture))
    await filled.look()
    assert (await filled.reached(HowFar(3, "shared", venture))).position is None
    await filled.caught_up()
    assert (await filled.reached(HowFar(4, "shared", venture))).position == 2
    assert await stores["shared"].held(venture) == rows.held(venture)
    assert isinstance(await filled.refill(Refill(5, "elsewhere", venture)), Cannot)
