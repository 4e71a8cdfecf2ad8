"""``outgrow plan --ics``: the plan as a calendar of all-day events that a later plan updates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from icalendar import Calendar, Event

from outgrow.reports.plan_words import (
    chance_text,
    clean,
    day_text,
    headline,
    label,
    needed_text,
    restless_text,
    span_text,
    wall_text,
)
from outgrow.schedule.records import Plan, PlannedRewrite

Kind = Literal["prototype", "decide", "window", "rewrite", "wall"]
PRODUCT = "-//outgrow//plan//EN"
_EPOCH = date(1970, 1, 1)


def plan_calendar(plan: Plan, service: str) -> bytes:
    """An iCalendar file (RFC 5545), the same bytes for the same plan.

    For each rewrite: its prototype, the day to decide by, the start window, the planned work up to the middle finish,
    and the 10 % day of its wall. All are days without a time or a zone, and leave people free. The identity of an event
    rests on service, point and kind, its revision on the day the plan is made: importing a later plan moves events
    instead of doubling them.

    Args:
        plan: the record.
        service: the declared name; plans of two services do not disturb each other.
    """
    title = f"{clean(service)}: rewrites"
    calendar = Calendar.new(name=title, prodid=PRODUCT, uid=_uid(service, "", "calendar"))
    for rewrite in plan.rewrites:
        for event in _events(plan, rewrite, service):
            calendar.add_component(event)
    text: bytes = calendar.to_ical()
    return text


def _events(plan: Plan, one: PlannedRewrite, service: str) -> Iterator[Event]:
    name, point = label(one.candidate), one.candidate.point
    facts = _facts(plan, one)

    def event(kind: Kind, summary: str, first: date, end: date, words: str) -> Event:
        made = datetime.combine(plan.made_on, time(), UTC)
        made_event = Event.new(
            uid=_uid(service, point, kind),
            summary=summary,
            start=first,
            end=max(end, first + timedelta(days=1)),
            stamp=made,
            last_modified=made,
            sequence=max(0, (plan.made_on - _EPOCH).days),
            description="\n".join([words, "", *facts]),
            categories=["outgrow", kind],
        )
        made_event.add("TRANSP", "TRANSPARENT")
        return made_event

    if one.prototype is not None:
        why = restless_text(one)
        words = f"Try {name} out, as small as can be, before it is decided and begun.{f' Mind: {why}.' if why else ''}"
        yield event("prototype", f"Prototype: {name}", one.prototype.start, one.prototype.finish, words)
    if one.decide_by is not None and one.candidate.decided is None:
        words = f"Decide by today: outgrow decide {point}. It is about to begin, or users may reach its milestone."
        yield event("decide", f"Decide: {clean(one.candidate.title)}", one.decide_by, one.decide_by, words)
    first, last = one.start_window
    words = f"{name} may start on any of these days. Best: {day_text(one.start)}; later ones cost chance."
    yield event("window", f"May start: {name}", first, last + timedelta(days=1), words)
    done = one.finish[1] or one.finish[0]
    if done is not None:
        words = f"{clean(one.who)} works on {name}. The end is the day by which it is done with a chance of 50 %."
        yield event("rewrite", f"Rewrite: {name} ({clean(one.who)})", one.start, done, words)
    if one.wall[0] is not None and not one.candidate.past:
        words = f"With a chance of 10 % the wall is reached by now: {name} must be finished."
        yield event("wall", f"Wall: {clean(one.candidate.title)}", one.wall[0], one.wall[0], words)


def _facts(plan: Plan, one: PlannedRewrite) -> list[str]:
    low, mid, high = (day_text(day) for day in one.finish)
    facts = [
        f"Point {one.candidate.number}, {clean(one.candidate.title)}: {needed_text(one.candidate)}.",
        f"Start window: {span_text(*one.start_window)}.",
        f"Finished: {low}, {mid}, {high} (10, 50, 90 %).",
    ]
    if one.candidate.past:
        facts.append(f"The wall, {wall_text(one.candidate.wall)}, is past already.")
    else:
        low, mid, high = (day_text(day) for day in one.wall)
        facts.append(f"The wall, {wall_text(one.candidate.wall)}: {low}, {mid}, {high} (10, 50, 90 %).")
    if one.in_time_ratio is not None:
        facts.append(f"In time: {chance_text(one.in_time_ratio)}.")
    if one.held_by:
        facts.append(f"Starts then because: {clean(one.held_by)}.")
    said = headline(plan)
    facts.append(f"The whole plan, made {day_text(plan.made_on)}: {said.headline}, {chance_text(plan.in_time_ratio)}.")
    facts += ["Made with simulated history."] if plan.simulated else []
    facts += [f"Time scale {plan.time_scale}: this is a rehearsal."] if plan.time_scale else []
    return facts


def _uid(service: str, point: str, kind: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"outgrow:plan/{service}/{point}/{kind}"))
