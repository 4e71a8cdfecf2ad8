"""``outgrow decisions``: what was decided, and what must be thought over again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from outgrow.cli.looking import look_from
from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, emit_line, err, hint, out
from outgrow.decision_folder import decision_folder, read_heads, shown_path
from outgrow.decisions.records import DecisionHead
from outgrow.standing import Standing, standings
from outgrow.wiring import open_workspace

_STYLES = {"reopened": "bold red", "accepted": "green", "done": "green", "proposed": "yellow"}


def decisions(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """List the decision records with their state; ends with 1 where one is reopened."""
    with open_workspace(config) as workspace:
        declaration = workspace.declaration
        folder = decision_folder(config, declaration.decisions)
        found = read_heads(folder)
        standing: dict[str, Standing] = {}
        if found.heads:
            points = [point for point in declaration.points if any(one.point == point.id for one in found.heads)]
            statuses = look_from(workspace, as_of=None, offline=True).statuses(points)
            now = workspace.clock.now()
            standing = standings(declaration, found.heads, statuses, workspace.ledger, now)
        undecided = next((point.id for point in declaration.points if point.rule and point.id not in standing), "")
    reasons = {(one.head.number, one.head.file): one.reopened for one in standing.values() if one.reopened}
    if as_json:
        emit_json(
            {"decisions": [_fields(folder, one, reasons) for one in found.heads], "warnings": list(found.warnings)}
        )
    else:
        for head in found.heads:
            _show(folder, head, reasons.get((head.number, head.file), ()), plain)
        for warning in found.warnings:
            err().print(warning, style="yellow", markup=False, soft_wrap=True)
        if not found.heads:
            err().print(f"nothing is decided yet in {shown_path(folder)}", markup=False, soft_wrap=True)
        reopened = next((one.head.point for one in standing.values() if one.reopened), "")
        hint(f"outgrow decide {reopened or undecided}" if reopened or undecided else "outgrow plan")
    raise typer.Exit(1 if reasons else 0)


def _fields(folder: Path, head: DecisionHead, reasons: dict[tuple[int, str], tuple[str, ...]]) -> dict[str, Any]:
    """The JSON of a decision, as documented in the reference."""
    why = reasons.get((head.number, head.file), ())
    return {
        "number": head.number,
        "file": shown_path(folder / head.file),
        "title": _title(head),
        "point": head.point,
        "option": head.option,
        "verdict": head.verdict,
        "date": head.made_on,
        "status": head.status,
        "state": "reopened" if why else head.status,
        "reopened": bool(why),
        "reason": "; ".join(why) or None,
        "superseded_by": head.superseded_by,
        "digest": head.digest,
    }


def _show(folder: Path, head: DecisionHead, why: tuple[str, ...], plain: bool) -> None:
    state = "reopened" if why else head.status
    by = f" by {head.superseded_by:04d}" if head.superseded_by is not None else ""
    if plain:
        emit_line("\t".join((f"{head.number:04d}", state, head.point, head.option or "", head.verdict, head.made_on,
                             shown_path(folder / head.file), "; ".join(why))))  # fmt: skip
        return
    console = out()
    said = Text(f"{head.number:04d}  ") + Text(f"{state}{by}", style=_STYLES.get(state, "dim"))
    console.print(said + Text(f"  {_title(head)}  ({head.made_on})"))
    for reason in why:
        for line in Text(reason).wrap(console, console.width - 6):
            console.print(Text("      ") + line)


def _title(head: DecisionHead) -> str:
    """The heading without the number, which the file name carries."""
    return head.title.removeprefix(f"{head.number:04d} ")
