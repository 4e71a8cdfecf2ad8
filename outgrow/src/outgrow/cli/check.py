"""``outgrow check``: is the file right, is every source reachable, does every signal have a value."""

from __future__ import annotations

from typing import Any

import typer
from rich.text import Text

from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, err, hint, out
from outgrow.errors import DeclarationError
from outgrow.wiring import Workspace, open_workspace


def check(
    config: ConfigOption = DEFAULT_CONFIG,
    offline: bool = typer.Option(False, "--offline", help="Look at the file only."),
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Say whether the file is right, every source is reachable and every signal has a value."""
    try:
        with open_workspace(config) as workspace:
            found = _look(workspace, offline)
    except DeclarationError as error:
        if not as_json:
            raise
        errors = [{"file": f.file, "line": f.line, "column": f.column, "path": f.path, "message": f.message}
                  for f in error.findings]  # fmt: skip
        emit_json({"ok": False, "points": None, "triggers": None, "options": None, "errors": errors})
        raise typer.Exit(error.exit_code) from None
    if as_json:
        emit_json(found)
    else:
        _show(found, plain)
    if found["ok"]:
        hint("outgrow record --once" if found["sources"] else "outgrow import FILE")
    else:
        raise typer.Exit(3)


def _look(workspace: Workspace, offline: bool) -> dict[str, Any]:
    declared = workspace.declaration
    workspace.notifiers()  # first: with it, wrong settings of sources and notifiers are found together
    sources, unknown = [], {}
    for source, plugin in zip(workspace.sources, declared.sources, strict=True):
        reason = None if offline else source.reachable()
        sources.append({"name": source.name, "kind": plugin.kind, "reachable": None if offline else reason is None,
                        "reason": reason})  # fmt: skip
    if not offline and sources and all(source["reachable"] for source in sources):
        seen = workspace.observe(keep=False)
        unknown = dict(seen.unknown)
    if declared.load is None:
        watched = {trigger.signal for point in declared.points for trigger in point.triggers if trigger.signal}
        for name in watched:
            if declared.signals[name].driver == "load":
                unknown[name] = "follows load, and no load is declared: add load: {signal: …}, or driven_by: users"
    return {
        "ok": all(source["reachable"] is not False for source in sources),
        "points": len(declared.points),
        "triggers": sum(len(point.triggers) for point in declared.points),
        "options": sum(len(point.options) for point in declared.points),
        "signals": len(declared.signals),
        "errors": [],
        "warnings": [{"signal": name, "message": reason} for name, reason in sorted(unknown.items())],
        "sources": sources,
    }


def _show(found: dict[str, Any], plain: bool) -> None:
    console = out(plain)
    counts = ", ".join(
        f"{found[what]} {what if found[what] != 1 else what[:-1]}"
        for what in ("points", "triggers", "options", "signals")
    )
    console.print(Text("the file is right: ", style="green") + Text(counts))
    for source in found["sources"]:
        if source["reachable"] is None:
            console.print(f"{source['name']} ({source['kind']}): not asked", markup=False)
        elif source["reachable"]:
            console.print(Text(f"{source['name']} ({source['kind']}): ") + Text("reachable", style="green"))
        else:
            console.print(Text(f"{source['name']} ({source['kind']}): ") + Text(source["reason"], style="red"))
    if not found["sources"]:
        console.print("no source is declared; signals come from outgrow import alone")
    for warning in found["warnings"]:
        console.print(Text("no value yet: ", style="yellow") + Text(f"{warning['signal']}: {warning['message']}"))
    if found["warnings"]:
        err().print("triggers on signals without a value are unknown until there is one; that is no fault of the file")
