"""How the layouts of the vector index compare: one million passages of 1,500 ventures, every layout in its own process.

    python -m benchmarks vectors

Sizes of ventures fall as rank to the power −.8 (Zipf), so the largest has about 6 % of all. Vectors have topics, as
those of texts do: each venture has some of 2,000 topics of its own, a vector is a topic's centre with noise; a query is
made the same way and is none of the stored ones. The limit is numpy, which looks at every vector of the venture; what
it finds is what the others are held to. A layout's process is filled venture by venture in chunks, as a rebuild does,
compacted, measured, closed and opened again. shared, per-venture and pgvector hold fewer ventures (each n-th) where the
whole would take too long; their rows say how many points that is.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import psycopg

from benchmarks.platform.running import database, durability, python
from benchmarks.report import Report, Table, Target, write_report

VENTURES, DIMENSION, ZIPF = 1_500, 256, 0.8
TOPICS, TOPICS_EACH, NOISE = 2_000, 20, 0.7
LIMIT, QUERIES, WARM = 10, 700, 5
LEAK_RESULTS = 100_000
LAYOUTS = {"shared": 4, "tuned": 1, "buckets": 1, "per-venture": 4, "pgvector": 4}
"""Of how many ventures one is held (every n-th, by size)."""
FEW = {"shared": 40}
"""Queries of each drawing, where one takes a quarter of a second."""
SEED = 20260314
Search = Callable[[UUID, npt.NDArray[np.float32]], Awaitable[list[UUID]]]


def main(arguments: list[str]) -> None:
    """Makes the data, runs each layout, writes the report; `child` arguments are for the processes it starts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks vectors")
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--layouts", default=",".join(LAYOUTS))
    parser.add_argument("--no-report", action="store_true")
    parser.add_argument("--child", nargs=3, metavar=("LAYOUT", "DATA", "PLACE"))
    options = parser.parse_args(arguments)
    if options.child:
        layout, data, place = options.child
        measured = _pgvector(Path(data), place) if layout == "pgvector" else _store(layout, Path(data), Path(place))
        print(json.dumps(asyncio.run(measured)))
        return
    with TemporaryDirectory(prefix="ventures-bench-", dir=os.environ.get("VENTURES_BENCH_DIR")) as folder:
        began = time.perf_counter()
        exact = _make(Path(folder), options.points)
        print(f"  {options.points:,} points made in {time.perf_counter() - began:.0f} s", flush=True)
        found = {"numpy": exact}
        for layout in options.layouts.split(","):
            found[layout] = _run(layout, Path(folder))
            print(f"  {layout}: {json.dumps(found[layout])}", flush=True)
        if not options.no_report:
            _report(found, options.points)


def _run(layout: str, data: Path) -> dict[str, Any]:
    if layout == "pgvector":
        with database() as addresses:
            return _child(layout, data, addresses.owner) | {"facts": durability(addresses)}
    with TemporaryDirectory(prefix="ventures-bench-", dir=os.environ.get("VENTURES_BENCH_DIR")) as place:
        return _child(layout, data, place)


def _child(layout: str, data: Path, place: str) -> dict[str, Any]:
    said = subprocess.run(
        python("-m", "benchmarks", "vectors", "--child", layout, str(data), place),
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout  # fmt: skip
    answer: dict[str, Any] = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    return answer


def _make(folder: Path, points: int) -> dict[str, Any]:
    """Vectors by venture, queries, and what numpy finds for them; → numpy's own figures."""
    random = np.random.default_rng(SEED)
    share = np.arange(1, VENTURES + 1) ** -ZIPF
    sizes = np.maximum(1, np.floor(share / share.sum() * points)).astype(np.int64)
    ends = np.cumsum(sizes)
    np.save(folder / "ends.npy", ends)
    centres = _unit(random.standard_normal((TOPICS, DIMENSION), dtype=np.float32))
    drawn = {
        "by size": random.choice(VENTURES, QUERIES, p=sizes / sizes.sum()),
        "uniform": random.integers(VENTURES, size=QUERIES),
    }
    seconds: dict[str, list[float]] = {name: [] for name in drawn}
    large: list[float] = []
    asked = {name: np.empty((QUERIES, DIMENSION), np.float32) for name in drawn}
    truth = {name: np.full((QUERIES, LIMIT), -1, np.int64) for name in drawn}
    with (folder / "vectors.f32").open("wb") as file:
        for venture, (end, size) in enumerate(zip(ends, sizes, strict=True)):
            own = centres[random.integers(TOPICS, size=TOPICS_EACH)]
            rows = _around(random, own, int(size))
            file.write(rows.tobytes())
            for name, ventures in drawn.items():
                for number in np.flatnonzero(ventures == venture):
                    query = asked[name][number] = _around(random, own, 1)[0]
                    began = time.perf_counter()
                    scores = rows @ query
                    best = np.argpartition(-scores, min(LIMIT, size - 1))[:LIMIT]
                    best = best[np.argsort(-scores[best])]
                    took = time.perf_counter() - began
                    seconds[name].append(took)
                    if size > 20_000:
                        large.append(took)
                    truth[name][number, : len(best)] = end - size + best
    np.savez(folder / "queries.npz", **{
        f"{name}/{what}": array
        for name in drawn
        for what, array in (("venture", drawn[name]), ("vector", asked[name]), ("truth", truth[name]))
    })  # fmt: skip
    return {
        "points": int(ends[-1]),
        "largest": int(sizes[0]),
        "median": int(np.median(sizes)),
        "drawn": {name: _quantiles(seconds[name]) | {"recall": 1.0} for name in drawn},
        "large_p50": float(np.median(large)) * 1e3 if large else None,
    }


def _around(random: np.random.Generator, centres: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.float32]:
    noise = _unit(random.standard_normal((count, DIMENSION), dtype=np.float32))
    return _unit(centres[random.integers(len(centres), size=count)] + np.float32(NOISE) * noise)


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _venture(number: int) -> UUID:
    return UUID(bytes=hashlib.blake2b(b"venture %d" % number, digest_size=16).digest())


def _id(number: int) -> UUID:
    """Spread as ids of passages are; the number is in the lower half."""
    spread = hashlib.blake2b(b"point %d" % number, digest_size=8).digest()
    return UUID(bytes=spread + number.to_bytes(8, "big"))


def _number(id: UUID) -> int:
    return id.int & (2**64 - 1)


def _kept(data: Path, layout: str) -> Iterator[tuple[UUID, int, npt.NDArray[np.float32]]]:
    """Venture, number of its first point, vectors; read from the file a venture at a time."""
    ends = np.load(data / "ends.npy")
    with (data / "vectors.f32").open("rb") as file:
        for number in range(0, len(ends), LAYOUTS[layout]):
            begin = int(ends[number - 1]) if number else 0
            file.seek(begin * DIMENSION * 4)
            rows = np.fromfile(file, np.float32, (int(ends[number]) - begin) * DIMENSION).reshape(-1, DIMENSION)
            yield _venture(number), begin, rows


async def _store(layout: str, data: Path, place: Path) -> dict[str, Any]:
    from ventures.vectors.api import Kept, Kind, Point, opened

    def open_it() -> Awaitable[Any]:
        return opened(layout, place, dimension=DIMENSION, model="benchmark")

    states = ("draft", "submitted", "approved", "published")
    store = await open_it()
    empty, points, taking, used = _memory()["rss"], 0, 0.0, 0.0
    for venture, first, rows in _kept(data, layout):
        for begin in range(0, len(rows), 1_024):
            chunk = [
                Point(
                    id=_id(number), kind=Kind.CONTENT, source=UUID(int=(7 << 100) + number // 3),
                    state=states[number % 4], vector=row,
                )
                for number, row in enumerate(rows[begin : begin + 1_024], first + begin)
            ]  # fmt: skip
            began, before = time.perf_counter(), time.process_time()
            await store.put(venture, chunk)
            taking, used = taking + time.perf_counter() - began, used + time.process_time() - before
        points += len(rows)
    began, before = time.perf_counter(), time.process_time()
    await store.flush()
    flushing = time.perf_counter() - began
    began, longest = time.perf_counter(), 0.0
    for part in list(store.worth_compacting()) if isinstance(store, Kept) else ():
        at = time.perf_counter()
        await store.compact(part)
        longest = max(longest, time.perf_counter() - at)
    compacting = time.perf_counter() - began
    used += time.process_time() - before
    began = time.perf_counter()
    await store.close()
    store = await open_it()
    reopening = time.perf_counter() - began

    async def search(venture: UUID, vector: npt.NDArray[np.float32]) -> list[UUID]:
        return [match.id for match in await store.search(venture, Kind.CONTENT, vector, limit=LIMIT)]

    answered = await _answered(search, data, layout)
    answer = {
        "points": points,
        "per_second": points / taking,
        "rebuild_seconds": taking + flushing + compacting,
        "rebuild_cpu_seconds": used,
        "compact_seconds": compacting,
        "longest_compact_seconds": longest,
        "reopen_seconds": reopening,
        "empty_bytes": empty,
        **_memory(),
        "disk_bytes": store.size().disk_bytes,
        **answered,
    }
    await store.close()
    return answer


async def _answered(search: Search, data: Path, layout: str) -> dict[str, Any]:
    """Times and recall of the queries, a look at ventures above 20,000 points, and leaks."""
    ends, queries = np.load(data / "ends.npy"), np.load(data / "queries.npz")
    sizes = np.diff(ends, prepend=0)
    large: list[float] = []
    first: dict[int, float] = {}
    drawn: dict[str, Any] = {}
    leaked = results = 0

    def foreign(found: list[UUID], venture: int) -> int:
        begin, end = int(ends[venture] - sizes[venture]), int(ends[venture])
        return sum(not begin <= _number(id) < end for id in found)

    held = {name: np.flatnonzero(queries[f"{name}/venture"] % LAYOUTS[layout] == 0) for name in ("by size", "uniform")}
    for name, numbers in held.items():
        ventures, vectors, truth = (queries[f"{name}/{what}"] for what in ("venture", "vector", "truth"))
        seconds, processor, hits, wanted = [], [], 0, 0
        numbers = numbers[: FEW.get(layout)]
        for number in numbers[: WARM if layout in FEW else None]:
            began = time.perf_counter()
            await search(_venture(ventures[number]), vectors[number])
            first.setdefault(int(ventures[number]), time.perf_counter() - began)
        for number in numbers:
            venture = int(ventures[number])
            id = _venture(venture)
            began, before = time.perf_counter(), time.process_time()
            found = await search(id, vectors[number])
            took = time.perf_counter() - began
            processor.append(time.process_time() - before)
            seconds.append(took)
            if sizes[venture] > 20_000:
                large.append(took)
            right = set(truth[number][truth[number] >= 0].tolist())
            hits += len(right & {_number(each) for each in found})
            wanted += len(right)
            leaked += foreign(found, venture)
            results += len(found)
        drawn[name] = _quantiles(seconds) | {
            "cpu_p95": _quantiles(processor)["p95"],
            "recall": hits / wanted,
            "queries": len(numbers),
        }
    number = 0
    many = [(int(queries[f"{n}/venture"][q]), queries[f"{n}/vector"][q]) for n in held for q in held[n]]
    while layout not in FEW and results < LEAK_RESULTS:
        venture, vector = many[number % len(many)][0], many[(number * 7 + 3) % len(many)][1]
        found = await search(_venture(venture), vector)
        leaked += foreign(found, venture)
        results += len(found)
        number += 1
    return {
        "drawn": drawn,
        "large_p50": float(np.median(large)) * 1e3 if large else None,
        "first_p50": float(np.median(list(first.values()))) * 1e3,
        "leaked": leaked,
        "results": results,
    }


async def _pgvector(data: Path, address: str) -> dict[str, Any]:
    """A table like `embedding`, exact by its primary key; one connection, prepared statements."""
    from pgvector.psycopg import register_vector_async

    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        await connection.execute(
            "CREATE TABLE public.embedding (venture uuid, model text, kind text, id uuid, source uuid, state text, "
            f"seq bigint, vector public.vector({DIMENSION}) STORAGE PLAIN, PRIMARY KEY (venture, model, kind, id))"
        )
        await connection.execute("SET search_path = public")
        await register_vector_async(connection)
        points, began = 0, time.perf_counter()
        copy = "COPY embedding (venture, model, kind, id, source, state, seq, vector) FROM STDIN (FORMAT BINARY)"
        for venture, first, rows in _kept(data, "pgvector"):
            async with connection.cursor() as cursor, cursor.copy(copy) as copying:
                copying.set_types(["uuid", "text", "text", "uuid", "uuid", "text", "int8", "vector"])
                for number, row in enumerate(rows, first):
                    source = UUID(int=(7 << 100) + number // 3)
                    await copying.write_row((venture, "m", "content", _id(number), source, "draft", number, row))
            points += len(rows)
        await connection.execute("VACUUM ANALYZE embedding")
        taking = time.perf_counter() - began
        sizes = await connection.execute("SELECT pg_total_relation_size('embedding')")
        disk = await sizes.fetchone()
        await connection.execute("SET enable_seqscan = off")
        statement = (
            "SELECT id FROM embedding WHERE venture = %s AND model = 'm' AND kind = 'content' "
            f"ORDER BY vector <=> %s LIMIT {LIMIT}"
        )

        async def search(venture: UUID, vector: npt.NDArray[np.float32]) -> list[UUID]:
            found = await connection.execute(statement, [venture, vector], prepare=True)
            return [row[0] for row in await found.fetchall()]

        return {
            "points": points,
            "per_second": points / taking,
            "rebuild_seconds": taking,
            "disk_bytes": disk[0] if disk else None,
            **await _answered(search, data, "pgvector"),
        }


def _memory() -> dict[str, int]:
    """Resident bytes of this process; of them its own, and pages of files."""
    status = Path("/proc/self/status").read_text()
    return {key: int(status.split(f"{field}:")[1].split()[0]) * 1024 for key, field in MEMORY.items()}


MEMORY = {"rss": "VmRSS", "anonymous": "RssAnon", "files": "RssFile"}


def _quantiles(seconds: list[float]) -> dict[str, float]:
    p50, p95, p99 = (float(each) * 1e3 for each in np.quantile(seconds, (0.5, 0.95, 0.99)))
    return {"p50": p50, "p95": p95, "p99": p99}


def _report(found: dict[str, dict[str, Any]], points: int) -> None:
    rows = [
        (
            layout,
            f"{one['points']:,}",
            name,
            times.get("queries", QUERIES),
            times["p50"],
            times["p95"],
            times["p99"],
            times.get("cpu_p95") if layout != "pgvector" else None,
            times["recall"],
        )
        for layout, one in found.items()
        for name, times in one["drawn"].items()
    ]
    kept = [
        (
            layout,
            f"{one['points']:,}",
            one["large_p50"],
            one.get("first_p50"),
            f"{one['leaked']} of {one['results']:,}" if "leaked" in one else None,
            round(one["per_second"]) if "per_second" in one else None,
            one.get("rebuild_seconds"),
            one.get("rebuild_cpu_seconds"),
            one.get("longest_compact_seconds"),
            one.get("reopen_seconds"),
            *(one[part] / 1e9 if part in one else None for part in ("rss", "anonymous", "disk_bytes")),
        )
        for layout, one in found.items()
    ]
    buckets = found.get("buckets", {})
    drawn = buckets.get("drawn", {})
    write_report(
        Report(
            name="vectors",
            title="Layouts of the vector index, side by side",
            command="python -m benchmarks vectors" + ("" if points == 1_000_000 else f" --points {points}"),
            tables=(
                Table(
                    f"A search for the nearest {LIMIT}",
                    ("layout", "points", "ventures drawn", "queries", "p50 ms", "p95 ms", "p99 ms", "p95 CPU ms",
                     "recall@10"),
                    tuple(rows),
                    (
                        f"{VENTURES:,} ventures, Zipf {ZIPF}; the largest has {found['numpy']['largest']:,} points, "
                        f"the median {found['numpy']['median']:,}. {DIMENSION} numbers each. Drawn by size: as often "
                        "as the venture has points; uniform: each venture as often. One search at a time, one process.",
                        "numpy is the limit: the venture's vectors lie in memory, in one piece. pgvector is asked over "
                        "its socket and looks at every vector of the venture. qdrant (a server) is not exercised here.",
                        "Every query was asked once before, untimed (shared: five of them). A venture's first is in "
                        "the second table: per-venture opens its shard for it, and holds 1,024 open at most.",
                    ),
                ),
                Table(
                    "Filling and holding",
                    ("layout", "points", "p50 ms, > 20,000 points", "p50 ms, a venture's first", "leaked results",
                     "put/s", "filled and compacted s", "of it CPU s", "longest compaction s", "closed and opened s",
                     "resident GB", "of it its own GB", "disk GB"),
                    tuple(kept),
                    (
                        "p95 CPU is what the search took of processors, whoever else was using them; likewise below. "
                        "Resident counts pages of files that the system may take back. The time of making the points "
                        "is not in it; PostgreSQL's share of a rebuild is measured elsewhere.",
                    ),
                ),
            ),
            targets=(
                Target("buckets: p95 ms, ventures by size", drawn.get("by size", {}).get("p95"), high=2.0),
                Target("buckets: p95 ms, ventures uniformly", drawn.get("uniform", {}).get("p95"), high=2.0),
                Target("buckets: recall@10", drawn.get("by size", {}).get("recall"), low=0.995),
                Target(f"buckets: leaked of {LEAK_RESULTS:,} results", buckets.get("leaked"), high=0.0),
                Target("buckets: resident GB", buckets["rss"] / 1e9 if buckets else None, high=2.5),
                Target("buckets: filled and compacted s", buckets.get("rebuild_seconds"), high=90.0),
            ),
            facts=found.get("pgvector", {}).get("facts", {}),
            packages=("qdrant-edge-py", "pgvector", "numpy"),
        )
    )  # fmt: skip
