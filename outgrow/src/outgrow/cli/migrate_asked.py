"""What was asked of a migration, and which of its tenants are meant."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from outgrow.errors import UsageError
from outgrow.migrating.opened import OpenMove
from outgrow.migration.records import Migration, TenantMove
from outgrow.migration.transitions import truth_of
from outgrow.migration.waves import is_met
from outgrow.points.declaration import Point
from outgrow.ports import MoveLedger
from outgrow.wiring import Workspace


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, as it was typed."""

    tenants: tuple[str, ...] = ()
    wave: int | None = None
    all_: bool = False
    yes: bool = False
    dry_run: bool = False
    rehearse: bool = False
    baseline: bool = True
    deadline: float | None = None
    as_json: bool = False
    plain: bool = False
    no_input: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A point's move, and its migration as it stands."""

    workspace: Workspace
    point: Point
    move: OpenMove
    migration: Migration

    @property
    def ledger(self) -> MoveLedger:
        """The truth of the move."""
        return self.move.ledger


def selection_of(asked: Asked) -> str:
    """The options that chose these tenants, to be said again."""
    if asked.tenants:
        return "".join(f" --tenant {shlex.quote(one)}" for one in asked.tenants)
    return f" --wave {asked.wave}" if asked.wave is not None else " --all" if asked.all_ else ""


def selected(
    opened: Opened, asked: Asked, can: Callable[[TenantMove], bool], what: str, *, first_wave: bool = False
) -> list[TenantMove]:
    """The rows that are meant; raises ``UsageError`` where there are none, or a named one cannot be meant."""
    rows = opened.ledger.tenants(opened.migration)
    if asked.tenants:
        known = {row.tenant: row for row in rows}
        for name in asked.tenants:
            if name not in known:
                raise UsageError(f"{opened.migration.id} has no tenant {name!r}")
            if not can(known[name]):
                raise UsageError(
                    f"{name} is {known[name].state}, so this cannot be done to it",
                    next_step=f"outgrow migrate {opened.point.id} status",
                )
        return [known[name] for name in dict.fromkeys(asked.tenants)]
    chosen = [row for row in rows if can(row) and asked.wave in (None, row.wave)]
    if first_wave and not asked.all_ and asked.wave is None:
        wave = min((row.wave for row in chosen), default=0)
        chosen = [row for row in chosen if row.wave == wave]
    if not chosen:
        where = f" of wave {asked.wave}" if asked.wave is not None else ""
        raise UsageError(f"no tenant{where} {what}", next_step=f"outgrow migrate {opened.point.id} status")
    return chosen


def can_start(row: TenantMove) -> bool:
    """It is to be copied, or followed."""
    return truth_of(row) == "source" and row.state != "cancelled" and not (row.goal == "switched" and not is_met(row))


def can_switch(row: TenantMove) -> bool:
    """It is not switched yet."""
    return truth_of(row) == "source" and row.state != "cancelled"


def can_reverse(row: TenantMove) -> bool:
    """It is switched, or between both."""
    return row.state in ("switched", "reversing", "switching")


def can_complete(row: TenantMove) -> bool:
    """It is switched, or its copy was not dropped yet."""
    return row.state == "switched" or (row.state == "completed" and not row.dropped)


def can_cancel(row: TenantMove) -> bool:
    """It is where it always was."""
    return truth_of(row) == "source" and not (row.state == "cancelled" and row.dropped)


def is_held_twice(row: TenantMove) -> bool:
    """Both stores have it whole."""
    return row.state not in ("pending", "preparing", "copying", "completed", "cancelled")
