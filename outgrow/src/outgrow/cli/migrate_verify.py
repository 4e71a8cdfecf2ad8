"""``outgrow migrate POINT verify``: every key that differs, and its repair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outgrow.cli.migrate_running import who_am_i
from outgrow.cli.output import emit_json, emit_line, err, hint
from outgrow.migrating.carrying import Carrier, truth_of
from outgrow.migrating.opened import OpenMove
from outgrow.migrating.opening import carrier_of
from outgrow.migrating.reporting import counted, told_of
from outgrow.migration.advancing import advanced
from outgrow.migration.commands import Outcome, Verify
from outgrow.migration.records import Differing, Migration, TenantMove
from outgrow.ports import Busy, MoveLedger

MOST_LISTED = 10_000
"""Keys that are listed; beyond, they are counted."""


def verify_tenants(
    move: OpenMove, migration: Migration, rows: Sequence[TenantMove], repair: bool, as_json: bool, plain: bool
) -> int:
    """Compares all keys of these tenants and lists what differs; with ``repair`` copies it from where the truth is.

    → the exit code: 1 where keys differ still.
    """
    ledger, carrier = move.ledger, carrier_of(move.mover(), move.ledger)
    taken = _taken(ledger, migration)
    if taken is None and repair:
        raise Busy(
            f"{(ledger.migration(migration.point) or migration).holder} is at this move now; two do not repair at once",
            next_step=f"outgrow migrate {migration.point} pause, end that process, and say it again",
        )
    listed: list[Differing] = []
    found = left = 0
    try:
        for row in rows:
            some, more, still = _verified(ledger, carrier, taken or migration, row, repair, keep=taken is not None)
            found, left = found + more, left + still
            listed += some[: max(0, MOST_LISTED - len(listed))]
            if not as_json:
                for one in some:
                    emit_line(f"{one.tenant}\t{one.key}\t{one.how}")
    finally:
        if taken is not None:
            ledger.release(taken)
    if as_json:
        emit_json(_fields(migration, rows, listed, found, left, repair))
    else:
        said = f"{counted(len(rows), 'tenant')} compared: " + ("nothing differs" if not found else _told(found))
        err().print(said + (f"; {left:,} after the repair" if repair and found else ""), markup=False)
        if found > len(listed):
            err().print(f"{found - len(listed):,} more are not listed", markup=False)
    command = f"outgrow migrate {migration.point}"
    hint(f"{command} start" if not left else f"{command} verify --repair" if not repair else f"{command} log")
    return 1 if left else 0


def _told(found: int) -> str:
    return "1 key differs" if found == 1 else f"{found:,} keys differ"


def _taken(ledger: MoveLedger, migration: Migration) -> Migration | None:
    """Taken on; None where another process is at it: then its rows are left to it."""
    try:
        return ledger.take(migration, who_am_i())
    except Busy:
        return None


def _verified(
    ledger: MoveLedger, carrier: Carrier, migration: Migration, row: TenantMove, repair: bool, *, keep: bool
) -> tuple[list[Differing], int, int]:
    """Some of what differs, how many, and how many after the repair."""
    truth = truth_of(ledger, migration, row.tenant)
    some: list[Differing] = []
    found = 0
    for one in carrier.differing(migration, row.tenant, truth):
        found += 1
        if found <= MOST_LISTED:
            some.append(one)
    command = Verify(truth, repair)
    outcome = Outcome(ledger.now(), differing=found)
    if found and repair:
        outcome = carrier.carry_out(migration, row, command)
    if keep:
        after = advanced(migration, row, command, outcome)
        ledger.keep(migration, after, *told_of(row, after, command, outcome))
    return some, found, outcome.differing


def _fields(
    migration: Migration, rows: Sequence[TenantMove], listed: Sequence[Differing], found: int, left: int, repair: bool
) -> dict[str, Any]:
    return {
        "point": migration.point,
        "migration": migration.id,
        "tenants": len(rows),
        "differing": found,
        "repaired": found - left if repair else 0,
        "left": left,
        "keys": [{"tenant": one.tenant, "key": one.key, "how": one.how} for one in listed],
    }
