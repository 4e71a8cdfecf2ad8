"""Why nothing may be copied now: the first thing that holds against it, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from outgrow.migration.records import Pace
from outgrow.quantities import format_quantity


@dataclass(frozen=True, slots=True)
class Pressure:
    """What was seen of the service and of the move.

    Attributes:
        lag_seconds: of the tenant that is furthest behind among those whose changes are carried.
        p95_seconds: the service's own; None: nothing was measured lately.
        stop_file: it is there. exit_code: of the command; None: not run, or it needs none.
        said: the command's last line.
    """

    lag_seconds: float = 0.0
    lagging: str = ""
    p95_seconds: float | None = None
    stop_file: bool = False
    exit_code: int | None = None
    said: str = ""


def throttled(pace: Pace, pressure: Pressure) -> str:
    """Why nothing may be copied now and what ends it; "" where it may. Not knowing the p95 is a reason to wait."""
    if pace.stop_file and pressure.stop_file:
        return f"the file {pace.stop_file} is there; remove it to go on"
    if pace.command and pressure.exit_code:
        said = f" ({pressure.said.strip()})" if pressure.said.strip() else ""
        return f"{pace.command!r} ended with {pressure.exit_code}{said}; it goes on once that ends with 0"
    if pace.p95_limit_seconds is not None:
        limit = format_quantity(pace.p95_limit_seconds, "seconds")
        name = pace.p95_signal or "the service's p95"
        if pressure.p95_seconds is None:
            return f"{name} was not measured lately, so it is not known whether the service bears it; see that it is"
        if pressure.p95_seconds > pace.p95_limit_seconds:
            now = format_quantity(pressure.p95_seconds, "seconds")
            return f"{name} is {now}, above {limit}; it goes on below that"
    if pressure.lag_seconds > pace.most_lag_seconds:
        late = format_quantity(pressure.lag_seconds, "seconds")
        who = f"{pressure.lagging} is" if pressure.lagging else "a tenant is"
        most = format_quantity(pace.most_lag_seconds, "seconds")
        return f"{who} {late} behind, more than {most}; its changes are carried over first"
    return ""
