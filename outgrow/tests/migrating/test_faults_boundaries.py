"""The sweep over boundaries: each is died at once, in as many pieces as one likes, and it comes to an end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.kills import VERBS, Swept, Tally, at_boundaries, swept_of
from benchmarks.faults.world import Database, Ran, Tool, World


class Counted:
    """A world whose verbs have so many boundaries, and which notes at which of them somebody died."""

    def __init__(self, boundaries: dict[str, int]) -> None:
        self.boundaries = boundaries
        self.died: list[tuple[str, int]] = []
        self.noted = type("Noted", (), {"writes": [], "look": lambda self: None})()

    def run(self, verb: str, *, die_at: int) -> Ran:
        dies = die_at <= self.boundaries[verb]
        if dies:
            self.died.append((verb, die_at))
        crossed = ((0.0, f"at {die_at}", "a"),) if dies else ()
        return Ran((verb,), 0.0, 0.0, -signal.SIGKILL if dies else 0, "", "", crossed)

    def finish(self, verb: str) -> list[Ran]:
        return [Ran((verb,), 0.0, 0.0, 0, "", "", ())]

    def is_done(self, verb: str) -> bool:
        del verb
        return False

    def wrong(self) -> list[Any]:
        return []

    def start_writers(self) -> None: ...
    def stop_writers(self) -> None: ...
    def left_over(self) -> None: ...
    def turned(self) -> None: ...


def never() -> bool:
    return False


def after(times: int) -> Callable[[], bool]:
    asked: Iterator[int] = iter(range(10**6))
    return lambda: next(asked) >= times


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("turns", [0, 1, 7, 10**6])
def test_every_boundary_of_every_verb_once_in_pieces(step: int, turns: int) -> None:
    count = {"create": 2, "start": 23, "switch": 9, "reverse": 11, "cancel": 4, "complete": 5}
    world: Any = Counted(count)
    swept = Swept(step)
    for _ in range(100):
        at_boundaries(world, swept, until=after(turns))
        swept = swept_of(json.loads(json.dumps(swept.kept())), step)
        if not swept.left(*VERBS):
            break
    assert sorted(world.died) == sorted((verb, at) for verb in VERBS for at in range(1, count[verb] + 1, step))
    assert swept.kept()["whole"]
    assert sum(swept.tally.kills.values()) == swept.tally.looks == len(world.died)


def test_what_went_wrong_or_was_of_another_step_is_begun_anew() -> None:
    done = Swept(1, {"start": 5}, {"create": 2})
    assert swept_of(done.kept(), 1) == done
    assert swept_of(done.kept(), 2) == Swept(2)
    assert swept_of(Swept(1, {"start": 5}, tally=Tally(stuck=["somewhere"])).kept(), 1) == Swept(1)
    assert swept_of({}, 1) == Swept(1)


def test_a_few_boundaries_of_a_real_move(postgresql_server: str, tmp_path: Path) -> None:
    tool = Tool(tmp_path / "plugins")
    world = World(tmp_path / "w", "rows", Database(given=postgresql_server), tool, {"a": 4}, late_seconds=0.2)
    swept = Swept(30)
    try:
        at_boundaries(world, swept, until=after(3))
    finally:
        world.close()
        tool.close()
    tally = swept.tally
    assert (tally.stuck, tally.wrong) == ([], [])
    assert tally.kills["tool"] == tally.looks >= 3
