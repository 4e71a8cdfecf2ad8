"""The mover over real index processes: how far a store is, every way in which it may be wrong, and a whole move."""

import asyncio
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from uuid import UUID

import pytest

from outgrow.clock import SystemClock
from outgrow.ports import StoreFailed
from outgrow.routing import Route
from ventures.database.roles import Addresses
from ventures.identifiers import new_id
from ventures.outgrow_plugin import check_settings, moving, open_mover
from ventures.outgrow_plugin.moving import IndexFilling
from ventures.search.index import RoutedIndex
from ventures.search.ports import IndexUnavailable
from ventures.testing.embeddings import Embeddings, passages, units
from ventures.testing.index_process import DIMENSION, MODEL, PATIENCE_SECONDS, SECRET, IndexProcess
from ventures.testing.moves import Moves
from ventures.vectors.api import Held, Kind, Point, opened

Mover = Callable[..., IndexFilling]


@pytest.fixture
def rows(database_addresses: Addresses) -> Iterator[Embeddings]:
    with Embeddings(database_addresses.superuser, model=MODEL, dimension=DIMENSION) as written:
        yield written


@pytest.fixture
def moves(database_addresses: Addresses) -> Iterator[Moves]:
    with Moves(database_addresses.owner) as written:
        yield written


@pytest.fixture
def process(database_addresses: Addresses) -> Iterator[IndexProcess]:
    with TemporaryDirectory(prefix="v-") as folder:
        one = IndexProcess(Path(folder), database_addresses.app, layout="shared")
        yield one
        one.kill()


@pytest.fixture
def mover(
    process: IndexProcess, database_addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> Iterator[IndexFilling]:
    monkeypatch.setenv("DATABASE_URL", database_addresses.app)
    monkeypatch.setenv("VENTURES_DATA", str(process.data))
    monkeypatch.setenv("VENTURES_SECRET", SECRET)
    monkeypatch.setenv("VENTURES_INDEX_LAYOUT", "shared")
    made = open_mover({"source": "shared", "target": "buckets"}, SystemClock())
    assert isinstance(made, IndexFilling)
    yield made
    made.close()


def caught_up(mover: IndexFilling, venture: UUID, store: str) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while (standing := mover.standing(str(venture), store)).position < standing.head:
        assert time.monotonic() < give_up, standing
        time.sleep(0.05)


async def held(data: Path, layout: str, venture: UUID) -> list[Held]:
    store = await opened(layout, data / "index", dimension=DIMENSION, model=MODEL)
    try:
        return await store.held(venture)
    finally:
        await store.close()


def test_tenants_are_all_ventures_with_their_sizes(mover: IndexFilling, rows: Embeddings) -> None:
    sizes = {rows.venture(): count for count in (0, 3, 70)}
    for venture, count in sizes.items():
        rows.put(venture, passages(units(count, DIMENSION)))
    assert {one.tenant: one.items for one in mover.tenants()} == {str(one): count for one, count in sizes.items()}


def test_a_store_stands_where_it_was_filled_to_and_pgvector_always_at_the_head(
    mover: IndexFilling, process: IndexProcess, rows: Embeddings, moves: Moves, monkeypatch: pytest.MonkeyPatch
) -> None:
    venture = rows.venture()
    rows.put(venture, passages(units(30, DIMENSION)))
    monkeypatch.setattr(moving, "PATIENCE_SECONDS", 0.3)
    away = mover.standing(str(venture), "shared")
    assert (away.position, away.head) == (0, 2)
    assert "Index process 1 is not there" in away.fault
    table = mover.standing(str(venture), "pgvector")
    assert (table.position, table.head, table.lag_seconds, table.fault) == (2, 2, 0.0, "")
    monkeypatch.setattr(moving, "PATIENCE_SECONDS", PATIENCE_SECONDS)
    process.start()
    assert mover.standing(str(venture), "shared").fault == "", "that it comes back is waited for"
    caught_up(mover, venture, "shared")
    not_yet = mover.standing(str(venture), "buckets")
    assert (not_yet.position, not_yet.lag_seconds, not_yet.fault) == (0, None, "")
    moves.begin("shared", "buckets")
    moves.state(venture, "preparing")
    caught_up(mover, venture, "buckets")
    assert mover.standing(str(venture), "buckets").lag_seconds == 0.0
    assert list(mover.differing(str(venture), "buckets")) == []
    assert list(mover.differing(str(venture), "pgvector")) == []
    with pytest.raises(StoreFailed, match="is no venture"):
        mover.standing("somebody", "shared")


def test_every_planted_fault_is_found_and_mended(mover: IndexFilling, process: IndexProcess, rows: Embeddings) -> None:
    venture, other = rows.venture(), rows.venture()
    vectors = units(600, DIMENSION)
    for one in (venture, other):
        rows.put(one, passages(vectors))
    process.start()
    caught_up(mover, venture, "shared")
    caught_up(mover, other, "shared")
    process.stop()
    ids = [one.id for one in rows.held(venture)]
    extra = new_id()

    async def plant() -> None:
        store = await opened("shared", process.data / "index", dimension=DIMENSION, model=MODEL)
        await store.delete(venture, ids[:2])
        flipped = vectors[0].copy()
        flipped[[0, 1]] = flipped[[1, 0]]
        source = UUID(int=7)
        await store.put(venture, [
            Point(id=ids[300], kind=Kind.CONTENT, source=source, vector=flipped),
            Point(id=extra, kind=Kind.CONTENT, source=source, vector=vectors[1]),
        ])  # fmt: skip
        await store.flush()
        await store.close()

    asyncio.run(plant())
    process.start()
    caught_up(mover, venture, "shared")
    found = {(one.key, one.how) for one in mover.differing(str(venture), "shared")}
    assert found == {
        (str(ids[0]), "missing"), (str(ids[1]), "missing"), (str(ids[300]), "stale"), (str(extra), "extra"),
    }  # fmt: skip
    assert list(mover.differing(str(other), "shared")) == []
    mover.repair(str(venture), "shared", [key for key, _ in found])
    assert list(mover.differing(str(venture), "shared")) == []
    process.stop()
    assert asyncio.run(held(process.data, "shared", venture)) == rows.held(venture)


def test_what_is_written_meanwhile_is_no_difference(
    mover: IndexFilling, process: IndexProcess, rows: Embeddings
) -> None:
    venture = rows.venture()
    rows.put(venture, passages(units(300, DIMENSION)))
    process.start()
    caught_up(mover, venture, "shared")
    chance, stop = random.Random(3), Event()
    known = [one.id for one in rows.held(venture)]

    def write() -> None:
        while not stop.is_set():
            new = passages(units(3, DIMENSION, seed=chance.randrange(1 << 30)))
            rows.put(venture, {**dict.fromkeys(chance.sample(known, 4)), **new}, state=chance.choice(["draft", "old"]))
            known.extend(new)
            time.sleep(0.01)

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        for _ in range(3):
            assert list(mover.differing(str(venture), "shared")) == []
        stop.set()
        writing.result()


async def test_a_venture_moves_there_and_back_under_writes_and_kills(
    mover: IndexFilling, process: IndexProcess, rows: Embeddings, moves: Moves
) -> None:
    """A search where the route leads is refused, or finds exactly what there was of the venture at some moment since
    its position, and never what is of another.
    """
    chance, truth = random.Random(5), dict[int, set[UUID]]()
    venture, other = rows.venture(), rows.venture()
    rows.put(other, passages(units(80, DIMENSION, seed=9)))
    foreign = {one.id for one in rows.held(other)}
    known: list[UUID] = []
    answered = refused = 0

    def write() -> None:
        new = passages(units(chance.randrange(1, 8), DIMENSION, seed=chance.randrange(1 << 30)))
        gone = chance.sample(known, min(len(known), chance.randrange(4)))
        seq = rows.put(venture, {**dict.fromkeys(gone), **new})
        known[:] = [*(one for one in known if one not in gone), *new]
        truth[seq] = set(known)

    async def search(index: RoutedIndex, store: str) -> None:
        nonlocal answered, refused
        if store == "pgvector":
            return
        head = max(truth)
        try:
            found = await index.search(Route(store), venture, Kind.CONTENT, units(1, DIMENSION)[0], limit=1_000)
        except IndexUnavailable:
            refused += 1
            return
        answered += 1
        ids = {match.id for match in found.matches}
        assert not ids & foreign
        assert ids in [truth[seq] for seq in truth if seq >= min(found.position, head)], "of no moment of the venture"

    write()
    process.start()
    caught_up(mover, venture, "shared")
    index = RoutedIndex(process.data, processes=1)
    where = "shared"
    for target in ("buckets", "pgvector", "shared"):
        moves.begin(where, target)
        moves.place(venture, where)
        for state in ("preparing", "ready", "switched", "completed"):
            moves.state(venture, state)
            if state == "switched":
                await asyncio.to_thread(caught_up, mover, venture, target)
                moves.place(venture, target)
                where = target
            for _ in range(4):
                write()
                await search(index, where)
                await asyncio.sleep(chance.random() * 0.1)
            if state == ("completed" if target == "pgvector" else "ready"):
                process.signal(signal.SIGKILL)
                process.kill()
                write()
                process.start()
                await asyncio.to_thread(caught_up, mover, venture, where)
                await index.close()
                index = RoutedIndex(process.data, processes=1)
        assert list(mover.differing(str(venture), where)) == []
    give_up = time.monotonic() + PATIENCE_SECONDS
    while {part.partition("@")[0].partition("/")[0] for part in rows.kept(venture)} != {"shared"}:
        assert time.monotonic() < give_up, rows.kept(venture)
        await asyncio.sleep(0.1)
    await index.close()
    process.stop()
    assert await held(process.data, "shared", venture) == rows.held(venture)
    assert await held(process.data, "buckets", venture) == []
    assert rows.kept(venture).popitem()[1] == max(truth)
    assert answered > refused


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"target": "buckets"}, "source None is no layout; there are"),
        ({"source": "shared", "target": "bucket"}, "target 'bucket' is no layout"),
        ({"source": "shared", "target": "buckets", "folder": "x"}, "'folder' is no setting of it; there are data"),
        ({"source": "shared", "target": "buckets", "data": 1}, "data is to be the path of a folder"),
    ],
)
def test_settings_are_read_where_no_platform_runs(
    settings: dict[str, object], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("VENTURES_DATA", str(tmp_path))
    monkeypatch.setenv("VENTURES_SECRET", SECRET)
    check_settings({"source": "shared", "target": "buckets"})
    with pytest.raises(ValueError, match=why):
        check_settings(settings)
    assert list(tmp_path.iterdir()) == []
