"""``export report``: all that is known, on one page that needs nothing but itself.

No script, no request, no font: the page reads the same from a disk, in a mail and on paper, in light and dark. All
words of people are escaped; pictures are the only markup passed in, and refused if they could do anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from outgrow import __version__
from outgrow.outlook.records import Crossing, Forecast
from outgrow.outlook.sentences import day, users_text
from outgrow.outlook.status import WORST_FIRST, PointStatus, TriggerStatus
from outgrow.points.declaration import Declaration, Point
from outgrow.ports import Note
from outgrow.quantities import format_quantity, iso_date, significant
from outgrow.reports.svg import inline_svg


@dataclass(frozen=True, slots=True)
class Picture:
    """One forecast as SVG text, on light paper and (where there is one) on dark; ``caption`` says what it shows."""

    light: str
    dark: str = ""
    caption: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What the page shows.

    Attributes:
        declaration: for names and runbooks. points: in any order.
        made_at: seconds since the epoch. time_scale: ``""`` for real time.
        pictures: by point id. notes: of all points, withdrawn ones included.
        ledger: where the data is kept, as a reader may know it. ledger_digest: stands for its contents.
    """

    declaration: Declaration
    points: Sequence[PointStatus]
    made_at: float
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    notes: Sequence[Note] = ()
    time_scale: str = ""
    ledger: str = ""
    ledger_digest: str = ""


def report_page(report: Report) -> str:
    """The page as HTML. The same report gives the same page.

    Raises:
        UsageError: a picture is not plain SVG.
    """
    ordered = sorted(report.points, key=_worst_first)
    states = [point.state for point in ordered]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            name=report.declaration.name,
            made={"iso": _iso(report.made_at), "words": _moment(report.made_at)},
            counts=[(state, states.count(state)) for state in WORST_FIRST if state in states],
            banners=_banners(report),
            points=[_point(place, point, report) for place, point in enumerate(ordered, start=1)],
            provenance=_provenance(report),
        )
    )


@cache
def environment() -> Environment:
    """The templates of this room: everything is escaped, and a name that is missing is an error."""
    templates = Environment(
        loader=PackageLoader("outgrow.reports"), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    templates.filters["code"] = _code
    return templates


def _code(text: str) -> Markup:
    """Escaped, with what stands in `backticks` as code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(piece) if place % 2 else escape(piece) for place, piece in enumerate(pieces))


def _worst_first(point: PointStatus) -> tuple[int, float, str]:
    return WORST_FIRST.index(point.state), point.crossing.mid if point.crossing else math.inf, point.id


def _point(place: int, status: PointStatus, report: Report) -> dict[str, Any]:
    declared = report.declaration.point(status.id)
    picture = report.pictures.get(status.id)
    return {
        "id": status.id,
        "anchor": f"point-{place}",
        "title": status.title,
        "headline": declared.headline if declared else "",
        "state": status.state,
        "sentence": _sentence(status.sentence.removeprefix(f"{status.title}: ")),
        "facts": _facts(status, declared, report.made_at),
        "first": _first(status, declared),
        "picture": _picture(place, status, picture) if picture else None,
        "triggers": [_trigger(trigger) for trigger in status.triggers],
        "crossings": [rows for trigger in status.triggers if (rows := _crossings(trigger, report.made_at))],
        "arithmetic": [
            {"title": trigger.title, "steps": trigger.forecast.steps, "doubt": _doubt(trigger.forecast)}
            for trigger in status.triggers
            if trigger.forecast and trigger.forecast.steps
        ],
        "notes": [_note(note, declared) for note in report.notes if note.point == status.id],
    }


def _facts(status: PointStatus, declared: Point | None, now: float) -> list[dict[str, str]]:
    users = significant(status.users_now) if status.users_now is not None else "unknown"
    growth = next(
        (t.forecast.growth_per_month for t in status.triggers if t.forecast and t.forecast.growth_per_month), None
    )
    pace = f"{growth.mid:+.0%} a month ({growth.low:+.0%} to {growth.high:+.0%})" if growth else ""
    measured = f"{users_text(status.measured_users)} users" if status.measured_users else "not yet"
    if status.measured_users and status.governs == "declared":
        measured = f"no earlier than {significant(status.measured_users.low, 2)} users"
    governs = {status.governs: "governs"}
    facts = [
        _fact("Users now", users, pace),
        _fact("Declared limit", f"{status.declared_users:,} users", governs.get("declared", "")),
        _fact("Measured limit", measured, governs.get("measured", "")),
    ]
    if declared is not None and declared.decide_by:
        facts.append(_fact("Decide by", f"{declared.decide_by:,} users"))
    soonest = next((t.forecast for t in status.triggers if t.trigger == status.soonest and t.forecast), None)
    facts.append(_fact("Breaks", *(_date(soonest.breaks, now) if soonest else ("no date", ""))))
    if status.start_by is not None:
        late = status.start_by <= now
        facts.append(
            _fact("Start by", "now", f"the day was {day(status.start_by)}")
            if late
            else _fact("Start by", day(status.start_by))
        )
    return facts


def _fact(name: str, value: str, detail: str = "") -> dict[str, str]:
    return {"name": name, "value": value, "detail": detail}


def _first(status: PointStatus, declared: Point | None) -> str:
    firing = [trigger.trigger for trigger in status.triggers if trigger.state == "firing"]
    runbooks = [each.runbook for each in (declared.triggers if declared else ()) if each.id in firing and each.runbook]
    return runbooks[0].strip().removesuffix(".") if runbooks else ""


def _trigger(status: TriggerStatus) -> dict[str, Any]:
    return {
        "title": status.title,
        "state": status.state,
        "confirms": status.confirms,
        "value": _quantity(status.value, status.unit),
        "threshold": _quantity(status.threshold, status.unit),
        "breaks_at": _quantity(status.breaks_at, status.unit),
        "stale": status.state == "unknown" and status.value is not None,
        "gauge": _gauge(status) if status.state != "unknown" else None,
        "reason": status.reason,
    }


def _quantity(value: float | None, unit: str) -> str:
    return "–" if value is None else format_quantity(value, unit)


def _gauge(status: TriggerStatus) -> dict[str, str | None] | None:
    """Where the value, the warning and the break lie between 0 and the largest of them, in hundredths."""
    marks = [mark for mark in (status.value, status.threshold, status.breaks_at) if mark is not None]
    if status.value is None or len(marks) < 2 or not all(0 <= mark < math.inf for mark in marks) or max(marks) == 0:
        return None
    full = 1.0 if status.unit == "ratio" and max(marks) <= 1 else max(marks) * 1.08

    def place(value: float | None) -> str | None:
        return None if value is None else f"{100 * value / full:.1f}"

    return {"value": place(status.value), "warn": place(status.threshold), "break": place(status.breaks_at)}


def _crossings(trigger: TriggerStatus, now: float) -> list[dict[str, Any]]:
    forecast = trigger.forecast
    if forecast is None:
        return []
    limits = [("warns at", forecast.warn)]
    if forecast.breaks.limit != forecast.warn.limit:
        limits.append(("breaks at", forecast.breaks))
    refusals = [_refusal(crossing) for _, crossing in limits]
    return [
        {
            "title": trigger.title,
            "limit": f"{word} {format_quantity(crossing.limit, trigger.unit)}",
            "users": _fact("", *_users(crossing)),
            "date": _fact("", *_date(crossing, now)),
            "refusal": "As above." if refusal and refusal in refusals[:place] else refusal,
        }
        for place, ((word, crossing), refusal) in enumerate(zip(limits, refusals, strict=True))
    ]


def _users(crossing: Crossing) -> tuple[str, str]:
    """The most likely number, and its interval."""
    users = crossing.users_at_limit
    if users is None:
        return "not known", ""
    if crossing.verdict == "unknown":
        return f"no earlier than {significant(users.low, 2)}", ""
    if users.high <= 0:
        return "at any number", ""
    value, _, interval = users_text(users).partition(" (")
    return value, interval.removesuffix(")")


def _date(crossing: Crossing, now: float) -> tuple[str, str]:
    """The most likely date where one may be said, and the span."""
    when = crossing.crossing
    if when is None or crossing.verdict not in ("dated", "range") or math.isinf(when.low):
        return "no date", ""
    if when.high <= now:
        return "passed already", ""
    span = f"{day(when.low)} – {day(when.high)}" if math.isfinite(when.high) else f"not before {day(when.low)}"
    return (day(when.mid), span) if crossing.verdict == "dated" and math.isfinite(when.mid) else (span, "")


def _refusal(crossing: Crossing) -> str:
    refusal = crossing.refusal
    return f"{_sentence(refusal.reason)} Next: {_sentence(refusal.next_step)}" if refusal else ""


def _sentence(text: str) -> str:
    stripped = text.strip()
    return f"{stripped[:1].upper()}{stripped[1:].removesuffix('.')}." if stripped else ""


def _doubt(forecast: Forecast) -> str:
    doubt = forecast.breaks.doubt
    return (
        f"Of the doubt about the date, {doubt.growth:.0%} is growth and {doubt.curve:.0%} the curve." if doubt else ""
    )


def _note(note: Note, declared: Point | None) -> dict[str, Any]:
    titles = {trigger.id: trigger.title for trigger in declared.triggers} if declared else {}
    return {
        "iso": iso_date(note.at) or "",
        "day": day(note.at),
        "trigger": titles.get(note.trigger) or note.trigger,
        "text": note.text,
        "source": note.source,
        "withdrawn": day(note.withdrawn_at) if note.withdrawn_at is not None else "",
    }


def _picture(place: int, status: PointStatus, picture: Picture) -> dict[str, Any]:
    return {
        "light": inline_svg(picture.light, f"p{place}l-"),
        "dark": inline_svg(picture.dark, f"p{place}d-") if picture.dark else "",
        "caption": picture.caption or f"Forecast for {status.title}",
    }


def _banners(report: Report) -> list[str]:
    banners = []
    if any("simulated" in forecast.origins for forecast in _forecasts(report)):
        banners.append("Made with simulated history: its dates do not speak of a real service.")
    if report.time_scale:
        banners.append(f"A rehearsal: time runs at {report.time_scale}.")
    return banners


def _provenance(report: Report) -> list[tuple[str, str]]:
    forecasts = _forecasts(report)
    origins = sorted({origin for forecast in forecasts for origin in forecast.origins})
    ramps = (
        " A closed-loop ramp was imported too; it is kept apart from production data."
        if any(forecast.closed_loop_ramp for forecast in forecasts)
        else ""
    )
    newest = max((forecast.made_at for forecast in forecasts), default=None)
    lines = [
        ("Made", f"{_moment(report.made_at)} by outgrow {__version__}, with outgrow export report"),
        ("Data", f"{', '.join(origins) or 'none'}.{ramps}"),
        ("Forecasts", f"{len(forecasts)}, the newest of {_moment(newest)}" if newest is not None else "none"),
        ("Intervals", "hold in 8 of 10 cases (10th to 90th percentile)"),
        ("Time scale", report.time_scale or "real time"),
    ]
    if report.ledger or report.ledger_digest:
        digest = f", digest {report.ledger_digest}" if report.ledger_digest else ""
        lines.append(("Ledger", f"{report.ledger or 'as declared'}{digest}"))
    return lines


def _forecasts(report: Report) -> list[Forecast]:
    return [trigger.forecast for point in report.points for trigger in point.triggers if trigger.forecast]


def _moment(at: float) -> str:
    return f"{day(at)}, {datetime.fromtimestamp(at, UTC):%H:%M} UTC"


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
