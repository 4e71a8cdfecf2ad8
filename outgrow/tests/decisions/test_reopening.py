"""What reopens a decision: a trigger that began after it, an answer that turned, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.decisions.records import Answered, DecisionHead, ReopenWhen
from outgrow.decisions.reopening import fact_firing_since, in_force, reopening_conditions, why_reopened
from outgrow.points.declaration import Point
from outgrow.quantities import DAY, HOUR

BEGIN = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
HEAD = DecisionHead(
    number=3,
    file="0003-search.md",
    title="Search",
    point="search",
    verdict="stay",
    option="A",
    made_on="2026-03-01",
    status="accepted",
    digest="d",
    reopen_when=(ReopenWhen(trigger="slow"), ReopenWhen(fact="together", becomes=True)),
)

times = st.integers(-60, 60).map(lambda hours: BEGIN + hours * HOUR) | st.floats(BEGIN - 400 * DAY, BEGIN + 400 * DAY)


@given(times)
def test_a_trigger_reopens_what_was_decided_before_its_day(since: float) -> None:
    assert bool(why_reopened(HEAD, {"slow": since}, {})) == (since >= BEGIN + DAY)


@given(times, st.booleans())
def test_within_the_day_the_record_must_say_what_fired_then(since: float, fired: bool) -> None:
    head = replace(HEAD, firing_then=("slow",) if fired else ())
    expected = since >= BEGIN + DAY or (not fired and since >= BEGIN)
    assert bool(why_reopened(head, {"slow": since}, {})) == expected


@pytest.mark.parametrize("status", ["rejected", "deprecated", "superseded", "done"])
def test_what_is_not_open_is_never_reopened(status) -> None:
    assert why_reopened(replace(HEAD, status=status), {"slow": BEGIN + 9 * DAY}, {"together": True}) == ()


def test_a_superseded_one_is_never_reopened() -> None:
    assert why_reopened(replace(HEAD, superseded_by=4), {"slow": BEGIN + 9 * DAY}, {}) == ()


def test_an_answer_that_turned_is_said() -> None:
    (reason,) = why_reopened(HEAD, {}, {"together": True})
    assert reason == "together was answered no when this was decided, and is yes now"
    assert why_reopened(HEAD, {}, {"together": False}) == ()
    assert why_reopened(HEAD, {"other": BEGIN + 9 * DAY}, {"other": True}) == ()


def test_a_trigger_is_said_with_both_days() -> None:
    (reason,) = why_reopened(HEAD, {"slow": BEGIN + 9 * DAY}, {})
    assert reason == "slow fires since 10 Mar 2026; the decision is of 1 Mar 2026"


def brute_force(noted: list[float], needed: float, within: float, now: float) -> float | None:
    """Look at every moment at which anything changes, last first."""

    def fires(at: float) -> bool:
        return sum(at - within < one <= at for one in noted) >= max(needed, 1)

    moments = sorted({at for one in noted for at in (one, one + within) if at <= now})
    if not moments or not fires(now):
        return None
    since = None
    for moment in reversed(moments):
        if not fires(moment):
            break
        since = moment
    return since


@given(
    st.lists(st.integers(0, 10), max_size=6),
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(0, 12),
)
@settings(max_examples=400)
def test_a_fact_fires_since_its_last_unbroken_stretch_began(noted, needed, within, now) -> None:
    noted = [float(one) for one in noted]
    assert fact_firing_since(noted, needed, within, now) == brute_force(noted, needed, within, now)


def test_an_accepted_decision_stands_before_a_newer_proposal() -> None:
    proposed = replace(HEAD, number=4, status="proposed")
    gone = replace(HEAD, number=5, status="rejected")
    assert in_force([HEAD, proposed, gone], "search") is HEAD
    assert in_force([proposed, gone], "search") is proposed
    assert in_force([replace(HEAD, number=9), HEAD], "search").number == 9
    assert in_force([replace(HEAD, superseded_by=4), gone], "search") is None
    assert in_force([HEAD], "elsewhere") is None


def test_triggers_that_only_confirm_reopen_nothing() -> None:
    point = Point.model_validate(
        {
            "id": "search",
            "monitor_from": 1,
            "complete_before": 2,
            "triggers": [
                {"id": "slow", "signal": "p95", "threshold": 1},
                {"id": "hint", "signal": "p95", "threshold": 1, "confirms": True},
            ],
        }
    )
    answers = [Answered("together", False, "Ana", BEGIN + HOUR)]
    assert reopening_conditions(point, answers) == HEAD.reopen_when
