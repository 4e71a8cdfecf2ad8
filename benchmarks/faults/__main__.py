"""``python -m benchmarks.faults``: faults one by one, kills at every boundary, kills at random; the result's files."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.faults import scenarios
from benchmarks.faults.kills import VERBS, at_boundaries, at_random, swept_of
from benchmarks.faults.platform import platform
from benchmarks.faults.reporting import bad_of, done, report
from benchmarks.faults.scenarios import Came
from benchmarks.faults.world import Database, Stuck, Tool, World
from benchmarks.report import RESULTS

PLATFORM = "index"
"""The platform's own move, beside the kinds that the tool copies."""
KINDS = ("rows", "points", PLATFORM)
FAULTS: dict[str, Callable[[scenarios.Maker], Came]] = {
    "store-down": scenarios.store_down,
    "store-slow": scenarios.store_slow,
    "full-disk": scenarios.full_disk,
    "large-points": scenarios.large_points,
    "clock-jumps": scenarios.clock_jumps,
    "two-operators": scenarios.two_operators,
    "newer-ledger": scenarios.newer_ledger,
    "tenant-deleted": scenarios.tenant_deleted,
    "written-faster": scenarios.written_faster,
    "corruption-rows": lambda make: scenarios.corruption(make, "rows"),
    "corruption-points": lambda make: scenarios.corruption(make, "points"),
    "many-writes-rows": lambda make: scenarios.many_writes(make, "rows"),
    "many-writes-points": lambda make: scenarios.many_writes(make, "points"),
    "pauses-rows": lambda make: scenarios.pauses(make, "rows"),
    "pauses-points": lambda make: scenarios.pauses(make, "points"),
    "cold-resumes": scenarios.cold_resumes,
}
PARTS = ("faults", "boundaries", "random")


@contextmanager
def house() -> Iterator[scenarios.Maker]:
    """A server, a tool, and a way to make worlds; all of it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        base = Path(name)
        base.chmod(0o711)  # the server's own account, where root runs this, passes through
        database, tool = Database(base / "server"), Tool(base / "plugins")
        made = list[World]()

        def make(kind: str, tenants: dict[str, int], **more: Any) -> World:
            world = World(base / f"w{len(made)}", kind, database, tool, tenants, **more)
            made.append(world)
            return world

        try:
            yield make
        finally:
            for world in made:
                world.close()
            tool.close()
            database.stop()


def one_fault(name: str) -> dict[str, Any]:
    """In a house of its own."""
    with house() as make:
        try:
            return asdict(FAULTS[name](make))
        except Exception as broken:  # it is told, and the others go on
            return asdict(Came(name, "", 0, f"{type(broken).__name__}: {broken}"[:900], ""))


def boundaries(kind: str, before: dict[str, Any], step: int, until: Callable[[], bool]) -> dict[str, Any]:
    """One tenant of a few items, and a second one, so that one is moved while the other is. Goes on from ``before``."""
    swept = swept_of(before, step)
    if not swept.left(*VERBS):
        return before
    pace = {"batch": 5, "freeze": "2s", "first_wave": 9}
    more = {"pause_seconds": 0.01, "pace": pace, "late_seconds": 0.2}
    with inhabited(kind, {"a": 8, "b": 3}, "boundaries", **more) as world:
        at_boundaries(world, swept, until=until)
    return {"kind": kind, **swept.kept()}


def batch(seed: int, index: int, kind: str, size: int, until: Callable[[], bool]) -> dict[str, Any]:
    """One batch of random kills."""
    name = f"{seed}/{index}"
    tenants = dict.fromkeys("abc", 10 if kind == PLATFORM else 40)
    with inhabited(kind, tenants, name) as world:
        tally = at_random(world, size, name, until=until)
    return {"index": index, "kind": kind, **tally.kept()}


@contextmanager
def inhabited(kind: str, tenants: dict[str, int], name: str, **more: Any) -> Iterator[World]:
    """A world of its own; ``more`` for those that the tool copies."""
    if kind != PLATFORM:
        with house() as make:
            yield make(kind, tenants, **more)
        return
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        Path(folder).chmod(0o711)  # the server's own account, where root runs this, passes through
        with platform(Path(folder) / "platform", name, len(tenants), max(tenants.values())) as world:
            yield world


def main(arguments: Sequence[str]) -> int:
    """0 where nothing was lost and nothing was stuck."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="random kills in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=50, help="random kills at once, in a world of their own")
    parser.add_argument("--state", type=Path, default=RESULTS / "faults-state.json", help="what was done so far")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the report")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="random kills end after so long")
    parser.add_argument("--boundary-minutes", type=float, default=float("inf"))
    parser.add_argument("--step", type=int, default=1, help="each how-many-th boundary")
    parser.add_argument("--kind", action="append", choices=KINDS, help="of boundaries and random kills; default: all")
    parser.add_argument("--fault", action="append", choices=list(FAULTS))
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}, report; default: all")
    asked = parser.parse_args(arguments)
    parts = asked.parts or PARTS
    if unknown := {*parts} - {*PARTS, "report"}:
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    state = read_state(asked.state, asked.seed, asked.batch)
    if "faults" in parts:
        for name in asked.fault or FAULTS:
            began = time.monotonic()
            came = state["faults"][name] = one_fault(name)
            bad = came["wrong"] or came["failed"]
            told = f"{'BAD ' if bad else 'fine'} {name}: {came['seen']} {came['failed']}"
            print(f"{told} ({time.monotonic() - began:.0f} s)", flush=True)
            write_state(asked.state, state)
    kinds = asked.kind or KINDS
    if "boundaries" in parts:
        last = time.monotonic() + asked.boundary_minutes * 60
        for number, kind in enumerate(kinds):
            end = time.monotonic() + max(0.0, last - time.monotonic()) / (len(kinds) - number)
            before = state["boundaries"].get(kind, {})
            swept = boundaries(kind, before, asked.step, lambda end=end: time.monotonic() > end)  # type: ignore[misc]
            state["boundaries"][kind] = swept
            how = "all of them" if swept["whole"] else "so far"
            print(f"boundaries, {kind}, {how}: {swept['boundaries']} {swept['wrong']} {swept['stuck']}", flush=True)
            write_state(asked.state, state)
    if "random" in parts:
        end = time.monotonic() + asked.minutes * 60
        while (left := asked.count - done(state)) > 0 and time.monotonic() < end:
            index, size = len(state["batches"]), min(asked.batch, left)
            one = batch(asked.seed, index, kinds[index % len(kinds)], size, lambda: time.monotonic() > end)
            state["batches"].append(one)
            write_state(asked.state, state)
            said = f"{done(state)} of {asked.count} kills, {one['wrong_count']} wrong, stuck: {one['stuck'] or 'no'}"
            print(f"batch {one['index']} ({one['kind']}): {said}", flush=True)
    report(state, asked.count, asked.results)
    return int(any(bad_of(state).values()))


def read_state(file: Path, seed: int, size: int) -> dict[str, Any]:
    """What was done; begun anew for another seed."""
    fresh = {"seed": seed, "batch": size, "faults": {}, "boundaries": {}, "batches": []}
    if not file.exists():
        return fresh
    state: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return state if (state["seed"], state["batch"]) == (seed, size) else fresh


def write_state(file: Path, state: dict[str, Any]) -> None:
    """All of it or nothing."""
    beside = file.with_suffix(".part")
    beside.write_text(json.dumps(state, indent=1), encoding="utf-8")
    beside.rename(file)


def interrupted(number: int, frame: object) -> None:
    """Told to end, it ends what it started, as after Ctrl-C."""
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    try:
        sys.exit(main(sys.argv[1:]))
    except (KeyboardInterrupt, Stuck) as ended:
        sys.exit(f"stopped: {ended}; the same command goes on")
