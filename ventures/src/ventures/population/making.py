"""One process that makes a part of a population: `python -m ventures.population.making`.

In its environment the settings with DATABASE_URL, on stdin a `Job` (MessagePack), on stdout a line of JSON (`Made`) for
each piece that is kept. SIGTERM ends it after
the pieces that are under way.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Set
from typing import Final, Literal
from uuid import UUID

import msgspec
import uvloop

from ventures.database.scope import Scope
from ventures.errors import Unavailable
from ventures.log.api import Script, all_ventures, key_used, step, step_together
from ventures.population import scripts
from ventures.population.shape import Joining, account_id, items_for, passages_of_item, venture_id
from ventures.posts import api as posts
from ventures.settings import read
from ventures.tenancy import api as tenancy
from ventures.wiring import Platform, open_platform

Task = Literal["write", "follow"]
ITEMS_AT_ONCE: Final = 40
"""Items of one transaction: about a hundred events, a tenth of a second in which the venture's other writers wait."""
WORKING_AT_ONCE: Final = 4
"""Ventures a process has under way together, so that it works while PostgreSQL does."""
TRIES: Final = 5


class Work(msgspec.Struct, frozen=True):
    """One venture: its number, how many passages it is to have, who is to belong to it."""

    venture: int
    passages: int
    people: tuple[Joining, ...]


class Job(msgspec.Struct, frozen=True):
    """What one process is to do."""

    task: Task
    seed: int
    works: tuple[Work, ...]


class Made(msgspec.Struct, frozen=True):
    """What is kept of a piece of work. passages: also those that were there already."""

    passages: int = 0
    items: int = 0
    events: int = 0
    ventures: int = 0
    finished: int = 0


Told = Callable[[Made], None]
Ending = Callable[[], bool]
Doing = Callable[[Platform, Set[UUID], int, Work, Told, Ending], Awaitable[None]]


def main() -> None:
    """Does the job on stdin."""
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)

    def tell(made: Made) -> None:
        sys.stdout.write(msgspec.json.encode(made).decode() + "\n")
        sys.stdout.flush()

    uvloop.run(_all(job, tell))


async def _all(job: Job, told: Told) -> None:
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    doing: Doing = {"write": _write, "follow": _follow}[job.task]
    waiting = iter(job.works)

    async def worker(platform: Platform, known: Set[UUID]) -> None:
        for work in waiting:
            if ending.is_set():
                return
            await _patiently(platform, doing, known, job.seed, work, told, ending.is_set)

    settings = read(os.environ)
    async with open_platform(settings, settings.database_address) as platform:
        known = frozenset(await all_ventures(platform.database))
        await asyncio.gather(*(worker(platform, known) for _ in range(WORKING_AT_ONCE)))


async def _patiently(
    platform: Platform, doing: Doing, known: Set[UUID], seed: int, work: Work, told: Told, ending: Ending
) -> None:
    """Again, a few times, where the database does not answer: each piece begins with what is there."""
    for attempt in range(TRIES):
        try:
            await doing(platform, known, seed, work, told, ending)
        except Unavailable:
            if attempt == TRIES - 1:
                raise
            await asyncio.sleep(2**attempt)
            known = frozenset(await all_ventures(platform.database))
        else:
            return


async def _write(platform: Platform, known: Set[UUID], seed: int, work: Work, told: Told, ending: Ending) -> None:
    """Brings one venture to what it is to be. known: ventures that were there when this began."""
    spine, venture = platform.spine, venture_id(seed, work.venture)
    new = venture not in known
    items = items_for(seed, work.venture, work.passages)

    async def keep(script: Script, part: range, **more: int) -> None:
        events = await spine.append_all(venture, script, redoable=True)
        passages = sum(passages_of_item(seed, work.venture, item) for item in part)
        told(Made(passages=passages, items=len(part), events=events, **more))

    if new:
        part = range(min(ITEMS_AT_ONCE, items))
        await keep(scripts.beginning(seed, work.venture, work.people, part, platform.now()), part, ventures=1)
        if len(part) == items:
            told(Made(finished=1))
            return
    async with platform.database.reading(venture) as scope:
        roles = await _roles(scope)
        channels = await posts.channels(scope, None, 1)
        first = ITEMS_AT_ONCE if new else await _written(scope, seed, items)
    if not new:
        told(Made(passages=sum(passages_of_item(seed, work.venture, item) for item in range(first))))
        missing = [one for one in work.people if account_id(seed, one.user) not in roles]
        owner = min(account for account, role in roles.items() if role == "owner")
        await keep(scripts.joining(seed, venture, owner, missing), range(0))
        roles |= {account_id(seed, one.user): one.role for one in missing}
    team = scripts.Team.of(roles)
    for start in range(first, items, ITEMS_AT_ONCE):
        if ending():
            return
        part = range(start, min(start + ITEMS_AT_ONCE, items))
        channel = channels[0].id if channels else None
        await keep(scripts.writing(seed, work.venture, part, team, channel, platform.now()), part)
    told(Made(finished=1))


async def _roles(scope: Scope) -> dict[UUID, tenancy.Role]:
    found: dict[UUID, tenancy.Role] = {}
    after: UUID | None = None
    while some := await tenancy.members(scope, after, 1000):
        found |= {one.account: one.role for one in some}
        after = some[-1].account
    return found


async def _written(scope: Scope, seed: int, most: int) -> int:
    """How many of the items are there: they are drafted in order, so the first missing one is searched by halving."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        if await key_used(scope, scripts.key_of(seed, middle)):
            low = middle + 1
        else:
            high = middle
    return low


async def _follow(platform: Platform, known: Set[UUID], seed: int, work: Work, told: Told, ending: Ending) -> None:
    """Turns the venture's consumers until they have seen everything, or another process is about to."""
    venture = venture_id(seed, work.venture)
    more = True
    while more and not ending():
        turned = await step_together(
            platform.database, platform.registry, platform.consumers, venture, now=platform.now
        )
        for consumer in turned.behind:
            again = True
            while again and not ending():
                one = await step(platform.database, platform.registry, consumer, venture, now=platform.now)
                again = one.more
        more = turned.more
    told(Made(finished=1))


if __name__ == "__main__":
    main()
