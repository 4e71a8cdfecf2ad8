"""kill -9 of any process of the platform at any moment, under load, and what must hold afterwards.

A real `ventures serve` runs on a data directory of its own. Writers draft items over HTTP, each under an
idempotency key, and repeat a request until it is answered: what is answered 201 is *acknowledged*. Meanwhile
processes are killed at random moments: API, worker, PostgreSQL (the postmaster or one of its processes), and the
supervisor itself, which is then started again. Afterwards: every acknowledged item is there exactly once, no item
is there twice, every log is gapless and its chain holds, its replay gives the stored state, and every consumer has
caught up by itself.
"""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

from ventures.database import embedded
from ventures.log.api import all_ventures, lags, read_all, replay, verify_chain
from ventures.settings import read as read_settings
from ventures.wiring import open_platform
from ventures.workers.supervisor import alive, state

PASSWORD = "correct horse battery staple"  # noqa: S105  of people who exist for a minute
KINDS = ("api", "worker", "postmaster", "backend", "serve")
READY_SECONDS = 120.0
CATCH_UP_SECONDS = 120.0


@dataclass
class Outcome:
    """What a storm did and what it left behind; `faults` is empty where every promise held."""

    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    repeated: int = 0
    events: int = 0
    catch_up_seconds: float = 0.0
    slowest_answer_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def serving(data: Path, **settings: str) -> Iterator[dict[str, str]]:
    """A `ventures serve` on `data` until the end; yields the environment that says where it is."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("VENTURES_", "DATABASE_URL"))},
        "VENTURES_DATA": str(data),
        "VENTURES_PORT": str(free_port()),
        "VENTURES_RATE_LIMIT_PER_MINUTE": "1000000",
        "VENTURES_LOG_LEVEL": "error",
        **settings,
    }
    start_serving(environment)
    try:
        yield environment
    finally:
        stop_serving(data)


def start_serving(environment: dict[str, str]) -> None:
    """Starts `ventures serve` and leaves it running; what it says is kept in the data directory."""
    data = Path(environment["VENTURES_DATA"])
    data.mkdir(parents=True, exist_ok=True)
    with (data / "serve.out").open("ab") as said:
        subprocess.Popen(
            [sys.executable, "-m", "ventures.cli", "serve"],
            env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip


def stop_serving(data: Path) -> None:
    """Ends what runs on the data directory, in order."""
    running = alive(state(data))
    if running is not None:
        running.send_signal(signal.SIGTERM)
        with suppress(psutil.TimeoutExpired):
            running.wait(60)
    if embedded.running(data) is not None:
        embedded.stop(data)


async def storm(
    data: Path,
    *,
    kills: int,
    seed: int,
    writers: int = 4,
    ventures: int = 3,
    pause_seconds: tuple[float, float] = (0.2, 1.5),
    keys: bool = True,
    told: Callable[[str], None] = print,
) -> Outcome:
    """Kills so many times at random moments under load, then looks.

    keys: False is the control: requests are repeated without an idempotency key, which must leave items drafted
    twice.

    Raises: TimeoutError where it never comes back.
    """
    outcome, chance = Outcome(), random.Random(seed)  # noqa: S311  repeatable, not secret
    with serving(data) as environment:
        address = f"http://127.0.0.1:{environment['VENTURES_PORT']}"
        async with _member(address) as client:
            logs = [await _founded(client, number) for number in range(ventures)]
            titles: dict[UUID, set[str]] = {venture: set() for venture in logs}
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for number in range(writers):
                    group.create_task(_writer(client, logs, number, titles, outcome, stop, keys))
                for number in range(kills):
                    await asyncio.sleep(chance.uniform(*pause_seconds))
                    killed = await _kill_one(data, environment, chance)
                    outcome.kills[killed] += 1
                    told(f"{number + 1}/{kills} killed {killed}; {outcome.acknowledged} acknowledged")
                await asyncio.sleep(1)
                stop.set()
        await _judge(data, environment, titles, outcome)
    return outcome


@asynccontextmanager
async def _member(address: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that is signed in."""
    async with httpx2.AsyncClient(base_url=address, timeout=20) as client:
        person = {"email": f"{uuid4().hex}@example.org", "password": PASSWORD, "name": "Storm"}
        await _insist(client, "/v1/accounts", person, {201, 409})
        answer = await _insist(client, "/v1/sessions", {"email": person["email"], "password": PASSWORD}, {200, 201})
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        yield client


async def _founded(client: httpx2.AsyncClient, number: int) -> UUID:
    answer = await _insist(client, "/v1/ventures", {"name": f"Venture {number}", "display_name": "Storm"}, {201})
    return UUID(answer.json()["id"])


async def _insist(
    client: httpx2.AsyncClient,
    path: str,
    body: dict[str, str],
    accepted: set[int],
    outcome: Outcome | None = None,
    keys: bool = True,
) -> httpx2.Response:
    """The same request under one idempotency key until it is answered."""
    headers = {"Idempotency-Key": uuid4().hex} if keys else {}
    deadline = time.monotonic() + READY_SECONDS
    while True:
        began = time.monotonic()
        try:
            answer = await client.post(path, json=body, headers=headers)
            if answer.status_code in accepted:
                if outcome is not None:
                    outcome.slowest_answer_seconds = max(outcome.slowest_answer_seconds, time.monotonic() - began)
                return answer
            if answer.status_code < 500:
                raise AssertionError(f"{path} answered {answer.status_code}: {answer.text[:300]}")
        except httpx2.HTTPError as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} did not answer within {READY_SECONDS:.0f} s: {error}") from error
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} did not answer well within {READY_SECONDS:.0f} s")
        if outcome is not None:
            outcome.repeated += 1
        await asyncio.sleep(0.05)


async def _writer(
    client: httpx2.AsyncClient,
    logs: list[UUID],
    number: int,
    titles: dict[UUID, set[str]],
    outcome: Outcome,
    stop: asyncio.Event,
    keys: bool,
) -> None:
    count = 0
    while not stop.is_set():
        venture, title = logs[count % len(logs)], f"{number}-{count}"
        body = {"title": title, "body": "text"}
        await _insist(client, f"/v1/ventures/{venture}/items", body, {201}, outcome, keys)
        titles[venture].add(title)
        outcome.acknowledged += 1
        count += 1


async def _kill_one(data: Path, environment: dict[str, str], chance: random.Random) -> str:
    """Kills one process of a kind drawn at random; → the kind. Waits while none of any kind is there."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        kind = chance.choice(KINDS)
        victims = [process for process in _processes(data, kind) if process.is_running()]
        if victims:
            with suppress(psutil.NoSuchProcess):
                chance.choice(victims).kill()
                if kind == "serve":
                    await asyncio.sleep(0.2)
                    start_serving(environment)
                return kind
        if not _processes(data, "serve") and chance.random() < 0.01:
            start_serving(environment)
        await asyncio.sleep(0.05)
    raise TimeoutError("no process of the platform could be found to kill")


def _processes(data: Path, kind: str) -> list[psutil.Process]:
    if kind == "serve":
        running = alive(state(data))
        return [running] if running else []
    if kind in ("api", "worker"):
        children = state(data).get("children", ())
        return [process for child in children if child["kind"] == kind and (process := alive(child)) is not None]
    postmaster = embedded.running(data)
    if postmaster is None:
        return []
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(postmaster)
        return [process] if kind == "postmaster" else process.children()
    return []


async def _judge(data: Path, environment: dict[str, str], titles: dict[UUID, set[str]], outcome: Outcome) -> None:
    settings = read_settings({name: value for name, value in environment.items() if name.startswith("VENTURES_")})
    began = time.monotonic()
    async with open_platform(settings, embedded.addresses(data).app) as platform:
        while behind := [
            lag for lag in await lags(platform.database, platform.consumers, platform.now()) if lag.events
        ]:
            if time.monotonic() - began > CATCH_UP_SECONDS:
                outcome.faults += [f"{lag.consumer} is still {lag.events} events behind" for lag in behind]
                break
            await asyncio.sleep(0.1)
        outcome.catch_up_seconds = time.monotonic() - began
        outcome.faults += [
            f"{lag.consumer} parked {lag.parked} events"
            for lag in await lags(platform.database, platform.consumers, platform.now())
            if lag.parked
        ]
        for venture in await all_ventures(platform.database):
            async with platform.database.venture(venture) as scope:
                if (fault := await verify_chain(scope)) is not None:
                    outcome.faults.append(f"chain of {venture}: {fault[1]}")
                drafted: Counter[str] = Counter()
                async for event in read_all(scope, platform.registry):
                    outcome.events += 1
                    if event.type == "content.item_drafted":
                        drafted[getattr(event.data, "title", "")] += 1
            wanted = titles.get(venture, set())
            if lost := wanted - set(drafted):
                outcome.faults.append(f"{len(lost)} acknowledged items of {venture} are lost: {sorted(lost)[:5]}")
            if twice := [title for title, count in drafted.items() if count > 1]:
                outcome.faults.append(f"{len(twice)} items of {venture} were drafted twice: {sorted(twice)[:5]}")
            replayed = await replay(platform.database, platform.registry, venture)
            outcome.faults += [f"replay of {venture}: {one}" for one in replayed.differences[:5]]
