"""`ventures serve`: one process that keeps all others running, and PostgreSQL where it is ours.

Whatever dies is started again, with a pause that grows while it keeps dying. Told to stop, it lets the API finish its
requests, then the workers their batch, then the index its flush, then PostgreSQL; told twice, it ends at once. The
kernel tells the children when it ends in any other way; what such an end leaves behind, the next start clears away.
"""

import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

from ventures.database import embedded
from ventures.database.halted import HaltedServer
from ventures.database.parent import dies_with_parent
from ventures.errors import DatabaseUnfit, SettingsError, VenturesError
from ventures.settings import Settings

BACKLOG: Final = 2048
SHORTEST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 10.0
STEADY_SECONDS: Final = 20.0
"""Who ran so long before dying is started again after the shortest pause."""
DRAIN_SECONDS: Final[Mapping[str, float]] = {"api": 15.0, "worker": 30.0, "index": 20.0}
"""How long each kind gets to finish, in the order in which they are told to stop."""
LEFT_BEHIND_SECONDS: Final = 5.0
"""What a killed `serve` left running gets to finish once the next one is there."""
FRUITLESS_STARTS: Final = 5
"""An API that ended so often before it ever answered would not the next time either."""
LOOK_SECONDS: Final = 0.25
SPREADS: Final = sys.platform == "linux"
"""SO_REUSEPORT spreads connections there; elsewhere the last socket gets them all."""

Say = Callable[[str], None]


class Unstartable(VenturesError):
    """The processes end before they did anything; trying on would only hide why."""


@dataclass
class Child:
    """One of the processes, running or between two lives."""

    kind: str
    number: int
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    again_at: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.kind} {self.number}"


@dataclass
class Supervisor:
    """The processes of one `serve`. `environment`: the children's; `database`: the data folder of our PostgreSQL."""

    settings: Settings
    environment: Mapping[str, str]
    listening: socket.socket
    database: Path | None
    say: Say
    command: Sequence[str] = (sys.executable, "-m", "ventures.cli")
    children: list[Child] = field(default_factory=list)
    asked_to_stop: int = 0
    _halted: HaltedServer = field(default_factory=HaltedServer)
    _database_deaths: int = 0
    _database_again_at: float = 0.0
    _ready: tuple[int, int] = (-1, -1)

    def run(self, *, ready: Callable[[], None]) -> None:
        """Until SIGTERM or SIGINT. Calls `ready` once, when the first process answers requests.

        Raises: Unstartable where the API ends again and again before it ever answered.
        """
        self.children = [Child("api", n + 1) for n in range(self.settings.api_processes)]
        self.children += [Child("worker", n + 1) for n in range(self.settings.worker_processes)]
        self.children += [Child("index", n + 1) for n in range(self.settings.index_processes)]
        self._ready = os.pipe()
        with _woken_by_signals(self._on_signal) as wake:
            try:
                while not self.asked_to_stop:
                    self._look()
                    heard, _, _ = select.select([wake, self._ready[0]], [], [], LOOK_SECONDS)
                    if wake in heard:
                        os.read(wake, 4096)
                    if self._ready[0] in heard and os.read(self._ready[0], 4096) and ready is not _nothing:
                        ready()
                        ready = _nothing
                    if ready is not _nothing and any(
                        c.deaths >= FRUITLESS_STARTS for c in self.children if c.kind == "api"
                    ):
                        raise Unstartable("The API does not start; why is said above. Everything is stopped.")
            finally:
                self._stop()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGCHLD:
            return
        self.asked_to_stop += 1
        if self.asked_to_stop > 1:
            for child in self.children:
                if child.process is not None:
                    child.process.kill()
            if self.database is not None and (server := embedded.running(self.database)):
                with suppress(ProcessLookupError):
                    os.kill(server, signal.SIGQUIT)  # immediate: the next start recovers
            os._exit(1)

    def _look(self) -> None:
        now = time.monotonic()
        self._look_at_database(now)
        changed = False
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                changed = True
                self._died(child, child.process.returncode, now)
            if child.process is None and now >= child.again_at:
                changed = True
                self._spawn(child, now)
        if changed:
            self._write_state()

    def _look_at_database(self, now: float) -> None:
        if self.database is None or now < self._database_again_at:
            return
        if (server := embedded.running(self.database)) is not None:
            if self._halted.ended(server):
                self.say("PostgreSQL neither served nor recovered; it was ended")
            return
        self.say("PostgreSQL ended; starting it again")
        try:
            embedded.start(self.database, ends_with_us=True)
            self._database_deaths = 0
        except (DatabaseUnfit, OSError) as error:
            self._database_deaths += 1
            pause = _pause(self._database_deaths)
            self._database_again_at = time.monotonic() + pause
            self.say(f"{error} Trying again in {pause:g} s.")

    def _spawn(self, child: Child, now: float) -> None:
        command = [*self.command, child.kind]
        handed: tuple[int, ...] = ()
        own = another(self.listening) if child.kind == "api" else None
        if own is not None:
            handed = (own.fileno(), self._ready[1])
            command += ["--socket", str(handed[0]), "--ready", str(handed[1])]
        else:
            command += ["--supervised"]
        if child.kind == "index":
            command += ["--number", str(child.number)]
        child.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            env={**self.environment},
            pass_fds=handed,
            start_new_session=True,  # Ctrl-C in a terminal is for us, who then stop things in order
            preexec_fn=dies_with_parent(signal.SIGTERM),
        )
        child.started_at = now
        if own is not None:
            own.close()

    def _died(self, child: Child, code: int, now: float) -> None:
        child.deaths = 1 if now - child.started_at > STEADY_SECONDS else child.deaths + 1
        pause = _pause(child.deaths)
        child.again_at = now + pause
        child.process = None
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self.say(f"{child.name} {how}; starting it again in {pause:g} s")

    def _stop(self) -> None:
        self.listening.close()
        for kind in DRAIN_SECONDS:
            running = [(c, c.process) for c in self.children if c.kind == kind and c.process is not None]
            for _, process in running:
                process.terminate()
            deadline = time.monotonic() + DRAIN_SECONDS[kind]
            for child, process in running:
                try:
                    process.wait(max(deadline - time.monotonic(), 0.01))
                except subprocess.TimeoutExpired:
                    self.say(f"{child.name} did not finish in {DRAIN_SECONDS[kind]:g} s; ended")
                    process.kill()
                    process.wait()
        if self.database is not None:
            embedded.stop(self.database)
        state_file(self.settings.data).unlink(missing_ok=True)
        for end in self._ready:
            os.close(end)

    def _write_state(self) -> None:
        """What `doctor` and the next start read: who is there, told from strangers by when they began."""
        children = [
            {"kind": child.kind, "number": child.number, **_identity(child.process.pid)}
            for child in self.children
            if child.process is not None
        ]
        state = {**_identity(os.getpid()), "url": self.settings.local_url, "children": children}
        file = state_file(self.settings.data)
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(state))
        unfinished.rename(file)


def listen(settings: Settings) -> socket.socket:
    """The address that API processes take connections from: held, so that nobody else gets it, and where the system
    spreads connections over several sockets (Linux) not listened on by itself; `another` makes the processes' own.

    Raises: SettingsError where the port is taken or not ours to take.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with _made(family, spread=False) as trial:  # an address that is shared is given out again and again
            trial.bind((settings.host, settings.port))
            address = trial.getsockname()
        held = _made(family, spread=SPREADS)
        held.bind(address)
        if not SPREADS:
            held.listen(BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"Port {settings.port} of {settings.host} cannot be had ({error.strerror}). Set VENTURES_PORT to another "
            "one (0 takes a free one), or stop what listens there."
        ) from None
    return held


def another(held: socket.socket) -> socket.socket:
    """A process's own socket on the held address: the kernel gives each its share of the connections, where
    processes that accept from one socket take as many as they can.
    """
    if not SPREADS:
        return held.dup()
    own = _made(held.family, spread=True)
    own.bind(held.getsockname())
    own.listen(BACKLOG)
    return own


def _made(family: socket.AddressFamily | int, *, spread: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if spread:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return made


@contextmanager
def sole(data: Path) -> Iterator[None]:
    """One `serve` at a time in this data folder; ends what a killed one left running.

    Raises: SettingsError where another one runs.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data / "serve.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"`ventures serve` runs already with the data in {data}. Stop it first, or set VENTURES_DATA."
            ) from None
        left = state(data).get("children", ())
        for how in (signal.SIGTERM, signal.SIGKILL):
            for process in filter(None, map(alive, left)):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(how)
            deadline = time.monotonic() + LEFT_BEHIND_SECONDS
            while any(map(alive, left)) and time.monotonic() < deadline:
                time.sleep(0.05)
        yield


def state_file(data: Path) -> Path:
    """Where a running `serve` says who is there."""
    return data / "serve.json"


def state(data: Path) -> dict[str, Any]:
    """`pid`, `created`, `url`, `children: [{kind, number, pid, created}]` of the last `serve` that was not stopped."""
    try:
        found = json.loads(state_file(data).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def alive(identity: Mapping[str, Any]) -> psutil.Process | None:
    """The process of this `pid` that began at `created`, if it still runs."""
    try:
        process = psutil.Process(int(identity["pid"]))
        same = abs(process.create_time() - float(identity["created"])) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, KeyError, TypeError, ValueError):
        return None


def _identity(pid: int) -> dict[str, Any]:
    try:
        return {"pid": pid, "created": psutil.Process(pid).create_time()}
    except psutil.Error:
        return {"pid": pid, "created": 0.0}


def _pause(deaths: int) -> float:
    return min(SHORTEST_PAUSE_SECONDS * 2.0 ** min(deaths - 1, 10), LONGEST_PAUSE_SECONDS)


def _nothing() -> None:
    return None


@contextmanager
def _woken_by_signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[int]:
    """A descriptor that becomes readable with each signal, so that none is slept through."""
    wake, woken = os.pipe()
    for end in (wake, woken):
        os.set_blocking(end, False)
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
    before = {number: signal.signal(number, handler) for number in signals}
    before_fd = signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    try:
        yield wake
    finally:
        signal.set_wakeup_fd(before_fd)
        for number, was in before.items():
            signal.signal(number, was)
        os.close(wake)
        os.close(woken)
