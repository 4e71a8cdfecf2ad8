"""The way back after many writes: all ventures are switched, people write through the API, and all go back meanwhile.

    python -m benchmarks way-back            # about five minutes on two cores
    python -m benchmarks way-back --small    # to try it: a minute

Each write is a draft of one short passage. Then every one that was acknowledged is looked up in the source layout by
its own vector, the layout is compared with PostgreSQL point by point, and whatever is there twice is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec
import uvloop

from benchmarks.moves.platform_moved import SOURCE, Moving, carried, ends_in_order, filled, said
from benchmarks.moves.shadow import SMALL, WHOLE
from benchmarks.report import Report, Table, Target, write_report
from outgrow.routing import Route
from ventures.errors import Unavailable
from ventures.population.connection import Ask, Connection
from ventures.population.shape import Plan
from ventures.search.api import IndexUnavailable, RoutedIndex, differing, reach, sizes, vectors_of
from ventures.testing.serving import Serving, folder
from ventures.vectors.api import Kind, Only, Point
from ventures.wiring import Platform

WRITERS = 6
WRITES, FEW_WRITES = 10_000, 400
MEANWHILE_SECONDS = 0.05
"""Between two writes of a writer while all go back."""
CAUGHT_UP_SECONDS = 300.0
TRIES = 20
AGAIN_SECONDS = 0.25
PAGE = 256
MOST_POINTS = 1_000_000
EMBEDDED: LiteralString = """
SELECT count(DISTINCT source) FROM embedding
WHERE venture = %(venture)s AND model = %(model)s AND vector IS NOT NULL AND source = ANY(%(items)s::uuid[])"""
TITLES: LiteralString = """
SELECT count(*), count(DISTINCT title) FROM item WHERE venture = %(venture)s AND title LIKE 'Kept %%'"""


@dataclass
class Back:
    """What came of it. acknowledged: before the way back began, and while it went on; refused: were not acknowledged.
    missing: acknowledged items that the source does not find; different: points in which it is not what PostgreSQL
    has; twice: points or items that are there twice. seconds: of the way back, with all its ventures.
    """

    before: int = 0
    meanwhile: int = 0
    refused: int = 0
    writing_seconds: float = 0.0
    seconds: float = 0.0
    caught_up_seconds: float = 0.0
    ventures: int = 0
    missing: int = 0
    different: int = 0
    twice: int = 0

    def table(self) -> Table:
        """For the report."""
        columns = (
            "ventures", "acknowledged", "… while they went back", "not acknowledged", "writes a second",
            "all back, s", "and caught up, s", "not found", "different", "twice",
        )  # fmt: skip
        row = (
            self.ventures, self.before, self.meanwhile, self.refused, self.before / max(self.writing_seconds, 1e-9),
            self.seconds, self.caught_up_seconds, self.missing, self.different, self.twice,
        )  # fmt: skip
        notes = ("not found: acknowledged items that the source does not find by their own vector.",)
        return Table("Back after live writes to the new layout", columns, (row,), notes)

    def targets(self) -> tuple[Target, ...]:
        """What was promised of it."""
        return (
            Target("way back: writes before it", float(self.before), low=10_000.0),
            Target("way back: not found, different or twice", float(self.missing + self.different + self.twice), 0.0),
        )


@dataclass
class Writing:
    """People who draft items, a few at a time. kept: venture → ids that were acknowledged."""

    host: str
    port: int
    places: Sequence[tuple[bytes, bytes, UUID]]
    kept: dict[UUID, list[UUID]] = field(default_factory=dict)
    count: int = 0
    refused: int = 0
    pause_seconds: float = 0.0
    stopping: bool = False

    async def run(self, numbers: itertools.count[int]) -> None:
        """One of them, until it is to stop."""
        line = _Line(self.host, self.port)
        while not self.stopping:
            number = next(numbers)
            head, path, venture = self.places[number % len(self.places)]
            ask = await line.answered(_draft(head, path, number))
            if ask is None or ask.status != 201:
                self.refused += 1
                continue
            self.kept.setdefault(venture, []).append(UUID(msgspec.json.decode(ask.body)["id"]))
            self.count += 1
            await asyncio.sleep(self.pause_seconds)
        line.close()


class _Line:
    """One request after the other over one connection, made anew where it ended."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._connection: Connection | None = None
        self._waiting: asyncio.Future[Ask | None] | None = None

    async def answered(self, ask: Ask) -> Ask | None:
        """The same with its answer; None where there was none. Raises: OSError."""
        loop = asyncio.get_running_loop()
        connection = self._connection
        if connection is None or not connection.open:
            _, connection = await loop.create_connection(
                lambda: Connection(lambda _, ask: self._come(ask), lambda _, ask, __: self._end(ask)),
                self._host,
                self._port,
            )
            self._connection = connection
        self._waiting = loop.create_future()
        connection.send(ask)
        return await self._waiting

    def close(self) -> None:
        """Ends it."""
        if self._connection is not None:
            self._connection.close("done")

    def _come(self, answered: Ask | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answered)

    def _end(self, under_way: Ask | None) -> None:
        if under_way is not None:
            self._come(None)


def _draft(head: bytes, path: bytes, number: int) -> Ask:
    text = f"Number {number} of what was promised while the index went back, and is kept: {uuid4().hex}."
    body = msgspec.json.encode({"title": f"Kept {number}", "body": text})
    key = b"idempotency-key: %b\r\ncontent-type: application/json\r\n" % uuid4().hex.encode()
    return Ask(
        0, b"POST " + path + b"/items" + head + key + b"content-length: %d\r\n\r\n" % len(body) + body, wants_body=True
    )


def main(arguments: list[str]) -> None:
    """Goes there and back, and writes the report; `--small` writes none."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks way-back")
    parser.add_argument("--small", action="store_true", help="to try it; no report is written")
    parser.add_argument("--writes", type=int, default=None)
    parser.add_argument("--data", type=Path, default=None, help="a data folder that is kept")
    options = parser.parse_args(arguments)
    ends_in_order()
    plan = SMALL.plan if options.small else WHOLE.plan
    writes = options.writes or (FEW_WRITES if options.small else WRITES)
    with folder() as made, filled(options.data or made, plan, 1) as platform:
        found = uvloop.run(_there_and_back(platform, plan, writes))
    print(f"  {found}", flush=True)
    if not options.small:
        write_report(
            Report(
                name="way-back",
                title="The way back after live writes",
                command="python -m benchmarks way-back",
                tables=(found.table(),),
                targets=found.targets(),
                facts={"ventures": plan.count, "passages": plan.passages},
                packages=("litestar", "uvicorn", "psycopg", "qdrant-edge-py"),
            )
        )


async def _there_and_back(platform: Serving, plan: Plan, writes: int) -> Back:
    async with carried(platform, plan) as (moving, opened):
        return await there_and_back(moving, opened, writes)


async def there_and_back(moving: Moving, opened: Platform, writes: int) -> Back:
    """Switches all, writes, goes back, and compares. Raises: RuntimeError where the tool does not come through."""
    platform, outgrow = moving.platform, moving.outgrow
    said(f"all are switched, {writes:,} items are written, and all go back")
    await asyncio.to_thread(outgrow, "switch", "--all", "--yes")
    moving.all_are("switched")
    parts = urlsplit(platform.url)
    writing = Writing(
        parts.hostname or "",
        parts.port or 80,
        [
            (person.head, place.path, UUID(place.venture))
            for person in moving.people
            for place, may_write, _ in person.places
            if may_write
        ],
    )
    numbers = itertools.count(1)
    found = Back()
    began = time.monotonic()
    writers = [asyncio.create_task(writing.run(numbers)) for _ in range(WRITERS)]
    try:
        told = began
        while writing.count < writes:
            await asyncio.sleep(0.05)
            if (broken := next((one for one in writers if one.done()), None)) is not None:
                broken.result()
            if time.monotonic() - told > 15:
                told = time.monotonic()
                said(f"{writing.count:,} items are written")
        found.before, found.writing_seconds = writing.count, time.monotonic() - began
        writing.pause_seconds = MEANWHILE_SECONDS
        began = time.monotonic()
        await asyncio.to_thread(outgrow, "reverse")
        found.seconds = time.monotonic() - began
        moving.all_are("ready")
    finally:
        writing.stopping = True
        await asyncio.gather(*writers)
    found.meanwhile, found.refused = writing.count - found.before, writing.refused
    said(f"all are back after {found.seconds:.1f} s; {writing.count:,} items were acknowledged")
    index = RoutedIndex(platform.data, processes=platform.settings.index_processes)
    try:
        await _compared(found, opened, index, SOURCE, writing)
    finally:
        await index.close()
    return found


async def _compared(found: Back, opened: Platform, index: RoutedIndex, source: str, writing: Writing) -> None:
    database, model = opened.database, opened.finder.embedder.model
    began = time.monotonic()
    for venture, items in writing.kept.items():
        while not await _has(opened, index, model, source, venture, items):
            if time.monotonic() - began > CAUGHT_UP_SECONDS:
                raise RuntimeError(f"the source has not caught up with {venture} after {CAUGHT_UP_SECONDS:g} s")
            await asyncio.sleep(AGAIN_SECONDS)
    found.caught_up_seconds = time.monotonic() - began
    ventures = [venture for venture, _ in await sizes(database, model)]
    found.ventures = len(ventures)
    for venture in ventures:
        found.different += len([one async for one in differing(database, model, index, source, venture)])
        found.twice += await _held_twice(index, source, venture)
        async with database.reading(venture) as scope:
            row = await scope.one(TITLES)
        found.twice += 0 if row is None else row[0] - row[1]
        kept = set(writing.kept.get(venture, ()))
        points = [
            point for point in await vectors_of(database, model, venture, most=MOST_POINTS) if point.source in kept
        ]
        there = {point.source for point in points if await _found(index, source, venture, point)}
        found.missing += len(kept - there)


async def _has(
    opened: Platform, index: RoutedIndex, model: str, source: str, venture: UUID, items: Sequence[UUID]
) -> bool:
    """Whether every item was embedded, and the source is where the table is."""
    async with opened.database.reading(venture) as scope:
        row = await scope.one(EMBEDDED, model=model, items=[str(one) for one in items])
    if row is None or row[0] < len(items):
        return False
    reached = await reach(opened.database, model, index, source, venture)
    return reached.position >= reached.head


async def _held_twice(index: RoutedIndex, source: str, venture: UUID) -> int:
    ids: list[UUID] = []
    while True:
        page = await index.held(source, venture, after=ids[-1] if ids else None, limit=PAGE)
        ids += [one.id for one in page.held]
        if len(page.held) < PAGE:
            return len(ids) - len(set(ids))


async def _found(index: RoutedIndex, source: str, venture: UUID, point: Point) -> bool:
    """Whether the store finds the point by its own vector among those of its item."""
    for _ in range(TRIES):
        try:
            answer = await index.search(
                Route(source), venture, Kind.CONTENT, point.vector, limit=10, only=Only(sources=(point.source,))
            )
        except (IndexUnavailable, Unavailable):
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        return any(match.id == point.id for match in answer.matches)
    return False
