"""A measurement under way: which arms are left, what is known of them, what was measured, and how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from outgrow.evidence.kept import Begun, KeptRound
from outgrow.evidence.records import ArmFacts, Fit, Round
from outgrow.ports import Experiment, ExperimentFailed, Ledger, Load, Measured
from outgrow.proving.records import Asked, Phase, Step

_THEN = ", then "


@dataclass(slots=True)
class Run:
    """A run under way."""

    asked: Asked
    experiment: Experiment
    ledger: Ledger
    now: Callable[[], float]
    tell: Callable[[Step], None]
    timer: Callable[[], float]
    alive: list[str] = field(default_factory=list)
    facts: dict[str, ArmFacts] = field(default_factory=dict)
    fit: Fit | None = None
    rate: float | None = None
    ran: list[KeptRound] = field(default_factory=list)
    kept: int = 0
    begun: Begun | None = None
    place: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)
    fitness_left: int = 0
    in_round: int = 0

    def change(self, arm: str, **facts: Any) -> None:
        """Note something of an arm."""
        self.facts[arm] = replace(self.facts.get(arm, ArmFacts(arm)), **facts)

    def leave_out(self, arm: str, reason: str, phase: Phase) -> None:
        """Go on without an arm."""
        self.alive.remove(arm)
        self.change(arm, left_out=reason.rstrip("."))
        self.say(phase, 0, 0, arm, f"{arm} is left out: {reason}")

    def say(self, phase: Phase, done: int, total: int, arm: str = "", said: str = "") -> None:
        """Tell how far it is."""
        usual = float(np.mean(self.took)) if self.took else self.asked.comparison.round_seconds
        rounds = max(0, self.asked.rounds - len(self.ran)) * len(self.alive) - self.in_round
        self.tell(Step(phase, done, total, arm, usual * max(0, rounds + self.fitness_left), said))

    def see_versions(self) -> None:
        """Take up what the experiment says of versions; one that changes under way is told with both."""
        try:
            found = self.experiment.versions()
        except ExperimentFailed:
            return
        for name, version in found.items():
            known = self.versions.get(name)
            told = known is not None and known.split(_THEN)[-1] == version
            self.versions[name] = known if known is not None and told else _THEN.join(filter(None, (known, version)))

    @property
    def all_versions(self) -> dict[str, str]:
        """With those of the rounds that it goes on from."""
        return {**(self.begun.versions if self.begun else {}), **self.versions}

    def measure(self, arm: str, seed: int) -> Measured:
        """Ask one arm, and note how long that took. Raises ``ExperimentFailed``, also where nothing was answered."""
        began = self.timer()
        measured = self.experiment.run(arm, Load(self.asked.comparison.round_seconds, seed, self.rate))
        self.took.append(self.timer() - began)
        return answered(measured)


def answered(measured: Measured) -> Measured:
    """The same. Raises ``ExperimentFailed`` where nothing was answered."""
    if not measured.answered:
        why = f": {measured.why_dropped}" if measured.why_dropped else ""
        raise ExperimentFailed(f"it answered {measured.sent - measured.dropped:,} of {measured.sent:,} requests{why}")
    return measured


def round_of_arm(number: int, arm: str, order: int, measured: Measured) -> Round:
    """What an arm measured, as evidence names it."""
    return Round(
        number,
        arm,
        order,
        measured.p95_seconds,
        measured.sent,
        measured.dropped,
        measured.p50_seconds,
        measured.throughput_per_second,
    )
