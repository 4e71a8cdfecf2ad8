"""``outgrow record``: read sources, keep signals, judge triggers, send warnings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, emit_line, err, hint, out
from outgrow.cli.status import exit_code
from outgrow.errors import LedgerError, UsageError
from outgrow.notifiers.delivery import announce, deliver_due
from outgrow.outlook.status import PointStatus
from outgrow.ports import Notifier
from outgrow.quantities import format_quantity, parse_duration
from outgrow.recording import RecordReport, record_forever, stop_on_signals
from outgrow.wiring import Workspace, open_workspace


def record(
    config: ConfigOption = DEFAULT_CONFIG,
    every: Annotated[str | None, typer.Option(help="Keep recording at this rhythm, e.g. 60s; Ctrl-C ends it.")] = None,
    once: Annotated[bool, typer.Option("--once", help="One round; ends with 0, 1 (it fires) or 3 (unknown).")] = False,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Read the sources, keep the declared signals, and send the warnings that follow."""
    if once and every:
        raise UsageError("give --once or --every, not both")
    seconds = _rhythm(every or "60s")
    with open_workspace(config) as workspace:
        if not workspace.declaration.sources:
            raise UsageError(f"{config} declares no source to record from", next_step="outgrow import FILE")
        notifiers = workspace.notifiers()
        workspace.backfill(say=_say)
        if once:
            report = workspace.observe()
            statuses = _warn(workspace, notifiers, report)
            _show_round(report, workspace, statuses, as_json, plain)
            judged = bool(statuses) or not workspace.declaration.points
            whole = bool(report.known) and not report.unknown and judged
            raise typer.Exit(1 if exit_code(statuses) == 1 else 0 if whole else 3)
        _keep_recording(workspace, notifiers, seconds, as_json)


def _rhythm(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not 1 <= seconds <= 3600:
        raise UsageError(f"a rhythm of {text} is outside 1s to 1h; 60s suits most")
    return seconds


def _keep_recording(workspace: Workspace, notifiers: tuple[Notifier, ...], seconds: float, as_json: bool) -> None:
    _say(f"recording {len(workspace.declaration.observed)} signals every {seconds:g} s into {workspace.location}; "
         "Ctrl-C ends it")  # fmt: skip
    scale = getattr(workspace.clock, "seconds_per_second", 1.0)

    def after(report: RecordReport) -> None:
        if not report.not_kept:
            workspace.remember_recording(report.at, report.unknown)
        statuses = _warn(workspace, notifiers, report)
        _show_line(report, statuses, as_json)

    with stop_on_signals() as stop:
        record_forever(
            workspace.sources,
            workspace.ledger,
            workspace.declaration.observed,
            every_seconds=seconds * scale,
            clock=workspace.clock,
            sleep=lambda wait: stop.wait(wait / scale),
            on_report=after,
            stopped=stop.is_set,
            origin=workspace.origin,
        )
    _say("stopped; everything recorded is kept")


def _warn(workspace: Workspace, notifiers: tuple[Notifier, ...], report: RecordReport) -> tuple[PointStatus, ...]:
    """Judge every trigger on what is now known, put what follows into the outbox, send what is due."""
    try:
        statuses = workspace.lookout(unknown=report.unknown).statuses()
        announce(workspace.ledger, statuses, workspace.declaration, notifiers, workspace.clock)
        sent = deliver_due(workspace.ledger, notifiers, workspace.clock)
    except LedgerError as error:
        _say(f"warnings wait: {error}")
        return ()
    for title in sent.delivered:
        _say(f"sent: {title}")
    for notifier, title, reason in sent.failed:
        _say(f"not sent by {notifier}, will be tried again: {title} ({reason})")
    for notifier, title, reason in sent.given_up:
        _say(f"NOT SENT by {notifier}, given up after a week: {title} ({reason})")
    return statuses


def _show_round(report: RecordReport, workspace: Workspace, statuses: tuple[PointStatus, ...], as_json: bool,
                plain: bool) -> None:  # fmt: skip
    if as_json:
        emit_json(_fields(report, statuses))
        return
    console = out(plain)
    for name, declared in workspace.declaration.observed.items():
        values = [
            one.value for group in report.samples.values() for one in group if one.signal == name and not one.member
        ]
        said = (
            format_quantity(values[0], declared.unit) if values else f"unknown: {report.unknown.get(name, 'no value')}"
        )
        if plain:
            emit_line(f"{name}\t{said}")
        else:
            console.print(f"{name:<28} {said}", markup=False)
    hint("outgrow status")


def _show_line(report: RecordReport, statuses: tuple[PointStatus, ...], as_json: bool) -> None:
    if as_json:
        emit_json(_fields(report, statuses))
        return
    moment = datetime.fromtimestamp(report.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    known, unknown = report.known, len(report.unknown)
    fires = [
        f"{each.point}/{each.trigger}" for status in statuses for each in status.triggers if each.state == "firing"
    ]
    line = f"{moment}  {known} signals kept, {unknown} unknown"
    line += f", firing: {', '.join(fires)}" if fires else ""
    line += f", NOT KEPT: {report.not_kept}" if report.not_kept else ""
    line += f", {report.skipped} rounds left out" if report.skipped else ""
    emit_line(line)


def _fields(report: RecordReport, statuses: tuple[PointStatus, ...]) -> dict[str, Any]:
    return {
        "at": datetime.fromtimestamp(report.at, UTC).isoformat(),
        "samples": [
            {"signal": one.signal, "member": one.member, "value": one.value, "source": source}
            for source, group in report.samples.items()
            for one in group
        ],
        "unknown": dict(report.unknown),
        "failed": dict(report.failed),
        "not_kept": report.not_kept or None,
        "states": {each.id: each.state for each in statuses},
    }


def _say(text: str) -> None:
    err().print(text, style="dim", markup=False)
