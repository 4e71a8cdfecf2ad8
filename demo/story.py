"""What every chapter is given, and what it leaves to those after it."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.figures import Bounds
from demo.growing import BROKEN_WINDOWS, Rising, Stairs, Window, broke
from demo.plans import Plan
from demo.platform import Platform
from demo.telling import Failed, Teller
from demo.users import Users

DEFAULT_LAYOUT = "buckets"
OF_OUTGROW = (0, 1, 3)
"""How commands that look end: fine, with a finding, or with what cannot be known."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a step of searches came to. vector: p95 of asking for vectors, seconds; exact: share that PostgreSQL
    answered, since the index was too late. p50, p95: of whole requests, as their senders waited.
    """

    users: int
    per_second: float
    vector: float
    exact: float
    p50: float | None
    p95: float | None
    errors: int


@dataclass(frozen=True, slots=True)
class Foretold:
    """What `outgrow forecast` said before the wall: at how many users it breaks, and after how many days of simulated
    growth; None where it did not say. users, steps: that there were when it was asked; day: on the story's clock.
    """

    users: int
    steps: int
    day: str
    at_users: Bounds | None
    days: Bounds | None


@dataclass
class Story:
    """What is known as it goes on. reports: of each step, the report that has it, and its place there; before: the step
    that broke it; faults: what makes the demo fail; layout: that is moved to.
    """

    plan: Plan
    teller: Teller
    platform: Platform
    folder: Path
    counted: Users
    steps: list[Window] = field(default_factory=list)
    reports: list[tuple[str, int]] = field(default_factory=list)
    foretold: list[Foretold] = field(default_factory=list)
    before: Load | None = None
    layout: str = DEFAULT_LAYOUT
    faults: list[str] = field(default_factory=list)

    @property
    def config(self) -> Path:
        """The declaration."""
        return self.folder / "outgrow.yaml"

    @property
    def broke_at(self) -> int | None:
        """The place of the step at which it broke, if it has."""
        return broke(self.steps, self.plan.scale.breaks, BROKEN_WINDOWS)

    @property
    def wall(self) -> Load:
        """The step that broke it, which the chapters after the third go by."""
        assert self.before is not None, "the wall comes before what is made of it"
        return self.before

    @property
    def warned(self) -> Foretold | None:
        """The first forecast that named users."""
        return next((one for one in self.foretold if one.at_users is not None), None)

    @property
    def dated(self) -> Foretold | None:
        """The first forecast that gave a date, too."""
        return next((one for one in self.foretold if one.days is not None), None)

    def outgrow(
        self, *words: str, fine: tuple[int, ...] = OF_OUTGROW, shown: bool = True, gently: bool = False
    ) -> dict[str, Any]:
        """What `outgrow …` answers as JSON. fine, shown, gently: as `Teller.run` takes them."""
        done = self.teller.run("outgrow", *words, "--json", fine=fine, shown=shown, gently=gently)
        told: dict[str, Any] = json.loads(done.out)
        return told

    def rising(self, stairs: Stairs, report: str) -> Rising:
        """Searches of users step by step, begun."""
        words = (
            "load", *self.plan.population, "--only", "search", "--ramp", stairs.ramp, "--seconds",
            f"{stairs.seconds:g}", "--rate-per-user", f"{1 / self.plan.search_seconds:g}", "--report", report,
        )  # fmt: skip
        self.teller.told("ventures", *words, "&")
        rising = Rising(self.platform, self.counted, stairs, self.teller.started("ventures", *words))
        rising.start()
        return rising

    def ended(self, rising: Rising) -> None:
        """Ends a load in order; its report is there afterwards. Raises: Failed."""
        rising.stop()
        done = self.teller.ended(rising.sender, None if rising.done else signal.SIGINT)
        if done.code not in (0, 1):
            self.teller.lines(done.said, most=10)
            raise Failed(f"`ventures load` ended with {done.code}")

    def load_of(self, report: str, place: int, window: Window) -> Load:
        """A step as its senders saw it beside what the platform's metrics say of it."""
        step = json.loads((self.folder / report).read_text())["steps"][place]
        return Load(
            window.users,
            step["offered_per_second"],
            window.vector,
            window.exact,
            step["whole"]["p50_seconds"],
            step["whole"]["p95_seconds"],
            sum(step["errors"].values()) + step["dropped"],
        )
