"""Reads that are asked of the other store too, so that answers can be compared before a tenant is switched.

What is read here never touches the caller: it is asked for in a task of its own, with a time-out, only where one of few
places is free, and whatever goes wrong with it is counted and forgotten.
"""

from __future__ import annotations

import asyncio
import operator
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, Literal, LiteralString, TypeVar, get_args

from outgrow.routing.statements import COUNT, MIRRORED, SHADOWED

LOOK_SECONDS: Final = 0.9
"""How long it is relied on which share is mirrored; without knowing, nothing is. So 0 is heeded within a second."""
WRITE_SECONDS: Final = 5.0
"""How often counts are written: of all tenants, over half of that time."""
LATE_SECONDS: Final = 0.02
"""An event loop that comes back from a pause this much too late has enough to do."""
MOST_TENANTS: Final = 10_000
"""Whose counts are kept until they are written; reads of more tenants are not mirrored."""

Ask = Callable[[LiteralString, Mapping[str, object]], Awaitable[tuple[Any, ...] | None]]
"""Runs one statement of ``outgrow.routing.statements`` in a transaction of its own and gives its first row, if any."""
Came = Literal["matched", "differed", "failed"]
T = TypeVar("T")


class Mirror:
    """Mirrors a share of the reads of a point, as its migration says.

    Args:
        point: the rewrite point.
        ask: the application's way to its database; see ``Ask``. Three statements: ``MIRRORED``, at most once a second;
            ``SHADOWED``, for each mirrored read; ``COUNT``, for each tenant every few seconds.
        most: mirrored reads that are under way at once; while there are so many, no other is mirrored.
        timeout_seconds: after which a mirrored read has failed.
        pause_seconds: before anything is asked for a read, so that the caller is done with it. Where the event loop
            comes back late, the read is not mirrored: what callers wait for comes first.
        chance: uniform in [0, 1).
        clock: seconds that only go on.
    """

    def __init__(
        self,
        point: str,
        ask: Ask,
        *,
        most: int = 4,
        timeout_seconds: float = 2.0,
        pause_seconds: float = 0.0,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._point, self._ask = point, ask
        self._most, self._timeout_seconds, self._pause_seconds = most, timeout_seconds, pause_seconds
        self._chance, self._clock = chance, clock
        self._migration, self._share = "", 0.0
        self._wrote_at = clock()
        self._known_until = float("-inf")
        self._reads: set[asyncio.Task[None]] = set()
        self._looking = asyncio.Lock()
        self._writing: asyncio.Task[None] | None = None
        self._counts: Counter[tuple[str, str, Came]] = Counter()
        self._tenants: set[str] = set()
        self.skipped = 0
        """Reads that would have been mirrored, had there been a place, or time."""

    def read(
        self, tenant: str, answer: T, other: Callable[[str], Awaitable[T]], same: Callable[[T, T], bool] = operator.eq
    ) -> None:
        """Says that ``answer`` was read of the tenant. Returns at once, and never raises.

        ``other(store)`` reads the same of the named store; ``same`` tells whether both answers are. Both run on the
        event loop, after the caller goes on: they must not block it.
        """
        now = self._clock()
        if now >= self._wrote_at + WRITE_SECONDS and self._counts and self._writing is None:
            self._wrote_at = now
            self._writing = _detached(self._write(over_seconds=WRITE_SECONDS / 2))
        known = now < self._known_until
        if known and not self._chosen():
            return
        if len(self._reads) >= self._most or (tenant not in self._tenants and len(self._tenants) >= MOST_TENANTS):
            self.skipped += known
            return
        task = _detached(self._mirror(tenant, answer, other, same, known))
        if task is not None:
            self._reads.add(task)
            task.add_done_callback(self._reads.discard)

    async def close(self) -> None:
        """Stops what is under way, and writes what was counted, for as long as one read may take."""
        under_way = [task for task in (*self._reads, self._writing) if task is not None]
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way, timeout=self._timeout_seconds)
        await self._write()

    def _chosen(self) -> bool:
        return self._share > 0 and self._chance() < self._share

    async def _look(self) -> None:
        """Looks up the share, once for all that wait for it."""
        async with self._looking:
            began = self._clock()
            if began < self._known_until:
                return
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    row = await self._ask(MIRRORED, {"point": self._point})
                self._migration, self._share = ("", 0.0) if row is None else (str(row[0]), float(row[1]))
                self._known_until = began + LOOK_SECONDS
            except Exception:  # whatever it is: without knowing, nothing is mirrored
                self._share, self._known_until = 0.0, self._clock() + LOOK_SECONDS

    async def _has_time(self) -> bool:
        """Whether there is still time for it after the pause."""
        if not self._pause_seconds:
            return True
        due = self._clock() + self._pause_seconds
        await asyncio.sleep(self._pause_seconds)
        return self._clock() < due + LATE_SECONDS

    async def _mirror(
        self, tenant: str, answer: T, other: Callable[[str], Awaitable[T]], same: Callable[[T, T], bool], chosen: bool
    ) -> None:
        if not chosen:
            await self._look()
            if not self._chosen():
                return
        if not await self._has_time():
            self.skipped += 1
            return
        migration = self._migration
        try:
            async with asyncio.timeout(self._timeout_seconds):
                named = {"point": self._point, "migration": migration, "tenant": tenant}
                row = await self._ask(SHADOWED, named)
        except Exception:  # nothing is known of the tenant, so nothing is asked for it
            return
        if row is None or not self._share or self._migration != migration:
            return
        came: Came = "failed"
        try:
            async with asyncio.timeout(self._timeout_seconds):
                came = "matched" if same(answer, await other(str(row[0]))) else "differed"
        except Exception:  # noqa: S110  # the other store's trouble is counted, and nobody else's
            pass
        self._counts[migration, tenant, came] += 1
        self._tenants.add(tenant)

    async def _write(self, *, over_seconds: float = 0.0) -> None:
        """Writes what was counted, one tenant after the other over so many seconds; what cannot be written is kept for
        the next time."""
        try:
            tenants = sorted({(migration, tenant) for migration, tenant, _ in self._counts})
            for place, (migration, tenant) in enumerate(tenants):
                if place:
                    await asyncio.sleep(over_seconds / len(tenants))
                came = {one: self._counts[migration, tenant, one] for one in get_args(Came)}
                named = {"point": self._point, "migration": migration, "tenant": tenant, **came}
                async with asyncio.timeout(self._timeout_seconds):
                    await self._ask(COUNT, named)
                for one, count in came.items():
                    self._counts[migration, tenant, one] -= count
            self._counts = +self._counts
            self._tenants = {tenant for _, tenant, _ in self._counts}
        except Exception:  # noqa: S110  # counts are not worth more than this
            pass
        finally:
            self._writing = None


def _detached(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    try:
        return asyncio.get_running_loop().create_task(work)
    except RuntimeError:  # no loop runs: nobody to carry it out
        work.close()
        return None
