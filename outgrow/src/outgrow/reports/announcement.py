"""The note to users about a rewrite: what changes, when, what they may notice; and the notes that follow it.

Pure text from the latest plan, the decision in force and what users were told last. No ids and no internals: who reads
it does not know how the service is built. A date that was told and has moved is named with both dates.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

Stage = Literal["first", "moved", "done"]

HEADS_UP = timedelta(days=14)
"""How long before work begins users hear again; own reading."""

GROWTH_CHANGED_RATIO = 0.05
"""Growth that differs by less than this share is the same growth to a reader; own reading."""

_TENTHS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_MARKS = re.compile(r"[\\`*\[\]<>|~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
_LEADING = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[-+#=]+(?:\s|$)))")


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """One rewrite as the ledger's plan has it; a date that is None lies beyond what was looked at, or was not kept."""

    option: str
    start: date
    start_window: tuple[date, date] | None
    finish: tuple[date | None, date | None, date | None]
    wall: tuple[date | None, date | None, date | None] = (None, None, None)
    in_time_ratio: float | None = None
    needed_ratio: float = 1.0
    who: str = ""
    prototype: tuple[date, date] | None = None
    decide_by: date | None = None
    held_by: str = ""


@dataclass(frozen=True, slots=True)
class PlanSeen:
    """What the latest plan says of one point; ``why_not`` where it has no place in it.

    ``growth_per_month`` is the middle; ``work_before_done`` the day on which the rewrites placed before it are finished
    (middle), None where there are none.
    """

    made_on: date
    move: PlannedMove | None
    why_not: str = ""
    growth_per_month: float | None = None
    work_before_done: date | None = None
    simulated: bool = False
    time_scale: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """The dates users were told: work ``begins``, is done most ``likely``, and ``ends`` in nine of ten cases."""

    begins: date
    likely: date | None
    ends: date | None


@dataclass(frozen=True, slots=True)
class Announcement:
    """A note as it was told.

    Attributes:
        stage: the first note, one about moved dates, or the closing one. on: the day it is told.
        decision: number of the decision record it follows. option: that was planned then.
        told: None in a closing note that no other went before.
        text: Markdown that reads as plain text. why: of moved dates, a sentence.
        growth_per_month, work_before_done, planned_on: of the plan it rests on, so that the next can say why it moved.
    """

    stage: Stage
    on: date
    decision: int
    option: str
    told: Told | None
    text: str
    why: str = ""
    growth_per_month: float | None = None
    work_before_done: date | None = None
    planned_on: date | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What the note is about, in words users know. Empty texts are what nobody has declared."""

    service: str
    title: str
    felt_by_users: str
    decision: int


def plan_seen(body: Mapping[str, Any], point: str) -> PlanSeen | None:
    """What a kept plan (the JSON of ``outgrow plan``) says of a point; None where it cannot be read."""
    made_on = _day(body.get("made_on"))
    if made_on is None:
        return None
    rewrites = [each for each in _listed(body.get("rewrites")) if _day(each.get("start")) is not None]
    place = next((index for index, each in enumerate(rewrites) if each.get("point") == point), None)
    not_planned = next((one for one in _listed(body.get("not_planned")) if one.get("point") == point), {})
    before = [_quantiles(each.get("finish"))[1] for each in rewrites[:place]] if place is not None else []
    growth = body.get("growth_per_month_ratio")
    return PlanSeen(
        made_on=made_on,
        move=None if place is None else _move(rewrites[place]),
        why_not=str(not_planned.get("why") or ""),
        growth_per_month=_number(growth.get("p50") if isinstance(growth, Mapping) else growth),
        work_before_done=max((each for each in before if each is not None), default=None),
        simulated=body.get("simulated") is True,
        time_scale=str(body.get("time_scale") or ""),
    )


def told_of(move: PlannedMove) -> Told:
    """The dates of a planned rewrite that users are told."""
    _, likely, ends = move.finish
    return Told(move.start, likely, ends)


def announce(subject: Subject, plan: PlanSeen, last: Announcement | None, today: date) -> Announcement | None:
    """The first note, or the one about moved dates; None where nothing has moved since ``last``.

    Args:
        subject: what it is about. plan: with a place for the point (``move`` is set).
        last: what users were told last about this point, None where nothing was.
        today: the day it is told.
    """
    if plan.move is None:
        raise ValueError("the plan has no place for this point")
    told = told_of(plan.move)
    open_note = last if last is not None and last.stage != "done" else None
    if open_note is not None and open_note.told == told:
        return None
    why = "" if open_note is None else why_moved(open_note, plan, told)
    lines = _first(subject, today) if open_note is None else _moved(subject, open_note, told, why, today)
    lines += _body(subject, plan, plan.move, told, today)
    return Announcement(
        stage="first" if open_note is None else "moved",
        on=today,
        decision=subject.decision,
        option=plan.move.option,
        told=told,
        text=_page(lines, plan),
        why=why,
        growth_per_month=plan.growth_per_month,
        work_before_done=plan.work_before_done,
        planned_on=plan.made_on,
    )


def close(subject: Subject, last: Announcement | None, today: date) -> Announcement | None:
    """The closing note; None where it was told already."""
    if last is not None and last.stage == "done" and last.decision == subject.decision:
        return None
    before = last if last is not None and last.stage != "done" else None
    about = _about(subject)
    lines = [f"# Done: {about}", day_words(today)]
    if before is not None and before.told is not None:
        lines.append(
            f"The change to {inline(subject.service)} that we told you about on {day_words(before.on)} is done. We had "
            f"planned it {window_words(before.told)}."
        )
    else:
        lines.append(f"A change to {inline(subject.service)} that works behind the scenes is done.")
    felt = _felt(subject)
    lines += [
        f"**What you may have noticed.** {felt} That should be over now; if it is not, please tell us."
        if felt
        else "**What you may notice.** Nothing should be different from before. If something is, please tell us.",
        "**What you need not do.** Anything: there is nothing to set up and nothing to check.",
        "**When you hear from us again.** About this change, no more.",
    ]
    return Announcement(
        stage="done",
        on=today,
        decision=subject.decision,
        option=before.option if before else "",
        told=before.told if before else None,
        text=_page(lines, None),
    )


def why_moved(last: Announcement, plan: PlanSeen, told: Told) -> str:
    """One sentence without blame: the first cause that the two plans show, else that it was planned anew."""
    if plan.move is not None and last.option and plan.move.option != last.option:
        return "We have decided to do it in another way."
    sooner = _sooner(last.told, told)
    was, now = last.growth_per_month, plan.growth_per_month
    when = _month_words(last.planned_on or last.on, plan.made_on)
    if was is not None and now is not None and abs(now - was) > GROWTH_CHANGED_RATIO * max(abs(was), abs(now)):
        if now > was and sooner:
            return f"Growth is faster than {when}, so we need this change earlier."
        if now < was and not sooner:
            return f"Growth is slower than {when}, so this change is needed later."
    earlier, later = last.work_before_done, plan.work_before_done
    if earlier is not None and later is not None and earlier != later and (later < earlier) == sooner:
        return f"The work that comes before it is done {'sooner' if sooner else 'later'} than we expected {when}."
    if last.told is not None and last.told.begins == told.begins:
        return f"We know better now than {when} how long the work takes."
    return f"We have planned it anew with what we have learnt since {day_words(last.planned_on or last.on)}."


def announcement_body(note: Announcement) -> dict[str, Any]:
    """The note as the ledger keeps it."""
    told = note.told
    return {
        "stage": note.stage,
        "on": note.on.isoformat(),
        "decision": note.decision,
        "option": note.option,
        "told": None
        if told is None
        else {"begins": _iso(told.begins), "likely": _iso(told.likely), "ends": _iso(told.ends)},
        "why": note.why,
        "growth_per_month": note.growth_per_month,
        "work_before_done": _iso(note.work_before_done),
        "planned_on": _iso(note.planned_on),
        "text": note.text,
    }


def announcement_of(body: Mapping[str, Any]) -> Announcement | None:
    """A kept note; None where it cannot be read."""
    on, stage, kept = _day(body.get("on")), body.get("stage"), body.get("told")
    if on is None or stage not in ("first", "moved", "done"):
        return None
    begins = _day(kept.get("begins")) if isinstance(kept, Mapping) else None
    told = (
        Told(begins, _day(kept.get("likely")), _day(kept.get("ends"))) if begins and isinstance(kept, Mapping) else None
    )
    return Announcement(
        stage=stage,
        on=on,
        decision=int(_number(body.get("decision")) or 0),
        option=str(body.get("option") or ""),
        told=told,
        text=str(body.get("text") or ""),
        why=str(body.get("why") or ""),
        growth_per_month=_number(body.get("growth_per_month")),
        work_before_done=_day(body.get("work_before_done")),
        planned_on=_day(body.get("planned_on")),
    )


def announcement_digest(note: Announcement, before: str) -> str:
    """Stands for a note and the one ``before`` it (its digest, ``""`` for none): dates that move back are news too."""
    content = announcement_body(note) | {"before": before, "on": "", "text": ""}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def day_words(day: date) -> str:
    """``3 March 2027``."""
    return f"{day.day} {day:%B %Y}"


def window_words(told: Told) -> str:
    """``between 3 March and 14 April 2027``; each year is said once where it is the same."""
    begins, ends = told.begins, told.ends
    if ends is None:
        return f"from {day_words(begins)} on; until when, we cannot say yet"
    if begins == ends:
        return f"on {day_words(begins)}"
    if (begins.year, begins.month) == (ends.year, ends.month):
        return f"between {begins.day} and {day_words(ends)}"
    first = f"{begins.day} {begins:%B}" if begins.year == ends.year else day_words(begins)
    return f"between {first} and {day_words(ends)}"


def clean(text: str) -> str:
    """The words on one line, without what steers a terminal or turns the direction of reading."""
    return " ".join(_UNSEEN.sub(" ", text).split())


def inline(text: str) -> str:
    """Others' words as Markdown that shows exactly them: no markup, no link, no HTML of theirs takes effect."""
    marked = _MARKS.sub(r"\\\g<0>", clean(text))
    return _LEADING.sub(r"\1\\", marked)


def _first(subject: Subject, today: date) -> list[str]:
    return [
        f"# A change to {inline(subject.service)}: {_about(subject)}",
        day_words(today),
        f"**What changes.** We renew a part of {inline(subject.service)} that works behind the scenes, so that it "
        "keeps working well while more and more people use it.",
    ]


def _moved(subject: Subject, last: Announcement, told: Told, why: str, today: date) -> list[str]:
    before = last.told
    changes = [] if before is None else [
        _change("The beginning", before.begins, told.begins),
        _change("The most likely day on which we are done", before.likely, told.likely),
        _change("The last day of the time we keep for it", before.ends, told.ends),
    ]  # fmt: skip
    return [
        f"# New dates: {_about(subject)}",
        day_words(today),
        f"On {day_words(last.on)} we told you about a change to {inline(subject.service)}. Its dates have moved.",
        "**What moved.**",
        "\n".join(f"- {change}" for change in changes if change),
        f"**Why.** {why}",
    ]


def _change(what: str, before: date | None, now: date | None) -> str:
    if before == now:
        return ""
    if before is None and now is not None:
        return f"{what} was not known before and is now {day_words(now)}."
    if before is not None and now is None:
        return f"{what} was {day_words(before)}; when it is now, we cannot say yet."
    assert before is not None
    assert now is not None
    return f"{what} moves from {day_words(before)} to {day_words(now)}."


def _body(subject: Subject, plan: PlanSeen, move: PlannedMove, told: Told, today: date) -> list[str]:
    felt = _felt(subject)
    return [
        f"**When.** {_capital(window_words(told))}.",
        f"**What you may notice.** {felt or 'We do not know yet, and tell you before we begin.'}",
        "**What you need not do.** Anything: there is nothing to prepare and nothing to set up. Should that change, we "
        "tell you before.",
        f"**How sure the dates are.** {_sureness(move, told, plan)}",
        f"**When you hear from us again.** {_again(told, today)}",
    ]


def _sureness(move: PlannedMove, told: Told, plan: PlanSeen) -> str:
    parts = [f"This is our plan of {day_words(plan.made_on)}, not a promise."]
    if told.likely is not None:
        parts.append(f"Most likely we are done around {day_words(told.likely)}.")
    if told.ends is not None:
        parts.append(f"In nine of ten cases we are done by {day_words(told.ends)}.")
    else:
        parts.append("How late it may become, we cannot say yet.")
    if move.needed_ratio < 1:
        chance = _TENTHS[min(9, max(1, round(move.needed_ratio * 10))) - 1]
        parts.append(
            f"It may turn out that the change is not needed at all (we expect to need it in {chance} of ten cases); "
            "then nothing happens, and we tell you so."
        )
    return " ".join(parts)


def _again(told: Told, today: date) -> str:
    moves = "earlier if a date moves, and when it is done."
    soon = told.begins - HEADS_UP
    if soon > today:
        return f"On {day_words(soon)}, two weeks before we begin; {moves}"
    if told.begins > today:
        return f"On {day_words(told.begins)}, when we begin; {moves}"
    return "At once if a date moves, and when it is done."


def _page(lines: list[str], plan: PlanSeen | None) -> str:
    stamp = ""
    if plan is not None and plan.time_scale:
        stamp = f"*A rehearsal: time runs at {inline(plan.time_scale)}. Not for users.*"
    elif plan is not None and plan.simulated:
        stamp = "*Made with simulated history. Not for users.*"
    return "\n\n".join(line for line in (lines[0], stamp, *lines[1:]) if line) + "\n"


def _about(subject: Subject) -> str:
    title = inline(subject.title)
    return title[:1].lower() + title[1:] if title[1:2].islower() else title or "a part behind the scenes"


def _felt(subject: Subject) -> str:
    words = inline(subject.felt_by_users)
    return f"{_capital(words)}{'' if words[-1] in '.!?' else '.'}" if words else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _month_words(then: date, now: date) -> str:
    if (then.year, then.month) == (now.year, now.month):
        return f"on {day_words(then)}"
    return f"in {then:%B}" if (now - then).days < 330 else f"in {then:%B %Y}"


def _sooner(before: Told | None, now: Told) -> bool:
    if before is None or before.begins != now.begins:
        return before is not None and now.begins < before.begins
    return (now.ends or date.max, now.likely or date.max) < (before.ends or date.max, before.likely or date.max)


def _move(fields: Mapping[str, Any]) -> PlannedMove | None:
    start, window = _day(fields.get("start")), fields.get("start_window")
    if start is None:
        return None
    earliest, latest = (
        _day(window.get(key)) if isinstance(window, Mapping) else None for key in ("earliest", "latest")
    )
    prototype = fields.get("prototype")
    tried = tuple(_day(prototype.get(key)) if isinstance(prototype, Mapping) else None for key in ("start", "finish"))
    needed = _number(fields.get("needed_ratio"))
    return PlannedMove(
        option=str(fields.get("option") or ""),
        start=start,
        start_window=(earliest, latest) if earliest and latest else None,
        finish=_quantiles(fields.get("finish")),
        wall=_quantiles(fields.get("wall")),
        in_time_ratio=_number(fields.get("in_time_ratio")),
        needed_ratio=1.0 if needed is None else needed,
        who=str(fields.get("who") or ""),
        prototype=(tried[0], tried[1]) if tried[0] and tried[1] else None,
        decide_by=_day(fields.get("decide_by")),
        held_by=str(fields.get("held_by") or ""),
    )


def _listed(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _quantiles(value: Any) -> tuple[date | None, date | None, date | None]:
    if not isinstance(value, Mapping):
        return None, None, None
    return _day(value.get("p10")), _day(value.get("p50")), _day(value.get("p90"))


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _number(value: Any) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not -1e300 < value < 1e300:
        return None
    return float(value)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
