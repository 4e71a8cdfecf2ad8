"""Who goes first, and who may go on."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from outgrow.migration.records import TenantMove


def waves_of(
    sizes: Mapping[str, int | None], internal: Collection[str] = (), first_wave: int = 3, wave_factor: float = 4.0
) -> dict[str, int]:
    """The wave of each tenant, counted from 1: the team's own first, then by size, the smallest first.

    A wave has ``wave_factor`` times as many tenants as the one before. Tenants whose size is not known come last.
    """
    own = set(internal)

    def rank(tenant: str) -> tuple[bool, float, str]:
        items = sizes[tenant]
        return tenant not in own, math.inf if items is None else items, tenant

    waves: dict[str, int] = {}
    wave, room, size = 1, max(1, first_wave), float(max(1, first_wave))
    for tenant in sorted(sizes, key=rank):
        if room == 0:
            size *= max(1.0, wave_factor)
            wave, room = wave + 1, math.ceil(min(size, len(sizes)))
        waves[tenant] = wave
        room -= 1
    return waves


def is_met(move: TenantMove) -> bool:
    """The tenant is where people want it, and found the same on both sides."""
    if move.goal == "none":
        return True
    if move.state in ("completed", "cancelled"):
        return move.dropped
    return move.state == move.goal and not move.differing


def may_go_on(rows: Sequence[TenantMove]) -> tuple[frozenset[str], str]:
    """The tenants that may be worked on now, and why it stops there, "" where it does not.

    A tenant begins once all of earlier waves are where they are wanted. Who has begun goes on, so that changes are
    carried. Where keys of a tenant differ, none of a later wave begins, and none is switched.
    """
    mismatches = [row for row in rows if row.differing]
    stopped_after = min((row.wave for row in mismatches), default=math.inf)
    current = min((row.wave for row in rows if not is_met(row)), default=math.inf)
    allowed = frozenset(row.tenant for row in rows if _may(row, current, stopped_after))
    if not mismatches:
        return allowed, ""
    first = min(mismatches, key=lambda row: (row.wave, row.tenant))
    differ = "1 key differs" if first.differing == 1 else f"{first.differing} keys differ"
    others = len(mismatches) - 1
    more = "" if not others else f", and {others} more tenant{'' if others == 1 else 's'}"
    return allowed, (
        f"{first.tenant}: {differ}{more}; no wave after {first.wave} begins. "
        f"verify --tenant {first.tenant} lists them, with --repair copies them again"
    )


def _may(row: TenantMove, current: float, stopped_after: float) -> bool:
    if row.goal == "none":
        return False
    if row.goal == "cancelled":
        return True
    if row.state == "pending":
        return row.wave <= min(current, stopped_after)
    return not (row.state == "ready" and row.goal == "switched" and row.wave > stopped_after)
