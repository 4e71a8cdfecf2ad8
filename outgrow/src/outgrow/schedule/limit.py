"""The growth limit of a sequence of rewrites: the largest growth a month at which they still end in time.

Reckoned in doublings of users (see ``pace``), by bisection down to neighbouring floats: whether rewrites end in time
can only turn from yes to no as growth rises.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from outgrow.quantities import WEEKS_PER_MONTH, Interval
from outgrow.schedule.inputs import Step, TeamRules, weeks
from outgrow.schedule.sequence import Placed, Task, place

Assumption = Literal["at-milestone", "early"]
State = Literal["yes", "at-best", "no", "past"]

Layout = Callable[[float, Mapping[int, float]], tuple[Placed, ...]]

_NEVER_MATTERS = 1000.0  # doublings a month; no effort that takes time allows as much


def growth_limit(
    steps: Sequence[Step], judged: Sequence[int], rules: TeamRules, users: float, assumption: Assumption
) -> Interval:
    """Growth a month (ratio) up to which the judged steps end in time: ``low`` with the high effort throughout.

    Args:
        steps: in the order in which they are taken up. judged: indices into them.

    Returns:
        0 when a judged step is past already or nobody is free; infinite when nothing takes any time.
    """
    due = [(index, doublings_to(steps[index].point.complete_before, users)) for index in judged]
    if rules.hands == 0 or any(at <= 0 for _, at in due):
        return Interval(0.0, 0.0, 0.0)

    def at(effort: int) -> float:
        lay_out = layout(steps, rules, users, assumption, effort)

        def in_time(rate: float) -> bool:
            placed = lay_out(rate, {})
            return all(placed[index].finish <= at for index, at in due)

        return growth_of(last_true(in_time))

    return Interval(at(2), at(1), at(0))


def plan_limit(chosen: Sequence[Step], rules: TeamRules, users: float, assumption: Assumption) -> Interval:
    """Growth a month up to which all chosen rewrites end in time; points already past are left out of the judgement."""
    ahead = [index for index, step in enumerate(chosen) if step.point.complete_before > users]
    return growth_limit(chosen, ahead, rules, users, assumption)


def carried(growth_per_month: float, limit: Interval) -> State:
    """``yes`` up to the limit of the high effort, ``at-best`` up to that of the low effort, else ``no``."""
    if growth_per_month <= limit.low:
        return "yes"
    return "at-best" if growth_per_month <= limit.high else "no"


def layout(steps: Sequence[Step], rules: TeamRules, users: float, assumption: Assumption, effort: int = 2) -> Layout:
    """A function that places the steps, in doublings of users from now.

    It takes the rate (doublings a month) and, for any step, a time before which it may not start.

    Args:
        effort: 0, 1 or 2 for the low, middle and high bound.
    """
    by_milestone = assumption == "at-milestone"
    releases = [doublings_to(step.point.milestone, users) if by_milestone else 0.0 for step in steps]
    spans = [weeks(step.option, rules) for step in steps]
    months = [(span.low, span.mid, span.high)[effort] / WEEKS_PER_MONTH for span in spans]
    majors = [step.option.major for step in steps]

    def lay_out(rate: float, not_before: Mapping[int, float]) -> tuple[Placed, ...]:
        tasks = [
            Task(max(release, not_before.get(index, 0.0)), length * rate, major)
            for index, (release, length, major) in enumerate(zip(releases, months, majors, strict=True))
        ]
        return place(tasks, rules.hands, rules.months_between * rate)

    return lay_out


def last_true(holds: Callable[[float], bool], upper: float = _NEVER_MATTERS) -> float:
    """The largest argument in [0, upper] at which a condition that can only turn from true to false still holds.

    0 when it never holds; infinite when it still holds at the default upper bound.
    """
    if holds(upper):
        return math.inf if upper == _NEVER_MATTERS else upper
    low, high = 0.0, upper
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def doublings_to(target: float, users: float) -> float:
    """How often users double until ``target``; negative when it lies behind."""
    return math.log2(target / users)


def doublings_a_month(growth_per_month: float) -> float:
    """From growth a month as a ratio; the inverse of ``growth_of``."""
    return math.log1p(growth_per_month) / math.log(2)


def growth_of(rate: float) -> float:
    """Growth a month as a ratio, from doublings a month."""
    return math.inf if math.isinf(rate) else math.expm1(rate * math.log(2))


def users_after(doublings: float, users: float) -> float:
    """Users after that many doublings; infinite beyond what a float holds."""
    return users * 2.0**doublings if doublings < _NEVER_MATTERS else math.inf
