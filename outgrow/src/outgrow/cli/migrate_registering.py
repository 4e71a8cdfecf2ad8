"""Has the writes of an application registered by what its mover brings along for that, where it brings something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from outgrow.cli.migrate_running import who_am_i
from outgrow.cli.output import err
from outgrow.errors import OutgrowError, UsageError
from outgrow.ledger.location import is_url
from outgrow.migrating.identity import are_both, identity_of
from outgrow.migrating.opened import OpenMove
from outgrow.migrating.reporting import said
from outgrow.migration.records import Migration
from outgrow.migration.transitions import is_over
from outgrow.points.declaration import Point
from outgrow.ports import Busy, Copying, Mover, Registering, Superseded

LET_GO = "let go"
"""Of the journal, for the whole move: nothing registers writes for it any more."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A point whose mover has the application's writes registered. ``truth``: the URL of the database of its routes."""

    point: str
    registering: Registering
    truth: str

    def begin(self) -> None:
        """From now on, and says so; a second time changes nothing. Raises ``StoreFailed``."""
        for sentence in self.registering.install(self.point, self.truth):
            err().print(sentence, markup=False, soft_wrap=True)

    def end(self, is_over: Callable[[], bool]) -> None:
        """The migration has ended, and no other of the point has begun: ``is_over``. Raises ``StoreFailed``."""
        self.registering.uninstall(self.point, is_over)


def brought_to_its_end(move: OpenMove, migration: Migration) -> Migration:
    """Ends a migration whose tenants are all over: a process was killed between the last one's end and its own."""
    rows = move.ledger.tenants(migration)
    if migration.ended_at is not None or not rows or not all(map(is_over, rows)):
        return migration
    try:
        taken = move.ledger.take(migration, who_am_i())
    except Busy:
        return migration
    ended = move.ledger.end(taken)
    move.ledger.release(taken)
    return ended


def let_go_of(move: OpenMove, point: Point, migration: Migration) -> None:
    """Has nothing register writes any more for a migration that has ended; once, whichever process comes to it.

    Where that fails it is said, and the next command tries again. A process that comes late takes nothing from a
    migration that was begun since.
    """

    def is_last() -> bool:
        known = move.ledger.migration(point.id)
        return known is not None and known.id == migration.id

    if migration.ended_at is None or any(line.what == LET_GO for line in move.ledger.journal(migration, "")):
        return
    try:
        declared, mover = point.migration, move.mover()
        registered = registered_by(mover, point)
        if registered is not None:
            if declared is not None and migration.mover and not are_both(migration.mover, identity_of(declared, mover)):
                raise UsageError(f"the file leads to other stores than those of {migration.id}")
            registered.end(is_last)
        move.ledger.write_down(migration, "", LET_GO, {"registering": registered is not None})
    except Superseded:  # another process is at it, and does the same
        return
    except OutgrowError as failed:
        err().print(
            f"{migration.id} has ended, and what registers writes for it may still be there: {said(failed)}; the next "
            "command tries again",
            markup=False,
            soft_wrap=True,
        )


def registered_by(mover: Mover, point: Point) -> Registered | None:
    """None where the application registers its writes itself, or need not.

    Raises:
        UsageError: the truth of the move is not in the application's database.
    """
    registering = mover.registering if isinstance(mover, Copying) else None
    if registering is None:
        return None
    declared = point.migration
    if declared is None or declared.truth is None or not is_url(declared.truth):
        raise UsageError(
            f"what {point.id} moves is written by an application, so the truth of its move has to be in the "
            "application's own database",
            next_step=f"write truth: postgresql://... under {point.id}: migration",
        )
    return Registered(point.id, registering, declared.truth)
