"""``outgrow status``: a sentence a rewrite point, soonest first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from outgrow.cli.looking import look_from
from outgrow.cli.options import DEFAULT_CONFIG, AsOfOption, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import STATE_STYLES, emit_json, emit_line, err, hint, out
from outgrow.decision_folder import Heads, decision_folder, read_heads, shown_path
from outgrow.outlook.status import PointStatus, TriggerStatus
from outgrow.quantities import iso_date
from outgrow.standing import Standing, standings
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
        folder = decision_folder(config, workspace.declaration.decisions)
        found = read_heads(folder)
        now = lookout.now if as_of is not None else workspace.clock.now()
        decided = standings(workspace.declaration, found.heads, statuses, workspace.ledger, now) if found.heads else {}
    if as_json:
        emit_json(
            {
                "as_of": iso_date(lookout.now),
                "time_scale": scale or None,
                "points": [
                    {**point_fields(each), "decision": decision_fields(folder, decided.get(each.id))}
                    for each in statuses
                ],
            }
        )
    else:
        _show(statuses, decided, triggers, plain, scale)
        _warn(found)
        hint(_next(statuses, decided, bool(workspace.declaration.sources)))
    raise typer.Exit(exit_code(statuses, decided))


def exit_code(statuses: tuple[PointStatus, ...], decided: Mapping[str, Standing] | None = None) -> int:
    """1 where something fires or a decision is reopened, else 3 where something cannot be evaluated, else 0."""
    states = {each.state for each in statuses}
    fires = any(trigger.state == "firing" and not trigger.confirms for each in statuses for trigger in each.triggers)
    reopened = any(one.reopened for one in (decided or {}).values())
    return 1 if fires or reopened else (3 if "unknown" in states else 0)


def decision_fields(folder: Path, standing: Standing | None) -> dict[str, Any] | None:
    """The JSON of the decision in force, as documented in the reference; None where nothing is decided."""
    if standing is None:
        return None
    head = standing.head
    return {
        "number": head.number,
        "file": shown_path(folder / head.file),
        "option": head.option,
        "verdict": head.verdict,
        "status": head.status,
        "reopened": bool(standing.reopened),
        "reason": "; ".join(standing.reopened) or None,
    }


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


def decision_sentence(standing: Standing) -> str:
    """``Decision 0007 (accepted): stay, A.``, and what reopens it."""
    head = standing.head
    chosen = f"{head.verdict}, {head.option}" if head.option else head.verdict
    reopened = f" It is reopened: {'; '.join(standing.reopened)}." if standing.reopened else ""
    return f"Decision {head.number:04d} ({head.status}): {chosen}.{reopened}"


def _show(
    statuses: tuple[PointStatus, ...], decided: Mapping[str, Standing], triggers: bool, plain: bool, scale: str
) -> None:
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
        if each.id in decided:
            _show_decision(decided[each.id], each.id, console, plain)
        for trigger in each.triggers if triggers else ():
            _show_trigger(trigger, each.id, console, plain)


def _show_decision(standing: Standing, point: str, console: Console, plain: bool) -> None:
    sentence = decision_sentence(standing)
    if plain:
        emit_line(f"{'reopened' if standing.reopened else standing.head.status}\t{point}/decision\t{sentence}")
        return
    for line in Text(sentence, style="bold red" if standing.reopened else "dim").wrap(console, console.width - 2):
        console.print(Text("  ") + line)


def _warn(found: Heads) -> None:
    for warning in found.warnings:
        err().print(warning, style="yellow", markup=False, soft_wrap=True)


def _show_trigger(trigger: TriggerStatus, point: str, console: Console, plain: bool) -> None:
    if plain:
        emit_line(f"{trigger.state}\t{point}/{trigger.trigger}\t{trigger.reason}")
        return
    lines = Text(f"{trigger.title}: {trigger.reason}").wrap(console, console.width - 16)
    for index, line in enumerate(lines):
        word = trigger.state if index == 0 else ""
        console.print(Text(f"    {word:<12}", style=STATE_STYLES[trigger.state]) + line)


def _next(statuses: tuple[PointStatus, ...], decided: Mapping[str, Standing], has_sources: bool) -> str:
    reopened = next((each.id for each in statuses if each.id in decided and decided[each.id].reopened), None)
    if reopened is not None:
        return f"outgrow decide {reopened}"
    first = next((each for each in statuses if each.state in ("firing", "approaching")), None)
    if first is not None:
        return f"outgrow forecast {first.id} --explain"
    unknown = any(each.state == "unknown" for each in statuses)
    if not has_sources:
        return "outgrow import FILE"
    return "outgrow check" if unknown else "outgrow record --every 60s"
