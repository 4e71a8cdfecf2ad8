"""Has a before taken of each wave of a move, where its point declares what to measure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from outgrow.cli.baseline import take_baseline
from outgrow.migrating.befores import Before, Befores
from outgrow.migrating.opened import OpenMove
from outgrow.migrating.reporting import Telling
from outgrow.points.declaration import Point
from outgrow.wiring import Workspace


def befores_of(
    workspace: Workspace,
    point: Point,
    move: OpenMove,
    tell: Callable[[Telling], None],
    aside: Callable[[], AbstractContextManager[None]],
) -> Befores:
    """What takes the befores of a point's move; within ``aside`` it says on stderr how far it is."""

    def measure(occasion: str) -> Before:
        with aside():
            return take_baseline(workspace, point, occasion)

    def is_kept(occasion: str) -> bool:
        return any(one.body.get("occasion") == occasion for one in workspace.ledger.records("baseline", point.id))

    return Befores(move.ledger, measure, is_kept, tell)
