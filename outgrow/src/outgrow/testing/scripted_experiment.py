"""An experiment that measures what it is told to: arms with given times, noise, answers and failures. Nothing waits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from outgrow.evidence.records import Arm
from outgrow.ports import Answers, ExperimentFailed, Footprint, Load, Measured, Request

_ZIPPED = sum(map(ord, "scripted"))


@dataclass(frozen=True, slots=True)
class ScriptedArm:
    """What an arm is made to show.

    Attributes:
        p95_seconds: of a typical round. noise: standard deviation of its logarithm from round to round.
        capacity: requests a second; None: a rate of its own. answers: request → what it finds; right where left out.
        dropped_ratio: of what it is sent. measures: trigger → value. fails: call → the message of what goes wrong.
    """

    id: str
    option: str | None
    p95_seconds: float
    noise: float = 0.05
    capacity: float | None = 200.0
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dropped_ratio: float = 0.0
    measures: Mapping[str, float] = field(default_factory=dict)
    footprint: Footprint = field(default_factory=Footprint)
    fails: Mapping[str, str] = field(default_factory=dict)


class ScriptedExperiment:
    """An ``outgrow.ports.Experiment`` over scripted arms; equal seeds give equal figures.

    Args:
        arms: the first is the baseline.
        right: request → the right answer; None: nobody knows it.
        before_run: called with the arm and how many runs there were before each; may raise.
        drift: what the logarithm of every time gains from run to run: a machine that gets slower.
    """

    def __init__(
        self,
        arms: Sequence[ScriptedArm],
        right: Mapping[str, tuple[str, ...]] | None = None,
        before_run: Callable[[str, int], None] | None = None,
        drift: float = 0.0,
    ) -> None:
        self._arms = {arm.id: arm for arm in arms}
        self._right = right
        self._before_run = before_run
        self._drift = drift
        self.runs: list[tuple[str, Load]] = []
        self.prepared: list[str] = []
        self.closed = False

    @property
    def arms(self) -> tuple[Arm, ...]:
        """As they were given."""
        return tuple(Arm(arm.id, arm.option) for arm in self._arms.values())

    @property
    def baseline(self) -> str:
        """The first."""
        return next(iter(self._arms))

    def prepare(self, arm: str, said: Callable[[str], None]) -> None:
        """Notes that it was asked."""
        self._may_fail(arm, "prepare")
        said(f"{arm} is warm")
        self.prepared.append(arm)

    def capacity(self, arm: str) -> float | None:
        """As given."""
        self._may_fail(arm, "capacity")
        return self._arms[arm].capacity

    def run(self, arm: str, load: Load) -> Measured:
        """Times around those that were given."""
        if self._before_run is not None:
            self._before_run(arm, len(self.runs))
        self._may_fail(arm, "run")
        given, count = self._arms[arm], len(self.runs)
        rng = np.random.default_rng([_ZIPPED, load.seed, count])
        p95 = given.p95_seconds * math.exp(given.noise * rng.standard_normal() + self._drift * count)
        sent = max(1, round((load.rate_per_second or 100.0) * load.seconds))
        dropped = round(sent * given.dropped_ratio)
        self.runs.append((arm, load))
        return Measured(p95 / 3, p95, 1.4 * p95, sent, dropped, (sent - dropped) / load.seconds, given.measures)

    def requests(self, seed: int) -> Sequence[Request]:
        """One for each answer that is known."""
        del seed
        named = self._right if self._right is not None else self._arms[self.baseline].answers
        return tuple(Request(each, f"request {each}") for each in named)

    def answers(self, arm: str, requests: Sequence[Request]) -> Answers:
        """What the arm is given to say, else what is right."""
        self._may_fail(arm, "answers")
        known = {**(self._right or self._arms[self.baseline].answers), **self._arms[arm].answers}
        return Answers({each.id: known[each.id] for each in requests})

    def right(self, requests: Sequence[Request]) -> Answers | None:
        """As given."""
        return None if self._right is None else Answers({each.id: self._right[each.id] for each in requests})

    def footprint(self, arm: str) -> Footprint:
        """As given."""
        return self._arms[arm].footprint

    def versions(self) -> Mapping[str, str]:
        """Of nothing in particular."""
        return {"scripted": "1"}

    def close(self) -> None:
        """Notes it."""
        self.closed = True

    def _may_fail(self, arm: str, call: str) -> None:
        reason = self._arms[arm].fails.get(call)
        if reason is not None:
            raise ExperimentFailed(reason)
