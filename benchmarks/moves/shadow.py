"""What it costs searches that a tenth of them is asked of both stores, also where the other one is away.

    python -m benchmarks shadow            # half an hour on two cores
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

in slices of some seconds, one of each arm after the other, so that what the machine does meanwhile meets all arms; each
with the same searches at the same moments. A ratio is that of an arm to *off* in the same round. Before a slice is
measured it is searched unmeasured for some seconds, so that all processes know the share, and found the target again.

`--one` measures the platform's default, one index process that holds both layouts, with *off* and *on* alone: there
the target cannot be stopped by itself.

Then the kill switch: how long after `shadow --percent 0` the last search comes to the target.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import uvloop

from benchmarks.moves.platform_moved import SEED, TARGET, Moving, carried, ends_in_order, filled, said
from benchmarks.moves.shadow_report import ARMS, Figures, write
from benchmarks.moves.shadow_store import ShadowStore
from benchmarks.platform.running import WORKING, processor_seconds
from ventures.population.loading import Level
from ventures.population.shape import Plan
from ventures.population.workload import Person
from ventures.testing.serving import Serving, folder
from ventures.vectors.api import process_of

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


@dataclass(frozen=True, slots=True)
class Size:
    """How large it is. searches: of an arm in a round, all slices. kills: of mirroring."""

    plan: Plan
    rounds: int
    searches: int
    slices: int
    counted_seconds: float
    kills: int


WHOLE = Size(Plan(users=200, ventures=150, passages_per_user=300), 30, 1_000, 3, 20.0, 3)
SMALL = Size(Plan(users=40, ventures=30, passages_per_user=100), 3, 250, 2, 8.0, 2)


@dataclass(frozen=True, slots=True)
class Arm:
    """A slice of an arm that is measured, with the one before it that is not. slice: those of one number get the same
    searches."""

    round: int
    slice: int
    name: str
    warm_seconds: float


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


async def _measured(platform: Serving, size: Size, rounds: int, options: argparse.Namespace) -> Figures:
    figures = Figures()
    async with carried(platform, size.plan) as (moving, _):
        store = None
        if not options.one:
            moving.people = _in_second(moving.people)
            store = ShadowStore(platform, PROCESSES)
        try:
            figures.rate = options.rate or await _rate(moving)
            await _rounds(moving, store, figures, rounds, size.slices, size.searches / figures.rate)
            await _counted(moving, figures, size.counted_seconds)
            if store is not None:
                await _killed(moving, store, figures, size.kills)
        finally:
            if store is not None:
                await store.heal()
    return figures


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


async def _rounds(
    moving: Moving, store: ShadowStore | None, figures: Figures, rounds: int, slices: int, seconds: float
) -> None:
    seconds /= slices
    arms = _arms(rounds, slices, seconds, ARMS[:2] if store is None else ARMS)
    levels = [Level(0, figures.rate, one) for arm in arms for one in (arm.warm_seconds, seconds)]
    seeds = [one for arm in arms for one in (-1 - arm.slice, arm.slice)]
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


def _arms(rounds: int, slices: int, seconds: float, of: Sequence[str] = ARMS) -> list[Arm]:
    """The order of everything, seeded. After the target was away it is waited for before it is to be there."""
    luck = random.Random(SEED)
    found: list[Arm] = []
    healthy_for = math.inf
    for place in range(rounds * slices):
        number = place // slices
        names = [name for name in of if name != "failing" or number % FAILING_EVERY == FAILING_EVERY - 1]
        luck.shuffle(names)
        for name in names:
            warm = WARM_SECONDS
            if name in ("on", "stalled") and healthy_for < FOUND_SECONDS:
                warm = max(warm, FOUND_SECONDS - healthy_for)
            if name == "failing":
                warm = max(warm, REFUSED_SECONDS)
            healthy_for = 0.0 if name in ("stalled", "failing") else healthy_for + warm + seconds
            found.append(Arm(number, place, name, warm))
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
    of_platform: dict[str, float] = {kind: processor_seconds(platform, kind) for kind in WORKING}
    return {"generator": sum(os.times()[:2]), **of_platform}
