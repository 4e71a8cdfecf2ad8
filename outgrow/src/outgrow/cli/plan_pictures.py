"""The words that stand in and around the pictures of a plan: pictures draw, reports say."""

from __future__ import annotations

from pathlib import Path

from outgrow.charts.cost_path import CostWords, cost_picture
from outgrow.charts.forecast import save
from outgrow.charts.plan import PlanWords, RowWords, plan_picture
from outgrow.points.declaration import Declaration
from outgrow.reports.plan_words import (
    asked_text,
    chance_text,
    clean,
    day_text,
    development_text,
    headline,
    label,
    needed_text,
    runway_text,
    wall_text,
)
from outgrow.schedule.records import Plan, PlannedRewrite


def draw_plan(plan: Plan, declaration: Declaration, path: Path) -> None:
    """Write the plan as SVG or PNG. Raises ``UsageError`` where that cannot be written."""
    save(plan_picture(plan, plan_words(plan, declaration.name), declaration.team.calendar), path)


def draw_cost(plan: Plan, declaration: Declaration, path: Path) -> None:
    """Write the bill as SVG or PNG. Raises ``UsageError`` where that cannot be written."""
    save(cost_picture(plan, cost_words(plan, declaration.name)), path)


def plan_words(plan: Plan, service: str) -> PlanWords:
    """The words of the Gantt picture."""
    said = headline(plan)
    return PlanWords(
        title=f"{clean(service)}: the plan",
        answer=f"{said.headline}: {said.sentence}",
        asked=asked_text(plan),
        rows=tuple(_row(one) for one in plan.rewrites),
    )


def cost_words(plan: Plan, service: str) -> CostWords:
    """The words of the picture of the bill."""
    return CostWords(
        title=f"{clean(service)}: the bill",
        asked=asked_text(plan),
        facts=(f"Work: {development_text(plan.cost)}.", f"Runway: {runway_text(plan.cost)}."),
        currency=clean(plan.cost.currency),
        names={f"{one.candidate.point}/{one.candidate.option}": label(one.candidate) for one in plan.rewrites},
    )


def _row(one: PlannedRewrite) -> RowWords:
    judged = one.in_time_ratio is not None
    chance = f"{chance_text(one.in_time_ratio or 0.0)} in time" if judged else "past already"
    return RowWords(
        name=label(one.candidate),
        who=clean(one.who),
        chance=chance,
        needed=needed_text(one.candidate),
        sentence=f"{label(one.candidate)}, {clean(one.who)}: from {day_text(one.start)} to {day_text(one.finish[1])}, "
        f"the wall at {wall_text(one.candidate.wall)} on {day_text(one.wall[1])}, {chance}.",
    )
