"""``outgrow status``: a sentence a rewrite point, soonest first."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from outgrow.cli.looking import look_from
from outgrow.cli.options import DEFAULT_CONFIG, AsOfOption, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import STATE_STYLES, emit_json, emit_line, hint, out
from outgrow.outlook.status import PointStatus, TriggerStatus
from outgrow.quantities import iso_date
from outgrow.wiring import open_workspace


def status(
    config: ConfigOption = DEFAULT_CONFIG,
    triggers: Annotated[
        bool, typer.Option("--triggers", "-t", help="Also each trigger: value, limits, reason.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Use what the ledger holds; ask no source.")] = False,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Say how every rewrite point stands, soonest first. Not knowing is never shown as fine."""
    with open_workspace(config) as workspace:
        lookout = look_from(workspace, as_of=as_of, offline=offline)
        statuses = lookout.statuses()
        scale = workspace.clock.scale
    if as_json:
        emit_json(
            {
                "as_of": iso_date(lookout.now),
                "time_scale": scale or None,
                "points": [point_fields(each) for each in statuses],
            }
        )
    else:
        _show(statuses, triggers, plain, scale)
        hint(_next(statuses, bool(workspace.declaration.sources)))
    raise typer.Exit(exit_code(statuses))


def exit_code(statuses: tuple[PointStatus, ...]) -> int:
    """1 where something fires, else 3 where something cannot be evaluated, else 0."""
    states = {each.state for each in statuses}
    fires = any(trigger.state == "firing" and not trigger.confirms for each in statuses for trigger in each.triggers)
    return 1 if fires else (3 if "unknown" in states else 0)


def point_fields(status: PointStatus) -> dict[str, Any]:
    """The JSON of a point, as documented in the reference."""
    measured = status.measured_users
    return {
        "id": status.id,
        "title": status.title,
        "state": status.state,
        "sentence": status.sentence,
        "triggers": [trigger_fields(trigger) for trigger in status.triggers],
        "declared_users": status.declared_users,
        "measured_users": {"p10": measured.low, "p50": measured.mid, "p90": measured.high} if measured else None,
        "governs": status.governs,
        "users_now": status.users_now,
        "watched_from": status.watched_from,
        "soonest_trigger": status.soonest,
        "crossing_date": {
            "p10": iso_date(status.crossing.low),
            "p50": iso_date(status.crossing.mid),
            "p90": iso_date(status.crossing.high),
        }
        if status.crossing
        else None,
        "start_by": iso_date(status.start_by) if status.start_by is not None else None,
    }


def trigger_fields(trigger: TriggerStatus) -> dict[str, Any]:
    """The JSON of a trigger, as documented in the reference."""
    return {
        "id": trigger.trigger,
        "title": trigger.title,
        "state": trigger.state,
        "value": trigger.value,
        "unit": trigger.unit,
        "threshold": trigger.threshold,
        "breaks_at": trigger.breaks_at,
        "broken": trigger.broken,
        "confirms": trigger.confirms,
        "reason": trigger.reason,
        "origins": list(trigger.origins),
    }


def _show(statuses: tuple[PointStatus, ...], triggers: bool, plain: bool, scale: str) -> None:
    console = out(plain)
    if scale:
        console.print(Text(f"time scale {scale}: this is a rehearsal", style="reverse"))
    for each in statuses:
        if plain:
            emit_line(f"{each.state}\t{each.id}\t{each.sentence}")
        else:
            console.print(Text(f"● {each.state}", style=STATE_STYLES[each.state]))
            for line in Text(each.sentence).wrap(console, console.width - 2):
                console.print(Text("  ") + line)
        for trigger in each.triggers if triggers else ():
            _show_trigger(trigger, each.id, console, plain)


def _show_trigger(trigger: TriggerStatus, point: str, console: Console, plain: bool) -> None:
    if plain:
        emit_line(f"{trigger.state}\t{point}/{trigger.trigger}\t{trigger.reason}")
        return
    lines = Text(f"{trigger.title}: {trigger.reason}").wrap(console, console.width - 16)
    for index, line in enumerate(lines):
        word = trigger.state if index == 0 else ""
        console.print(Text(f"    {word:<12}", style=STATE_STYLES[trigger.state]) + line)


def _next(statuses: tuple[PointStatus, ...], has_sources: bool) -> str:
    first = next((each for each in statuses if each.state in ("firing", "approaching")), None)
    if first is not None:
        return f"outgrow forecast {first.id} --explain"
    unknown = any(each.state == "unknown" for each in statuses)
    if not has_sources:
        return "outgrow import FILE"
    return "outgrow check" if unknown else "outgrow record --every 60s"
