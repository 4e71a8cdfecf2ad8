"""Runs consumers in a worker process: woken by the bell, swept by a poll, parallel across ventures.

Each (consumer, venture) is a *lane*; a lane is turned by one task at a time, and asked again while it is turned it
turns once more. Other processes are kept off a lane by the lock on its position.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from ventures.database.pool import Database
from ventures.errors import Unavailable
from ventures.log import sql
from ventures.log.bell import CHANNEL, moved_ventures
from ventures.log.consumers import Consumer, Step, step
from ventures.log.registry import Registry, UnknownEvent

POLL_SECONDS = 0.25
RECENT = timedelta(seconds=10)
WHOLE_SWEEP_SECONDS = 15.0
PAUSE_AFTER_FAULT_SECONDS = 0.5

log = logging.getLogger(__name__)
Lane = tuple[str, str, UUID]


class Runner:
    """All consumers of one process. `turned` is called after every turn that moved, for metrics."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        consumers: Sequence[Consumer],
        *,
        now: Callable[[], datetime],
        at_once: int = 4,
        turned: Callable[[Consumer, Step], None] | None = None,
    ) -> None:
        self._database = database
        self._registry = registry
        self._consumers = {(consumer.name, consumer.target): consumer for consumer in consumers}
        self._now = now
        self._turned = turned
        self._free = asyncio.Semaphore(at_once)
        self._lanes: dict[Lane, bool] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then finishes the turns that are under way. Outlives a database that goes away."""
        hearing = asyncio.create_task(self._heard())
        sweeping = asyncio.create_task(self._swept())
        try:
            await stop.wait()
        finally:
            for task in (hearing, sweeping):
                task.cancel()
            await asyncio.gather(hearing, sweeping, return_exceptions=True)
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def caught_up(self) -> None:
        """Turns every lane until none is behind; for tests and commands."""
        while await self._sweep(self._now() - timedelta(days=36_500)):
            await asyncio.gather(*self._tasks)

    def ask(self, consumer: Consumer, venture: UUID) -> None:
        """Something may be there for this consumer."""
        lane = (consumer.name, consumer.target, venture)
        if lane in self._lanes:
            self._lanes[lane] = True
            return
        self._lanes[lane] = False
        task = asyncio.create_task(self._turn(lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _turn(self, lane: Lane) -> None:
        name, target, venture = lane
        consumer = self._consumers[name, target]
        try:
            again = True
            while again:
                self._lanes[lane] = False
                async with self._free:
                    done = await step(self._database, self._registry, consumer, venture, now=self._now)
                if done.moved and self._turned is not None:
                    self._turned(consumer, done)
                if done.retry_at is not None:
                    await asyncio.sleep(max((done.retry_at - self._now()).total_seconds(), 0))
                again = done.more or done.retry_at is not None or (self._lanes[lane] and not done.busy)
        except UnknownEvent as unknown:
            log.error("%s stands still: %s", name, unknown)
        except (Unavailable, psycopg.OperationalError) as error:
            log.warning("%s waits for the database: %s", name, error)
        finally:
            del self._lanes[lane]

    async def _heard(self) -> None:
        while True:
            try:
                async with self._database.listening(CHANNEL) as connection:
                    async for notification in connection.notifies():
                        moved = moved_ventures(notification.payload)
                        if moved is None:
                            await self._sweep(self._now() - RECENT)
                            continue
                        for venture in moved:
                            for consumer in self._consumers.values():
                                self.ask(consumer, venture)
            except (Unavailable, psycopg.OperationalError) as error:
                log.warning("no bell for now: %s", error)
            await asyncio.sleep(PAUSE_AFTER_FAULT_SECONDS)

    async def _swept(self) -> None:
        whole_at = self._now()
        while True:
            try:
                if (now := self._now()) >= whole_at:
                    await self._sweep(now - timedelta(days=36_500))
                    whole_at = now + timedelta(seconds=WHOLE_SWEEP_SECONDS)
                else:
                    await self._sweep(now - RECENT)
                await asyncio.sleep(POLL_SECONDS)
            except (Unavailable, psycopg.OperationalError) as error:
                log.warning("the sweep waits for the database: %s", error)
                whole_at = self._now()
                await asyncio.sleep(PAUSE_AFTER_FAULT_SECONDS)

    async def _sweep(self, since: datetime) -> int:
        found = 0
        for consumer in self._consumers.values():
            async with self._database.scanning() as scope:
                behind = await scope.all(
                    sql.SCAN_BEHIND, consumer=consumer.name, target=consumer.target, since=since, now=self._now()
                )
            for (venture,) in behind:
                self.ask(consumer, venture)
            found += len(behind)
        return found
