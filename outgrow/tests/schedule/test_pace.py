"""Which rewrites a team can carry: the known figures, and the laws."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.errors import UsageError
from outgrow.points.reading import parse_declaration
from outgrow.points.templates import template_text
from outgrow.quantities import WEEKS_PER_MONTH
from outgrow.schedule.inputs import PaceOption, PacePoint, Step, TeamRules, inputs_of, weeks
from outgrow.schedule.limit import Assumption, doublings_a_month, layout, plan_limit
from outgrow.schedule.pace import OptionPace, Pace, pace, plan

TWO = TeamRules(people=2, simultaneous=1, learning_buffer=0.25, months_between=6, always_operational=1)


def _point(
    name: str, milestones: tuple[int, int | None, int], *options: tuple[str, tuple[float, float], bool]
) -> PacePoint:
    monitor_from, decide_by, complete_before = milestones
    ways = tuple(PaceOption(name, option, option, effort, new) for option, effort, new in options)
    return PacePoint(name, name, monitor_from, complete_before, ways, decide_by)


FOUR = (
    _point("data", (1000, 1500, 2000), ("tune", (0.5, 1), False), ("A", (2, 3), False), ("B", (6, 8), True)),
    _point("state", (6000, 7000, 10000), ("tune", (1, 2), False), ("A", (3, 4), False), ("B", (8, 10), True)),
    _point(
        "backend",
        (12000, None, 20000),
        ("tune", (1, 2), False),
        ("A", (6, 8), True),
        ("B", (12, 16), True),
        ("C", (20, 24), True),
    ),
    _point(
        "distribution", (35000, 40000, 60000), ("tune", (1, 2), False), ("A", (12, 16), True), ("B", (24, 32), True)
    ),
)


def _option(result: Pace, point: str, option: str) -> OptionPace:
    found = next(each for each in result.points if each.point.id == point)
    return next(each for each in found.options if each.option.option == option)


@pytest.mark.parametrize(
    ("point", "option", "about", "exactly"),
    [
        ("distribution", "A", 0.09, (60000 / 40000) ** (WEEKS_PER_MONTH / 20) - 1),
        ("distribution", "B", 0.045, (60000 / 40000) ** (WEEKS_PER_MONTH / 40) - 1),
        ("data", "B", 0.13, (2000 / 1500) ** (WEEKS_PER_MONTH / 10) - 1),
        ("state", "B", 0.13, (10000 / 7000) ** (WEEKS_PER_MONTH / 12.5) - 1),
        ("backend", "C", 0.08, (20000 / 12000) ** (WEEKS_PER_MONTH / 30) - 1),
    ],
)
def test_growth_limit_of_an_option_started_at_its_milestone(
    point: str, option: str, about: float, exactly: float
) -> None:
    judged = _option(pace(FOUR, TWO, 1000, 0.15), point, option)
    assert judged.at_milestone.low == pytest.approx(exactly, rel=1e-12)
    assert judged.at_milestone.low == pytest.approx(about, abs=0.005)
    assert judged.at_milestone == judged.alone


def test_without_the_learning_buffer_the_known_figures_are_missed() -> None:
    untaught = pace(FOUR, replace(TWO, learning_buffer=0), 1000, 0.15)
    assert _option(untaught, "distribution", "A").at_milestone.low == pytest.approx(0.117, abs=0.001)
    assert _option(untaught, "distribution", "B").at_milestone.low == pytest.approx(0.057, abs=0.001)


def test_growth_limit_when_everything_starts_as_early_as_the_team_rules_allow() -> None:
    result = pace(FOUR, TWO, 1000, 0.15)
    assert [step.step.option.option for step in result.early.rewrites] == ["A", "A", "A", "A"]
    assert result.early.limit.low == pytest.approx(60 ** (1 / (18 + 20 / WEEKS_PER_MONTH)) - 1, rel=1e-12)
    assert result.early.limit.low == pytest.approx(0.20, abs=0.005)
    assert math.log2(60) == pytest.approx(5.9, abs=0.01)
    assert result.at_milestone.limit.low == pytest.approx(0.092, abs=0.001)


def test_the_gap_after_the_rewrite_before_holds_3a_back_at_its_milestone() -> None:
    result = pace(FOUR, TWO, 1000, 0.15)
    backend = result.at_milestone.rewrites[2]
    assert (backend.held_by, backend.after) == ("gap", "state")
    assert backend.start_months == pytest.approx(result.at_milestone.rewrites[1].start_months + 6)
    limits = _option(result, "backend", "A")
    assert limits.at_milestone.low < limits.alone.low


def test_the_template_gives_the_same_as_the_same_points_by_hand() -> None:
    points, rules = inputs_of(parse_declaration(template_text("venture-platform")))
    assert rules == TWO
    theirs, ours = pace(points, rules, 1000, 0.15), pace(FOUR, TWO, 1000, 0.15)
    assert theirs.early.limit == ours.early.limit
    assert theirs.at_milestone.limit == ours.at_milestone.limit
    assert [[option.early for option in point.options] for point in theirs.points] == [
        [option.early for option in point.options] for point in ours.points
    ]


def test_at_15_percent_two_people_must_start_early() -> None:
    result = pace(FOUR, TWO, 1000, 0.15)
    assert (result.early.state, result.at_milestone.state, result.finding) == ("yes", "no", False)
    window = _option(result, "distribution", "A").window
    assert window is not None
    assert window.earliest_months == pytest.approx(18)
    assert window.latest_months == pytest.approx(math.log(60) / math.log(1.15) - 20 / WEEKS_PER_MONTH)


def test_one_person_can_carry_nothing_as_somebody_always_stays_operational() -> None:
    result = pace(FOUR, TWO.with_people(1), 1000, 0.01)
    assert result.finding
    assert (result.early.limit.high, result.early.rewrites) == (0.0, ())
    assert all(option.window is None for point in result.points for option in point.options)


@pytest.mark.parametrize("growth", [0.0, -0.05])
def test_without_growth_nothing_is_reached(growth: float) -> None:
    result = pace(FOUR, TWO, 1000, growth)
    assert not result.ever_reached
    assert not result.finding
    assert result.early.rewrites == ()
    assert all(math.isinf(point.due_months) for point in result.points)


def test_a_point_already_past_comes_first_and_the_rest_is_planned_after_it() -> None:
    result = pace(FOUR, TWO, 5000, 0.05)
    assert result.past == ("data",)
    assert result.finding
    assert result.early.state == "yes"
    assert _option(result, "data", "A").early_state == "past"
    assert [rewrite.start_months for rewrite in result.early.rewrites] == pytest.approx([0, 6, 12, 18])
    done = pace(FOUR, TWO, 5000, 0.05, {"data": "done"})
    assert (done.past, done.finding) == ((), False)
    assert [rewrite.start_months for rewrite in done.early.rewrites] == pytest.approx([0, 6, 12])
    assert [point.number for point in done.points] == [2, 3, 4]


def test_a_point_is_past_at_exactly_its_limit() -> None:
    assert pace(FOUR, TWO, 2000, 0.05).past == ("data",)
    assert pace(FOUR, TWO, 1999, 0.05).past == ()


def test_a_pinned_option_stands_in_the_plan() -> None:
    result = pace(FOUR, TWO, 1000, 0.15, {"distribution": "B", "data": "tune"})
    assert [step.step.option.option for step in result.early.rewrites] == ["tune", "A", "A", "B"]
    assert result.early.rewrites[1].start_months == pytest.approx(1 / WEEKS_PER_MONTH)  # tune is no major rewrite


@pytest.mark.parametrize("pins", [{"nowhere": "A"}, {"data": "Z"}])
def test_a_pin_that_names_nothing_is_refused(pins: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"there is no point|has no option"):
        pace(FOUR, TWO, 1000, 0.15, pins)


def test_a_point_without_options_is_named_and_left_out() -> None:
    bare = PacePoint("bare", "Bare", 100, 200, ())
    result = pace((*FOUR, bare), TWO, 1000, 0.15)
    assert result.unplanned == ("bare",)
    assert result.early == pace(FOUR, TWO, 1000, 0.15).early


def test_a_third_person_shortens_nothing_and_the_gap_still_holds() -> None:
    three = TWO.with_people(3)
    assert three.hands == 2
    assert pace(FOUR, three, 1000, 0.15).early.limit == pace(FOUR, TWO, 1000, 0.15).early.limit
    ungapped = replace(TWO, months_between=0.0)
    assert (
        pace(FOUR, ungapped.with_people(3), 1000, 0.15).early.limit.low
        > pace(FOUR, ungapped, 1000, 0.15).early.limit.low
    )


def test_extremes_overflow_nothing() -> None:
    slow = replace(TWO, months_between=120.0)
    for growth in (10.0, 1e-9):
        for users in (1, 10**12):
            for rewrite in pace(FOUR, slow, users, growth).early.rewrites:
                assert not math.isnan(rewrite.finish_users)


efforts = st.tuples(st.floats(0.25, 60), st.floats(1, 3)).map(lambda pair: (pair[0], pair[0] * pair[1]))
rules_drawn = st.builds(
    TeamRules,
    people=st.integers(2, 4),
    simultaneous=st.integers(1, 3),
    learning_buffer=st.floats(0, 1),
    months_between=st.floats(0, 12),
    always_operational=st.integers(0, 1),
)


@st.composite
def steps_drawn(draw: st.DrawFn) -> tuple[Step, ...]:
    """One to five points in the order of their limits, each with one option; all limits lie above 1,000 users."""
    dues = sorted(draw(st.lists(st.integers(1_100, 500_000), min_size=1, max_size=5, unique=True)))
    steps = []
    for number, due in enumerate(dues):
        decide_by = draw(st.none() | st.integers(1, due))
        monitor_from = draw(st.integers(1, decide_by or due))
        option = PaceOption(f"p{number}", draw(st.sampled_from(["A", "tune"])), "x", draw(efforts), draw(st.booleans()))
        steps.append(Step(PacePoint(f"p{number}", "x", monitor_from, due, (option,), decide_by), option))
    return tuple(steps)


assumptions = st.sampled_from(["at-milestone", "early"])
law = settings(max_examples=30, deadline=None)


def _in_time(steps: tuple[Step, ...], rules: TeamRules, growth: float, assumption: Assumption) -> bool:
    return all(rewrite.late_months == 0 for rewrite in plan(steps, rules, 1000, growth, assumption).rewrites)


@law
@given(steps_drawn(), rules_drawn, assumptions)
def test_the_growth_limit_is_exactly_where_feasibility_flips(
    steps: tuple[Step, ...], rules: TeamRules, assumption: Assumption
) -> None:
    limit = plan_limit(steps, rules, 1000, assumption).low
    if 1e-6 < limit < 1e6:
        assert _in_time(steps, rules, limit * (1 - 1e-6), assumption)
        assert not _in_time(steps, rules, limit * (1 + 1e-6), assumption)


@law
@given(steps_drawn(), rules_drawn, assumptions, st.floats(0.001, 2), st.floats(0.001, 2))
def test_more_growth_never_makes_a_rewrite_less_late(
    steps: tuple[Step, ...], rules: TeamRules, assumption: Assumption, one: float, other: float
) -> None:
    slow, fast = sorted((one, other))
    if _in_time(steps, rules, fast, assumption):
        assert _in_time(steps, rules, slow, assumption)


@law
@given(steps_drawn(), rules_drawn, assumptions, st.integers(0, 4), st.floats(1, 3))
def test_more_effort_never_raises_the_limit(
    steps: tuple[Step, ...], rules: TeamRules, assumption: Assumption, which: int, factor: float
) -> None:
    step = steps[which % len(steps)]
    low, high = step.option.effort_weeks
    heavier = Step(step.point, replace(step.option, effort_weeks=(low * factor, high * factor)))
    more = tuple(heavier if each is step else each for each in steps)
    before, after = (plan_limit(each, rules, 1000, assumption) for each in (steps, more))
    assert after.low <= before.low
    assert after.high <= before.high


@law
@given(steps_drawn(), rules_drawn)
def test_starting_as_early_as_the_rules_allow_is_never_worse(steps: tuple[Step, ...], rules: TeamRules) -> None:
    early, late = (plan_limit(steps, rules, 1000, each) for each in ("early", "at-milestone"))
    assert early.low >= late.low
    assert early.high >= late.high


@law
@given(steps_drawn(), rules_drawn, assumptions, st.integers(1, 3))
def test_more_people_never_lower_a_limit(
    steps: tuple[Step, ...], rules: TeamRules, assumption: Assumption, more: int
) -> None:
    before = plan_limit(steps, rules, 1000, assumption)
    after = plan_limit(steps, rules.with_people(rules.people + more), 1000, assumption)
    assert after.low >= before.low
    assert after.high >= before.high


@law
@given(steps_drawn(), rules_drawn)
def test_one_at_a_time_the_early_limit_has_a_closed_form(steps: tuple[Step, ...], rules: TeamRules) -> None:
    rules = replace(rules, people=2, simultaneous=1, always_operational=1)
    free, next_major, limits = 0.0, 0.0, []
    for step in steps:
        start = max(free, next_major if step.option.major else 0.0)
        free = start + weeks(step.option, rules).high / WEEKS_PER_MONTH
        if step.option.major:
            next_major = start + rules.months_between
        limits.append((step.point.complete_before / 1000) ** (1 / free) - 1)
    limit = plan_limit(steps, rules, 1000, "early").low
    assert limit == pytest.approx(min(limits), rel=1e-9) or min(limits) > 1e6


@law
@given(steps_drawn(), rules_drawn, st.floats(0.001, 1))
def test_with_every_latest_start_together_nothing_is_late_and_any_later_one_is(
    steps: tuple[Step, ...], rules: TeamRules, growth: float
) -> None:
    result = pace(tuple(step.point for step in steps), rules, 1000, growth)
    if result.early.state != "yes":
        return
    rate = doublings_a_month(growth)
    windows = [judged.options[0].window for judged in result.points]
    latest = {index: window.latest_months * rate for index, window in enumerate(windows) if window}
    lay_out = layout(steps, rules, 1000, "early")

    def late(not_before: dict[int, float]) -> bool:
        due = [math.log2(step.point.complete_before / 1000) for step in steps]
        return any(lay.finish > at * (1 + 1e-9) for lay, at in zip(lay_out(rate, not_before), due, strict=True))

    assert len(latest) == len(steps)
    assert not late(latest)
    if rules.hands == 1:
        assert all(late({**latest, index: start * (1 + 1e-6) + 1e-6}) for index, start in latest.items())


@law
@given(steps_drawn(), rules_drawn, st.floats(0.001, 1))
def test_a_point_done_never_lowers_the_limit_of_the_others(
    steps: tuple[Step, ...], rules: TeamRules, growth: float
) -> None:
    points = tuple(step.point for step in steps)
    before = pace(points, rules, 1000, growth)
    after = pace(points, rules, 1000, growth, {points[0].id: "done"})
    assert after.early.limit.low >= before.early.limit.low
