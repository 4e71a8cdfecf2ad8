"""A declared move with all that it is carried out with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from outgrow.migration.records import Migration
from outgrow.ports import Clock, Copying, Ledger, MoveLedger, Mover

REPORT = "migration"


@dataclass(slots=True)
class OpenMove:
    """The truth of a move, its mover once somebody asks for it, and what the tool's own ledger keeps of it.

    Attributes:
        ledger: the truth of the move, where the application sees it too.
        kept: the tool's own ledger.
    """

    ledger: MoveLedger
    open_mover: Callable[[], Mover]
    kept: Ledger
    clock: Clock
    _mover: Mover | None = field(default=None)

    def mover(self) -> Mover:
        """The mover, opened when first asked for. Raises what its factory does."""
        if self._mover is None:
            self._mover = self.open_mover()
        return self._mover

    def publish(self, report: bytes) -> None:
        """Keeps the latest report of a run, for ``last_report`` of other processes."""
        self.kept.put_memory(REPORT, "report", report)

    def last_report(self) -> bytes | None:
        """The latest report of whichever process."""
        return self.kept.memory(REPORT, "report")

    def remember(self, migration: Migration, what: str, facts: Mapping[str, Any]) -> None:
        """A record in the tool's own ledger: what was done in this migration, and how it stands after."""
        at = self.clock.now()
        body = {"id": migration.id, "from": migration.source, "to": migration.target, "what": what, **facts}
        self.kept.add_record("migration", migration.point, at, f"{migration.id} {what} {at!r}", body)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(self._mover, Copying):
            self._mover.source.close()
            self._mover.target.close()
        elif self._mover is not None:
            self._mover.close()
        self.ledger.close()
