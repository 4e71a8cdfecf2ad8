"""At how many users each layout of the vector index gives out: the triggers of rewrite 1, one after the other.

    python -m benchmarks scale

The population: 20 passages a user, three ventures for four users with sizes as rank to the power −.8, one request in 30
seconds a user, 5 % of them searches. So N users ask N/600 searches a second over 20 N passages, each search in one
venture, drawn by its size, for as many passages as the platform asks for.

Each layout has an index process of its own, filled directly and asked over its socket as the platform does. Steps of
users, the same for all; where a layout nears its wall, steps of its own around it. At each step searches leave when
they are due (Poisson), whether or not those before are answered, and are timed from when they were due. Who asks waits
60 s; the platform gives up after .15 s and asks PostgreSQL.

With `--keep FILE` finished layouts are put into the file, and taken from it where they are not among `--layouts`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import uvloop

from benchmarks.platform import scale_index
from benchmarks.platform.running import database, durability, python
from benchmarks.platform.scale_index import PASSAGES_EACH, Vectors, near, sizes_of
from benchmarks.platform.scale_report import fell_behind, processor_time, write
from benchmarks.platform.vectors import DIMENSION, SEED, _venture
from ventures.database.pool import opened as opened_database
from ventures.errors import Unavailable
from ventures.search.exact import PgvectorStore
from ventures.search.searching import DEPTH
from ventures.vectors.api import Kind, Remote

LAYOUTS = ("shared", "tuned", "buckets", "per-venture", "pgvector")
STEPS = (1_000, 4_000, 16_000, 50_000)
MOST = {"per-venture": 8_000}
"""A layout's own most users: of per-venture's shards each takes 3 ms to make, even as a copy."""
AROUND = (0.9, 1.05, 1.2, 1.4, 1.7, 2.0)
"""Of the users at which a layout would be asked as much as it can answer: its own steps."""
SECONDS_BETWEEN = 600.0
"""Between a user's searches: one request in 30 s, one search in 20 requests."""
PATIENCE_SECONDS = 60.0
UNUSABLE_SECONDS = 15.0
MOST_BYTES = 10e9
FEWEST, SHORTEST_SECONDS, LONGEST_SECONDS = 100, 5.0, 20.0
BUSY = 0.6
"""Of an index's time taken by searches: from here on it is asked for the longest."""
IDLE, IDLE_PER_SECOND = 0.15, 20.0
"""Few users are asked for more often than they ask, while the index is taken up no more than this."""
ALONE, WARM, WARM_SECONDS = 30, 1_024, 15.0


@dataclass(frozen=True)
class Step:
    """What one layout did for so many users. Times in seconds.

    asked_per_second: what was asked; `users / 600` or more (see `IDLE`). alone: of searches one at a time, mean. late:
    how long after the last search was due all were answered. busy: processor seconds a second. own_bytes: of the
    resident, without pages of files; None for PostgreSQL's processes, whose resident is their proportional share.
    filled_with: layouts filled at once, this one among them.
    """

    users: int
    asked_per_second: float
    searches: int
    seconds: float
    p50: float
    p95: float
    p99: float
    alone: float
    late: float
    busy: float
    resident_bytes: float
    own_bytes: float | None
    disk_bytes: float
    fill_seconds: float
    filled_with: int


@dataclass
class Running:
    """A layout that is there: how it is filled (→ bytes on disk) and asked, and which processes it is made of."""

    fill: Callable[[int], Awaitable[float]]
    search: Callable[[int, Vectors], Awaitable[object]]
    processes: Callable[[], Sequence[psutil.Process]]


def main(arguments: list[str]) -> None:
    """Measures the layouts, writes the report and ramps; `child` arguments are for the processes it starts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scale")
    parser.add_argument("--layouts", default=",".join(LAYOUTS))
    parser.add_argument("--users", type=int, default=STEPS[-1], help="the most")
    parser.add_argument("--seconds", type=float, default=455.0, help="no step begins that would end later")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--no-report", action="store_true")
    parser.add_argument("--child", nargs=2, metavar=("LAYOUT", "PLACE"))
    options = parser.parse_args(arguments)
    if options.child:
        uvloop.run(scale_index.hold(*options.child))
        return
    found: dict[str, Any] = json.loads(options.keep.read_text()) if options.keep and options.keep.exists() else {}
    found |= {layout: {"steps": [], "ended": "", "facts": {}} for layout in options.layouts.split(",")}

    def keep() -> None:
        if options.keep:
            options.keep.write_text(json.dumps(found))

    wanted = {layout: found[layout] for layout in options.layouts.split(",")}
    uvloop.run(_measure(wanted, options.users, time.monotonic() + options.seconds, keep))
    keep()
    if not options.no_report:
        write({layout: found[layout] for layout in LAYOUTS if layout in found}, SECONDS_BETWEEN, PASSAGES_EACH)


async def _measure(found: dict[str, Any], most: int, until: float, keep: Callable[[], None]) -> None:
    """Puts into each layout its steps, why it ended, when it was measured, and facts of its database."""
    async with AsyncExitStack() as stack:
        place = stack.enter_context(
            TemporaryDirectory(prefix="ventures-bench-", dir=os.environ.get("VENTURES_BENCH_DIR"))
        )
        running = {}
        for layout in found:
            found[layout]["at"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            running[layout] = await stack.enter_async_context(
                _table(found[layout]["facts"]) if layout == "pgvector" else _index(layout, Path(place) / layout)
            )
        due = {layout: _next([], most) for layout in found}
        while due:
            users = min(due.values())
            _in_time({layout for layout in due if due[layout] == users}, users, until, due, found)
            group = [layout for layout in due if due[layout] == users]
            filled = await asyncio.gather(*(_filled(running[layout], users) for layout in group))
            for layout, (disk, took) in zip(group, filled, strict=True):
                step = await _step(running[layout], users, disk, took, len(group))
                print(f"  {layout}: {json.dumps(asdict(step))}", flush=True)
                steps = [*(Step(**one) for one in found[layout]["steps"]), step]
                found[layout]["steps"].append(asdict(step))
                due.pop(layout)
                if step.p95 > UNUSABLE_SECONDS:
                    found[layout]["ended"] = "unusable"
                elif step.resident_bytes > MOST_BYTES:
                    found[layout]["ended"] = "memory"
                elif users >= min(most, MOST.get(layout, most)):
                    found[layout]["ended"] = "not reached"
                else:
                    due[layout] = _next(steps, min(most, MOST.get(layout, most)))
                keep()


def _next(steps: Sequence[Step], most: int) -> int:
    """The users of the next step: of those for all, or of the layout's own around where it would be taken up wholly."""
    last = steps[-1].users if steps else 0
    wall = _wall(steps)
    near_wall = {int(round(wall * part, -2)) for part in AROUND} if wall < 1.4 * most else set()
    steps_for_all = {one for one in STEPS if one <= 1.05 * wall} | {most}
    return min(min((one for one in steps_for_all | near_wall if one > 1.08 * last), default=most), most)


def _wall(steps: Sequence[Step]) -> float:
    """Users whose searches take up all of the index's time: share of time as a power of users, from two steps apart."""
    taken = [(one.users, _taken(one)) for one in steps]
    if len(taken) < 2:
        return float("inf")
    (users, share), (before, share_before) = taken[-1], taken[0]
    power = np.clip(np.log(share / share_before) / np.log(users / before), 1.0, 2.5)
    return float(users * share ** (-1 / power))


def _taken(step: Step) -> float:
    """Of a processor: what its users' searches take; where it fell behind, what was due to what was done."""
    if fell_behind(asdict(step)):
        return (step.seconds + step.late) / step.seconds
    return step.users / SECONDS_BETWEEN * processor_time(asdict(step))


def _in_time(group: set[str], users: int, until: float, due: dict[str, int], found: dict[str, Any]) -> None:
    """Gives up the layout that fills slowest, until what is left ends in time."""
    while group:
        takes = {layout: _takes(found[layout]["steps"], users, len(group)) for layout in group}
        filling, asking = max(fill for fill, _ in takes.values()), sum(ask for _, ask in takes.values())
        if time.monotonic() + filling + asking < until:
            return
        slowest = max(group, key=lambda layout: sum(takes[layout]))
        group.discard(slowest)
        due.pop(slowest)
        found[slowest]["ended"] = "out of time"
        print(f"  {slowest}: no time is left for {users:,} users", flush=True)


def _takes(steps: Sequence[dict[str, Any]], users: int, filled_with: int) -> tuple[float, float]:
    """Seconds to fill and to ask, from the last step; fills of several layouts share the processors."""
    if not steps:
        return 0.0, 0.0
    last, cores = steps[-1], os.cpu_count() or 1
    added = last["users"] - (steps[-2]["users"] if len(steps) > 1 else 0)
    share = max(1.0, filled_with / cores) / max(1.0, last["filled_with"] / cores)
    falls_behind = users / SECONDS_BETWEEN * last["alone"] > BUSY
    return last["fill_seconds"] / added * (
        users - last["users"]
    ) * share, LONGEST_SECONDS * 1.5 if falls_behind else 8.0


@asynccontextmanager
async def _index(layout: str, place: Path) -> AsyncIterator[Running]:
    """Its process, its socket in the folder `place`. per-venture is filled by a process that only does that."""
    place.mkdir()
    child, remote = await _started(layout, str(place)), Remote(place, 1, deadline_seconds=PATIENCE_SECONDS)

    async def fill(users: int) -> float:
        nonlocal child, remote
        if layout != "per-venture":
            return float((await _told(child, users))["disk_bytes"])
        await remote.close()
        await _killed(child)
        child = await _started(layout, str(place))
        disk = float((await _told(child, users))["disk_bytes"])
        await _ended(child)
        child, remote = await _started(layout, str(place)), Remote(place, 1, deadline_seconds=PATIENCE_SECONDS)
        return disk

    async def search(venture: int, vector: Vectors) -> object:
        return await remote.search(layout, _venture(venture), Kind.CONTENT, vector, limit=DEPTH)

    try:
        yield Running(fill, search, lambda: [psutil.Process(child.pid)])
    finally:
        await remote.close()
        await _killed(child)


@asynccontextmanager
async def _table(facts: dict[str, str]) -> AsyncIterator[Running]:
    """A PostgreSQL as the platform starts it, asked as an API process asks it; another process fills its table."""
    with database() as addresses:
        facts |= durability(addresses)
        child = await _started("pgvector", addresses.owner)
        async with opened_database(addresses.app) as pool:
            store = PgvectorStore(pool, scale_index.MODEL, DIMENSION)
            async with pool.scanning() as scope:
                row = await scope.one("SELECT pg_backend_pid()")
            server = psutil.Process(row[0]).parent() if row else None

            async def fill(users: int) -> float:
                return float((await _told(child, users))["disk_bytes"])

            async def search(venture: int, vector: Vectors) -> object:
                return await store.search(_venture(venture), Kind.CONTENT, vector, limit=DEPTH)

            try:
                yield Running(fill, search, lambda: [server, *server.children()] if server else [])
            finally:
                await _ended(child)


async def _started(layout: str, place: str) -> asyncio.subprocess.Process:
    child = await asyncio.create_subprocess_exec(
        *python("-m", "benchmarks", "scale", "--child", layout, place),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    await _said(child)
    return child


async def _told(child: asyncio.subprocess.Process, users: int) -> dict[str, Any]:
    assert child.stdin is not None
    child.stdin.write(json.dumps({"users": users}).encode() + b"\n")
    return await _said(child)


async def _said(child: asyncio.subprocess.Process) -> dict[str, Any]:
    assert child.stdout is not None
    while line := await child.stdout.readline():
        if line.startswith(b"{"):
            answer: dict[str, Any] = json.loads(line)
            return answer
    raise RuntimeError("an index process ended")


async def _killed(child: asyncio.subprocess.Process) -> None:
    """What it holds is thrown away, or was flushed; to close 1,024 shards would take long."""
    if child.returncode is None:
        child.kill()
    await child.wait()


async def _ended(child: asyncio.subprocess.Process) -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        await asyncio.wait_for(child.wait(), 30)
    except TimeoutError:
        child.kill()
        await child.wait()


async def _filled(layout: Running, users: int) -> tuple[float, float]:
    began = time.monotonic()
    return await layout.fill(users), time.monotonic() - began


async def _step(layout: Running, users: int, disk: float, fill_seconds: float, filled_with: int) -> Step:
    random, sizes = np.random.default_rng((SEED, users)), sizes_of(users)
    share = sizes / sizes.sum()
    asked = random.choice(len(sizes), min(WARM, len(sizes)), replace=False, p=share)[::-1]
    until = time.monotonic() + WARM_SECONDS
    for venture in asked.tolist():
        await layout.search(venture, near(random, venture, 1)[0])
        if time.monotonic() > until:
            break
    drawn = random.choice(len(sizes), ALONE, p=share).tolist()
    queries = [(venture, near(random, venture, 1)[0]) for venture in drawn]
    one_by_one = []
    for venture, vector in queries:
        began = time.perf_counter()
        await layout.search(venture, vector)
        one_by_one.append(time.perf_counter() - began)
    alone = float(np.mean(one_by_one))
    rate = max(users / SECONDS_BETWEEN, min(IDLE_PER_SECOND, IDLE / float(np.median(one_by_one))))
    seconds = (
        LONGEST_SECONDS if rate * alone > BUSY else float(np.clip(FEWEST / rate, SHORTEST_SECONDS, LONGEST_SECONDS))
    )
    due = np.cumsum(random.exponential(1 / rate, max(int(rate * seconds), 10)))
    ventures = random.choice(len(sizes), len(due), p=share).tolist()
    queries = [(venture, near(random, venture, 1)[0]) for venture in ventures]
    used = _processor_seconds(layout)
    times = await _open_loop(layout.search, queries, due)
    used = _processor_seconds(layout) - used
    late = float(np.max(due + times) - due[-1])
    p50, p95, p99 = (float(one) for one in np.quantile(times, (0.5, 0.95, 0.99)))
    resident, own = _memory(layout)
    return Step(
        users=users, asked_per_second=rate, searches=len(due), seconds=float(due[-1]), p50=p50, p95=p95, p99=p99,
        alone=alone, late=late, busy=used / (due[-1] + late), resident_bytes=resident, own_bytes=own, disk_bytes=disk,
        fill_seconds=fill_seconds, filled_with=filled_with,
    )  # fmt: skip


async def _open_loop(
    search: Callable[[int, Vectors], Awaitable[object]],
    queries: Sequence[tuple[int, Vectors]],
    due: np.ndarray[Any, np.dtype[np.float64]],
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Seconds from when each search was due to its answer; the patience where there was none."""
    times = np.full(len(due), PATIENCE_SECONDS)
    began = time.perf_counter() + 0.05

    async def one(number: int) -> None:
        try:
            await search(*queries[number])
        except Unavailable:
            return
        times[number] = time.perf_counter() - began - due[number]

    async with asyncio.TaskGroup() as asking:
        for number, at in enumerate(due.tolist()):
            while (wait := began + at - time.perf_counter()) > 0:
                await asyncio.sleep(wait - 0.002 if wait > 0.004 else 0)  # timers are a millisecond late
            asking.create_task(one(number))
    return times


def _processor_seconds(layout: Running) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in layout.processes())


def _memory(layout: Running) -> tuple[float, float | None]:
    processes = layout.processes()
    if len(processes) > 1:
        return float(sum(one.memory_full_info().pss for one in processes)), None
    found = processes[0].memory_info()
    return float(found.rss), float(found.rss - found.shared)
