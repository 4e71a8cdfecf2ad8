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
        p95_seconds: the service's own; None: it is not known, for the reason ``p95_unknown``.
        idle: it is not known because nobody asked anything.
        stop_file: it is there. exit_code: of the command; None: not run, or it needs none.
        said: the command's last line.
    """

    lag_seconds: float = 0.0
    lagging: str = ""
    p95_seconds: float | None = None
    p95_unknown: str = ""
    idle: bool = False
    stop_file: bool = False
    exit_code: int | None = None
    said: str = ""


def throttled(pace: Pace, pressure: Pressure) -> str:
    """Why nothing may be copied now and what ends it; "" where it may.

    Not knowing the p95 is a reason to wait, unless it is known that there was nobody who could have waited.
    """
    if pace.stop_file and pressure.stop_file:
        return f"the file {pace.stop_file} is there; remove it to go on"
    if pace.command and pressure.exit_code:
        said = f" ({pressure.said.strip()})" if pressure.said.strip() else ""
        return f"{pace.command!r} ended with {pressure.exit_code}{said}; it goes on once that ends with 0"
    if pace.p95_limit_seconds is not None:
        limit = format_quantity(pace.p95_limit_seconds, "seconds")
        name = pace.p95_signal or "the service's p95"
        if pressure.p95_seconds is None and not pressure.idle:
            why = pressure.p95_unknown or "it was not measured lately"
            return f"{name} is not known, nor then whether the service bears more: {why}; it goes on once it is known"
        if pressure.p95_seconds is not None and pressure.p95_seconds > pace.p95_limit_seconds:
            now = format_quantity(pressure.p95_seconds, "seconds")
            return f"{name} is {now}, above {limit}; it goes on below that"
    if pressure.lag_seconds > pace.most_lag_seconds:
        late = format_quantity(pressure.lag_seconds, "seconds")
        who = f"{pressure.lagging} is" if pressure.lagging else "a tenant is"
        most = format_quantity(pace.most_lag_seconds, "seconds")
        return f"{who} {late} behind, more than {most}; its changes are carried over first"
    return ""
