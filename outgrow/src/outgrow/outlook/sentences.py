"""How a colleague would say it: one sentence a point."""

from __future__ import annotations

import math
from dataclasses import replace

from outgrow.outlook.records import Crossing, Forecast
from outgrow.outlook.status import PointStatus, TriggerStatus
from outgrow.quantities import DAY, Interval, at_date, format_quantity, iso_date, significant


def point_sentence(status: PointStatus, now: float) -> PointStatus:
    """The status with its sentence filled in; ``now`` in seconds since the epoch."""
    if status.state == "firing":
        lead = _firing(status, now)
    elif status.state == "unknown":
        lead = _unknown(status, now)
    elif status.state == "approaching":
        lead = _approaching(status, now)
    else:
        lead = _quiet(status, now)
    parts = [f"{status.title}: {lead}", limits_clause(status)]
    simulated = any("simulated" in trigger.origins for trigger in status.triggers)
    if simulated:
        parts.append("Made with simulated history.")
    return replace(status, sentence=" ".join(part for part in parts if part))


def limits_clause(status: PointStatus) -> str:
    """``Declared 2,000 users, measured 5,400 (4,100–7,000): the measured limit governs.``"""
    declared = f"Declared {status.declared_users:,} users"
    measured = status.measured_users
    if measured is None:
        return f"{declared}, not measured yet: the declared limit governs."
    if status.governs == "declared":
        return f"{declared}, measured no earlier than {significant(measured.low, 2)}: the declared limit governs."
    return f"{declared}, measured {users_text(measured)}: the measured limit governs."


def users_text(users: Interval) -> str:
    """``5,400 (4,100–7,000)``: the middle and the 80 % interval; an open top as ``4,100 or more``.

    Two digits, or as many as it takes to tell the bounds apart.
    """
    digits = next((digits for digits in (2, 3) if significant(users.low, digits) != significant(users.high, digits)), 4)
    low, mid, high = (significant(value, digits) for value in (users.low, users.mid, users.high))
    if math.isinf(users.mid):
        return f"{low} or more"
    return mid if users.low == users.high else f"{mid} ({low}–{high})"


def day(seconds: float, *, year: bool = True) -> str:
    """``20 Apr 2027`` (UTC); ``later`` for a time that is not reached within the horizon."""
    if iso_date(seconds) is None:
        return "later"
    date = at_date(seconds)
    return f"{date.day} {date:%b %Y}" if year else f"{date.day} {date:%b}"


def span(low: float, high: float) -> str:
    """Two dates, the year once where it is the same: ``14 Jan – 2 Jun 2027``; with an open end ``not before …``."""
    if iso_date(high) is None:
        return f"not before {day(low)}"
    return f"{day(low, year=at_date(low).year != at_date(high).year)} – {day(high)}"


def crossing_text(crossing: Crossing, now: float) -> str:
    """When a limit is crossed, in words."""
    when = crossing.crossing
    if crossing.verdict == "dated" and when is not None:
        if when.high <= now:
            return "which is passed already"
        days = max(0, round((when.mid - now) / DAY))
        return f"around {day(when.mid)} ({span(when.low, when.high)}), in {days:,} days"
    if crossing.verdict == "range" and when is not None:
        return f"between {day(when.low)} and {day(when.high)}"
    return ""


def _limit(trigger: TriggerStatus, crossing: Crossing) -> str:
    return format_quantity(crossing.limit, trigger.unit)


def _outlook(trigger: TriggerStatus, now: float) -> str:
    forecast = trigger.forecast
    if forecast is None or forecast.breaks.users_at_limit is None or forecast.breaks.verdict == "unknown":
        return ""
    users = users_text(forecast.breaks.users_at_limit)
    when = crossing_text(forecast.breaks, now)
    text = f"It reaches {_limit(trigger, forecast.breaks)} at {users} users"
    return f"{text}, {when}." if when else f"{text}{_no_date(forecast)}."


def _no_date(forecast: Forecast) -> str:
    refusal = forecast.breaks.refusal
    return f"; no date: {refusal.reason.rstrip('.')}" if refusal else ""


def _start(forecast: Forecast | None, now: float) -> str:
    if forecast is None or forecast.start_by is None:
        return ""
    if forecast.start_by <= now:
        return " To be in time, start now."
    return f" To be in time, start by {day(forecast.start_by)}."


def _governing(status: PointStatus, state: str) -> TriggerStatus:
    """The trigger a sentence is about: of this state, the soonest if it is among them."""
    of_state = [trigger for trigger in status.triggers if trigger.state == state]
    soonest = [trigger for trigger in of_state if trigger.trigger == status.soonest]
    return (soonest or of_state)[0]


def _firing(status: PointStatus, now: float) -> str:
    trigger = next((t for t in status.triggers if t.state == "firing" and t.broken), _governing(status, "firing"))
    others = sum(t.state == "firing" for t in status.triggers) - 1
    also = f" {others} more of its triggers fire{'s' if others == 1 else ''}." if others else ""
    broken = " This is where users feel it." if trigger.broken else ""
    soonest = next((each for each in status.triggers if each.trigger == status.soonest), trigger)
    about = "" if soonest is trigger else f"Next, {soonest.title}: "
    outlook = _outlook(soonest, now)
    ahead = f"{about if outlook else ''}{outlook}{_start(soonest.forecast, now)}"
    return f"{trigger.title} ({trigger.reason}).{broken}{also} {ahead}".strip()


def _approaching(status: PointStatus, now: float) -> str:
    trigger = _governing(status, "approaching")
    return (
        f"coming: {trigger.title} ({trigger.reason}). {_outlook(trigger, now)}{_start(trigger.forecast, now)}".strip()
    )


def _unknown(status: PointStatus, now: float) -> str:
    unknown = [trigger for trigger in status.triggers if trigger.state == "unknown"]
    first = (unknown or list(status.triggers))[0]
    count = f"{len(unknown)} of {len(status.triggers)} triggers have" if len(unknown) > 1 else "one trigger has"
    refusal = first.forecast.breaks.refusal if first.forecast else None
    next_step = f" Next: {refusal.next_step.rstrip('.')}." if refusal and refusal.next_step else ""
    soonest = next((trigger for trigger in status.triggers if trigger.trigger == status.soonest), None)
    known = f" What is known: {soonest.title}. {_outlook(soonest, now)}" if soonest and _outlook(soonest, now) else ""
    return f"cannot be judged, {count} no answer; {first.title}: {first.reason.rstrip('.')}.{next_step}{known}"


def _quiet(status: PointStatus, now: float) -> str:
    soonest = next((trigger for trigger in status.triggers if trigger.trigger == status.soonest), None)
    users = f"{significant(status.users_now)} users" if status.users_now is not None else "users unknown"
    outlook = f" {_outlook(soonest, now)}" if soonest else ""
    return f"quiet. {users}, watched closely from {significant(status.watched_from)}.{outlook}"
