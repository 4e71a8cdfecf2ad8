"""What is watched, as families of metrics. A part that cannot say its numbers now is left out, never shown as zero."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from ventures.signals.complaining import AREAS, UNKNOWN
from ventures.signals.counting import RECENT
from ventures.signals.records import ABOUTS, Audited, Count, ProcessUse
from ventures.vectors.api import StoreStatus

COUNTED: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "users_registered": ("ventures_users_registered", "Accounts.", ()),
    "users_active": ("ventures_users_active", "Accounts that made a request within 30 days.", ()),
    "ventures": ("ventures_ventures", "Ventures that are not deleted, by home region.", ("region",)),
    "users_by_region": (
        "ventures_users_by_region",
        "Accounts that belong to a venture, by its home region; who belongs to ventures of two counts in both.",
        ("region",),
    ),
    "complaints": (
        "ventures_complaints",
        f"Complaints of the last {RECENT.days} days. area: where the person is, as they said; region: where their "
        "ventures live.",
        ("about", "area", "region"),
    ),
}


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to show at one moment, in the installation of `region`; None where a part cannot say.

    machine_busy_seconds: see `processes`. drafts: by outcome and reason, since ever; draft_seconds: (upper bounds,
    counts by bucket with one more for what is beyond, sum). checks: of the running audit of searches, by result.
    """

    now: datetime
    region: str
    counts: Sequence[Count] = ()
    audited: Audited | None = None
    processes: Sequence[ProcessUse] = ()
    machine_busy_seconds: float | None = None
    drafts: Mapping[tuple[str, str], int] | None = None
    draft_seconds: tuple[Sequence[float], Sequence[int], float] | None = None
    checks: Mapping[str, int] | None = None
    stores: Sequence[StoreStatus] | None = None


def families(measured: Measured) -> Iterator[Metric]:
    """All of it."""
    yield from _counts(measured)
    if measured.audited is not None:
        yield from _audit(measured.audited, measured)
    yield from _processes(measured)
    if measured.stores is not None:
        yield from _stores(measured.stores)
    if measured.drafts is not None:
        drafts = CounterMetricFamily(
            "ventures_generation_outcomes", "Drafts that ended, by how and why.", labels=("outcome", "reason")
        )
        for (outcome, reason), count in measured.drafts.items():
            drafts.add_metric((outcome, reason), count)
        yield drafts
    if measured.draft_seconds is not None:
        yield _histogram("ventures_generation_seconds", "How long drafts took.", *measured.draft_seconds)
    if measured.checks is not None:
        checks = CounterMetricFamily(
            "ventures_cross_venture_checks",
            "Searches repeated exactly, by what was found: right, wrong, foreign (a result of another venture).",
            labels=("result",),
        )
        for result, count in measured.checks.items():
            checks.add_metric((result,), count)
        yield checks
    yield GaugeMetricFamily(
        "ventures_region_lag_seconds",
        "How far a region's copy is behind its home. No value: there is one region, so nothing can be behind.",
        labels=("region",),
    )


def _counts(measured: Measured) -> Iterator[Metric]:
    for signal, (name, meaning, labels) in COUNTED.items():
        family = GaugeMetricFamily(name, meaning, labels=labels)
        found = {tuple(count.labels): count.count for count in measured.counts if count.signal == signal}
        if measured.counts:
            found = dict.fromkeys(_always(signal, measured.region), 0) | found
        for values, count in found.items():
            family.add_metric(values, count)
        yield family
    if measured.counts:
        yield GaugeMetricFamily(
            "ventures_counted_timestamp_seconds",
            "When these were counted.",
            value=min(count.at for count in measured.counts).timestamp(),
        )


def _always(signal: str, region: str) -> list[tuple[str, ...]]:
    """Labels that are shown, as 0, before there is anything to count."""
    if signal == "complaints":
        return [(about, area, region) for about in ABOUTS for area in (*sorted(AREAS), UNKNOWN)]
    return [(region,)] if signal in ("ventures", "users_by_region") else [()]


def _audit(audited: Audited, measured: Measured) -> Iterator[Metric]:
    round_ = audited.round
    open_ = GaugeMetricFamily(
        "ventures_inconsistencies",
        "Disagreements between parts of the platform that the running audit sees now, and complaints about such.",
        labels=("kind",),
    )
    recent = GaugeMetricFamily(
        "ventures_inconsistencies_found",
        f"Those found within {RECENT.days} days, gone ones included.",
        labels=("kind",),
    )
    if audited.known or any(audited.open.values()):
        for kind, count in audited.open.items():
            open_.add_metric((kind.label,), count)
            recent.add_metric((kind.label,), audited.recent[kind])
        complained = [c.count for c in measured.counts if c.signal == "complaints" and c.labels[0] == "inconsistent"]
        open_.add_metric(("complained",), sum(complained))
    yield open_
    yield recent
    if round_ is not None and round_.whole_at is not None:
        for name, meaning, value in (
            ("seconds", "How long the last whole round of the running audit took.", round_.whole_seconds or 0.0),
            ("ventures", "How many ventures it looked at.", round_.whole_ventures or 0),
        ):
            yield GaugeMetricFamily(f"ventures_audit_round_{name}", meaning, value=value)
        yield GaugeMetricFamily(
            "ventures_audit_timestamp_seconds", "When the audit last looked.", value=round_.looked_at.timestamp()
        )


def _processes(measured: Measured) -> Iterator[Metric]:
    labels = ("kind", "process")
    cpu = CounterMetricFamily(
        "ventures_process_cpu_seconds", "CPU time of the processes on this machine; PostgreSQL's as one.", labels=labels
    )
    memory = GaugeMetricFamily(
        "ventures_process_resident_memory_bytes",
        "Memory of the processes on this machine; PostgreSQL's as one, with what they share counted once.",
        labels=labels,
    )
    busy = CounterMetricFamily(
        "ventures_busy_seconds",
        "How long what can be too busy was busy: processes of ours by CPU time, the machine as the mean of its cores.",
        labels=("of",),
    )
    for process in measured.processes:
        cpu.add_metric((process.kind, process.name), process.cpu_seconds)
        memory.add_metric((process.kind, process.name), process.resident_bytes)
        if process.kind in ("api", "worker", "index"):
            busy.add_metric((process.name,), process.cpu_seconds)
    if measured.machine_busy_seconds is not None:
        busy.add_metric(("machine",), measured.machine_busy_seconds)
    yield from (cpu, memory, busy)
    yield GaugeMetricFamily(
        "ventures_api_processes",
        "Processes of the API that run here.",
        value=sum(process.kind == "api" for process in measured.processes),
    )


def _stores(stores: Sequence[StoreStatus]) -> Iterator[Metric]:
    labels = ("store", "process")
    points = GaugeMetricFamily("ventures_index_points", "Vectors in a store of an index process.", labels=labels)
    disk = GaugeMetricFamily("ventures_index_disk_bytes", "What a store takes on the disk.", labels=labels)
    ventures = GaugeMetricFamily(
        "ventures_index_ventures",
        "Ventures of a store: filled, or behind, that is still being read.",
        labels=(*labels, "state"),
    )
    usable = GaugeMetricFamily(
        "ventures_index_usable", "1 where a store of an index process can be used, else 0.", labels=labels
    )
    for one in stores:
        process = f"index-{one.process}"
        usable.add_metric((one.store, process), float(not one.fault))
        if one.store:
            points.add_metric((one.store, process), one.points)
            disk.add_metric((one.store, process), one.disk_bytes)
            ventures.add_metric((one.store, process, "filled"), one.filled)
            ventures.add_metric((one.store, process, "behind"), one.behind)
    yield from (points, disk, ventures, usable)


def _histogram(
    name: str, meaning: str, bounds: Sequence[float], counts: Sequence[int], seconds: float
) -> HistogramMetricFamily:
    buckets, whole = [], 0
    for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=True):
        whole += count
        buckets.append((bound, float(whole)))
    return HistogramMetricFamily(name, meaning, buckets=buckets, sum_value=seconds)
