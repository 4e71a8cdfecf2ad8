"""What measures the options of a point: one experiment has several arms and runs one of them at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from outgrow.errors import OutgrowError
from outgrow.evidence.records import Arm


class ExperimentFailed(OutgrowError):
    """An arm could not be set up or asked: which, why, and what to do. What was measured before is kept."""


@dataclass(frozen=True, slots=True)
class Load:
    """What an arm is sent in one round: requests that leave when they are due, answered or not (an open loop).

    ``rate_per_second`` is None where the experiment has a rate of its own. Equal ``seed``: the same requests.
    """

    seconds: float
    seed: int
    rate_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One arm in one round. Times are seconds from when a request was due, of those that were answered; ``dropped``
    were sent, and refused, failed or not answered in time. Where all were, the times are infinite.

    Attributes:
        throughput_per_second: answered requests.
        measures: trigger → the value of its signal, in its base unit, where the experiment can tell.
        why_dropped: the most frequent reasons; "" where nothing was dropped, or nobody knows.
    """

    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    sent: int
    dropped: int
    throughput_per_second: float
    measures: Mapping[str, float] = field(default_factory=dict)
    why_dropped: str = ""

    @property
    def answered(self) -> bool:
        """Whether anything was, and in a time that can be told."""
        return self.sent > self.dropped and 0 < self.p95_seconds < math.inf


@dataclass(frozen=True, slots=True)
class Request:
    """One request whose answer is compared; ``text`` is how a person would be told which one it was."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What an arm answered: request id → the ids of what it found, in order (or one digest of the whole answer)."""

    by_request: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Footprint:
    """What an arm takes; None where it is not known. ``monthly_cost`` in the declared currency."""

    memory_bytes: float | None = None
    disk_bytes: float | None = None
    monthly_cost: float | None = None


class Experiment(Protocol):
    """Arms that can be measured side by side. All calls may raise ``ExperimentFailed``. A factory of the entry point
    ``outgrow.experiments`` gives one: ``(settings, clock) -> Experiment``; ``settings`` are the keys of ``experiment:``
    in the declared file that are the kind's own, with ``arms`` as they are written there.
    """

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Those declared, or those that the kind offers by itself where none are."""
        ...

    @property
    def baseline(self) -> str:
        """The arm that is the service as it is."""
        ...

    def prepare(self, arm: str, said: Callable[[str], None]) -> None:
        """Sets the arm up and warms it; ``said`` tells people how far it is."""
        ...

    def capacity(self, arm: str) -> float | None:
        """Requests a second that it can answer, by a closed loop of some seconds; None: a rate of its own."""
        ...

    def run(self, arm: str, load: Load) -> Measured:
        """Asks one arm, the others idle."""
        ...

    def requests(self, seed: int) -> Sequence[Request]:
        """What is compared for parity; empty where answers cannot be compared."""
        ...

    def answers(self, arm: str, requests: Sequence[Request]) -> Answers:
        """What the arm answers to them now."""
        ...

    def right(self, requests: Sequence[Request]) -> Answers | None:
        """The right answers, where somebody knows them: recall is measured against these."""
        ...

    def footprint(self, arm: str) -> Footprint:
        """What it takes, under what it was sent last."""
        ...

    def versions(self) -> Mapping[str, str]:
        """Of what was measured."""
        ...

    def close(self) -> None:
        """Ends what it started."""
        ...
