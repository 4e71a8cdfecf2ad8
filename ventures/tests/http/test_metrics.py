"""The page of metrics says the truth of the whole installation, cheaply, whichever process is asked."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from prometheus_client.parser import text_string_to_metric_families
from psycopg.sql import SQL, Identifier

from ventures.database.roles import Addresses
from ventures.http.metrics import together
from ventures.signals import api as signals
from ventures.testing.api import Api, api

COUNTING: Final = """
import sys
from ventures.http.metrics import RequestMetrics
metrics = RequestMetrics()
for number in range(int(sys.argv[1])):
    metrics.began()
    metrics.count("GET", "/v1/a\\"b", 200 + number % 3, 0.003 * number)
    metrics.vector_query("buckets", "index", 0.002)
metrics.began()
"""
BOTH: Final = """
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
registry = CollectorRegistry()
MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def run(code: str, folder: Path, *words: str) -> tuple[int, str]:
    """→ the process's id and what it printed."""
    environment = {
        **os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], env=environment, stdout=subprocess.PIPE, text=True, cwd=folder
    )
    printed, _ = process.communicate()
    assert process.returncode == 0
    return process.pid, printed


def test_processes_together_are_what_the_library_says_of_them(tmp_path: Path) -> None:
    one, _ = run(COUNTING, tmp_path, "40")
    other, _ = run(COUNTING, tmp_path, "7")
    _, theirs = run(BOTH, tmp_path)
    ours = samples(together(tmp_path, {one: "api-1"}).decode())
    expected = {name: value for name, value in samples(theirs).items() if "under_way" not in name[0]}
    assert {name: value for name, value in ours.items() if "under_way" not in name[0]} == expected
    assert ("ventures_http_request_seconds_count", (("method", "GET"), ("route", '/v1/a"b'), ("status", "200"))) in ours
    under_way = {name: value for name, value in ours.items() if "under_way" in name[0]}
    assert under_way == {("ventures_requests_under_way", (("process", "api-1"),)): 1.0}
    assert other != one


async def looked_at(platform_api: Api) -> tuple[str, Samples]:
    """A page that is not the one kept for others."""
    platform_api.app.state.pop("measured", None)
    text = (await platform_api.nobody.get("/metrics")).text
    return text, samples(text)


@asynccontextmanager
async def watched(addresses: Addresses) -> AsyncIterator[Api]:
    """With all that workers do for it done once."""
    async with api(addresses) as platform_api:
        platform = platform_api.platform
        ada = await platform_api.person()
        venture = await ada.found()
        await platform_api.member(venture, "author")
        await ada.get(f"/v1/ventures/{venture}/content")
        await ada.post("/v1/complaints", {"about": "slow", "text": "I wait.", "zone": "Asia/Tokyo"})
        await platform_api.caught_up()
        for loop in signals.loops(platform.database, platform.spine.authority, platform.settings, platform.now):
            await loop.turn()
        yield platform_api


async def test_counts_of_the_whole_platform_without_a_venture_or_a_person(database_addresses: Addresses) -> None:
    async with watched(database_addresses) as platform_api:
        text, found = await looked_at(platform_api)
        assert found["ventures_users_registered", ()] == 2
        assert found["ventures_users_active", ()] == 2
        assert found["ventures_ventures", (("region", "home"),)] == 1
        assert found["ventures_users_by_region", (("region", "home"),)] == 2
        complained = (("about", "slow"), ("area", "Asia"), ("region", "home"))
        assert found["ventures_complaints", complained] == 1
        for kind in signals.Kind:
            assert found["ventures_inconsistencies", (("kind", kind.label),)] == 0
        assert found["ventures_inconsistencies", (("kind", "complained"),)] == 0
        assert found["ventures_api_processes", ()] == 1
        assert any(name == "ventures_process_resident_memory_bytes" for name, _ in found)
        assert ("ventures_busy_seconds_total", (("of", "machine"),)) in found
        assert "# HELP ventures_region_lag_seconds" in text
        with psycopg.connect(database_addresses.superuser) as connection:
            ids = [str(id) for (id,) in connection.execute('SELECT id FROM "global".account')]
            ids += [str(id) for (id,) in connection.execute("SELECT venture FROM regional.log_head")]
        assert not [id for id in ids if id in text]


async def test_numbers_that_nobody_counts_any_more_are_left_out(database_addresses: Addresses) -> None:
    async with watched(database_addresses) as platform_api:
        platform_api.clock.forward(timedelta(hours=3))
        _, found = await looked_at(platform_api)
        names = {name for name, _ in found}
        assert not names & {"ventures_users_registered", "ventures_inconsistencies", "ventures_complaints"}
        assert "ventures_consumer_lag_seconds" in names


async def test_without_the_database_it_says_what_it_knows(database_addresses: Addresses) -> None:
    where = urlsplit(database_addresses.superuser)
    name = where.path.removeprefix("/")
    closed = SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(name))
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    async with watched(database_addresses) as platform_api:
        with psycopg.connect(urlunsplit(where._replace(path="/postgres")), autocommit=True) as connection:
            connection.execute(closed)
            connection.execute(ended, [name])
        _, found = await looked_at(platform_api)
        names = {name for name, _ in found}
        assert {"ventures_http_request_seconds_count", "ventures_process_cpu_seconds_total"} <= names
        assert "ventures_users_registered" not in names


async def test_the_event_loop_is_watched_from_the_first_request_on(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        await platform_api.nobody.get("/healthz")
        key = ("ventures_event_loop_lag_seconds_count", ())
        while (await looked_at(platform_api))[1][key] < 1:
            await asyncio.sleep(0.1)
