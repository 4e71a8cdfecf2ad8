"""What ``status``, ``forecast`` and ``export report`` share: asking the sources first, and looking from another day."""

from __future__ import annotations

from outgrow.cli.output import err
from outgrow.errors import UsageError
from outgrow.lookout import Lookout
from outgrow.quantities import DAY, parse_time
from outgrow.wiring import FRESH_SECONDS, Workspace


def look_from(workspace: Workspace, *, as_of: str | None, offline: bool, pictures: bool = False) -> Lookout:
    """A lookout on fresh data: sources are asked unless a recorder just did, or another day is looked from."""
    if as_of is not None:
        return workspace.lookout(now=_end_of(as_of), pictures=pictures)
    now = workspace.clock.now()
    recorded = workspace.recorded()
    if offline or not workspace.declaration.sources:
        unknown = recorded[1] if recorded and now - recorded[0] <= FRESH_SECONDS else {}
    elif recorded is not None and 0 <= now - recorded[0] <= FRESH_SECONDS:
        unknown = recorded[1]
    else:
        workspace.backfill(say=lambda text: err().print(text, style="dim", markup=False))
        unknown = dict(workspace.observe().unknown)
    return workspace.lookout(unknown=unknown, pictures=pictures)


def _end_of(text: str) -> float:
    try:
        time = parse_time(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return time + DAY if len(text.strip()) == 10 else time
