"""How a migration stands, for people and for programs; and what happened in it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from outgrow.cli.output import emit_json, emit_line, err, hint, out
from outgrow.migrating.opened import OpenMove
from outgrow.migrating.opening import left_out_of
from outgrow.migrating.reporting import counted, read_report
from outgrow.migration.progress import progress
from outgrow.migration.records import JournalLine, Migration, TenantMove
from outgrow.migration.transitions import truth_of
from outgrow.migration.waves import is_met, may_go_on
from outgrow.ports import MoveLedger
from outgrow.quantities import format_duration
from outgrow.wiring import Workspace

ORDER = (
    "pending", "preparing", "copying", "catching_up", "verifying", "shadowing", "ready", "switching", "switched",
    "reversing", "completed", "cancelled",
)  # fmt: skip
COLOURS = {
    "pending": "bright_black", "preparing": "blue", "copying": "blue", "catching_up": "blue", "verifying": "cyan",
    "shadowing": "cyan", "ready": "yellow", "switching": "magenta", "switched": "green", "reversing": "magenta",
    "completed": "bold green", "cancelled": "red",
}  # fmt: skip
BAR = 40
MOST_ERRORS = 10
MOST_NAMED = 3
_YES = {"switch": " --yes", "complete": " --yes", "cancel": " --yes"}
WATCH_SECONDS = 1.0


def status_fields(move: OpenMove, migration: Migration, rows: Sequence[TenantMove]) -> dict[str, Any]:
    """The JSON of ``outgrow migrate POINT status``, as documented in the reference."""
    seen = progress(rows, ())
    report = read_report(move.last_report(), migration, time.time()) or {}
    _, stop = may_go_on(rows)
    return {
        "point": migration.point,
        "migration": migration.id,
        "from": migration.source,
        "to": migration.target,
        "tenants": {state: seen.tenants[state] for state in ORDER if state in seen.tenants},
        "wave": seen.wave,
        "waves": max((row.wave for row in rows), default=0),
        "copied": seen.copied,
        "items": seen.items,
        "items_per_second": report.get("items_per_second"),
        "lag_seconds": report.get("lag_seconds"),
        "eta_seconds": report.get("eta_seconds"),
        "throttled": report.get("throttled") or None,
        "stopped": stop or None,
        "paused": migration.paused or None,
        "holder": migration.holder or None,
        "waiting": [{"tenant": tenant, "reason": why, "next": step} for tenant, why, step in report.get("waiting", [])],
        "errors": [{"tenant": row.tenant, "state": row.state, "error": row.error} for row in rows if row.error],
        "left_out": left_out_of(move.ledger, migration) or None,
        "ended": migration.ended_at is not None,
        "next": next_of(migration, rows),
    }


def next_of(migration: Migration, rows: Sequence[TenantMove]) -> str:
    """The next sensible command."""
    command = f"outgrow migrate {migration.point}"
    if migration.ended_at is not None:
        return f"outgrow validate {migration.point}"
    if migration.paused:
        return f"{command} resume"
    differs = next((row for row in rows if row.differing), None)
    if differs is not None:
        return f"{command} verify --tenant {shlex.quote(differs.tenant)} --repair"
    unmet = [row for row in rows if not is_met(row)]
    if unmet:
        return f"{command} {_going_on(unmet, len(rows))}"
    failing = next((row for row in rows if row.error), None)
    if failing is not None:
        return f"{command} log --tenant {shlex.quote(failing.tenant)}"
    if any(row.state == "pending" for row in rows):
        return f"{command} start"
    if any(row.state == "ready" for row in rows):
        return f"{command} switch"
    if any(row.state == "switched" for row in rows):
        return f"{command} complete"
    return f"{command} log"


def _going_on(unmet: Sequence[TenantMove], of: int) -> str:
    """The verb that was begun, for those it was wanted of and no others."""
    verb = _verb_of(unmet[0])
    left = [row.tenant for row in unmet if _verb_of(row) == verb]
    if verb == "start" or len(left) == of:
        return f"{verb}{_YES.get(verb, '')}"
    if len(left) > MOST_NAMED:
        return f"{verb} --dry-run"
    return verb + "".join(f" --tenant {shlex.quote(tenant)}" for tenant in left) + _YES.get(verb, "")


def _verb_of(row: TenantMove) -> str:
    match row.goal:
        case "switched":
            return "switch"
        case "completed":
            return "complete"
        case "cancelled":
            return "cancel"
        case _:
            return "reverse" if truth_of(row) == "target" else "start"


def summary_of(move: OpenMove, migration: Migration, rows: Sequence[TenantMove]) -> str:
    """The whole in a line."""
    fields = status_fields(move, migration, rows)
    states = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in fields["tenants"].items())
    why = fields["paused"] or fields["throttled"] or fields["stopped"]
    return states + (f" · waits: {why}" if why else "")


def show_status(
    move: OpenMove, workspace: Workspace, migration: Migration, as_json: bool, plain: bool, watch: bool
) -> int:
    """How it stands; with ``watch`` again and again. → the exit code: 1 where people have to look."""
    del workspace
    if watch and not as_json:
        return _watch(move, migration, plain)
    rows = move.ledger.tenants(migration)
    fields = status_fields(move, migration, rows)
    if as_json:
        emit_json(fields)
    elif plain:
        for line in _plain(fields):
            emit_line(line)
    else:
        out().print(_page(fields, out()))
    if not as_json:
        hint(fields["next"])
    return 1 if any(row.differing for row in rows) else 0


def _watch(move: OpenMove, migration: Migration, plain: bool) -> int:
    console = out(plain)
    living = console.is_terminal and not plain
    live = Live("", console=console, auto_refresh=False)
    if living:
        live.start()
    try:
        while True:
            migration = move.ledger.migration(migration.point) or migration
            rows = move.ledger.tenants(migration)
            fields = status_fields(move, migration, rows)
            if living:
                live.update(_page(fields, console), refresh=True)
            else:
                emit_line(summary_of(move, migration, rows))
            if migration.ended_at is not None or (not migration.holder and all(is_met(row) for row in rows)):
                break
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        err().print("no longer watched; what is under way goes on")
    finally:
        if living:
            live.stop()
    hint(next_of(migration, rows))
    return 1 if any(row.differing for row in rows) else 0


def _plain(fields: dict[str, Any]) -> list[str]:
    lines = [f"migration\t{fields['migration']}", f"from\t{fields['from']}", f"to\t{fields['to']}"]
    lines += [f"tenants\t{state}\t{count}" for state, count in fields["tenants"].items()]
    for key in (
        "wave", "items_per_second", "lag_seconds", "eta_seconds", "throttled", "stopped", "paused", "holder",
        "left_out",
    ):  # fmt: skip
        if fields[key] is not None:
            lines.append(f"{key}\t{fields[key]}")
    lines += [f"error\t{one['tenant']}\t{one['error']}" for one in fields["errors"]]
    return [*lines, f"next\t{fields['next']}"]


def _page(fields: dict[str, Any], console: Console) -> Text:
    """States as a bar, then what is known of the pace, then what stands in the way."""
    total = sum(fields["tenants"].values())
    page = Text()
    page.append(f"{fields['point']}", style="bold")
    page.append(f"  {fields['from']} → {fields['to']}   {fields['migration']}\n", style="dim")
    page.append_text(_bar(fields["tenants"], total, min(BAR, max(10, console.width - 24))))
    page.append(f"  {counted(total, 'tenant')}\n")
    for state, count in fields["tenants"].items():
        page.append("  ■ ", style=COLOURS[state])
        page.append(f"{count:>7,} {state.replace('_', ' ')}\n")
    page.append_text(_pace(fields))
    for word, style in (("paused", "bold yellow"), ("throttled", "yellow"), ("stopped", "bold red")):
        if fields[word]:
            page.append(f"{word}: {fields[word]}\n", style=style)
    for one in fields["waiting"][:MOST_ERRORS]:
        page.append(f"  {one['tenant']}: {one['reason'].removeprefix(one['tenant'] + ': ')}\n", style="yellow")
        if one["next"]:
            page.append(f"    {one['next']}\n", style="dim")
    if fields["left_out"]:
        page.append(f"{fields['left_out']}\n", style="yellow")
    told = {one["tenant"] for one in fields["waiting"][:MOST_ERRORS]}
    errors = [one for one in fields["errors"] if one["tenant"] not in told]
    for one in errors[:MOST_ERRORS]:
        page.append(f"  {one['tenant']} ({one['state'].replace('_', ' ')}): {one['error']}\n", style="red")
    if len(errors) > MOST_ERRORS:
        page.append(f"  and {len(errors) - MOST_ERRORS:,} more; --json lists all\n", style="red")
    page.rstrip()
    return page


def _bar(states: dict[str, int], total: int, width: int) -> Text:
    """Each state has at least one cell, so that a single tenant is seen among thousands."""
    bar = Text()
    if not total:
        return bar
    shares = {state: max(1, round(width * count / total)) for state, count in states.items()}
    while sum(shares.values()) > width and max(shares.values()) > 1:
        shares[max(shares, key=lambda state: shares[state])] -= 1
    for state, cells in shares.items():
        bar.append("█" * cells, style=COLOURS[state])
    return bar


def _pace(fields: dict[str, Any]) -> Text:
    parts = []
    if fields["wave"] is not None:
        parts.append(f"wave {fields['wave']} of {fields['waves']}")
    if fields["items"]:
        parts.append(f"{fields['copied']:,} of {fields['items']:,} items copied")
    if fields["items_per_second"]:
        parts.append(f"{fields['items_per_second']:,.0f}/s")
    if fields["lag_seconds"] is not None:
        parts.append(f"{fields['lag_seconds']:.1f} s behind")
    if fields["eta_seconds"]:
        parts.append(f"about {format_duration(round(fields['eta_seconds']))} left")
    held = f"{fields['holder']} is at it" if fields["holder"] else "" if fields["ended"] else "nobody is at it now"
    text = Text(" · ".join(parts) + ("\n" if parts else ""))
    return text.append(held + ("\n" if held else ""), style="dim")


def show_log(
    ledger: MoveLedger, migration: Migration, tenants: Sequence[str | None], as_json: bool, plain: bool
) -> int:
    """The audit trail, oldest first."""
    lines = [line for tenant in tenants for line in ledger.journal(migration, tenant)]
    lines.sort(key=lambda line: line.id)
    if as_json:
        emit_json({"point": migration.point, "migration": migration.id, "lines": [_line_fields(one) for one in lines]})
        return 0
    for one in lines:
        facts = ", ".join(f"{key} {value}" for key, value in one.facts.items())
        if plain:
            emit_line(f"{_time(one.at)}\t{one.tenant}\t{one.what}\t{one.who}\t{facts}")
        else:
            text = Text(f"{_time(one.at)}  ", style="dim").append(f"{one.tenant or '(all)':<16} ", style="bold")
            text.append(one.what, style="")
            text.append(f"  {facts}" if facts else "", style="dim").append(f"  {one.who}", style="dim")
            out().print(text, soft_wrap=True)
    return 0


def _line_fields(line: JournalLine) -> dict[str, Any]:
    return {
        "id": line.id, "at": _time(line.at), "tenant": line.tenant or None, "what": line.what, "who": line.who,
        "facts": dict(line.facts),
    }  # fmt: skip


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
