"""What a plan costs: the bill along its middle, its development, and how long the cash lasts with it and without.

Bills are whole, not additive: the bill is that of the option put in place last, its fixed part and, where it is
declared, its part that grows with users. A figure nobody declared stays unknown. It is never counted as zero, and it is
named with the key that would declare it.

The middle of the plan is one course of events: users follow the median of the growth paths, day by day, and every
planned rewrite is in place from the median of its finishes over the scenarios in which it is needed. So the path also
shows the bill of a rewrite that may never be needed, on the day on which it would come.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from outgrow.points.declaration import Costs
from outgrow.quantities import DAY, MONTH, WEEK, Interval
from outgrow.schedule.records import NEVER, Candidate, CostPath, CostPoint, Outcome, PlannedRewrite, Runway
from outgrow.schedule.scenarios import GrowthPaths, PlanningCase, problem_of

_DAYS_A_MONTH = MONTH / DAY
_DAYS_A_WEEK = WEEK / DAY
_MONTHS_AFTER = 6
_SAME_USERS = 0.1  # own reading: a bill declared at users this close (a ratio) is today's bill

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Bill:
    """The whole bill from ``day`` on, in money a month; ``candidate`` is None for today's."""

    day: int
    fixed: float | None
    per_user: float | None
    candidate: Candidate | None = None

    def at(self, users: float) -> float | None:
        """Money a month at that many users: the known part, None where the fixed part is unknown."""
        return None if self.fixed is None else self.fixed + (self.per_user or 0.0) * users


def cost_path(case: PlanningCase, rewrites: Sequence[PlannedRewrite], outcome: Outcome, costs: Costs) -> CostPath:
    """The bill month by month from day 0 to six months after the last finish, development and runway.

    The path ends earlier where the growth paths do. Today's bill is ``costs.monthly_now``, taken as it stands until the
    first option is in place.

    Args:
        rewrites: those of the plan of ``case``. outcome: of the same plan; its columns are the scenarios of ``case``.
    """
    bills = _bills(case, rewrites, costs)
    users = _users(case.growth)
    last = math.ceil(max(bill.day for bill in bills) / _DAYS_A_MONTH) + _MONTHS_AFTER
    looked_at = int((float(case.growth.days[-1]) + 0.5) / _DAYS_A_MONTH)
    months = range(min(last, looked_at) + 1)
    weeks = development_weeks(case, rewrites, outcome)
    person_week = _known(costs.person_week)
    return CostPath(
        currency=costs.currency,
        path=tuple(_point(bills, users, case.made_on, round(month * _DAYS_A_MONTH)) for month in months),
        development_weeks=weeks,
        development=None if person_week is None else weeks.scaled(person_week),
        runway=runway(case, rewrites, costs),
        unknown=_unknown(float(users[1, 0]), rewrites, costs),
    )


def development_weeks(case: PlanningCase, rewrites: Sequence[PlannedRewrite], outcome: Outcome) -> Interval:
    """Person-weeks of all planned rewrites that are needed: 10/50/90 % over the scenarios of ``case``."""
    planned = {rewrite.candidate.point for rewrite in rewrites}
    rows = [index for index, candidate in enumerate(case.candidates) if candidate.point in planned]
    if not rows or case.scenarios == 0:
        return Interval(0.0, 0.0, 0.0)
    done = outcome.starts < NEVER
    total = np.where(done, problem_of(case).efforts, 0)[rows].sum(axis=0) / _DAYS_A_WEEK
    low, mid, high = np.quantile(total, [0.1, 0.5, 0.9])
    return Interval(float(low), float(mid), float(high))


def runway(case: PlanningCase, rewrites: Sequence[PlannedRewrite], costs: Costs) -> Runway:
    """Months until the cash is gone along the middle of the plan: with today's bill for ever, and with the plan's.

    Cash falls a month by ``monthly_burn + bill − revenue_per_user · (users − users now)``. Without the plan the bill
    stays today's, and users do too. Salaries are part of ``monthly_burn``: whoever carries a rewrite is paid anyway, so
    development does not leave the bank a second time. A figure that is unknown, before the cash is gone, makes the
    months unknown; the part of a bill that grows with users is such a figure (0 declares that it does not grow).
    """
    cash, burn, now = _known(costs.cash), costs.monthly_burn, _known(costs.monthly_now)
    revenue = _known(costs.revenue_per_user)
    needs = [
        ("costs.cash", cash is None),
        ("costs.monthly_burn", burn == "unknown"),
        ("costs.monthly_now", now is None),
    ]
    missing = [key for key, absent in needs if absent]
    if cash is None or burn == "unknown" or now is None:
        missing += ["costs.revenue_per_user"] if revenue is None else []
        missing += _keys(_bills(case, rewrites, costs)[1:])
        return Runway(None, None, _declare(missing))
    leaving = burn + now
    without = cash / leaving if leaving > 0 else None
    reasons = [] if without is not None else ["without the plan the cash never runs out"]
    if revenue is None:
        missing = ["costs.revenue_per_user", *_keys(_bills(case, rewrites, costs)[1:])]
        return Runway(without, None, "; ".join([*reasons, f"with the plan it cannot be said: {_declare(missing)}"]))
    months, why = _months_with(case, rewrites, costs, cash, burn, revenue)
    return Runway(without, months, "; ".join([*reasons, why] if why else reasons))


def _months_with(
    case: PlanningCase,
    rewrites: Sequence[PlannedRewrite],
    costs: Costs,
    cash: float,
    burn: float,
    revenue: float,
) -> tuple[float | None, str]:
    bills = _bills(case, rewrites, costs)
    middle = _users(case.growth)[1]
    ends = [bill.day for bill in bills[1:]] + [middle.size]
    bill_now = np.zeros(middle.size)
    known_until, blocking = middle.size, list[_Bill]()
    for bill, end in zip(bills, ends, strict=True):
        span = slice(min(bill.day, middle.size), min(end, middle.size))
        if span.start == span.stop:
            continue
        if bill.candidate is not None and (bill.fixed is None or bill.per_user is None):
            known_until = min(known_until, span.start)
            blocking.append(bill)
        else:
            bill_now[span] = (bill.fixed or 0.0) + (bill.per_user or 0.0) * middle[span]
    leaving = (burn + bill_now - revenue * (middle - middle[0])) / _DAYS_A_MONTH
    left = cash - np.cumsum(leaving[:known_until])
    gone = np.flatnonzero(left < 0)
    if gone.size:
        day = int(gone[0])
        return float(day + 1 + left[day] / leaving[day]) / _DAYS_A_MONTH, ""
    if blocking:
        return None, f"with the plan it cannot be said: {_declare(_keys(blocking))}"
    return None, f"with the plan the cash lasts beyond the {middle.size / 365.25:.1f} years looked at"


def _bills(case: PlanningCase, rewrites: Sequence[PlannedRewrite], costs: Costs) -> list[_Bill]:
    """Today's bill and the bills of the planned options, in the order in which they take over."""
    taken = [
        _Bill((finish - case.made_on).days, prices.bill, prices.per_user, rewrite.candidate)
        for rewrite in rewrites
        if (finish := rewrite.finish[1]) is not None and (prices := rewrite.candidate.prices)
    ]
    taken.sort(key=lambda bill: (bill.day, bill.candidate.number if bill.candidate else 0))
    return [_Bill(0, _known(costs.monthly_now), None), *taken]


def _users(growth: GrowthPaths) -> FloatArray:
    """Users on every day, (3, days): 10/50/90 % over the scenarios; between the days of the paths, constant growth."""
    quantiles = np.quantile(growth.users, [0.1, 0.5, 0.9], axis=0)
    days = np.arange(int(growth.days[-1]) + 1)
    logs = np.log(np.maximum(quantiles, 1e-9))
    users = np.exp(np.stack([np.interp(days, growth.days, each) for each in logs]))
    return np.maximum.accumulate(users, axis=0)  # rounding must not turn low and high round


def _point(bills: Sequence[_Bill], users: FloatArray, made_on: date, day: int) -> CostPoint:
    low, mid, high = (float(value) for value in users[:, min(day, users.shape[1] - 1)])
    count = max(1, bisect_right([bill.day for bill in bills], day))
    bill = bills[count - 1]
    return CostPoint(
        at=made_on + timedelta(days=day),
        users=Interval(low, mid, high),
        monthly=bill.at(mid),
        growing_known=bill.per_user is not None,
        with_options=_options(bills[:count]),
    )


def _options(bills: Sequence[_Bill]) -> tuple[str, ...]:
    return tuple(f"{bill.candidate.point}/{bill.candidate.option}" for bill in bills if bill.candidate is not None)


def _unknown(users_now: float, rewrites: Sequence[PlannedRewrite], costs: Costs) -> tuple[str, ...]:
    """A sentence for each figure nobody declared; those that only the runway needs are named there."""
    said = []
    if _known(costs.monthly_now) is None:
        said.append("today's bill is not declared: costs.monthly_now")
    elif costs.at_users and abs(users_now / costs.at_users - 1) > _SAME_USERS:
        said.append(
            f"today's bill is declared at {costs.at_users:,} users, not at the {users_now:,.0f} of today: "
            "costs.monthly_now and costs.at_users"
        )
    for rewrite in rewrites:
        candidate = rewrite.candidate
        label, where = label_of(candidate), f"of option {candidate.option} at {candidate.point}"
        if candidate.prices.bill is None:
            said.append(f"the bill with {label} is not declared: monthly_cost.fixed {where}")
        if candidate.prices.per_user is None:
            said.append(f"how the bill with {label} grows with users is not declared: monthly_cost.per_user {where}")
        if candidate.prices.late is None:
            said.append(
                f"what a month past the limit of {candidate.title} costs is not declared: "
                f"breach_cost of {candidate.point}"
            )
    if _known(costs.person_week) is None:
        said.append("what a week of one person costs is not declared: costs.person_week")
    return tuple(said)


def _keys(bills: Sequence[_Bill]) -> list[str]:
    """The keys that would declare what is unknown of these options' bills: ``monthly_cost.fixed of 1A and 2A``."""
    keys = []
    for part in ("fixed", "per_user"):
        unknown = [bill for bill in bills if bill.candidate is not None and getattr(bill, part) is None]
        if unknown:
            labels = [label_of(bill.candidate) for bill in unknown if bill.candidate is not None]
            keys.append(f"monthly_cost.{part} of {_listed(labels)}")
    return keys


def _listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _declare(keys: Sequence[str]) -> str:
    return f"declare {'; '.join(keys)}"


def label_of(candidate: Candidate) -> str:
    """``1A``; ``1 tune`` for longer ids."""
    return f"{candidate.number}{' ' if len(candidate.option) > 2 else ''}{candidate.option}"


def _known(money: float | str) -> float | None:
    return None if isinstance(money, str) else money
