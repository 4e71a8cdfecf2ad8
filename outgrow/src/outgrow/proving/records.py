"""What proving is asked, what it tells, and what comes of it."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import Literal

from outgrow.evidence.kept import digested
from outgrow.evidence.records import Evidence
from outgrow.points.declaration import Comparison, Point

FEW_REQUESTS = 100
"""With fewer a round, the p95 is that of the five slowest or less."""

Phase = Literal["prepare", "capacity", "fitness", "parity", "rounds"]
Ending = Literal["finished", "unfit", "interrupted", "nothing-to-compare"]


@dataclass(frozen=True, slots=True)
class Step:
    """How far it is: ``done`` of ``total`` steps of a phase. ``seconds_left`` of all phases, by what runs took so far;
    ``said`` is what an arm tells, or a sentence on what just happened.
    """

    phase: Phase
    done: int
    total: int
    arm: str
    seconds_left: float
    said: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be measured: a point, its declared comparison, and what the command line says otherwise."""

    point: Point
    comparison: Comparison
    rounds: int
    seed: int
    fresh: bool = False

    @property
    def said(self) -> dict[str, str]:
        """What is measured and how, but for the number of rounds: what has the same goes on from it."""
        declared = self.comparison.model_dump(mode="json", exclude={"rounds", "seed"})
        settings = {f"{name}:": digested(value) for name, value in declared.items()}
        return {"point": self.point.id, "seed": str(self.seed), **settings, **machine()}


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of it.

    Attributes:
        ended: finished: ``evidence`` is in the ledger. unfit: nothing was compared. interrupted: its complete rounds
            are kept, to be gone on from. nothing-to-compare: fewer than two arms are left.
        evidence: what was measured, with reasons for arms that were left out; of a finished one alone ratios are told.
        planned: rounds. gone_on_from: how many of them were measured by an earlier run.
    """

    ended: Ending
    evidence: Evidence
    planned: int
    gone_on_from: int = 0

    @property
    def rounds(self) -> int:
        """Complete rounds."""
        return len({each.round for each in self.evidence.rounds})


def runs_of(arms: int, comparison: Comparison, rounds: int) -> int:
    """How many times an arm is asked in all; each takes ``round_seconds`` and a little more."""
    return 2 * comparison.fitness_rounds + arms * rounds


def machine() -> dict[str, str]:
    """What the figures depend on, and nothing that names the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0
    return {
        "cores": str(cores),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }
