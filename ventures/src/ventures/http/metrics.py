"""What the API's processes measure of themselves, and all of it as one page whichever of them is asked.

Where processes share a folder (prometheus_client's multiprocess mode: numbers in mapped files, which outlive a killed
process) the page is made of everybody's files. The library's own collector takes every key apart at every scrape, 45 ms
for two processes with 200 routes and statuses each; here a key is taken apart once.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import msgspec
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.mmap_dict import MmapedDict

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
VECTOR_BUCKETS: Final = (
    *(0.0005, 0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5),
    *(5.0, 10.0, 15.0, 30.0),
)
"""With bounds where a search counts as slow (5 s) and as unusable (15 s); near to each other where most searches are,
since a p95 between two of them is a guess."""
LAG_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
LAG_EVERY_SECONDS: Final = 0.5
SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Set before the processes start, it makes each of them answer for all."""
API: Final = "/v1/"
METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


class RequestMetrics:
    """Recorders of one API process. No venture and no person is a label.

    `ventures_http_request_seconds` by method, route template and status, `ventures_api_request_seconds` of all of them;
    `ventures_vector_query_seconds` by store and
    who answered; `ventures_event_loop_lag_seconds`; `ventures_requests_under_way`, where whoever takes requests tells
    of their beginning.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "ventures_http_request_seconds",
            "How long requests took, until the end of the answer.",
            ("method", "route", "status"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._api_seconds = Histogram(
            "ventures_api_request_seconds",
            "How long requests of /v1 took, all together: there from the start, where a route appears with its first.",
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._vector_seconds = Histogram(
            "ventures_vector_query_seconds",
            "How long asking for the nearest vectors took: of the index, or exactly of PostgreSQL.",
            ("store", "answered_by"),
            buckets=VECTOR_BUCKETS,
            registry=self.registry,
        )
        self._lag_seconds = Histogram(
            "ventures_event_loop_lag_seconds",
            "How much later than asked the event loop of an API process woke up, tried twice a second.",
            buckets=LAG_BUCKETS,
            registry=self.registry,
        )
        self._lines: dict[tuple[str, str, int], Any] = {}
        self._under_way_now = 0
        self._under_way: Gauge | None = None
        self._lagging: asyncio.Task[None] | None = None

    def began(self) -> None:
        """A request was accepted; `count` says that it is answered."""
        if self._under_way is None:
            self._under_way = Gauge(
                "ventures_requests_under_way",
                "Requests accepted and not answered yet, the one for this page among them.",
                multiprocess_mode="liveall",
                registry=self.registry,
            )
        self._under_way_now += 1
        self._under_way.set(self._under_way_now)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request. route: the template, never the address, so that no id becomes a label."""
        self._line(method if method in METHODS else "other", route, status).observe(seconds)
        if route.startswith(API):
            self._api_seconds.observe(seconds)
        if self._under_way is not None:
            self._under_way_now -= 1
            self._under_way.set(self._under_way_now)
        if self._lagging is None or self._lagging.done():
            with suppress(RuntimeError):  # outside of a loop there is none to watch
                self._lagging = asyncio.get_running_loop().create_task(self._lag())

    def expect(self, store: str) -> None:
        """Shows the store before it is asked: no search is a count of 0, not an unknown one."""
        for answered_by in ("index", "exact"):
            self._vector_seconds.labels(store, answered_by)

    def _line(self, method: str, route: str, status: int) -> Any:
        which = (method, route, status)
        line = self._lines.get(which)
        if line is None:
            line = self._lines[which] = self._seconds.labels(method, route, str(status))
        return line

    def vector_query(self, store: str, answered_by: str, seconds: float) -> None:
        """One asking for vectors. store: the layout of the venture's route; answered_by: index or exact."""
        self._vector_seconds.labels(store, answered_by).observe(seconds)

    async def _lag(self) -> None:
        while True:
            due = perf_counter() + LAG_EVERY_SECONDS
            await asyncio.sleep(LAG_EVERY_SECONDS)
            self._lag_seconds.observe(max(0.0, perf_counter() - due))

    def written(self, living: Mapping[int, str]) -> bytes:
        """In Prometheus' text format; of all processes where they share a folder. living: the API processes that run,
        by process id, and what they are called.
        """
        folder = os.environ.get(SHARED_FOLDER)
        return generate_latest(self.registry) if folder is None else together(Path(folder), living)


class _Key(NamedTuple):
    """A key of a mapped file, taken apart. labels: as text, without the bucket's bound."""

    metric: str
    meaning: str
    sample: str
    labels: str
    bound: str | None


class _Family(msgspec.Struct):
    kind: str
    meaning: str
    series: dict[str, dict[str | None, float]] = {}
    """labels → (bound → count, None → the sum or the value)"""


def together(folder: Path, living: Mapping[int, str]) -> bytes:
    """The files of all processes as one page: histograms of those that ended count on, gauges only of the living."""
    families: dict[str, _Family] = {}
    for file in sorted(folder.glob("*.db")):
        kind, *_, pid = file.stem.split("_")
        process = living.get(int(pid)) if kind == "gauge" else ""
        if process is None:
            continue
        with suppress(FileNotFoundError):
            values = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]  # left untyped
            for text, value, _, _ in values:
                key = _taken_apart(text)
                family = families.setdefault(key.metric, _Family(kind, key.meaning))
                series = family.series.setdefault(_with_process(key.labels, process), {})
                series[key.bound] = series.get(key.bound, 0.0) + value
    return "".join(line for name in sorted(families) for line in _lines(name, families[name])).encode()


@cache
def _taken_apart(text: str) -> _Key:
    metric, sample, labels, meaning = msgspec.json.decode(text)
    bound = labels.pop("le", None)
    return _Key(metric, meaning, sample, ",".join(f'{name}="{_escaped(labels[name])}"' for name in labels), bound)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _with_process(labels: str, process: str) -> str:
    return labels if not process else f'process="{process}"' + (f",{labels}" if labels else "")


def _lines(name: str, family: _Family) -> Iterator[str]:
    yield f"# HELP {name} {family.meaning}\n# TYPE {name} {family.kind}\n"
    for labels, values in family.series.items():
        whole = values.pop(None, 0.0)
        shown = f"{{{labels}}}" if labels else ""
        if family.kind != "histogram":
            yield f"{name}{shown} {whole!r}\n"
            continue
        count, before = 0.0, f"{labels}," if labels else ""
        for bound in sorted(values, key=lambda one: float(one or "nan")):
            count += values[bound]
            yield f'{name}_bucket{{{before}le="{bound}"}} {count:.1f}\n'
        yield f"{name}_count{shown} {count:.1f}\n{name}_sum{shown} {whole!r}\n"
