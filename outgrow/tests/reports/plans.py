"""Plans as they come out of planning, laid by hand: the four points of the template, two people, in five shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from outgrow.points.declaration import TimeOff
from outgrow.quantities import Interval
from outgrow.schedule.records import (
    Candidate,
    CostPath,
    CostPoint,
    Placement,
    Plan,
    PlannedRewrite,
    Prices,
    Prototype,
    Relaxed,
    Runway,
    Solution,
    Wall,
)

MADE = date(2026, 1, 15)


def exactly(users: float) -> Wall:
    return Wall(Interval(users, users, users), "declared")


DATA = Candidate(
    1, "data-architecture", "Data architecture", "A", "Partition", Interval(2, 2.5, 3), exactly(2000), 1500, 1.0,
    decided=1,
)  # fmt: skip
STATE = Candidate(
    2, "state-management", "State management", "A", "Client store", Interval(3, 3.5, 4),
    Wall(Interval(7600, 8800, 9900), "measured"), 7000, 0.8,
)  # fmt: skip
BACKEND = Candidate(
    3, "backend-architecture", "Backend architecture", "A", "Services and workers", Interval(7.5, 8.7, 10),
    exactly(20_000), 12_000, 0.5, prices=Prices(early=5500, late=9000, bill=6000), prototype_weeks=2,
)  # fmt: skip
REGIONS = Candidate(
    4, "distribution", "Distribution", "A", "Multi-region", Interval(15, 17.3, 20), exactly(60_000), 40_000, 0.2,
    prices=Prices(early=9000, late=None, bill=15_000),
)  # fmt: skip


def rewrites() -> tuple[PlannedRewrite, ...]:
    return (
        PlannedRewrite(
            candidate=DATA,
            start=date(2026, 3, 12),
            start_window=(date(2026, 1, 15), date(2026, 4, 30)),
            finish=(date(2026, 3, 26), date(2026, 3, 30), date(2026, 4, 2)),
            wall=(date(2026, 5, 21), date(2026, 6, 15), date(2026, 7, 29)),
            in_time_ratio=0.998,
            who="Ada",
            prototype=Prototype(date(2026, 2, 5), date(2026, 2, 12), calm=True),
            decide_by=date(2026, 3, 3),
        ),
        PlannedRewrite(
            candidate=STATE,
            start=date(2026, 12, 3),
            start_window=(date(2026, 9, 12), date(2027, 2, 11)),
            finish=(date(2026, 12, 24), date(2027, 1, 11), date(2027, 1, 14)),
            wall=(date(2027, 2, 27), date(2027, 5, 8), date(2027, 9, 11)),
            in_time_ratio=0.96,
            who="Grace",
            prototype=Prototype(date(2026, 9, 24), date(2026, 10, 1), calm=True),
            decide_by=date(2026, 11, 26),
            held_by="6 months after Data architecture starts; then so late on purpose, its bill is not paid too early",
        ),
        PlannedRewrite(
            candidate=BACKEND,
            start=date(2027, 6, 3),
            start_window=(date(2027, 6, 3), date(2027, 7, 1)),
            finish=(date(2027, 7, 28), date(2027, 8, 5), date(2027, 8, 16)),
            wall=(date(2027, 8, 10), date(2027, 10, 28), date(2028, 3, 30)),
            in_time_ratio=0.91,
            who="Ada",
            prototype=Prototype(
                date(2027, 4, 1),
                date(2027, 4, 15),
                calm=False,
                why="no week is free of other work before 20 April 2027: Client store may still be under way",
            ),
            decide_by=date(2027, 5, 11),
            held_by="6 months after State management starts",
        ),
        PlannedRewrite(
            candidate=REGIONS,
            start=date(2027, 12, 2),
            start_window=(date(2027, 12, 2), date(2028, 1, 13)),
            finish=(date(2028, 3, 16), date(2028, 4, 3), date(2028, 4, 22)),
            wall=(date(2028, 3, 2), date(2028, 6, 22), None),
            in_time_ratio=0.93,
            who="Grace",
            prototype=Prototype(date(2027, 10, 7), date(2027, 10, 14), calm=True),
            decide_by=date(2028, 1, 20),
            held_by="6 months after Backend architecture starts",
        ),
    )


def _bill(day: date) -> tuple[float | None, tuple[str, ...]]:
    """The bill of the template: 1A and 2A are not priced, so that nothing is known between them and 3A."""
    steps = (
        (date(2026, 3, 30), None, "data-architecture/A"),
        (date(2027, 1, 11), None, "state-management/A"),
        (date(2027, 8, 5), 6000.0, "backend-architecture/A"),
        (date(2028, 4, 3), 15_000.0, "distribution/A"),
    )
    there = [step for step in steps if step[0] <= day]
    return (there[-1][1] if there else 500.0), tuple(step[2] for step in there)


def _path() -> tuple[CostPoint, ...]:
    points = []
    for months in range(34):
        day = date(2026 + months // 12, months % 12 + 1, 15)
        users = 1000 * 1.15**months
        monthly, options = _bill(day)
        doubt = 1.012**months
        points.append(CostPoint(day, Interval(users / doubt, users, users * doubt), monthly, months == 0, options))
    return tuple(points)


COST = CostPath(
    currency="USD",
    path=_path(),
    development_weeks=Interval(6.1, 12.3, 27.4),
    development=None,
    runway=Runway(None, None, "declare costs.cash and costs.monthly_burn"),
    unknown=(
        "the bill with 1A Partition is not declared: costs of option A at data-architecture",
        "the bill with 2A Client store is not declared: costs of option A at state-management",
        "what a week of one person costs is not declared: costs.person_week",
    ),
)

SOLUTION = Solution(
    placement=Placement((0, 1, 2, 3), (0, 0, 0, 0), (56, 322, 504, 686)),
    in_time_ratio=0.872,
    best_ratio=0.872,
    expected_cost=8123.4,
    least_cost=8123.4,
    latest=(105, 392, 532, 728),
    status="optimal",
    effort=3.2,
    effort_limit=20.0,
    seed=0,
)

TIME_OFF = (
    TimeOff.model_validate({"kind": "freeze", "from": "2026-11-20", "to": "2026-12-01", "what": "sale"}),
    TimeOff.model_validate({"kind": "absence", "from": "2027-07-05", "to": "2027-07-25", "who": "Ada"}),
)


def feasible(**changes: Any) -> Plan:
    """Two people, growth as measured: carried."""
    plan = Plan(
        made_on=MADE,
        users_now=1000.0,
        growth_per_month=Interval(0.121, 0.15, 0.174),
        growth_source="measured",
        start_rule="early",
        people=2,
        wanted_ratio=0.8,
        in_time_ratio=0.872,
        feasible=True,
        rewrites=rewrites(),
        not_planned=(),
        gives=(),
        cost=COST,
        scenarios=500,
        solution=SOLUTION,
        notes=(
            "how likely each is needed is read from its likelihood: inevitable 100 %, likely 80 %, possible 50 %, "
            "only-if 20 %",
            "what a month past the wall costs is not declared: it is weighed ten times as much as a month too early",
        ),
        digest="4f2a90c1d5e84b7796a1c3f00d1e2b3a",
    )
    return replace(plan, **changes)


GIVES = (
    Relaxed(
        "cheaper-option", "tune instead of 4A Multi-region at Distribution: 1–2 weeks instead of 15–20", 0.81, True
    ),
    Relaxed("cheaper-option", "tune instead of 3A Services and workers at Backend architecture", 0.58, False),
    Relaxed("one-more-person", "a third person", 0.44, False),
    Relaxed("team-rule", "a major rewrite every 4½ months, not every 6", 0.83, True, cost=41_000.0),
    Relaxed("shed-load", "20 % less load on the service", 0.8, True),
    Relaxed("slower-growth", "grow by 19.8 % a month at most", 0.82, True, None, 0.198, "early"),
)


def infeasible(**changes: Any) -> Plan:
    """25 % a month, given: not carried, and what gives."""
    late = tuple(
        replace(one, in_time_ratio=ratio, start=start, start_window=(start, start))
        for one, ratio, start in zip(
            rewrites(),
            (0.99, 0.86, 0.61, 0.47),
            (MADE, date(2026, 7, 16), date(2027, 1, 14), date(2027, 7, 15)),
            strict=True,
        )
    )
    late = tuple(
        replace(one, finish=_shift(one.finish, -days), wall=_shift(one.wall, -wall), decide_by=None, prototype=None)
        for one, days, wall in zip(late, (56, 140, 140, 140), (60, 170, 240, 330), strict=True)
    )
    plan = feasible(
        growth_per_month=Interval(0.25, 0.25, 0.25),
        growth_source="given",
        in_time_ratio=0.418,
        feasible=False,
        rewrites=late,
        gives=GIVES,
        solution=replace(
            SOLUTION, in_time_ratio=0.418, best_ratio=0.44, status="feasible", least_cost=8000.0, effort=20.0
        ),
    )
    return replace(plan, **changes)


def _shift(days: Sequence[date | None], by: int) -> tuple[date | None, date | None, date | None]:
    low, mid, high = (None if one is None else one + timedelta(days=by) for one in days)
    return low, mid, high


def nobody_free() -> Plan:
    """One person who always stays operational."""
    gives = (Relaxed("one-more-person", "a second person", 0.87, True),)
    return feasible(people=1, in_time_ratio=0.0, feasible=False, rewrites=(), gives=gives, solution=None)


def one_past() -> Plan:
    """The first wall lies behind, the third is not needed, one does not come; simulated, on a faster clock."""
    first, second, third, _ = rewrites()
    past = replace(
        first,
        candidate=replace(first.candidate, past=True),
        wall=(None, None, None),
        in_time_ratio=None,
        start=MADE,
        start_window=(MADE, MADE),
        decide_by=None,
        prototype=None,
    )
    wide = replace(second.candidate, wall=Wall(Interval(7600, 8800, math.inf), "measured"))
    second = replace(second, candidate=wide, wall=(*second.wall[:2], None))
    return feasible(
        users_now=5000.0,
        feasible=False,
        rewrites=(past, second, third),
        not_planned=(("distribution", "60,000 users are reached within 6 years in 4 % of the scenarios only"),),
        time_scale="1s=1d",
        simulated=True,
    )


def hostile() -> Plan:
    """Titles that steer terminals, break pages and calendars, or never end."""
    first, second, *others = rewrites()
    bad = "\x1b[31mred\x07\nEND:VEVENT\r\nSUMMARY:<b>&amp;\\;,\u202e"
    return feasible(
        rewrites=(
            replace(first, candidate=replace(first.candidate, title=bad, option_title=bad), who=bad, held_by=bad),
            replace(second, candidate=replace(second.candidate, title="x" * 400, option_title="y" * 400), who="z" * 90),
            *others,
        ),
        notes=(bad, "w" * 500),
        not_planned=((bad, bad),),
    )


def nothing_ahead() -> Plan:
    """Growth that never gets to a wall."""
    return feasible(
        growth_per_month=Interval(-0.02, 0.0, 0.01),
        in_time_ratio=1.0,
        rewrites=(),
        not_planned=(("data-architecture", "2,000 users are not reached within 6 years"),),
        solution=None,
    )
