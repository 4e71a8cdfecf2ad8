"""Runs consumers in a worker process: woken by the bell, swept by a poll, parallel across ventures.

Each venture is a *lane* in which all consumers move together, and each (consumer, venture) one of its own for a
consumer that stands further back. A lane is turned by one task at a time, and asked again meanwhile it turns once
more. Other processes are kept off a lane by the lock on its position.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from ventures.database.pool import Database
from ventures.errors import Unavailable
from ventures.log import sql
from ventures.log.bell import CHANNEL, moved_ventures
from ventures.log.consumers import Consumer, Step, step, step_together
from ventures.log.registry import Registry, UnknownEvent

POLL_SECONDS = 0.25
RECENT = timedelta(seconds=10)
HEARD_WITHIN = timedelta(seconds=0.2)
"""A move that is younger is the bell's to tell."""
EVER = timedelta(days=36_500)
WHOLE_SWEEP_SECONDS = 15.0
PAUSE_AFTER_FAULT_SECONDS = 0.5

log = logging.getLogger(__name__)


class Runner:
    """All consumers of one process. `turned` is called after every turn that moved (with the consumer where it was
    one of its own), for metrics.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        consumers: Sequence[Consumer],
        *,
        now: Callable[[], datetime],
        at_once: int = 4,
        turned: Callable[[Consumer | None, Step], None] | None = None,
    ) -> None:
        self._database = database
        self._registry = registry
        self._consumers = tuple(consumers)
        self._now = now
        self._turned = turned
        self._free = asyncio.Semaphore(at_once)
        self._lanes: dict[tuple[UUID, str], bool] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then finishes the turns that are under way. Outlives a database that goes away."""
        hearing = asyncio.create_task(self._heard())
        sweeping = asyncio.create_task(self._swept())
        try:
            await stop.wait()
        finally:
            self._stopping = True
            for task in (hearing, sweeping):
                task.cancel()
            await asyncio.gather(hearing, sweeping, return_exceptions=True)
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def caught_up(self) -> None:
        """Turns every lane until none is behind; for tests and commands."""
        while await self._sweep(self._now() - EVER, self._now() + EVER):
            await asyncio.gather(*self._tasks)

    def ask(self, venture: UUID, consumer: Consumer | None = None) -> None:
        """Something may be there: for all consumers, or for one that stands further back."""
        name = f"{consumer.name}/{consumer.target}" if consumer is not None else ""
        if (venture, name) in self._lanes:
            self._lanes[venture, name] = True
            return
        self._lanes[venture, name] = False
        task = asyncio.create_task(self._turn(venture, name, consumer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _turn(self, venture: UUID, name: str, consumer: Consumer | None) -> None:
        try:
            again = True
            while again and not self._stopping:
                self._lanes[venture, name] = False
                async with self._free:
                    done = await self._step(venture, consumer)
                if done.moved and self._turned is not None:
                    self._turned(consumer, done)
                for one in done.behind:
                    self.ask(venture, one)
                if done.retry_at is not None:
                    await asyncio.sleep(max((done.retry_at - self._now()).total_seconds(), 0))
                again = done.more or done.retry_at is not None or (self._lanes[venture, name] and not done.busy)
        except UnknownEvent as unknown:
            log.error("%s stands still: %s", name or "all consumers", unknown)
        except Unavailable as error:
            log.warning("%s waits for the database: %s", name or "all consumers", error)
        finally:
            del self._lanes[venture, name]

    async def _step(self, venture: UUID, consumer: Consumer | None) -> Step:
        if consumer is None:
            return await step_together(self._database, self._registry, self._consumers, venture, now=self._now)
        return await step(self._database, self._registry, consumer, venture, now=self._now)

    async def _heard(self) -> None:
        while True:
            try:
                async with self._database.listening(CHANNEL) as connection:
                    async for notification in connection.notifies():
                        moved = moved_ventures(notification.payload)
                        if moved is None:
                            await self._sweep(self._now() - RECENT, self._now())
                            continue
                        for venture in moved:
                            self.ask(venture)
            except Unavailable as error:
                log.warning("no bell for now: %s", error)
            await asyncio.sleep(PAUSE_AFTER_FAULT_SECONDS)

    async def _swept(self) -> None:
        whole_at = self._now()
        while True:
            try:
                if (now := self._now()) >= whole_at:
                    await self._sweep(now - EVER, now + EVER)
                    whole_at = now + timedelta(seconds=WHOLE_SWEEP_SECONDS)
                else:
                    await self._sweep(now - RECENT, now - HEARD_WITHIN)
                await asyncio.sleep(POLL_SECONDS)
            except Unavailable as error:
                log.warning("the sweep waits for the database: %s", error)
                whole_at = self._now()
                await asyncio.sleep(PAUSE_AFTER_FAULT_SECONDS)

    async def _sweep(self, since: datetime, until: datetime) -> int:
        async with self._database.scanning() as scope:
            behind = await scope.all(
                sql.SCAN_BEHIND,
                consumers=[consumer.name for consumer in self._consumers],
                targets=[consumer.target for consumer in self._consumers],
                since=since,
                until=until,
            )
        for (venture,) in behind:
            self.ask(venture)
        return len(behind)
