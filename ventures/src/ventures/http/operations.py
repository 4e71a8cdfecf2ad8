"""/healthz, /readyz, /metrics: for who runs the platform, not for who uses it."""

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from litestar import Request, Response, Router, get
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ventures.database.migrate import missing
from ventures.errors import DatabaseUnfit, Unavailable
from ventures.http.exchange import platform_of
from ventures.http.metrics import RequestMetrics
from ventures.log.api import Lag, lags
from ventures.signals import api as signals
from ventures.wiring import Platform

__all__ = ["ROUTERS", "RequestMetrics"]

TEXT_FORMAT: Final = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")  # the framework adds it
KEPT_SECONDS: Final = 1.5
"""Several scrapers at once are told the same of what the database says."""

log = logging.getLogger(__name__)


class Health(msgspec.Struct, frozen=True):
    """status: ok."""

    status: str


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
    """Prometheus' text format, to private addresses only. No venture and no person is a label.

    The same whichever process answers. While the database does not answer, what only it knows is left out.
    """
    if not _private(request):
        raise NotFoundException
    whole = _whole(request.app.state)
    measured: RequestMetrics = request.app.state.metrics
    processes = await asyncio.to_thread(whole.processes.use)
    living = {one.pid: one.name for one in processes if one.kind == "api"}
    platform_wide = await whole.text(platform_of(request))
    return Response(await asyncio.to_thread(measured.written, living) + platform_wide, media_type=TEXT_FORMAT)


class _Whole:
    """What is measured of the whole platform, kept for a moment."""

    def __init__(self, processes: signals.Processes) -> None:
        self.processes = processes
        self._text = b""
        self._at = float("-inf")

    async def text(self, platform: Platform) -> bytes:
        """As a page."""
        if time.monotonic() - self._at > KEPT_SECONDS:
            self._text, self._at = await self._asked(platform), time.monotonic()
        return self._text

    async def _asked(self, platform: Platform) -> bytes:
        now = platform.now()
        try:
            found = await lags(platform.database, platform.consumers, now)
            measured = await signals.gathered(
                platform.database, platform.settings.region, self.processes, platform.index, now
            )
        except Unavailable as error:
            log.warning("what is measured lacks what the database knows: %s", error)
            return _page(signals.families(signals.without_database(platform.settings.region, self.processes, now)))
        return _page([*_lags(found), *signals.families(measured)])


def _whole(state: State) -> _Whole:
    """The one of this process."""
    if "measured" not in state:
        state.metrics.expect(state.platform.settings.index_layout)
        state.measured = _Whole(signals.Processes(state.platform.settings))
    whole: _Whole = state.measured
    return whole


class _Once(Collector):
    """Families as a registry wants them."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = list(found)

    def collect(self) -> Iterable[Metric]:
        return self._found


def _page(found: Iterable[Metric]) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Once(found))
    return generate_latest(registry)


def _lags(found: Sequence[Lag]) -> Iterator[Metric]:
    """One family for each column of `Lag`."""
    for name, meaning, value in LAG_METRICS:
        family = GaugeMetricFamily(f"ventures_consumer_{name}", meaning, labels=("consumer", "target"))
        for lag in found:
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
