"""Kills, at every step boundary and at random, while an application writes; after each, all that was acknowledged is
looked for."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.faults.notes import Wrong
from benchmarks.faults.world import Ran, Stuck, World

Who = Literal["tool", "writer", "postgresql", "store"]
FORWARD = ("create", "start", "switch", "reverse", "switch", "complete")
BACK = ("create", "start", "switch", "reverse", "cancel")
LATE_SHARE = 0.01
"""Of the move's requests to the store of points that are taken up as much as a second late."""
LOOKED_AT = ("start", "switch", "reverse", "complete", "cancel")


@dataclass
class Tally:
    """What came of kills. ``died``: at which boundary the tool's processes died that were killed at random."""

    kills: Counter[str] = field(default_factory=Counter)
    wrong: list[dict[str, Any]] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    differing: int = 0
    looks: int = 0
    acknowledged: int = 0
    resumed: list[float] = field(default_factory=list)
    died: Counter[str] = field(default_factory=Counter)

    def take(self, ran: Sequence[Ran], after_kill: bool) -> None:
        """Of calls that came to their end: how soon the first went on."""
        if after_kill and ran and (seconds := ran[0].first_progress_seconds) is not None:
            self.resumed.append(seconds)

    def look(self, world: World, verb: str) -> None:
        """Everything that was acknowledged is where the routes lead."""
        self.looks += 1
        found = world.wrong()
        self.wrong += [_said(verb, one) for one in found]
        if found:
            raise Stuck(f"{len(found)} wrong after {verb}; the batch ends here")

    def kept(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kills": dict(self.kills), "wrong": self.wrong[:50], "wrong_count": len(self.wrong), "stuck": self.stuck,
            "differing": self.differing, "looks": self.looks, "acknowledged": self.acknowledged,
            "resumed": [round(one, 3) for one in self.resumed], "died": dict(self.died),
        }  # fmt: skip


def at_random(world: World, kills: int, seed: str, *, until: Callable[[], bool] = lambda: False) -> Tally:
    """So many kills, while tenants go there and back. Of ten, eight are the tool's, one a writer's, and one that of a
    store: of the server of PostgreSQL, where it is our own, or of the store of points."""
    dice, tally = random.Random(seed), Tally()
    typical: dict[str, float] = {}
    if world.kind == "points":
        world.disturb_edge(0.0, LATE_SHARE)
    world.start_writers()
    try:
        while sum(tally.kills.values()) < kills and not until():
            plan = dice.choice((FORWARD, BACK))
            for verb in plan:
                _disturbed(world, verb, kills, dice, tally, typical)
                if verb in LOOKED_AT:
                    tally.look(world, verb)
                if verb in ("start", "switch"):
                    tally.differing += _differing(world)
            if plan is FORWARD:
                world.forward = not world.forward
                world.declare()
        world.stop_writers()
        world.noted.look()
    except Stuck as stuck:
        tally.stuck.append(f"seed {seed}, after {sum(tally.kills.values())} kills: {stuck}")
    tally.acknowledged = len(world.noted.writes)
    return tally


def _disturbed(
    world: World, verb: str, kills: int, dice: random.Random, tally: Tally, typical: dict[str, float]
) -> None:
    """Carries a verb out with some kills in it."""
    killed = False
    for _ in range(dice.choice((0, 1, 1, 2, 3))):
        if sum(tally.kills.values()) >= kills or world.is_done(verb):
            break
        who = _whom(world, dice)
        after = dice.uniform(0.0, 1.2 * typical.get(verb, 0.5))
        if who == "tool":
            ran = world.end(world.begin(verb), kill_after=after)
            if ran.code == -signal.SIGKILL:
                tally.kills[who] += 1
                tally.died[ran.boundaries[-1][1] if ran.boundaries else "before the first"] += 1
                killed = True
            continue
        started = world.begin(verb)
        time.sleep(after)
        if who == "writer":
            world.kill_writer(dice.randrange(world.writers))
        elif who == "postgresql":
            world.kill_database()
        else:
            world.kill_edge()
            world.start_edge()
            world.disturb_edge(0.0, LATE_SHARE)
        tally.kills[who] += 1
        world.end(started)
    if world.is_done(verb):
        return
    ran_to_the_end = world.finish(verb)
    tally.take(ran_to_the_end, killed)
    if len(ran_to_the_end) == 1 and not killed:
        took = ran_to_the_end[0].ended - ran_to_the_end[0].began
        typical[verb] = 0.7 * typical.get(verb, took) + 0.3 * took


def _whom(world: World, dice: random.Random) -> Who:
    others: list[Who] = ["postgresql"] if world.database.folder is not None else []
    if world.kind == "points":
        others.append("store")
    place = dice.random()
    if place < 0.8 or (place >= 0.9 and not others):
        return "tool"
    return "writer" if place < 0.9 else dice.choice(others)


def _differing(world: World) -> int:
    """Keys that the tool itself finds different between both stores."""
    ran = world.run("verify")
    if ran.code not in (0, 1):
        raise Stuck(f"verify ended with {ran.code}: {ran.err[-300:]}")
    return len(ran.out.splitlines())


@dataclass
class Swept:
    """What came of kills at boundaries: of each verb how many there are, and at which a kill left something wrong."""

    boundaries: dict[str, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)


def at_boundaries(world: World, step: int = 1, first: int = 1, *, until: Callable[[], bool] = lambda: False) -> Swept:
    """The tool dies at every ``step``-th boundary of each verb; the next process brings it to its end."""
    swept = Swept()
    tally = swept.tally
    ways = ((*FORWARD[:4], "cancel"), FORWARD)
    world.start_writers()
    try:
        at = first
        alive = {*FORWARD, *BACK}
        while alive and not until():
            for way in ways if "complete" in alive else ways[:1]:
                seen = set[str]()
                for verb in way:
                    due = verb in alive and verb not in seen and not (way is FORWARD and verb not in ("complete",))
                    seen.add(verb)
                    if due:
                        ran = world.run(verb, die_at=at)
                        if ran.code == -signal.SIGKILL:
                            tally.kills["tool"] += 1
                            tally.died[ran.boundaries[-1][1]] += 1
                            swept.boundaries[verb] = at
                        else:
                            alive.discard(verb)
                    if not world.is_done(verb):
                        tally.take(world.finish(verb), due)
                    if due:
                        tally.look(world, verb)
                if way is FORWARD:
                    world.forward = not world.forward
                    world.declare()
            at += step
        world.stop_writers()
        world.noted.look()
    except Stuck as stuck:
        tally.stuck.append(f"boundary {at}: {stuck}")
    tally.acknowledged = len(world.noted.writes)
    return swept


def _said(verb: str, one: Wrong) -> dict[str, Any]:
    return {
        "after": verb, "tenant": one.tenant, "number": one.number, "how": one.how,
        "acknowledged": one.acknowledged, "held": one.held,
    }  # fmt: skip
