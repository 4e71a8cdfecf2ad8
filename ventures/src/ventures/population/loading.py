"""Open-loop load: requests leave when they were to, whatever became of those before, and are timed from then.

A server that stalls cannot slow the load down, so it cannot hide: whatever was to be sent meanwhile counts as late
from the moment it was to be sent. So many requests may be under way at most; what finds that many is *dropped*, and
counted.
"""

import asyncio
import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Protocol

import msgspec

from ventures.population.connection import FAILED, Ask, Connection
from ventures.population.latencies import Latencies

TICK_SECONDS: Final = 0.001
LOOK_SECONDS: Final = 0.25
TIMEOUT_SECONDS: Final = 15.0
"""What is not answered by then is an error, and its connection is ended."""
BUSY: Final = 0.85
"""Share of a core from which on the generator's own waiting shows in what it measures."""
LATE_SECONDS: Final = 0.02
"""How late one in a hundred requests may leave for the same."""
FINE: Final = frozenset({200, 201, 202, 204, 304})


class Source(Protocol):
    """Where requests come from."""

    def next(self) -> Ask:
        """The next one."""


class Level(msgspec.Struct, frozen=True):
    """One step of a ramp: so many requests a second, for so long. users: whose rate it is."""

    users: float
    per_second: float
    seconds: float


class Step:
    """What came of one level. lateness: from when a request was to leave until this process came to it;
    cpu_seconds: of this process. latencies, by operation: of good answers; a request that got none, or was not sent
    (`lost`), counts as if it took the time-out, so that nothing looks quicker for having failed. Refusals and
    faults are errors and have no latency.
    """

    def __init__(self, level: Level, operations: int) -> None:
        self.level = level
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self.offered = self.dropped = self.answered = self.unmodified = 0
        self.errors: Counter[tuple[int, str]] = Counter()
        self.latencies = [Latencies() for _ in range(operations)]
        self.lost = Latencies()
        self.lateness = Latencies()

    @property
    def whole(self) -> Latencies:
        """Of all operations."""
        found = Latencies()
        for one in self.latencies:
            found.merge(one)
        found.merge(self.lost)
        return found

    @property
    def saturated(self) -> bool:
        """Whether the figures are the generator's own."""
        late = self.lateness.quantile(0.99) or 0.0
        return self.seconds > 0 and (self.cpu_seconds / self.seconds > BUSY or late > LATE_SECONDS)


class Load:
    """Sends a workload to one server. most: requests that may be under way at a time."""

    def __init__(
        self,
        host: str,
        port: int,
        source: Source,
        operations: int,
        *,
        most: int,
        luck: Random,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self.steps: list[Step] = []
        self._host, self._port = host, port
        self._source = source
        self._operations = operations
        self._most = most
        self._luck = luck
        self._timeout = timeout
        self._free: list[Connection] = []
        self._under_way: dict[Ask, Connection | None] = {}
        self._step_of: dict[Ask, Step] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def under_way(self) -> int:
        """Requests that are not answered yet."""
        return len(self._under_way)

    def stop(self) -> None:
        """Ends after what is under way."""
        self._stopping = True

    async def run(self, levels: Sequence[Level], told: Callable[[Step], None]) -> list[Step]:
        """All levels one after the other; told: now and then, with the step that is under way."""
        for level in levels:
            if not self._stopping:
                await self._level(level, told)
        ends = time.perf_counter() + self._timeout
        while self._under_way and time.perf_counter() < ends:
            await asyncio.sleep(LOOK_SECONDS / 10)
            self._end_overdue()
        self._end_overdue(ends=True)
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in self._free:
            connection.close("done")
        self._free.clear()
        return self.steps

    async def _level(self, level: Level, told: Callable[[Step], None]) -> None:
        step = Step(level, self._operations)
        self.steps.append(step)
        began, cpu = time.perf_counter(), _cpu_seconds()
        ends, looked = began + level.seconds, began
        due = began + self._luck.expovariate(level.per_second)
        while (now := time.perf_counter()) < ends and not self._stopping:
            while due <= now and due < ends:
                self._offer(step, due, now)
                due += self._luck.expovariate(level.per_second)
                now = time.perf_counter()
            if now - looked >= LOOK_SECONDS:
                looked = now
                step.seconds, step.cpu_seconds = now - began, _cpu_seconds() - cpu
                self._end_overdue()
                told(step)
            await asyncio.sleep(min(max(due - now, TICK_SECONDS), LOOK_SECONDS))
        while due < ends and not self._stopping:  # what fell due while this process did not run
            self._offer(step, due, time.perf_counter())
            due += self._luck.expovariate(level.per_second)
        step.seconds, step.cpu_seconds = time.perf_counter() - began, _cpu_seconds() - cpu

    def _offer(self, step: Step, due: float, now: float) -> None:
        step.offered += 1
        step.lateness.add(now - due)
        if len(self._under_way) >= self._most:
            step.dropped += 1
            step.lost.add(self._timeout)
            return
        ask = self._source.next()
        ask.intended = due
        self._step_of[ask] = step
        while self._free:
            connection = self._free.pop()
            if connection.open:
                self._under_way[ask] = connection
                ask.sent = now
                connection.send(ask)
                return
        self._under_way[ask] = None
        opening = asyncio.get_running_loop().create_task(self._open(ask))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _open(self, ask: Ask) -> None:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._answered, self._ended), self._host, self._port
            )
        except OSError as error:
            self._failed(ask, f"no connection: {error.strerror or error}")
            return
        if ask not in self._under_way:  # given up meanwhile
            self._free.append(connection)
            return
        self._under_way[ask] = connection
        ask.sent = time.perf_counter()
        connection.send(ask)

    def _answered(self, connection: Connection, ask: Ask) -> None:
        ask.answered = time.perf_counter()
        if connection.open:
            self._free.append(connection)
        if self._under_way.pop(ask, None) is None:
            return
        step = self._step_of.pop(ask)
        step.answered += 1
        if ask.status not in FINE:
            step.errors[ask.operation, f"{ask.status} {_kind(ask.body)}".strip()] += 1
        else:
            step.latencies[ask.operation].add(ask.answered - ask.intended)
            step.unmodified += ask.status == 304
        if ask.done is not None:
            try:
                ask.done(ask.status, ask.version, ask.body)
            except msgspec.MsgspecError:
                step.errors[ask.operation, f"{ask.status}, and nothing that can be read"] += 1

    def _ended(self, connection: Connection, ask: Ask | None, why: str) -> None:
        if ask is None:
            if connection in self._free:
                self._free.remove(connection)
            return
        self._failed(ask, why)

    def _failed(self, ask: Ask, why: str) -> None:
        self._under_way.pop(ask, None)
        step = self._step_of.pop(ask, None)
        if step is None:
            return
        step.errors[ask.operation, why] += 1
        step.latencies[ask.operation].add(max(self._timeout, time.perf_counter() - ask.intended))
        if ask.done is not None:
            ask.done(FAILED, 0, b"")

    def _end_overdue(self, *, ends: bool = False) -> None:
        """Requests stand in the order in which they left, so the first that is in time ends the search."""
        now = time.perf_counter()
        overdue = []
        for ask in self._under_way:
            if not ends and now - ask.intended < self._timeout:
                break
            overdue.append(ask)
        for ask in overdue:
            connection = self._under_way.get(ask)
            if connection is not None:
                connection.close("no answer in time")
            self._failed(ask, "no answer in time")


def levels(ramp: tuple[float, float, int], rate_per_user: float, seconds: float) -> list[Level]:
    """Steps from so many users to so many, evenly apart, that together take so many seconds."""
    first, last, steps = ramp
    apart = (last - first) / (steps - 1) if steps > 1 else 0.0
    counts = [first + apart * number for number in range(steps)]
    return [Level(users, users * rate_per_user, seconds / steps) for users in counts]


def _kind(body: bytes) -> str:
    """The last part of a problem's type."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.MsgspecError:
        return ""
    return problem.type.rpartition(":")[2]


class _Problem(msgspec.Struct):
    type: str = ""


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
