"""Measures the service as it is before a move, and keeps it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping

from outgrow.evidence.comparison import CONFIDENCE
from outgrow.evidence.intervals import least_pairs
from outgrow.evidence.records import Round
from outgrow.points.declaration import DeclaredValidation, Point
from outgrow.ports import Experiment, ExperimentFailed, Ledger
from outgrow.validating.measuring import Arms, Told
from outgrow.validation.baseline import Baseline, baseline_body, baseline_of, workload_key

WHAT = "baseline"


def record_baseline(
    point: Point,
    validation: DeclaredValidation,
    experiment: Experiment,
    ledger: Ledger,
    now: Callable[[], float],
    tell: Callable[[Told], None],
    machine: Mapping[str, str],
    *,
    occasion: str = "",
    simulated: bool = False,
) -> Baseline:
    """Measures the arm ``before`` in the declared rounds; it is in the ledger when this returns (kind "baseline").

    What makes it a poor one is not refused: ``validation.baseline.noise_of`` says it. Where it ends early, by Ctrl-C or
    as the arm fails, its complete rounds are kept if they can bound anything.

    Args:
        experiment: the declared workload, opened; the caller closes it. machine: as ``outgrow.proving.machine``.
        occasion: what it is taken for, "wave 2". simulated: made on a declared time scale.

    Raises:
        ExperimentFailed: the arm cannot be asked, or too few rounds came about; nothing is kept.
        KeyboardInterrupt: after having kept what was complete.
    """
    arm, workload = validation.before, validation.workload
    arms = Arms(experiment, workload, tell)
    arms.set_up(arm, WHAT)
    rate = arms.rate(arms.capacity(arm, WHAT))
    rounds, left_out = list[Round](), dict[str, str]()

    def kept() -> Baseline:
        found = Baseline(
            point=point.id,
            arm=arm,
            occasion=occasion,
            made_at=now(),
            workload=workload_key(workload),
            round_seconds=workload.round_seconds,
            rate_per_second=rate,
            seed=workload.seed,
            planned=workload.rounds,
            rounds=tuple(rounds),
            versions=arms.versions(),
            machine=machine,
            simulated=simulated,
        )
        body = baseline_body(found)
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]
        ledger.add_record("baseline", point.id, found.made_at, digest, body)
        return found

    try:
        arms.rounds((arm,), rate, WHAT, rounds, left_out)
    except KeyboardInterrupt:
        if len(rounds) >= least_pairs(CONFIDENCE):
            kept()
        raise
    if arm in left_out and len(rounds) < least_pairs(CONFIDENCE):
        raise ExperimentFailed(f"{arm}: {left_out[arm]}", next_step="See what the arm says in its own log.")
    return kept()


def last_baseline(ledger: Ledger, point: str, arm: str) -> Baseline | None:
    """The one of that arm that was kept last, of those that can be read."""
    kept = (baseline_of(record.body) for record in reversed(ledger.records("baseline", point)))
    return next((each for each in kept if each is not None and each.arm == arm), None)
