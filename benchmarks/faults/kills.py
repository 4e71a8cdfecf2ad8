"""Kills, at every step boundary and at random, while an application writes; after each, all that was acknowledged is
looked for."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.notes import Wrong
from benchmarks.faults.world import Ran, Stuck, World

FORWARD = ("create", "start", "switch", "reverse", "switch", "complete")
BACK = ("create", "start", "switch", "reverse", "cancel")
VERBS = ("create", "start", "switch", "reverse", "cancel", "complete")
TURNS = 4
"""There and back, before a move ends."""
ENDS = ("complete", "cancel")
AWAY, BACK_SECONDS = 3, 30.0
"""How `outgrow` ends where a store does not answer, and for how long that may be so after a kill."""
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
        if verb in ENDS:
            world.left_over()

    def kept(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kills": dict(self.kills), "wrong": self.wrong[:50], "wrong_count": len(self.wrong), "stuck": self.stuck,
            "differing": self.differing, "looks": self.looks, "acknowledged": self.acknowledged,
            "resumed": [round(one, 3) for one in self.resumed], "died": dict(self.died),
        }  # fmt: skip


def at_random(world: World, kills: int, seed: str, *, until: Callable[[], bool] = lambda: False) -> Tally:
    """So many kills, while tenants go there and back: most of them the tool's, the others those of writers, stores,
    and of whatever else the world is made of."""
    dice, tally = random.Random(seed), Tally()
    typical: dict[str, float] = {}
    world.unsettle()
    world.start_writers()
    try:
        while sum(tally.kills.values()) < kills and not until():
            plan = dice.choice((FORWARD, BACK))
            for verb in plan:
                if until():
                    break
                _disturbed(world, verb, kills, dice, tally, typical)
                if verb in LOOKED_AT:
                    tally.look(world, verb)
                if verb in ("start", "switch"):
                    tally.differing += _differing(world)
            else:
                if plan is FORWARD:
                    world.turned()
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
        who = "tool" if dice.random() < world.tool_share else dice.choice(world.others())
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
        world.kill(who, dice)
        tally.kills[who] += 1
        world.end(started)
    if world.is_done(verb):
        return
    ran_to_the_end = world.finish(verb)
    tally.take(ran_to_the_end, killed)
    if len(ran_to_the_end) == 1 and not killed:
        took = ran_to_the_end[0].ended - ran_to_the_end[0].began
        typical[verb] = 0.7 * typical.get(verb, took) + 0.3 * took


def _differing(world: World) -> int:
    """Keys that the tool itself finds different between both stores; asked again while a store that was killed is not
    back yet."""
    end = time.monotonic() + BACK_SECONDS
    while (ran := world.run("verify")).code == AWAY and time.monotonic() < end:
        time.sleep(0.5)
    if ran.code not in (0, 1):
        raise Stuck(f"verify ended with {ran.code}: {ran.err[-300:]}")
    return len(ran.out.splitlines())


@dataclass
class Swept:
    """What came of kills at boundaries, and from where it goes on.

    Attributes:
        boundaries: of each verb the last boundary at which the tool died.
        passed: how often in succession a verb came to its end before the boundary that was due. A verb crosses more or
            fewer of them as the application writes: twice ends its sweep.
    """

    step: int = 1
    boundaries: dict[str, int] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    def left(self, *verbs: str) -> bool:
        """Whether one of these has boundaries at which nobody died yet."""
        return any(self.passed.get(verb, 0) < 2 for verb in verbs)

    def completes(self) -> bool:
        """Whether the move is to be completed now; else it is cancelled."""
        fewer = self.boundaries.get("complete", 0) < self.boundaries.get("cancel", 0)
        return self.left("complete") and (fewer or not self.left("cancel"))

    def end(self, world: World, verb: str) -> None:
        """Has the verb carried out: by a process that dies at the next boundary, where there is one, and its
        successors."""
        at = self.boundaries.get(verb, 1 - self.step) + self.step if self.left(verb) else 0
        died = False
        if at:
            ran = world.run(verb, die_at=at)
            died = ran.code == -signal.SIGKILL
            self.passed[verb] = 0 if died else self.passed.get(verb, 0) + 1
        if died:
            self.boundaries[verb] = at
            self.tally.kills["tool"] += 1
            self.tally.died[ran.boundaries[-1][1]] += 1
        if not world.is_done(verb):
            self.tally.take(world.finish(verb), died)
        if died:
            self.tally.look(world, verb)

    def kept(self) -> dict[str, Any]:
        """As JSON; ``swept_of`` goes on from it."""
        return {
            "step": self.step, "boundaries": self.boundaries, "passed": self.passed, "whole": not self.left(*VERBS),
            **self.tally.kept(),
        }  # fmt: skip


def swept_of(kept: Mapping[str, Any], step: int) -> Swept:
    """What was done so far; nothing, where each other boundary was asked for."""
    if "passed" not in kept or kept["step"] != step or kept["stuck"] or kept["wrong"]:
        return Swept(step)
    names = ("kills", "differing", "looks", "acknowledged", "resumed", "died")
    tally = Tally(**{name: kept[name] for name in names})
    tally.kills, tally.died = Counter(tally.kills), Counter(tally.died)
    return Swept(step, dict(kept["boundaries"]), dict(kept["passed"]), tally)


def at_boundaries(world: World, swept: Swept, *, until: Callable[[], bool] = lambda: False) -> None:
    """The tool dies at one boundary after the other of each verb; the next process brings it to its end.

    A tenant goes there and back some times before the move is cancelled, or completed, in turn.
    """
    tally = swept.tally
    world.start_writers()
    try:
        while True:
            for verb in ("create", "start"):
                swept.end(world, verb)
            for _ in range(TURNS):
                if not swept.left("switch", "reverse"):
                    break
                swept.end(world, "switch")
                swept.end(world, "reverse")
                if until():
                    break
            if swept.completes():
                for verb in ("switch", "complete"):
                    swept.end(world, verb)
                world.turned()
            else:
                swept.end(world, "cancel")
            if until() or not swept.left(*VERBS):
                break
        world.stop_writers()
        world.noted.look()
    except Stuck as stuck:
        tally.stuck.append(f"after {swept.boundaries}: {stuck}")
    tally.acknowledged += len(world.noted.writes)


def _said(verb: str, one: Wrong) -> dict[str, Any]:
    return {
        "after": verb, "tenant": one.tenant, "number": one.number, "how": one.how,
        "acknowledged": one.acknowledged, "held": one.held,
    }  # fmt: skip
