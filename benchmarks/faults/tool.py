"""Starts ``outgrow`` again and again, each time a process of its own, without the second that Python takes to start.

    python -m benchmarks.faults.tool [MODULE...]

Has imported what the command needs, and forks for each call: nothing is open yet, and a fork is killed like any other
process. Reads requests as JSON lines, answers each with one. A fork crosses *boundaries* (before and after each step of
the engine, each writing call of the move's ledger and of a store), writes each down, and can be told to die at one.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

CALLS = {
    "outgrow.migrating.copying:Copier": ("carry_out",),
    "outgrow.migrating.filling:Filler": ("carry_out",),
    "outgrow.ledger.moves:SqlMoveLedger": (
        "create", "take", "place", "keep", "want", "clear", "freeze", "thaw", "flip", "end", "release",
    ),
    "outgrow.movers.sql_table:SqlTableStore": ("put", "put_block", "drop", "settle"),
    "outgrow.movers.pgvector:PgvectorStore": ("put", "drop", "settle"),
    "outgrow.movers.point_store:PointStore": ("put", "drop", "settle"),
}  # fmt: skip
LATE_SECONDS = 3.0
"""Nothing here comes as late as that: requests to the store of points are put off by a second at most."""
IMPORTED = (
    "outgrow.cli", "outgrow.cli.migrate", "outgrow.ledger.moves_opening", "outgrow.ledger.moves_postgresql",
    "outgrow.ledger.sqlite", "outgrow.ledger.opening", "outgrow.movers.registering", "outgrow.movers.sql_table",
    "outgrow.movers.pgvector", "benchmarks.faults.edge",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One call of ``outgrow``. ``die_at``: the boundary at which it is killed, counted from 1; 0: none.
    ``jumping``: its clock jumps by up to so many seconds, each time it is looked at. ``late_seconds``: nothing that a
    killed process asked for comes later than that."""

    words: tuple[str, ...]
    folder: str
    out: str
    boundaries: str
    die_at: int = 0
    jumping: float = 0.0
    late_seconds: float = LATE_SECONDS


class Boundaries:
    """Counts, writes down, dies."""

    def __init__(self, call: Call) -> None:
        self.file = os.open(call.boundaries, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self.die_at = call.die_at
        self.count = 0

    def cross(self, what: str) -> None:
        """One boundary."""
        self.count += 1
        os.write(self.file, f"{self.count}\t{time.clock_gettime(time.CLOCK_REALTIME):.6f}\t{what}\n".encode())
        if self.count == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Every call of ``CALLS`` is crossed twice."""
        for place, methods in CALLS.items():
            module, name = place.split(":")
            owner = getattr(importlib.import_module(module), name)
            for method in methods:
                setattr(owner, method, self._watched(getattr(owner, method), method))

    def _watched(self, function: Callable[..., Any], method: str) -> Callable[..., Any]:
        def watched(*given: Any, **named: Any) -> Any:
            what = self._said(method, given)
            self.cross(f"before {what}")
            answer = function(*given, **named)
            self.cross(f"after {what}")
            return answer

        return watched

    @staticmethod
    def _said(method: str, given: tuple[Any, ...]) -> str:
        if method == "carry_out":
            return f"{type(given[3]).__name__}\t{given[2].tenant}"
        tenants = [getattr(one, "tenant", one) for one in given[1:] if isinstance(one, str) or hasattr(one, "tenant")]
        return f"{method}\t{tenants[0] if tenants and isinstance(tenants[0], str) else ''}"


def run(call: Call) -> None:
    """In the fork: never returns."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    out = os.open(call.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    err = os.open(call.out + ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.chdir(call.folder)
    code = 1
    try:
        Boundaries(call).watch()
        _nothing_later(call.late_seconds)
        if call.jumping:
            real, dice = time.time, random.Random(1)
            time.time = lambda: real() + dice.uniform(-call.jumping, call.jumping)
        sys.argv = ["outgrow", "migrate", *call.words]
        importlib.import_module("outgrow.cli").main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _nothing_later(seconds: float) -> None:
    """In place of what a network is granted, so that nobody waits for what cannot come."""
    vars(importlib.import_module("outgrow.migrating.copying"))["GONE_SECONDS"] = seconds
    pace = importlib.import_module("outgrow.migration.records").Pace
    names = [one.name for one in fields(pace)]
    pairs = zip(names, pace.__init__.__defaults__, strict=True)
    pace.__init__.__defaults__ = tuple(seconds if name == "late_seconds" else value for name, value in pairs)


def main(more: Sequence[str]) -> None:
    """Serves requests until its input ends. ``more``: further modules that calls need."""
    for module in (*IMPORTED, *more):
        importlib.import_module(module)
    children = set[int]()
    for line in sys.stdin:
        asked = json.loads(line)
        answer: Any = None
        match asked["do"]:
            case "start":
                call = Call(**{**asked["call"], "words": tuple(asked["call"]["words"])})
                pid = os.fork()
                if pid == 0:
                    run(call)
                children.add(pid)
                answer = pid
            case "ended":
                found, status = os.waitpid(asked["pid"], os.WNOHANG if not asked["wait"] else 0)
                if found:
                    children.discard(found)
                    answer = os.waitstatus_to_exitcode(status)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def request(call: Call) -> str:
    """The line that starts a call."""
    return json.dumps({"do": "start", "call": asdict(call)})


if __name__ == "__main__":
    main(sys.argv[1:])
