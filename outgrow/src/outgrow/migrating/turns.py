"""Whose turn it is."""

from __future__ import annotations

from collections.abc import Sequence

from outgrow.migrating.carrying import Carrier
from outgrow.migrating.reporting import met
from outgrow.migration.records import Migration, TenantMove
from outgrow.ports import MoveLedger


def may_go_on(rows: Sequence[TenantMove]) -> tuple[frozenset[str], str]:
    """The tenants that may be worked on, and why no further wave begins, "" where one may."""
    moving = [row for row in rows if row.goal != "none" and not met(row, row.goal) and row.state == "pending"]
    unfinished = [row for row in rows if row.goal in ("ready", "switched") and row.state not in ("ready", "switched")]
    current = min((row.wave for row in unfinished), default=0)
    held_back = {row.tenant for row in moving if row.wave > current}
    differs = next((row for row in rows if row.differing and row.state not in ("completed", "cancelled")), None)
    stop = ""
    if differs is not None:
        stop = f"{differs.tenant} differs in {differs.differing} keys: no further wave begins"
        held_back |= {row.tenant for row in moving if row.wave > differs.wave}
    return frozenset(row.tenant for row in rows if row.tenant not in held_back), stop


def new_tenants(ledger: MoveLedger, carrier: Carrier, migration: Migration) -> list[TenantMove]:
    """Tenants that came up since the migration was made, as rows of its last wave. Those that are routed elsewhere
    are not its own."""
    rows = {row.tenant: row for row in ledger.tenants(migration)}
    wave = max((row.wave for row in rows.values()), default=1)
    return [
        TenantMove(size.tenant, wave, items=size.items)
        for size in carrier.sizes()
        if size.tenant not in rows and at_source(ledger, migration, size.tenant)
    ]


def at_source(ledger: MoveLedger, migration: Migration, tenant: str) -> bool:
    """Whether the tenant is where this migration takes tenants from: also where no route was laid yet."""
    route = ledger.route(migration.point, tenant)
    return route is None or route.store == migration.source
