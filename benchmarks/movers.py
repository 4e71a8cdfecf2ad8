"""How fast a move copies, against the target's own bulk ingest of the same content in the same run.

    python -m benchmarks movers [--rounds 7] [--rows 20000] [--points 4000] [--only rows|points]

A copy is what a move does: pages of a tenant are read from the source and put into the target, gated and durable, one
after the other, by one process; where both stores know blocks, a page is one. Its peers are interleaved with it, in an
order drawn anew in each round, into the same emptied target:

* rows: one `COPY … FROM STDIN` (text, psycopg) of everything in one transaction; the same with a transaction for each
  page, as durable as a move's; and `INSERT … SELECT` from the source's table inside the server.
* pgvector: `COPY` of everything, binary and as text.
* Qdrant Edge: the engine's own upserts of a page each, with a flush.

What the bulk ingest needs is made ready before its time begins. Targets have their indexes: the primary key and one
more for rows, the primary key alone for points (no HNSW: a move brings none).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import LiteralString
from uuid import UUID

import numpy as np
import psycopg
import qdrant_edge as engine
from psycopg.sql import SQL, Identifier

from benchmarks.platform.running import database, durability
from benchmarks.report import Cell, Report, Table, Target, source_digest, write_report
from outgrow.evidence.intervals import ratio_interval
from outgrow.migrating.copying import Copier
from outgrow.migration.commands import CopyPage
from outgrow.migration.records import Migration, Pace, TenantMove
from outgrow.movers import pgvector, qdrant_edge
from outgrow.movers.bodies import point_bodies
from outgrow.movers.sql_table import open_mover
from outgrow.ports import Copying, Item, Store
from outgrow.testing import FixedClock, MemoryMoveLedger, MemoryTruth

WANTED = 0.5
TENANT = "ana"
DIMENSIONS = 384
Ways = Mapping[str, Callable[[], None]]

ORDERS: LiteralString = """CREATE TABLE {}.orders (
    shop text, id bigint, customer bigint NOT NULL, note text, total numeric(12, 2), paid boolean, at timestamptz,
    PRIMARY KEY (shop, id))"""
INDEX: LiteralString = "CREATE INDEX ON {}.orders (shop, at)"
FILL: LiteralString = """INSERT INTO source.orders
SELECT 'ana', n, n % 1000, rpad('order ' || n, {}, ' as somebody wrote it down'), n * 1.25, n % 2 = 0,
    timestamptz '2026-01-01 00:00Z' + n * interval '1 minute' FROM generate_series(1, {}) AS n"""


@dataclass(frozen=True, slots=True)
class Case:
    """``ways``: by name, each copies everything; ``ingest``: which is the target's own. ``before``: empties it."""

    name: str
    items: int
    copies: Sequence[str]
    ingest: str
    ways: Ways
    before: Callable[[], None]


def main(arguments: list[str]) -> None:
    """All cases, in turn; writes ``results/movers``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks movers")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--points", type=int, default=4_000)
    parser.add_argument("--only", choices=("rows", "points"), help="a part of it; it is printed, and not kept")
    asked = parser.parse_args(arguments)
    dice = random.Random(1)
    tables: list[Table] = []
    targets: list[Target] = []
    busy = round(os.getloadavg()[0], 1)
    with database() as addresses, TemporaryDirectory(prefix="movers-") as folder:
        facts: dict[str, Cell] = {**durability(addresses), "source": source_digest("outgrow.movers")}
        facts["load average of the machine before"] = busy
        url = addresses.superuser
        points = made_points(asked.points)
        of_rows = (rows_case(url, asked.rows, 60), rows_case(url, asked.rows // 2, 1000))
        of_points = (pgvector_case(url, points), edge_case(Path(folder), points))
        for opened in (*(of_rows if asked.only != "points" else ()), *(of_points if asked.only != "rows" else ())):
            with opened as case:
                table, target = compared(case, asked.rounds, dice)
                tables.append(table)
                targets.append(target)
    if asked.only:
        for table in tables:
            print(table.title, *(" · ".join(map(str, row)) for row in table.rows), sep="\n")
        return
    written = write_report(
        Report(
            name="movers",
            title="Copying against the target's own bulk ingest",
            command=" ".join(["python -m benchmarks movers", *arguments]),
            tables=tuple(tables),
            targets=tuple(targets),
            facts=facts,
            notes=(
                "A copy reads pages of the source and puts them, gated and durable, in one process; its rate is held "
                "against each way round by round: the median of the ratios, and the 95 % interval of their geometric "
                "mean (paired t on logarithms). Item by item, a gate is a row of its own beside each row that is "
                "put: about half of what is written for a narrow one. A block has one, and goes from COPY to COPY as "
                "it is; there are up to eight batches in it, where they are small.",
            ),
            packages=("numpy", "psycopg", "qdrant-edge-py"),
        )
    )
    print(written.read_text(encoding="utf-8"))


def compared(case: Case, rounds: int, dice: random.Random) -> tuple[Table, Target]:
    """Each way once a round, after one that does not count; rates, and ratios of copies to every other way."""
    seconds: dict[str, list[float]] = {name: [] for name in case.ways}
    for number in range(rounds + 1):
        for name in dice.sample(list(case.ways), len(case.ways)):
            case.before()
            begun = time.perf_counter()
            case.ways[name]()
            if number:
                seconds[name].append(time.perf_counter() - begun)
    rows: list[tuple[Cell, ...]] = []
    best = 0.0
    for name, took in seconds.items():
        rate = round(case.items / statistics.median(took))
        if name not in case.copies:
            rows.append((name, rate, None, None))
            continue
        for other in case.ways:
            if other in case.copies:
                continue
            ratios = [theirs / ours for ours, theirs in zip(took, seconds[other], strict=True)]
            found = ratio_interval(np.log(ratios), 0.95)
            interval = f"{found.low:.2f} – {found.high:.2f}" if found else "–"
            rows.append((f"{name}, against {other}", rate, statistics.median(ratios), interval))
            if other == case.ingest and name == case.copies[-1]:
                best = statistics.median(ratios)
    table = Table(
        f"{case.name}: {case.items:,} items",
        ("way", "items a second", "ratio", "95 % interval"),
        tuple(rows),
    )
    return table, Target(f"{case.name}: copy ÷ {case.ingest}", round(best, 3), low=WANTED)


def copied(source: Store, target: Store, batch: int) -> None:
    """As a move copies, by what carries its commands out; what is kept of the move is kept in memory."""
    ledger = MemoryMoveLedger(MemoryTruth())
    tenant = TenantMove(TENANT, 1)
    migration = ledger.create(
        Migration("m", "movers", "copying", source.name, target.name, 0.0, Pace(batch)), [tenant], "bench"
    )
    migration = ledger.take(migration, "bench")
    copier = Copier(Copying(source, target), ledger)
    after, ended = "", False
    while not ended:
        outcome = copier.carry_out(migration, tenant, CopyPage(after, batch))
        after, ended = outcome.last_key, outcome.ended


def copied_by_item(source: Store, target: Store, batch: int) -> None:
    """As a move copies where stores know no blocks, or something is held already."""
    after = ""
    while page := source.page(TENANT, after, batch):
        target.put(TENANT, 1, page)
        after = page[-1].key


@contextmanager
def rows_case(url: str, count: int, width: int) -> Iterator[Case]:
    """Rows of some 100 or 1,000 bytes, between two schemas."""
    with psycopg.connect(url, autocommit=True) as session, psycopg.connect(url) as other:
        for schema in ("source", "target"):
            name = Identifier(schema)
            for statement in ("DROP SCHEMA IF EXISTS {} CASCADE", "CREATE SCHEMA {}", ORDERS, INDEX):
                session.execute(SQL(statement).format(name))
        session.execute(SQL(FILL).format(width, count))
        session.execute("ANALYZE source.orders")
        with session.cursor().copy("COPY (SELECT * FROM source.orders ORDER BY shop, id) TO STDOUT") as reading:
            lines = [bytes(line) for line in reading]
        sides = {f"{side}_store": {"url": url, "schema": side} for side in ("source", "target")}
        mover = open_mover({**sides, "tables": [{"table": "orders", "tenant": "shop"}]}, FixedClock(0.0))

        def ingest(chunks: list[bytes]) -> None:
            for chunk in chunks:
                with other.cursor().copy("COPY target.orders FROM STDIN") as copy:
                    copy.write(chunk)
                other.commit()

        def inserted() -> None:
            other.execute("INSERT INTO target.orders SELECT * FROM source.orders")
            other.commit()

        whole, pages = [b"".join(lines)], [b"".join(lines[start : start + 500]) for start in range(0, count, 500)]
        ways = {
            "copy item by item": lambda: copied_by_item(mover.source, mover.target, 500),
            "copy in batches of 2,000": lambda: copied(mover.source, mover.target, 2000),
            "copy in batches of 500 (the default)": lambda: copied(mover.source, mover.target, 500),
            "one COPY": lambda: ingest(whole),
            "COPY, a transaction for 500": lambda: ingest(pages),
            "INSERT … SELECT": inserted,
        }

        def before() -> None:
            session.execute("TRUNCATE target.orders")
            mover.target.settle(TENANT)
            session.execute("CHECKPOINT")

        yield Case(f"rows of {width + 50:,} bytes", count, list(ways)[:3], "one COPY", ways, before)
        mover.source.close()
        mover.target.close()


@dataclass(frozen=True, slots=True)
class Points:
    """Ids, vectors of length 1 and payloads."""

    ids: list[UUID]
    matrix: np.ndarray
    payloads: list[dict[str, object]]


def made_points(count: int) -> Points:
    """Passages of some 150 bytes, ``DIMENSIONS`` wide."""
    dice = np.random.default_rng(1)
    matrix = dice.standard_normal((count, DIMENSIONS)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    payloads: list[dict[str, object]] = [
        {"text": "A passage of the venture's own words. " * 4, "place": place} for place in range(count)
    ]
    return Points([UUID(bytes=dice.bytes(16)) for _ in range(count)], matrix, payloads)


@contextmanager
def pgvector_case(url: str, points: Points) -> Iterator[Case]:
    """Between two tables of one database."""
    source, target = (pgvector.open_store({"url": url, "table": name}, name) for name in ("one", "other"))
    keys = [str(found) for found in points.ids]
    bodies = point_bodies(keys, points.matrix, points.payloads)
    with psycopg.connect(url, autocommit=True) as session, psycopg.connect(url) as other:
        session.execute("CREATE EXTENSION IF NOT EXISTS vector")
        items = [Item(key, body) for key, body in zip(keys, bodies, strict=True)]
        for start in range(0, len(items), 500):
            source.put(TENANT, 1, items[start : start + 500])
        target.put(TENANT, 1, items[:1])
        session.execute("ANALYZE one")
        how: dict[str, bytes] = {}
        for form in ("text", "binary"):
            statement = SQL("COPY (SELECT * FROM one ORDER BY id) TO STDOUT (FORMAT {})").format(SQL(form))
            with session.cursor().copy(statement) as reading:
                how[form] = b"".join(map(bytes, reading))

        def ingest(form: LiteralString) -> None:
            with other.cursor().copy(SQL("COPY other FROM STDIN (FORMAT {})").format(SQL(form))) as copy:
                copy.write(how[form])
            other.commit()

        ways = {
            "copy in pages of 500": lambda: copied(source, target, 500),
            "binary COPY": lambda: ingest("binary"),
            "text COPY": lambda: ingest("text"),
        }

        def before() -> None:
            session.execute("TRUNCATE other")
            target.settle(TENANT)
            session.execute("CHECKPOINT")

        yield Case("pgvector", len(keys), ["copy in pages of 500"], "binary COPY", ways, before)
    source.close()
    target.close()


@contextmanager
def edge_case(root: Path, points: Points) -> Iterator[Case]:
    """Between two shards of this machine."""

    def from_rows() -> list[engine.Point]:
        rows = zip(points.ids, points.matrix, points.payloads, strict=True)
        return [engine.Point(found, row, payload) for found, row, payload in rows]

    made = from_rows()
    source_folder, target_folder = root / "source", root / "target"

    def ingest(folder: Path, made: list[engine.Point]) -> None:
        vectors = engine.EdgeVectorParams(size=DIMENSIONS, distance=engine.Distance.Cosine)
        plain = engine.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=10_000, payload_m=0)
        folder.mkdir(exist_ok=True)
        shard = engine.EdgeShard.create(
            str(folder / TENANT), engine.EdgeConfig(vectors=vectors, hnsw_config=plain, max_search_threads=1)
        )
        for start in range(0, len(made), 500):
            shard.update(engine.UpdateOperation.upsert_points(made[start : start + 500]))
            shard.flush()
        shard.close()

    def copy() -> None:
        target = qdrant_edge.open_store({"folder": target_folder, "size": DIMENSIONS}, "target")
        copied(source, target, 500)
        target.close()

    ingest(source_folder, made)
    source = qdrant_edge.open_store({"folder": source_folder}, "source")
    ways = {
        "copy in pages of 500": copy,
        "upserts and flushes of 500": lambda: ingest(target_folder, made),
        "the same, points made from numpy and dicts": lambda: ingest(target_folder, from_rows()),
    }
    yield Case(
        "Qdrant Edge",
        len(made),
        ["copy in pages of 500"],
        "upserts and flushes of 500",
        ways,
        lambda: shutil.rmtree(target_folder, ignore_errors=True),
    )
    source.close()
