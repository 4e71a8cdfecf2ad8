"""What keeps a measurement from saying that tune suffices is said, with what to write."""

from __future__ import annotations

from typing import Any

import pytest

from outgrow.evidence.held import lacked_for_tune, lacking_for_tune
from outgrow.evidence.records import Arm, ArmFacts, Evidence, TriggerMeasure
from outgrow.points.declaration import Comparison, Point
from outgrow.quantities import Interval

ARMS = (Arm("now", None), Arm("tuned", "tune"), Arm("A", "A"))
SLOW = TriggerMeasure("tuned", "slow", 2000.0, Interval(0.1, 0.2, 0.3))


def point(*options: str) -> Point:
    return Point.model_validate(
        {
            "id": "data",
            "monitor_from": 1000,
            "complete_before": 2000,
            "triggers": [{"id": "slow", "signal": "p95", "threshold": 5}],
            "options": [{"id": each, "effort_weeks": 1} for each in options],
        }
    )


def comparison(**more: Any) -> Comparison:
    return Comparison(kind="http", **more)


def evidence(*measures: TriggerMeasure, **more: Any) -> Evidence:
    return Evidence("data", 1.0, "outgrow prove", "now", False, "", ARMS, measures=measures, **more)


@pytest.mark.parametrize(
    ("more", "arms", "words"),
    [
        ({"users": 2000, "rate": 7.0}, ARMS, None),
        ({"users": 5000, "rate": 7.0}, ARMS, None),
        ({"users": 2000, "rate": 7.0}, ARMS[::2], "No arm has option: tune"),
        ({"rate": 7.0}, ARMS, "No users: are declared"),
        ({"users": 1000, "rate": 7.0}, ARMS, "stands for users: 1,000, and whether tune suffices is asked at 2,000"),
        ({"users": 2000}, ARMS, "No rate: is declared"),
    ],
)
def test_one_thing_at_a_time_is_said_to_be_lacking(more: Any, arms: tuple[Arm, ...], words: str | None) -> None:
    said = list(lacking_for_tune(point("tune", "A"), comparison(**more), arms))
    assert len(said) == (words is not None)
    assert words is None or words in said[0]


def test_a_point_without_tune_lacks_nothing_for_it() -> None:
    assert list(lacking_for_tune(point("A", "B"), comparison(), ARMS)) == []


def test_a_tuned_service_that_told_of_no_trigger_is_named() -> None:
    declared = comparison(users=2000, rate=7.0)
    (said,) = lacked_for_tune(point("tune", "A"), declared, evidence())
    assert "told of no trigger" in said
    assert list(lacked_for_tune(point("tune", "A"), declared, evidence(SLOW))) == []
    gone = evidence(facts=(ArmFacts("tuned", left_out="it failed"),))
    assert list(lacked_for_tune(point("tune", "A"), declared, gone)) == []
