"""Whether the service carries a multiple of the load of today, without dropping a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from outgrow.points.declaration import Trigger
from outgrow.quantities import HOUR, WEEK, format_duration, format_quantity, significant
from outgrow.signals.series import Series
from outgrow.validation.records import Check

BUSY_HOURS = 0.95
"""The load of today is what this share of the last week's hours stay below: all but its eight busiest."""

LEAST_HOURS = 84
"""Half a week: fewer hours may lack the busy ones."""

LEAST_REQUESTS = 100
"""With fewer, the p95 is that of the five slowest or less."""

LEAST_SENT = 0.95
"""A run that was sent less than this share of the load says nothing of the load."""


@dataclass(frozen=True, slots=True)
class CurrentRate:
    """The load of today in requests a second, and how it is known; None with ``why_not`` where it is not."""

    per_second: float | None
    source: str = ""
    why_not: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class LoadRun:
    """What an arm made of the load. Times are seconds, of what was answered, None where nothing was; ``measures`` are
    of triggers, in base units; ``why_dropped`` has the most frequent reasons."""

    arm: str
    rate_per_second: float
    seconds: float
    sent: int
    dropped: int
    p50_seconds: float | None = None
    p95_seconds: float | None = None
    p99_seconds: float | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    why_dropped: str = ""


def current_rate(declared: float | None, hours: Series | None, now: float) -> CurrentRate:
    """The load of today: as declared, else the busy hours of the last week.

    Args:
        declared: requests a second; None: not declared.
        hours: of the load's signal, a mean for each clock hour, stamped with its start; None: no load is declared.
        now: seconds since the epoch. An hour that is not over does not count.
    """
    if declared is not None:
        return CurrentRate(declared, "declared")
    step = "write current_rate: under validation:, in requests a second"
    if hours is None:
        return CurrentRate(None, why_not="the load of today is not known: no load is declared", next_step=step)
    week = hours.between(now - WEEK, now - HOUR)
    if len(week) < LEAST_HOURS:
        why = (
            f"the load of today is not known: {hours.name} has {len(week)} hours of the last week, and {LEAST_HOURS} "
            "are needed"
        )
        return CurrentRate(None, why_not=why, next_step=f"outgrow record --every 60s for some days, or {step}")
    busy = float(np.quantile(week.values, BUSY_HOURS))
    if busy <= 0:
        return CurrentRate(None, why_not=f"{hours.name} was 0 in the last week, so there is no load", next_step=step)
    told = "" if week.origin == "measured" else f", {week.origin}"
    share = significant(BUSY_HOURS * 100)
    return CurrentRate(busy, f"{hours.name}: {share} % of {len(week)} hours of the last week stay below{told}")


def load_check(
    rate: CurrentRate, factor: float, run: LoadRun | None, failed: str, triggers: Sequence[Trigger]
) -> Check:
    """Fails where a request was dropped, or a trigger's measure is beyond its threshold.

    Args:
        run: under ``factor`` × the rate; None where there was none, and ``failed`` says why not.
        triggers: of the point; those that the run measured are judged.
    """
    evidence: dict[str, Any] = {
        "current_rate_per_second": rate.per_second,
        "current_rate_source": rate.source or None,
        "factor": factor,
        "run": None if run is None else {**asdict(run), "measures": dict(run.measures)},
        "triggers": [],
    }
    if rate.per_second is None:
        return Check("load", None, f"Cannot tell: {rate.why_not}.", evidence, next_step=rate.next_step)
    if run is None:
        return Check("load", None, f"Cannot tell: {failed}", evidence, next_step="mend that, then validate again")
    beyond = list(_judged(run, triggers))
    evidence["triggers"] = beyond
    sent = f"{significant(factor)} × {format_quantity(rate.per_second, 'per_second')}"
    times = _times(run)
    remarks = tuple(_remarks(run, triggers, rate))
    if run.dropped:
        said = f"{run.arm} dropped {run.dropped:,} of {run.sent:,} requests at {sent}{times}."
        if run.why_dropped:
            remarks = (f"dropped: {run.why_dropped}", *remarks)
        return Check("load", False, said, evidence, remarks, "see what the service says in its own log")
    wrong = [each for each in beyond if not each["ok"]]
    if wrong:
        first = wrong[0]
        said = (
            f"{run.arm} dropped none of {run.sent:,} requests at {sent}{times}, but {first['trigger']} read "
            f"{significant(first['value'])}, and its threshold is {significant(first['threshold'])}."
        )
        return Check("load", False, said, evidence, remarks, "see what the service says in its own log")
    why = _too_little(run)
    if why:
        return Check("load", None, f"Cannot tell: {why[0]}", evidence, remarks, why[1])
    said = f"{run.arm} dropped none of {run.sent:,} requests at {sent}, for {format_duration(run.seconds)}{times}."
    return Check("load", True, said, evidence, remarks)


def _times(run: LoadRun) -> str:
    if run.p95_seconds is None or run.p99_seconds is None:
        return ""
    return f"; p95 {format_quantity(run.p95_seconds, 'seconds')}, p99 {format_quantity(run.p99_seconds, 'seconds')}"


def _judged(run: LoadRun, triggers: Sequence[Trigger]) -> Iterator[dict[str, Any]]:
    for trigger in triggers:
        value, threshold = run.measures.get(trigger.id), trigger.threshold
        if value is None or threshold is None or trigger.kind != "threshold":
            continue
        ok = value <= threshold if trigger.direction == "above" else value >= threshold
        yield {"trigger": trigger.id, "value": value, "threshold": threshold, "ok": ok}


def _too_little(run: LoadRun) -> tuple[str, str] | None:
    wanted = run.rate_per_second * run.seconds
    if run.sent < LEAST_SENT * wanted:
        return (
            f"{run.sent:,} requests were sent in {format_duration(run.seconds)}, and {wanted:,.0f} were to be.",
            "have the experiment send what it is asked to (OUTGROW_RATE)",
        )
    if run.sent < LEAST_REQUESTS:
        return (
            f"{run.sent:,} requests are too few; {LEAST_REQUESTS} make a p95.",
            "write a larger round_seconds: or rounds: under workload:",
        )
    return None


def _remarks(run: LoadRun, triggers: Sequence[Trigger], rate: CurrentRate) -> Iterator[str]:
    measured = [each.id for each in triggers if each.id in run.measures]
    unmeasured = [each.id for each in triggers if each.kind == "threshold" and each.id not in measured]
    if unmeasured:
        yield f"not measured in the run: {', '.join(unmeasured)}"
    if rate.source.endswith("simulated"):
        yield "the load of today comes from simulated history"
