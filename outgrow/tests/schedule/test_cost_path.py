"""The bill along a plan, its development and the runway: the known figures, and unknowns that stay unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.points.declaration import Costs
from outgrow.points.reading import parse_declaration
from outgrow.points.templates import template_text
from outgrow.quantities import Interval
from outgrow.schedule.candidates import choose, priced
from outgrow.schedule.cost_path import cost_path, development_weeks, runway
from outgrow.schedule.inputs import rules_of
from outgrow.schedule.records import CostPath, Outcome, Placement, PlannedRewrite
from outgrow.schedule.scenarios import GrowthPaths, PlanningCase, given_growth, problem_of
from outgrow.schedule.simulation import simulate

TEMPLATE = parse_declaration(template_text("venture-platform"))
MADE_ON = date(2026, 1, 5)
PRICED = {
    "data-architecture": "B",
    "state-management": "B",
    "backend-architecture": "A",
    "distribution": "A",
}
FINISH_DAYS = (60, 250, 460, 700)
KNOWN = Costs(monthly_now=500, at_users=1000, person_week=2000, cash=100_000, monthly_burn=9500, revenue_per_user=0)


def case_of(pins: Mapping[str, str] = PRICED, growth: float = 0.15, scenarios: int = 100) -> PlanningCase:
    rules = rules_of(TEMPLATE)
    chosen = choose(TEMPLATE.points, rules, 1000, pinned=pins, decided={}, measured={})
    paths = given_growth(1000, growth, scenarios)
    case = PlanningCase(
        chosen.candidates, chosen.alternatives, rules, (), (), paths, "early", MADE_ON, 1, scenarios, bill_now=500
    )
    return priced(case)


def rewrites_of(
    case: PlanningCase, finish_days: tuple[int | None, ...] = FINISH_DAYS, **prices: float | None
) -> tuple[PlannedRewrite, ...]:
    """One after the other, finished on these days; ``prices`` stand in place of the declared ones of all options."""
    made = []
    for candidate, day in zip(case.candidates, finish_days, strict=True):
        finish = None if day is None else MADE_ON + timedelta(days=day)
        candidate = replace(candidate, prices=replace(candidate.prices, **prices))
        made.append(
            PlannedRewrite(
                candidate=candidate,
                start=MADE_ON,
                start_window=(MADE_ON, MADE_ON),
                finish=(finish, finish, finish),
                wall=(None, None, None),
                in_time_ratio=1.0,
                who="person 1",
            )
        )
    return tuple(made)


def outcome_of(case: PlanningCase) -> Outcome:
    count = len(case.candidates)
    return simulate(problem_of(case), Placement(tuple(range(count)), (0,) * count, (0,) * count))


def path_of(case: PlanningCase, rewrites: tuple[PlannedRewrite, ...], costs: Costs = KNOWN) -> CostPath:
    return cost_path(case, rewrites, outcome_of(case), costs)


def test_the_known_figures_make_the_known_path() -> None:
    case = case_of()
    path = path_of(case, rewrites_of(case), TEMPLATE.costs)
    steps = [
        (point.at.isoformat(), round(point.users.mid), point.monthly, point.with_options[-1:])
        for before, point in zip((None, *path.path), path.path, strict=False)
        if before is None or before.monthly != point.monthly
    ]
    assert steps == [
        ("2026-01-05", 1000, 500, ()),
        ("2026-03-07", 1323, 1500, ("data-architecture/B",)),
        ("2026-10-06", 3519, 3000, ("state-management/B",)),
        ("2027-05-07", 9358, 6000, ("backend-architecture/A",)),
        ("2027-12-06", 24884, 15000, ("distribution/A",)),
    ]
    for point in path.path:
        assert point.users.mid == pytest.approx(1000 * 1.15 ** ((point.at - MADE_ON).days / 30.4375))
    assert path.currency == "USD"
    assert path.path[-1].at == date(2028, 6, 6)
    assert path.path[-1].with_options == (
        "data-architecture/B",
        "state-management/B",
        "backend-architecture/A",
        "distribution/A",
    )
    assert not any(point.growing_known for point in path.path)
    assert path.unknown == (
        "how the bill with 1B grows with users is not declared: monthly_cost.per_user of option B at data-architecture",
        "what a month past the limit of Data architecture costs is not declared: breach_cost of data-architecture",
        "how the bill with 2B grows with users is not declared: monthly_cost.per_user of option B at state-management",
        "what a month past the limit of State management costs is not declared: breach_cost of state-management",
        "how the bill with 3A grows with users is not declared: "
        "monthly_cost.per_user of option A at backend-architecture",
        "what a month past the limit of Backend architecture costs is not declared: "
        "breach_cost of backend-architecture",
        "how the bill with 4A grows with users is not declared: monthly_cost.per_user of option A at distribution",
        "what a month past the limit of Distribution costs is not declared: breach_cost of distribution",
        "what a week of one person costs is not declared: costs.person_week",
    )


def test_an_option_without_a_declared_bill_leaves_it_unknown_until_the_next_known_one() -> None:
    case = case_of(PRICED | {"state-management": "A"})
    path = path_of(case, rewrites_of(case), TEMPLATE.costs)
    bills = [point.monthly for point in path.path]
    assert list(dict.fromkeys(bills)) == [500, 1500, None, 6000, 15000]
    assert "the bill with 2A is not declared: monthly_cost.fixed of option A at state-management" in path.unknown
    assert all((point.monthly_per_user is None) == (point.monthly is None) for point in path.path)


def test_todays_bill_may_be_unknown_too() -> None:
    case = case_of()
    path = path_of(case, rewrites_of(case), Costs())
    assert path.path[0].monthly is None
    assert "today's bill is not declared: costs.monthly_now" in path.unknown
    assert path.development is None
    assert path.runway.months_with is None
    assert path.runway.months_without is None


def test_a_bill_declared_at_other_users_is_said_to_be() -> None:
    case = case_of()
    path = path_of(case, rewrites_of(case), Costs(monthly_now=500, at_users=5000))
    assert path.unknown[0] == (
        "today's bill is declared at 5,000 users, not at the 1,000 of today: costs.monthly_now and costs.at_users"
    )


def test_what_grows_with_users_is_added_where_it_is_known() -> None:
    case = case_of()
    path = path_of(case, rewrites_of(case, per_user=0.01))
    after = path.path[-1]
    assert after.monthly == pytest.approx(15000 + 0.01 * after.users.mid)
    assert after.growing_known
    assert not path.path[0].growing_known
    assert after.monthly_per_user == pytest.approx(15000 / after.users.mid + 0.01)


def test_an_option_that_is_never_finished_never_changes_the_bill() -> None:
    case = case_of()
    path = path_of(case, rewrites_of(case, (60, None, None, None)))
    assert path.path[-1].monthly == 1500
    assert path.path[-1].with_options == ("data-architecture/B",)
    assert path.path[-1].at == MADE_ON + timedelta(days=round(8 * 30.4375))


def test_the_path_ends_where_growth_is_no_longer_looked_at() -> None:
    case = case_of()
    days = np.arange(0, 365, 7)
    short = GrowthPaths(days, case.growth.users[:, : days.size], case.growth.per_month, "measured")
    path = path_of(replace(case, growth=short), rewrites_of(case))
    assert path.path[-1].at <= MADE_ON + timedelta(days=364)
    assert path.path[-1].monthly == 3000


def test_development_is_what_is_needed_and_no_more() -> None:
    case = case_of()
    outcome = outcome_of(case)
    problem = problem_of(case)
    by_hand = [
        sum(int(problem.efforts[row, column]) for row in range(4) if problem.needed[row, column]) / 7
        for column in range(case.scenarios)
    ]
    weeks = development_weeks(case, rewrites_of(case), outcome)
    assert (weeks.low, weeks.mid, weeks.high) == pytest.approx(tuple(np.quantile(by_hand, [0.1, 0.5, 0.9])))
    first = development_weeks(case, rewrites_of(case)[:1], outcome)
    assert first.high < weeks.high
    assert 7.5 <= first.mid <= 10
    assert development_weeks(case, (), outcome) == Interval(0, 0, 0)
    path = path_of(case, rewrites_of(case))
    assert path.development == path.development_weeks.scaled(2000)


def test_the_runway_by_hand() -> None:
    case = case_of()
    assert runway(case, (), KNOWN).months_without == pytest.approx(10)
    assert runway(case, (), KNOWN).months_with == pytest.approx(10)
    rewrites = rewrites_of(case, (0, None, None, None), bill=1500, per_user=0)
    assert runway(case, rewrites, KNOWN).months_with == pytest.approx(100_000 / 11_000)
    half = rewrites_of(case, (61, None, None, None), bill=10_500, per_user=0)
    months = 61 / 30.4375
    assert runway(case, half, KNOWN).months_with == pytest.approx(months + (100_000 - months * 10_000) / 20_000)


def test_revenue_of_new_users_lengthens_the_runway_with_the_plan_only() -> None:
    case = case_of()
    paid = KNOWN.model_copy(update={"revenue_per_user": 1.0})
    with_revenue = runway(case, rewrites_of(case, per_user=0), paid)
    without = runway(case, rewrites_of(case, per_user=0), KNOWN)
    assert with_revenue.months_without == without.months_without
    assert with_revenue.months_with is not None
    assert without.months_with is not None
    assert with_revenue.months_with > without.months_with
    faster = given_growth(1000, 0.3, 3)
    cash, day = 100_000.0, 0
    paying = KNOWN.model_copy(update={"revenue_per_user": 0.1})
    while cash >= 0:
        cash -= (10_000 - 0.1 * (1000 * 1.3 ** (day / 30.4375) - 1000)) / 30.4375
        day += 1
    months = runway(replace(case, growth=faster, scenarios=3), (), paying).months_with
    assert months is not None
    assert (day - 1) / 30.4375 <= months <= day / 30.4375


def test_doubt_about_users_is_shown_and_the_bill_follows_the_middle() -> None:
    case = case_of(scenarios=3)
    users = case.growth.users[0] * np.array([[0.5], [1.0], [2.0]])
    drawn = replace(case, growth=replace(case.growth, users=users, source="measured"))
    last = path_of(drawn, rewrites_of(drawn, per_user=0.01)).path[-1]
    assert last.users.low < last.users.mid < last.users.high
    assert last.monthly == pytest.approx(15000 + 0.01 * last.users.mid)
    assert last.users.mid == pytest.approx(1000 * 1.15 ** ((last.at - MADE_ON).days / 30.4375))


def test_cash_that_lasts_is_said_to_last() -> None:
    case = case_of()
    earning = KNOWN.model_copy(update={"monthly_burn": -600.0, "revenue_per_user": 5.0})
    lasting = runway(case, rewrites_of(case, per_user=0), earning)
    assert (lasting.months_without, lasting.months_with) == (None, None)
    assert lasting.why.startswith("without the plan the cash never runs out; with the plan the cash lasts beyond the ")


BILL_KEYS = ["monthly_cost.per_user of 1B, 2B, 3A and 4A"]


@pytest.mark.parametrize(
    ("costs", "keys"),
    [
        ({"cash": "unknown"}, ["costs.cash"]),
        ({"cash": "unknown", "monthly_burn": "unknown"}, ["costs.cash", "costs.monthly_burn"]),
        ({"monthly_now": "unknown", "revenue_per_user": "unknown"}, ["costs.monthly_now", "costs.revenue_per_user"]),
        ({"revenue_per_user": "unknown"}, ["costs.revenue_per_user"]),
        ({"cash": 1e9}, []),
    ],
)
def test_what_keeps_the_runway_unknown_is_named_by_its_keys(costs: dict[str, Any], keys: list[str]) -> None:
    case = case_of()
    said = runway(case, rewrites_of(case), KNOWN.model_copy(update=costs))
    expected = [*keys, *BILL_KEYS]
    assert said.why.endswith(f"declare {'; '.join(expected)}")
    assert said.months_with is None
    assert (said.months_without is None) == bool(set(keys) - {"costs.revenue_per_user"})


def test_a_bill_that_comes_after_the_cash_is_gone_need_not_be_known() -> None:
    case = case_of()
    late = runway(case, rewrites_of(case, (400, 600, 700, 800)), KNOWN)
    assert late.months_with == pytest.approx(10)
    assert late.why == ""


finishes = st.lists(st.one_of(st.none(), st.integers(0, 1500)), min_size=4, max_size=4).map(tuple)
money = st.one_of(st.none(), st.floats(0, 1e5))


@settings(max_examples=40, deadline=None)
@given(finishes, money, money, money)
def test_what_nobody_declared_is_never_a_number(
    days: tuple[int | None, ...], bill: float | None, growing: float | None, now: float | None
) -> None:
    case = case_of(scenarios=3)
    rewrites = rewrites_of(case, days, bill=bill, per_user=growing)
    costs = KNOWN.model_copy(update={"monthly_now": "unknown" if now is None else now})
    path = path_of(case, rewrites, costs)
    for point in path.path:
        source = now if not point.with_options else bill
        assert (point.monthly is None) == (source is None)
        assert point.growing_known == (bool(point.with_options) and growing is not None)
    if bill is None:
        assert sum(sentence.startswith("the bill with") for sentence in path.unknown) == 4


@settings(max_examples=40, deadline=None)
@given(finishes, st.floats(0, 1e5), st.floats(0, 10), st.floats(0, 1e4), st.floats(0.01, 0.5))
def test_more_money_a_month_is_never_a_lower_bill_nor_a_longer_runway(
    days: tuple[int | None, ...], bill: float, growing: float, more: float, growth: float
) -> None:
    case = case_of(growth=growth, scenarios=3)
    lower = path_of(case, rewrites_of(case, days, bill=bill, per_user=growing))
    higher = path_of(case, rewrites_of(case, days, bill=bill + more, per_user=growing * 2))
    for one, other in zip(lower.path, higher.path, strict=True):
        assert one.monthly is not None
        assert other.monthly is not None
        assert one.monthly <= other.monthly
    assert all(a.users.mid <= b.users.mid for a, b in zip(lower.path, lower.path[1:], strict=False))
    assert all(set(a.with_options) <= set(b.with_options) for a, b in zip(lower.path, lower.path[1:], strict=False))
    months = [path.runway.months_with for path in (lower, higher)]
    assert months[0] is not None
    assert months[1] is not None
    assert months[1] <= months[0] + 1e-9
