"""How long after an event was appended all consumers have made of it what they make, at 500 events a second.

    python -m benchmarks consumer-lag

One process appends at a fixed rate to 100 ventures in turn (open loop: an append that is due is started, whether or
not the ones before are done); another runs all of the platform's consumers as a worker does. An event's lag runs
from the time it bears, which is before its commit, to the commit that keeps what the consumers made of it and moves
their positions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import uvloop

from benchmarks.platform.running import database, durability, python, settings
from benchmarks.report import Report, Table, Target, write_report
from ventures.content.api import DraftItem
from ventures.identifiers import new_id
from ventures.log.api import Actor, Consumer, Runner, Step
from ventures.tenancy.api import FoundVenture
from ventures.wiring import open_platform
from ventures.workers.process import turns_at_once

VENTURES = 100
WANTED_P99_MS = 100.0


def main(arguments: list[str]) -> None:
    """Runs the rates and writes the report; `child` arguments are for the processes it starts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks consumer-lag")
    parser.add_argument("--rates", type=int, nargs="+", default=[100, 250, 500, 750])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--child", nargs=3, metavar=("KIND", "ADDRESS", "RATE"))
    options = parser.parse_args(arguments)
    if options.child:
        kind, address, rate = options.child
        work = {"append": _append, "consume": _consume}[kind]
        print(json.dumps(uvloop.run(work(address, int(rate), options.seconds))))
        return
    rows, p99, facts = [], {}, {}
    for rate in options.rates:
        with database() as addresses:
            facts = durability(addresses)
            consuming, appending = (
                subprocess.Popen(
                    python("-m", "benchmarks", "consumer-lag", "--seconds", str(options.seconds),
                           "--child", kind, addresses.app, str(rate)),
                    stdout=subprocess.PIPE, text=True,
                ) for kind in ("consume", "append")
            )  # fmt: skip
            appended, consumed = (_said(child) for child in (appending, consuming))
        p99[rate] = consumed["p99_ms"]
        rows.append(
            (rate, round(appended["per_second"]), consumed["events"], consumed["p50_ms"], consumed["p99_ms"],
             consumed["max_ms"], round(appended["cpu"], 2), round(consumed["cpu"], 2))
        )  # fmt: skip
        print(f"  {rate}/s: p50 {consumed['p50_ms']:.1f} ms, p99 {consumed['p99_ms']:.1f} ms", flush=True)
    names = json.dumps(consumed["consumers"])
    write_report(
        Report(
            name="consumer-lag",
            title="From append to all consumers",
            command=f"python -m benchmarks consumer-lag --seconds {options.seconds:g}",
            tables=(
                Table(
                    "Lag of an event",
                    (
                        "asked events/s",
                        "appended/s",
                        "events",
                        "p50 ms",
                        "p99 ms",
                        "most ms",
                        "cores appending",
                        "cores consuming",
                    ),
                    tuple(rows),
                    (f"Consumers: {names}. {VENTURES} ventures, {options.seconds:g} s after 3 s of warming up.",),
                ),
            ),
            targets=(Target("p99 ms at 500 events/s", p99.get(500), high=WANTED_P99_MS),),
            facts=facts,
            packages=("psycopg", "uvloop"),
        )
    )


def _said(child: subprocess.Popen) -> dict:
    said, _ = child.communicate(timeout=600)
    if child.returncode:
        raise RuntimeError(f"a process of the benchmark ended with {child.returncode}")
    return json.loads(next(line for line in said.splitlines() if line.startswith("{")))


async def _append(address: str, rate: int, seconds: float) -> dict[str, float]:
    actor = Actor(account=new_id())
    addresses = SimpleNamespace(app=address, owner=address)
    async with open_platform(settings(addresses, VENTURES_DATABASE_CONNECTIONS="6"), address) as platform:
        logs = [new_id() for _ in range(VENTURES)]
        for number, venture in enumerate(logs):
            await platform.spine.append(venture, FoundVenture(name=f"V{number}", display_name="Anna"), actor=actor)
        await asyncio.sleep(2)
        tasks, began, used = set(), time.perf_counter(), time.process_time()
        total = int(rate * (seconds + 3))
        for number in range(total):
            due = began + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            command = DraftItem(title=f"Item {number}", body="text " * 50)
            task = asyncio.create_task(platform.spine.append(logs[number % VENTURES], command, actor=actor))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        elapsed = time.perf_counter() - began
        return {"per_second": total / elapsed, "cpu": (time.process_time() - used) / elapsed}


async def _consume(address: str, rate: int, seconds: float) -> dict[str, object]:
    addresses = SimpleNamespace(app=address, owner=address)
    lags: list[tuple[datetime, float]] = []

    def turned(_: Consumer | None, done: Step) -> None:
        now = datetime.now(UTC)
        lags.extend((at, (now - at).total_seconds() * 1000) for at in done.appended_at)

    async with open_platform(settings(addresses), address) as platform:
        runner = Runner(
            platform.database,
            platform.registry,
            platform.consumers,
            now=platform.now,
            at_once=turns_at_once(platform),
            turned=turned,
        )
        stop, used, began = asyncio.Event(), time.process_time(), time.perf_counter()
        running = asyncio.create_task(runner.run(stop))
        while len(lags) < rate * (seconds + 3) and time.perf_counter() - began < seconds * 4 + 60:
            await asyncio.sleep(0.5)
        elapsed, used = time.perf_counter() - began, time.process_time() - used
        stop.set()
        await running
        names = [consumer.name for consumer in platform.consumers]
    first = min(at for at, _ in lags).timestamp() + 3 + 2
    counted = sorted(lag for at, lag in lags if at.timestamp() >= first)
    return {
        "events": len(counted),
        "p50_ms": round(counted[len(counted) // 2], 1),
        "p99_ms": round(counted[int(len(counted) * 0.99)], 1),
        "max_ms": round(counted[-1], 1),
        "cpu": used / elapsed,
        "consumers": names,
    }
