"""Carries a population out: accounts, then ventures, then the consumers of their logs, each by all processes.

Whatever is complete stays when it is interrupted, and is found again by the next run, which makes the rest.
"""

import asyncio
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, Literal

import msgspec
import uvloop

from ventures.accounts import api as accounts
from ventures.errors import VenturesError
from ventures.log.api import lags
from ventures.population import grammar
from ventures.population.making import Job, Made, Task, Work
from ventures.population.shape import Joining, Plan, account_id, email, joinings, sizes
from ventures.settings import Settings, read
from ventures.wiring import Platform, open_platform

Stage = Literal["accounts", "ventures", "consumers"]
ACCOUNTS_AT_ONCE: Final = 500
LOOK_SECONDS: Final = 0.2
SETTLE_SECONDS: Final = 0.5


class Interrupted(VenturesError):
    """Ended by Ctrl-C; what is complete stays."""


class Progress(msgspec.Struct, frozen=True):
    """Where it is. done, of: accounts, passages, or ventures whose consumers caught up. seconds: of this stage."""

    stage: Stage
    done: int
    of: int
    seconds: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was made now; `seconds` by stage. behind: events that consumers have still to see, or None where nobody
    waited for them.
    """

    accounts: int
    ventures: int
    items: int
    passages: int
    events: int
    behind: int | None
    seconds: dict[Stage, float]


class OneHash(accounts.Passwords):
    """All accounts of a population have one password, hashed once: a hash for each would take a core for an hour."""

    def __init__(self, kept: str) -> None:
        super().__init__()
        self._kept = kept

    async def hashed(self, password: str) -> str:
        """The one hash."""
        return self._kept


def populate(
    plan: Plan,
    environ: Mapping[str, str],
    *,
    password: str,
    processes: int,
    follow: bool = True,
    told: Callable[[Progress], None],
) -> Outcome:
    """Makes what is missing of the plan.

    environ: the platform's settings with DATABASE_URL, for this and its processes. password: of all accounts made now.
    follow: also runs the consumers until they have seen everything; a running installation's own do it otherwise.

    Raises: Interrupted, and what opening the platform raises.
    """
    settings = read(environ)
    watch = _Watch(told)
    with _interruptible() as stopped:
        watch.begins("accounts", plan.users)
        made_accounts = uvloop.run(_sign_up(plan, settings, password, watch, stopped))
        works = _works(plan)
        watch.begins("ventures", sum(work.passages for work in works))
        made = _by_processes("write", works, plan.seed, environ, processes, watch, stopped)
        behind = None
        if follow and not stopped():
            watch.begins("consumers", len(works))
            _by_processes("follow", works, plan.seed, environ, processes, watch, stopped)
            behind = uvloop.run(_behind(settings))
        watch.ends()
        if stopped():
            raise Interrupted("Interrupted; what is complete stays. Run the same command again to go on.")
    return Outcome(
        accounts=made_accounts,
        ventures=sum(one.ventures for one in made),
        items=sum(one.items for one in made),
        passages=sum(one.passages for one in made),
        events=sum(one.events for one in made),
        behind=behind,
        seconds=watch.seconds,
    )


class _Watch:
    """Times the stages and tells how far they are."""

    def __init__(self, told: Callable[[Progress], None]) -> None:
        self.seconds: dict[Stage, float] = {}
        self._told = told
        self._stage: Stage | None = None
        self._of = self._done = 0
        self._began = 0.0

    def begins(self, stage: Stage, of: int) -> None:
        self.ends()
        self._stage, self._of, self._done, self._began = stage, of, 0, time.monotonic()

    def ends(self) -> None:
        if self._stage is not None:
            self.seconds[self._stage] = time.monotonic() - self._began

    def more(self, done: int) -> None:
        self._done += done
        if self._stage is not None:
            self._told(Progress(self._stage, self._done, self._of, time.monotonic() - self._began))


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """The first SIGINT or SIGTERM is remembered rather than raised, so that what is under way ends in order."""
    seen: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    ours = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, remember) for number in ours}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _sign_up(plan: Plan, settings: Settings, password: str, watch: _Watch, stopped: Callable[[], bool]) -> int:
    made = 0
    async with open_platform(settings, settings.database_address) as platform:
        one_hash: OneHash | None = None
        for first in range(0, plan.users, ACCOUNTS_AT_ONCE):
            if stopped():
                break
            users = {
                account_id(plan.seed, user): user for user in range(first, min(first + ACCOUNTS_AT_ONCE, plan.users))
            }
            async with platform.database.everywhere() as scope:
                known = await accounts.accounts(scope, list(users))
            missing = [user for identifier, user in users.items() if identifier not in known]
            if missing and one_hash is None:
                one_hash = OneHash(await accounts.Passwords().hashed(password))
            if one_hash is not None:
                hashed = one_hash
                await asyncio.gather(*(_account(platform, plan.seed, user, password, hashed) for user in missing))
            made += len(missing)
            watch.more(len(users))
    return made


async def _account(platform: Platform, seed: int, user: int, password: str, hashed: OneHash) -> None:
    await accounts.sign_up(
        platform.database,
        hashed,
        email=email(seed, user),
        password=password,
        name=grammar.person_name(seed, user),
        now=platform.now(),
        new_id=lambda: account_id(seed, user),
    )


def _works(plan: Plan) -> list[Work]:
    """The largest first."""
    people: defaultdict[int, list[Joining]] = defaultdict(list)
    for one in joinings(plan):
        people[one.venture].append(one)
    found = [Work(number, size, tuple(people[number])) for number, size in enumerate(sizes(plan))]
    return sorted(found, key=lambda work: -work.passages)


def _by_processes(
    task: Task,
    works: Sequence[Work],
    seed: int,
    environ: Mapping[str, str],
    processes: int,
    watch: _Watch,
    stopped: Callable[[], bool],
) -> list[Made]:
    """Does all of the works, dealt out so that every process has about as many passages. Raises: VenturesError."""
    hands: list[list[Work]] = [[] for _ in range(min(processes, len(works)))]
    loads = [0] * len(hands)
    for work in works:
        least = loads.index(min(loads))
        hands[least].append(work)
        loads[least] += work.passages + 5
    told: queue.Queue[Made | None] = queue.Queue()
    running = [_started(Job(task, seed, tuple(hand)), environ, told) for hand in hands]
    made: list[Made] = []
    ended = 0
    told_to_end = False
    while ended < len(running):
        if stopped() and not told_to_end:
            told_to_end = True
            for process in running:
                process.terminate()
        with suppress(queue.Empty):
            one = told.get(timeout=LOOK_SECONDS)
            if one is None:
                ended += 1
                continue
            made.append(one)
            watch.more(one.passages if task == "write" else one.finished)
    if any(process.wait() for process in running):
        raise VenturesError("A process ended with a fault, which it printed. Run the same command again to go on.")
    return made


def _started(job: Job, environ: Mapping[str, str], told: "queue.Queue[Made | None]") -> subprocess.Popen[bytes]:
    """A process that does the job; what it makes, and None at its end, comes into the queue."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ventures.population.making"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(environ),
        start_new_session=True,  # the terminal's Ctrl-C is for us alone
    )
    decoder = msgspec.json.Decoder(Made)

    def read() -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError), process.stdin as giving:
            giving.write(msgspec.msgpack.encode(job))
        for line in process.stdout:
            told.put(decoder.decode(line))
        told.put(None)

    threading.Thread(target=read, daemon=True).start()
    return process


async def _behind(settings: Settings) -> int:
    """Events that some consumer has still to see, once nothing moves any more."""
    async with open_platform(settings, settings.database_address) as platform:
        before = -1
        while True:
            behind = sum(lag.events for lag in await lags(platform.database, platform.consumers, platform.now()))
            if behind in (0, before):
                return behind
            before = behind
            await asyncio.sleep(SETTLE_SECONDS)
