"""An open-loop load generator: ``python -m outgrow.demo.load --url URL --rates 10,20,40 --seconds 6 --report FILE``.

Requests leave on a schedule made beforehand, whether or not earlier ones were answered, and each is timed from the
moment it was meant to leave: a stalled server delays every request that would have come meanwhile, as it would delay
people. With ``--burst`` it instead keeps a few clients busy (closed loop), to find out how much can be served at all.
Loopback addresses only. It ends when its schedule does, or with its parent.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import ipaddress
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import numpy as np

from outgrow.errors import UsageError
from outgrow.signals.series import FloatArray

Gaps = Literal["exponential", "uniform"]
MOST_IN_FLIGHT = 400
TIMEOUT_SECONDS = 10.0
# A step tells about the service as long as the generator's own delay is a small part of what it reports.
LAG_RATIO, LAG_SECONDS = 0.25, 0.003
MOST_DROPPED_RATIO = 0.01
LEAST_REQUESTS = 150  # below that a 95th percentile rests on fewer than eight requests
CSV_COLUMNS = ("load_per_second", "p50_seconds", "p95_seconds", "p99_seconds")
QUERIES = ("badego lamo", "kumora tuve", "sofide rabagu", "nepila gotume", "veraso lafiku")


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go: a loopback address and a path."""

    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of the ramp gave.

    Attributes:
        load_per_second: requests that were meant to leave, a second.
        sent, completed: requests that left, and those answered with 200 in time.
        dropped: those that could not leave (too many in flight), failed, or took longer than ``TIMEOUT_SECONDS``.
        p50_seconds, p95_seconds, p99_seconds: from intended start to answer; a dropped one counts as the time limit.
        generator_lag_seconds: 95th percentile of how much later than intended requests left.
        unfit: why the step says little about the service; empty where it is fit.
    """

    load_per_second: float
    sent: int
    completed: int
    dropped: int
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    generator_lag_seconds: float
    unfit: str


def parse_target(url: str) -> Target:
    """The target in ``url``.

    Raises:
        UsageError: it is not plain HTTP to a loopback address.
    """
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    try:
        allowed = parts.scheme == "http" and ipaddress.ip_address(host).is_loopback and parts.port is not None
    except ValueError:
        allowed = False
    if not allowed or parts.port is None:
        raise UsageError(
            f"{url}: load is only sent to this machine", next_step="write http://127.0.0.1:PORT/search, with a port"
        )
    return Target(host, parts.port, parts.path or "/")


def departures(rate: float, seconds: float, gaps: Gaps, random: np.random.Generator) -> FloatArray:
    """When requests leave, in seconds from the start of a step: shape (rate × seconds,), rising.

    ``exponential``: a Poisson process, conditioned on its count so that the offered load is exactly ``rate``
    (the order statistics of uniform draws). ``uniform``: evenly spaced.
    """
    count = max(1, round(rate * seconds))
    if gaps == "uniform":
        return (np.arange(count, dtype=np.float64) + 0.5) * (seconds / count)
    return np.sort(random.uniform(0.0, seconds, count))


def step_seconds(rate: float, seconds: float) -> float:
    """How long a step lasts: ``seconds``, up to twice that until ``LEAST_REQUESTS`` were sent."""
    return min(max(seconds, LEAST_REQUESTS / rate), 2 * seconds)


@dataclass(slots=True)
class Client:
    """Sends requests over connections that it keeps open; each is used by one request at a time."""

    target: Target
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)
    sent: int = 0

    async def get(self, query: str) -> bool:
        """One request; whether it was answered with 200."""
        reader, writer = (
            self.idle.pop() if self.idle else await asyncio.open_connection(self.target.host, self.target.port)
        )
        try:
            self.sent += 1
            line = f"GET {self.target.path}?q={query.replace(' ', '+')} HTTP/1.1\r\nHost: {self.target.host}\r\n\r\n"
            writer.write(line.encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
        except BaseException:
            writer.close()
            raise
        self.idle.append((reader, writer))
        return head.startswith(b"http/1.1 200")

    def close(self) -> None:
        """Close what is idle."""
        for _, writer in self.idle:
            writer.close()
        self.idle.clear()


async def run_step(
    target: Target, offsets: FloatArray, seconds: float, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> Step:
    """Send one step's requests on time and wait until each is answered or given up.

    Args:
        target: where to. offsets: when each leaves, seconds from the start, rising. seconds: length of the step.
        timeout_seconds: an answer later than this after its intended start counts as dropped.
    """
    client = Client(target)
    latencies = np.full(offsets.size, np.inf)
    lags = np.zeros(offsets.size)
    running: set[asyncio.Task[None]] = set()
    start = time.perf_counter() + 0.05

    async def one(number: int, intended: float) -> None:
        try:
            async with asyncio.timeout(intended + timeout_seconds - time.perf_counter()):
                answered = await client.get(QUERIES[number % len(QUERIES)])
        except (TimeoutError, OSError, asyncio.IncompleteReadError, ValueError):
            return
        if answered:
            latencies[number] = time.perf_counter() - intended

    for number, offset in enumerate(offsets.tolist()):
        intended = start + offset
        wait = intended - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        lags[number] = max(0.0, time.perf_counter() - intended)
        if len(running) < MOST_IN_FLIGHT:
            task = asyncio.create_task(one(number, intended))
            running.add(task)
            task.add_done_callback(running.discard)
    if running:
        await asyncio.wait(running)
    client.close()
    return _step(latencies, float(np.quantile(lags, 0.95)), client.sent, seconds, timeout_seconds)


def _step(latencies: FloatArray, lag: float, sent: int, seconds: float, timeout_seconds: float) -> Step:
    dropped = int(np.isinf(latencies).sum())
    p50, p95, p99 = np.quantile(np.minimum(latencies, timeout_seconds), [0.5, 0.95, 0.99]).tolist()
    unfit = ""
    if dropped > MOST_DROPPED_RATIO * latencies.size:
        unfit = f"{dropped} of {latencies.size} requests were dropped: the quantiles are lower bounds"
    elif lag > max(LAG_RATIO * p95, LAG_SECONDS):
        unfit = f"the generator itself was {lag * 1000:.0f} ms late: this machine had no time for it"
    offered = latencies.size / seconds
    return Step(offered, sent, latencies.size - dropped, dropped, p50, p95, p99, lag, unfit)


async def run_burst(target: Target, seconds: float, clients: int) -> float:
    """Answers a second when ``clients`` ask one after the other for ``seconds``: about what can be served at all.

    The first quarter is not counted.
    """
    client = Client(target)
    start = time.perf_counter()
    counted = 0

    async def ask(first: int) -> None:
        nonlocal counted
        number = first
        while time.perf_counter() < start + seconds:
            answered = await client.get(QUERIES[number % len(QUERIES)])
            number += 1
            if answered and start + seconds / 4 <= time.perf_counter() < start + seconds:
                counted += 1

    await asyncio.gather(*(ask(first) for first in range(clients)))
    client.close()
    return counted / (0.75 * seconds)


def write_csv(steps: Sequence[Step], path: Path) -> None:
    """The fit steps as a ramp: one row each, load first, then quantiles in seconds."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for step in sorted((step for step in steps if not step.unfit), key=lambda step: step.load_per_second):
            quantiles = (step.p50_seconds, step.p95_seconds, step.p99_seconds)
            writer.writerow([f"{step.load_per_second:.6g}", *(f"{value:.6f}" for value in quantiles)])


async def _run(chosen: argparse.Namespace) -> None:
    target = parse_target(chosen.url)
    report: dict[str, object] = {"schema": "outgrow/demo-load/v1", "loop": "open", "steps": []}
    if chosen.burst:
        report = {"schema": "outgrow/demo-load/v1", "loop": "closed", "clients": chosen.clients}
        report["served_per_second"] = await run_burst(target, chosen.burst, chosen.clients)
    steps: list[Step] = []
    random = np.random.default_rng(chosen.seed)
    for rate in chosen.rates:
        seconds = step_seconds(rate, chosen.seconds)
        steps.append(await run_step(target, departures(rate, seconds, chosen.gaps, random), seconds))
        print(json.dumps(asdict(steps[-1])), flush=True)
        report["steps"] = [asdict(step) for step in steps]
    chosen.report.write_text(json.dumps(report, indent=1) + "\n")
    if chosen.csv is not None:
        write_csv(steps, chosen.csv)


async def _with_parent(chosen: argparse.Namespace) -> None:
    """Run, and end early when the parent process is gone."""
    work = asyncio.create_task(_run(chosen))
    while not work.done() and os.getppid() == chosen.parent:
        await asyncio.wait({work}, timeout=0.5)
    if not work.done():
        work.cancel()
        raise SystemExit(3)
    await work


def main() -> None:
    """Entry point of ``python -m outgrow.demo.load``: one line of JSON a finished step, then the report."""
    parser = argparse.ArgumentParser(prog="python -m outgrow.demo.load", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--rates", type=_rates, default=(), help="requests a second of each step: 10,20,40")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of a step")
    parser.add_argument("--gaps", choices=("exponential", "uniform"), default="exponential")
    parser.add_argument("--burst", type=float, default=0.0, help="seconds of closed-loop load")
    parser.add_argument("--clients", type=int, default=4, help="clients of the burst")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--csv", type=Path, help="where to write the ramp")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="the process with which it ends")
    chosen = parser.parse_args()
    try:
        asyncio.run(_with_parent(chosen))
    except UsageError as error:
        print(f"{error.message}; {error.next_step}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        print(f"{chosen.url} does not answer: {error}", file=sys.stderr)
        raise SystemExit(3) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        rates = ()
    if not rates or min(rates) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of rates; write for example 10,20,40")
    return rates


if __name__ == "__main__":
    main()
