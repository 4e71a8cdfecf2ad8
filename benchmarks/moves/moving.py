"""A million passages of 1,500 ventures moved from one layout of the index to another while people search and write.

    python -m benchmarks moving --data FOLDER              # makes both populations there, once, and moves them
    python -m benchmarks moving --data FOLDER --make-only  # only makes them; --make-seconds 150 in pieces
    python -m benchmarks moving --small                    # 30 ventures and 20,000 passages, a minute or two

`ventures serve` as it is by default but for the layout, `outgrow.yaml` as `ventures lookout` prints it, and the command
line as people type it: `outgrow migrate data-architecture create`, `start`, `switch --all --yes`, then `reverse` of the
last wave, all of it under two loads (open loop): what people do, and searches beside it. First from `tuned` with all
passages, then from `shared` with those that the platform wrote itself.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import IO, Any
from urllib.parse import unquote, urlsplit

import psycopg
import yaml

from benchmarks.moves.answers import compared
from benchmarks.moves.moving_report import Moved, Timed, shown, written
from benchmarks.moves.population import Crowd, copied, forgotten, made
from benchmarks.moves.watch import Watch
from benchmarks.platform.load import rebuilt_of
from ventures.database import embedded
from ventures.testing.serving import Serving, serving

POINT = "data-architecture"
MILLION = Crowd(users=2_000, ventures=1_500, written_per_user=25, passages=1_000_000)
SHARED = Crowd(users=2_000, ventures=1_500, written_per_user=25, passages=50_000)
SMALL = Crowd(users=60, ventures=30, written_per_user=20, passages=20_000)
SMALL_SHARED = Crowd(users=60, ventures=30, written_per_user=20, passages=1_200)
SETTLE_SECONDS = 2.0
LONGEST_SECONDS = 7_200
"""A load that nobody ends, ends after so long."""
LONGEST_COMMAND_SECONDS = 2_400.0
READY_SECONDS = 300.0
SAID_EVERY_SECONDS = 5.0
STOPPED = 4
"""Exit code of `outgrow migrate` that stopped and is safe: the same command goes on."""
TRIES = 3


def main(arguments: list[str]) -> None:
    """Measures and writes the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks moving")
    parser.add_argument("--data", type=Path, default=None, help="a folder for the populations, kept at the end")
    parser.add_argument("--small", action="store_true", help="30 ventures; no result is written")
    parser.add_argument("--only", choices=("tuned", "shared"), default=None, help="one of the two; none is written")
    parser.add_argument("--make-only", action="store_true", help="make the populations and end")
    parser.add_argument("--make-seconds", type=float, default=7_200.0, help="end making after about so long")
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second of what people do")
    parser.add_argument("--searches", type=float, default=10.0, help="searches a second beside it")
    parser.add_argument("--seconds", type=float, default=60.0, help="of load before the move, and after it")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _told_to_end)  # what was started is ended, as by Ctrl-C
    crowds = {"shared": SMALL_SHARED, "tuned": SMALL} if options.small else {"shared": SHARED, "tuned": MILLION}
    if options.only == "shared":
        del crowds["tuned"]
    with _folder(options.data) as folder:
        if not _made(folder, crowds, options.make_seconds):
            sys.exit(1)
        if options.make_only:
            return
        found = []
        for layout in [options.only] if options.only else ["tuned", "shared"]:
            found.append(_moved(folder / layout, layout, crowds[layout], options))
            shown(found[-1])
            if not options.small and not options.only:
                written(found, options)  # after each, so that what ends the second costs nothing of the first


def _told_to_end(number: int, frame: FrameType | None) -> None:
    del frame
    raise SystemExit(128 + number)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with TemporaryDirectory(prefix="ventures-bench-", dir=os.environ.get("VENTURES_BENCH_DIR")) as folder:
        Path(folder).chmod(0o711)  # the server's own account, where root runs this, passes through
        yield Path(folder)


def _made(folder: Path, crowds: dict[str, Crowd], seconds: float) -> bool:
    """The population of `tuned` begins as that of `shared`, as the platform wrote it."""
    began = time.monotonic()
    for layout, crowd in crowds.items():
        if layout == "tuned":
            copied(folder / "shared", folder / "tuned", crowd)
        left = seconds - (time.monotonic() - began)
        if left <= 0 or not made(folder / layout, crowd, left):
            print("  the time is over; the same command goes on", flush=True)
            return False
    return True


def _moved(data: Path, source: str, crowd: Crowd, options: argparse.Namespace) -> Moved:
    print(f"{source}: {crowd.passages:,} passages of {crowd.ventures:,} ventures", flush=True)
    forgotten(data)
    began = time.monotonic()
    with serving(data, VENTURES_INDEX_LAYOUT=source) as platform:
        with _saying("the index is made anew"):
            rebuilt = rebuilt_of(platform, began)
        print(f"  index: {rebuilt}", flush=True)
        tool = _Tool(platform, data.with_name(f"{source}.outgrow"))
        move = Moved(source, tool.target, crowd.ventures, int(rebuilt["points"]), rebuilt, tool.limit_seconds)
        with tool.recording():
            with _loads(platform, crowd, options) as loads, _saying("load before the move"):
                time.sleep(options.seconds)
            move.loads["before"] = loads.reports
            with Watch(platform, POINT) as watch:
                with _loads(platform, crowd, options) as loads:
                    watch.begin()
                    created = tool.run(move, "create", "--json")
                    print(f"  waves: {[len(wave['tenants']) for wave in json.loads(created)['waves']]}", flush=True)
                    tool.run(move, "start")
                    tool.run(move, "switch", "--all", "--yes")
                    watch.end()
                move.loads["during"] = loads.reports
                move.watched = watch.found(move.target)
            with _loads(platform, crowd, options) as loads, _saying("load after the move"):
                time.sleep(options.seconds)
            move.loads["after"] = loads.reports
            time.sleep(SETTLE_SECONDS)
            move.answers = compared(platform, source, move.target)
            print(f"  answers: {move.answers}", flush=True)
            wave = json.loads(created)["waves"][-1]
            move.reversed_tenants = len(wave["tenants"])
            move.reversed_points = _points(platform, wave["tenants"])
            with _loads(platform, crowd, options) as loads:
                tool.run(move, "reverse", "--wave", str(wave["wave"]))
            move.loads["reverse"] = loads.reports
    return move


def _points(platform: Serving, tenants: list[str]) -> int:
    with psycopg.connect(embedded.addresses(platform.data).superuser) as connection:
        row = connection.execute(
            "SELECT count(*) FROM regional.embedding WHERE venture = ANY(%s::uuid[]) AND vector IS NOT NULL", [tenants]
        ).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """Says every few seconds what is going on."""
    over, began = threading.Event(), time.monotonic()

    def say() -> None:
        while not over.wait(SAID_EVERY_SECONDS):
            print(f"    {what}: {time.monotonic() - began:.0f} s", flush=True)

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class _Tool:
    """`outgrow` beside a platform, with a declaration of its own."""

    def __init__(self, platform: Serving, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        told = platform.ventures("lookout")
        if told.returncode:
            raise RuntimeError(f"ventures lookout: {told.stderr}")
        (folder / "outgrow.yaml").write_text(told.stdout, encoding="utf-8")
        declared = next(one for one in yaml.safe_load(told.stdout)["points"] if one["id"] == POINT)["migration"]
        self.target = str(declared["target"])
        self.limit_seconds = float(str(declared["pace"]["p95_limit"]).removesuffix("s"))
        password = unquote(urlsplit(embedded.addresses(platform.data).owner).password or "")
        self.environment = {**platform.environment, "PGPASSWORD": password, "COLUMNS": "250"}

    @contextmanager
    def recording(self) -> Iterator[None]:
        """With what is watched written down every ten seconds, as people are told to."""
        with (self.folder / "record.out").open("wb") as said:
            process = self._started("record", "--every", "10s", out=said, err=said)
            try:
                yield
            finally:
                _ended(process, signal.SIGINT)

    def run(self, move: Moved, *words: str) -> str:
        """One command of `migrate`, told as it goes; → what it said on stdout."""
        command = " ".join(one for one in words if one != "--json")
        for _ in range(TRIES):
            timed, out = self._run(command, words)
            move.commands.append(timed)
            print(f"  {command}: {timed.seconds:.1f} s, {timed.last}", flush=True)
            if timed.code != STOPPED:
                break
        if timed.code:
            raise RuntimeError(f"outgrow migrate {command} ended with {timed.code}: {timed.last}")
        return out

    def _run(self, command: str, words: tuple[str, ...]) -> tuple[Timed, str]:
        began, said, waited, last = time.monotonic(), 0.0, dict[str, int](), ""
        with (self.folder / "migrate.out").open("w+b") as out:
            process = self._started("migrate", POINT, *words, out=out, err=subprocess.PIPE)
            overdue = threading.Timer(LONGEST_COMMAND_SECONDS, process.terminate)
            overdue.start()
            try:
                assert process.stderr is not None
                for line in process.stderr:
                    text = line.decode(errors="replace").strip()
                    if (why := text.partition("waits: ")[2]) and " is throttled" not in why:
                        reason = general(why)
                        waited[reason] = waited.get(reason, 0) + 1
                    if text and not text.startswith("next:"):
                        last = text
                    if text and time.monotonic() - said >= SAID_EVERY_SECONDS:
                        said = time.monotonic()
                        print(f"    {command} {said - began:5.0f} s: {text[:180]}", flush=True)
                code = process.wait()
            finally:
                overdue.cancel()
                _ended(process, signal.SIGTERM)
            out.seek(0)
            return Timed(command, time.monotonic() - began, code, last, waited), out.read().decode()

    def _started(self, *words: str, out: IO[bytes], err: IO[bytes] | int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "outgrow", *words],
            env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
        )  # fmt: skip


def general(why: str) -> str:
    """A reason without whom and how much it is about."""
    return re.sub(r"\d[\d.,]*", "N", re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "a venture", why))[:120]


class _Loads:
    """What people do, and searches beside it: two generators, so that there are enough searches to tell a p95 by."""

    def __init__(self, platform: Serving, crowd: Crowd, options: argparse.Namespace) -> None:
        self.reports: dict[str, Any] = {}
        self._files = {name: platform.data / f"load-{name}.json" for name in ("people", "searches")}
        rates = {"people": options.rate, "searches": options.searches}
        self._running = {
            name: subprocess.Popen(
                [
                    sys.executable, "-m", "ventures.cli", "load", *crowd.arguments, "--url", platform.url,
                    "--seconds", str(LONGEST_SECONDS), "--rate-per-user", f"{rates[name] / crowd.users:.9f}",
                    "--report", str(file), *(["--only", "search"] if name == "searches" else []),
                ],
                env=platform.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )
            for name, file in self._files.items()
        }  # fmt: skip
        self._sending = {name: threading.Event() for name in self._files}
        self._said: dict[str, str] = {}
        for name, process in self._running.items():
            threading.Thread(target=self._listen, args=(name, process), daemon=True).start()

    def begun(self) -> None:
        """Returns once both send. Raises: RuntimeError."""
        for name, sending in self._sending.items():
            if not sending.wait(READY_SECONDS) or self._running[name].poll() is not None:
                raise RuntimeError(f"ventures load ({name}) does not send: {self._said.get(name, '')}")

    def end(self) -> None:
        """Ends both after what is under way, and reads what they measured."""
        for process in self._running.values():
            process.send_signal(signal.SIGINT)
        for name, process in self._running.items():
            _ended(process, None, 120)
            if self._files[name].exists():
                self.reports[name] = json.loads(self._files[name].read_text())
        for file in self._files.values():
            file.unlink(missing_ok=True)

    def _listen(self, name: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self._said[name] = line.decode(errors="replace").strip()
            if "requests/s offered" in self._said[name]:
                self._sending[name].set()
        self._sending[name].set()


@contextmanager
def _loads(platform: Serving, crowd: Crowd, options: argparse.Namespace) -> Iterator[_Loads]:
    with ExitStack() as stack:
        loads = _Loads(platform, crowd, options)
        stack.callback(loads.end)
        with _saying("keys for the load"):
            loads.begun()
        yield loads


def _ended(process: subprocess.Popen[bytes], number: int | None, seconds: float = 60.0) -> None:
    if process.poll() is not None:
        return
    if number is not None:
        process.send_signal(number)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
