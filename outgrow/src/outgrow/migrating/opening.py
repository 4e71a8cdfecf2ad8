"""How a migration begins: from what is declared and who is there, to the rows from which it is carried."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

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
from outgrow.routing import Route

LONGEST_TENANT = 200
"""Characters; as in the tables of ``outgrow.routing.tables``."""
FEW_NAMED = 3
LEFT_OUT = "left out"
"""Of the journal, for the whole move: who is left out, and why."""


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
    """The declared pace; for how long something may be late is as ``Pace`` has it, where nothing is declared."""
    pace = declared.pace
    made = Pace(
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
        baseline=pace.baseline,
    )
    return replace(made, late_seconds=pace.late) if "late" in pace.model_fields_set else made


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
        UsageError: there are items of tenants that no route can name, or the target has items of some that nothing
            led there; the sentence says which and how many.
    """
    found = carrier.sizes()
    _refuse_unroutable(migration, [one for one in found if not is_routable(one.tenant)])
    routes = ledger.routes(migration.point)
    sizes = {one.tenant: one.items for one in found}
    _refuse_held_twice(migration, [one for one in carrier.there() if one.tenant in sizes and one.tenant not in routes])
    elsewhere = sorted(tenant for tenant in sizes if not is_at_source(routes, migration, tenant))
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
    counts = [one.items for one in sizes if one.items is not None]
    items = f"{sum(counts):,} items" if len(counts) == len(sizes) else "items"
    raise UsageError(
        f"{items} in {migration.source} are of tenants that no route can name, and would stay behind: "
        f"{_named([one.tenant for one in sizes])}",
        next_step=f"{_RENAME}, and say it again; nothing was made",
    )


def _refuse_held_twice(migration: Migration, sizes: Sequence[TenantSize]) -> None:
    """A tenant without a route counts as being at the source; items in the target make that a guess."""
    if not sizes:
        return
    whose = "a tenant is" if len(sizes) == 1 else f"{len(sizes):,} tenants are"
    raise UsageError(
        f"{whose} in {migration.target} already, and in {migration.source} too, without a route that says which of "
        f"both is true: {_named([one.tenant for one in sizes])}",
        next_step=_settle(migration) + ", and say it again; nothing was made",
    )


def _settle(migration: Migration) -> str:
    return (
        f"delete what is in {migration.target} of those that are at {migration.source}; of those that are at "
        f"{migration.target} lay the route (outgrow.routing.PLACE)"
    )


_RENAME = f"a tenant has 1 to {LONGEST_TENANT} characters: give these another one, or delete them"


def _named(tenants: Sequence[str]) -> str:
    names = [
        "'' (empty)" if not one else one if is_routable(one) else f"{one[:40]!r}… ({len(one):,} characters)"
        for one in tenants[:FEW_NAMED]
    ]
    return ", ".join(names) + (f" and {len(tenants) - FEW_NAMED:,} more" if len(tenants) > FEW_NAMED else "")


@dataclass(frozen=True, slots=True)
class Arrived:
    """Tenants that came up since a migration was made.

    Attributes:
        rows: those that join its last wave.
        unroutable: no route can name them. held_twice: the target has items of theirs that nothing led there.
    """

    rows: tuple[TenantMove, ...] = ()
    unroutable: tuple[str, ...] = ()
    held_twice: tuple[str, ...] = ()

    def said(self, migration: Migration) -> str:
        """Who is left out, why, and what to do; "" where nobody is."""
        parts = list[str]()
        if self.unroutable:
            names = f"{_counted(self.unroutable)} left out, as no route can name them: {_named(self.unroutable)}"
            parts.append(f"{names}; they stay in {migration.source}: {_RENAME}")
        if self.held_twice:
            names = f"{_counted(self.held_twice)} left out, as they are in {migration.target} already"
            parts.append(f"{names}, without a route: {_named(self.held_twice)}; {_settle(migration)}")
        return "; ".join(parts)


def _counted(tenants: Sequence[str]) -> str:
    return "1 tenant is" if len(tenants) == 1 else f"{len(tenants):,} tenants are"


def new_tenants(ledger: MoveLedger, migration: Migration, carrier: Carrier, rows: Sequence[TenantMove]) -> Arrived:
    """Tenants that came up since the migration was made, as rows of its last wave; and those that are left out."""
    known = {row.tenant for row in rows}
    wave = max((row.wave for row in rows), default=1)
    new = [one for one in carrier.sizes() if one.tenant not in known]
    if not new:
        return Arrived()
    routes = ledger.routes(migration.point)
    unrouted = {one.tenant for one in new if is_routable(one.tenant) and one.tenant not in routes}
    twice = carrier.are_there(unrouted) if unrouted else set[str]()
    return Arrived(
        tuple(
            TenantMove(one.tenant, wave, items=one.items)
            for one in new
            if is_routable(one.tenant) and one.tenant not in twice and is_at_source(routes, migration, one.tenant)
        ),
        tuple(sorted(one.tenant for one in new if not is_routable(one.tenant))),
        tuple(sorted(twice)),
    )


def left_out_of(ledger: MoveLedger, migration: Migration) -> str:
    """Who was left out when somebody looked last, as the journal has it; "" for nobody."""
    lines = [line for line in ledger.journal(migration, "") if line.what == LEFT_OUT]
    return str(lines[-1].facts.get("said") or "") if lines else ""


def is_at_source(routes: Mapping[str, Route], migration: Migration, tenant: str) -> bool:
    """Whether the tenant is where this migration takes tenants from: also where no route was laid yet."""
    route = routes.get(tenant)
    return route is None or route.store == migration.source
