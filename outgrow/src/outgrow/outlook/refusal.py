"""What is said instead of a date, and what would make a date sayable.

Five rules, in this order: too short a history; a curve that is not known up to the limit; growth that predicts no
better than no change; no crossing likely within the horizon; a wide range. A closed-loop ramp is labelled where used.
"""

from __future__ import annotations

from outgrow.outlook.backtest import Backtest
from outgrow.outlook.records import Refusal
from outgrow.quantities import DAY, WEEK, Interval, at_date, format_quantity, significant

LEAST_WEEKS = 12
LEAST_DAYS_SINCE_SHIFT = 28
NOT_KNOWABLE_SPREAD = 2.5
WIDE_SPREAD = 1.5
LEAST_PROBABILITY = 0.5

RAMP_ADVICE = "run a ramp to the limit, then `outgrow import ramp.csv`"


def missing_series(what: str, name: str) -> Refusal:
    """``what`` is ``users``, ``load`` or ``signal``; ``name`` its declared name."""
    role = {"users": "the users", "load": "the load", "signal": "this signal"}[what]
    return Refusal(
        f"no-{what}",
        f"There are no usable samples of {name} in any complete week, and the forecast needs {role}.",
        f"Check that a source provides {name} (`outgrow check`), or `outgrow import` its history.",
    )


def too_short(name: str, weeks: int, needed: int = LEAST_WEEKS) -> Refusal:
    """Fewer complete weeks than a forecast needs."""
    missing = needed - weeks
    return Refusal(
        "too-short",
        f"{name} covers {_weeks(weeks)}; a forecast needs {needed}, so {_weeks(missing)} {_are(missing)} missing.",
        f"Keep `outgrow record` running for {_weeks(missing)} more, or `outgrow import` older history.",
    )


def recent_shift(name: str, time: float, ratio: float, now: float) -> Refusal:
    """The signal changed at unchanged load too recently for a new curve."""
    days = max(0, int((now - time) / DAY))
    missing = LEAST_DAYS_SINCE_SHIFT - days
    change = f"{'rose' if ratio > 1 else 'fell'} to {significant(ratio, 2)} times its level"
    return Refusal(
        "recent-shift",
        f"Around {at_date(time).isoformat()}, {name} {change} at the same load; "
        f"{LEAST_DAYS_SINCE_SHIFT} days since are needed and there are {days}, so {missing} {_are(missing)} missing.",
        f"Wait {missing} {'day' if missing == 1 else 'days'}, or {RAMP_ADVICE}.",
    )


def too_few_levels(driver: str, levels: int) -> Refusal:
    """The driver hardly varies, so that no curve over it can be seen."""
    return Refusal(
        "too-few-levels",
        f"Only {levels} distinct levels of {driver} were seen, and a curve needs at least 4.",
        f"Wait until {driver} varies, or {RAMP_ADVICE}.",
    )


def not_knowable_yet(users: Interval, users_now: float) -> Refusal:
    """The users at the limit spread too far; the lower bound is said all the same."""
    if users.low <= users_now:
        lower = f"it may be near already, with {_users(users_now)} users now"
    else:
        lower = f"it comes no earlier than {_users(users.low)} users"
    upper = f"{_users(users.high)} users" if users.high < float("inf") else "never"
    return Refusal(
        "not-knowable-yet",
        f"Not knowable yet: {lower}, and perhaps as late as {upper}, a factor of {_ratio(spread(users))} "
        f"(a date needs less than {NOT_KNOWABLE_SPREAD:g}).",
        f"{RAMP_ADVICE[0].upper()}{RAMP_ADVICE[1:]}.",
    )


def wide(users: Interval, ramped: bool) -> Refusal:
    """A range is said, but no single date; ``ramped``: a ramp has reached the limit already."""
    again = "run the ramp again, with longer steps or on what production runs on, and import it"
    return Refusal(
        "wide",
        f"The users at the limit are known to a factor of {_ratio(spread(users))}, so only a range is given "
        f"(a single date needs less than {WIDE_SPREAD:g}).",
        f"To narrow it, {again if ramped else RAMP_ADVICE}.",
    )


def open_date(probability: float) -> Refusal:
    """A range is said, but no single date: part of the paths does not get there."""
    return Refusal(
        "wide",
        f"In {format_quantity(1 - probability, 'ratio')} of the paths the limit is not reached within the horizon, so "
        "only a range is given.",
        "Watch growth; a date follows once it is steady.",
    )


def curve_does_not_fit(name: str, ratio: float) -> Refusal:
    """The fitted curve contradicts what was measured at the highest loads, or claims a limit was passed unseen."""
    side = "above" if ratio > 1 else "below"
    times = ratio if ratio > 1 else 1 / ratio
    return Refusal(
        "curve-does-not-fit",
        f"At the highest loads {name} was measured {_ratio(times)} times {side} the curve that fits the rest, so no "
        "date is read off it.",
        f"Look for what changed (a deploy, more capacity, coarse histogram buckets), or {RAMP_ADVICE}.",
    )


def no_growth_evidence(result: Backtest) -> Refusal:
    """The rolling backtest did not beat no change."""
    if result.forecasts == 0:
        reason = "The history is too short to test whether growth predicts better than no change, so no date is given."
    else:
        reason = (
            f"In {result.forecasts} forecasts of this history, growth missed by "
            f"{format_quantity(result.growth_error, 'ratio')} on average and no change by "
            f"{format_quantity(result.no_change_error, 'ratio')}, so no date is given."
        )
    return Refusal("no-growth-evidence", reason, "Watch the users at the limit; a date follows once growth is steady.")


def no_crossing(probability: float, horizon_weeks: float) -> Refusal:
    """A crossing within the horizon is less likely than not."""
    return Refusal(
        "no-crossing",
        f"The limit is crossed within {significant(horizon_weeks * WEEK / (365.25 * DAY), 2)} years in "
        f"{format_quantity(probability, 'ratio')} of the paths, less than half, so no date is given.",
        "Nothing to do now; `outgrow status` tells when this changes.",
    )


def spread(users: Interval) -> float:
    """The factor between the 90 % and the 10 % bound; infinite when the upper bound is."""
    return users.high / users.low if users.low > 0 else float("inf")


def _users(value: float) -> str:
    return significant(value)


def _ratio(value: float) -> str:
    return significant(value, 2) if value < 100 else "more than 100"


def _weeks(count: int) -> str:
    return f"{count} complete week" if count == 1 else f"{count} complete weeks"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
