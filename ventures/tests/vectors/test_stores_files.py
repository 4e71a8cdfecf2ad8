"""What lies on disk: what is of no use is made anew under another name; what was flushed is there, whatever happens."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from ventures.errors import Unavailable
from ventures.identifiers import new_id
from ventures.testing.vectors import Opener, all_held, holding, points_of, quick_folder, random_vectors, topical_vectors
from ventures.vectors.api import BUCKETS, Kept, Kind, opened, process_of
from ventures.vectors.stores import edge

DIMENSION = 32
ROWS = random_vectors(300, DIMENSION)
LAYOUTS = ("buckets", "per-venture")


@pytest.fixture
def folder() -> Iterator[Path]:
    with quick_folder() as made:
        yield made


@pytest.fixture(params=LAYOUTS)
def opener(request: pytest.FixtureRequest, folder: Path) -> Opener:
    return partial(opened, request.param, folder, dimension=DIMENSION, model="a model", buckets=2)


def shards(folder: Path) -> list[Path]:
    return sorted(manifest.parent for manifest in folder.glob("*/*/manifest.json") if ".aside" not in str(manifest))


def lose_shard(shard: Path) -> None:
    shutil.rmtree(shard / "shard")


def lose_all(shard: Path) -> None:
    shutil.rmtree(shard)


def lose_manifest(shard: Path) -> None:
    (shard / "manifest.json").unlink()


def garble_manifest(shard: Path) -> None:
    (shard / "manifest.json").write_bytes(b'{"shape": \xff')


def another_version(shard: Path) -> None:
    manifest = json.loads((shard / "manifest.json").read_text())
    manifest["shape"]["engine"] = "0.1.0"
    (shard / "manifest.json").write_text(json.dumps(manifest))


def garble_options(shard: Path) -> None:
    (shard / "shard" / "edge_config.json").write_bytes(b"\0" * 40)


def garble_segment(shard: Path) -> None:
    for file in shard.rglob("segment.json"):
        file.write_bytes(b"{")


def cut_vectors(shard: Path) -> None:
    for file in [*shard.rglob("chunk_*.mmap"), *shard.rglob("matrix.dat")]:
        os.truncate(file, file.stat().st_size // 3)


def lose_vectors(shard: Path) -> None:
    for file in [*shard.rglob("chunk_*.mmap"), *shard.rglob("matrix.dat")]:
        file.unlink()


def died_while_opening(shard: Path) -> None:
    (shard / "opening").write_bytes(b"x" * edge.ATTEMPTS)


@pytest.mark.parametrize(
    "harm",
    [
        lose_shard,
        lose_all,
        lose_manifest,
        garble_manifest,
        another_version,
        garble_options,
        garble_segment,
        cut_vectors,
        lose_vectors,
        died_while_opening,
    ],
)
async def test_what_is_of_no_use_gets_another_name_and_is_empty(
    opener: Opener, folder: Path, harm: Callable[[Path], None]
) -> None:
    venture, store = new_id(), await opener()
    before = store.part(venture)
    await store.put(venture, points_of(ROWS))
    await store.close()
    for shard in shards(folder):
        harm(shard)
    store = await opener()
    try:
        if store.part(venture) == before:
            with pytest.raises(Unavailable):  # found only when it is needed: nobody takes that for an empty answer
                await store.search(venture, Kind.CONTENT, ROWS[0], limit=1)
        assert store.part(venture) != before
        assert await store.search(venture, Kind.CONTENT, ROWS[0], limit=1) == []
        points = points_of(ROWS[:5])
        await store.put(venture, points)
        await store.flush()
        assert await all_held(store, venture) == holding(points)
        part = store.part(venture)
    finally:
        await store.close()
    store = await opener()
    assert store.part(venture) == part
    assert await all_held(store, venture) == holding(points)
    await store.close()


@pytest.mark.parametrize("other", [{"dimension": 16}, {"model": "another"}, {"buckets": 3}])
async def test_another_shape_is_another_store(opener: Opener, folder: Path, other: dict[str, str | int]) -> None:
    venture, store = new_id(), await opener()
    before, points = store.part(venture), points_of(ROWS[:5])
    await store.put(venture, points)
    await store.close()
    layout = store.name
    changed = await opened(layout, folder, **{"dimension": DIMENSION, "model": "a model", "buckets": 2, **other})  # type: ignore[arg-type]
    parts, count = changed.part(venture), await changed.count(venture)
    await changed.close()
    if layout == "per-venture" and "buckets" in other:
        assert (parts, count) == (before, 5)
    else:
        assert parts != before
        assert count == 0


async def test_a_byte_that_changed_in_compacted_vectors_is_found(folder: Path) -> None:
    open_it = partial(opened, "tuned", folder, dimension=256, model="a model")
    venture, store = new_id(), await open_it()
    assert isinstance(store, Kept)
    rows = topical_vectors(3_000, 256)
    await store.put(venture, points_of(rows))
    part = store.part(venture)
    await store.compact(part)
    await store.close()
    (vectors,) = folder.rglob("matrix.dat")
    with vectors.open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))
    store = await open_it()
    assert store.part(venture) != part
    assert await store.count(venture) == 0
    await store.close()


async def test_compaction_changes_no_answer_and_is_worth_it_after_many_changes(folder: Path) -> None:
    venture = new_id()
    store = await opened("tuned", folder, dimension=256, model="a model")
    assert isinstance(store, Kept)
    rows = topical_vectors(6_000, 256, topics=60)
    points = points_of(rows)
    await store.put(venture, points[:3_000])
    assert store.worth_compacting() == []
    await store.put(venture, points[3_000:])
    part = store.part(venture)
    assert store.worth_compacting() == [part]
    before = [await store.search(venture, Kind.CONTENT, row, limit=10) for row in rows[:40]]
    await store.compact(part)
    assert (store.part(venture), store.worth_compacting()) == (part, [])
    after = [await store.search(venture, Kind.CONTENT, row, limit=10) for row in rows[:40]]
    assert [[match.id for match in one] for one in after] == [[match.id for match in one] for one in before]
    assert np.allclose(*([match.score for one in found for match in one] for found in (before, after)), atol=1e-5)
    assert await all_held(store, venture) == holding(points)
    for begin in (0, 2_500):
        await store.delete(venture, [point.id for point in points[begin : begin + 2_500]])
    assert store.worth_compacting() == [part]
    await store.compact(part)
    await store.compact("tuned/00@of-another-time")
    assert await all_held(store, venture) == holding(points[5_000:])
    size = store.size()
    assert (size.points, size.parts) == (1_000, 1)
    assert 1_000 * 1_024 < size.disk_bytes < 100_000_000
    await store.close()


async def test_a_second_process_is_refused_and_the_first_goes_on(opener: Opener, folder: Path) -> None:
    venture, store = new_id(), await opener()
    points = points_of(ROWS[:5])
    await store.put(venture, points)
    said = subprocess.run(
        [sys.executable, "-c", SECOND, store.name, str(folder), str(venture)], capture_output=True, text=True
    )
    assert "Unavailable: Another process has" in said.stderr, said.stderr
    assert await all_held(store, venture) == holding(points)
    await store.close()


SECOND = """
import asyncio, sys
from uuid import UUID
from ventures.vectors.api import opened
async def main(layout, folder, venture):
    store = await opened(layout, folder, dimension=32, model="a model", buckets=2)
    await store.count(UUID(venture))
asyncio.run(main(*sys.argv[1:]))
"""

WRITER = """
import asyncio, sys
from uuid import UUID
from ventures.testing.vectors import point, random_vectors
from ventures.vectors.api import opened
async def main(layout, folder):
    rows = random_vectors(400, 32)
    store = await opened(layout, folder, dimension=32, model="a model", buckets=2)
    for number in range(1, 10_000):
        row = rows[number % 400]
        for venture in (1, 2):
            await store.put(UUID(int=venture), [point(row, id=UUID(int=number), source=UUID(int=1), state="")])
            if number > 9:
                await store.delete(UUID(int=venture), [UUID(int=number - 9)])
        if number % 5 == 0:
            await store.flush()
            print(number, flush=True)
asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_what_was_flushed_is_there_after_a_kill(layout: str, folder: Path) -> None:
    rows = random_vectors(400, DIMENSION)
    for kill_at in (5, 40, 95):
        shutil.rmtree(folder)
        folder.mkdir()
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, layout, str(folder)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            flushed = 0
            while flushed < kill_at:
                flushed = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            flushed = max([flushed, *(int(line) for line in writer.stdout.read().split())])
        store = await opened(layout, folder, dimension=DIMENSION, model="a model", buckets=2)
        for venture in (UUID(int=1), UUID(int=2)):
            held = {each.id.int for each in await all_held(store, venture)}
            wanted = set(range(max(1, flushed - 8), flushed + 1))
            gone = {number for number in wanted - held if max(held) - number < 9}
            assert not gone
            assert max(held) >= flushed
            assert min(held) >= flushed - 8
            number = max(held)
            found = await store.search(venture, Kind.CONTENT, rows[number % 400], limit=1)
            assert found[0].id.int == number
        await store.close()


async def test_files_that_vanish_while_open_are_noticed_by_the_flush(opener: Opener, folder: Path) -> None:
    venture, store = new_id(), await opener()
    await store.put(venture, points_of(ROWS[:5]))
    part = store.part(venture)
    for shard in shards(folder):
        shutil.rmtree(shard)
    with pytest.raises(Unavailable):
        await store.flush()
    assert store.part(venture) != part
    await store.put(venture, points := points_of(ROWS[:3]))
    await store.flush()
    assert await all_held(store, venture) == holding(points)
    await store.close()


async def test_a_folder_that_cannot_be_written_is_said(folder: Path) -> None:
    (folder / "a file").write_text("no folder")
    with pytest.raises(Unavailable, match="cannot be used"):
        await opened("buckets", folder / "a file", dimension=DIMENSION, model="a model")


async def test_processes_share_the_ventures_between_them(folder: Path) -> None:
    ventures = [new_id() for _ in range(40)]
    for layout in LAYOUTS:
        stores = [
            await opened(layout, folder, dimension=DIMENSION, model="a model", share=(process, 3), buckets=6)
            for process in range(3)
        ]
        for venture in ventures[:12]:
            mine = process_of(layout, venture, 3, 6 if layout == "buckets" else BUCKETS)
            for process, store in enumerate(stores):
                if process == mine:
                    await store.put(venture, points_of(ROWS[:2]))
                    assert await store.count(venture) == 2
                else:
                    with pytest.raises(Unavailable, match="another process"):
                        await store.count(venture)
        for store in stores:
            await store.close()
        assert {process_of(layout, venture, 3) for venture in ventures} == {0, 1, 2}
    assert {process_of("tuned", venture, 3) for venture in ventures} == {0}
    assert all(process_of("buckets", venture, BUCKETS) < BUCKETS for venture in ventures)


async def test_where_a_venture_lies_never_changes() -> None:
    assert [process_of("buckets", UUID(int=number), BUCKETS) for number in range(8)] == PLACES


PLACES = [14, 2, 15, 6, 9, 15, 7, 15]


async def test_only_so_many_shards_are_open_at_once(folder: Path) -> None:
    store = await opened("per-venture", folder, dimension=DIMENSION, model="a model", most_open=3)
    ventures = [new_id() for _ in range(8)]
    points = {venture: points_of(ROWS[number : number + 4]) for number, venture in enumerate(ventures)}
    for venture in ventures:
        await store.put(venture, points[venture])
    assert locks(folder) <= 3
    for venture in ventures[::-1]:
        assert await all_held(store, venture) == holding(points[venture])
        assert locks(folder) <= 3
    await store.close()
    assert locks(folder) == 0


def locks(folder: Path) -> int:
    """How many locks of shards this process has."""
    links = []
    for file in Path("/proc/self/fd").iterdir():
        try:
            links.append(os.readlink(file))
        except OSError:
            continue
    return sum(link.startswith(str(folder)) and link.endswith(".lock") for link in links)


async def test_qdrant_filled_by_somebody_else_is_left_alone_and_a_lost_one_is_made_anew(folder: Path) -> None:
    from qdrant_client import AsyncQdrantClient, models

    open_it = partial(opened, "qdrant", folder, dimension=4, model="a model")
    venture, store = new_id(), await open_it()
    part, rows = store.part(venture), random_vectors(3, 4)
    await store.put(venture, points_of(rows))
    await store.close()
    again = await opened("qdrant", folder, dimension=4, model="another")
    assert again.part(venture) != part
    assert await again.count(venture) == 0
    await again.put(venture, points_of(rows))
    part = again.part(venture)
    await again._client.delete_collection(again._collection)  # type: ignore[attr-defined] # as if somebody else did
    with pytest.raises(Unavailable):
        await again.flush()
    assert await again.count(venture) == 0
    assert again.part(venture) != part
    await again.close()
    client = AsyncQdrantClient(path=str(folder))
    await client.delete("ventures-1-4", points_selector=models.PointIdsList(points=[str(UUID(int=0))]))
    vector = rows[0].tolist()
    await client.upsert("ventures-1-4", points=[models.PointStruct(id=7, vector=vector, payload={"whose": "not ours"})])
    await client.close()
    with pytest.raises(Unavailable, match="no mark of ours"):
        await open_it()
    client = AsyncQdrantClient(path=str(folder))
    assert (await client.count("ventures-1-4")).count == 1
    await client.close()


async def test_a_server_that_is_not_there_is_said() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        await opened("qdrant", "http://127.0.0.1:9", dimension=4, model="a model")


class PanicException(BaseException):
    """Named as the engine's own, which is no Exception either."""


class Panicking:
    """An engine that panics at whatever it is asked."""

    def __getattr__(self, name: str) -> object:
        raise PanicException("index out of bounds")


@pytest.mark.parametrize("harm", [None, cut_vectors])
async def test_after_a_panic_a_shard_is_opened_again_before_it_is_used(
    folder: Path, harm: Callable[[Path], None] | None
) -> None:
    store = await opened("tuned", folder, dimension=DIMENSION, model="a model")
    venture, points = new_id(), points_of(ROWS)
    await store.put(venture, points)
    await store.flush()
    part = store.part(venture)
    (shard,) = store._shards.values()  # type: ignore[attr-defined] # nothing but the engine itself makes it panic
    shard._open.close()
    shard._open = Panicking()
    with pytest.raises(Unavailable, match="index out of bounds"):
        await store.search(venture, Kind.CONTENT, ROWS[0], limit=1)
    if harm is None:
        assert await all_held(store, venture) == holding(points)
        assert store.part(venture) == part
    else:
        harm(folder / "tuned" / "00")
        with pytest.raises(Unavailable, match="filled anew"):
            await store.search(venture, Kind.CONTENT, ROWS[0], limit=1)
        assert await store.search(venture, Kind.CONTENT, ROWS[0], limit=1) == []
        assert store.part(venture) != part
    await store.close()
