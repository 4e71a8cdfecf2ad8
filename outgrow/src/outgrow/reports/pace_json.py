"""``outgrow pace --json``: the stable record of a pace for programs."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

from outgrow.quantities import MONTH, Interval
from outgrow.reports.pace_words import give_words, verdict
from outgrow.schedule.pace import OptionPace, Pace, Plan, PointPace, Rewrite
from outgrow.schedule.what_gives import Give, what_gives


def pace_record(pace: Pace, today: date) -> dict[str, Any]:
    """The record, all but its schema line.

    Fields beside ``schema``:
        from (ISO date), users, growth_per_month_ratio, team (people, hands and the rules),
        verdict: {code: carried|carried-early|at-best|not-carried|nobody-free|never-reached, sentence},
        points: [{id, number, title, likelihood, milestone_users, complete_before_users, past, due_months, due_date,
            options: [{id, title, weeks, new_to_team, chosen,
                growth_limit_ratio: {at_milestone, early, alone}, state: {at_milestone, early},
                start: {earliest_months, earliest_date, earliest_users, latest_months, latest_date, latest_users}}]}],
        plans: {at_milestone, early}: {state, growth_limit_ratio, rewrites: [{point, option, start_months, start_date,
            start_users, finish_months, finish_date, finish_users, due_months, late_months, held_by, after}]},
        gives: {at_milestone, early}: [{relaxation, change, cost, point, option, rule, value, growth_limit_ratio, state,
            helps}],
        past, unplanned (ids of points).

    Intervals are ``{low, mid, high}``; a growth limit's ``low`` holds with the high efforts. Growth is a ratio a month,
    months count from ``from``; ``state`` is yes|at-best|no|past. Null stands for never, no limit or not laid out.
    """
    said = verdict(pace, today)
    return {
        "from": today.isoformat(),
        "users": pace.users,
        "growth_per_month_ratio": pace.growth_per_month,
        "team": {
            "people": pace.rules.people,
            "hands": pace.rules.hands,
            "simultaneous": pace.rules.simultaneous,
            "learning_buffer_ratio": pace.rules.learning_buffer,
            "months_between": pace.rules.months_between,
            "always_operational": pace.rules.always_operational,
        },
        "verdict": {"code": said.code, "sentence": said.sentence},
        "points": [_point(point, today) for point in pace.points],
        "plans": {"at_milestone": _plan(pace.at_milestone, today), "early": _plan(pace.early, today)},
        "gives": {
            "at_milestone": [_give(give, pace) for give in what_gives(pace, "at-milestone")],
            "early": [_give(give, pace) for give in what_gives(pace, "early")],
        },
        "past": list(pace.past),
        "unplanned": list(pace.unplanned),
    }


def _point(point: PointPace, today: date) -> dict[str, Any]:
    return {
        "id": point.point.id,
        "number": point.number,
        "title": point.point.title,
        "likelihood": point.point.likelihood,
        "milestone_users": point.point.milestone,
        "complete_before_users": point.point.complete_before,
        "past": point.past,
        "due_months": _finite(point.due_months),
        "due_date": _date(today, point.due_months),
        "options": [_option(option, today) for option in point.options],
    }


def _option(option: OptionPace, today: date) -> dict[str, Any]:
    window = option.window
    return {
        "id": option.option.option,
        "title": option.option.title,
        "weeks": _interval(option.weeks),
        "new_to_team": option.option.new_to_team,
        "chosen": option.chosen,
        "growth_limit_ratio": {
            "at_milestone": _interval(option.at_milestone),
            "early": _interval(option.early),
            "alone": _interval(option.alone),
        },
        "state": {"at_milestone": option.at_milestone_state, "early": option.early_state},
        "start": window
        and {
            "earliest_months": _finite(window.earliest_months),
            "earliest_date": _date(today, window.earliest_months),
            "earliest_users": _finite(window.earliest_users),
            "latest_months": _finite(window.latest_months),
            "latest_date": _date(today, window.latest_months),
            "latest_users": _finite(window.latest_users),
        },
    }


def _plan(plan: Plan, today: date) -> dict[str, Any]:
    return {
        "state": plan.state,
        "growth_limit_ratio": _interval(plan.limit),
        "rewrites": [_rewrite(rewrite, today) for rewrite in plan.rewrites],
    }


def _rewrite(rewrite: Rewrite, today: date) -> dict[str, Any]:
    return {
        "point": rewrite.step.point.id,
        "option": rewrite.step.option.option,
        "start_months": _finite(rewrite.start_months),
        "start_date": _date(today, rewrite.start_months),
        "start_users": _finite(rewrite.start_users),
        "finish_months": _interval(rewrite.finish_months),
        "finish_date": _date(today, rewrite.finish_months.high),
        "finish_users": _finite(rewrite.finish_users),
        "due_months": _finite(rewrite.due_months),
        "late_months": _finite(rewrite.late_months),
        "held_by": rewrite.held_by,
        "after": rewrite.after,
    }


def _give(give: Give, pace: Pace) -> dict[str, Any]:
    words = give_words(give, pace)
    return {
        "relaxation": give.relaxation,
        "change": words.change,
        "cost": words.cost,
        "point": give.point,
        "option": give.option,
        "rule": give.rule,
        "value": give.value,
        "growth_limit_ratio": _interval(give.limit),
        "state": give.state,
        "helps": give.helps,
    }


def _interval(interval: Interval) -> dict[str, float | None]:
    return {"low": _finite(interval.low), "mid": _finite(interval.mid), "high": _finite(interval.high)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _date(today: date, months: float) -> str | None:
    if not math.isfinite(months) or months > (date.max - today).days * 86400 / MONTH - 1:
        return None
    return (today + timedelta(seconds=months * MONTH)).isoformat()
