"""``outgrow check``: is the file right, is every source reachable, does every signal have a value."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, err, hint, out
from outgrow.clock import SystemClock
from outgrow.errors import DeclarationError, OutgrowError
from outgrow.points.declaration import Declaration, Plugin
from outgrow.points.reading import declared_kinds, locate
from outgrow.ports import Source
from outgrow.wiring import Workspace, check_movers, open_adapters, open_workspace, read_whole


def check(
    config: ConfigOption = DEFAULT_CONFIG,
    offline: bool = typer.Option(False, "--offline", help="Look at the file only."),
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Say whether the file is right, every source is reachable and every signal has a value."""
    try:
        _know_kinds(config)
        if offline:
            declaration = read_whole(config)
            check_movers(config, declaration)
            sources, _ = open_adapters(config, declaration, SystemClock(), None)
            found = _found(declaration, [_said(source, plugin, None, asked=False) for source, plugin in
                                         zip(sources, declaration.sources, strict=True)], {})  # fmt: skip
        else:
            with open_workspace(config) as workspace:
                check_movers(config, workspace.declaration)
                found = _look(workspace)
    except OutgrowError as error:
        if not as_json:
            raise
        emit_json({"ok": False, "points": None, "triggers": None, "options": None, "errors": _errors(error),
                   "next": error.next_step or None})  # fmt: skip
        raise typer.Exit(error.exit_code) from None
    if as_json:
        emit_json(found)
    else:
        _show(found, plain)
    if found["ok"]:
        hint("outgrow record --once" if found["sources"] else "outgrow import FILE")
    else:
        raise typer.Exit(3)


def _know_kinds(config: Path) -> None:
    """Raises ``DeclarationError`` where an experiment or a mover is of no known kind, with all else that is wrong."""
    unknown = []
    for group, place, kind in declared_kinds(config):
        names = sorted({entry.name for entry in entry_points(group=group)})
        if kind not in names:
            near = get_close_matches(kind, names, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(names) or 'none installed'}"
            text = config.read_text(encoding="utf-8-sig")
            unknown.append(locate(text, str(config), place, f"there is no plugin {kind!r}; {meant}"))
    if not unknown:
        return
    try:
        read_whole(config)
    except DeclarationError as error:
        unknown += error.findings
    raise DeclarationError(tuple(sorted(set(unknown), key=lambda one: (one.line, one.column, one.path, one.message))))


def _errors(error: OutgrowError) -> list[dict[str, Any]]:
    if isinstance(error, DeclarationError):
        return [{"file": f.file, "line": f.line, "column": f.column, "path": f.path, "message": f.message}
                for f in error.findings]  # fmt: skip
    return [{"file": None, "line": None, "column": None, "path": None, "message": error.message}]


def _look(workspace: Workspace) -> dict[str, Any]:
    declared = workspace.declaration
    workspace.notifiers()  # first: with it, wrong settings of sources and notifiers are found together
    reasons = [source.reachable() for source in workspace.sources]
    sources = [
        _said(source, plugin, reason, asked=True)
        for source, plugin, reason in zip(workspace.sources, declared.sources, reasons, strict=True)
    ]
    down = {source["name"]: source["reason"] for source in sources if not source["reachable"]}
    unknown = workspace.try_out(down) if len(down) < len(sources) else {}
    return _found(declared, sources, unknown)


def _said(source: Source, plugin: Plugin, reason: str | None, *, asked: bool) -> dict[str, Any]:
    reachable = reason is None if asked else None
    return {"name": source.name, "kind": plugin.kind, "reachable": reachable, "reason": reason}


def _found(declared: Declaration, sources: list[dict[str, Any]], unknown: dict[str, str]) -> dict[str, Any]:
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
