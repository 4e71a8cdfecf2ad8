"""kill -9 of any process of the platform at any moment, under load, and what must hold afterwards.

A real `ventures serve` runs on a data folder of its own. Writers draft items over HTTP, each under an idempotency
key, and repeat a request until it is answered: what is answered 201 is *acknowledged*. Meanwhile processes are killed
at random moments, under load or while the platform recovers from the last kill: API, worker, PostgreSQL (the
postmaster or one of its processes), and `serve` itself, which is started again whenever it ended, as a service manager
does. Afterwards: every acknowledged item is there exactly once, no item is there twice, every log is gapless and its
chain holds, its replay gives the stored state, every consumer has caught up by itself, and what they counted is what
the logs say. Nothing but "not now" (503, or no answer) was said meanwhile.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import httpx2
import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

from ventures.http.authentication import CSRF_HEADER
from ventures.log.api import all_ventures, lags, read_all, replay, verify_chain
from ventures.testing.serving import KINDS, Kind, Serving, serving
from ventures.wiring import Platform, open_platform

PASSWORD: Final = "correct horse battery staple"  # noqa: S105  of people who exist for a minute
PATIENCE_SECONDS: Final = 180.0
"""Only so that a fault ends the storm instead of hanging it."""
CATCH_UP_SECONDS: Final = 120.0
RESTART_SECONDS: Final = 1.0
UNDER_LOAD_RATIO: Final = 0.7
"""Of the kills; the others may hit a platform that has not yet recovered from the last one."""
SHOWN: Final = 5


@dataclass
class Outcome:
    """What a storm did and what it left behind; `faults` is empty where every promise held.

    repeated: requests sent again, by why ("503", "no answer"). restarts: of `serve`, killed or ended by itself.
    lost: acknowledged and not there. twice: items beyond the first of the same request. longest_outage_seconds: in
    which nobody was acknowledged anything.
    """

    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    repeated: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    events: int = 0
    lost: int = 0
    twice: int = 0
    longest_outage_seconds: float = 0.0
    catch_up_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


@dataclass
class Writers:
    """Who drafts items meanwhile, and what they were acknowledged: titles by venture."""

    client: httpx2.AsyncClient
    ventures: list[UUID]
    outcome: Outcome
    keys: bool
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    titles: dict[UUID, set[str]] = field(default_factory=dict)
    answered_at: float = field(default_factory=time.monotonic)

    async def write(self, number: int) -> None:
        """One writer, until told to stop; what it began it ends."""
        count = 0
        while not self.stop.is_set():
            venture, title = self.ventures[count % len(self.ventures)], f"{number}-{count}"
            body = {"title": title, "body": "text"}
            await insist(self.client, f"/v1/ventures/{venture}/items", body, self.outcome, keys=self.keys)
            now = time.monotonic()
            self.outcome.longest_outage_seconds = max(self.outcome.longest_outage_seconds, now - self.answered_at)
            self.answered_at = now
            self.titles.setdefault(venture, set()).add(title)
            self.outcome.acknowledged += 1
            count += 1


async def storm(
    data: Path,
    *,
    kills: int,
    seed: int,
    writers: int = 4,
    ventures: int = 3,
    pause_seconds: tuple[float, float] = (0.2, 1.5),
    kinds: tuple[Kind, ...] = KINDS,
    keys: bool = True,
    told: Callable[[str], None] = print,
) -> Outcome:
    """Kills so many times at random moments under load, then looks.

    keys: False is the control: requests are repeated without an idempotency key, which leaves an item twice wherever
    its answer was lost.

    Raises: AssertionError where it never comes back, or answers what it should not.
    """
    chance = random.Random(seed)  # noqa: S311  repeatable, not secret
    outcome = Outcome()
    with serving(data) as platform:
        async with platform.client() as client:
            await signed_up(client)
            places = [await _founded(client, number) for number in range(ventures)]
            load = Writers(client, places, outcome, keys)
            async with asyncio.TaskGroup() as group:
                for number in range(writers):
                    group.create_task(load.write(number))
                managing = group.create_task(_kept_up(platform, outcome))
                for number in range(kills):
                    if chance.random() < UNDER_LOAD_RATIO:
                        await _acknowledged_again(load)
                    await asyncio.sleep(chance.uniform(*pause_seconds))
                    killed = await _kill_one(platform, kinds, chance)
                    outcome.kills[killed] += 1
                    told(f"{number + 1}/{kills} killed {killed}; {outcome.acknowledged} acknowledged")
                await asyncio.sleep(0.5)
                while platform.ended:  # the last kill was that of `serve`; until it is started again nobody else is
                    await asyncio.sleep(0.1)
                await _acknowledged_again(load)
                load.stop.set()
                managing.cancel()
            await judge(platform, client, load.titles, outcome)
    return outcome


class LosesAnswers(httpx2.AsyncHTTPTransport):
    """Requests are carried out, but of the next `lose` answers their senders never hear."""

    def __init__(self) -> None:
        super().__init__(trust_env=False)
        self.lose = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises: httpx2.ReadError, for an answer that is lost."""
        answer = await super().handle_async_request(request)
        if self.lose == 0:
            return answer
        self.lose -= 1
        await answer.aread()
        raise httpx2.ReadError("the connection was lost before the answer was read", request=request)


async def signed_up(client: httpx2.AsyncClient) -> None:
    """A new person, signed up and in; the client is theirs from now on."""
    person = {"email": f"{uuid4().hex}@example.org", "password": PASSWORD}
    (await client.post("/v1/accounts", json={**person, "name": "Storm"})).raise_for_status()
    answer = await client.post("/v1/sessions", json=person)
    client.headers[CSRF_HEADER] = answer.raise_for_status().json()["csrf_token"]


async def insist(
    client: httpx2.AsyncClient, path: str, body: dict[str, str], outcome: Outcome, *, keys: bool = True
) -> httpx2.Response:
    """The same request, under one idempotency key, until it is answered 201.

    Raises: AssertionError where it is not within `PATIENCE_SECONDS`, or the answer says that the request is wrong.
    """
    headers = {"Idempotency-Key": uuid4().hex} if keys else {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer = await client.post(path, json=body, headers=headers)
            if answer.status_code == 201:
                return answer
            if answer.status_code == 500 or answer.status_code < 500:
                outcome.faults.append(f"{path} answered {answer.status_code}: {answer.text[:300]}")
            assert answer.status_code >= 500, outcome.faults[-1]
            why = str(answer.status_code)
        except httpx2.TransportError:
            why = "no answer"
        assert time.monotonic() < deadline, f"{path} was not answered within {PATIENCE_SECONDS:.0f} s: {why}"
        outcome.repeated[why] += 1
        await asyncio.sleep(0.05)


async def _founded(client: httpx2.AsyncClient, number: int) -> UUID:
    answer = await client.post("/v1/ventures", json={"name": f"Venture {number}", "display_name": "Storm"})
    return UUID(answer.raise_for_status().json()["id"])


async def _kill_one(platform: Serving, kinds: tuple[Kind, ...], chance: random.Random) -> Kind:
    """Kills one process of a kind drawn at random, once there is one; → the kind."""
    kind, deadline = chance.choice(kinds), time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if victims := platform.processes(kind):
            victim = chance.choice(victims)
            with suppress(psutil.NoSuchProcess):
                victim.kill()
                return kind
        await asyncio.sleep(0.02)
    raise AssertionError(f"there was no {kind} to kill: {platform.said[-3000:]}")


async def _kept_up(platform: Serving, outcome: Outcome) -> None:
    """What `deploy/ventures.service` asks of systemd: `serve` is started again a second after it ended."""
    while True:
        if platform.ended:
            await asyncio.sleep(RESTART_SECONDS)
            platform.start()
            outcome.restarts += 1
        await asyncio.sleep(0.02)


async def _acknowledged_again(load: Writers) -> None:
    """Returns when something was acknowledged after now. A writer that fails ends this from outside."""
    before = load.outcome.acknowledged
    while load.outcome.acknowledged < before + len(load.ventures):
        await asyncio.sleep(0.05)


async def judge(platform: Serving, client: httpx2.AsyncClient, titles: dict[UUID, set[str]], outcome: Outcome) -> None:
    """Looks at everything that was promised and writes into `outcome` what did not hold."""
    began = time.monotonic()
    async with open_platform(platform.settings, platform.address) as opened:
        outcome.faults += await _caught_up(opened, began)
        outcome.catch_up_seconds = time.monotonic() - began
        for venture in await all_ventures(opened.database):
            drafted = await _drafted(opened, venture, outcome)
            wanted = titles.get(venture, set())
            if lost := wanted - set(drafted):
                outcome.lost += len(lost)
                outcome.faults.append(f"{len(lost)} acknowledged items are lost: {sorted(lost)[:SHOWN]}")
            if twice := [title for title, count in drafted.items() if count > 1]:
                outcome.twice += sum(drafted[title] - 1 for title in twice)
                outcome.faults.append(f"{len(twice)} items were drafted more than once: {sorted(twice)[:SHOWN]}")
            replayed = await replay(opened.database, opened.registry, venture)
            outcome.faults += [f"replay of {venture}: {one}" for one in replayed.differences[:SHOWN]]
            outcome.faults += await _counted(client, venture, drafted.total())


async def _caught_up(opened: Platform, began: float) -> list[str]:
    """Waits for the consumers; → those that did not make it, and those that gave something up."""
    while True:
        found = await lags(opened.database, opened.consumers, opened.now())
        behind = [lag for lag in found if lag.events]
        if not behind or time.monotonic() - began > CATCH_UP_SECONDS:
            break
        await asyncio.sleep(0.1)
    return [f"{lag.consumer} is still {lag.events} events behind" for lag in behind] + [
        f"{lag.consumer} parked {lag.parked} events" for lag in found if lag.parked
    ]


async def _drafted(opened: Platform, venture: UUID, outcome: Outcome) -> Counter[str]:
    """How often each title was drafted, by the log, whose chain is checked."""
    drafted: Counter[str] = Counter()
    async with opened.database.venture(venture) as scope:
        if (fault := await verify_chain(scope)) is not None:
            outcome.faults.append(f"chain of {venture}: {fault[1]}")
        async for event in read_all(scope, opened.registry):
            outcome.events += 1
            if event.type == "content.item_drafted":
                drafted[getattr(event.data, "title", "")] += 1
    return drafted


async def _counted(client: httpx2.AsyncClient, venture: UUID, drafted: int) -> list[str]:
    """What the consumers made of the log, where it is not what the log says."""
    analytics: Any = (await client.get(f"/v1/ventures/{venture}/analytics")).raise_for_status().json()
    usage: Any = (await client.get(f"/v1/ventures/{venture}/usage")).raise_for_status().json()
    counted = {
        "analytics": sum(one["total"] for one in analytics["counts"] if one["metric"] == "items_drafted"),
        "billing": sum(one["used"] for one in usage["items"] if one["metric"] == "items"),
    }
    return [f"{who} counts {count} items of {drafted}" for who, count in counted.items() if count != drafted]
