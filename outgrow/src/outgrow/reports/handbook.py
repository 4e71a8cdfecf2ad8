"""The handbook page of a rewrite point: what lets the other person run it at three in the morning.

Pure text from the declared file and the records; the same records give the same bytes. What does not exist yet is said
so, with the command that makes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from outgrow.decisions.records import DecisionHead, ReopenWhen
from outgrow.outlook.sentences import crossing_text, limits_clause, users_text
from outgrow.outlook.status import PointStatus, TriggerStatus
from outgrow.outlook.triggers import ago, clearing
from outgrow.points.declaration import Declaration, Option, Point, Signal, Trigger
from outgrow.ports import Note
from outgrow.quantities import at_date, format_duration, format_quantity, significant
from outgrow.reports.announcement import (
    Announcement,
    PlannedMove,
    PlanSeen,
    clean,
    day_words,
    inline,
    window_words,
)
from outgrow.reports.plan_words import chance_text
from outgrow.signals.promql import promql_of

_WRITTEN = re.compile(r"<!-- written by outgrow handbook (\S+) -->")

OWN_NOTES = "<!-- own notes: what stands below this line is kept when the page is written anew -->"

NOTES_SHOWN = 5

_WAY_BACK: Mapping[str, str] = {
    "low": "Going back is easy: if a step makes it worse for users, go back first and look for the cause afterwards.",
    "medium": "Going back takes work: stop where you are, see that it holds, then go back step by step.",
    "high": "Going back is hard: stop where you are, and call the other person before you undo anything.",
    "very-high": "Going back is very hard: stop where you are. Nobody goes back alone.",
    "nearly-impossible": (
        "There is nearly no way back once users are on the new side: stop before that, not after. From then on repair "
        "forward, and call the other person first."
    ),
}
_STEP_BACK = (
    "Go back to the last step that held, one feature at a time, as long as the old side runs. Nobody switches the old "
    "side off while the change is under way."
)
_STEP_FORWARD = "No user is on the new side yet: go back to the last step that held. Else: repair forward, both of you."
_LIKELIHOOD: Mapping[str, str] = {
    "inevitable": "inevitable",
    "likely": "likely",
    "possible": "possible, perhaps never needed",
    "only-if": "needed only under a condition",
}


@dataclass(frozen=True, slots=True)
class DecisionSeen:
    """The decision in force: its head, where the record stands (from the page), its reasons, and why it is reopened."""

    head: DecisionHead
    link: str
    reasons: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HandbookRecords:
    """All that a page is made from.

    Attributes:
        as_of: up to when the records reach, seconds since the epoch; None where nothing was recorded.
        status: how the point stood then, None where nothing was recorded. notes: those of its facts, any order.
        decision: in force, if any. plan: the latest, if any. told: what users were told last, if anything.
        time_scale: how time is stretched, ``""`` for real time.
    """

    declaration: Declaration
    point: Point
    as_of: float | None = None
    status: PointStatus | None = None
    notes: tuple[Note, ...] = ()
    decision: DecisionSeen | None = None
    plan: PlanSeen | None = None
    told: Announcement | None = None
    time_scale: str = ""


def handbook_place(declaration: Declaration, point_id: str, trigger_id: str = "") -> str:
    """Where the page of a point is found, a path or a URL; with a trigger, the very section of it."""
    place = declaration.handbook.replace("{point}", point_id)
    return f"{place}#{trigger_id}" if trigger_id and "#" not in place else place


def handbook_url(declaration: Declaration, point_id: str, trigger_id: str = "") -> str:
    """The same where it is a URL, else ``""``."""
    place = handbook_place(declaration, point_id, trigger_id)
    return place if is_url(place) else ""


def is_url(text: str) -> bool:
    """Whether a text is one web address and nothing else."""
    return text.startswith(("https://", "http://")) and not re.search(r"\s", text)


def missing_parts(records: HandbookRecords) -> tuple[tuple[str, str], ...]:
    """What the page lacks, and the command that makes it or what to write; in the order of the page."""
    point, missing = records.point, []
    if records.as_of is None:
        missing.append(("nothing is recorded yet", "outgrow record --once"))
    missing += [
        (f"{trigger.id} has no runbook", "write runbook: under it in the declared file")
        for trigger in point.triggers
        if not trigger.runbook.strip()
    ]
    if not point.root_cause.strip():
        missing.append(("no root cause is declared", "write root_cause: under the point in the declared file"))
    if not point.felt_by_users.strip():
        missing.append(
            (
                "what users feel of the change is not declared",
                "write felt_by_users: under the point in the declared file",
            )
        )
    if records.decision is None:
        missing.append(("nothing is decided yet", f"outgrow decide {point.id}"))
    if records.plan is None:
        missing.append(("nothing is planned yet", "outgrow plan"))
    return tuple(missing)


def handbook_page(records: HandbookRecords, own_notes: str = "") -> str:
    """The page as Markdown; ``own_notes`` is what people wrote below the line that keeps it."""
    parts = [
        *_head(records),
        *_at_a_glance(records),
        *(line for trigger in records.point.triggers for line in _trigger(trigger, records)),
        *_way_back(records),
        *_who(records),
        *_commands(records),
        *_architecture(records),
        *_decision(records),
        *_plan(records),
    ]
    kept = own_notes.strip("\n")
    tail = ["## Our own notes", OWN_NOTES, *([kept] if kept else [])]
    return "\n\n".join([*parts, *tail]) + "\n"


def written_for(page: str) -> str | None:
    """The point that a page of ours is about; None for one that was written by hand."""
    found = _WRITTEN.match(page.removeprefix("\ufeff"))
    return found[1] if found else None


def own_notes_of(page: str) -> str:
    """What people wrote below the line that keeps it; ``""`` where there is no such line."""
    return page.partition(OWN_NOTES)[2].strip("\n")


def _head(records: HandbookRecords) -> Iterator[str]:
    point = records.point
    yield f"<!-- written by outgrow handbook {point.id} -->"
    yield f"# {inline(point.title or point.id)}: handbook"
    until = f"what was measured until {_moment(records.as_of)}" if records.as_of is not None else "the declared file"
    yield (
        f"How to run this part of {inline(records.declaration.name)} when the one who knows it is asleep. Made from "
        f"{until}; `outgrow handbook {point.id}` writes it anew, all but your own notes at its end."
    )
    plan, statuses = records.plan, records.status.triggers if records.status else ()
    if records.time_scale or (plan is not None and plan.time_scale):
        yield f"**A rehearsal: time runs at {inline(records.time_scale or (plan.time_scale if plan else ''))}.**"
    if any("simulated" in trigger.origins for trigger in statuses) or (plan is not None and plan.simulated):
        yield "**Made with simulated history.**"


def _at_a_glance(records: HandbookRecords) -> Iterator[str]:
    status = records.status
    if status is None or records.as_of is None:
        yield "## How it stands"
        yield (
            "**unknown**: nothing is recorded yet, and not knowing is not the same as fine. Next: "
            "`outgrow record --once`, or `outgrow import FILE`."
        )
    else:
        yield f"## How it stood on {_moment(records.as_of)}"
        yield f"**{status.state}** · {inline(status.sentence)} How it stands this minute: `outgrow status --triggers`."
    rows = [("trigger", "state", "value", "warns", "breaks")]
    for trigger in records.point.triggers:
        found = _status_of(records, trigger)
        unit = _unit(trigger, records)
        rows.append(
            (
                f"[{inline(trigger.title or trigger.id)}](#{trigger.id})",
                found.state if found else "unknown",
                _limit(found.value if found else None, unit),
                _limit(_warns_at(trigger), unit),
                _limit(trigger.breaks_at, unit),
            )
        )
    yield _table(rows)
    missing = missing_parts(records)
    if missing:
        yield "Missing on this page:"
        yield "\n".join(f"- {inline(what)}: {_step(how)}" for what, how in missing)


def _trigger(trigger: Trigger, records: HandbookRecords) -> Iterator[str]:
    found, point = _status_of(records, trigger), records.point
    yield f'<a id="{trigger.id}"></a>'
    yield f"## If this fires: {inline(trigger.title or trigger.id)}"
    runbook = clean(trigger.runbook)
    if not runbook:
        yield "**First:** no runbook is declared; write `runbook:` under this trigger in the declared file."
    else:
        yield f"**First:** {f'see <{_address(runbook)}>' if is_url(runbook) else _sentence(runbook)}"
    lines = [f"Condition: {_condition(trigger, records)}"]
    if found is None:
        lines.append("State: unknown, nothing is recorded of it yet")
    else:
        since = f" since {_moment(found.since)}" if found.state == "firing" else ""
        lines.append(f"State: {found.state}{since}: {inline(found.reason)}")
    if point.headline and trigger.breaks_at is not None:
        lines.append(f"Where it breaks, users feel it: {inline(point.headline)}")
    lines += [f"Outlook: {text}" for text in _outlook(found, records.as_of)]
    for name in dict.fromkeys(name for name in (trigger.signal, trigger.replicas) if name):
        lines.append(f"Reads `{name}`: {_reading(records.declaration.signals[name])}")
    if trigger.kind == "fact":
        lines.append(f'Write it down: `outgrow note {point.id} {trigger.id} "what happened" --source "who says so"`')
        noted = [note for note in records.notes if note.trigger == trigger.id and note.withdrawn_at is None]
        newest = sorted(noted, key=lambda note: (note.at, note.id), reverse=True)[:NOTES_SHOWN]
        lines += [f"Noted {_date(note.at)}: {inline(note.text)}{_by(note.source)}" for note in newest]
    lines.append(f"Look closer: `outgrow forecast {point.id} --explain`")
    yield "\n".join(f"- {line}" for line in lines)
    query = _query(records.declaration.signals[trigger.signal]) if trigger.signal else ""
    if query:
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", query)), default=0))
        yield f"{fence}promql\n{query}\n{fence}"


def _condition(trigger: Trigger, records: HandbookRecords) -> str:
    unit, side = _unit(trigger, records), trigger.direction
    warn, breaks = _limit(_warns_at(trigger), unit), _limit(trigger.breaks_at, unit)
    held = f" for {ago(trigger.for_)}" if trigger.for_ else ""
    normal = ", at normal load only" if trigger.when == "normal-load" else ""
    alone = "; it may confirm another trigger and never fires alone" if trigger.confirms else ""
    if trigger.kind == "fact":
        text = f"warns at {warn} note{'' if warn == '1' else 's'} within {ago(trigger.within)}"
        return text + (f", breaks at {breaks}" if breaks else "") + alone
    if trigger.kind == "spread":
        text = f"warns above {warn} regions with at least {format_quantity(trigger.share, 'ratio')} of users each{held}"
        return text + (f", breaks above {breaks}" if breaks else "") + alone
    if trigger.kind != "threshold":
        what = (
            "this grows faster than users" if trigger.kind == "grows-faster-than-users" else "more replicas serve less"
        )
        return (
            f"warns where the chance that {what} reaches {warn}" + (f", breaks at {breaks}" if breaks else "") + alone
        )
    clear = _limit(clearing(trigger, unit), unit)
    other = "below" if side == "above" else "above"
    text = f"warns {side} {warn}{held}{normal}" + (f", breaks {side} {breaks}" if breaks else "")
    return f"{text}; quiet again {other} {clear}{alone}"


def _outlook(found: TriggerStatus | None, as_of: float | None) -> Iterator[str]:
    if found is None or found.forecast is None or as_of is None:
        return
    breaks = found.forecast.breaks
    limit = format_quantity(breaks.limit, found.unit)
    if breaks.users_at_limit is not None and breaks.verdict != "unknown":
        when = crossing_text(breaks, as_of)
        yield f"reaches {limit} at {users_text(breaks.users_at_limit)} users{f', {when}' if when else ''}"
    if breaks.refusal is not None:
        step = f"; next: {inline(breaks.refusal.next_step)}" if breaks.refusal.next_step else ""
        yield f"no date for {limit}: {inline(breaks.refusal.reason)}{step}"


def _reading(signal: Signal) -> str:
    title = f"{inline(signal.title)}, " if signal.title else ""
    window = format_duration(signal.window)
    if signal.imported:
        return f"{title}from `outgrow import` alone; no source is asked"
    metric = f"`{signal.metric}`"
    if signal.promql is not None:
        return f"{title}by a query of its own"
    if signal.quantile is not None:
        return f"{title}the {significant(signal.quantile * 100)} % quantile of {metric} over {window}"
    if signal.ratio is not None:
        return f"{title}{metric} as a share of `{signal.ratio.metric}` over {window}"
    if signal.rate:
        return f"{title}what {metric} gains a second over {window}"
    return f"{title}the {'highest' if signal.max else 'latest'} value of {metric}" + (
        f" over {window}" if signal.max else ""
    )


def _query(signal: Signal) -> str:
    """The query to paste, without what steers a terminal; empty where there is none."""
    if signal.imported:
        return ""
    try:
        return "\n".join(line for line in map(clean, promql_of(signal).splitlines()) if line)
    except ValueError:
        return ""


def _architecture(records: HandbookRecords) -> Iterator[str]:
    point, status = records.point, records.status
    yield "## What is there"
    root = _sentence(point.root_cause) if point.root_cause.strip() else (
        "not declared yet; write `root_cause:` under the point in the declared file."
    )  # fmt: skip
    yield f"**What it runs out of:** {root}"
    if point.symptoms:
        yield "What that looks like when it has run out:"
        yield "\n".join(f"- {inline(symptom)}" for symptom in point.symptoms)
        yield "How far it reaches:"
    lines = [
        f"Limit: {limits_clause(status)}"
        if status
        else f"Limit: declared {point.complete_before:,} users, not measured",
        f"Users now: {significant(status.users_now) if status and status.users_now is not None else 'unknown'}",
        f"Watched from {point.monitor_from:,} users"
        + (f", planned or decided by {point.decide_by:,}" if point.decide_by else "")
        + f", complete before {point.complete_before:,}",
        f"How sure it comes: {_LIKELIHOOD[point.likelihood]}{_by(point.likelihood_note)}; risk {_words(point.risk)}",
        f"What users feel of the change: {inline(point.felt_by_users) or 'not declared (felt_by_users:)'}",
    ]
    yield "\n".join(f"- {line}" for line in lines)


def _decision(records: HandbookRecords) -> Iterator[str]:
    point, seen = records.point, records.decision
    yield "## What is decided"
    if seen is None:
        yield f"Nothing yet. `outgrow decide {point.id}` weighs the options and writes the record."
        if point.options:
            yield "\n".join(
                f"- {_option_name(option)}{f': {_sentence(option.what)}' if option.what else ''}"
                for option in point.options
            )
        return
    head, chosen = seen.head, _option(point, seen.head.option)
    standing = {"accepted": "in force", "done": "carried out", "proposed": "proposed, not accepted yet"}
    what = _option_name(chosen) if chosen else f"`{clean(head.option)}`" if head.option else "no option yet"
    yield (
        f"**{what}** · verdict: {head.verdict} · {standing.get(head.status, head.status)} · decided on "
        f"{_iso_words(head.made_on)} in [{inline(head.file)}](<{_address(seen.link)}>)"
    )
    if chosen is not None and chosen.what:
        yield _sentence(chosen.what)
    if seen.reopened:
        yield ("**Reopened:** " + "; ".join(map(inline, seen.reopened)) + f". Next: `outgrow decide {point.id}`")
    if seen.reasons:
        yield "Why:"
        yield "\n".join(f"- {inline(reason)}" for reason in seen.reasons)
    if head.reopen_when:
        yield "It is thought over again when:"
        yield "\n".join(f"- {_reopens(when, point)}" for when in head.reopen_when)


def _reopens(when: ReopenWhen, point: Point) -> str:
    if when.trigger is not None:
        trigger = next((one for one in point.triggers if one.id == when.trigger), None)
        if trigger is None:
            return f"`{clean(when.trigger)}` fires (no longer declared)"
        return f"[{inline(trigger.title or trigger.id)}](#{trigger.id}) begins to fire"
    return f"`{clean(when.fact or '')}` turns to {'yes' if when.becomes else 'no'}"


def _plan(records: HandbookRecords) -> Iterator[str]:
    yield "## What is planned"
    plan = records.plan
    if plan is None:
        yield "Nothing yet. `outgrow plan` makes the schedule."
        return
    if plan.move is None:
        why = f": {inline(plan.why_not)}" if plan.why_not else ""
        yield f"The plan of {day_words(plan.made_on)} has no place for this point{why}."
        return
    yield f"Plan of {day_words(plan.made_on)}; `outgrow plan` makes it anew."
    yield "\n".join(f"- {line}" for line in _moves(plan.move, records.point))
    ends, done = plan.move.finish[2], records.decision is not None and records.decision.head.status == "done"
    if ends is not None and records.as_of is not None and ends < at_date(records.as_of) and not done:
        yield "**These dates are over.** Next: `outgrow plan`, or set the status of the decision to done."
    decided = records.decision.head.option if records.decision else None
    if decided is not None and decided != plan.move.option:
        yield f"**It plans another option than is decided:** made anew, it follows `{clean(decided)}`."


def _moves(move: PlannedMove, point: Point) -> Iterator[str]:
    chosen = _option(point, move.option)
    yield f"What: {_option_name(chosen) if chosen else f'`{clean(move.option)}`'}"
    yield f"Who: {inline(move.who) or 'not said'}"
    window = move.start_window
    between = f" (possible from {day_words(window[0])}, at the latest {day_words(window[1])})" if window else ""
    yield f"Start: {day_words(move.start)}{between}"
    yield f"Finish: {_quantiles(move.finish)}"
    if any(move.wall):
        yield f"Must be finished by: {_quantiles(move.wall)}"
    if move.in_time_ratio is not None:
        yield f"Chance to be in time: {chance_text(move.in_time_ratio)}"
    if move.needed_ratio < 1:
        yield f"Chance that it is needed at all: {chance_text(move.needed_ratio)}"
    if move.decide_by is not None:
        yield f"Decide by: {day_words(move.decide_by)}"
    if move.prototype is not None:
        begins, over = move.prototype  # the day after the last
        yield f"Prototype: {day_words(begins)} to {day_words(max(begins, over - timedelta(days=1)))}"
    if move.held_by:
        yield f"Held by: {inline(move.held_by)}"


def _way_back(records: HandbookRecords) -> Iterator[str]:
    point, seen, plan = records.point, records.decision, records.plan
    yield "## The way back"
    yield f"Difficulty of going back, as declared: **{_words(point.rollback)}**. {_WAY_BACK[point.rollback]}"
    done = seen is not None and seen.head.status == "done"
    start = plan.move.start if plan is not None and plan.move is not None else None
    if done:
        yield "The change is carried out."
    elif start is None:
        yield "As far as the records know, nothing is under way: there is nothing to go back from."
    elif records.as_of is None or at_date(records.as_of) < start:
        yield f"By the plan nothing begins before {day_words(start)}: until then there is nothing to go back from."
    else:
        yield f"By the plan it may be under way since {day_words(start)}: ask who does it before you touch it."
    steps = [
        "Stop: begin no further step. What is moved stays where it is, what is not moved waits.",
        "Look: `outgrow status --triggers`; compare with what was measured before the step.",
        _STEP_FORWARD if point.rollback == "nearly-impossible" else _STEP_BACK,
        "Tell those below, and write down what happened and when while you still know it.",
    ]
    yield "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))


def _who(records: HandbookRecords) -> Iterator[str]:
    point, team, told = records.point, records.declaration.team, records.told
    yield "## Who to tell"
    names = ", ".join(map(inline, team.names)) or f"{team.people} people; names are not declared (team.names:)"
    doing = f"; the plan gives this to {inline(records.plan.move.who)}" if (
        records.plan and records.plan.move and records.plan.move.who
    ) else ""  # fmt: skip
    lines = [f"The team: {names}{doing}"]
    channels = ", ".join(inline(one.name or one.kind) for one in records.declaration.notify)
    lines.append(f"Messages go to: {channels}" if channels else "Messages go nowhere yet: no `notify:` is declared")
    if told is None:
        lines.append(f"Users: nothing was told yet; `outgrow announce {point.id}` writes the note")
    else:
        what = f": {window_words(told.told)}" if told.told and told.stage != "done" else ""
        word = "that it is done" if told.stage == "done" else "when it happens"
        lines.append(
            f"Users: on {day_words(told.on)} they were told {word}{what}; `outgrow announce {point.id}` follows up"
        )
    yield "\n".join(f"- {line}" for line in lines)


def _commands(records: HandbookRecords) -> Iterator[str]:
    point, seen, plan = records.point.id, records.decision, records.plan
    yield "## What to type next"
    rows = [("outgrow status --triggers", "how all of it stands now"),
            (f"outgrow forecast {point} --explain", "when, and why")]  # fmt: skip
    if records.as_of is None:
        rows.insert(0, ("outgrow check", "is the file right, does every source answer"))
    if seen is None or seen.reopened or seen.head.status == "proposed":
        rows.append((f"outgrow decide {point}", "choose a way through"))
    rows.append(("outgrow plan", "the schedule" if plan is None else "the schedule, with what is known now"))
    if seen is not None and seen.head.status in ("accepted", "done"):
        rows.append((f"outgrow announce {point}", "the note to users"))
    rows.append((f"outgrow handbook {point}", "this page anew"))
    width = max(len(command) for command, _ in rows)
    yield "```console\n" + "\n".join(f"$ {command:<{width}}  # {why}" for command, why in rows) + "\n```"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """The first row is the head; columns line up in plain text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
             for row in rows]  # fmt: skip
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _status_of(records: HandbookRecords, trigger: Trigger) -> TriggerStatus | None:
    statuses = records.status.triggers if records.status else ()
    return next((one for one in statuses if one.trigger == trigger.id), None)


def _unit(trigger: Trigger, records: HandbookRecords) -> str:
    if trigger.kind in ("grows-faster-than-users", "worse-though-scaled-out"):
        return "ratio"
    if trigger.kind != "threshold" or trigger.signal is None:
        return ""
    return records.declaration.signals[trigger.signal].unit


def _warns_at(trigger: Trigger) -> float | None:
    """The declared threshold, or what the kind of trigger takes without one."""
    default = {"fact": 1.0, "grows-faster-than-users": 0.8, "worse-though-scaled-out": 0.8}.get(trigger.kind)
    return default if trigger.threshold is None else trigger.threshold


def _limit(value: float | None, unit: str) -> str:
    return "" if value is None else format_quantity(value, unit)


def _option(point: Point, option_id: str | None) -> Option | None:
    return next((option for option in point.options if option.id == option_id), None)


def _option_name(option: Option) -> str:
    return f"{inline(option.title)} (`{option.id}`)" if option.title else f"`{option.id}`"


def _quantiles(days: tuple[date | None, date | None, date | None]) -> str:
    low, mid, high = ("later than is looked at" if day is None else day_words(day) for day in days)
    return f"{mid} (8 of 10: {low} to {high})" if low != high else mid


def _sentence(text: str) -> str:
    words = clean(text)
    return inline(f"{words[:1].upper()}{words[1:]}{'' if words[-1:] in ('.', '!', '?', '') else '.'}")


def _step(how: str) -> str:
    return f"`{how}`" if how.startswith("outgrow ") else how


def _words(slug: str) -> str:
    return slug.replace("-", " ")


def _by(source: str) -> str:
    return f" ({inline(source)})" if source.strip() else ""


def _address(text: str) -> str:
    """A link's target between angle brackets: nothing in it ends the link."""
    return clean(text).replace("\\", "%5C").replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")


def _iso_words(day: str) -> str:
    try:
        return day_words(date.fromisoformat(day))
    except ValueError:
        return inline(day)


def _date(at: float) -> str:
    return day_words(at_date(at))


def _moment(at: float) -> str:
    return f"{_date(at)}, {datetime.fromtimestamp(at, UTC):%H:%M} UTC"
