"""The service as it was, measured before a move: what is left of it once nobody can ask it any more."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from outgrow.evidence.comparison import CONFIDENCE, MOST_DROPPED
from outgrow.evidence.fitness import FIT_WITHIN
from outgrow.evidence.intervals import least_pairs, value_interval
from outgrow.evidence.records import Round
from outgrow.points.declaration import Comparison
from outgrow.quantities import significant
from outgrow.validation.load import LEAST_REQUESTS

BASELINE_SCHEMA = "outgrow/baseline/v1"

_NOT_OF_THE_WORKLOAD = {"arms", "rounds", "fitness_rounds", "load", "rate", "users", "least_recall"}


@dataclass(frozen=True, slots=True)
class Baseline:
    """One arm by itself.

    Attributes:
        arm: as the workload names it. occasion: what it was taken for, "" where somebody asked for it.
        made_at: seconds since the epoch. workload: ``workload_key`` of what was sent.
        round_seconds, rate_per_second, seed: as they were; no rate where the experiment has one of its own.
        planned: rounds that were to be; ``rounds`` are those that were.
    """

    point: str
    arm: str
    occasion: str
    made_at: float
    workload: str
    round_seconds: float
    rate_per_second: float | None
    seed: int
    planned: int
    rounds: tuple[Round, ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False

    @property
    def p95_seconds(self) -> float | None:
        """Of a typical round."""
        return float(np.median([each.p95_seconds for each in self.rounds])) if self.rounds else None


def workload_key(workload: Comparison) -> str:
    """Stands for what is sent, and not for whom, how often or how fast."""
    said = workload.model_dump(mode="json", exclude=_NOT_OF_THE_WORKLOAD)
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:32]


def noise_of(baseline: Baseline) -> tuple[str, ...]:
    """What makes it a poor before, a sentence each; empty where nothing does."""
    found = []
    rounds, least = baseline.rounds, least_pairs(CONFIDENCE)
    if len(rounds) < baseline.planned:
        found.append(f"{len(rounds)} of {baseline.planned} rounds were measured")
    if len(rounds) < least:
        return (*found, f"fewer than {least} rounds bound nothing, so it cannot be held against anything")
    bounds = value_interval(np.array([each.p95_seconds for each in rounds]), CONFIDENCE)
    if bounds is not None and math.sqrt(bounds.high / bounds.low) > FIT_WITHIN:
        spread = significant(math.sqrt(bounds.high / bounds.low))
        found.append(f"it is noisy: its p95 is known to ×÷ {spread} only; more or longer rounds tell more")
    sent, dropped = sum(each.sent for each in rounds), sum(each.dropped for each in rounds)
    if dropped > MOST_DROPPED * sent:
        found.append(f"it dropped {dropped:,} of {sent:,} requests, so its p95 is that of the survivors")
    usual = float(np.median([each.sent for each in rounds]))
    if usual < LEAST_REQUESTS:
        found.append(f"{usual:,.0f} requests a round are few for a p95; longer rounds tell more")
    return tuple(found)


def baseline_body(baseline: Baseline) -> dict[str, Any]:
    """A baseline as JSON for the ledger; ``baseline_of`` reads it."""
    return {"schema": BASELINE_SCHEMA, **asdict(baseline), "noise": list(noise_of(baseline))}


def baseline_of(body: Mapping[str, Any]) -> Baseline | None:
    """The baseline that ``baseline_body`` wrote; None for what is none, or of a form of which nothing is known."""
    if body.get("schema") != BASELINE_SCHEMA:
        return None
    said = {key: value for key, value in body.items() if key not in ("schema", "noise")}
    try:
        rounds = tuple(Round(**each) for each in said.pop("rounds"))
        return Baseline(**said, rounds=rounds)
    except (KeyError, TypeError, ValueError):
        return None
