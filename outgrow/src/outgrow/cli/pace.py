"""``outgrow pace``: which rewrites a team can carry at a growth. Needs no file and no metrics."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from outgrow.cli.options import JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, err, hint, out
from outgrow.cli.what_if import read_growth, read_people, read_pins, read_users
from outgrow.errors import UsageError
from outgrow.points.reading import parse_declaration, read_declaration
from outgrow.points.templates import template_text
from outgrow.reports.pace_json import pace_record
from outgrow.reports.pace_table import pace_lines, pace_table
from outgrow.schedule.inputs import PacePoint, TeamRules, inputs_of
from outgrow.schedule.pace import Pace
from outgrow.schedule.pace import pace as judge

TEMPLATE = "venture-platform"


def pace(
    users: Annotated[int, typer.Option("--users", "-u", help="Users today.")] = 1000,
    growth: Annotated[str, typer.Option("--growth", "-g", help="Growth a month, for example 15%.")] = "15%",
    people: Annotated[
        int | None, typer.Option("--people", "-p", help="People in the team; 2, or what the file says.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Your own outgrow.yaml; without it, a template of four points."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="Plan with this option: POINT=OPTION, or POINT=done. May be repeated."),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Also write one HTML page here.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Count months from this date (YYYY-MM-DD) instead of today.")
    ] = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Say how fast you may grow so that your team can still carry every rewrite, and when each must start.

    Ends with 1 when something cannot be carried however early it starts, or is past already.
    """
    points, rules = _inputs(config)
    if people is not None:
        rules = rules.with_people(read_people(people))
    result = judge(points, rules, read_users(users), read_growth(growth), read_pins(option or [], points))
    today = _date(start)
    if html is not None:
        from outgrow.reports.pace_page import pace_page

        again = _again(result, config, option or [], today)
        _write_page(html, pace_page(result, today, again))
    if as_json:
        emit_json(pace_record(result, today))
    elif plain:
        for line in pace_lines(result, today):
            typer.echo(line)
    else:
        console = out()
        console.print(pace_table(result, today, console.width), soft_wrap=False)
    if html is not None:
        err().print(f"wrote {html}", markup=False)
    hint(f"outgrow init --template {TEMPLATE}" if config is None else f"outgrow forecast --config {config}")
    raise typer.Exit(1 if result.finding else 0)


def _inputs(config: Path | None) -> tuple[tuple[PacePoint, ...], TeamRules]:
    if config is not None:
        return inputs_of(read_declaration(config))
    return inputs_of(parse_declaration(template_text(TEMPLATE), f"{TEMPLATE}.yaml"))


def _date(text: str | None) -> date:
    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--from {text} is not a date; write for example --from 2026-03-01") from None


def _again(result: Pace, config: Path | None, options: Sequence[str], today: date) -> str:
    """The command that makes the same page again."""
    words = ["outgrow", "pace", "--users", f"{result.users:.0f}"]
    words += ["--growth", f"{result.growth_per_month * 100:.6g}%", "--people", str(result.rules.people)]
    words += [] if config is None else ["--config", str(config)]
    words += [word for option in options for word in ("--option", option)]
    return shlex.join([*words, "--from", today.isoformat()])


def _write_page(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
