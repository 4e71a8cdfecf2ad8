"""What would be done: the same steps as the engine's, walked with a recorder instead of a mover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from outgrow.migrating.carrying import name_of
from outgrow.migration.advancing import advanced
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
    Observed,
    Outcome,
    Place,
    ProveWayBack,
    Rest,
    Verify,
    Wait,
)
from outgrow.migration.records import Goal, Migration, TenantMove
from outgrow.migration.transitions import next_command, truth_of
from outgrow.quantities import format_duration

MOST_STEPS = 60


@dataclass(frozen=True, slots=True)
class Explained:
    """What would be done for tenants that go the same way; ``stopped``: what would stop it there, "" for nothing."""

    tenants: tuple[str, ...]
    steps: tuple[str, ...]
    stopped: str = ""


def explained(migration: Migration, rows: Sequence[TenantMove], goal: Goal) -> list[Explained]:
    """What would be done to bring these tenants to ``goal``, if nothing fails and nobody writes."""
    ways: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for row in rows:
        commands, stopped = _walk(migration, replace(row, goal=goal, retry_at=None))
        told = tuple(dict.fromkeys(text for one in commands if (text := _told(migration, one))))
        ways.setdefault((told, stopped.replace(row.tenant, "the tenant")), []).append(row.tenant)
    return [Explained(tuple(tenants), steps, stopped) for (steps, stopped), tenants in ways.items()]


def _walk(migration: Migration, row: TenantMove) -> tuple[list[Command], str]:
    at = max(row.since, row.switched_at or 0.0, row.reversed_at or 0.0) + 1.0
    route = migration.target if truth_of(row) == "target" else migration.source
    commands: list[Command] = []
    for _ in range(MOST_STEPS):
        at += 0.001
        command = next_command(migration, row, Observed(at, route=route))
        if isinstance(command, Rest):
            return commands, ""
        if isinstance(command, Wait):
            return commands, command.reason + (f"; {command.next_step}" if command.next_step else "")
        commands.append(command)
        if isinstance(command, Enter) and command.state in ("switching", "reversing"):
            commands.append(Verify(truth_of(row)))
        if isinstance(command, Flip):
            route = name_of(migration, command.to)
        outcome = Outcome(at, ended=True, copied=row.items or 0) if isinstance(command, CopyPage) else Outcome(at)
        row = advanced(migration, row, command, outcome)
    return commands, ""


def _told(migration: Migration, command: Command) -> str:
    source, target = migration.source, migration.target
    match command:
        case Place():
            return f"write down that it is in {source}, and wait for transactions that may not have seen it"
        case Fill():
            return f"have {target} fill itself with it"
        case CopyPage():
            return f"copy its items to {target}, {migration.pace.batch:,} at once"
        case Carry(truth):
            return f"carry registered writes from {name_of(migration, truth)}"
        case Verify():
            return f"compare every key in {source} and {target}"
        case Freeze(seconds):
            return f"have its writers wait, {format_duration(round(seconds))} at most"
        case CompareLast():
            return "compare once more what was written since"
        case ProveWayBack(store):
            return f"prove, changing nothing, that {name_of(migration, store)} would take what the way back puts"
        case Flip(to):
            return f"route it to {name_of(migration, to)}: from there on changes are carried the other way"
        case Drop(store):
            return f"DELETE its copy in {name_of(migration, store)}, for good"
        case _:
            return ""
