"""What the engine asks of whoever carries commands out, for either kind of mover."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from outgrow.migration.commands import Command, Observed, Outcome, Side
from outgrow.migration.records import Differing, Migration, TenantMove
from outgrow.ports import MoveLedger, TenantSize


class Carrier(Protocol):
    """Carries commands out for one tenant after the other. Calls raise ``StoreFailed`` where a store does not answer,
    and what the move's ledger raises; each may be repeated."""

    def sizes(self) -> list[TenantSize]:
        """All tenants that there are to move."""
        ...

    def there(self) -> list[TenantSize]:
        """Tenants that have items in the target, where that can only come of copying; none where it fills itself."""
        ...

    def are_there(self, tenants: Collection[str]) -> set[str]:
        """Those of these tenants that ``there`` would name, without counting the whole target where they are few. One
        that was found may be told again for a minute without another look."""
        ...

    def observe(self, migration: Migration, move: TenantMove) -> Observed:
        """How a tenant stands, as far as its state asks for it."""
        ...

    def carry_out(self, migration: Migration, move: TenantMove, command: Command) -> Outcome:
        """What came of a command. ``Flip``, ``Wait`` and ``Rest`` are the engine's own."""
        ...

    def is_compared(self, tenant: str) -> bool:
        """Whether all keys were found the same by this process, and all that was carried since is known."""
        ...

    def differing(self, migration: Migration, tenant: str, truth: Side) -> Iterator[Differing]:
        """Every key that differs now, one by one; nothing is changed."""
        ...

    def close(self) -> None:
        """Gives back the stores."""
        ...


def side_of(migration: Migration, store: str) -> Side:
    """Which side of the migration a store's name is."""
    return "target" if store == migration.target else "source"


def name_of(migration: Migration, side: Side) -> str:
    """The store's name on that side."""
    return migration.target if side == "target" else migration.source


def truth_of(ledger: MoveLedger, migration: Migration, tenant: str) -> Side:
    """Which side has the truth of a tenant: what its route says; the source where there is none."""
    route = ledger.route(migration.point, tenant)
    return "source" if route is None else side_of(migration, route.store)
