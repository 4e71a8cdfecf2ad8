"""How a migration begins: from what is declared and who is there, to the rows from which it is carried."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Sequence

from outgrow.errors import UsageError
from outgrow.migrating.carrying import Carrier
from outgrow.migrating.copying import Copier
from outgrow.migrating.filling import Filler
from outgrow.migrating.identity import identity_of
from outgrow.migration.records import Kind, Migration, Pace, TenantMove
from outgrow.migration.waves import waves_of
from outgrow.points.declaration import DeclaredMove
from outgrow.ports import Copying, MoveLedger, Mover, TenantSize
from outgrow.quantities import at_date

LONGEST_TENANT = 200
"""Characters; as in the tables of ``outgrow.routing.tables``."""
FEW_NAMED = 5


def carrier_of(mover: Mover, ledger: MoveLedger) -> Carrier:
    """What carries commands out for this mover."""
    return Copier(mover, ledger, is_gone=is_gone) if isinstance(mover, Copying) else Filler(mover, ledger)


def is_gone(holder: str) -> bool:
    """Whether this is a process of this machine that runs no more. Of another machine's nothing is known."""
    where, _, number = holder.partition(", process ")
    if not number.isdecimal() or where.rpartition("@")[2] != socket.gethostname():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def pace_of(declared: DeclaredMove) -> Pace:
    """The declared pace."""
    pace = declared.pace
    return Pace(
        batch=pace.batch,
        most_lag_seconds=pace.most_lag,
        freeze_seconds=pace.freeze,
        p95_limit_seconds=pace.p95_limit,
        p95_signal=pace.p95_signal,
        stop_file=pace.stop_file,
        command=pace.command,
        shadow_share=pace.shadow_share,
        least_shadowed=pace.least_shadowed,
        first_wave=pace.first_wave,
        wave_factor=pace.wave_factor,
    )


def new_migration(
    point: str, declared: DeclaredMove, mover: Mover, now: float, taken: Collection[str] = ()
) -> Migration:
    """A migration as declared. Its id is the point and the day, with a number where that is ``taken``.

    Raises:
        UsageError: source and target are one.
    """
    if declared.source == declared.target:
        raise UsageError(f"{point}: source and target of its migration are both {declared.source}")
    base = f"{point}-{at_date(now):%Y%m%d}"
    number = next(number for number in range(1, 10_000) if f"{base}-{number}" not in taken)
    kind: Kind = "copying" if isinstance(mover, Copying) else "filling"
    return Migration(
        f"{base}-{number}",
        point,
        kind,
        declared.source,
        declared.target,
        now,
        pace_of(declared),
        mover=identity_of(declared, mover),
    )


def first_rows(
    ledger: MoveLedger, migration: Migration, carrier: Carrier, internal: Collection[str]
) -> tuple[list[TenantMove], list[str]]:
    """A row for each tenant that is at the source, in waves; and those that are routed elsewhere and stay there.

    Raises:
        UsageError: there are items of tenants that no route can name; the sentence says which and how many.
    """
    found = list(carrier.sizes())
    _refuse_unroutable(migration, [one for one in found if not is_routable(one.tenant)])
    sizes = {one.tenant: one.items for one in found}
    elsewhere = sorted(tenant for tenant in sizes if not is_at_source(ledger, migration, tenant))
    for tenant in elsewhere:
        del sizes[tenant]
    waves = waves_of(sizes, internal, migration.pace.first_wave, migration.pace.wave_factor)
    return [TenantMove(tenant, wave, items=sizes[tenant]) for tenant, wave in waves.items()], elsewhere


def is_routable(tenant: str) -> bool:
    """Whether a route can name the tenant."""
    return 0 < len(tenant) <= LONGEST_TENANT


def _refuse_unroutable(migration: Migration, sizes: Sequence[TenantSize]) -> None:
    if not sizes:
        return
    names = [f"{one.tenant[:40]!r}… ({len(one.tenant):,} characters)" if one.tenant else "'' (empty)" for one in sizes]
    few = ", ".join(names[:FEW_NAMED]) + (f" and {len(names) - FEW_NAMED:,} more" if len(names) > FEW_NAMED else "")
    counts = [one.items for one in sizes if one.items is not None]
    items = f"{sum(counts):,} items" if len(counts) == len(sizes) else "items"
    raise UsageError(
        f"{items} in {migration.source} are of tenants that no route can name, and would stay behind: {few}",
        next_step=f"a tenant has 1 to {LONGEST_TENANT} characters: give these another one, or delete them, and say it "
        "again; nothing was made",
    )


def new_tenants(
    ledger: MoveLedger, migration: Migration, carrier: Carrier, rows: Sequence[TenantMove]
) -> list[TenantMove]:
    """Tenants that came up since the migration was made, as rows of its last wave."""
    known = {row.tenant for row in rows}
    wave = max((row.wave for row in rows), default=1)
    return [
        TenantMove(size.tenant, wave, items=size.items)
        for size in carrier.sizes()
        if size.tenant not in known and is_routable(size.tenant) and is_at_source(ledger, migration, size.tenant)
    ]


def is_at_source(ledger: MoveLedger, migration: Migration, tenant: str) -> bool:
    """Whether the tenant is where this migration takes tenants from: also where no route was laid yet."""
    route = ledger.route(migration.point, tenant)
    return route is None or route.store == migration.source
