"""What a measurement of a moved index comes to: on the screen, and as the result that is kept."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.moves.answers import Answers
from benchmarks.report import RESULTS, Cell, Report, Table, Target, write_report

MOST_SECONDS = 600.0
PHASES = ("before", "during", "after", "reverse")


@dataclass(slots=True)
class Timed:
    """A command of `outgrow migrate`. waited: why it waited, with how many lines said so."""

    command: str
    seconds: float
    code: int
    last: str
    waited: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Moved:
    """One layout moved. loads: by phase, what people do and searches; seconds: since the move began."""

    source: str
    target: str
    ventures: int
    points: int
    rebuilt: dict[str, float]
    limit_seconds: float
    commands: list[Timed] = field(default_factory=list)
    loads: dict[str, dict[str, Any]] = field(default_factory=dict)
    watched: dict[str, Any] = field(default_factory=dict)
    answers: Answers | None = None
    reversed_tenants: int = 0
    reversed_points: int = 0


def shown(move: Moved) -> None:
    """All figures of one layout, in lines."""
    for table in _tables(move):
        print(f"  {table.title}: {', '.join(table.columns)}", flush=True)
        for row in table.rows:
            print("    " + "  ".join(_text(cell) for cell in row), flush=True)


def written(moves: Sequence[Moved], options: argparse.Namespace, folder: Path = RESULTS) -> Path:
    """Writes moving.{md,json}; → the former."""
    return write_report(
        Report(
            name="moving",
            title="A million passages moved while people search and write",
            command="python -m benchmarks moving",
            tables=tuple(table for move in moves for table in _tables(move)),
            targets=tuple(target for move in moves for target in _targets(move)),
            facts={
                "ventures": moves[0].ventures,
                "what people do, requests/s": options.rate,
                "searches beside it, a second": options.searches,
                "points": ", ".join(f"{move.source} {move.points:,}" for move in moves),
            },
            notes=(
                "One machine carries it all: PostgreSQL, API, workers, index process, outgrow and both generators.",
                "The platform wrote 50,000 of the passages itself, with their items and logs; the others were laid as "
                "rows of texts and vectors of the same ventures.",
            ),
            packages=("litestar", "uvicorn", "psycopg", "qdrant-edge-py"),
        ),
        folder,
    )


def seconds_of(move: Moved) -> float:
    """From the beginning of `create` to the end of `switch`."""
    return sum(one.seconds for one in move.commands if not one.command.startswith("reverse"))


def _tables(move: Moved) -> Iterator[Table]:
    way = f"{move.source} → {move.target}, {move.points:,} points of {move.ventures:,} ventures"
    yield Table(
        f"{way}: commands",
        ("outgrow migrate", "seconds", "points/s", "waited for (lines that said so)"),
        tuple(
            (
                one.command,
                one.seconds,
                _points(move, one) / one.seconds if _points(move, one) else None,
                "; ".join(f"{why} ({count})" for why, count in one.waited.items()) or "–",
            )
            for one in move.commands
        ),
        (f"`reverse` of the last wave: {move.reversed_tenants:,} ventures, {move.reversed_points:,} points.",),
    )
    yield Table(
        f"{way}: what was answered",
        ("when", "what", "offered/s", "p50 ms", "p95 ms", "p99 ms", "most ms", "errors", "dropped", "foreign", "by"),
        tuple(_load_row(phase, name, report) for phase in PHASES for name, report in move.loads.get(phase, {}).items()),
        ("Timed from when a request was to leave; one that is not answered counts with 15 s.",),
    )
    yield Table(f"{way}: the move", ("figure", "value"), tuple(_facts(move)))


def _points(move: Moved, one: Timed) -> int:
    match one.command.split()[0]:
        case "start" | "switch":
            return move.points
        case "reverse":
            return move.reversed_points
    return 0


def _load_row(phase: str, name: str, report: dict[str, Any]) -> tuple[Cell, ...]:
    step, whole = report["steps"][0], report["whole"]
    accuracy = report["accuracy"]
    return (
        phase,
        "what people do" if name == "people" else "searches",
        step["offered_per_second"],
        *(None if whole[key] is None else whole[key] * 1000 for key in ("p50_seconds", "p95_seconds", "p99_seconds")),
        whole["max_seconds"] * 1000,
        "; ".join(f"{count} × {what}" for what, count in report["errors"].items()) or 0,
        step["dropped"],
        accuracy["foreign"],
        ", ".join(f"{count} {by}" for by, count in accuracy["answered_by"].items()),
    )


def _facts(move: Moved) -> Iterator[tuple[Cell, ...]]:
    watched, answers = move.watched, move.answers
    yield "create, start and switch together, s", seconds_of(move)
    yield "made anew before: all answered, s", move.rebuilt["filled_seconds"]
    yield "index process before, GB", move.rebuilt["resident_bytes"] / 1e9
    if watched:
        yield "index process while moving, at most, GB", watched["most_index_bytes"] / 1e9
        yield "ventures switched", watched["flips"]
        yield (
            "from the first switch to the first search answered by the new store, s",
            watched["first_by_target_seconds"],
        )
        yield "cores", ", ".join(f"{kind} {used:.2f}" for kind, used in watched["cores"].items())
        yield "vector queries", ", ".join(f"{by}: {count:,.0f}" for by, count in watched["answered"].items() if count)
    if answers is not None:
        yield "queries asked of both stores afterwards; with the same ids", f"{answers.queries}; {answers.alike}"
        yield "recall@10 of the old store; of the new one", f"{answers.recall_source:.4f}; {answers.recall_target:.4f}"
        yield "ids of other ventures", answers.foreign


def _targets(move: Moved) -> Iterator[Target]:
    during, answers = move.loads.get("during", {}), move.answers
    name = f"{move.source}, {move.points:,} points"
    yield Target(f"{name}: create, start and switch, s", seconds_of(move), high=MOST_SECONDS)
    for load, what in (("people", "what people do"), ("searches", "searches")):
        p95 = during.get(load, {}).get("whole", {}).get("p95_seconds")
        yield Target(f"{name}: {what} while it moves, p95, s", p95, high=move.limit_seconds)
    failed = sum(sum(one["errors"].values()) + one["steps"][0]["dropped"] for one in during.values())
    yield Target(f"{name}: requests refused, failed or dropped while it moves", float(failed), high=0.0)
    if answers is not None:
        yield Target(f"{name}: recall@10 of the new store", answers.recall_target, low=0.995)
        yield Target(f"{name}: ids of other ventures", float(answers.foreign), high=0.0)


def _text(cell: Cell) -> str:
    return f"{cell:,.2f}" if isinstance(cell, float) else str(cell)
