"""``outgrow migrate POINT create``: who is to move, in which waves."""

from __future__ import annotations

from outgrow.cli.migrate_registering import LET_GO, registered_by
from outgrow.cli.migrate_running import who_am_i
from outgrow.cli.output import emit_json, emit_line, hint
from outgrow.errors import UsageError
from outgrow.ledger.location import is_url
from outgrow.migrating.opened import OpenMove
from outgrow.migrating.opening import carrier_of, first_rows, new_migration
from outgrow.migrating.reporting import counted
from outgrow.migration.records import TenantMove
from outgrow.points.declaration import Point
from outgrow.ports import Copying
from outgrow.wiring import Workspace

BY_HAND = (
    "INSERT INTO outgrow.journal (migration, tenant, what, who, facts) "
    "VALUES ('MIGRATION', '', 'WHAT', current_user, '{}')"
)
"""Says that nothing registers writes for a migration any more, where the tool cannot see to it itself."""


def create(workspace: Workspace, point: Point, move: OpenMove, dry_run: bool, as_json: bool) -> None:
    """Writes the migration down, all tenants pending, and says its waves; with ``dry_run`` only says them.

    Raises:
        UsageError: there is nobody to move, somebody cannot be, the stores do not fit, or what registered the writes of
            the migration before may still do so.
        StoreFailed: a store does not answer.
    """
    declared, ledger = point.migration, move.ledger
    assert declared is not None
    if not dry_run:
        _refuse_beside(move, point)
    mover = move.mover()
    if isinstance(mover, Copying) and mover.source.form != mover.target.form:
        raise UsageError(
            f"{declared.source} holds {mover.source.form} and {declared.target} {mover.target.form}: "
            "items cannot go from one to the other",
            next_step="give source and target stores of one form; docs/reference/movers.md says which are",
        )
    registered = registered_by(mover, point)
    now = ledger.now()
    carrier = carrier_of(mover, ledger)
    taken = {str(one.body.get("id")) for one in workspace.ledger.records("migration", point.id)}
    made = new_migration(point.id, declared, mover, now, taken)
    rows, elsewhere = first_rows(ledger, made, carrier, declared.internal)
    if not rows:
        raise UsageError(f"there is no tenant in {declared.source}; nothing was made")
    waves: dict[int, list[TenantMove]] = {}
    for row in rows:
        waves.setdefault(row.wave, []).append(row)
    if not dry_run:
        made = ledger.create(made, rows, who_am_i())
        if registered is not None:
            registered.begin()
        move.remember(made, "created", {"tenants": len(rows), "waves": len(waves)})
    if as_json:
        emit_json(
            {
                "point": point.id, "migration": None if dry_run else made.id, "from": made.source,
                "to": made.target, "elsewhere": elsewhere,
                "waves": [{"wave": wave, "tenants": [row.tenant for row in some]} for wave, some in waves.items()],
            }
        )  # fmt: skip
    else:
        said = "would be made" if dry_run else f"is made: {made.id}"
        emit_line(f"The migration of {point.id} from {made.source} to {made.target} {said}. Nothing moves yet.")
        for wave, some in waves.items():
            sizes = [row.items for row in some if row.items is not None]
            items = f", {sum(sizes):,} items" if len(sizes) == len(some) else ""
            few = ", ".join(row.tenant for row in some[:5]) + (" …" if len(some) > 5 else "")
            emit_line(f"  wave {wave}: {counted(len(some), 'tenant')}{items} ({few})")
        if elsewhere:
            emit_line(f"  {counted(len(elsewhere), 'tenant')} routed elsewhere stay where they are")
    hint(f"outgrow migrate {point.id} {'create' if dry_run else 'start'}")


def _refuse_beside(move: OpenMove, point: Point) -> None:
    """Later commands look at the new migration alone: what was left of the one before would stay for good, and its
    triggers would go on to refuse the application's writes where routes lead elsewhere."""
    before, declared = move.ledger.migration(point.id), point.migration
    if before is None or before.ended_at is None or before.kind == "filling":
        return
    if declared is None or declared.truth is None or not is_url(declared.truth):  # nothing can register there
        return
    if any(line.what == LET_GO for line in move.ledger.journal(before, "")):
        return
    raise UsageError(
        f"{before.id} has ended, and what registers writes for it may still be there; nothing was made",
        next_step=f"write the stores of {before.id} under {point.id}: migration as they were, say outgrow migrate "
        f"{point.id} status, which takes it away, and then create with the new ones. Where those tables are gone for "
        f"good, say so in the database of its truth: {BY_HAND.replace('MIGRATION', before.id).replace('WHAT', LET_GO)}",
    )
