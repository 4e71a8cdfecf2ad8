"""What it costs searches that a tenth of them is asked of both stores, also where the other one is away.

    python -m benchmarks shadow            # a quarter of an hour on two cores
    python -m benchmarks shadow --one      # both layouts in one index process: about ten minutes
    python -m benchmarks shadow --small    # to try it: two minutes

A real `ventures serve` with two index processes: the layout `tuned` lies in the first one, and searched are ventures
whose `buckets` lie in the second one, so that the second one can be stopped and nothing that is searched with it. All
ventures are carried by `outgrow migrate` as far as *ready*. Then searches leave when they are due (Poisson, timed from
then), at a rate that takes two fifths of the machine's processor time, in rounds; in each round in random order

* off: nothing is mirrored,
* on: a tenth of the searches is asked of both stores,
* stalled: the same, and the target's process is stopped as the measuring begins,
* failing, in every fifth round: the same, and the target refuses whatever it is asked,

each with the same searches at the same moments. A ratio is that of an arm to *off* in the same round. Before an arm is
measured it is searched unmeasured for some seconds, so that all processes know the share, and found the target again.

`--one` measures the platform's default, one index process that holds both layouts, with *off* and *on* alone: there
the target cannot be stopped by itself.

Then the kill switch: how long after `shadow --percent 0` the last search comes to the target.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import uvloop
import yaml

from benchmarks.platform.shadow_report import ARMS, POINT, Figures, write
from benchmarks.platform.shadow_store import ShadowStore
from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.ports import MoveLedger
from ventures.database import embedded
from ventures.population import preparing
from ventures.population.connection import Ask
from ventures.population.loading import Level, Load, Step
from ventures.population.shape import Plan, chance
from ventures.population.workload import NAMES, Person, Workload
from ventures.testing.serving import Serving, folder, serving
from ventures.vectors.api import process_of
from ventures.wiring import Platform, open_platform

SOURCE, TARGET = "tuned", "buckets"
PROCESSES = 2
SHARE = 0.1
BUSY = 0.4
"""Of the machine's processor time, taken by all of it with the generator."""
PROBE_PER_SECOND, PROBE_SECONDS = 60.0, 8.0
WARM_SECONDS = 1.5
"""A process looks up the share once a second."""
FOUND_SECONDS = 6.5
"""A process that gave a store up asks for it again after five seconds at most."""
COUNTS_SECONDS = 8.5
"""Counts are written every five seconds, all of them over half of that time."""
LOOKED_SECONDS = 0.3
"""So long before an arm is measured processor times are looked up: that holds the generator up for milliseconds."""
FAILING_EVERY = 5
REFUSED_SECONDS = 3.0
"""After which a process that was refused an answer asks whoever listens now."""
UNDER_WAY = 2_000
STOPPED, TRIES = 4, 4
"""How the tool ends where it stopped and is safe; the same command goes on."""
SEED = 7


@dataclass(frozen=True, slots=True)
class Size:
    """How large it is. searches: of an arm in a round. kills: of mirroring."""

    plan: Plan
    rounds: int
    searches: int
    counted_seconds: float
    kills: int


WHOLE = Size(Plan(users=200, ventures=150, passages_per_user=300), 30, 1_000, 20.0, 3)
SMALL = Size(Plan(users=40, ventures=30, passages_per_user=100), 3, 250, 8.0, 2)


@dataclass(frozen=True, slots=True)
class Arm:
    """A level that is measured, with the one before it that is not."""

    round: int
    name: str
    warm_seconds: float


@dataclass
class Moving:
    """The platform, its migration, and who searches."""

    platform: Serving
    ledger: MoveLedger
    people: Sequence[Person]
    store: ShadowStore | None = None

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
        workloads = [self._workload(seeds[number] if seeds else -1 - number) for number in range(len(levels))]
        parts = urlsplit(self.platform.url)
        source = _Following(workloads)
        load = Load(
            parts.hostname or "", parts.port or 80, source, len(NAMES), most=UNDER_WAY, luck=random.Random(SEED)
        )
        source.load = load

        async def follow() -> None:
            for number in range(len(levels)):
                while len(load.steps) <= number:
                    await asyncio.sleep(0.005)
                if begun is not None:
                    await begun(number)

        following = asyncio.create_task(follow())
        try:
            return await load.run(levels, lambda _: None)
        finally:
            following.cancel()

    def _workload(self, seed: int) -> Workload:
        return Workload(1, self.people, chance(1, "shadow", seed), ["search"])


class _Following:
    """Each level's searches are its own workload's."""

    def __init__(self, workloads: Sequence[Workload]) -> None:
        self._workloads = workloads
        self.load: Load | None = None

    def next(self) -> Ask:
        assert self.load is not None
        return self._workloads[len(self.load.steps) - 1].next()


def main(arguments: list[str]) -> None:
    """Measures all of it and writes the report; `--small` writes none."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks shadow")
    parser.add_argument("--small", action="store_true", help="to try it; no report is written")
    parser.add_argument("--one", action="store_true", help="one index process, and nothing that is away")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--rate", type=float, default=None, help="searches a second, instead of what takes two fifths")
    parser.add_argument("--data", type=Path, default=None, help="a data folder that is kept")
    options = parser.parse_args(arguments)
    ends_in_order()
    size = SMALL if options.small else WHOLE
    rounds = options.rounds or size.rounds
    with folder() as made, filled(options.data or made, size.plan, 1 if options.one else PROCESSES) as platform:
        figures = uvloop.run(_measured(platform, size, rounds, options))
    for line in figures.lines():
        print(f"  {line}", flush=True)
    if not options.small:
        write(figures, size.plan, one=options.one)


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
    """Every venture carried to `TARGET` and ready; everybody with a key until the end. The second is our own platform on the same database."""
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
        yield moving, opened


async def _measured(platform: Serving, size: Size, rounds: int, options: argparse.Namespace) -> Figures:
    figures = Figures()
    async with carried(platform, size.plan) as (moving, _):
        if not options.one:
            moving.people = _in_second(moving.people)
            moving.store = ShadowStore(platform, PROCESSES)
        try:
            figures.rate = options.rate or await _rate(moving)
            await _rounds(moving, figures, rounds, size.searches / figures.rate)
            await _counted(moving, figures, size.counted_seconds)
            if moving.store is not None:
                await _killed(moving, moving.store, figures, size.kills)
        finally:
            if moving.store is not None:
                await moving.store.heal()
    return figures


def _declared(moving: Moving) -> None:
    """outgrow.yaml as the platform prints it, without the service's p95, which nobody records here."""
    printed = moving.platform.ventures("lookout")
    file = yaml.safe_load(printed.stdout)
    point = next(one for one in file["points"] if one["id"] == POINT)
    point["migration"] |= {"source": SOURCE, "target": TARGET, "pace": {}}
    (moving.platform.data / "outgrow.yaml").write_text(yaml.safe_dump(file, sort_keys=False, allow_unicode=True))


def _in_second(people: Sequence[Person]) -> list[Person]:
    """People with those of their ventures whose target lies in the process that is stopped."""
    found = []
    for person in people:
        there = [one for one in person.places if process_of(TARGET, UUID(one[0].venture), PROCESSES) == PROCESSES - 1]
        if there:
            found.append(Person(person.head, there))
    return found


async def _rate(moving: Moving) -> float:
    """What takes `BUSY` of the machine's processor time, from what a search took at a low rate."""
    await moving.search([Level(0, PROBE_PER_SECOND / 2, WARM_SECONDS * 2)])
    before = _processor_seconds(moving.platform)
    (step,) = await moving.search([Level(0, PROBE_PER_SECOND, PROBE_SECONDS)])
    cost = sum(_processor_seconds(moving.platform).values()) - sum(before.values())
    rate = BUSY * (os.cpu_count() or 1) * step.answered / cost
    said(f"a search takes {cost / step.answered * 1000:.1f} ms of processor time: {rate:.0f} a second")
    return rate


async def _rounds(moving: Moving, figures: Figures, rounds: int, seconds: float) -> None:
    store = moving.store
    arms = _arms(rounds, seconds, ARMS[:2] if store is None else ARMS)
    levels = [Level(0, figures.rate, one) for arm in arms for one in (arm.warm_seconds, seconds)]
    seeds = [one for arm in arms for one in (-1 - arm.round, arm.round)]
    used: list[Mapping[str, float]] = []
    total = sum(level.seconds for level in levels)
    said(f"{rounds} rounds at {figures.rate:.0f} searches a second: {total / 60:.1f} minutes")

    async def begun(number: int) -> None:
        arm = arms[number // 2]
        if number % 2 == 0:
            used.append(_processor_seconds(moving.platform))
            if store is not None:
                await store.heal()
                if arm.name == "failing":
                    await store.fail()
            moving.share(0.0 if arm.name == "off" else SHARE)
            await asyncio.sleep(arm.warm_seconds - LOOKED_SECONDS)
            used.append(_processor_seconds(moving.platform))
            return
        if arm.name == "stalled" and store is not None:
            store.stall()
        if number > 1 and arms[number // 2 - 1].round != arm.round:
            said(f"round {arm.round + 1} of {rounds}")

    steps = await moving.search(levels, begun, seeds)
    used.append(_processor_seconds(moving.platform))
    if store is not None:
        await store.heal()
    part = seconds / (seconds + LOOKED_SECONDS)
    for place, arm in enumerate(arms):
        step = steps[2 * place + 1]
        cost = {
            kind: (used[2 * place + 2][kind] - used[2 * place + 1][kind]) / max(step.answered, 1) * part
            for kind in used[2 * place + 1]
        }
        figures.add(arm.round, arm.name, step, cost)


def _arms(rounds: int, seconds: float, of: Sequence[str] = ARMS) -> list[Arm]:
    """The order of everything, seeded. After the target was away it is waited for before it is to be there."""
    luck = random.Random(SEED)
    found: list[Arm] = []
    healthy_for = math.inf
    for number in range(rounds):
        names = [name for name in of if name != "failing" or number % FAILING_EVERY == FAILING_EVERY - 1]
        luck.shuffle(names)
        for name in names:
            warm = WARM_SECONDS
            if name in ("on", "stalled") and healthy_for < FOUND_SECONDS:
                warm = max(warm, FOUND_SECONDS - healthy_for)
            if name == "failing":
                warm = max(warm, REFUSED_SECONDS)
            healthy_for = 0.0 if name in ("stalled", "failing") else healthy_for + warm + seconds
            found.append(Arm(number, name, warm))
    return found


async def _counted(moving: Moving, figures: Figures, seconds: float) -> None:
    """How many were mirrored, and what came of it, with the target there."""
    await moving.search([Level(0, figures.rate, FOUND_SECONDS + COUNTS_SECONDS)])
    before = moving.counted()

    async def begun(number: int) -> None:
        moving.share((0.0, SHARE, 0.0)[number])

    steps = await moving.search([Level(0, figures.rate, one) for one in (1.5, seconds, COUNTS_SECONDS)], begun)
    after = moving.counted()
    figures.counts = {key: after[key] - before[key] for key in after}
    figures.searched = steps[1].offered


async def _killed(moving: Moving, store: ShadowStore, figures: Figures, kills: int) -> None:
    """Each time everything is mirrored, until the command says that nothing is to be."""
    await store.fail()
    try:
        for _ in range(kills):
            await moving.search([Level(0, figures.rate, FOUND_SECONDS)], lambda _: _shared(moving, 1.0))
            killing = asyncio.create_task(_kill(moving, store))
            await moving.search([Level(0, figures.rate, 7.0)])
            figures.kills.append(await killing)
    finally:
        await store.heal()


async def _shared(moving: Moving, share: float) -> None:
    moving.share(share)


async def _kill(moving: Moving, store: ShadowStore) -> tuple[float, float, int]:
    """Seconds from the command's begin and from its end to the last search that came, and how many came before."""
    await asyncio.sleep(1.0)
    before = len(store.asked_at)
    began = time.monotonic()
    await asyncio.to_thread(moving.outgrow, "shadow", "--percent", "0")
    ended = time.monotonic()
    await asyncio.sleep(3.0)
    last = max(store.asked_at[before:], default=began)
    return last - began, last - ended, before


def _processor_seconds(platform: Serving) -> dict[str, float]:
    """So far, by kind of process; of PostgreSQL with the processes that ended; `generator` is this one."""
    found = {"generator": sum(os.times()[:2])}
    for kind in ("api", "worker", "index", "postmaster"):
        found[kind] = 0.0
        for process in platform.processes(kind):
            times = process.cpu_times()
            found[kind] += times.user + times.system
            if kind == "postmaster":
                found[kind] += times.children_user + times.children_system
                for backend in process.children():
                    try:
                        found[kind] += sum(backend.cpu_times()[:2])
                    except psutil.NoSuchProcess:
                        continue
    return found


def said(text: str) -> None:
    """To whoever waits at the terminal."""
    print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)
