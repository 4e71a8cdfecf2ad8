"""/healthz, /readyz, /metrics: for who runs the platform, not for who uses it."""

import asyncio
import ipaddress
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec
from litestar import Request, Response, Router, get
from litestar.exceptions import NotFoundException
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ventures.database.migrate import missing
from ventures.errors import DatabaseUnfit, Unavailable
from ventures.http.exchange import platform_of
from ventures.log.api import Lag, lags

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
TEXT_FORMAT: Final = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")  # the framework adds it
SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Set before the processes start, it makes each of them answer for all (prometheus_client's multiprocess mode)."""


class Health(msgspec.Struct, frozen=True):
    """status: ok."""

    status: str


class RequestMetrics:
    """What the API measures of itself: `ventures_http_request_seconds` by method, route template and status."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "ventures_http_request_seconds",
            "How long requests took, until the end of the answer.",
            ("method", "route", "status"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._lines: dict[tuple[str, str, int], Any] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request. route: the template, never the address, so that no id becomes a label."""
        which = (method if method in METHODS else "other", route, status)
        line = self._lines.get(which)
        if line is None:
            line = self._lines[which] = self._seconds.labels(which[0], route, str(status))
        line.observe(seconds)

    def written(self) -> bytes:
        """In Prometheus' text format; of all processes where they share a folder."""
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # the library leaves it untyped
        return generate_latest(together)


METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


@get("/healthz", summary="Whether this process answers", operation_id="healthz")
async def healthz() -> Health:
    """Asks nobody else: a database that is away is no reason to restart this process."""
    return Health("ok")


@get("/readyz", summary="Whether requests can be answered", operation_id="readyz")
async def readyz(request: Request[Any, Any, Any]) -> Health:
    """The database answers and has every step of the schema."""
    platform = platform_of(request)
    async with platform.database.everywhere():
        pass
    if not request.app.state.get("migrated", False) and platform.settings.database_url is not None:
        try:
            steps = await asyncio.to_thread(missing, platform.settings.database_url)
        except DatabaseUnfit as unfit:
            raise Unavailable(str(unfit)) from unfit
        if steps:
            raise Unavailable(f"The database lacks {len(steps)} steps of the schema: run `ventures migrate`.")
        request.app.state.migrated = True
    return Health("ok")


@get("/metrics", summary="What is measured", operation_id="metrics")
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Prometheus' text format, to private addresses only. No venture and no person is a label."""
    if not _private(request):
        raise NotFoundException
    measured: RequestMetrics = request.app.state.metrics
    return Response(measured.written() + await _of_consumers(request), media_type=TEXT_FORMAT)


async def _of_consumers(request: Request[Any, Any, Any]) -> bytes:
    """Asked of the database, so that it is the same whichever process answers."""
    platform, registry = platform_of(request), CollectorRegistry()
    registry.register(_Lags(await lags(platform.database, platform.consumers, platform.now())))
    return generate_latest(registry)


class _Lags(Collector):
    """How far each consumer is, as metrics of this moment."""

    def __init__(self, found: Sequence[Lag]) -> None:
        self._found = found

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family for each column of `Lag`."""
        for name, meaning, value in LAG_METRICS:
            family = GaugeMetricFamily(f"ventures_consumer_{name}", meaning, labels=("consumer", "target"))
            for lag in self._found:
                family.add_metric((lag.consumer, lag.target), value(lag))
            yield family


LAG_METRICS: Final[tuple[tuple[str, str, Callable[[Lag], float]], ...]] = (
    ("lag_seconds", "Age of the oldest move of a log not caught up with.", lambda lag: lag.seconds),
    ("lag_events", "Events that it has not read, over all ventures.", lambda lag: lag.events),
    ("lag_ventures", "Ventures whose log it has not read to the end.", lambda lag: lag.ventures),
    ("failing_ventures", "Ventures in which it tries an event again.", lambda lag: lag.failing),
    ("parked_events", "Events that it could not handle and put aside.", lambda lag: lag.parked),
)


def _private(request: Request[Any, Any, Any]) -> bool:
    """Whether it comes from this machine or its networks; behind a trusted proxy the server says the true address."""
    client = request.client
    if client is None:
        return True
    try:
        return ipaddress.ip_address(client.host.partition("%")[0]).is_private
    except ValueError:
        return False


ROUTERS = (Router("/", route_handlers=[healthz, readyz, metrics], include_in_schema=False),)
