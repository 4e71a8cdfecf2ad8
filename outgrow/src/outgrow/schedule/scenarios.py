"""Scenarios: what users, efforts and limits may turn out to be, drawn once and shared by everything compared.

What is drawn for a rewrite depends on the seed and the id of its point alone (common random numbers): its share of luck
stays the same when the option, the team or the growth changes, so that two plans are compared scenario by scenario. The
path of users is one a scenario, shared by all points.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from outgrow.outlook.crossing import draw_lead_time
from outgrow.points.declaration import TimeOff
from outgrow.quantities import DAY, MONTH, WEEK, Interval
from outgrow.schedule.inputs import TeamRules
from outgrow.schedule.records import NEVER, Candidate, Days, Flags, Problem, StartRule
from outgrow.signals.series import FloatArray

DAYS_PER_MONTH = MONTH / DAY
LONGEST_DAYS = 40 * 366
LATE_OVER_EARLY = 10.0
"""A month past the wall weighs this many months of a bill paid too early, where its price is unknown. Own reading."""

_MOST_USERS = 1e15
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class GrowthPaths:
    """Users over time in every scenario.

    Attributes:
        days: (t,), rising from 0, at least two.
        users: (s, t), the most users there have been by that day; between days by the same growth a day.
        per_month: growth a month as a ratio, 10/50/90 %. source: drawn paths, or one constant rate.
    """

    days: Days
    users: FloatArray
    per_month: Interval
    source: Literal["measured", "given"]

    def day_of(self, users: float | FloatArray) -> Days:
        """The day on which each scenario first has so many users, shape (s,); ``NEVER`` beyond the horizon.

        Args:
            users: one number for all, or shape (s,).
        """
        scenarios, knots = self.users.shape
        limit = np.broadcast_to(np.asarray(users, dtype=np.float64), (scenarios,))
        if self.source == "given":
            after = np.searchsorted(self.users[0], limit)
        else:
            after = np.count_nonzero(self.users < limit[:, None], axis=1)
        inside = np.clip(after, 1, knots - 1)
        row = np.arange(scenarios)
        below, above = self.users[row, inside - 1], self.users[row, inside]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.log(limit / below) / np.log(above / below)
        start, end = self.days[inside - 1], self.days[inside]
        passage = np.floor(start + np.where(np.isfinite(share), share, 0.0) * (end - start) + _ROUNDING)
        passage = np.where(after == 0, 0, passage)
        return np.where(after >= knots, NEVER, passage).astype(np.int64)

    def users_on(self, days: Days) -> FloatArray:
        """Users on these days, shape (s, days); the last known number beyond the horizon."""
        place = np.interp(days, self.days, np.arange(self.days.size))
        before = np.minimum(place.astype(np.int64), self.days.size - 2)
        share = place - before
        return np.asarray(self.users[:, before] ** (1 - share) * self.users[:, before + 1] ** share, dtype=np.float64)

    def slowed(self, factor: float) -> GrowthPaths:
        """The same paths with the logarithm of their growth times ``factor`` (1 = as they are, 0 = none)."""
        bounds = (self.per_month.low, self.per_month.mid, self.per_month.high)
        rates = sorted(math.expm1(math.log1p(rate) * factor) for rate in bounds)
        if self.source == "given":
            return given_growth(float(self.users[0, 0]), rates[1], self.users.shape[0])
        first = self.users[:, :1]
        users = first * (self.users / first) ** factor
        return replace(self, users=users, per_month=Interval(rates[0], rates[1], rates[2], self.per_month.confidence))


def given_growth(users: float, growth_per_month: float, scenarios: int) -> GrowthPaths:
    """``users · (1 + growth)^months`` in every scenario, for 40 years (or up to 10^15 users).

    Args:
        users: today, above 0. growth_per_month: a ratio above -1; at 0 or less nothing new is ever reached.
    """
    rate = math.log1p(max(growth_per_month, 0.0)) / DAYS_PER_MONTH
    last = LONGEST_DAYS if rate == 0 else min(LONGEST_DAYS, math.log(max(_MOST_USERS / users, 2.0)) / rate)
    days = 7 * np.arange(max(2, math.ceil(last / 7) + 1), dtype=np.int64)
    path = users * np.exp(rate * days)
    known = Interval(growth_per_month, growth_per_month, growth_per_month)
    return GrowthPaths(days, np.broadcast_to(path, (scenarios, days.size)), known, "given")


def drawn_growth(log_paths: FloatArray, begun: float, day_zero: float, per_month: Interval) -> GrowthPaths:
    """Drawn weekly paths of log users as days from day 0 on.

    Args:
        log_paths: (s, weeks + 1), column 0 at ``begun``. begun, day_zero: seconds since the epoch, ``begun`` earlier.
        per_month: growth a month as a ratio.
    """
    highest = np.maximum.accumulate(log_paths, axis=1)
    offset = (day_zero - begun) / WEEK
    weeks = math.floor(highest.shape[1] - 1 - offset) + 1
    place = offset + np.arange(weeks)
    before = np.minimum(place.astype(np.int64), highest.shape[1] - 2)
    share = place - before
    users = np.exp(highest[:, before] * (1 - share) + highest[:, before + 1] * share)
    return GrowthPaths(7 * np.arange(weeks, dtype=np.int64), users, per_month, "measured")


@dataclass(frozen=True, slots=True, eq=False)
class PlanningCase:
    """Everything a plan is reckoned from; what gives is ``replace(case, …)``.

    Attributes:
        candidates: in the order of their declared limits.
        alternatives: point → the other options of a point, each as it would stand in its place.
        names: of the people, as far as they are known. calendar: absences and freezes.
        growth: has ``scenarios`` rows. made_on: day 0.
        load_share: 0.8 = a fifth of the load is shed, so that walls stand at ``users / load_share``.
        bill_now: today's bill a month; None = unknown.
    """

    candidates: tuple[Candidate, ...]
    alternatives: Mapping[str, tuple[Candidate, ...]]
    rules: TeamRules
    names: tuple[str, ...]
    calendar: tuple[TimeOff, ...]
    growth: GrowthPaths
    start_rule: StartRule
    made_on: date
    seed: int
    scenarios: int
    load_share: float = 1.0
    bill_now: float | None = None


def with_rules(case: PlanningCase, rules: TeamRules) -> PlanningCase:
    """The case under other rules; efforts that hold the learning buffer follow it."""
    factor = (1 + rules.learning_buffer) / (1 + case.rules.learning_buffer)

    def follow(candidate: Candidate) -> Candidate:
        if not candidate.new_to_team:
            return candidate
        return replace(candidate, effort_weeks=candidate.effort_weeks.scaled(factor))

    return replace(
        case,
        rules=rules,
        candidates=tuple(follow(each) for each in case.candidates),
        alternatives={point: tuple(follow(each) for each in others) for point, others in case.alternatives.items()},
    )


def problem_of(case: PlanningCase) -> Problem:
    """The case in whole days, shapes as ``Problem`` says.

    A rewrite is needed where its luck says so *and* growth reaches its milestone (or its wall, if that is lower) within
    the horizon. Under ``at-milestone`` that day is its release.
    """
    shape = (len(case.candidates), case.scenarios)
    walls, efforts, reached = (np.empty(shape, dtype=np.int64) for _ in range(3))
    needed = np.empty(shape, dtype=np.bool_)
    for row, candidate in enumerate(case.candidates):
        walls[row] = wall_days(case, candidate)
        reached[row] = np.minimum(milestone_days(case, candidate), walls[row])
        efforts[row] = effort_days(case, candidate)
        needed[row] = is_needed(case, candidate) & (reached[row] < NEVER)
    early, late = weights(case)
    majors = np.array([candidate.major for candidate in case.candidates], dtype=np.bool_)
    gap = math.ceil(case.rules.months_between * DAYS_PER_MONTH - _ROUNDING)
    free = free_people(case.rules, case.calendar, case.made_on)
    releases = reached if case.start_rule == "at-milestone" else np.zeros(shape, dtype=np.int64)
    releases = np.where(needed, releases, 0)
    return Problem(
        walls=walls,
        efforts=efforts,
        needed=needed,
        releases=releases,
        judged=np.array([not candidate.past for candidate in case.candidates], dtype=np.bool_),
        major=majors,
        free=free,
        gap=gap,
        early=early,
        late=late,
        horizon=_horizon(walls, releases, efforts, free.size, gap * int(majors.sum())),
    )


def wall_days(case: PlanningCase, candidate: Candidate) -> Days:
    """The day on which each scenario reaches the wall of a candidate, shape (s,)."""
    wall = candidate.wall.users
    if math.isinf(wall.high):
        wall = replace(wall, high=wall.mid * wall.mid / max(wall.low, 1.0))
    users = draw_lead_time(wall, case.scenarios, _luck(case.seed, candidate.point, "wall"))
    return case.growth.day_of(users / case.load_share)


def milestone_days(case: PlanningCase, candidate: Candidate) -> Days:
    """The day on which each scenario has the users of the candidate's milestone, shape (s,)."""
    return case.growth.day_of(candidate.milestone)


def effort_days(case: PlanningCase, candidate: Candidate) -> Days:
    """Days of work in each scenario, shape (s,), at least 1: log-normal on each side of the middle, rounded up."""
    weeks = draw_lead_time(candidate.effort_weeks, case.scenarios, _luck(case.seed, candidate.point, "effort"))
    return np.maximum(np.ceil(weeks * 7 - _ROUNDING), 1).astype(np.int64)


def is_needed(case: PlanningCase, candidate: Candidate) -> Flags:
    """Whether each scenario needs the rewrite at all, shape (s,), growth left aside."""
    drawn: NDArray[np.float64] = _luck(case.seed, candidate.point, "needed").random(case.scenarios)
    return np.asarray(drawn < candidate.needed_ratio, dtype=np.bool_)


def free_people(rules: TeamRules, calendar: tuple[TimeOff, ...], made_on: date) -> Days:
    """How many people are free for rewrites on each day from ``made_on``; the last value holds for ever after."""
    days = max(0, max(((off.to - made_on).days + 1 for off in calendar), default=0))
    frozen = np.zeros(days + 1, dtype=np.bool_)
    unnamed = np.zeros(days + 1, dtype=np.int64)
    named: dict[str, Flags] = {}
    for off in calendar:
        span = slice(max(0, (off.from_ - made_on).days), max(0, (off.to - made_on).days + 1))
        if off.kind == "freeze":
            frozen[span] = True
        elif off.who is None:
            unnamed[span] += 1
        else:
            named.setdefault(off.who, np.zeros(days + 1, dtype=np.bool_))[span] = True
    absent = unnamed + sum(away.astype(np.int64) for away in named.values())
    present = np.minimum(rules.simultaneous, rules.people - rules.always_operational - absent)
    return np.where(frozen, 0, np.maximum(present, 0)).astype(np.int64)


def weights(case: PlanningCase) -> tuple[FloatArray, FloatArray]:
    """Weight of a day early and of a day late for each candidate, shape (n,) each.

    Money a day where it is known. Else a day early weighs today's bill (1 a month where that is unknown too), and a day
    late ``LATE_OVER_EARLY`` times a day early.
    """
    stand_in = case.bill_now if case.bill_now else 1.0
    early = [stand_in if each.prices.early is None else max(each.prices.early, 0.0) for each in case.candidates]
    late = [
        LATE_OVER_EARLY * (weight or stand_in) if each.prices.late is None else each.prices.late
        for each, weight in zip(case.candidates, early, strict=True)
    ]
    return np.array(early) / DAYS_PER_MONTH, np.array(late) / DAYS_PER_MONTH


def _luck(seed: int, point: str, what: str) -> np.random.Generator:
    """The generator of one quantity of one point, whatever else is drawn."""
    name = hashlib.sha256(f"{point}\x1f{what}".encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(name[:8], "big")])


def _horizon(walls: Days, releases: Days, efforts: Days, calendar_days: int, gaps: int) -> int:
    """A day by which all can be placed, however late the last wall and however long the chain of rewrites."""
    last = max(int(walls[walls < NEVER].max(initial=0)), int(releases.max(initial=0)))
    chain = int(efforts.max(axis=1, initial=1).sum()) + gaps + calendar_days
    return min(max(last, int(releases.max(initial=0)) + chain), NEVER - 1)
