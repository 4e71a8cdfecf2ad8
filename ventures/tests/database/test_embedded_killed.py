"""Our own PostgreSQL when processes are killed while it starts or recovers."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from ventures.database import embedded
from ventures.testing.serving import folder

PATIENCE_SECONDS = 60.0
"""Only so that a fault ends the test instead of hanging it."""
STARTER = (
    "import sys, time; from pathlib import Path; from ventures.database import embedded\n"
    "embedded.start(Path(sys.argv[1]), ends_with_us=True); print('up', flush=True); time.sleep(600)"
)


@pytest.fixture
def data() -> Iterator[Path]:
    with folder() as above:
        yield above
        embedded.stop(above)


def _until(true: Callable[[], bool], otherwise: str) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < give_up, otherwise
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent ended")
def test_it_ends_with_its_parent_even_while_it_recovers(data: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(data)], stdout=subprocess.PIPE, env=environment
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"up\n"
        server = embedded.running(data)
        assert server is not None
        with psycopg.connect(embedded.addresses(data).superuser) as connection:
            os.kill(connection.info.backend_pid, signal.SIGKILL)
        logs = data / "logs"
        _until(
            lambda: any("reinitializing" in log.read_text() for log in logs.glob("postgresql-*.log")),
            "PostgreSQL did not notice that one of its processes was killed",
        )
        starter.kill()
    _until(lambda: embedded.running(data) != server, "PostgreSQL did not end with the process that started it")
    embedded.start(data)


def test_one_that_neither_serves_nor_recovers_is_ended_and_started_again(data: Path) -> None:
    """Its recovering process is killed in the moment before it begins, which PostgreSQL does not notice."""
    addresses = embedded.start(data)
    server = embedded.running(data)
    assert server is not None
    with psycopg.connect(addresses.superuser, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        os.kill(connection.info.backend_pid, signal.SIGKILL)

    def startup() -> psutil.Process | None:
        for one in psutil.Process(server).children():
            with suppress(psutil.Error):  # some of them are just ending
                if " startup" in " ".join(one.cmdline()):
                    return one
        return None

    _until(lambda: startup() is not None, "PostgreSQL did not begin to recover")
    with suppress(AttributeError, psutil.NoSuchProcess):  # too late: it has recovered, and there is nothing to see
        startup().kill()  # type: ignore[union-attr]
    embedded.start(data)
    with psycopg.connect(addresses.superuser) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)


def test_killed_while_it_starts_it_is_started_again(data: Path) -> None:
    addresses = embedded.start(data)
    with psycopg.connect(addresses.superuser, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    first = embedded.running(data)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    killed: list[int] = []

    def kill_the_next() -> None:
        while not killed:
            pid = embedded.running(data)
            if pid is not None and pid != first:
                psutil.Process(pid).kill()
                killed.append(pid)

    killer = threading.Thread(target=kill_the_next)
    killer.start()
    embedded.start(data)
    killer.join()
    assert embedded.running(data) not in (None, first, *killed)
    with psycopg.connect(addresses.superuser) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)
