"""Has a before taken of each wave of a move, where its point declares what to measure."""

from __future__ import annotations

from collections.abc import Callable

from outgrow.cli.baseline import take_baseline
from outgrow.migrating.befores import Befores
from outgrow.migrating.opened import OpenMove
from outgrow.migrating.reporting import Telling
from outgrow.points.declaration import Point
from outgrow.wiring import Workspace


def befores_of(workspace: Workspace, point: Point, move: OpenMove, tell: Callable[[Telling], None]) -> Befores:
    """What takes the befores of a point's move."""

    def is_kept(occasion: str) -> bool:
        return any(one.body.get("occasion") == occasion for one in workspace.ledger.records("baseline", point.id))

    return Befores(move.ledger, lambda occasion: take_baseline(workspace, point, occasion), is_kept, tell)
