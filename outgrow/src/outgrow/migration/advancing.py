"""A tenant's row after a command was carried out."""

from __future__ import annotations

from dataclasses import replace

from outgrow.migration.commands import (
    Carry,
    Command,
    CompareLast,
    CopyPage,
    Drop,
    Enter,
    Fill,
    Flip,
    Freeze,
    Outcome,
    Place,
    ProveWayBack,
    Rest,
    Thaw,
    Verify,
    Wait,
)
from outgrow.migration.records import Migration, State, TenantMove
from outgrow.migration.switching import falls_back_to, switch_seconds

MOST_FALLBACKS = 5
"""After so many switches in a row that fell back, it is left until people want it anew."""
FIRST_FALLBACK_SECONDS = 10.0
"""The pause after the first of them; each further one is twice as long."""
FIRST_RETRY_SECONDS = 1.0
MOST_RETRY_SECONDS = 60.0
"""Pauses after failures grow from the first to the most, by doubling."""
SWITCH_RETRY_SECONDS = 0.1
"""The first pause while a switch is under way, where writers wait."""


def advanced(migration: Migration, move: TenantMove, command: Command, outcome: Outcome) -> TenantMove:
    """The row as it is after ``command`` came out so; unchanged where it tells nothing new. Never raises.

    A command that does not suit the row's state (people may ask for ``Verify`` at any time) takes it nowhere.
    """
    if isinstance(command, Wait | Rest):
        return move
    if outcome.failed:
        failed = _failed(move, outcome)
        return replace(failed, deadline=outcome.at) if isinstance(command, Thaw) and _in_switch(move) else failed
    if isinstance(command, Freeze | CompareLast | ProveWayBack | Flip | Thaw) or _in_switch(move):
        return _advanced_in_switch(migration, move, command, outcome)
    stays = move.differing or not (move.tries or move.retry_at)
    went = replace(move, tries=0, retry_at=None, error=move.error if stays else "")
    match command:
        case Place():
            return replace(went, placed=outcome.mark or "placed", items=_known(outcome.items, move.items))
        case Fill():
            return _entered(went, "preparing", outcome) if move.state == "pending" else went
        case CopyPage() if move.state == "copying":
            return _copied(went, outcome)
        case Carry() if move.state == "catching_up" and outcome.left <= command.limit:
            return _entered(went, "verifying", outcome)
        case Verify():
            return _verified(migration, went, outcome)
        case Drop() if move.state in ("completed", "cancelled"):
            return replace(went, dropped=True)
        case Enter():
            return _went_on(migration, went, command, outcome)
        case _:
            return went


def _in_switch(move: TenantMove) -> bool:
    return move.state in ("switching", "reversing")


def _failed(move: TenantMove, outcome: Outcome) -> TenantMove:
    tries = move.tries + 1
    first = SWITCH_RETRY_SECONDS if _in_switch(move) else FIRST_RETRY_SECONDS
    pause = min(MOST_RETRY_SECONDS, first * 2.0 ** min(tries - 1, 10))
    return replace(move, tries=tries, retry_at=outcome.at + pause, error=outcome.failed)


def _entered(move: TenantMove, state: State, outcome: Outcome) -> TenantMove:
    return replace(move, state=state, step="", since=outcome.at)


def _copied(move: TenantMove, outcome: Outcome) -> TenantMove:
    copied = replace(
        move,
        copied_to=max(outcome.last_key, move.copied_to, key=lambda key: key.encode()),
        copied=move.copied + outcome.copied,
        items=_known(outcome.items, move.items),
        copied_all=move.copied_all or outcome.ended,
    )
    return _entered(copied, "catching_up", outcome) if copied.copied_all else copied


def _verified(migration: Migration, move: TenantMove, outcome: Outcome) -> TenantMove:
    if outcome.differing:
        return replace(move, differing=outcome.differing, error=_differ(migration, outcome.differing))
    same = replace(move, differing=0, error="", verified_at=outcome.at, items=_known(outcome.items, move.items))
    if move.state != "verifying":
        return same
    shadow = migration.pace.least_shadowed > 0
    return _entered(same, "shadowing" if shadow else "ready", outcome)


def _went_on(migration: Migration, move: TenantMove, command: Enter, outcome: Outcome) -> TenantMove:
    entered = _entered(move, command.state, outcome)
    if command.shadowed is not None:
        entered = replace(entered, shadowed=command.shadowed, shadow_differing=command.shadow_differing or 0)
    if command.state in ("switching", "reversing"):
        filling = migration.kind == "filling"
        return replace(entered, deadline=outcome.at + switch_seconds(migration) if filling else None, error="")
    if command.state == "cancelled":
        nothing_there = move.state == "pending" or (move.state == "preparing" and migration.kind == "copying")
        return replace(entered, dropped=nothing_there, differing=0, error="")
    if command.state == "verifying" and migration.kind == "filling":
        entered = replace(entered, copied_all=True)
    return entered


def _advanced_in_switch(migration: Migration, move: TenantMove, command: Command, outcome: Outcome) -> TenantMove:
    if not _in_switch(move):
        return move
    went = replace(move, tries=0, retry_at=None, error="")
    match command:
        case Freeze():
            return replace(went, step="frozen", deadline=outcome.at + command.seconds)
        case Carry():
            return replace(went, step="drained" if outcome.left <= command.abandoned else "frozen")
        case CompareLast() if outcome.differing:
            return replace(went, differing=outcome.differing, error=_differ(migration, outcome.differing))
        case CompareLast():
            return replace(went, step="compared")
        case ProveWayBack() if not outcome.refused:
            return replace(went, step="way_back_ready")
        case ProveWayBack():
            return _failed(move, replace(outcome, failed=f"the way back could not be proved: {outcome.refused}"))
        case Flip() if not outcome.refused:
            return _flipped(went, outcome)
        case Flip():
            anew = replace(went, step="" if migration.kind == "filling" else "frozen")
            return _failed(anew, replace(outcome, failed=outcome.refused))
        case Verify():
            return _verified(migration, went, outcome)
        case Thaw():
            return _fell_back(migration, move, command, outcome)
        case _:
            return move


def _flipped(move: TenantMove, outcome: Outcome) -> TenantMove:
    there = replace(move, step="", since=outcome.at, deadline=None, fallbacks=0)
    if move.state == "reversing":
        return replace(there, state="ready", reversed_at=outcome.at)
    return replace(there, state="switched", switched_at=outcome.at)


def _fell_back(migration: Migration, move: TenantMove, command: Thaw, outcome: Outcome) -> TenantMove:
    state = falls_back_to(move)
    back = replace(_entered(move, state, outcome), deadline=None, retry_at=None, tries=0)
    verb, wanted = ("reverse", "ready") if move.state == "reversing" else ("switch", "switched")
    if move.differing:
        return back
    if move.goal != wanted or migration.paused:
        return replace(back, fallbacks=0, error="")
    fallbacks = move.fallbacks + 1
    if fallbacks >= MOST_FALLBACKS:
        again = f"{command.reason}; it was tried {fallbacks} times and is left now until you say {verb} again"
        return replace(back, fallbacks=0, goal="switched" if state == "switched" else "ready", error=again)
    pause = FIRST_FALLBACK_SECONDS * 2.0 ** (fallbacks - 1)
    return replace(back, fallbacks=fallbacks, retry_at=outcome.at + pause, error=command.reason)


def _differ(migration: Migration, count: int) -> str:
    keys = "1 key differs" if count == 1 else f"{count} keys differ"
    return f"{keys} between {migration.source} and {migration.target}"


def _known(seen: int | None, before: int | None) -> int | None:
    return before if seen is None else seen
