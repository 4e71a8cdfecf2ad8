"""The index and its process through every fault: nothing missing, nothing resurrected, and searches go on."""

import os
import random
import shutil
import signal
from asyncio import sleep
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.search.api import Finder, WordLlamaEmbedder
from ventures.search.index import RoutedIndex
from ventures.search.routes import Nearest, nearest, standing
from ventures.testing.embeddings import Embeddings, passages, units
from ventures.testing.index_process import DIMENSION, MODEL, IndexProcess
from ventures.vectors.api import Kind, Vector


@pytest.fixture
def rows(database_addresses: Addresses) -> Iterator[Embeddings]:
    with Embeddings(database_addresses.superuser, model=MODEL, dimension=DIMENSION) as written:
        yield written


@pytest.fixture
def process(database_addresses: Addresses) -> Iterator[IndexProcess]:
    with TemporaryDirectory(prefix="v-") as folder:
        one = IndexProcess(Path(folder), database_addresses.app)
        yield one
        one.kill()


@pytest_asyncio.fixture
async def index(process: IndexProcess) -> AsyncIterator[RoutedIndex]:
    asked = RoutedIndex(process.data, processes=1)
    yield asked
    await asked.close()


def some(rows: Embeddings, ventures: int, each: int) -> list[UUID]:
    made = [rows.venture() for _ in range(ventures)]
    for number, one in enumerate(made):
        rows.many(one, units(each, DIMENSION, seed=number))
    return made


async def same(process: IndexProcess, rows: Embeddings, ventures: list[UUID]) -> None:
    """The store holds what the rows say, and nothing else; the process must have ended."""
    held = await process.all_held(ventures)
    for one in ventures:
        assert held[one] == rows.held(one)
        assert len(rows.kept(one)) == 1


async def test_killed_at_any_moment_it_misses_nothing_and_brings_nothing_back(
    process: IndexProcess, rows: Embeddings
) -> None:
    chance = random.Random(4)
    ventures = some(rows, 6, 400)
    known = {one: [held.id for held in rows.held(one)] for one in ventures}
    stages: set[str] = set()
    for kill in range(int(os.environ.get("INDEX_KILLS", "10"))):
        process.start()
        for _ in range(chance.randrange(4) if kill else 0):  # the first at once
            venture = chance.choice(ventures)
            new = passages(units(chance.randrange(60), DIMENSION, seed=chance.randrange(1 << 30)))
            gone = dict.fromkeys(chance.sample(known[venture], chance.randrange(30)))
            changed = dict.fromkeys(chance.sample(known[venture], 3), units(1, DIMENSION, seed=kill)[0])
            known[venture] += new
            rows.put(venture, {**gone, **changed, **new}, state=chance.choice(["draft", "approved"]))
            await sleep(chance.random() * 0.3)
        await sleep(chance.random() * chance.choice([0.2, 0.5, 2.5]) if kill else 0.0)
        stages |= {"kept" if rows.kept(one) else "new" for one in ventures}
        process.kill()
    process.start()
    await process.caught_up(len(ventures))
    process.stop()
    await same(process, rows, ventures)
    assert stages == {"kept", "new"}


def lost(store: Path) -> None:
    shutil.rmtree(store)


def one_file_less(store: Path) -> None:
    max(vectors(store), key=lambda file: file.stat().st_size).unlink()


def truncated(store: Path) -> None:
    file = max(vectors(store), key=lambda one: one.stat().st_size)
    with file.open("rb+") as opened:
        opened.truncate(file.stat().st_size // 2)


def flipped(store: Path) -> None:
    for file in vectors(store):
        content = bytearray(file.read_bytes())
        for at in range(0, len(content), 4096):
            content[at] ^= 0xFF
        file.write_bytes(content)


def of_another_engine(store: Path) -> None:
    manifest = store / "00" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"engine"', '"engine": "0.0.1", "was"'))


def no_manifest(store: Path) -> None:
    (store / "00" / "manifest.json").write_bytes(b"\0" * 100)


def vectors(store: Path) -> list[Path]:
    return [file for file in (store / "00" / "shard").rglob("*") if file.is_file() and file.stat().st_size]


@pytest.mark.parametrize("harm", [lost, one_file_less, truncated, flipped, of_another_engine, no_manifest])
async def test_what_is_of_no_use_any_more_is_filled_anew(
    process: IndexProcess, rows: Embeddings, harm: Callable[[Path], None]
) -> None:
    ventures = some(rows, 2, 300)
    process.start()
    await process.caught_up(2)
    process.stop()
    before = rows.kept(ventures[0])
    harm(process.data / "index" / "tuned")
    rows.put(ventures[1], dict.fromkeys([rows.held(ventures[1])[0].id]))
    process.start()
    await process.caught_up(2)
    process.stop()
    await same(process, rows, ventures)
    assert rows.kept(ventures[0]) != before, "the part has another name"


async def found(database: Database, index: RoutedIndex, venture: UUID, vector: Vector) -> Nearest:
    """As a search does it."""
    finder = Finder(embedder=WordLlamaEmbedder(), index=index, store="tuned", now=lambda: datetime.now(UTC))
    async with database.reading(venture) as scope:
        stands = await standing(scope, finder)
        return await nearest(scope, finder, stands, Kind.CONTENT, vector, limit=5)


async def test_stopped_it_holds_up_no_search_and_woken_it_answers_again(
    database: Database, process: IndexProcess, index: RoutedIndex, rows: Embeddings
) -> None:
    (venture,) = some(rows, 1, 50)
    asked = units(1, DIMENSION, seed=0)[0]
    missing = await found(database, index, venture, asked)
    assert (missing.answered_by, missing.position) == ("exact", 2)
    assert "is not there" in str(missing.because)
    process.start()
    await process.caught_up(1)
    await woken(index)
    by_index = await found(database, index, venture, asked)
    assert by_index.answered_by == "index"
    assert by_index.position == 2
    assert [match.id for match in by_index.matches] == [match.id for match in missing.matches]

    process.signal(signal.SIGSTOP)
    reasons = []
    for _ in range(8):
        answer = await found(database, index, venture, asked)
        assert answer.answered_by == "exact"
        assert [match.id for match in answer.matches] == [match.id for match in by_index.matches]
        reasons.append(answer.because)
    assert reasons[:3] == ["Index process 1 did not answer within 150 ms."] * 3
    assert set(reasons[3:]) == {"Index process 1 does not answer; it is asked again from time to time."}
    process.signal(signal.SIGCONT)
    await woken(index)
    assert (await found(database, index, venture, asked)).answered_by == "index"
    assert [line.fault for line in await index.status()] == [""]


async def test_without_a_place_for_its_files_it_says_so_once_and_goes_on_when_there_is_one(
    database: Database, process: IndexProcess, index: RoutedIndex, rows: Embeddings
) -> None:
    (venture,) = some(rows, 1, 20)
    in_the_way = process.data / "index" / "tuned"
    in_the_way.parent.mkdir()
    in_the_way.write_text("a file where a folder should be")
    process.start()
    await process.until(lambda store: bool(store.fault))
    answer = await found(database, index, venture, units(1, DIMENSION)[0])
    assert answer.answered_by == "exact"
    assert "Store tuned cannot be used now" in str(answer.because)
    await sleep(1.5)
    in_the_way.unlink()
    await process.caught_up(1)
    assert process.said.count("cannot be used now") == 1
    assert (await found(database, index, venture, units(1, DIMENSION)[0])).answered_by == "index"
    process.stop()
    await same(process, rows, [venture])


async def test_it_waits_for_a_database_that_is_away_and_answers_meanwhile(
    database_addresses: Addresses, process: IndexProcess, index: RoutedIndex, rows: Embeddings
) -> None:
    (venture,) = some(rows, 1, 30)
    process.start()
    await process.caught_up(1)
    name = urlsplit(database_addresses.superuser).path[1:]
    elsewhere = urlsplit(database_addresses.superuser)._replace(path="/postgres").geturl()
    with psycopg.connect(elsewhere, autocommit=True) as superuser:
        superuser.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = 'ventures_app'",
            [name],
        )
        await sleep(1.0)
        remote = index._remotes[0]
        answer = await remote.search("tuned", venture, Kind.CONTENT, units(1, DIMENSION)[0], limit=3)
        assert len(answer.matches) == 3
        superuser.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')
    rows.put(venture, passages(units(4, DIMENSION, seed=9)))
    await process.until(lambda store: store.points == 34)
    process.stop()
    await same(process, rows, [venture])


async def woken(index: RoutedIndex) -> None:
    """The client asks again."""
    (remote,) = index._remotes
    while remote._probing is not None:
        await sleep(0.02)
