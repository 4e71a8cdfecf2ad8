"""Events in the words of a colleague: what happened, when it breaks, what to do first, what to type next."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from outgrow.notifiers.episodes import Event, Kind
from outgrow.outlook.records import Crossing, Forecast
from outgrow.outlook.sentences import day, limits_clause, users_text
from outgrow.outlook.status import PointStatus, TriggerStatus
from outgrow.points.declaration import Declaration
from outgrow.ports import Message, Severity
from outgrow.quantities import DAY, Interval, format_quantity, significant

_SEVERITY: dict[Kind, Severity] = {
    "approaching": "warning",
    "unknown": "warning",
    "warning": "warning",
    "critical": "critical",
    "resolved": "resolved",
    "seen": "resolved",
    "unwatched": "resolved",
}


def compose(
    events: Iterable[Event], points: Sequence[PointStatus], declaration: Declaration, now: float, scale: str = ""
) -> tuple[Message, ...]:
    """The messages for these events: the limit of each trigger in one of its own, an approach in one for each point,
    lost and regained sight in one for all.

    Args:
        events: what ``episodes.follow`` returned. points: the statuses it looked at.
        declaration: for titles and runbooks.
        now: seconds since the epoch. scale: how time is stretched, ``""`` for real time.
    """
    by_point = {point.id: point for point in points}
    single: list[Message] = []
    approaches: dict[str, list[Event]] = {}
    sight: dict[Kind, list[Event]] = {}
    for event in events:
        if event.kind == "approaching":
            approaches.setdefault(event.point, []).append(event)
        elif event.kind in ("unknown", "seen"):
            sight.setdefault(event.kind, []).append(event)
        else:
            single.append(_limit(event, by_point.get(event.point), declaration, now, scale))
    for point_id, group in approaches.items():
        single.append(_approach(group, by_point[point_id], declaration, now, scale))
    for kind, group in sight.items():
        single.append(_sight(kind, group, by_point, scale))
    return tuple(single)


def _limit(event: Event, point: PointStatus | None, declaration: Declaration, now: float, scale: str) -> Message:
    key = f"{event.point}/{event.trigger}/{event.kind}/{event.episode:.3f}"
    status = _status(point, event.trigger)
    if point is None or status is None or event.kind == "unwatched":
        title = f"No longer watched: {event.trigger} of {event.point}"
        body = (
            f"It had been firing since {moment(event.since)} and has left the declared triggers, so nothing more will "
            "be said of it. If that was not meant: put it back, then run outgrow check."
        )
        return Message(key, title, body, _SEVERITY[event.kind])
    name, value = f"{point.title}: {status.title}", _value(status)
    if event.kind == "resolved":
        title = f"Resolved: {name}{_comma(value)}"
        lines = [
            f"{_sentence(status.reason)} It had been firing since {moment(event.since)}.",
            "It is still coming closer: keep the plan." if status.state == "approaching" else "",
        ]
    elif event.kind == "critical":
        title = f"Critical: {name}{_comma(value)}{_limit_text(status.breaks_at, status.unit, 'breaks at')}"
        lines = [f"Here {_felt(point, declaration)}.", _firing(status, event.since)]
    else:
        title = f"Warning: {name}{_comma(value)}{_limit_text(status.threshold, status.unit, 'warns at')}"
        lines = [_firing(status, event.since)]
    runbook = _runbook(declaration, event.point, event.trigger)
    if event.kind != "resolved":
        lines += [_users(point), *_outlook(point, status.forecast, now), _first(runbook)]
    page = _handbook(declaration, point.id, status.trigger)
    lines += [*_made(status.forecast, scale), f"Handbook: {page}", f"Next: outgrow forecast {point.id}"]
    return Message(key, title, _body(lines), _SEVERITY[event.kind], _url(page) or _url(runbook))


def _approach(events: Sequence[Event], point: PointStatus, declaration: Declaration, now: float, scale: str) -> Message:
    statuses = [status for event in events if (status := _status(point, event.trigger)) is not None]
    triggers = "+".join(event.trigger for event in events)
    key = f"{point.id}/{triggers}/approaching/{max(event.episode for event in events):.3f}"
    users = f": {significant(point.users_now)} users of {_limit_users(point)}" if point.users_now is not None else ""
    lines = [f"{point.title} is close enough to plan for:"]
    lines += [f"- {status.title}: {_bare(status.reason)}{_breaks_at(status)}" for status in statuses]
    soonest = _status(point, point.soonest) or statuses[0]
    runbooks = {_runbook(declaration, point.id, status.trigger): None for status in statuses}
    lines += [_users(point), *_outlook(point, soonest.forecast, now)]
    lines += [_first(next(iter(runbooks)))] if len(runbooks) == 1 else []
    page = _handbook(declaration, point.id, soonest.trigger)
    lines += [*_made(soonest.forecast, scale), f"Handbook: {page}", f"Next: outgrow forecast {point.id}"]
    return Message(key, f"Coming closer: {point.title}{users}", _body(lines), _SEVERITY["approaching"], _url(page))


def _sight(kind: Kind, events: Sequence[Event], points: dict[str, PointStatus], scale: str) -> Message:
    members = sorted(f"{event.point}/{event.trigger}/{event.episode:.3f}" for event in events)
    key = f"*/{kind}/{hashlib.sha256(' '.join(members).encode()).hexdigest()[:16]}"
    by_reason: dict[str, list[str]] = {}
    for event in events:
        point = points[event.point]
        status = _status(point, event.trigger)
        name = f"- {point.title}: {status.title if status else event.trigger}"
        if kind == "unknown":
            name += f" (since {moment(event.since)})"
            by_reason.setdefault(status.reason if status else "", []).append(name)
        else:
            by_reason.setdefault("", []).append(name + (f", {status.state}" if status else ""))
    what = _only_name(events, points) if len(events) == 1 else f"{len(events)} triggers"
    if kind == "seen":
        lines = ["These can be judged again:", *by_reason.get("", []), *_made(None, scale), "Next: outgrow status"]
        return Message(key, f"Judged again: {what}", _body(lines), _SEVERITY[kind])
    lines = ["Not knowing is not the same as fine. How close these are, nobody can say:"]
    for reason, names in by_reason.items():
        lines += [_sentence(reason) or "No reason is known.", *names]
    lines += [*_made(None, scale), "Next: outgrow check"]
    return Message(key, f"Cannot be judged: {what}", _body(lines), _SEVERITY[kind])


def _only_name(events: Sequence[Event], points: dict[str, PointStatus]) -> str:
    point = points[events[0].point]
    status = _status(point, events[0].trigger)
    return f"{point.title}: {status.title if status else events[0].trigger}"


def _firing(status: TriggerStatus, since: float) -> str:
    return f"{_sentence(f'{_bare(status.reason)}{_breaks_at(status)}')} Firing since {moment(since)}."


def _felt(point: PointStatus, declaration: Declaration) -> str:
    declared = declaration.point(point.id)
    return f"users feel it: {declared.headline}" if declared and declared.headline else "users feel it"


def _users(point: PointStatus) -> str:
    now = f"{significant(point.users_now)} users now" if point.users_now is not None else "Users now: unknown"
    return f"{now}. {limits_clause(point)}"


def _outlook(point: PointStatus, forecast: Forecast | None, now: float) -> list[str]:
    start_by = forecast.start_by if forecast is not None else point.start_by
    start = [_start_by(start_by, now)] if start_by is not None else []
    if forecast is None:
        return start
    lines = [f"Forecast: {known}."] if (known := _crossing(forecast.breaks, now)) else []
    refusal = forecast.breaks.refusal
    if refusal is not None:
        word = "no single date" if forecast.breaks.verdict == "range" else "no date"
        lines.append(f"Why {word}: {_bare(refusal.reason)}.")
        lines += [f"To know more: {_bare(refusal.next_step)}."] if refusal.next_step else []
    return [*lines, *start]


def _crossing(crossing: Crossing, now: float) -> str:
    users, when = crossing.users_at_limit, crossing.crossing
    parts = []
    if users is not None and crossing.verdict == "unknown":
        parts.append(f"it breaks no earlier than at {significant(users.low, 2)} users")
    elif users is not None:
        parts.append(f"it breaks at {users_text(users)} users")
    if when is not None and crossing.verdict in ("dated", "range"):
        likely = crossing.verdict == "dated" and math.isfinite(when.mid) and when.high > now
        parts.append(_span(when, now) + (f", most likely {day(when.mid)}" if likely else ""))
    return ", ".join(parts)


def _span(when: Interval, now: float) -> str:
    if when.high <= now:
        return "which is passed already"
    if not math.isfinite(when.low):
        return "not within the horizon"
    if not math.isfinite(when.high):
        return f"not before {day(when.low)}"
    return f"between {day(when.low)} and {day(when.high)} ({format_quantity(when.confidence, 'ratio')} sure)"


def _start_by(at: float, now: float) -> str:
    if at <= now:
        return f"To be in time, start now: the day to start was {day(at)}." if now - at >= DAY else "Start today."
    days = math.floor((at - now) / DAY)
    return f"To be in time, start by {day(at)}, in {days:,} {'day' if days == 1 else 'days'}."


def _limit_users(point: PointStatus) -> str:
    measured = point.measured_users
    return significant(measured.mid, 2) if point.governs == "measured" and measured else f"{point.declared_users:,}"


def _value(status: TriggerStatus) -> str:
    counted_in_the_reason = status.unit == "notes"
    return "" if status.value is None or counted_in_the_reason else format_quantity(status.value, status.unit)


def _limit_text(value: float | None, unit: str, word: str) -> str:
    return "" if value is None else f" ({word} {format_quantity(value, unit)})"


def _breaks_at(status: TriggerStatus) -> str:
    return "" if status.breaks_at is None else f"; it breaks at {format_quantity(status.breaks_at, status.unit)}"


def _runbook(declaration: Declaration, point_id: str, trigger_id: str) -> str:
    point = declaration.point(point_id)
    return next((trigger.runbook for trigger in point.triggers if trigger.id == trigger_id), "") if point else ""


def _first(runbook: str) -> str:
    return f"First: {_bare(runbook)}." if runbook and not _url(runbook) else f"First: see {runbook}" if runbook else ""


def _handbook(declaration: Declaration, point_id: str, trigger_id: str) -> str:
    """Where the section about this trigger is found, a path or a URL."""
    place = declaration.handbook.replace("{point}", point_id)
    return place if "#" in place else f"{place}#{trigger_id}"


def _url(place: str) -> str:
    return place if place.startswith(("https://", "http://")) and not any(map(str.isspace, place)) else ""


def _made(forecast: Forecast | None, scale: str) -> list[str]:
    lines = []
    if forecast is not None and "simulated" in forecast.origins:
        lines.append("The forecast rests on simulated data.")
    if scale or (forecast is not None and forecast.time_scale):
        lines.append(f"A rehearsal: time runs at {scale or (forecast.time_scale if forecast else '')}.")
    return lines


def _status(point: PointStatus | None, trigger_id: str | None) -> TriggerStatus | None:
    found = (status for status in point.triggers if status.trigger == trigger_id) if point else iter(())
    return next(found, None)


def _comma(text: str) -> str:
    return f", {text}" if text else ""


def _bare(text: str) -> str:
    return text.strip().removesuffix(".")


def _sentence(text: str) -> str:
    bare = _bare(text)
    return f"{bare[:1].upper()}{bare[1:]}." if bare else ""


def _body(lines: Iterable[str]) -> str:
    return "\n".join(line for line in lines if line)


def moment(at: float) -> str:
    """``12 Mar 2027, 14:03 UTC`` from seconds since the epoch."""
    return f"{day(at)}, {datetime.fromtimestamp(at, UTC):%H:%M} UTC"
