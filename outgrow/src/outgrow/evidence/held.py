"""Whether a measurement tells what *tune* is ruled on by: triggers' signals, at the users that it must carry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from outgrow.evidence.comparison import is_tuned
from outgrow.evidence.records import Arm, Evidence
from outgrow.points.declaration import TUNE, Comparison, Point
from outgrow.quantities import significant


def lacking_for_tune(point: Point, comparison: Comparison, arms: Sequence[Arm]) -> Iterator[str]:
    """What of the declared comparison keeps anybody from saying that tune suffices, a sentence each."""
    if not any(option.id == TUNE for option in point.options):
        return
    wanted = f"{significant(point.complete_before, 6)} users (complete_before)"
    if not any(arm.option == TUNE for arm in arms):
        yield f"No arm has option: tune, so whether tune keeps the triggers quiet at {wanted} is not measured."
    elif comparison.users is None:
        yield (
            f"No users: are declared, so whether tune keeps the triggers quiet at {wanted} is not measured; write "
            "users: and the rate: of so many."
        )
    elif comparison.users < point.complete_before:
        yield (
            f"What is measured stands for users: {significant(comparison.users, 6)}, and whether tune suffices is "
            f"asked at {wanted}."
        )
    elif comparison.rate is None:
        yield (
            f"No rate: is declared, so arms are sent a share of what the slowest can answer; whether so much comes of "
            f"users: {significant(comparison.users, 6)} is yours to know. rate: says it."
        )


def lacked_for_tune(point: Point, comparison: Comparison, evidence: Evidence) -> Iterator[str]:
    """The same of a finished measurement, and whether it told of any trigger at all."""
    yield from lacking_for_tune(point, comparison, evidence.arms)
    tuned = {arm.id for arm in evidence.arms if is_tuned(evidence, arm) and not evidence.facts_of(arm.id).left_out}
    if comparison.users is not None and tuned and not any(each.arm in tuned for each in evidence.measures):
        yield (
            "The tuned service told of no trigger. measures: under experiment: says which figure of a run stands for "
            "which (http, vectors); a command prints measures."
        )
