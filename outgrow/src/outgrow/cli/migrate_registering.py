"""Has the writes of an application registered by the database where that can be done: tables of PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from outgrow.cli.output import err
from outgrow.errors import UsageError
from outgrow.ledger.location import is_url
from outgrow.points.declaration import DeclaredMove, Point
from outgrow.wiring import Workspace

BY_TRIGGERS = "sql-table"


def lay_triggers(workspace: Workspace, point: Point) -> None:
    """Lays the triggers, where the mover has any; a second time changes nothing.

    Raises:
        UsageError: the truth of the move is not in the application's database.
        StoreFailed: they could not be laid.
    """
    declared = point.migration
    if declared is None or declared.mover.kind != BY_TRIGGERS:
        return
    from outgrow.movers.registering import install

    for sentence in install(_settings(workspace, declared), point.id, _truth(point, declared)):
        err().print(sentence, markup=False, soft_wrap=True)


def take_triggers_away(workspace: Workspace, point: Point) -> None:
    """Takes them away: the migration has ended. Raises ``StoreFailed``."""
    declared = point.migration
    if declared is None or declared.mover.kind != BY_TRIGGERS:
        return
    from outgrow.movers.registering import uninstall

    uninstall(_settings(workspace, declared), point.id)


def _truth(point: Point, declared: DeclaredMove) -> str:
    if declared.truth is None or not is_url(declared.truth):
        raise UsageError(
            f"the tables of {point.id} are written by an application, so the truth of its move has to be in the "
            "application's own database",
            next_step=f"write truth: postgresql://... under {point.id}: migration",
        )
    return declared.truth


def _settings(workspace: Workspace, declared: DeclaredMove) -> dict[str, object]:
    folder = workspace.path.resolve().parent
    own = {
        key: str(folder / Path(value).expanduser()) if key.endswith("_file") and isinstance(value, str) else value
        for key, value in declared.mover.settings.items()
    }
    return {**own, "source": declared.source, "target": declared.target}
