"""Carries commands out where stores fill themselves: what is left to the tool is to look, to compare and to route."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from outgrow.migrating.carrying import name_of
from outgrow.migration.commands import Command, CompareLast, Observed, Outcome, Place, Side, Verify
from outgrow.migration.records import Differing, Migration, TenantMove
from outgrow.ports import Filling, MoveLedger, ShadowCount, TenantSize

REPAIRED_AT_ONCE = 500


@dataclass(slots=True)
class Filler:
    """A ``Carrier`` for ``Filling``. One thread uses it.

    That a store holds a tenant, or drops it, comes of the tenant's row alone: the application reads it there.
    """

    mover: Filling
    ledger: MoveLedger
    _compared: set[str] = field(default_factory=set)

    def sizes(self) -> list[TenantSize]:
        return list(self.mover.tenants())

    def there(self) -> list[TenantSize]:
        return []

    def are_there(self, tenants: Collection[str]) -> set[str]:
        del tenants
        return set()

    def close(self) -> None:
        self.mover.close()

    def is_compared(self, tenant: str) -> bool:
        return tenant in self._compared

    def observe(self, migration: Migration, move: TenantMove) -> Observed:
        now = self.ledger.now()
        route = self.ledger.route(migration.point, move.tenant)
        where = route.store if route else None
        if move.state in ("pending", "completed", "cancelled"):
            return Observed(now, route=where)
        other: Side = "source" if where == migration.target else "target"
        standing = self.mover.standing(move.tenant, name_of(migration, other))
        shadow = self.ledger.shadow(migration, move.tenant) if move.state == "shadowing" else ShadowCount()
        return Observed(
            now,
            settled=not move.placed or move.state != "preparing" or self.ledger.settled(move.placed),
            lag_seconds=standing.lag_seconds,
            behind=max(0, standing.head - standing.position),
            fault=standing.fault,
            route=where,
            matched=shadow.matched,
            differed=shadow.differed,
            failed=shadow.failed,
        )

    def carry_out(self, migration: Migration, move: TenantMove, command: Command) -> Outcome:
        match command:
            case Place():
                return Outcome(self.ledger.now(), mark=self.ledger.place(migration, move.tenant))
            case Verify(truth, repair):
                return self._verify(migration, move.tenant, truth, repair)
            case CompareLast(truth):
                store = self._other(migration, truth)
                standing = self.mover.standing(move.tenant, store)
                behind = standing.head - standing.position
                if standing.fault or behind > 0:
                    return Outcome(self.ledger.now(), failed=standing.fault or f"{store} is {behind} positions behind")
                return Outcome(self.ledger.now(), items=standing.items)
            case _:
                return Outcome(self.ledger.now())

    def differing(self, migration: Migration, tenant: str, truth: Side) -> Iterator[Differing]:
        return self.mover.differing(tenant, self._other(migration, truth))

    def _other(self, migration: Migration, truth: Side) -> str:
        return name_of(migration, "target" if truth == "source" else "source")

    def _verify(self, migration: Migration, tenant: str, truth: Side, repair: bool) -> Outcome:
        store = self._other(migration, truth)
        keys = [one.key for one in self.mover.differing(tenant, store)]
        if keys and repair:
            for begin in range(0, len(keys), REPAIRED_AT_ONCE):
                self.mover.repair(tenant, store, keys[begin : begin + REPAIRED_AT_ONCE])
            keys = [one.key for one in self.mover.differing(tenant, store)]
        if not keys:
            self._compared.add(tenant)
        items = self.mover.standing(tenant, store).items
        return Outcome(self.ledger.now(), items=items, differing=len(keys))
