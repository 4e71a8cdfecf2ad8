"""A platform whose ventures are carried to another layout by `outgrow migrate`, and people who search in it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.ports import MoveLedger
from ventures.database import embedded
from ventures.population import preparing
from ventures.population.connection import Ask
from ventures.population.loading import Level, Load, Step
from ventures.population.shape import Plan, chance
from ventures.population.workload import NAMES, Person, Workload
from ventures.testing.serving import Serving, serving
from ventures.wiring import Platform, open_platform

POINT = "data-architecture"
SOURCE, TARGET = "tuned", "buckets"
UNDER_WAY = 2_000
STOPPED, TRIES = 4, 4
"""How the tool ends where it stopped and is safe; the same command goes on."""
SEED = 7


@dataclass
class Moving:
    """The platform, its migration, and who searches."""

    platform: Serving
    ledger: MoveLedger
    people: Sequence[Person]

    def outgrow(self, *words: str) -> dict[str, Any]:
        """`outgrow migrate POINT …`; what it says as JSON. Raises: RuntimeError."""
        for _ in range(TRIES):
            done = subprocess.run(
                [sys.executable, "-m", "outgrow", "migrate", POINT, *words, "--json"],
                cwd=self.platform.data, env=self.platform.environment, stdin=subprocess.DEVNULL, capture_output=True,
                text=True, check=False,
            )  # fmt: skip
            if done.returncode != STOPPED:
                break
        if done.returncode not in (0, 1):
            raise RuntimeError(f"outgrow migrate {' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")
        try:
            told: dict[str, Any] = json.loads(done.stdout)
        except json.JSONDecodeError as error:
            raise RuntimeError(
                f"outgrow migrate {' '.join(words)}: {done.stdout[-500:]}{done.stderr[-500:]}"
            ) from error
        return told

    def all_are(self, state: str) -> None:
        """Raises: RuntimeError where a venture is in another state."""
        told = self.outgrow("status")["tenants"]
        if told.get(state, 0) != sum(told.values()):
            raise RuntimeError(f"not every venture is {state}: {told}")

    def share(self, share: float) -> None:
        """Of reads that are mirrored from now on."""
        migration = self.ledger.migration(POINT)
        assert migration is not None
        self.ledger.set_shadow_share(migration, share, "benchmark")

    def counted(self) -> dict[str, int]:
        """Mirrored reads so far, of all ventures."""
        migration = self.ledger.migration(POINT)
        assert migration is not None
        counts = [self.ledger.shadow(migration, row.tenant) for row in self.ledger.tenants(migration)]
        return {key: sum(getattr(one, key) for one in counts) for key in ("matched", "differed", "failed")}

    async def search(
        self, levels: Sequence[Level], begun: Callable[[int], Any] | None = None, seeds: Sequence[int] = ()
    ) -> list[Step]:
        """All levels one after the other; `begun` is awaited as each begins. seeds: of what a level searches."""
        chosen = [seeds[number] if seeds else -1 - number for number in range(len(levels))]
        parts = urlsplit(self.platform.url)
        source, arrivals = _Searches([self._workload(seed) for seed in chosen]), _Arrivals(chosen)
        load = Load(parts.hostname or "", parts.port or 80, source, len(NAMES), most=UNDER_WAY, luck=arrivals)
        source.load = arrivals.load = load

        async def follow() -> None:
            for number in range(len(levels)):
                while len(load.steps) <= number:
                    await asyncio.sleep(0.005)
                if begun is not None:
                    await begun(number)

        following = asyncio.create_task(follow())
        following.add_done_callback(lambda done: load.stop() if done.cancelled() or done.exception() else None)
        try:
            steps = await load.run(levels, lambda _: None)
            await following
            return steps
        finally:
            following.cancel()

    def _workload(self, seed: int) -> Workload:
        return Workload(1, self.people, chance(1, "shadow", seed), ["search"])


class _Searches:
    """Each level's searches are its own workload's."""

    def __init__(self, workloads: Sequence[Workload]) -> None:
        self._workloads = workloads
        self.load: Load | None = None

    def next(self) -> Ask:
        """Of the level that is under way."""
        assert self.load is not None
        return self._workloads[len(self.load.steps) - 1].next()


class _Arrivals(random.Random):
    """Levels of the same seed are asked at the same moments."""

    def __init__(self, seeds: Sequence[int]) -> None:
        super().__init__()
        self._levels = [chance(1, "arrivals", seed) for seed in seeds]
        self.load: Load | None = None

    def expovariate(self, lambd: float = 1.0) -> float:
        """Of the level that is under way."""
        assert self.load is not None
        return self._levels[len(self.load.steps) - 1].expovariate(lambd)


def ends_in_order() -> None:
    """Told to end, it cleans up as it does at Ctrl-C: a process that was stopped would stay for ever."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


@contextmanager
def filled(data: Path, plan: Plan, processes: int) -> Iterator[Serving]:
    """A platform with the population, in the layout `SOURCE`."""
    _populated(data, plan)
    with serving(data, VENTURES_INDEX_LAYOUT=SOURCE, VENTURES_INDEX_PROCESSES=str(processes)) as platform:
        yield platform


def _populated(data: Path, plan: Plan) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VENTURES_")}
    subprocess.run(
        [
            sys.executable, "-m", "ventures.cli", "populate", "--users", str(plan.users), "--ventures",
            str(plan.count), "--passages-per-user", str(plan.passages_per_user),
        ],
        env={**environment, "VENTURES_DATA": str(data)}, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@asynccontextmanager
async def carried(platform: Serving, plan: Plan) -> AsyncIterator[tuple[Moving, Platform]]:
    """Every venture carried to `TARGET` and ready; everybody has a key until the end. With a platform of our own on the
    same database.
    """
    async with AsyncExitStack() as stack:
        ledger = open_move_ledger(embedded.addresses(platform.data).owner)
        stack.callback(ledger.close)
        opened = await stack.enter_async_context(open_platform(platform.settings, platform.address))
        found = await preparing.places(opened, plan, lambda *_: None)
        keys = await preparing.keys(opened, plan, 3_600.0, lambda *_: None)
        stack.push_async_callback(preparing.revoke, opened, keys)
        parts = urlsplit(platform.url)
        moving = Moving(platform, ledger, preparing.people(plan, f"{parts.hostname}:{parts.port}", found, keys))
        _declared(moving)
        said(f"{plan.count} ventures are carried to the target")
        await asyncio.to_thread(moving.outgrow, "create")
        await asyncio.to_thread(moving.outgrow, "start")
        moving.all_are("ready")
        yield moving, opened


def _declared(moving: Moving) -> None:
    """outgrow.yaml as the platform prints it, without the service's p95, which nobody records here."""
    printed = moving.platform.ventures("lookout")
    file = yaml.safe_load(printed.stdout)
    point = next(one for one in file["points"] if one["id"] == POINT)
    point["migration"] |= {"source": SOURCE, "target": TARGET, "pace": {}}
    (moving.platform.data / "outgrow.yaml").write_text(yaml.safe_dump(file, sort_keys=False, allow_unicode=True))


def said(text: str) -> None:
    """To whoever waits at the terminal."""
    print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)
