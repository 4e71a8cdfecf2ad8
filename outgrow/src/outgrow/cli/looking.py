"""What ``status``, ``forecast`` and ``export report`` share: asking the sources first, and looking from another day."""

from __future__ import annotations

import re

from outgrow.cli.output import err
from outgrow.errors import UsageError
from outgrow.lookout import Lookout
from outgrow.outlook.triggers import LOOK_BACK
from outgrow.quantities import DAY, HOUR, iso_date, parse_time
from outgrow.wiring import FRESH_SECONDS, Workspace


def look_from(workspace: Workspace, *, as_of: str | None, offline: bool, pictures: bool = False) -> Lookout:
    """A lookout on fresh data: sources are asked unless a recorder just did, or another day is looked from.

    Where no source is declared, it looks from the last imported value, if that is at most four weeks old.
    """
    if as_of is not None:
        return workspace.lookout(now=_end_of(as_of), keep=False, pictures=pictures)
    now = workspace.clock.now()
    if not workspace.declaration.sources:
        lookout = workspace.lookout(now=_last_import(workspace, now), pictures=pictures)
        lookout.noted_until = now
        return lookout
    recorded = workspace.recorded()
    if recorded is not None and (offline or 0 <= now - recorded[0] <= FRESH_SECONDS):
        unknown = recorded[1] if now - recorded[0] <= FRESH_SECONDS else {}
    elif offline:
        unknown = {}
    else:
        workspace.backfill(say=lambda text: err().print(text, style="dim", markup=False))
        unknown = dict(workspace.observe().unknown)
    return workspace.lookout(now=now, unknown=unknown, pictures=pictures)


def _last_import(workspace: Workspace, now: float) -> float:
    last = max((each.last for each in workspace.ledger.signals()), default=now)
    if last > now or last == now:
        return now
    if now - last > LOOK_BACK:
        err().print(
            f"the data end on {iso_date(last)}; to look from there: --as-of {iso_date(last)}",
            style="yellow",
            markup=False,
        )
        return now
    if now - last > HOUR:
        err().print(f"as of {iso_date(last)}, the end of what was imported", style="dim", markup=False)
    return last


def _end_of(text: str) -> float:
    try:
        time = parse_time(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
    is_day = re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip()) is not None
    return time + DAY if is_day else time
