"""A load test from end to end: prepares, sends, takes back what it prepared, and reports."""

import asyncio
import gc
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import httpx2
import msgspec
from msgspec import Meta

from ventures.errors import SettingsError, VenturesError
from ventures.population import preparing
from ventures.population.loading import Level, Load, Step
from ventures.population.report import Report, report
from ventures.population.shape import Plan, chance
from ventures.population.workload import NAMES, Workload
from ventures.settings import Settings
from ventures.wiring import open_platform

OPENAPI: Final = "/v1/openapi"
ANSWER_SECONDS: Final = 30.0


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What load to make. url: of the platform, http only. most_under_way: requests that may wait for an answer. only:
    operation ids, in their shares to each other; () is all there are.
    """

    plan: Plan
    url: str
    levels: tuple[Level, ...]
    rate_per_user: float
    most_under_way: Annotated[int, Meta(ge=1, le=20_000)] = 2_000
    only: tuple[str, ...] = ()


async def load(wanted: Wanted, settings: Settings, address: str, *, told: Callable[[str, Step | None], None]) -> Report:
    """Makes the load and says what came of it. told: what is going on, with the step under way while it sends.

    Raises: VenturesError where there is no population, or nobody answers at the URL.
    """
    host, port = _place(wanted.url)
    offered = await asyncio.to_thread(_offered, wanted.url)
    if unknown := set(wanted.only) - set(NAMES):
        raise SettingsError(f"The load has no operation {sorted(unknown)[0]!r}; there are {', '.join(NAMES)}.")
    asked = [name for name in NAMES if not wanted.only or name in wanted.only]
    seed = wanted.plan.seed
    seconds = sum(level.seconds for level in wanted.levels)
    async with open_platform(settings, address) as platform:
        found = await preparing.places(
            platform, wanted.plan, lambda done, of: told(f"{done} of {of} ventures looked at", None)
        )
        keys = await preparing.keys(
            platform, wanted.plan, seconds, lambda done, of: told(f"{done} of {of} keys made", None)
        )
    try:
        people = preparing.people(wanted.plan, f"{host}:{port}", found, keys)
        source = Workload(seed, people, chance(seed, "workload"), [name for name in asked if name in offered])
        sending = Load(host, port, source, len(NAMES), most=wanted.most_under_way, luck=chance(seed, "arrivals"))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, sending.stop)
        gc.collect()
        gc.freeze()  # what was prepared stays to the end, and is not to be looked through again and again
        began_at = datetime.now(UTC).isoformat(timespec="seconds")
        steps = await sending.run(wanted.levels, lambda step: told("", step))
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    finally:
        told("keys are revoked", None)
        async with open_platform(settings, address) as platform:
            await preparing.revoke(platform, keys)
    return report(
        steps,
        source.findings,
        began_at=began_at,
        url=wanted.url,
        users=wanted.plan.users,
        seed=seed,
        rate_per_user=wanted.rate_per_user,
        most_under_way=wanted.most_under_way,
        left_out=[name for name in asked if name not in offered],
    )


def _place(url: str) -> tuple[str, int]:
    """Raises: SettingsError."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None or parts.path not in ("", "/"):
        raise SettingsError(f"The load goes to a URL such as http://127.0.0.1:8400, not {url}: TLS ends before it.")
    return parts.hostname, parts.port or 80


def _offered(url: str) -> set[str]:
    """The operation ids that the API describes. Raises: VenturesError."""
    try:
        answer = httpx2.get(url.rstrip("/") + OPENAPI, timeout=ANSWER_SECONDS, trust_env=False)
        document: dict[str, Any] = msgspec.json.decode(answer.raise_for_status().content)
    except (httpx2.HTTPError, msgspec.MsgspecError) as error:
        raise VenturesError(f"The API at {url} does not say what it can do ({error}). Is it running?") from None
    return {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict) and "operationId" in operation
    }
