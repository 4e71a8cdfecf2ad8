"""The processes of the installation on this machine, and what they take.

`ventures serve` writes down who it started (`serve.json` in the data folder); where it does not run, there is this
process alone to look at. Whether a process is still the same one is told by when it began.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

from ventures.database import embedded
from ventures.settings import Settings
from ventures.signals.records import ProcessKind, ProcessUse

STATE_FILE: Final = "serve.json"
KEPT_SECONDS: Final = 1.5
"""Several scrapers at once are told the same."""
SAME_SECONDS: Final = 1.0
"""How exactly the system remembers when a process began."""
KINDS: Final = frozenset(get_args(ProcessKind))


class Processes:
    """What all processes of the installation take, looked up at most every KEPT_SECONDS. clock: monotonic seconds."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._at = float("-inf")
        self._found: list[ProcessUse] = []

    def use(self) -> list[ProcessUse]:
        """By kind and number."""
        if self._clock() - self._at > KEPT_SECONDS:
            self._found, self._at = list(_looked_up(self._settings)), self._clock()
        return self._found


def _looked_up(settings: Settings) -> Iterable[ProcessUse]:
    told = _told(settings.data)
    supervisor = _same(told)
    if supervisor is None:
        yield _use("api", f"api-{os.getpid()}", psutil.Process())
        return
    yield _use("serve", "serve", supervisor)
    for child in told.get("children", ()):
        process = _same(child)
        if process is not None and child.get("kind") in KINDS:
            with suppress(psutil.Error):
                yield _use(child["kind"], f"{child['kind']}-{child['number']}", process)
    if (server := embedded.running(settings.data)) is not None:
        with suppress(psutil.Error):
            yield _postgresql(psutil.Process(server))


def _told(data: Path) -> dict[str, Any]:
    try:
        found = msgspec.json.decode((data / STATE_FILE).read_bytes())
    except (OSError, msgspec.DecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _same(identity: Mapping[str, Any]) -> psutil.Process | None:
    """The process of this `pid` that began at `created`, if it still runs."""
    try:
        process = psutil.Process(int(identity["pid"]))
        same = abs(process.create_time() - float(identity["created"])) < SAME_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, KeyError, TypeError, ValueError):
        return None


def _use(kind: ProcessKind, name: str, process: psutil.Process) -> ProcessUse:
    with process.oneshot():
        times, memory = process.cpu_times(), process.memory_info()
    return ProcessUse(
        kind=kind, name=name, pid=process.pid, cpu_seconds=times.user + times.system, resident_bytes=memory.rss
    )


def _postgresql(server: psutil.Process) -> ProcessUse:
    """The server with its processes. Those that ended count in the server's own time, so that it never falls back."""
    cpu, own, shared = 0.0, 0, 0
    for process in (server, *server.children()):
        with suppress(psutil.NoSuchProcess), process.oneshot():
            times, memory = process.cpu_times(), process.memory_info()
            ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
            cpu += times.user + times.system + ended
            own += memory.rss - getattr(memory, "shared", 0)
            shared = max(shared, getattr(memory, "shared", 0))
    return ProcessUse(
        kind="postgresql", name="postgresql", pid=server.pid, cpu_seconds=cpu, resident_bytes=own + shared
    )


def machine_busy_seconds() -> float:
    """Seconds for which this machine's cores were busy since it started, as the mean of them: 1 a second is all."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    return float(sum(times[:8]) - idle) / (psutil.cpu_count() or 1)
