"""The switch of one tenant, there and back: frozen → drained → compared → way_back_ready → flipped, or fallen back.

Until the flip nothing is decided: whatever stands against it before the deadline has passed, writers go on, the tenant
is where it was, and its row says why. Nothing of a switch waits for a throttle: while it lasts, people wait.
"""

from __future__ import annotations

from outgrow.migration.commands import (
    Carry,
    Command,
    CompareLast,
    Flip,
    Freeze,
    Observed,
    ProveWayBack,
    Side,
    Thaw,
    Wait,
)
from outgrow.migration.records import Migration, State, TenantMove
from outgrow.quantities import format_duration

FILLING_SECONDS = 60.0
"""The longest that a switch takes in a move by filling, where no writer waits for it."""
BEGINNING_SECONDS = 600.0
"""The longest until writers are made to wait: where nobody waits yet, there is time to compare all keys again."""
WRITERS_SECONDS = 0.05
"""How soon is looked again in a switch."""


def switch_seconds(migration: Migration) -> float:
    """The longest that a switch takes, counted from its ``Freeze`` where writers wait, else from its beginning."""
    return FILLING_SECONDS if migration.kind == "filling" else migration.pace.freeze_seconds


def batch_of(migration: Migration, observed: Observed) -> int:
    """How many registered writes are carried at once: as declared, or as many as that grew to."""
    return max(observed.batch, migration.pace.batch)


def falls_back_to(move: TenantMove) -> State:
    """The state from which a switch began."""
    return "switched" if move.state == "reversing" else "ready"


def next_in_switch(migration: Migration, move: TenantMove, observed: Observed) -> Command:
    """What is to be done now for a tenant that is switching or reversing."""
    truth: Side = "target" if move.state == "reversing" else "source"
    other: Side = "source" if truth == "target" else "target"
    against = _against(migration, move, observed, truth)
    waits = move.retry_at is not None and observed.now < move.retry_at
    if against and not (waits and observed.now >= _deadline(migration, move)):
        return Thaw(against)
    if waits and move.retry_at is not None:
        return Wait(move.error or "it failed before", move.retry_at - observed.now, "retry")
    if migration.kind == "filling":
        return _next_in_filling(migration, move, observed, truth, other)
    if move.step == "":
        return Freeze(migration.pace.freeze_seconds)
    under_way = max(0, observed.open - observed.abandoned)
    if move.step == "frozen" and under_way and observed.waiting <= observed.open:
        writes = "write is" if under_way == 1 else "writes are"
        return Wait(f"{under_way} {writes} under way", WRITERS_SECONDS, "writers")
    if move.step == "frozen" or observed.waiting > observed.abandoned:
        return Carry(truth, batch_of(migration, observed) + observed.open, observed.abandoned)
    return _after_drained(move, truth, other)


def _next_in_filling(migration: Migration, move: TenantMove, observed: Observed, truth: Side, other: Side) -> Command:
    if observed.behind or observed.fault:
        store = migration.source if other == "source" else migration.target
        why = observed.fault or f"{observed.behind} positions behind"
        return Wait(f"{store}: {why}", WRITERS_SECONDS, "lag")
    return _after_drained(move, truth, other)


def _after_drained(move: TenantMove, truth: Side, other: Side) -> Command:
    match move.step:
        case "compared":
            return ProveWayBack(truth)
        case "way_back_ready":
            return Flip(other)
        case _:
            return CompareLast(truth)


def _against(migration: Migration, move: TenantMove, observed: Observed, truth: Side) -> str:
    """Why the switch cannot go on; "" where it can."""
    wanted = ("ready",) if move.state == "reversing" else ("switched",)
    here = migration.target if truth == "target" else migration.source
    if move.goal not in wanted:
        return f"it is not wanted any more (now: {move.goal})"
    if migration.paused:
        return f"paused: {migration.paused}"
    if observed.route != here and not (observed.route is None and truth == "source"):
        return f"its route names {observed.route}, though by this move it is in {here}"
    if move.differing:
        return move.error or f"{move.differing} keys differ"
    deadline = _deadline(migration, move)
    if observed.now >= deadline or (move.retry_at is not None and move.retry_at >= deadline):
        longest = format_duration(deadline - move.since if move.deadline is None else switch_seconds(migration))
        return f"{_unfinished(migration, move, observed)} within {longest}"
    return ""


def _deadline(migration: Migration, move: TenantMove) -> float:
    if move.deadline is not None:
        return move.deadline
    return move.since + (switch_seconds(migration) if migration.kind == "filling" else BEGINNING_SECONDS)


def _unfinished(migration: Migration, move: TenantMove, observed: Observed) -> str:
    if move.error:
        return f"{move.error}; it did not come about"
    under_way = max(0, observed.open - observed.abandoned)
    if under_way:
        return f"{under_way} writes under way did not end"
    if observed.waiting:
        return f"{observed.waiting} registered writes were not carried over" + (
            f" ({observed.outrun})" if observed.outrun else ""
        )
    if migration.kind == "filling" and (observed.behind or observed.fault):
        return observed.fault or f"{observed.behind} positions were still lacking"
    return f"it did not get beyond {move.step.replace('_', ' ') or 'its beginning'}"
