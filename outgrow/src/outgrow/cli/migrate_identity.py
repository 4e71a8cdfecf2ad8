"""Refuses a file that leads to other stores than those between which the migration was made."""

from __future__ import annotations

from outgrow.cli.migrate_running import who_am_i
from outgrow.cli.output import err
from outgrow.errors import UsageError
from outgrow.migrating.identity import changed, identity_of, is_turned
from outgrow.migrating.opened import OpenMove
from outgrow.migration.records import Migration
from outgrow.points.declaration import Point


def same_stores(move: OpenMove, point: Point, found: Migration, accept: bool, dry_run: bool) -> Migration:
    """The migration, if the declared mover leads to its stores; with ``accept``, as it is once that was accepted.

    Raises:
        UsageError: it leads to others.
        StoreFailed: a store does not say which one it is.
    """
    declared = point.migration
    assert declared is not None, "move_of refuses a point without one"
    now = identity_of(declared, move.mover())
    differences = changed(found.mover, now)
    if not differences:
        return found
    told = "; ".join(f"{key} was {was}, is {is_}" for key, was, is_ in differences)
    if not found.mover:
        told = "which ones it was made between was not kept"
    elif is_turned(found.mover, now):
        raise UsageError(
            f"the file turns {found.id} round: what was its source is its target, or the other way: {told}; nothing "
            "was done",
            next_step=f"write it as it was under {point.id}: migration: mover; the way back is outgrow migrate "
            f"{point.id} reverse",
        )
    if not accept:
        raise UsageError(
            f"the file may lead to other stores than those of {found.id}: {told}; nothing was done",
            next_step=f"write it as it was under {point.id}: migration: mover; only if they are the same stores, "
            "reached in another way, say it again with --accept-mover",
        )
    err().print(f"accepted as the stores of {found.id}: {told}", markup=False, soft_wrap=True)
    return found if dry_run else move.ledger.set_mover(found, now, who_am_i())
