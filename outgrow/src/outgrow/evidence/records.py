"""The records of this room: evidence as it was measured or reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from outgrow.quantities import Interval

EVIDENCE_SCHEMA = "outgrow/evidence/v1"

Clearance = Literal["above", "below", "inside", "unclear"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One thing that was measured. ``option`` is the option it stands for; None: the service as it is, untuned."""

    id: str
    option: str | None


@dataclass(frozen=True, slots=True)
class Round:
    """One arm in one round. ``order`` counts from 0 within the round; ``sent`` and ``dropped`` are requests.

    Rounds of the same number ran next to each other, so that what disturbed one disturbed all: they are compared in
    pairs.
    """

    round: int
    arm: str
    order: int
    p95_seconds: float
    sent: int
    dropped: int
    p50_seconds: float | None = None
    throughput_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class ArmFacts:
    """What is known of an arm beside its rounds; None where it is not known.

    Attributes:
        capacity_per_second: requests a second that it answered in a closed loop.
        recall: share of the right answers that it found, 0 to 1. parity: share of the requests to which it gave exactly
            the answer of the baseline.
        memory_bytes, disk_bytes: what it took while it was asked. monthly_cost: in the declared currency.
        left_out: why it has no ratio: it failed, or answered wrongly; ``""`` where nothing is wrong.
    """

    arm: str
    capacity_per_second: float | None = None
    recall: float | None = None
    parity: float | None = None
    memory_bytes: float | None = None
    disk_bytes: float | None = None
    monthly_cost: float | None = None
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether the machine can judge: one arm against itself (p95 ÷ p95, so 1 is the truth).

    ``ratio`` is None where the rounds cannot bound one; ``why_not`` is ``""`` where it is fit.
    """

    arm: str
    ratio: Interval | None
    rounds: int
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class ReportedRatio:
    """A ratio that somebody else measured: how many times better ``option`` is than ``baseline``."""

    option: str
    ratio: Interval


@dataclass(frozen=True, slots=True)
class TriggerMeasure:
    """What an arm measured of a trigger's signal at a load that stands for so many users; in the signal's base unit."""

    arm: str
    trigger: str
    users: float
    value: Interval


@dataclass(frozen=True, slots=True)
class Evidence:
    """The result of a comparison.

    Attributes:
        point: the rewrite point it is about.
        made_at: when it was measured; seconds since the epoch.
        source: who or what measured it.
        baseline: the arm (or, with ``reported``, the option) that the others are compared with; ``""`` when not said.
        baseline_tuned: whether the baseline is the service as good as it gets without a rewrite.
        arms, rounds: a measured comparison; both empty where only ``reported``.
        reported: ratios measured elsewhere.
        measures: what arms measured of the point's triggers.
        seed, versions, machine: what is needed to measure it again.
        digest: stands for the content; the same file has the same digest.
        facts: of arms, beside their rounds. fit: the baseline against itself, measured before.
        rate_per_second: what every arm was sent; None where the experiment has a rate of its own. load_ratio: its share
            of what the slowest arm could answer; None where the rate was declared.
        interrupted: fewer rounds than were planned, as somebody ended it.
    """

    point: str
    made_at: float
    source: str
    baseline: str
    baseline_tuned: bool
    digest: str
    arms: tuple[Arm, ...] = ()
    rounds: tuple[Round, ...] = ()
    reported: tuple[ReportedRatio, ...] = ()
    measures: tuple[TriggerMeasure, ...] = ()
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False
    facts: tuple[ArmFacts, ...] = ()
    fit: Fit | None = None
    rate_per_second: float | None = None
    load_ratio: float | None = None
    interrupted: bool = False

    def facts_of(self, arm: str) -> ArmFacts:
        """What is known of an arm; nothing, where nothing was said."""
        return next((each for each in self.facts if each.arm == arm), ArmFacts(arm))


@dataclass(frozen=True, slots=True)
class MeasuredRatio:
    """How many times better an option is than an arm (p95 of the arm / p95 of the option; above 1 = better).

    Attributes:
        option: what is judged. against: the arm or option it is compared with; ``tuned`` whether that one is tuned.
        ratio: at the confidence that rulings need (95 %, so 2.5 % a side); None where it cannot be ruled on.
        rounds: pairs it rests on; 0 for a reported one.
        why_not: set where ``ratio`` is None. source, made_at: where it comes from.
        remarks: what a reader must know of how it was measured.
    """

    option: str
    against: str
    tuned: bool
    ratio: Interval | None
    rounds: int
    source: str
    made_at: float
    why_not: str = ""
    remarks: tuple[str, ...] = ()
