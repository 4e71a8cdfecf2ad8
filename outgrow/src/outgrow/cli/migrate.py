"""``outgrow migrate``: tenants move from a store to another while the service runs, with a way back."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from outgrow.cli.migrate_asked import (
    Asked,
    Opened,
    can_cancel,
    can_complete,
    can_reverse,
    can_start,
    can_switch,
    is_held_twice,
    selected,
    selection_of,
)
from outgrow.cli.migrate_create import create
from outgrow.cli.migrate_identity import same_stores
from outgrow.cli.migrate_registering import brought_to_its_end, let_go_of, registered_by
from outgrow.cli.migrate_running import carry_out, declares_before, who_am_i
from outgrow.cli.migrate_status import show_log, show_status
from outgrow.cli.migrate_verify import verify_tenants
from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, emit_line, err, hint, out
from outgrow.errors import UsageError
from outgrow.migrating.explaining import Explained, explained
from outgrow.migrating.opening import carrier_of, new_tenants
from outgrow.migrating.reporting import counted
from outgrow.migration.records import Goal, Migration, TenantMove
from outgrow.points.declaration import Point
from outgrow.ports import Busy
from outgrow.quantities import parse_duration
from outgrow.wiring import chosen_point, move_of, open_workspace


class Verb(StrEnum):
    """What ``outgrow migrate POINT`` can do."""

    CREATE = "create"
    START = "start"
    STATUS = "status"
    PAUSE = "pause"
    RESUME = "resume"
    VERIFY = "verify"
    SHADOW = "shadow"
    SWITCH = "switch"
    REVERSE = "reverse"
    CANCEL = "cancel"
    COMPLETE = "complete"
    LOG = "log"


ACTING = (Verb.START, Verb.VERIFY, Verb.SWITCH, Verb.REVERSE, Verb.CANCEL, Verb.COMPLETE)
"""What reads or writes the stores."""
NEEDS_REHEARSAL = ("high", "very-high", "nearly-impossible")
"""How hard going back must be rated for a rehearsed way back to be asked for."""


def migrate(
    point: Annotated[str, typer.Argument(help="The rewrite point.", show_default=False)],
    verb: Annotated[Verb, typer.Argument(help="What to do.", show_default=False)],
    tenant: Annotated[list[str] | None, typer.Option(help="This tenant; may be given again.")] = None,
    wave: Annotated[int | None, typer.Option(help="All tenants of this wave.", min=1)] = None,
    all_: Annotated[bool, typer.Option("--all", help="All tenants that this can be done to.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done; so do switch, complete and cancel.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: switch, complete, cancel.")] = False,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="switch: one tenant, there and back again, to know that one can.")
    ] = False,
    deadline: Annotated[
        str | None, typer.Option(help="switch: who is not switched by then stays ready, e.g. 10m.", metavar="DURATION")
    ] = None,
    no_baseline: Annotated[
        bool, typer.Option("--no-baseline", help="switch: without measuring the service before each wave.")
    ] = False,
    percent: Annotated[
        float | None, typer.Option(help="shadow: so many of 100 reads are asked of both stores.", min=0, max=100)
    ] = None,
    repair: Annotated[bool, typer.Option("--repair", help="verify: copy what differs once more.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="status: again every second, until it is over.")] = False,
    accept_mover: Annotated[
        bool, typer.Option("--accept-mover", help="The file leads to the same stores as before, in another way.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Move a point's tenants from a store to another, tenant by tenant, with a way back until complete.

    create → start → status → (shadow) → switch → (reverse) → complete. Ctrl-C is safe at any time; start goes on.
    """
    asked = Asked(
        tuple(tenant or ()), wave, all_, yes, dry_run, rehearse, not no_baseline, _seconds(deadline), as_json, plain,
        no_input,
    )  # fmt: skip
    if dry_run and yes:
        raise UsageError("--dry-run and --yes say the opposite; give one of them")
    if len([one for one in (bool(asked.tenants), wave is not None, all_) if one]) > 1:
        raise UsageError("give one of --tenant, --wave and --all")
    with open_workspace(config) as workspace:
        chosen: Point = chosen_point(workspace.declaration, point)
        with move_of(workspace, chosen) as move:
            found = move.ledger.migration(chosen.id)
            if found is not None and verb not in (Verb.STATUS, Verb.LOG) and not dry_run:
                found = brought_to_its_end(move, found)
            if found is not None and verb is not Verb.LOG and not dry_run:
                let_go_of(move, chosen, found)
            if verb is Verb.CREATE:
                create(workspace, chosen, move, dry_run, as_json)
                return
            if found is None:
                raise UsageError(f"{chosen.id} has no migration yet", next_step=f"outgrow migrate {chosen.id} create")
            if verb not in (Verb.STATUS, Verb.LOG):
                _refuse_other_stores(chosen, found)
            if verb in ACTING and found.ended_at is None:
                found = same_stores(move, chosen, found, accept_mover, dry_run)
            opened = Opened(workspace, chosen, move, found)
            code = _do(opened, verb, asked, percent, repair, watch)
            after = move.ledger.migration(chosen.id)
            if found.ended_at is None and after is not None and after.ended_at is not None:
                let_go_of(move, chosen, after)
    if code:
        raise typer.Exit(code)


def _refuse_other_stores(point: Point, found: Migration) -> None:
    """A copy is deleted by where the store stands in the file: with other names there, it may be the wrong one."""
    declared = point.migration
    assert declared is not None, "move_of refuses a point without one"
    if found.ended_at is None and (declared.source, declared.target) != (found.source, found.target):
        raise UsageError(
            f"{found.id} goes from {found.source} to {found.target}, and the file now says from {declared.source} to "
            f"{declared.target}; nothing was done",
            next_step=f"write source: {found.source} and target: {found.target} under {point.id}: migration, until "
            "it has ended",
        )


def _do(opened: Opened, verb: Verb, asked: Asked, percent: float | None, repair: bool, watch: bool) -> int:
    match verb:
        case Verb.STATUS:
            return show_status(opened.move, opened.workspace, opened.migration, asked.as_json, asked.plain, watch)
        case Verb.LOG:
            tenants = asked.tenants or (None,)
            return show_log(opened.ledger, opened.migration, tenants, asked.as_json, asked.plain)
    if opened.migration.ended_at is not None:
        raise UsageError(
            f"the migration {opened.migration.id} has ended; nothing is left to be done in it",
            next_step=f"outgrow migrate {opened.point.id} create begins another one",
        )
    match verb:
        case Verb.PAUSE | Verb.RESUME:
            return _pause(opened, verb is Verb.PAUSE, asked.as_json)
        case Verb.SHADOW:
            return _shadow(opened, percent, asked.as_json)
        case Verb.VERIFY:
            rows = selected(opened, asked, is_held_twice, "has a copy in both stores")
            return verify_tenants(opened.move, opened.migration, rows, repair, asked.as_json, asked.plain)
        case Verb.START:
            return _start(opened, asked)
        case Verb.SWITCH:
            return _switch(opened, asked)
        case Verb.REVERSE:
            rows = selected(opened, asked, can_reverse, "is switched")
            return _act(opened, asked, rows, "ready", "reverse", needs_yes=False)
        case Verb.CANCEL:
            rows = selected(opened, asked, can_cancel, "can be cancelled: what is switched is reversed first")
            return _act(opened, asked, rows, "cancelled", "cancel", needs_yes=True)
        case _:
            rows = selected(opened, asked, can_complete, "is switched, which is what can be completed")
            return _act(opened, asked, rows, "completed", "complete", needs_yes=True)


def _pause(opened: Opened, paused: bool, as_json: bool) -> int:
    migration = opened.ledger.set_paused(opened.migration, f"by {who_am_i()}" if paused else "", who_am_i())
    if as_json:
        emit_json({"point": opened.point.id, "migration": migration.id, "paused": migration.paused or None})
    else:
        word = "paused: nothing is copied or switched" if paused else "not paused any more"
        err().print(f"{migration.id} is {word}; what is routed stays as it is", markup=False)
    hint(f"outgrow migrate {opened.point.id} {'resume' if paused else 'start'}")
    return 0


def _shadow(opened: Opened, percent: float | None, as_json: bool) -> int:
    ledger, migration = opened.ledger, opened.migration
    if percent is not None:
        migration = ledger.set_shadow_share(migration, percent / 100, who_am_i())
    rows = [row for row in ledger.tenants(migration) if is_held_twice(row)]
    counts = [ledger.shadow(migration, row.tenant) for row in rows]
    total = {key: sum(getattr(one, key) for one in counts) for key in ("matched", "differed", "failed")}
    share = migration.pace.shadow_share * 100
    if as_json:
        emit_json({"point": opened.point.id, "migration": migration.id, "percent": share, **total})
    else:
        emit_line(
            f"{share:g} % of reads are asked of both stores; so far {total['matched']:,} gave the same, "
            f"{total['differed']:,} differed, {total['failed']:,} had no answer in time from the other store"
        )
    command = f"outgrow migrate {opened.point.id}"
    hint(f"{command} shadow --percent 0 ends it at once" if share else f"{command} shadow --percent 10")
    return 1 if total["differed"] else 0


def _start(opened: Opened, asked: Asked) -> int:
    if not asked.dry_run and not asked.tenants and asked.wave is None:
        _take_in_new(opened)
    rows = selected(opened, asked, can_start, "is left to be copied")
    return _act(opened, asked, rows, "ready", "start", needs_yes=False)


def _take_in_new(opened: Opened) -> None:
    """Tenants that came up since the migration was made join its last wave; where somebody is at it, that one does."""
    rows = opened.ledger.tenants(opened.migration)
    found = new_tenants(opened.ledger, opened.migration, carrier_of(opened.move.mover(), opened.ledger), rows)
    if left_out := found.said(opened.migration):
        err().print(Text(left_out, style="yellow"), soft_wrap=True)
    if not found.rows:
        return
    try:
        taken = opened.ledger.take(opened.migration, who_am_i())
    except Busy:
        return
    opened.ledger.add_tenants(taken, found.rows)
    opened.ledger.release(taken)
    err().print(f"{counted(len(found.rows), 'tenant')} came up since and joined the last wave", markup=False)


def _switch(opened: Opened, asked: Asked) -> int:
    rows = selected(opened, asked, can_switch, "is left to be switched", first_wave=True)
    rehearsed = opened.migration.rehearsed_at is not None or any(
        row.reversed_at is not None for row in opened.ledger.tenants(opened.migration)
    )
    command = f"outgrow migrate {opened.point.id} switch"
    if asked.rehearse:
        if len(rows) != 1 or not asked.tenants:
            raise UsageError(
                "a rehearsal takes one tenant there and back again; name it",
                next_step=f"{command} --rehearse --tenant {shlex.quote(rows[0].tenant)} --yes",
            )
        code = _act(opened, asked, rows, "switched", "switch", needs_yes=True)
        if code or not asked.yes:
            return code
        return _act(opened, asked, rows, "ready", "reverse", needs_yes=False)
    if opened.point.rollback in NEEDS_REHEARSAL and not rehearsed:
        raise UsageError(
            f"going back is rated {opened.point.rollback} for {opened.point.id}, so it is rehearsed with one tenant "
            "before any is switched for good",
            next_step=f"{command} --rehearse --tenant {shlex.quote(rows[0].tenant)} --yes",
        )
    return _act(opened, asked, rows, "switched", "switch", needs_yes=True)


def _act(opened: Opened, asked: Asked, rows: Sequence[TenantMove], goal: Goal, verb: str, *, needs_yes: bool) -> int:
    """Says what would be done, or has it done; → the exit code."""
    dry = asked.dry_run or (needs_yes and not asked.yes)
    if dry:
        ways = explained(opened.migration, rows, goal)
        if asked.as_json:
            emit_json(_would(opened, verb, ways))
        else:
            _show_ways(opened, verb, ways, asked.plain)
            if verb == "switch" and asked.baseline and declares_before(opened.point, opened.migration):
                out(asked.plain).print("before each wave the service is measured as it is", markup=False)
        if verb == "complete" and not asked.dry_run and _is_confirmed(opened.migration, asked):
            return carry_out(
                opened.workspace, opened.point, opened.move, opened.migration, rows, goal, verb, asked.as_json, None,
                selection=selection_of(asked),
            )  # fmt: skip
        hint(f"outgrow migrate {opened.point.id} {verb}{selection_of(asked)}" + (" --yes" if needs_yes else ""))
        return 0
    if verb == "start" or (verb == "switch" and any(row.state == "pending" for row in rows)):
        _have_registered(opened)
    return carry_out(
        opened.workspace, opened.point, opened.move, opened.migration, rows, goal, verb, asked.as_json, asked.deadline,
        add_new=verb == "start" and not asked.tenants and asked.wave is None, selection=selection_of(asked),
        baseline=asked.baseline,
    )  # fmt: skip


def _have_registered(opened: Opened) -> None:
    """Before anything is copied: what ``create`` was to lay, it may have been killed before, or a table was busy."""
    registered = registered_by(opened.move.mover(), opened.point)
    if registered is not None:
        registered.begin()


def _is_confirmed(migration: Migration, asked: Asked) -> bool:
    import sys

    if asked.no_input or asked.as_json or not sys.stdin.isatty():
        return False
    typed = typer.prompt(f"To delete these copies, type the migration's id ({migration.id})", default="", err=True)
    return bool(typed.strip() == migration.id)


def _would(opened: Opened, verb: str, ways: Sequence[Explained]) -> dict[str, Any]:
    return {
        "point": opened.point.id,
        "migration": opened.migration.id,
        "dry_run": True,
        "verb": verb,
        "would": [
            {"tenants": list(one.tenants), "steps": list(one.steps), "stopped": one.stopped or None} for one in ways
        ],
    }


def _show_ways(opened: Opened, verb: str, ways: Sequence[Explained], plain: bool) -> None:
    for one in ways:
        few = ", ".join(one.tenants[:5]) + (f" and {len(one.tenants) - 5:,} more" if len(one.tenants) > 5 else "")
        out(plain).print(f"{verb} {few} would, for each of them:", markup=False)
        for number, step in enumerate(one.steps, 1):
            out(plain).print(f"  {number}. {step}", markup=False, style="red" if step.startswith("DELETE") else None)
        if not one.steps and not one.stopped:
            out(plain).print("  do nothing in either store", markup=False)
        if one.stopped:
            out(plain).print(f"  and wait: {one.stopped}", markup=False, style="yellow")
    err().print("This was a dry run: nothing was changed.", markup=False)


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
