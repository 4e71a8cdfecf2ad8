"""What is done next for one tenant: from its row and what was seen of it, and nothing else.

Both kinds go the same way: pending → preparing → copying → catching_up (copying only) → verifying → shadowing (where
reads are to be compared) → ready → switching → switched → completed. Of what is here, only ``Drop`` destroys, and only
once the row says ``completed`` or ``cancelled``, states that no goal leads out of.
"""

from __future__ import annotations

from outgrow.migration.advancing import advanced
from outgrow.migration.commands import (
    Carry,
    Command,
    CopyPage,
    Drop,
    Enter,
    Fill,
    Observed,
    Place,
    Rest,
    Side,
    Verify,
    Wait,
)
from outgrow.migration.records import LAYOUT_VERSION, Migration, TenantMove
from outgrow.migration.switching import batch_of, next_in_switch

__all__ = ["advanced", "is_over", "next_command", "truth_of"]

LOOK_AGAIN_SECONDS = 1.0
"""How soon a tenant that waits for others is looked at again."""
PEOPLE_SECONDS = 5.0
"""As ``LOOK_AGAIN_SECONDS``, where people are waited for."""


def truth_of(move: TenantMove) -> Side:
    """The store that has the tenant's truth, as its row says."""
    return "target" if move.state in ("switched", "reversing", "completed") else "source"


def is_over(move: TenantMove) -> bool:
    """Nothing is left to be done for the tenant, whatever people want."""
    return move.state in ("completed", "cancelled") and move.dropped


def next_command(migration: Migration, move: TenantMove, observed: Observed) -> Command:
    """What is to be done now for the tenant. Never raises: where nothing can be done it is a ``Wait`` that says why."""
    if migration.layout_version > LAYOUT_VERSION:
        return Wait(
            f"this move was made by a newer outgrow (its rows have layout {migration.layout_version}, "
            f"this one knows {LAYOUT_VERSION})",
            PEOPLE_SECONDS,
            "people",
            "go on with that version; nothing was changed",
        )
    if migration.ended_at is not None or is_over(move):
        return Rest()
    if move.state in ("switching", "reversing"):
        return next_in_switch(migration, move, observed)
    ended = move.state in ("completed", "cancelled")
    if move.goal == "none" and not ended:
        return Rest()
    astray = _astray(migration, move, observed)
    if astray is not None:
        return astray
    cancelling = move.goal == "cancelled" and truth_of(move) == "source"
    if cancelling and not ended:
        return Enter("cancelled")
    if migration.paused:
        return Wait(
            f"paused: {migration.paused}", PEOPLE_SECONDS, "paused", f"outgrow migrate {migration.point} resume"
        )
    if move.retry_at is not None and observed.now < move.retry_at:
        return Wait(move.error or "it failed before", move.retry_at - observed.now, "retry")
    match move.state:
        case "completed" | "cancelled":
            return _overtaken(migration, observed) or Drop("source" if move.state == "completed" else "target")
        case "switched":
            return _switched(migration, move, observed)
        case "shadowing" | "ready":
            return _held_twice(migration, move, observed)
        case _:
            return _on_the_way(migration, move, observed)


def _overtaken(migration: Migration, observed: Observed) -> Wait | None:
    """Generations, and the copy, stay until nothing can arrive any more that they keep out."""
    passed, late = observed.overtaken_seconds, migration.pace.late_seconds
    if migration.kind == "filling" or passed is None or passed >= late:
        return None
    left = late - passed
    return Wait(
        f"a process that was at this move before was stopped {passed:.0f} s ago, and what it sent may still arrive: "
        f"its copy is deleted in {left:.0f} s",
        left,
        "retry",
    )


def _astray(migration: Migration, move: TenantMove, observed: Observed) -> Wait | None:
    """The route must name the store that the row has as the truth, or nothing is touched. A missing route row means
    the application's default: the source, never the target."""
    expected = migration.target if truth_of(move) == "target" else migration.source
    if observed.route == expected or (observed.route is None and expected == migration.source):
        return None
    there = f"names {observed.route}" if observed.route is not None else "is missing"
    return Wait(
        f"{move.tenant}: its route {there}, though by this move it is in {expected}: somebody else changed the route, "
        "and nothing is touched",
        PEOPLE_SECONDS,
        "people",
        f"find out who did, set the route to {expected} where its data is, and look at "
        f"outgrow migrate {migration.point} log --tenant {move.tenant}",
    )


def _on_the_way(migration: Migration, move: TenantMove, observed: Observed) -> Command:
    """From pending to verifying."""
    if move.goal == "completed":
        return _not_switched(migration, move)
    pace, filling = migration.pace, migration.kind == "filling"
    match move.state:
        case "pending":
            if observed.throttled:
                return _throttled(migration, observed)
            return Fill() if filling else Enter("preparing")
        case "preparing":
            if not move.placed:
                return Place()
            if not filling and not observed.settled:
                return Wait(
                    "transactions from before the move are not over yet; their writes would not be seen",
                    LOOK_AGAIN_SECONDS,
                    "writers",
                    "end transactions that are left idle, where it takes long (pg_stat_activity)",
                )
            return Enter("copying")
        case "copying" if filling:
            return _filling(migration, move, observed) or Enter("verifying")
        case "copying":
            if move.copied_all:
                return Enter("catching_up")
            return _throttled(migration, observed) if observed.throttled else CopyPage(move.copied_to, pace.batch)
        case "catching_up":
            return _carry(migration, move, observed) if observed.waiting else Enter("verifying")
        case _:
            if move.differing:
                return _carry(migration, move, observed) if _closed(observed) else _mismatch(migration, move)
            return _throttled(migration, observed) if observed.throttled else Verify(truth_of(move))


def _held_twice(migration: Migration, move: TenantMove, observed: Observed) -> Command:
    """Shadowing or ready: the target has all that the source has, and changes are carried."""
    pace, closed = migration.pace, _closed(observed)
    if closed > batch_of(migration, observed) or (closed and (observed.lag_seconds or 0) > pace.most_lag_seconds):
        return _carry(migration, move, observed)
    wait: Wait | None = None
    if move.differing:
        wait = _mismatch(migration, move)
    elif move.goal == "completed":
        wait = _not_switched(migration, move)
    elif migration.kind == "filling":
        wait = _filling(migration, move, observed)
    if wait is None and move.state == "shadowing":
        enough = _shadowed(migration, move, observed)
        if isinstance(enough, Enter):
            return enough
        wait = enough
    if wait is None and move.state == "ready" and move.goal == "switched":
        return Enter("switching")
    if closed:
        return _carry(migration, move, observed)
    return wait or Rest()


def _switched(migration: Migration, move: TenantMove, observed: Observed) -> Command:
    """The target has the truth; the way back is kept up, until people end it or go it."""
    closed = _closed(observed)
    if closed > batch_of(migration, observed) or (closed and move.goal == "switched"):
        return _carry(migration, move, observed)
    if move.differing:
        return _carry(migration, move, observed) if closed else _mismatch(migration, move)
    match move.goal:
        case "ready":
            behind = _filling(migration, move, observed) if migration.kind == "filling" else None
            return behind or Enter("reversing")
        case "completed":
            return Enter("completed")
        case "cancelled":
            return Wait(
                f"{move.tenant} was switched: to cancel would delete the only true copy",
                PEOPLE_SECONDS,
                "people",
                f"outgrow migrate {migration.point} reverse --tenant {move.tenant}, and cancel then",
            )
        case _:
            return Rest()


def _shadowed(migration: Migration, move: TenantMove, observed: Observed) -> Enter | Wait:
    pace = migration.pace
    compared = observed.matched + observed.differed
    if compared < pace.least_shadowed:
        return Wait(
            f"{compared} of {pace.least_shadowed} reads were compared",
            LOOK_AGAIN_SECONDS,
            "shadow",
            f"outgrow migrate {migration.point} shadow --percent 10 compares more of them",
        )
    if observed.differed > pace.most_shadow_differing_ratio * compared:
        return Wait(
            f"{observed.differed} of {compared} compared reads differed, more than "
            f"{pace.most_shadow_differing_ratio:.2%} of them",
            PEOPLE_SECONDS,
            "people",
            f"outgrow migrate {migration.point} verify --tenant {move.tenant} tells whether it is the data",
        )
    return Enter("ready", compared, observed.differed)


def _filling(migration: Migration, move: TenantMove, observed: Observed) -> Wait | None:
    """Why the store that fills itself cannot be relied on yet; None where it has caught up."""
    store = migration.source if truth_of(move) == "target" else migration.target
    if observed.fault:
        return Wait(
            f"{store} does not go on filling: {observed.fault}",
            PEOPLE_SECONDS,
            "people",
            "look into the application's log; it goes on by itself once that is mended",
        )
    lag = observed.lag_seconds
    if observed.behind == 0 or (lag is not None and lag <= migration.pace.most_lag_seconds):
        return None
    late = "" if lag is None else f" ({lag:.1f} s)"
    return Wait(f"{store} is {observed.behind} positions behind{late}", LOOK_AGAIN_SECONDS, "lag")


def _carry(migration: Migration, move: TenantMove, observed: Observed) -> Carry:
    """Open writes never leave the list by being carried: the limit leaves room behind them."""
    return Carry(truth_of(move), batch_of(migration, observed) + observed.open, observed.abandoned)


def _closed(observed: Observed) -> int:
    return max(0, observed.waiting - observed.open)


def _throttled(migration: Migration, observed: Observed) -> Wait:
    return Wait(
        observed.throttled,
        LOOK_AGAIN_SECONDS,
        "throttled",
        f"it goes on by itself; outgrow migrate {migration.point} pause stops it for longer",
    )


def _mismatch(migration: Migration, move: TenantMove) -> Wait:
    return Wait(
        move.error or f"{move.differing} keys differ between {migration.source} and {migration.target}",
        PEOPLE_SECONDS,
        "people",
        f"outgrow migrate {migration.point} verify --tenant {move.tenant} lists them, with --repair copies them again",
    )


def _not_switched(migration: Migration, move: TenantMove) -> Wait:
    return Wait(
        f"{move.tenant} is {move.state}: only what was switched can be completed",
        PEOPLE_SECONDS,
        "people",
        f"outgrow migrate {migration.point} switch --tenant {move.tenant}",
    )
