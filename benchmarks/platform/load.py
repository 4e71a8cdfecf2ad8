"""A population of 50,000 users on one installation: its index made anew, searches alone, and what it carries.

    python -m benchmarks load                  # makes the population first: about 20 minutes on two cores
    python -m benchmarks load --data FOLDER    # keeps it there, and goes on with what is there

20 passages of about 70 words a user, .75 ventures a user (Zipf .8), one request in 30 s each: 5 % searches, 10 %
writes, two fifths of the reads of an item by If-None-Match. `ventures serve` as it is by default, PostgreSQL with fsync
on, and the generator (open loop, timed from when a request was to leave), all on the machine's cores.

The ten minutes run at the most users that a ramp of one-minute steps carried: p99 ≤ 250 ms, nothing refused or dropped.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.platform.running import WORKING, processor_seconds
from benchmarks.report import Report, Table, Target, write_report
from ventures.testing.serving import Serving, serving

USERS = 50_000
P99_SECONDS = 0.25
SEARCHES_PER_SECOND = 100.0
SEARCH_P95_SECONDS = 0.015
REBUILD_SECONDS = 90.0
INDEX_BYTES = 2.5e9
RAMP = (0.1, 0.5, 9)
"""From which share of the users to which, in how many steps."""
LOOK_SECONDS = 0.5


def main(arguments: list[str]) -> None:
    """Runs all of it and writes the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks load")
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--data", type=Path, default=None, help="an installation's data folder, kept at the end")
    parser.add_argument("--search-seconds", type=float, default=120.0)
    parser.add_argument("--step-seconds", type=float, default=60.0)
    parser.add_argument("--seconds", type=float, default=600.0)
    options = parser.parse_args(arguments)
    with folder_of(options.data) as data:
        populate(data, options.users)
        shutil.rmtree(data / "index", ignore_errors=True)
        began = time.monotonic()
        with serving(data) as platform:
            rebuilt = rebuilt_of(platform, began)
            print(f"  index: {rebuilt}", flush=True)
            searches = loaded(
                platform, options.users, options.search_seconds, rate=SEARCHES_PER_SECOND / options.users, only="search"
            )
            print(f"  searches: {searches['whole']}", flush=True)
            first, last, count = RAMP
            ramp = f"{first * options.users:.0f}:{last * options.users:.0f}:{count}"
            steps = loaded(platform, options.users, count * options.step_seconds, ramp=ramp)["steps"]
            for step in steps:
                print(f"  {step['users']:.0f} users: {step['whole']}", flush=True)
            most = _carried(steps)
            long = None
            if most:
                long = loaded(platform, options.users, options.seconds, ramp=f"{most:.0f}:{most:.0f}:1")
                print(f"  {most:.0f} users: {long['whole']}", flush=True)
        _report(options, rebuilt, searches, steps, most, long)


@contextmanager
def folder_of(kept: Path | None) -> Iterator[Path]:
    made = TemporaryDirectory(prefix="ventures-bench-", dir=os.environ.get("VENTURES_BENCH_DIR"))
    with nullcontext(str(kept.parent)) if kept is not None else made as folder:
        if kept is None:
            Path(folder).chmod(0o711)  # the server's own account, where root runs this, passes through
        yield kept or Path(folder) / "data"


def populate(data: Path, users: int) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VENTURES_")}
    command = [sys.executable, "-m", "ventures.cli", "populate", "--users", str(users)]
    subprocess.run(command, env={**environment, "VENTURES_DATA": str(data)}, check=True, stdin=subprocess.DEVNULL)


def rebuilt_of(platform: Serving, began: float) -> dict[str, float]:
    """Until the index has every venture, and until it has made its parts small: seconds since `serve` was started."""
    full = None
    busy, points = _index_cpu(platform), 0.0
    while True:
        time.sleep(LOOK_SECONDS)
        metrics = _metrics(platform)
        behind, filled = (_sum(metrics, "ventures_index_ventures", f'state="{one}"') for one in ("behind", "filled"))
        if full is None and filled > 0 and behind == 0:
            full = time.monotonic() - began
        points = max(points, _sum(metrics, "ventures_index_points"))
        before, busy = busy, _index_cpu(platform)
        if full is not None and busy - before < 0.1 * LOOK_SECONDS:
            memory = [process.memory_info().rss for process in platform.processes("index")]
            return {
                "points": points,
                "filled_seconds": full,
                "compacted_seconds": time.monotonic() - began,
                "resident_bytes": float(sum(memory)),
            }


def _index_cpu(platform: Serving) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in platform.processes("index"))


def _metrics(platform: Serving) -> list[str]:
    import urllib.request

    with urllib.request.urlopen(f"{platform.url}/metrics", timeout=30) as answer:
        return [line for line in answer.read().decode().splitlines() if not line.startswith("#")]


def _sum(metrics: list[str], name: str, label: str = "") -> float:
    return sum(float(line.split()[-1]) for line in metrics if line.startswith(name + "{") and label in line)


def loaded(
    platform: Serving, users: int, seconds: float, *, rate: float = 1 / 30, only: str = "", ramp: str = ""
) -> dict[str, Any]:
    """A run's report, with `cpu`: seconds of each kind of process while it was sent."""
    report = platform.data / "load.json"
    command = [
        "load", "--users", str(users), "--seconds", str(seconds), "--rate-per-user", f"{rate:.9f}",
        "--report", str(report), *(["--only", only] if only else []), *(["--ramp", ramp] if ramp else []),
    ]  # fmt: skip
    samples: list[tuple[float, dict[str, float]]] = []
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(platform.ventures, *command)
        while not running.done():
            samples.append((time.time(), {kind: processor_seconds(platform, kind) for kind in WORKING}))
            time.sleep(1.0)
        done = running.result()
    if not report.exists():
        raise RuntimeError(f"ventures load ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(report.read_text())
    report.unlink()
    began = datetime.fromisoformat(found["began_at"]).timestamp()
    sent = [cpu for at, cpu in samples if began <= at <= began + seconds]
    return {**found, "cpu": {kind: sent[-1][kind] - sent[0][kind] for kind in WORKING}}


def _carried(steps: list[dict[str, Any]]) -> float | None:
    """The most users of a step that held, with all before it."""
    most = None
    for step in steps:
        if not _held(step):
            break
        most = step["users"]
    return most


def _held(step: dict[str, Any]) -> bool:
    p99 = step["whole"]["p99_seconds"]
    return p99 is not None and p99 <= P99_SECONDS and not step["errors"] and not step["dropped"]


def row_of(name: str, step: dict[str, Any]) -> tuple[str | float | int | None, ...]:
    whole = step["whole"]
    return (
        name,
        step["offered_per_second"],
        step["answered_per_second"],
        *(None if whole[key] is None else whole[key] * 1000 for key in ("p50_seconds", "p95_seconds", "p99_seconds")),
        whole["max_seconds"] * 1000,
        sum(step["errors"].values()),
        step["dropped"],
        step["generator_cpu"],
    )


def _used(name: str, found: dict[str, Any]) -> tuple[str | float, ...]:
    (step,) = found["steps"]
    return (name, *(found["cpu"][kind] / max(step["answered"], 1) * 1000 for kind in WORKING))


def _report(
    options: argparse.Namespace,
    rebuilt: dict[str, float],
    searches: dict[str, Any],
    steps: list[dict[str, Any]],
    most: float | None,
    long: dict[str, Any] | None,
) -> None:
    columns = (
        "users", "offered/s", "answered/s", "p50 ms", "p95 ms", "p99 ms", "most ms", "errors", "dropped",
        "generator, cores",
    )  # fmt: skip
    rows = [row_of(f"{step['users']:,.0f}", step) for step in steps]
    used = [_used("searches alone", searches)]
    if long is not None:
        rows.append(row_of(f"{most:,.0f}, {options.seconds / 60:.0f} minutes", long["steps"][0]))
        used.append(_used("what people do", long))
    accuracy = searches["accuracy"]
    search_p95 = searches["whole"]["p95_seconds"]
    held = long is not None and _held(long["steps"][0])
    write_report(
        Report(
            name="load",
            title="A population of 50,000 users on one installation",
            command="python -m benchmarks load",
            tables=(
                Table(
                    "The index, made anew from PostgreSQL",
                    ("points", "all ventures answered, s", "compacted too, s", "resident, GB"),
                    (
                        (
                            int(rebuilt["points"]),
                            rebuilt["filled_seconds"],
                            rebuilt["compacted_seconds"],
                            rebuilt["resident_bytes"] / 1e9,
                        ),
                    ),
                    ("Seconds since `ventures serve` was started.",),
                ),
                Table(
                    "Searches alone",
                    columns[1:],
                    (row_of("", searches["steps"][0])[1:],),
                    (
                        f"answered by {accuracy['answered_by']}; of the items that are about what was asked, "
                        f"{accuracy['relevant_ratio']:.1%} are among the first ten; "
                        f"{accuracy['foreign']} of other ventures",
                    ),
                ),
                Table(
                    "What people do",
                    columns,
                    tuple(rows),
                ),
                Table(
                    "Processor time of a request, ms",
                    ("", "API", "workers", "index", "PostgreSQL"),
                    tuple(used),
                    ("Two cores have 2,000 ms a second for all of it and the generator.",),
                ),
            ),
            targets=(
                Target("search through HTTP at 100/s, p95, s", search_p95, high=SEARCH_P95_SECONDS),
                Target("index made anew, s", rebuilt["compacted_seconds"], high=REBUILD_SECONDS),
                Target("index memory, GB", rebuilt["resident_bytes"] / 1e9, high=INDEX_BYTES / 1e9),
                Target(
                    f"users carried for {options.seconds / 60:.0f} minutes with p99 ≤ 250 ms and no errors",
                    most if held else None,
                    low=float(USERS),
                ),
            ),
            facts={"users": options.users, "passages a user": 20, "ventures": int(0.75 * options.users)},
            packages=("litestar", "uvicorn", "psycopg", "qdrant-edge-py"),
        )
    )
