"""What the platform's benchmarks share: a database of their own with fsync on, cores, ports, processes that end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import psycopg

from ventures.database import embedded
from ventures.database.migrate import migrate
from ventures.database.roles import Addresses
from ventures.settings import Settings, read
from ventures.testing.serving import Kind, Serving

DURABILITY = ("fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "data_checksums", "server_version")
READY_SECONDS = 60.0
WORKING: tuple[Kind, ...] = ("api", "worker", "index", "postmaster")
"""The processes that do a platform's work, its PostgreSQL with all that it started."""


@contextmanager
def database(cores: set[int] | None = None) -> Iterator[Addresses]:
    """A new PostgreSQL as `ventures serve` starts it, migrated, on the given cores; removed at the end."""
    with TemporaryDirectory(prefix="ventures-bench-", dir=os.environ.get("VENTURES_BENCH_DIR")) as folder:
        Path(folder).chmod(0o711)  # the server's own account, where root runs this, passes through
        data = Path(folder) / "data"
        with on_cores(cores):
            addresses = embedded.start(data)
        try:
            migrate(addresses.owner)
            yield addresses
        finally:
            embedded.stop(data)


@contextmanager
def on_cores(cores: set[int] | None) -> Iterator[None]:
    """This process, and what it starts meanwhile, on these cores only; None leaves it where it is."""
    before = os.sched_getaffinity(0)
    if cores is not None:
        os.sched_setaffinity(0, cores & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def durability(addresses: Addresses) -> dict[str, str]:
    """PostgreSQL's own word on what survives a power cut."""
    with psycopg.connect(addresses.app) as connection:
        return {
            name: str(row[0])
            for name in DURABILITY
            if (row := connection.execute("SELECT current_setting(%s)", [name]).fetchone())
        }


def settings(addresses: Addresses, **more: str) -> Settings:
    """Settings for a platform on these addresses, with nothing held back by a rate limit."""
    return read({**environment(addresses), **more})


def environment(addresses: Addresses) -> dict[str, str]:
    """The same as environment variables."""
    return {
        "DATABASE_URL": addresses.app,
        "VENTURES_OWNER_URL": addresses.owner,
        "VENTURES_SECRET": "0123456789abcdef0123456789abcdef-of-a-benchmark",
        "VENTURES_RATE_LIMIT_PER_MINUTE": "1000000",
        "VENTURES_LOG_LEVEL": "error",
    }


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def process(
    command: Sequence[str], variables: dict[str, str], folder: Path | None = None
) -> Iterator[subprocess.Popen]:
    """A process and all it starts, ended at the end."""
    running = subprocess.Popen(
        command, env={**os.environ, **variables}, cwd=folder, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield running
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(running.pid, number)
                running.wait(10)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
            else:
                break


def wait_for(url: str, headers: dict[str, str]) -> bytes:
    """The first good answer. Raises: TimeoutError."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
                return bytes(answer.read())
        except OSError as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} does not answer: {error}") from error
            time.sleep(0.2)


def processor_seconds(platform: Serving, kind: Kind) -> float:
    """So far; of the postmaster with its processes, also those that ended."""
    found = 0.0
    for process in platform.processes(kind):
        times = process.cpu_times()
        found += times.user + times.system
        if kind == "postmaster":
            found += times.children_user + times.children_system
            for backend in process.children():
                with suppress(psutil.Error):  # it ended meanwhile
                    found += sum(backend.cpu_times()[:2])
    return found


def python(*arguments: str) -> list[str]:
    """This interpreter with arguments."""
    return [sys.executable, *arguments]
