"""Child processes of the demo: started apart from the terminal, ended by their id, never outlived."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from outgrow.errors import OutgrowError

START_SECONDS = 60.0
GRACE_SECONDS = 3.0
# One thread each: the service is to saturate at one core, and the generator to have the other.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class RunningService:
    """The search service while it runs."""

    port: int
    pid: int

    @property
    def search_url(self) -> str:
        """Where searches go."""
        return f"http://127.0.0.1:{self.port}/search"

    @property
    def metrics_url(self) -> str:
        """Where it tells about itself."""
        return f"http://127.0.0.1:{self.port}/metrics"


@contextmanager
def child(module: str, *arguments: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``python -m module arguments`` while the block runs; its messages go to ``log``.

    It gets no signals from the terminal; leaving the block ends it, politely and then firmly. Should this process die
    without leaving the block, the child sees that its parent is gone.
    """
    command = [sys.executable, "-m", module, *arguments, "--parent", str(os.getpid())]
    with log.open("ab") as messages:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=messages,
            env={**os.environ, **ONE_THREAD},
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(GRACE_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            if process.stdout is not None:
                process.stdout.close()


@contextmanager
def running_service(
    folder: Path, *, seed: int = 1, lifetime_seconds: float = 600.0, passages: int | None = None
) -> Iterator[RunningService]:
    """The search service while the block runs; ``folder`` takes its port file and messages.

    Its corpus has ``passages``, or as many as make a search cost at least 5 ms of processor time.

    Raises:
        OutgrowError: it did not start.
    """
    port_file, log = folder / "service.port", folder / "service.log"
    port_file.unlink(missing_ok=True)
    arguments = ["--port-file", str(port_file), "--seed", str(seed), "--lifetime", f"{lifetime_seconds:g}"]
    if passages is not None:
        arguments += ["--passages", str(passages)]
    with child("outgrow.demo.service", *arguments, log=log) as process:
        deadline = time.monotonic() + START_SECONDS
        while not port_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise OutgrowError(f"the search service did not start: {last_line(log)}")
            time.sleep(0.05)
        yield RunningService(int(port_file.read_text()), process.pid)


def lines_of(process: subprocess.Popen[bytes], every_seconds: float, tick: Callable[[], None]) -> Iterator[str]:
    """Lines a child prints, as they come; ``tick`` is called every ``every_seconds`` meanwhile."""
    if process.stdout is None:
        return
    due = time.monotonic()
    while True:
        if time.monotonic() >= due:
            tick()
            due = max(due + every_seconds, time.monotonic())
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, due - time.monotonic()))
        if ready:
            line = process.stdout.readline()
            if not line:
                return
            yield line.decode().rstrip("\n")


def last_line(log: Path) -> str:
    """The last thing a child said, for a message."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it said nothing"
