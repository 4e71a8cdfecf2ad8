"""``outgrow export``: what is declared and known, in the forms that other tools and people read."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgrow.cli.looking import look_from
from outgrow.cli.options import DEFAULT_CONFIG, AsOfOption, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, err, hint
from outgrow.errors import UsageError
from outgrow.outlook.records import Forecast
from outgrow.outlook.status import PointStatus, TriggerStatus
from outgrow.points.declaration import Declaration
from outgrow.points.reading import read_declaration
from outgrow.wiring import Workspace, open_workspace

if TYPE_CHECKING:  # jinja2 comes with it
    from outgrow.reports.report_page import Picture

app = typer.Typer(
    help="Write alert rules, a dashboard, or a page with all that is known.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")]


@app.command("prometheus-rules")
def prometheus_rules(
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Alert and recording rules for Prometheus 2.42 or newer, from the declared file."""
    from outgrow.reports.prometheus_rules import left_out
    from outgrow.reports.prometheus_rules import prometheus_rules as rules

    declaration = read_declaration(config)
    try:
        text = rules(declaration)
    except ValueError as error:
        raise UsageError(f"{config}: a signal cannot be said in PromQL: {error}") from None
    missing = left_out(declaration)
    if as_json:
        _write(text, output)
        emit_json({"format": "prometheus-rules", "output": _path(output), "left_out": missing} | _text(text, output))
    else:
        _deliver(text, output)
        if missing:
            err().print(f"left to outgrow itself, because PromQL cannot say them: {', '.join(missing)}", markup=False)
    hint(f"promtool check rules {shlex.quote(str(output or 'FILE'))}")


@app.command("grafana")
def grafana(
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """A Grafana dashboard: a row for each rewrite point, a panel for each signal with its limits."""
    from outgrow.reports.grafana import grafana_dashboard, left_out

    declaration = read_declaration(config)
    try:
        dashboard = grafana_dashboard(declaration)
    except ValueError as error:
        raise UsageError(f"{config}: a signal cannot be said in PromQL: {error}") from None
    text = json.dumps(dashboard, ensure_ascii=False, indent=2) + "\n"
    missing = left_out(declaration)
    if as_json:
        _write(text, output)
        shown = None if output else dashboard
        emit_json({"format": "grafana", "output": _path(output), "left_out": missing, "dashboard": shown})
    else:
        _deliver(text, output)
        if missing:
            err().print(f"without a panel, because they come from imports alone: {', '.join(missing)}", markup=False)
    hint("outgrow export prometheus-rules")


@app.command("report")
def report(
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = None,
    pictures: Annotated[bool, typer.Option(help="With a picture of the soonest forecast of each point.")] = True,
    offline: Annotated[bool, typer.Option("--offline", help="Use what the ledger holds; ask no source.")] = False,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """One HTML page with all that is known. It needs nothing but itself: mail it, print it, open it from a disk."""
    from outgrow.reports.report_page import Report, report_page

    with open_workspace(config) as workspace:
        lookout = look_from(workspace, as_of=as_of, offline=offline, pictures=pictures)
        statuses = lookout.statuses()
        declared = {point.id for point in workspace.declaration.points}
        notes = tuple(note for note in workspace.ledger.notes() if note.point in declared and note.at <= lookout.now)
        page = report_page(
            Report(
                declaration=workspace.declaration,
                points=statuses,
                made_at=lookout.now,
                pictures=_pictures(statuses, workspace.declaration) if pictures else {},
                notes=notes,
                time_scale=lookout.time_scale,
                ledger=_ledger_name(workspace),
                ledger_digest=_digest(workspace, statuses),
            )
        )
    if as_json:
        _write(page, output)
        states = {status.id: status.state for status in statuses}
        emit_json({"format": "report", "output": _path(output), "states": states} | _text(page, output))
    else:
        _deliver(page, output)
    hint("outgrow status" if output else "outgrow export report --output report.html")


def _pictures(statuses: Sequence[PointStatus], declaration: Declaration) -> dict[str, Picture]:
    """A picture of the soonest trigger of each point, where there is anything to draw."""
    drawn = [
        (status, trigger) for status in statuses for trigger in status.triggers if trigger.trigger == status.soonest
    ]
    return {
        status.id: _picture(status, trigger, trigger.forecast, declaration)
        for status, trigger in drawn
        if trigger.forecast is not None and (trigger.forecast.fan is not None or trigger.forecast.curve is not None)
    }


def _picture(status: PointStatus, trigger: TriggerStatus, forecast: Forecast, declaration: Declaration) -> Picture:
    from outgrow.charts.forecast import as_svg, forecast_picture  # altair: half a second, only for pictures
    from outgrow.reports.report_page import Picture

    point = declaration.point(status.id)
    name = next((each.signal for each in point.triggers if each.id == trigger.trigger), None) if point else None
    light, dark = (
        as_svg(
            forecast_picture(
                forecast,
                title=f"{status.title}: {trigger.title}",
                signal=(declaration.signals[name].title or name) if name else trigger.title,
                unit=trigger.unit,
                declared_users=status.declared_users,
                dark=on_dark,
            )
        )
        for on_dark in (False, True)
    )
    return Picture(light, dark, f"Forecast for “{trigger.title}”, the limit that is reached first")


def _digest(workspace: Workspace, statuses: Sequence[PointStatus]) -> str:
    """Stands for the samples, notes and forecasts the page rests on: equal where they are equal."""
    forecasts = sorted(
        trigger.forecast.digest for status in statuses for trigger in status.triggers if trigger.forecast
    )
    contents = (workspace.ledger.signals(), workspace.ledger.notes(), forecasts)
    return hashlib.sha256(repr(contents).encode()).hexdigest()[:16]


def _ledger_name(workspace: Workspace) -> str:
    """Enough to find it again, without the folders of the machine it lies on."""
    location = workspace.location
    return location.partition(":")[0] if "://" in location else Path(location).name


def _deliver(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
    else:
        _write(text, output)
        err().print(f"wrote {output}", markup=False)


def _write(text: str, output: Path | None) -> None:
    """The file is either whole or as it was."""
    if output is None:
        return
    part = output.with_name(f".{output.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(output)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise UsageError(f"{output} cannot be written: {error.strerror}", next_step="choose another folder") from None


def _path(output: Path | None) -> str | None:
    return None if output is None else str(output)


def _text(text: str, output: Path | None) -> dict[str, str | None]:
    return {"text": None if output else text}
