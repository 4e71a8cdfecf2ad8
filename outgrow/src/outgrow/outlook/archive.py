"""A forecast as plain data and back: what is kept so that it can be reused, shown again and scored later.

Pictures (fan, curve, history) are left out; they are drawn again from the samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from outgrow.outlook.records import Crossing, Doubt, Forecast, Refusal
from outgrow.quantities import Interval


def archived(forecast: Forecast) -> dict[str, Any]:
    """Plain data of a forecast; infinite bounds become None."""
    return {
        "made_at": forecast.made_at,
        "digest": forecast.digest,
        "users_now": forecast.users_now,
        "growth_per_month": _interval(forecast.growth_per_month),
        "warn": _crossing(forecast.warn),
        "breaks": _crossing(forecast.breaks),
        "start_by": forecast.start_by,
        "steps": list(forecast.steps),
        "origins": list(forecast.origins),
        "closed_loop_ramp": forecast.closed_loop_ramp,
        "time_scale": forecast.time_scale,
    }


def restored(body: Mapping[str, Any]) -> Forecast:
    """The forecast of ``archived`` data, without its pictures. Raises ``KeyError`` or ``TypeError`` on other data."""
    return Forecast(
        made_at=body["made_at"],
        digest=body["digest"],
        users_now=body["users_now"],
        growth_per_month=_to_interval(body["growth_per_month"]),
        warn=_to_crossing(body["warn"]),
        breaks=_to_crossing(body["breaks"]),
        start_by=body["start_by"],
        steps=tuple(body["steps"]),
        origins=tuple(body["origins"]),
        closed_loop_ramp=body["closed_loop_ramp"],
        time_scale=body["time_scale"],
    )


def _interval(interval: Interval | None) -> list[float | None] | None:
    if interval is None:
        return None
    return [value if math.isfinite(value) else None for value in (interval.low, interval.mid, interval.high)]


def _to_interval(values: list[float | None] | None) -> Interval | None:
    if values is None:
        return None
    low, mid, high = (math.inf if value is None else value for value in values)
    return Interval(low, mid, high)


def _crossing(crossing: Crossing) -> dict[str, Any]:
    return {
        "limit": crossing.limit,
        "verdict": crossing.verdict,
        "users_at_limit": _interval(crossing.users_at_limit),
        "crossing": _interval(crossing.crossing),
        "probability": crossing.probability,
        "estimate": _interval(crossing.estimate),
        "doubt": [crossing.doubt.growth, crossing.doubt.curve] if crossing.doubt else None,
        "refusal": [crossing.refusal.code, crossing.refusal.reason, crossing.refusal.next_step]
        if crossing.refusal
        else None,
    }


def _to_crossing(body: Mapping[str, Any]) -> Crossing:
    return Crossing(
        limit=body["limit"],
        verdict=body["verdict"],
        users_at_limit=_to_interval(body["users_at_limit"]),
        crossing=_to_interval(body["crossing"]),
        probability=body["probability"],
        estimate=_to_interval(body["estimate"]),
        doubt=Doubt(*body["doubt"]) if body["doubt"] else None,
        refusal=Refusal(*body["refusal"]) if body["refusal"] else None,
    )
