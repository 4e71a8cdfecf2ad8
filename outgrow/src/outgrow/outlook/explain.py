"""The arithmetic of a forecast in a few sentences with its own numbers, for ``--explain``."""

from __future__ import annotations

import math

from outgrow.outlook.backtest import Backtest
from outgrow.outlook.curve import Curves
from outgrow.outlook.records import Crossing, ForecastInputs
from outgrow.outlook.reduction import Reduced, driver_text
from outgrow.quantities import Interval, at_date, format_quantity, significant


def steps_of(
    inputs: ForecastInputs,
    reduced: Reduced,
    gate: Backtest,
    per_month: Interval,
    curves: Curves,
    warn: Crossing,
    breaks: Crossing,
    start_by: float | None,
) -> tuple[str, ...]:
    """Six to ten sentences, in the order in which the numbers were found."""
    users = reduced.users
    steps = [
        f"Users: {users.known} complete weeks, the last with a median of {significant(float(users.values[-1]))}; "
        f"growth a month over the next quarter {_span(per_month, 'ratio')}.",
        _gate(gate),
        _evidence(inputs, reduced),
        *reduced.notes,
        _shape(inputs, reduced, curves),
    ]
    if reduced.shifts:
        steps.append(
            f"{len(reduced.shifts)} level shift{'s' if len(reduced.shifts) > 1 else ''} at unchanged load, the last "
            f"around {at_date(reduced.shifts[-1].time).isoformat()} by a factor of "
            f"{significant(reduced.shifts[-1].ratio, 2)}; what lies before was brought to the level after it."
        )
    if inputs.driver == "load":
        name = "median" if inputs.normal_load_only else "95th percentile"
        steps.append(
            f"Judged at the {'normal' if inputs.normal_load_only else 'busy'} load of a week ({name}, last 8 weeks): "
            f"{driver_text(inputs, math.exp(reduced.per_user[0]))} for each user."
        )
    else:
        steps.append("Judged at the weekly median of users; this signal follows users, not load.")
    steps.append(_crossing(warn, inputs, "The limit" if inputs.breaks_at is None else "The early limit"))
    if inputs.breaks_at is not None:
        steps.append(_crossing(breaks, inputs, "The breaking point"))
    if start_by is not None and math.isfinite(start_by) and inputs.lead_time_weeks is not None:
        steps.append(
            f"Start by {at_date(start_by).isoformat()}: the early bound (10 %) of the crossing minus "
            f"{significant(inputs.lead_time_weeks.low, 2)}–{significant(inputs.lead_time_weeks.high, 2)} weeks of work."
        )
    return tuple(steps)


def _gate(gate: Backtest) -> str:
    if gate.forecasts == 0:
        return "Backtest: the history is too short for one."
    ours, still = format_quantity(gate.growth_error, "ratio"), format_quantity(gate.no_change_error, "ratio")
    return (
        f"Backtest: {gate.forecasts} forecasts of 4 to 13 weeks missed by {ours} with growth and by {still} with no "
        f"change; growth {'wins' if gate.passed else 'does not win'}."
    )


def _evidence(inputs: ForecastInputs, reduced: Reduced) -> str:
    bins = reduced.bins
    if bins.driver.size == 0:
        return f"{inputs.signal.name}: no production samples; the curve rests on the ramp alone."
    return (
        f"{inputs.signal.name}: {int(bins.counts.sum())} samples of {reduced.signal_weeks} weeks in {bins.driver.size} "
        f"levels from {driver_text(inputs, float(bins.driver[0]))} to {driver_text(inputs, float(bins.driver[-1]))}."
    )


def _shape(inputs: ForecastInputs, reduced: Reduced, curves: Curves) -> str:
    if inputs.family == "resource":
        return "Curve: constant + linear + power law, all rising."
    known = ", the capacity known from utilisation" if reduced.capacity is not None else ""
    wall = format_quantity(curves.wall_share, "ratio")
    return (
        f"Curve: a queue or the scalability law with probability {wall}, else a power law{known}; each drawn curve was "
        "refitted to the data."
    )


def _crossing(crossing: Crossing, inputs: ForecastInputs, name: str) -> str:
    limit = format_quantity(crossing.limit, inputs.signal.unit)
    if crossing.users_at_limit is None:
        return f"{name} of {limit}: {crossing.refusal.reason if crossing.refusal else 'unknown'}"
    text = f"{name} of {limit} lies at {_span(crossing.users_at_limit, 'users')} users"
    if crossing.crossing is not None:
        dates = crossing.crossing
        if dates.high <= inputs.now:
            return f"{text}: it is reached already."
        latest = at_date(dates.high).isoformat() if math.isfinite(dates.high) else "beyond the horizon"
        middle = at_date(dates.mid).isoformat() if math.isfinite(dates.mid) else "beyond the horizon"
        text += f", crossed around {middle} ({at_date(dates.low).isoformat()} to {latest})"
    if crossing.doubt is not None:
        text += f"; of the doubt, {format_quantity(round(crossing.doubt.growth, 2), 'ratio')} is growth"
        text += f" and {format_quantity(round(crossing.doubt.curve, 2), 'ratio')} the curve"
    return f"{text}."


def _span(interval: Interval, unit: str) -> str:
    low, mid, high = (format_quantity(value, unit) for value in (interval.low, interval.mid, interval.high))
    return f"{mid} ({low} to {high})"
