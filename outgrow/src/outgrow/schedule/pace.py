"""How fast a service may grow so that its team can still carry every rewrite, and when each must start.

Users grow by a constant share ``g`` a month, ``users(t) = users · (1 + g)^t``. Time is counted in doublings of users:
``complete_before`` lies ``log2(complete_before / users)`` doublings away whatever the growth is, and a rewrite of ``w``
weeks takes ``w / 4.348 · log2(1 + g)`` doublings (4.348 weeks = 365.25 / 12 / 7 a month). The growth limit is the
largest ``g`` at which a rewrite still ends by then.

Two assumptions about starts (``Assumption``):

* ``at-milestone``: each rewrite starts when users reach its declared ``decide_by`` (``monitor_from`` where a point has
  none, or now when that is already past), or later where the team rules hold it back.
* ``early``: every rewrite starts as early as the team rules allow, the first one now.

An option is judged with the chosen options of the points before it in place, in the order of ``complete_before``.
Efforts are calendar weeks of one person and are not divisible; a technology new to the team takes ``1 +
learning_buffer`` times as long. What can surely be carried is judged with the high effort; the low effort gives the
upper end of the interval. *Tune* is no major rewrite: it needs free hands but no months between.

With the four points of the venture-platform template and two people, ``at-milestone`` gives 9.2 % for 4A (40,000 →
60,000 users in 16 × 1.25 = 20 weeks), 4.5 % for 4B (32 × 1.25 = 40 weeks), 13.3 % for 1B (1,500 → 2,000 in 8 × 1.25 =
10 weeks), 13.2 % for 2B (7,000 → 10,000 in 10 × 1.25 = 12.5 weeks) and 7.7 % for 3C (no decide-by, so from
``monitor_from``: 12,000 → 20,000 in 24 × 1.25 = 30 weeks): these five are new to the team, and none is held back by the
others. ``early`` from 1,000 users gives 19.9 % for 4A: three six-month gaps, then 20 weeks, for 5.9 doublings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from outgrow.errors import UsageError
from outgrow.quantities import WEEKS_PER_MONTH, Interval
from outgrow.schedule.inputs import PaceOption, PacePoint, Step, TeamRules, weeks
from outgrow.schedule.limit import (
    Assumption,
    Layout,
    State,
    carried,
    doublings_a_month,
    doublings_to,
    growth_limit,
    last_true,
    layout,
    plan_limit,
    users_after,
)
from outgrow.schedule.sequence import Hold, Placed

DONE = "done"
_ROUNDING = 1 + 1e-12


@dataclass(frozen=True, slots=True)
class Window:
    """When an option starts at the growth asked about: months from now, and users then.

    ``earliest`` is what the team rules allow. With every rewrite at its ``latest``, nothing is late that is not late
    anyway: these hold together. ``finish_months`` follows the earliest start.
    """

    earliest_months: float
    earliest_users: float
    latest_months: float
    latest_users: float
    finish_months: Interval


@dataclass(frozen=True, slots=True)
class OptionPace:
    """One option of one point, judged.

    Attributes:
        weeks: calendar weeks, learning included; the declared range read as an interval.
        chosen: whether it stands in the plans: pinned, or else the cheapest other than tune.
        at_milestone: growth limit a month (ratio) under that assumption; ``low`` with the high effort.
        early: the same, started as early as the team rules allow.
        alone: ``at_milestone`` without any rewrite before it: its own start, its own weeks.
        at_milestone_state: the growth asked about against ``at_milestone``. early_state: against ``early``.
        window: None when nothing is ever reached or nobody is free.
    """

    option: PaceOption
    weeks: Interval
    chosen: bool
    at_milestone: Interval
    early: Interval
    alone: Interval
    at_milestone_state: State
    early_state: State
    window: Window | None


@dataclass(frozen=True, slots=True)
class PointPace:
    """One point and its options. ``number`` counts the declared points from 1, in the order growth reaches them.

    ``due_months`` is when users reach ``complete_before``: 0 when past, infinite when never.
    """

    number: int
    point: PacePoint
    past: bool
    due_months: float
    options: tuple[OptionPace, ...]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A rewrite in a plan. Months from now; users at the finish and ``late_months`` (0 = in time) with the high effort.

    ``held_by`` says why it does not start sooner and ``after`` names the point it waits for, if it does.
    """

    step: Step
    start_months: float
    start_users: float
    finish_months: Interval
    finish_users: float
    due_months: float
    late_months: float
    held_by: Hold
    after: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """All chosen rewrites under one assumption. ``limit`` and ``state`` leave out points already past."""

    assumption: Assumption
    limit: Interval
    state: State
    rewrites: tuple[Rewrite, ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """Everything ``outgrow pace`` says, before a word of it is written.

    ``past`` are points whose ``complete_before`` is reached already, ``unplanned`` points without an option.
    """

    users: float
    growth_per_month: float
    rules: TeamRules
    points: tuple[PointPace, ...]
    at_milestone: Plan
    early: Plan
    past: tuple[str, ...]
    unplanned: tuple[str, ...]

    @property
    def ever_reached(self) -> bool:
        """Whether users grow at all, so that the limits ahead are reached one day."""
        return self.growth_per_month > 0

    @property
    def finding(self) -> bool:
        """Whether something cannot be carried even when started as early as the rules allow, or is past already."""
        return bool(self.past) or self.early.state != "yes"


def pace(
    points: Sequence[PacePoint],
    rules: TeamRules,
    users: float,
    growth_per_month: float,
    pins: Mapping[str, str] | None = None,
) -> Pace:
    """Judge every option and lay out both plans.

    Args:
        users: today, above 0. growth_per_month: a ratio above -1; 0 or less reaches nothing.
        pins: point id → option id to plan with, or ``done`` for a point that needs no rewrite any more.

    Raises:
        UsageError: a pin names no point or no option.
    """
    pins = pins or {}
    _check_pins(points, pins)
    ordered = sorted((point for point in points if pins.get(point.id) != DONE), key=_due_users)
    numbers = {point.id: number for number, point in enumerate(sorted(points, key=_due_users), start=1)}
    with_options = [point for point in ordered if point.options]
    chosen = tuple(Step(point, _choose(point, rules, pins.get(point.id))) for point in with_options)
    past = tuple(point.id for point in with_options if point.complete_before <= users)
    return Pace(
        users=users,
        growth_per_month=growth_per_month,
        rules=rules,
        points=tuple(
            PointPace(
                number=numbers[step.point.id],
                point=step.point,
                past=step.point.id in past,
                due_months=_months_to(step.point.complete_before, users, growth_per_month),
                options=tuple(
                    _judge(chosen, index, option, rules, users, growth_per_month) for option in step.point.options
                ),
            )
            for index, step in enumerate(chosen)
        ),
        at_milestone=plan(chosen, rules, users, growth_per_month, "at-milestone"),
        early=plan(chosen, rules, users, growth_per_month, "early"),
        past=past,
        unplanned=tuple(point.id for point in ordered if not point.options),
    )


def plan(
    chosen: Sequence[Step], rules: TeamRules, users: float, growth_per_month: float, assumption: Assumption
) -> Plan:
    """Lay out the chosen rewrites, with the high effort. Without growth, or without free hands, nothing is laid out."""
    limit = plan_limit(chosen, rules, users, assumption)
    state = carried(growth_per_month, limit)
    if growth_per_month <= 0 or rules.hands == 0:
        return Plan(assumption, limit, state, ())
    rate = doublings_a_month(growth_per_month)
    placed = layout(chosen, rules, users, assumption)(rate, {})
    rewrites = (_rewrite(step, lay, chosen, rules, users, rate) for step, lay in zip(chosen, placed, strict=True))
    return Plan(assumption, limit, state, tuple(rewrites))


def _rewrite(step: Step, lay: Placed, chosen: Sequence[Step], rules: TeamRules, users: float, rate: float) -> Rewrite:
    due = max(0.0, doublings_to(step.point.complete_before, users))
    return Rewrite(
        step=step,
        start_months=lay.start / rate,
        start_users=users_after(lay.start, users),
        finish_months=_finish_months(step.option, lay.start / rate, rules),
        finish_users=users_after(lay.finish, users),
        due_months=due / rate,
        late_months=(lay.finish - due) / rate if lay.finish > due * _ROUNDING else 0.0,
        held_by=lay.held_by,
        after=None if lay.after is None else chosen[lay.after].point.id,
    )


def _judge(
    chosen: tuple[Step, ...], index: int, option: PaceOption, rules: TeamRules, users: float, growth: float
) -> OptionPace:
    step = Step(chosen[index].point, option)
    steps = (*chosen[:index], step, *chosen[index + 1 :])
    upto = steps[: index + 1]
    at_milestone = growth_limit(upto, [index], rules, users, "at-milestone")
    early = growth_limit(upto, [index], rules, users, "early")
    past = step.point.complete_before <= users
    return OptionPace(
        option=option,
        weeks=weeks(option, rules),
        chosen=option is chosen[index].option,
        at_milestone=at_milestone,
        early=early,
        alone=growth_limit([step], [0], rules, users, "at-milestone"),
        at_milestone_state="past" if past else carried(growth, at_milestone),
        early_state="past" if past else carried(growth, early),
        window=_window(steps, index, rules, users, growth) if growth > 0 and rules.hands else None,
    )


def _window(steps: Sequence[Step], index: int, rules: TeamRules, users: float, growth: float) -> Window:
    rate = doublings_a_month(growth)
    lay_out = layout(steps, rules, users, "early")
    placed = lay_out(rate, {})
    earliest, latest = placed[index].start, _latest_starts(steps, placed, lay_out, users, rate)[index]
    return Window(
        earliest_months=earliest / rate,
        earliest_users=users_after(earliest, users),
        latest_months=latest / rate,
        latest_users=users_after(latest, users),
        finish_months=_finish_months(steps[index].option, earliest / rate, rules),
    )


def _latest_starts(
    steps: Sequence[Step], placed: Sequence[Placed], lay_out: Layout, users: float, rate: float
) -> tuple[float, ...]:
    """Starts, in doublings, put off from the last step to the first as long as nothing ends later than it may.

    A step may end when it is due, or when it ends anyway if that is later. The starts hold together, not just alone.
    """
    may_end = [
        max(doublings_to(step.point.complete_before, users), lay.finish)
        for step, lay in zip(steps, placed, strict=True)
    ]
    held: dict[int, float] = {}

    def harmless(index: int, delay: float) -> bool:
        moved = lay_out(rate, {**held, index: placed[index].start + delay})
        return all(lay.finish <= end * _ROUNDING for lay, end in zip(moved, may_end, strict=True))

    for index in reversed(range(len(steps))):
        held[index] = placed[index].start + last_true(partial(harmless, index), may_end[index] - placed[index].finish)
    return tuple(lay.start for lay in lay_out(rate, held))


def _finish_months(option: PaceOption, start: float, rules: TeamRules) -> Interval:
    span = weeks(option, rules).scaled(1 / WEEKS_PER_MONTH)
    return Interval(start + span.low, start + span.mid, start + span.high)


def _months_to(target: float, users: float, growth: float) -> float:
    if target <= users:
        return 0.0
    return doublings_to(target, users) / doublings_a_month(growth) if growth > 0 else math.inf


def _due_users(point: PacePoint) -> float:
    return point.complete_before


def _choose(point: PacePoint, rules: TeamRules, pinned: str | None) -> PaceOption:
    """The pinned option, or the cheapest other than tune (tune where there is nothing else)."""
    if pinned is not None:
        return next(option for option in point.options if option.option == pinned)
    rewrites = [option for option in point.options if option.major] or list(point.options)
    return min(rewrites, key=lambda option: (weeks(option, rules).high, weeks(option, rules).low))


def _check_pins(points: Sequence[PacePoint], pins: Mapping[str, str]) -> None:
    known = {point.id: [option.option for option in point.options] for point in points}
    for point, option in pins.items():
        if point not in known:
            raise UsageError(f"there is no point {point!r}; the points are {', '.join(known)}")
        if option != DONE and option not in known[point]:
            raise UsageError(f"{point} has no option {option!r}; it has {', '.join(known[point])}, or say {DONE}")
