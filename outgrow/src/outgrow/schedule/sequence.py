"""Placing rewrites one after the other under the team's rules: how early each can start, and what holds it back.

Unit-agnostic: times, lengths and the gap share one unit. ``pace`` counts in *doublings* of users, where limits and
milestones stand still and faster growth makes every rewrite longer. All starts are then monotone in growth, effort and
hands (list scheduling of independent tasks in a fixed order), which is why each growth limit is a single number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Hold = Literal["nothing", "milestone", "gap", "hands"]


@dataclass(frozen=True, slots=True)
class Task:
    """One rewrite to place: not before ``release``, for ``length``, a ``major`` one with the gap to the last."""

    release: float
    length: float
    major: bool = True


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a task came to lie, and why not earlier.

    ``held_by``: ``nothing`` (it starts at 0), ``milestone`` (its own release), ``gap`` (too soon after the major
    rewrite ``after``), ``hands`` (everybody is busy; ``after`` is what they finish first). ``after`` is an index.
    """

    start: float
    finish: float
    held_by: Hold
    after: int | None = None


def place(tasks: Sequence[Task], hands: int, gap: float) -> tuple[Placed, ...]:
    """Start every task, in the order given, as early as the rules allow.

    Args:
        tasks: in the order in which they are taken up.
        hands: how many may be under way at once, at least 1.
        gap: from the start of a major task to the start of the next major one.
    """
    free: list[tuple[float, int | None]] = [(0.0, None)] * hands
    last_major: int | None = None
    placed: list[Placed] = []
    for index, task in enumerate(tasks):
        hand = min(range(hands), key=lambda h: free[h][0])
        candidates: list[tuple[float, Hold, int | None]] = [(0.0, "nothing", None), (task.release, "milestone", None)]
        if task.major and last_major is not None:
            candidates.append((placed[last_major].start + gap, "gap", last_major))
        candidates.append((free[hand][0], "hands", free[hand][1]))
        start, held_by, after = max(candidates, key=lambda candidate: candidate[0])
        placed.append(Placed(start, start + task.length, held_by, after))
        free[hand] = (placed[index].finish, index)
        if task.major:
            last_major = index
    return tuple(placed)
