"""How many commands a second one process appends, with the log, the state and the hash chain, and fsync on.

    python -m benchmarks append

A command drafts a content item: its venture's head is locked, membership and permission are looked up, item and
version are written, the event is chained and appended, and the transaction is committed to disk. 32 writers spread
over 64 ventures. Arrangements, interleaved over rounds: everything (PostgreSQL too) on one core; the appending
process on one core and PostgreSQL on the other; 16 writers on one venture, whose commits must follow each other.
Peer in the same run: the same transaction by hand (lock the head, insert item, version and event, move the head)
with psycopg, on one core each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import time
from hashlib import sha256
from uuid import UUID

import psycopg
import uvloop

from benchmarks.platform.running import database, durability, on_cores, python, settings
from benchmarks.report import Report, Table, Target, write_report
from ventures.content.api import DraftItem
from ventures.identifiers import new_id
from ventures.log.api import Actor
from ventures.tenancy.api import FoundVenture
from ventures.wiring import open_platform

WANTED_PER_SECOND = 1500.0
BODY = "A paragraph as people write it, of about three hundred characters. " * 5


def main(arguments: list[str]) -> None:
    """Runs all rounds and writes the report; `child` arguments are for the processes it starts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--child", nargs=4, metavar=("ADDRESS", "KIND", "VENTURES", "WRITERS"))
    options = parser.parse_args(arguments)
    if options.child:
        address, kind, ventures, writers = options.child
        measured = {"spine": _spine, "by-hand": _by_hand}[kind](address, int(ventures), int(writers), options.seconds)
        print(json.dumps(uvloop.run(measured)))
        return
    _run(options.rounds, options.seconds)


ARRANGEMENTS = (
    # name, what appends, cores of PostgreSQL, of the process, ventures, writers
    ("all on one core", "spine", {0}, {0}, 64, 32),
    ("by hand, all on one core", "by-hand", {0}, {0}, 64, 32),
    ("process on one core, PostgreSQL on the other", "spine", {1}, {0}, 64, 32),
    ("by hand, PostgreSQL on the other core", "by-hand", {1}, {0}, 64, 32),
    ("one venture, process and PostgreSQL apart", "spine", {1}, {0}, 1, 16),
)


def _run(rounds: int, seconds: float) -> None:
    per_second: dict[str, list[float]] = {name: [] for name, *_ in ARRANGEMENTS}
    cpu: dict[str, list[float]] = {name: [] for name, *_ in ARRANGEMENTS}
    p99: dict[str, list[float]] = {name: [] for name, *_ in ARRANGEMENTS}
    facts: dict[str, str] = {}
    for _ in range(rounds):
        for name, kind, server_cores, cores, ventures, writers in ARRANGEMENTS:
            with database(server_cores) as addresses:
                facts = durability(addresses)
                with on_cores(cores):
                    said = subprocess.run(
                        python(
                            "-m", "benchmarks", "append", "--seconds", str(seconds),
                            "--child", addresses.app, kind, str(ventures), str(writers),
                        ),
                        check=True, capture_output=True, text=True,
                    ).stdout  # fmt: skip
            found = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
            per_second[name].append(found["per_second"])
            cpu[name].append(found["cpu_us"])
            p99[name].append(found["p99_ms"])
            print(f"  {name}: {found['per_second']:.0f}/s", flush=True)
    middle = {name: statistics.median(found) for name, found in per_second.items()}
    rows = tuple(
        (
            name,
            round(middle[name]),
            f"{min(found):.0f} – {max(found):.0f}",
            round(statistics.median(cpu[name])),
            round(statistics.median(p99[name]), 1),
        )
        for name, found in per_second.items()
    )
    apart = "process on one core, PostgreSQL on the other"
    write_report(
        Report(
            name="append",
            title="Commands appended a second, fsync on",
            command=f"python -m benchmarks append --rounds {rounds} --seconds {seconds:g}",
            tables=(
                Table(
                    "Drafted items",
                    ("arrangement", "commands/s, middle", "least – most", "CPU µs a command", "p99 ms"),
                    rows,
                    (
                        f"{rounds} rounds of {seconds:g} s each, interleaved, a new database each time.",
                        "CPU is the appending process's own; PostgreSQL's is not in it.",
                    ),
                ),
            ),
            targets=(
                Target(
                    "commands/s, the process on one core, PostgreSQL on the other", middle[apart], low=WANTED_PER_SECOND
                ),
                Target(
                    "commands/s, process and PostgreSQL together on one core",
                    middle["all on one core"],
                    low=WANTED_PER_SECOND,
                ),
                Target(
                    "what the spine costs over the same transaction by hand (ratio of rates, apart)",
                    middle[apart] / middle["by hand, PostgreSQL on the other core"],
                ),
            ),
            facts=facts,
            packages=("psycopg", "uvloop", "msgspec"),
        )
    )


async def _spine(address: str, ventures: int, writers: int, seconds: float) -> dict[str, float]:
    from types import SimpleNamespace

    actor = Actor(account=new_id())
    addresses = SimpleNamespace(app=address, owner=address)
    async with open_platform(settings(addresses, VENTURES_DATABASE_CONNECTIONS=str(writers)), address) as platform:
        logs = [new_id() for _ in range(ventures)]
        for number, venture in enumerate(logs):
            await platform.spine.append(venture, FoundVenture(name=f"V{number}", display_name="Anna"), actor=actor)

        async def append(number: int) -> None:
            command = DraftItem(title=f"Item {number}", body=BODY)
            await platform.spine.append(logs[number % ventures], command, actor=actor)

        return await _measured(append, writers, seconds)


async def _by_hand(address: str, ventures: int, writers: int, seconds: float) -> dict[str, float]:
    from psycopg_pool import AsyncConnectionPool

    async def configure(connection: psycopg.AsyncConnection) -> None:
        await connection.set_autocommit(True)

    logs, account = [new_id() for _ in range(ventures)], new_id()
    async with AsyncConnectionPool(
        address, min_size=writers, max_size=writers, open=False, configure=configure,
        kwargs={"options": "-c search_path=regional"},
    ) as pool:  # fmt: skip
        for venture in logs:
            async with pool.connection() as connection, connection.transaction():
                await connection.execute("SELECT set_config('ventures.venture', %s, true)", [str(venture)])
                await connection.execute("INSERT INTO log_head VALUES (%s, 1, 0, %s, now())", [venture, venture.bytes])
                await connection.execute(
                    "INSERT INTO profile (venture, name, zone, founded_by, founded_at, version) "
                    "VALUES (%s, 'V', 'UTC', %s, now(), 1)",
                    [venture, account],
                )

        async def append(number: int) -> None:
            venture, item = logs[number % ventures], new_id()
            async with pool.connection() as connection, connection.pipeline(), connection.transaction():
                await connection.execute("SELECT set_config('ventures.venture', %s, true)", [str(venture)])
                head = await connection.execute(
                    "SELECT seq, hash FROM log_head WHERE venture = %s FOR UPDATE", [venture]
                )
                seq, before = await head.fetchone()
                data = json.dumps({"entity": str(item), "title": f"Item {number}", "body": BODY})
                digest = sha256(before + data.encode()).digest()
                await _insert(connection, venture, item, account, seq + 1, data, digest)

        return await _measured(append, writers, seconds)


async def _insert(
    connection: psycopg.AsyncConnection, venture: UUID, item: UUID, account: UUID, seq: int, data: str, digest: bytes
) -> None:
    await connection.execute(
        "INSERT INTO item (venture, id, title, state, number, author, created_at, updated_at, version) "
        "VALUES (%s, %s, 'Item', 'draft', 1, %s, now(), now(), 1)",
        [venture, item, account],
    )
    await connection.execute(
        "INSERT INTO item_version (venture, item, number, title, body, author, at) "
        "VALUES (%s, %s, 1, 'Item', %s, %s, now())",
        [venture, item, BODY, account],
    )
    await connection.execute(
        "INSERT INTO event (venture, seq, epoch, type, entity, actor, at, batch, schema_version, data, hash) "
        "VALUES (%s, %s, 1, 'by_hand', %s, %s, now(), %s, 1, %s::json, %s)",
        [venture, seq, item, str(account), seq, data, digest],
    )
    await connection.execute(
        "UPDATE log_head SET seq = %s, hash = %s, moved_at = now() WHERE venture = %s", [seq, digest, venture]
    )


async def _measured(append, writers: int, seconds: float) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Closed loop: each writer appends as soon as its last command is acknowledged; a second of warming up first."""
    counter, latencies, stop = iter(range(10**9)), [], asyncio.Event()

    async def writer() -> None:
        while not stop.is_set():
            began = time.perf_counter()
            await append(next(counter))
            latencies.append(time.perf_counter() - began)

    tasks = [asyncio.create_task(writer()) for _ in range(writers)]
    await asyncio.sleep(1.0)
    latencies.clear()
    began, used = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    elapsed, used = time.perf_counter() - began, time.process_time() - used
    done = sorted(latencies)
    stop.set()
    await asyncio.gather(*tasks)
    return {
        "per_second": len(done) / elapsed,
        "cpu_us": used / len(done) * 1e6,
        "p99_ms": done[int(len(done) * 0.99)] * 1000,
        "pid": float(os.getpid()),
    }
