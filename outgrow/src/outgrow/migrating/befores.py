"""The service as it is, measured once before the first tenant of each wave is switched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from outgrow.migrating.reporting import Telling
from outgrow.migration.commands import Wait
from outgrow.migration.records import Migration, TenantMove
from outgrow.ports import MoveLedger

TAKEN = "before taken"
NOT_TAKEN = "no before"
"""Of the journal, for the whole move; the facts have the wave, and what came of it in words."""
PEOPLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Before:
    """What came of measuring the service; ``said``: in a sentence without its full stop."""

    taken: bool
    said: str


@dataclass(slots=True)
class Befores:
    """Sees to a before of each wave, taken once, also where processes are killed in between.

    Attributes:
        measure: measures for an occasion, minutes long, and keeps what it found.
        is_kept: whether a measurement for that occasion was kept, by whichever process.
    """

    ledger: MoveLedger
    measure: Callable[[str], Before]
    is_kept: Callable[[str], bool]
    tell: Callable[[Telling], None] = lambda _: None
    _seen: dict[int, Wait | None] = field(default_factory=dict)

    def against(self, migration: Migration, wave: int, rows: Iterable[TenantMove]) -> Wait | None:
        """Takes the before of a wave, where none was and nobody of it was switched yet; why it may not be switched:
        only where one is asked for strictly and did not come about. Tried once a process."""
        if wave not in self._seen:
            of_wave = [row for row in rows if row.wave == wave]
            self._seen[wave] = self._taken(migration, wave) if _is_before(of_wave) else None
        return self._seen[wave]

    def _taken(self, migration: Migration, wave: int) -> Wait | None:
        lines = self.ledger.journal(migration, "")
        if any(line.what == TAKEN and line.facts.get("wave") == wave for line in lines):
            return None
        occasion = occasion_of(migration, wave)
        if self.is_kept(occasion):  # by a process that was killed before it could say so
            self.ledger.write_down(migration, "", TAKEN, {"wave": wave, "said": "kept by a process before this one"})
            return None
        self.tell(Telling("note", f"wave {wave}: the service is measured as it is, before anybody of it is switched"))
        found = self.measure(occasion)
        self.ledger.write_down(migration, "", TAKEN if found.taken else NOT_TAKEN, {"wave": wave, "said": found.said})
        strict = not found.taken and migration.pace.baseline == "require"
        after = "" if found.taken else "; it is not switched" if strict else "; the switch goes on without"
        self.tell(Telling("note" if found.taken else "error", f"wave {wave}: {found.said}{after}"))
        if not strict:
            return None
        return Wait(
            f"wave {wave} has no before, which the move asks for: {found.said}",
            PEOPLE_SECONDS,
            "people",
            f"outgrow baseline record {migration.point} shows what is wrong; --no-baseline switches without",
        )


def occasion_of(migration: Migration, wave: int) -> str:
    """What a before is taken for, as its record says it."""
    return f"wave {wave} of {migration.id}"


def _is_before(rows: Iterable[TenantMove]) -> bool:
    """Nobody was switched yet, as far as is known: afterwards there is no before to be had."""
    return all(row.switched_at is None for row in rows)
