"""``outgrow plan --json``, and what the ledger keeps of a plan: the stable record for programs."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

from outgrow.outlook.records import Refusal
from outgrow.quantities import Interval
from outgrow.reports.plan_words import headline
from outgrow.schedule.records import CostPath, Plan, PlannedRewrite, Relaxed, Solution


def plan_fields(plan: Plan) -> dict[str, Any]:
    """The record, all but its schema line: ``docs/reference/json.md`` says what each field means.

    Dates are ISO 8601, quantities with doubt ``{p10, p50, p90}``; null stands for unknown, never, or beyond what is
    looked at. Holds no infinite or NaN number.
    """
    said = headline(plan)
    return {
        "feasible": plan.feasible,
        "in_time_ratio": plan.in_time_ratio,
        "wanted_ratio": plan.wanted_ratio,
        "verdict": {"code": said.code, "sentence": f"{said.headline}: {said.sentence}"},
        "made_on": plan.made_on.isoformat(),
        "users_now": finite(plan.users_now),
        "growth_per_month_ratio": quantiles(plan.growth_per_month),
        "growth_source": plan.growth_source,
        "start_rule": plan.start_rule,
        "people": plan.people,
        "rewrites": [_rewrite(one) for one in plan.rewrites],
        "not_planned": [{"point": point, "why": why} for point, why in plan.not_planned],
        "gives": [_give(give) for give in plan.gives],
        **_cost(plan.cost),
        "scenarios": plan.scenarios,
        "solution": _solution(plan.solution),
        "notes": list(plan.notes),
        "time_scale": plan.time_scale or None,
        "simulated": plan.simulated,
        "digest": plan.digest,
    }


def refusal_fields(refusal: Refusal) -> dict[str, Any]:
    """The same document where no plan can be made: why, and what would make it possible."""
    return {
        "feasible": None,
        "in_time_ratio": None,
        "rewrites": [],
        "gives": [],
        "cost": [],
        "reason": refusal.reason,
        "next": refusal.next_step or None,
    }


def quantiles(interval: Interval | None) -> dict[str, float | None] | None:
    """``{p10, p50, p90}``; infinite bounds become null."""
    if interval is None:
        return None
    return {"p10": finite(interval.low), "p50": finite(interval.mid), "p90": finite(interval.high)}


def dates(days: tuple[date | None, date | None, date | None]) -> dict[str, str | None]:
    """``{p10, p50, p90}`` as ISO dates; null lies beyond what is looked at."""
    return {name: iso(day) for name, day in zip(("p10", "p50", "p90"), days, strict=True)}


def finite(value: float | None) -> float | None:
    """The number, or null where it is infinite or none."""
    return float(value) if value is not None and math.isfinite(value) else None


def iso(day: date | None) -> str | None:
    """The date as ISO 8601."""
    return None if day is None else day.isoformat()


def _rewrite(rewrite: PlannedRewrite) -> dict[str, Any]:
    candidate, prototype, prices = rewrite.candidate, rewrite.prototype, rewrite.candidate.prices
    return {
        "number": candidate.number,
        "point": candidate.point,
        "title": candidate.title,
        "option": candidate.option,
        "option_title": candidate.option_title,
        "decision": candidate.decided,
        "start": rewrite.start.isoformat(),
        "start_window": {"earliest": iso(rewrite.start_window[0]), "latest": iso(rewrite.start_window[1])},
        "finish": dates(rewrite.finish),
        "wall": dates(rewrite.wall),
        "wall_users": quantiles(candidate.wall.users),
        "wall_source": candidate.wall.source,
        "milestone_users": finite(candidate.milestone),
        "decide_by": iso(rewrite.decide_by),
        "in_time_ratio": rewrite.in_time_ratio,
        "needed_ratio": candidate.needed_ratio,
        "effort_weeks": quantiles(candidate.effort_weeks),
        "new_to_team": candidate.new_to_team,
        "major": candidate.major,
        "past": candidate.past,
        "who": rewrite.who,
        "held_by": rewrite.held_by or None,
        "prototype": prototype
        and {
            "start": prototype.start.isoformat(),
            "finish": prototype.finish.isoformat(),
            "calm": prototype.calm,
            "why": prototype.why or None,
        },
        "early_month": finite(prices.early),
        "late_month": finite(prices.late),
        "bill": finite(prices.bill),
        "bill_per_user": finite(prices.per_user),
    }


def _give(give: Relaxed) -> dict[str, Any]:
    return {
        "kind": give.kind,
        "change": give.change,
        "in_time_ratio": give.in_time_ratio,
        "enough": give.enough,
        "cost": finite(give.cost),
        "growth_per_month_ratio": finite(give.growth_per_month),
        "assumption": give.assumption,
        "point": give.point,
        "option": give.option,
    }


def _cost(cost: CostPath) -> dict[str, Any]:
    return {
        "currency": cost.currency,
        "cost": [
            {
                "date": point.at.isoformat(),
                "users": quantiles(point.users),
                "monthly": finite(point.monthly),
                "monthly_per_user": None if point.monthly_per_user is None else finite(point.monthly_per_user),
                "growing_known": point.growing_known,
                "with_options": list(point.with_options),
            }
            for point in cost.path
        ],
        "development": {"weeks": quantiles(cost.development_weeks), "money": quantiles(cost.development)},
        "runway": {
            "months_without": finite(cost.runway.months_without),
            "months_with": finite(cost.runway.months_with),
            "why": cost.runway.why or None,
        },
        "unknown": list(cost.unknown),
    }


def _solution(solution: Solution | None) -> dict[str, Any] | None:
    if solution is None:
        return None
    return {
        "status": solution.status,
        "in_time_ratio": solution.in_time_ratio,
        "best_ratio": solution.best_ratio,
        "expected_weight": finite(solution.expected_cost),
        "least_weight": finite(solution.least_cost),
        "effort": finite(solution.effort),
        "effort_limit": finite(solution.effort_limit),
        "seed": solution.seed,
    }
