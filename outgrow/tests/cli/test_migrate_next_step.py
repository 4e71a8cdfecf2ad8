"""What is suggested next never does more than what was asked for, and can be pasted."""

from __future__ import annotations

import shlex

from outgrow.cli.migrate_status import next_of
from outgrow.migration.records import Goal, Migration, State, TenantMove

MADE = Migration("m", "search", "copying", "old", "new", 0.0)


def row(tenant: str, state: State, goal: Goal) -> TenantMove:
    return TenantMove(tenant, 1, state=state, goal=goal)


def test_one_completion_under_way_does_not_suggest_to_complete_all() -> None:
    rows = [row("ana", "switched", "completed"), row("bo", "switched", "switched")]
    assert next_of(MADE, rows) == "outgrow migrate search complete --tenant ana --yes"


def test_many_are_looked_at_first() -> None:
    rows = [row(f"t{number}", "ready", "cancelled") for number in range(9)] + [row("bo", "ready", "ready")]
    assert next_of(MADE, rows) == "outgrow migrate search cancel --dry-run"


def test_hostile_names_are_quoted() -> None:
    name = "x'; rm -rf ~ #\n"
    rows = [row(name, "switched", "ready"), row("bo", "switched", "switched")]
    assert shlex.split(next_of(MADE, rows)) == ["outgrow", "migrate", "search", "reverse", "--tenant", name]
