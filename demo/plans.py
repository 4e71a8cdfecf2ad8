"""How long and how hard the story is told: whole, or quick."""

from __future__ import annotations

from dataclasses import dataclass

from demo.declaring import Scale
from demo.growing import Stairs


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard. users, ventures, passages: the population, passages of each user.

    stairs: users at work, step by step; look_after, look_every: steps after which a forecast is asked for, and then
    again. search_seconds: between two searches of a user. move_seconds: at most, of the load beside the move;
    after_seconds: of each step afterwards. scenarios: of `outgrow plan`. whole: with proving, deciding and planning,
    the rehearsed way back, and validating.
    """

    users: int
    ventures: int
    passages: int
    stairs: Stairs
    look_after: int
    look_every: int
    search_seconds: float
    move_seconds: float
    after_seconds: float
    scenarios: int
    whole: bool
    scale: Scale
    about: str
    """What people are told that comes, and how long it takes."""

    @property
    def population(self) -> tuple[str, ...]:
        """As `ventures populate` and `ventures load` are told."""
        named = {"--users": self.users, "--ventures": self.ventures, "--passages-per-user": self.passages}
        return tuple(word for name, value in named.items() for word in (name, str(value)))


FULL = Plan(
    users=1300,
    ventures=200,
    passages=14,
    stairs=Stairs(first=90, apart=55, steps=23, step_seconds=4.0),
    look_after=7,
    look_every=3,
    search_seconds=10.0,
    move_seconds=90.0,
    after_seconds=7.0,
    scenarios=200,
    whole=True,
    scale=Scale(days=7, window=2.0, warn=0.05, breaks=0.1, rounds=10, round_seconds=1.4),
    about="Six chapters in less than six minutes: a platform as one builds it first · growth until it breaks · what "
    "was said of that before · the ways out, measured · the move, while it is used · the same load again.",
)
QUICK = Plan(
    users=990,
    ventures=40,
    passages=12,
    stairs=Stairs(first=60, apart=42, steps=23, step_seconds=2.0),
    look_after=7,
    look_every=3,
    search_seconds=5.0,
    move_seconds=25.0,
    after_seconds=3.0,
    scenarios=50,
    whole=False,
    scale=Scale(days=7, window=2.0, warn=0.05, breaks=0.1, rounds=6, round_seconds=0.6),
    about="Five of six chapters in about eighty seconds: a platform as one builds it first · growth until it breaks · "
    "what was said of that before · the move, while it is used · the same load again.",
)
LEFT_OUT = (
    "Left out of the quick form: chapter 4 (prove, decide, plan), so that it moves to the platform's default; the "
    "rehearsed way back; and `outgrow validate` (twice the load is sent all the same)."
)
