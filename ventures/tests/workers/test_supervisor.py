"""The supervisor, with real processes that do nothing but live and die as told."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from ventures.errors import SettingsError
from ventures.settings import read
from ventures.workers import supervisor

PATIENCE_SECONDS = 20.0
"""Only so that a fault ends the test instead of hanging it."""
CHILD = """
import os, pathlib, signal, sys, time
kind, notes = sys.argv[1], pathlib.Path(os.environ["NOTES"])
def end(*_):
    with open(notes / "ends", "a") as ends: ends.write(kind + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
if (notes / "deaf").exists(): signal.signal(signal.SIGTERM, signal.SIG_IGN)
if (notes / "dying").exists(): sys.exit(7)
with open(notes / "starts", "a") as starts: starts.write(f"{os.getpid()}\\n")
if "--ready" in sys.argv: os.write(int(sys.argv[sys.argv.index("--ready") + 1]), b".")
while True: time.sleep(60)
"""

SERVE = """
import os, sys
from pathlib import Path
from ventures.settings import read
from ventures.workers import supervisor
settings = read({"VENTURES_DATA": sys.argv[1], "VENTURES_PORT": "0"})
with supervisor.sole(settings.data):
    say = lambda text: print(text, flush=True)
    supervisor.Supervisor(
        settings=settings, environment={**os.environ, "NOTES": sys.argv[1]}, listening=supervisor.listen(settings),
        database=None, say=say, command=[sys.executable, "-I", "-S", sys.argv[2]],
    ).run(ready=lambda: say("ready"))
"""


class Serving:
    """A supervisor in a process of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        child = data / "child.py"
        child.write_text(CHILD)
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(SERVE), str(data), str(child)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def hear(self, word: str) -> str:
        """Its next line with this word. Fails where it ends without."""
        assert self.process.stdout is not None
        impatient = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        impatient.start()
        try:
            for line in self.process.stdout:
                if word in line:
                    return line
        finally:
            impatient.cancel()
        raise AssertionError(f"it ended without saying {word!r}")

    def settled(self) -> dict[str, psutil.Process]:
        """All four, once each of them listens to signals."""
        self.hear("ready")
        started = self.data / "starts"
        _until(lambda: len(started.read_text().split()) >= 4)
        found: dict[str, psutil.Process] = _until(lambda: len(found := self.children()) == 4 and found)
        return found

    def children(self, kind: str | None = None) -> dict[str, psutil.Process]:
        """The living ones, by kind and number."""
        told: dict[str, Any] = supervisor.state(self.data)
        alive = {f"{c['kind']} {c['number']}": supervisor.alive(c) for c in told.get("children", ())}
        return {name: p for name, p in alive.items() if p is not None and (kind is None or name.startswith(kind))}


def _until(true: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not (value := true()):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return value


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[], Serving]]:
    started: list[Serving] = []

    def start() -> Serving:
        started.append(Serving(tmp_path))
        return started[-1]

    yield start
    for serving in started:
        left = list(serving.children().values())
        serving.process.kill()
        serving.process.wait()
        assert serving.process.stdout is not None
        serving.process.stdout.close()
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue


def test_a_child_that_dies_is_started_again(serve: Callable[[], Serving]) -> None:
    serving = serve()
    before = serving.settled()
    for name in ("api 2", "worker 1", "index 1"):
        before[name].kill()
        assert "SIGKILL" in serving.hear(name)
    after = _until(lambda: len(found := serving.children()) == 4 and found)
    assert after["api 1"].pid == before["api 1"].pid
    assert after["api 2"].pid != before["api 2"].pid
    assert after["worker 1"].pid != before["worker 1"].pid
    assert after["index 1"].cmdline()[-4:] == ["index", "--supervised", "--number", "1"]


def test_who_keeps_dying_is_started_less_and_less_often(serve: Callable[[], Serving], tmp_path: Path) -> None:
    (tmp_path / "dying").touch()
    serving = serve()
    lines = [serving.hear("worker 1") for _ in range(3)]
    assert [line.split(" in ")[1].strip() for line in lines] == ["0.1 s", "0.2 s", "0.4 s"]
    assert "exit code 7" in lines[0]
    (tmp_path / "dying").unlink()
    serving.hear("ready")


def test_an_api_that_never_starts_ends_it_all(serve: Callable[[], Serving], tmp_path: Path) -> None:
    (tmp_path / "dying").touch()
    serving = serve()
    serving.hear("api 1 ended with exit code 7; starting it again in 0.8 s")
    assert serving.process.wait(PATIENCE_SECONDS) == 1
    assert serving.children() == {}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_the_api_ends_before_the_workers_and_these_before_the_index(
    serve: Callable[[], Serving], tmp_path: Path, how: signal.Signals
) -> None:
    serving = serve()
    children = serving.settled()
    serving.process.send_signal(how)
    assert serving.process.wait() == 0
    assert (tmp_path / "ends").read_text().split() == ["api", "api", "worker", "index"]
    assert not any(child.is_running() for child in children.values())
    assert supervisor.state(tmp_path) == {}


def test_told_twice_it_ends_at_once(serve: Callable[[], Serving], tmp_path: Path) -> None:
    (tmp_path / "deaf").touch()
    serving = serve()
    children = serving.settled()
    serving.process.terminate()
    time.sleep(0.3)
    assert serving.process.poll() is None, "it waits for children that do not listen"
    serving.process.terminate()
    assert serving.process.wait() == 1
    _until(lambda: not any(child.is_running() for child in children.values()))


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_killed_it_takes_its_children_along(serve: Callable[[], Serving]) -> None:
    serving = serve()
    children = serving.settled()
    serving.process.kill()
    _until(lambda: not any(supervisor.alive({"pid": c.pid, "created": c.create_time()}) for c in _living(children)))


def _living(children: dict[str, psutil.Process]) -> list[psutil.Process]:
    return [child for child in children.values() if child.is_running()]


def test_the_next_start_ends_what_a_killed_one_left(serve: Callable[[], Serving], tmp_path: Path) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        created = psutil.Process(left.pid).create_time()
        children = [
            {"kind": "api", "number": 1, "pid": left.pid, "created": created},
            {"kind": "api", "number": 2, "pid": stranger.pid, "created": created - 1000},
        ]
        supervisor.state_file(tmp_path).write_text(json.dumps({"pid": 1, "created": 0, "children": children}))
        serving = serve()
        serving.hear("ready")
        assert left.wait() == -signal.SIGTERM
        assert stranger.poll() is None, "a process that only got the number is left alone"
    finally:
        for process in (left, stranger):
            process.kill()
            process.wait()


def test_two_on_the_same_data_is_one_too_many(serve: Callable[[], Serving], tmp_path: Path) -> None:
    serve().hear("ready")
    with pytest.raises(SettingsError, match="runs already"), supervisor.sole(tmp_path):
        pass


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with supervisor.listen(read({"VENTURES_PORT": "0"})) as held, supervisor.another(held):
        port = held.getsockname()[1]
        with pytest.raises(SettingsError, match=f"Port {port} of 127.0.0.1 cannot be had .* Set VENTURES_PORT"):
            supervisor.listen(read({"VENTURES_PORT": str(port)}))


def test_processes_share_the_connections_of_one_address() -> None:
    with supervisor.listen(read({"VENTURES_PORT": "0"})) as held, ExitStack() as stack:
        own = [stack.enter_context(supervisor.another(held)) for _ in range(2)]
        for one in own:
            one.setblocking(False)
        for _ in range(100):
            stack.enter_context(socket.create_connection(held.getsockname()))
        taken = [0, 0]
        for number, one in enumerate(own):
            with suppress(BlockingIOError):
                while True:
                    stack.enter_context(one.accept()[0])
                    taken[number] += 1
        assert sum(taken) == 100
        if supervisor.SPREADS:
            assert min(taken) > 0
