"""What a point's state and sentence say, and that not knowing is never shown as fine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.outlook.archive import archived, restored
from outgrow.outlook.assessment import JudgedTrigger, assess, point_state, soonest_first, watched_from
from outgrow.outlook.records import Crossing, Doubt, Forecast, Refusal
from outgrow.outlook.status import WORST_FIRST, PointStatus, State, TriggerStatus
from outgrow.outlook.triggers import Judgement
from outgrow.points.declaration import Point
from outgrow.quantities import DAY, Interval

NOW = 1_798_761_600.0  # 2027-01-01
POINT = Point.model_validate(
    {
        "id": "search",
        "title": "Search",
        "monitor_from": 1000,
        "complete_before": 2000,
        "triggers": [{"id": "slow", "title": "searches are slow", "signal": "p95", "threshold": 5, "breaks_at": 15}],
    }
)
LADDER = [500, 1000, 1500, 2000, 6000]
QUIET = Judgement("quiet", 0.21, NOW, None, "210 ms, the limit is 5 s")
MEASURED = Interval(4100.0, 5400.0, 7000.0)


def days(low: float, mid: float, high: float) -> Interval:
    return Interval(NOW + low * DAY, NOW + mid * DAY, NOW + high * DAY)


def forecast(crossing: Crossing, start_by: float | None = None) -> Forecast:
    return Forecast(NOW, "digest", 1200.0, Interval(0.08, 0.1, 0.12), replace(crossing, limit=5.0), crossing, start_by)


DATED = forecast(Crossing(15.0, "dated", MEASURED, days(300, 390, 520), 0.97, Doubt(0.6, 0.4)), NOW + 270 * DAY)
SOON = forecast(Crossing(15.0, "dated", MEASURED, days(60, 90, 130), 0.99, Doubt(0.6, 0.4)), NOW + 30 * DAY)
NOT_YET = Refusal("not-knowable-yet", "the data leaves 4,100 to 40,000 users open", "Run a ramp to the limit")
OPEN = forecast(Crossing(15.0, "unknown", Interval(4100.0, 9000.0, 40000.0), None, 0.4, None, NOT_YET))
FAR = forecast(Crossing(15.0, "users-only", MEASURED, None, 0.02, None, Refusal("no-crossing", "it is far", "Wait")))


def status(judgement: Judgement, made: Forecast | None, users: float | None) -> PointStatus:
    return assess(POINT, [JudgedTrigger(POINT.triggers[0], "seconds", judgement, made)], users, LADDER, NOW)


GOLDEN = {
    "coming, measured governs": (
        status(QUIET, SOON, 1200.0),
        "approaching",
        "Search: coming: searches are slow (210 ms, the limit is 5 s; the time to start is within 90 days). It reaches "
        "15 s at 5,400 (4,100–7,000) users, around 1 Apr 2027 (2 Mar – 11 May 2027), in 90 days. To be in time, "
        "start by 31 Jan 2027. Declared 2,000 users, measured 5,400 (4,100–7,000): the measured limit governs.",
    ),
    "dated and far off": (
        status(QUIET, DATED, 1200.0),
        "quiet",
        "Search: quiet. 1,200 users, watched closely from 1,500. It reaches 15 s at 5,400 (4,100–7,000) users, around "
        "26 Jan 2028 (28 Oct 2027 – 4 Jun 2028), in 390 days. Declared 2,000 users, measured 5,400 (4,100–7,000): the "
        "measured limit governs.",
    ),
    "not knowable": (
        status(QUIET, OPEN, 1200.0),
        "unknown",
        "Search: cannot be judged, one trigger has no answer; searches are slow: 210 ms, the limit is 5 s, but when it "
        "will be crossed is not known: the data leaves 4,100 to 40,000 users open. Next: Run a ramp to the limit. "
        "Declared 2,000 users, measured no earlier than 4,100: the declared limit governs.",
    ),
    "too few users to matter": (
        status(QUIET, None, 400.0),
        "quiet",
        "Search: quiet. 400 users, watched closely from 1,000. Declared 2,000 users, not measured yet: the declared "
        "limit governs.",
    ),
    "past the limit": (
        status(Judgement("firing", 16.0, NOW - DAY, NOW - DAY, "16 s, above 5 s for 24 hours", True), None, 2100.0),
        "firing",
        "Search: searches are slow (16 s, above 5 s for 24 hours). This is where users feel it. Declared 2,000 users, "
        "not measured yet: the declared limit governs.",
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_sentences(case: str) -> None:
    made, state, sentence = GOLDEN[case]
    assert (made.state, made.sentence) == (state, sentence)


def test_unknown_users_or_values_are_never_quiet() -> None:
    assert status(QUIET, FAR, None).state == "unknown"
    assert status(Judgement("unknown", None, NOW, None, "connection refused"), FAR, 10.0).state == "unknown"
    assert status(QUIET, OPEN, 5000.0).state == "unknown"
    assert status(QUIET, None, 1500.0).state == "unknown"


def test_a_measured_limit_is_watched_from_two_milestones_before_it() -> None:
    assert watched_from(4100.0, LADDER) == 1500.0
    assert watched_from(900.0, LADDER) == 600.0
    assert status(QUIET, DATED, 1600.0).state == "approaching"
    assert status(QUIET, FAR, 1600.0).state == "quiet"


states = st.sampled_from(WORST_FIRST)


def trigger_status(state: State, confirms: bool = False) -> TriggerStatus:
    return TriggerStatus("p", "t", "t", state, None, "", None, None, "", NOW, confirms=confirms)


@given(st.lists(states, min_size=1, max_size=6), states)
def test_a_point_takes_its_worst_trigger(several: list[State], one: State) -> None:
    worst = point_state([trigger_status(state) for state in several])
    assert worst in several
    assert WORST_FIRST.index(point_state([trigger_status(s) for s in [*several, one]])) <= WORST_FIRST.index(worst)


def test_a_confirming_trigger_never_fires_alone() -> None:
    assert point_state([trigger_status("quiet"), trigger_status("firing", confirms=True)]) == "quiet"


def test_firing_comes_first_then_the_soonest() -> None:
    made = [GOLDEN[case][0] for case in ("dated and far off", "past the limit", "coming, measured governs")]
    assert [each.state for each in soonest_first(made)] == ["firing", "approaching", "quiet"]


@pytest.mark.parametrize("made", [DATED, SOON, OPEN, FAR])
def test_a_forecast_survives_the_archive(made: Forecast) -> None:
    assert archived(restored(archived(made))) == archived(made)
    assert restored(archived(made)).breaks == made.breaks


def test_the_estimate_behind_a_refusal_is_kept_to_be_scored() -> None:
    hidden = replace(OPEN.breaks, estimate=days(100, 200, 900))
    assert restored(archived(replace(OPEN, breaks=hidden))).breaks.estimate == hidden.estimate


def test_the_far_limit_of_one_trigger_does_not_calm_another() -> None:
    two = POINT.model_copy(update={"triggers": (POINT.triggers[0], POINT.triggers[0].model_copy(update={"id": "b"}))})
    blind = forecast(Crossing(15.0, "unknown", refusal=Refusal("too-short", "2 days of history", "Wait")))
    judged = [
        JudgedTrigger(two.triggers[0], "seconds", QUIET, FAR),
        JudgedTrigger(two.triggers[1], "seconds", QUIET, blind),
    ]
    assert assess(two, judged, 1400.0, [500, 1000, 6000], NOW).state == "unknown"


def test_a_limit_that_is_open_to_a_factor_of_three_never_governs() -> None:
    wide = Crossing(
        15.0, "users-only", Interval(2000.0, 4200.0, 12000.0), None, 0.0, None, Refusal("no-crossing", "x", "y")
    )
    made = status(QUIET, forecast(wide), 1500.0)
    assert (made.governs, made.state) == ("declared", "unknown")


def test_simulated_data_is_named_without_a_forecast() -> None:
    judged = [JudgedTrigger(POINT.triggers[0], "seconds", QUIET, None, ("simulated",))]
    assert assess(POINT, judged, 400.0, LADDER, NOW).sentence.endswith("Made with simulated history.")
