"""What gives when a plan cannot be carried: one relaxation at a time, cheapest first, with the growth each one buys.

Cheapest is read as what it takes from the team and the service, in this fixed order: starting earlier (attention),
tuning (a week or two, if a measurement shows that it is enough), a cheaper option (fewer weeks now, and its ceiling
later), one team rule lifted (strain, or the safety it stood for), one more person (a salary), slower growth (business).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from outgrow.points.declaration import TUNE
from outgrow.quantities import Interval
from outgrow.schedule.inputs import PaceOption, Step, TeamRules, weeks
from outgrow.schedule.limit import Assumption, State, carried, plan_limit
from outgrow.schedule.pace import Pace

Relaxation = Literal["start-earlier", "tune", "cheaper-option", "team-rule", "one-more-person", "slower-growth"]
Rule = Literal["months_between", "learning_buffer", "simultaneous", "always_operational"]

_GAP_STEP = 0.5  # months; nobody plans finer


@dataclass(frozen=True, slots=True)
class Give:
    """One thing that could give, alone.

    Attributes:
        relaxation: its kind. point, option: which option it puts where (tune, cheaper-option).
        rule: the team rule it lifts (team-rule). value: what that rule becomes; people (one-more-person); growth
            a month as a ratio (slower-growth).
        limit: growth a month up to which the plan can then be carried. state: the growth asked about against it.
        helps: whether the limit rises at all.
    """

    relaxation: Relaxation
    limit: Interval
    state: State = "no"
    helps: bool = False
    point: str | None = None
    option: str | None = None
    rule: Rule | None = None
    value: float | None = None


def what_gives(pace: Pace, assumption: Assumption) -> tuple[Give, ...]:
    """Everything that could give in the plan of that assumption, cheapest first; empty when it can be carried as it is.

    Points already past are left out: nothing here brings them back.
    """
    chosen = tuple(_step(pace, index) for index in range(len(pace.points)))
    start = pace.at_milestone if assumption == "at-milestone" else pace.early
    if start.state == "yes" or not chosen:
        return ()

    def under(rules: TeamRules) -> Interval:
        return plan_limit(chosen, rules, pace.users, assumption)

    def judged(give: Give) -> Give:
        helps = give.limit.low > start.limit.low * (1 + 1e-9)
        return replace(give, state=carried(pace.growth_per_month, give.limit), helps=helps)

    gives = [Give("start-earlier", pace.early.limit)] if assumption == "at-milestone" else []
    for index, option in (*_swaps(chosen, pace.rules, tune=True), *_swaps(chosen, pace.rules, tune=False)):
        steps = (*chosen[:index], Step(chosen[index].point, option), *chosen[index + 1 :])
        limit = plan_limit(steps, pace.rules, pace.users, assumption)
        kind: Relaxation = "cheaper-option" if option.major else "tune"
        gives.append(Give(kind, limit, point=option.point, option=option.option))
    for rule, rules in _lifted(chosen, pace, assumption):
        gives.append(Give("team-rule", under(rules), rule=rule, value=getattr(rules, rule)))
    more = pace.rules.with_people(pace.rules.people + 1)
    gives.append(Give("one-more-person", under(more), value=more.people))
    judged_gives = [judged(give) for give in gives]
    if start.limit.low > 0:
        judged_gives.append(Give("slower-growth", start.limit, state="yes", helps=True, value=start.limit.low))
    return tuple(judged_gives)


def _step(pace: Pace, index: int) -> Step:
    point = pace.points[index]
    return Step(point.point, next(option.option for option in point.options if option.chosen))


def _swaps(chosen: Sequence[Step], rules: TeamRules, *, tune: bool) -> Iterator[tuple[int, PaceOption]]:
    """Options with less work than the chosen one: tune, or the cheapest of the others, at each point."""
    for index, step in enumerate(chosen):
        lighter = [
            option
            for option in step.point.options
            if (option.option == TUNE) == tune and weeks(option, rules).high < weeks(step.option, rules).high
        ]
        if lighter:
            yield index, min(lighter, key=lambda option: weeks(option, rules).high)


def _lifted(chosen: Sequence[Step], pace: Pace, assumption: Assumption) -> Iterator[tuple[Rule, TeamRules]]:
    """The team's rules with one of them lifted, for each that is in force."""
    rules = pace.rules
    if rules.months_between > 0 and sum(step.option.major for step in chosen) > 1:
        yield "months_between", replace(rules, months_between=_longest_gap(chosen, pace, assumption))
    if rules.learning_buffer > 0 and any(step.option.new_to_team for step in chosen):
        yield "learning_buffer", replace(rules, learning_buffer=0.0)
    yield "simultaneous", replace(rules, simultaneous=rules.simultaneous + 1)
    if rules.always_operational > 0:
        yield "always_operational", replace(rules, always_operational=rules.always_operational - 1)


def _longest_gap(chosen: Sequence[Step], pace: Pace, assumption: Assumption) -> float:
    """The most months between major rewrites, in half months, with which the plan is carried; 0 when none will do."""
    steps = math.ceil(pace.rules.months_between / _GAP_STEP) - 1
    for gap in (step * _GAP_STEP for step in range(steps, 0, -1)):
        limit = plan_limit(chosen, replace(pace.rules, months_between=gap), pace.users, assumption)
        if pace.growth_per_month <= limit.low:
            return gap
    return 0.0
