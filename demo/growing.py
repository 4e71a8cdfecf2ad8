"""Load that grows by steps beside the story, and what the platform's own metrics say of each step.

`ventures load` sends all steps in one run; this follows it by the clock, from its first search on, tells the recorder
how many users there are, and looks at the metrics where one step ends and the next begins.
"""

from __future__ import annotations

import queue
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from demo.figures import Buckets, buckets_of, quantile_between
from demo.platform import Platform
from demo.telling import Failed
from demo.users import Users

SEARCH = "ventures_vector_query_seconds"
LOOK_SECONDS = 0.1
BROKEN_WINDOWS = 2
"""Steps in a row beyond the limit until it counts as broken: a machine alone may stall for one."""
BEGIN_SECONDS = 60.0
"""After which a load that has sent nothing yet is not waited for any longer."""


@dataclass(frozen=True, slots=True)
class Stairs:
    """Users that search, step by step. first, apart: users of the first step, and more in each that follows."""

    first: int
    apart: int
    steps: int
    step_seconds: float

    @property
    def users(self) -> tuple[int, ...]:
        """Of each step."""
        return tuple(self.first + self.apart * number for number in range(self.steps))

    @property
    def seconds(self) -> float:
        """Of all steps together."""
        return self.steps * self.step_seconds

    @property
    def further(self) -> Stairs:
        """As many steps beyond the last."""
        return replace(self, first=self.users[-1] + self.apart)

    @property
    def ramp(self) -> str:
        """As `ventures load` is told."""
        return f"{self.first}:{self.users[-1]}:{self.steps}"


@dataclass(frozen=True, slots=True)
class Window:
    """One step. vector: p95 of asking for vectors, seconds, 0 where nobody asked; exact: share that PostgreSQL
    answered, since the index was too late; per_second: searches.
    """

    users: int
    per_second: float
    vector: float
    exact: float


@dataclass
class Rising:
    """A load under way. It ends with its last step, or when `stop` is called."""

    platform: Platform
    counted: Users
    stairs: Stairs
    sender: subprocess.Popen[str]
    done: bool = False
    """Whether all steps were followed to their end, so that the load ends by itself."""
    _found: queue.Queue[Window | None] = field(default_factory=queue.Queue)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to follow."""
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Follows no longer; the load itself is its owner's to end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def windows(self) -> Iterator[Window]:
        """Each step when it has ended. Raises: Failed where the load never began."""
        while (one := self._found.get()) is not None:
            yield one
        if not self._stop.is_set() and self.counted.count is None:
            raise Failed("the load sent nothing")

    def _follow(self) -> None:
        try:
            self._steps()
        finally:
            self._found.put(None)

    def _steps(self) -> None:
        before = self._begun()
        began = looked = time.monotonic()
        for number, count in enumerate(self.stairs.users):
            self.counted.count = count
            if self._stop.wait(max(0.0, began + (number + 1) * self.stairs.step_seconds - time.monotonic())):
                return
            after, now = self.platform.metrics() or before, time.monotonic()
            self._found.put(window(count, before, after, now - looked))
            before, looked = after, now
        self.done = True

    def _begun(self) -> str:
        """The metrics as they were when the first search was seen."""
        first = latest = self.platform.metrics()
        until = time.monotonic() + BEGIN_SECONDS
        while not observed(first, latest) and time.monotonic() < until and self.sender.poll() is None:
            if self._stop.wait(LOOK_SECONDS):
                break
            latest = self.platform.metrics() or latest
        return latest


def window(users: int, before: str, after: str, seconds: float) -> Window:
    """What lies between two looks at the metrics."""
    whole, exact = observed(before, after), observed(before, after, 'answered_by="exact"')
    vector = quantile_between(buckets_of(before, SEARCH), buckets_of(after, SEARCH), 0.95)
    return Window(users, whole / seconds, vector or 0.0, exact / whole if whole else 0.0)


def observed(before: str, after: str, label: str = "") -> float:
    """Searches between two looks, of those whose labels hold `label`."""
    counts: list[Buckets] = [buckets_of(text, SEARCH, label) for text in (before, after)]
    return max(0.0, counts[1].get(float("inf"), 0.0) - counts[0].get(float("inf"), 0.0))


def broke(windows: Sequence[Window], limit: float, lasting: int) -> int | None:
    """The place of the first window beyond the limit from which on so many in a row are, since one alone may be the
    machine's own; None where there is none yet.
    """
    beyond = 0
    for place, one in enumerate(windows):
        beyond = beyond + 1 if one.vector > limit else 0
        if beyond == lasting:
            return place - lasting + 1
    return None
