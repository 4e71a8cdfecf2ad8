"""``outgrow forecast``: users and dates with intervals, or why not and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from outgrow.cli.looking import look_from
from outgrow.cli.options import DEFAULT_CONFIG, AsOfOption, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import STATE_STYLES, emit_json, emit_line, err, hint, out
from outgrow.cli.status import exit_code
from outgrow.errors import UsageError
from outgrow.outlook.records import Crossing, Forecast
from outgrow.outlook.sentences import day, limits_clause, users_text
from outgrow.outlook.status import PointStatus, TriggerStatus
from outgrow.points.declaration import Declaration
from outgrow.quantities import DAY, Interval, format_quantity, iso_date, significant
from outgrow.wiring import chosen_point, open_workspace


def forecast(
    point: Annotated[str | None, typer.Argument(help="A point's id or number; all unless told.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    explain: Annotated[bool, typer.Option("--explain", help="The arithmetic, step by step.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Write the picture of the soonest trigger of POINT.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write it as PNG.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use what the ledger holds; ask no source.")] = False,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Say when each limit will be crossed, in users and as a date, or why that cannot be known yet."""
    pictures = [path for path in (svg, png) if path is not None]
    for path, suffix in ((svg, ".svg"), (png, ".png")):
        if path is not None and path.suffix.lower() != suffix:
            raise UsageError(f"{path} does not end in {suffix}")
    with open_workspace(config) as workspace:
        declaration = workspace.declaration
        points = [chosen_point(declaration, point)] if point else list(declaration.points)
        if pictures and len(points) > 1:
            names = ", ".join(each.id for each in points)
            raise UsageError(f"a picture shows one point; name one of {names}")
        lookout = look_from(workspace, as_of=as_of, offline=offline, pictures=bool(pictures))
        statuses, now = lookout.statuses(points), lookout.now
    if pictures:
        _draw(statuses[0], declaration, pictures)
    if as_json:
        emit_json(
            {
                "as_of": iso_date(now),
                "time_scale": lookout.time_scale or None,
                "points": [point_fields(each, now) for each in statuses],
            }
        )
    else:
        for each in statuses:
            _show(each, now, explain, plain)
        hint(_next(statuses, explain))
    raise typer.Exit(exit_code(statuses))


def soonest_trigger(status: PointStatus) -> TriggerStatus | None:
    """The trigger whose break is expected first, None where nothing can be forecast."""
    return next((trigger for trigger in status.triggers if trigger.trigger == status.soonest), None)


def point_fields(status: PointStatus, now: float) -> dict[str, Any]:
    """The JSON of a point: its soonest trigger's fields, and all triggers beside."""
    soonest = soonest_trigger(status)
    fields: dict[str, Any] = {"id": status.id, "trigger": soonest.trigger if soonest else None}
    fields |= forecast_fields(soonest.forecast if soonest else None, now)
    fields["governs"] = status.governs
    fields["declared_users"] = status.declared_users
    fields["triggers"] = [
        {"trigger": trigger.trigger, "state": trigger.state, "unit": trigger.unit}
        | forecast_fields(trigger.forecast, now)
        for trigger in status.triggers
    ]
    return fields


def forecast_fields(made: Forecast | None, now: float) -> dict[str, Any]:
    """The JSON of a forecast. Plans are made against the break; the early threshold is under ``warn``."""
    if made is None:
        reason = "nothing can be forecast of this trigger: it has no measured threshold to reach"
        return {"verdict": "unknown", "reason": reason, "next": None, "limit": None, "users_at_limit": None,
                "crossing_date": None, "days_left": None, "start_by": None, "doubt": None, "warn": None}  # fmt: skip
    return {
        **_crossing_fields(made.breaks, now),
        "start_by": iso_date(made.start_by) if made.start_by is not None else None,
        "doubt": {"growth": made.breaks.doubt.growth, "curve": made.breaks.doubt.curve} if made.breaks.doubt else None,
        "warn": _crossing_fields(made.warn, now),
        "users_now": made.users_now,
        "growth_per_month": _quantiles(made.growth_per_month),
        "origins": list(made.origins),
        "closed_loop_ramp": made.closed_loop_ramp,
        "made_at": iso_date(made.made_at),
        "digest": made.digest,
    }


def _crossing_fields(crossing: Crossing, now: float) -> dict[str, Any]:
    when, refusal = crossing.crossing, crossing.refusal
    dates, days = None, None
    if when is not None:
        dates = {"p10": iso_date(when.low), "p50": iso_date(when.mid), "p90": iso_date(when.high)}
        left = [max(0.0, round((time - now) / DAY, 1)) for time in (when.low, when.mid, when.high)]
        days = dict(zip(("p10", "p50", "p90"), left, strict=True))
    return {
        "verdict": crossing.verdict,
        "reason": refusal.reason if refusal else None,
        "next": refusal.next_step if refusal else None,
        "limit": crossing.limit,
        "users_at_limit": _quantiles(crossing.users_at_limit),
        "crossing_date": dates,
        "days_left": days,
        "probability": crossing.probability,
    }


def _quantiles(interval: Interval | None) -> dict[str, float] | None:
    return {"p10": interval.low, "p50": interval.mid, "p90": interval.high} if interval else None


def _show(status: PointStatus, now: float, explain: bool, plain: bool) -> None:
    console = out(plain)
    console.print(Text(status.title, style="bold") + Text(f"  {status.state}", style=STATE_STYLES[status.state]))
    console.print(Text(limits_clause(status)))
    told = [trigger for trigger in status.triggers if trigger.forecast is not None]
    if plain:
        for trigger in told:
            for row in _rows(trigger, now):
                emit_line("\t".join((status.id, trigger.trigger, *row)))
    elif told:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for column in ("trigger", "limit", "users at the limit", "crossed", "days left"):
            table.add_column(column, overflow="fold")
        for trigger in told:
            for index, row in enumerate(_rows(trigger, now)):
                table.add_row(*(Text(cell) for cell in (trigger.title if index == 0 else "", *row)))
        console.print(table)
    soonest = soonest_trigger(status)
    if soonest is not None and soonest.forecast is not None:
        _show_soonest(soonest.forecast, now, plain)
    for trigger in told if explain else ():
        console.print(Text(f"{trigger.title}, step by step", style="bold"))
        for number, step in enumerate(trigger.forecast.steps if trigger.forecast else (), start=1):
            console.print(f"  {number}. {step}", markup=False)
    console.print()


def _show_soonest(made: Forecast, now: float, plain: bool) -> None:
    console = out(plain)
    if made.start_by is not None:
        when = "now" if made.start_by <= now else f"by {day(made.start_by)}"
        console.print(Text("start ") + Text(when, style="bold"), end="")
        console.print(" to be done before the earliest likely crossing")
    if made.breaks.doubt is not None:
        doubt = made.breaks.doubt
        console.print(f"doubt: {doubt.growth:.0%} growth, {doubt.curve:.0%} curve", style="dim")
    if made.breaks.refusal is not None:
        console.print(Text("why no single date: ", style="dim") + Text(made.breaks.refusal.reason))
        console.print(Text("to know more: ", style="dim") + Text(made.breaks.refusal.next_step))
    if "simulated" in made.origins:
        console.print("made with simulated history", style="reverse")
    if made.closed_loop_ramp:
        console.print("a closed-loop ramp was imported; it is kept apart from production data", style="dim")
    if made.time_scale:
        console.print(f"time scale {made.time_scale}", style="reverse")


def _rows(trigger: TriggerStatus, now: float) -> list[tuple[str, str, str, str]]:
    made = trigger.forecast
    if made is None:
        return []
    rows = [_row("warns at", made.warn, trigger.unit, now)]
    if trigger.breaks_at is not None and made.breaks.limit != made.warn.limit:
        rows.append(_row("breaks at", made.breaks, trigger.unit, now))
    return rows


def _row(word: str, crossing: Crossing, unit: str, now: float) -> tuple[str, str, str, str]:
    users, when = crossing.users_at_limit, crossing.crossing
    limit = f"{word} {format_quantity(crossing.limit, unit)}"
    if users is None:
        return limit, "not known", "–", "–"
    if crossing.verdict == "unknown":
        return limit, f"no earlier than {significant(users.low, 2)}", "–", "–"
    if when is None:
        return limit, users_text(users), "no date", "–"
    if when.high <= now:
        return limit, users_text(users), "passed already", "0"
    span = f"{day(when.low)} – {day(when.high)}"
    days = "–".join(_days(time, now) for time in (when.low, when.high))
    if crossing.verdict == "range":
        return limit, users_text(users), span, days
    return limit, users_text(users), f"{day(when.mid)} ({span})", f"{_days(when.mid, now)} ({days})"


def _days(time: float, now: float) -> str:
    return f"{max(0.0, (time - now) / DAY):,.0f}" if time != float("inf") else "∞"


def _draw(status: PointStatus, declaration: Declaration, paths: list[Path]) -> None:
    from outgrow.charts.forecast import forecast_picture, save  # altair: half a second, only for a picture

    trigger = soonest_trigger(status)
    if trigger is None or trigger.forecast is None:
        raise UsageError(f"there is nothing to draw: no trigger of {status.id} can be forecast")
    declared = next(t for p in declaration.points if p.id == status.id for t in p.triggers if t.id == trigger.trigger)
    signal = declaration.signals[declared.signal or ""]
    chart = forecast_picture(
        trigger.forecast,
        title=f"{status.title}: {trigger.title}",
        signal=signal.title or declared.signal or "",
        unit=trigger.unit,
        declared_users=status.declared_users,
    )
    for path in paths:
        save(chart, path)
        err().print(f"wrote {path}", markup=False)


def _next(statuses: tuple[PointStatus, ...], explain: bool) -> str:
    refusal = next(
        (t.forecast.breaks.refusal for s in statuses for t in s.triggers if t.forecast and t.forecast.breaks.refusal),
        None,
    )
    if not explain and len(statuses) == 1:
        return f"outgrow forecast {statuses[0].id} --explain"
    return f"outgrow forecast {statuses[0].id} --png forecast.png" if refusal is None and statuses else "outgrow status"
