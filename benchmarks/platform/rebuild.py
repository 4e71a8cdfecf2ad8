"""The index made anew from PostgreSQL, and searches alone on it, by how many processes hold it.

    python -m benchmarks rebuild --data FOLDER    # a population that `load --data` made; without it, one is made

For one and two index processes: `ventures serve` without an index, until every venture is answered from it, and until
nothing is left to be made small; then searches at 100/s, in the first minute, while PostgreSQL's pages are still cold,
and in the second.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks.platform.load import (
    INDEX_BYTES,
    REBUILD_SECONDS,
    SEARCH_P95_SECONDS,
    SEARCHES_PER_SECOND,
    USERS,
    folder_of,
    loaded,
    populate,
    rebuilt_of,
)
from benchmarks.report import Report, Table, Target, write_report
from ventures.testing.serving import serving

PROCESSES = (1, 2)


def main(arguments: list[str]) -> None:
    """Measures and writes the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks rebuild")
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--data", type=Path, default=None, help="an installation's data folder, kept at the end")
    parser.add_argument("--seconds", type=float, default=60.0, help="of searches, twice")
    options = parser.parse_args(arguments)
    found: dict[int, tuple[dict[str, float], list[dict[str, Any]]]] = {}
    with folder_of(options.data) as data:
        populate(data, options.users)
        for processes in PROCESSES:
            shutil.rmtree(data / "index", ignore_errors=True)
            began = time.monotonic()
            with serving(data, VENTURES_INDEX_PROCESSES=str(processes)) as platform:
                made = rebuilt_of(platform, began)
                print(f"  {processes}: {made}", flush=True)
                rate = SEARCHES_PER_SECOND / options.users
                runs = [
                    loaded(platform, options.users, options.seconds, rate=rate, only="search")["whole"] for _ in "12"
                ]
                print(f"  {processes}: {runs}", flush=True)
                found[processes] = made, runs
    _report(options.users, found)


def _report(users: int, found: dict[int, tuple[dict[str, float], list[dict[str, Any]]]]) -> None:
    most, runs = found[PROCESSES[-1]]
    millions = most["points"] / 1e6
    write_report(
        Report(
            name="rebuild",
            title="The index made anew from PostgreSQL",
            command="python -m benchmarks rebuild",
            tables=(
                Table(
                    "Until it answers for every venture, and until it is compacted",
                    ("index processes", "points", "answered, s", "compacted too, s", "resident, GB"),
                    tuple(
                        (
                            processes,
                            int(made["points"]),
                            made["filled_seconds"],
                            made["compacted_seconds"],
                            made["resident_bytes"] / 1e9,
                        )
                        for processes, (made, _) in found.items()
                    ),
                    ("Seconds since `ventures serve` was started; resident: of all index processes together.",),
                ),
                Table(
                    "Searches alone, 100 a second through HTTP",
                    ("index processes", "minute", "p50 ms", "p95 ms", "p99 ms"),
                    tuple(
                        (processes, minute, *(whole[f"p{part}_seconds"] * 1000 for part in (50, 95, 99)))
                        for processes, (_, wholes) in found.items()
                        for minute, whole in enumerate(wholes, 1)
                    ),
                ),
            ),
            targets=(
                Target(
                    "two processes: compacted too, s a million points",
                    most["compacted_seconds"] / millions,
                    high=REBUILD_SECONDS,
                ),
                Target("two processes: index memory, GB", most["resident_bytes"] / 1e9, high=INDEX_BYTES / 1e9),
                Target(
                    "two processes: search through HTTP at 100/s, second minute, p95, s",
                    runs[-1]["p95_seconds"],
                    high=SEARCH_P95_SECONDS,
                ),
            ),
            facts={"users": users, "passages a user": 20, "ventures": int(0.75 * users)},
            packages=("litestar", "uvicorn", "psycopg", "qdrant-edge-py"),
        )
    )
