"""The process that holds one layout of the vector index while `scale` asks it: it fills to so many users when told.

Told by lines on its standard input: `{"users": 4000}`; it answers with what it took. Searches come over its socket, as
on the platform; for pgvector there is none, PostgreSQL itself is asked.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import psycopg

from benchmarks.platform.vectors import (
    DIMENSION,
    SEED,
    TOPICS,
    TOPICS_EACH,
    ZIPF,
    _around,
    _id,
    _unit,
    _venture,
)
from ventures.vectors.api import Alone, Kept, Kind, Point, VectorStore, opened, serving, settled

MODEL = "benchmark"
PASSAGES_EACH, VENTURES_EACH = 20, 0.75
STATES = ("draft", "submitted", "approved", "published")
CHUNK = 1_024
Vectors = npt.NDArray[np.float32]
Sizes = npt.NDArray[np.int64]
CENTRES = _unit(np.random.default_rng(SEED).standard_normal((TOPICS, DIMENSION), dtype=np.float32))


def sizes_of(users: int) -> Sizes:
    """Passages of each venture, largest first. From 100 users on, none has fewer with more of them."""
    ventures = int(users * VENTURES_EACH)
    share = np.arange(1, ventures + 1) ** -ZIPF
    sizes: Sizes = np.maximum(1, np.floor(share / share.sum() * users * PASSAGES_EACH)).astype(np.int64)
    return sizes


def near(random: np.random.Generator, venture: int, count: int) -> Vectors:
    """Vectors about what the venture writes about."""
    own = np.random.default_rng((SEED, venture)).integers(TOPICS, size=TOPICS_EACH)
    return _around(random, CENTRES[own], count)


def added(venture: int, held: int, wanted: int) -> Iterator[list[Point]]:
    """The points of a venture from its `held`-th on, in chunks."""
    for begin in range(held, wanted, CHUNK):
        rows = near(np.random.default_rng((SEED, venture, begin)), venture, min(CHUNK, wanted - begin))
        yield [
            Point(
                id=_id((venture << 32) + number), kind=Kind.CONTENT, source=UUID(int=(7 << 100) + number // 3),
                state=STATES[number % 4], vector=row,
            )
            for number, row in enumerate(rows, begin)
        ]  # fmt: skip


async def hold(layout: str, place: str) -> None:
    """Holds the layout until its input ends. place: a folder, or the address of a database for pgvector."""
    if layout == "pgvector":
        await _hold_table(place)
        return
    store = await opened(layout, Path(place), dimension=DIMENSION, model=MODEL)
    sizes = np.zeros(0, np.int64)
    async with serving(Path(place), 1, Alone(store)):
        _say({"ready": True})
        while (users := await _told()) is not None:
            before, sizes = sizes, sizes_of(users)
            if layout == "per-venture":
                await _fill_alike(store, Path(place) / layout, users)
            else:
                await _fill(store, before, sizes)
            size = store.size() if isinstance(store, Kept) else None
            _say({"disk_bytes": size.disk_bytes if size else None})
    await store.close()


async def _fill(store: VectorStore, before: Sizes, sizes: Sizes) -> None:
    held = np.zeros_like(sizes)
    held[: len(before)] = before
    for venture in np.flatnonzero(sizes > held).tolist():
        for points in added(venture, int(held[venture]), int(sizes[venture])):
            await store.put(_venture(venture), points)
    await settled(store)


async def _fill_alike(store: VectorStore, folder: Path, users: int) -> None:
    """A shard of each size is filled through the store; ventures of the same size get copies of its files, since to
    make a shard takes 15 ms of a processor. Ends with the store closed: another process opens what is there.
    """
    sizes, known = sizes_of(users), folder.with_suffix(".users")
    held = np.zeros_like(sizes)
    if known.exists():
        before = sizes_of(int(known.read_text()))
        held[: len(before)] = before
    firsts: dict[int, int] = {}
    copies: dict[int, list[int]] = {}
    for venture in np.flatnonzero(sizes > held).tolist():
        size = int(sizes[venture])
        if size in firsts:
            copies.setdefault(firsts[size], []).append(venture)
            continue
        firsts[size] = venture
        for points in added(venture, int(held[venture]), size):
            await store.put(_venture(venture), points)
    await settled(store)
    await store.close()
    for first, others in copies.items():
        files = list(read_files(folder / _venture(first).hex))
        for venture in others:
            write_files(folder / _venture(venture).hex, files)
    os.sync()  # or it would be written while searches are timed
    known.write_text(str(users))


def read_files(folder: Path) -> Iterator[tuple[Path, int, list[tuple[int, bytes]]]]:
    """Path, size and what is in it of each file: those of the engine are full of holes."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        descriptor, parts, at = os.open(path, os.O_RDONLY), [], 0
        size = os.fstat(descriptor).st_size
        while at < size:
            try:
                begin = os.lseek(descriptor, at, os.SEEK_DATA)
            except OSError:
                break  # nothing but a hole is left
            at = os.lseek(descriptor, begin, os.SEEK_HOLE)
            parts.append((begin, os.pread(descriptor, at - begin, begin)))
        os.close(descriptor)
        yield path.relative_to(folder), size, parts


def write_files(folder: Path, files: list[tuple[Path, int, list[tuple[int, bytes]]]]) -> None:
    """The files that `read_files` found, in this folder and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    for parent in sorted({folder / path.parent for path, _, _ in files}):
        parent.mkdir(parents=True, exist_ok=True)
    for path, size, parts in files:
        descriptor = os.open(folder / path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.ftruncate(descriptor, size)
        for at, content in parts:
            os.pwrite(descriptor, content, at)
        os.close(descriptor)


async def _hold_table(address: str) -> None:
    from pgvector.psycopg import register_vector_async

    copy = "COPY regional.embedding (venture, model, id, kind, source, state, seq, vector) FROM STDIN (FORMAT BINARY)"
    held = np.zeros(0, np.int64)
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        await register_vector_async(connection)
        _say({"ready": True})
        while (users := await _told()) is not None:
            before, sizes = held, sizes_of(users)
            held = sizes
            await connection.execute("ALTER TABLE regional.embedding NO FORCE ROW LEVEL SECURITY")  # COPY needs it
            async with connection.cursor() as cursor, cursor.copy(copy) as copying:
                copying.set_types(["uuid", "text", "uuid", "text", "uuid", "text", "int8", "vector"])
                for venture, size in enumerate(sizes.tolist()):
                    has = int(before[venture]) if venture < len(before) else 0
                    for points in added(venture, has, size):
                        for one in points:
                            await copying.write_row(
                                (_venture(venture), MODEL, one.id, one.kind.value, one.source, one.state, 0, one.vector)
                            )
            await connection.execute("ALTER TABLE regional.embedding FORCE ROW LEVEL SECURITY")
            await connection.execute("VACUUM ANALYZE regional.embedding")
            found = await connection.execute("SELECT pg_total_relation_size('regional.embedding')")
            row = await found.fetchone()
            _say({"disk_bytes": row[0] if row else None})


async def _told() -> int | None:
    line = await asyncio.to_thread(sys.stdin.readline)
    return int(json.loads(line)["users"]) if line else None


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
