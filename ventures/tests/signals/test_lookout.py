"""outgrow is told all there is to watch, by names that the platform really has."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from outgrow.points.reading import parse_declaration
from ventures.database import embedded
from ventures.identifiers import new_id
from ventures.signals import api as signals
from ventures.testing.serving import Serving, folder, serving
from ventures.wiring import open_platform

WITH_THE_LIVE_PART: Final = {"client_rerenders", "websocket_failures", "update_delay_p95"}
WITH_REGIONS: Final = {"region_sync_lag"}
UNTIL_SOMETHING_WAS_ASKED: Final = {"vector_p95", "response_p95", "generation_success", "cross_venture_accuracy"}
"""A share of nothing is no number."""
UNKNOWN_TOO: Final = 3
"""What outgrow ends with where some signals have no value."""
EXPOSED: Final = ("_bucket", "_sum", "_count", "_total")


def packaged() -> str:
    return (files("ventures") / "outgrow.yaml").read_text(encoding="utf-8")


def test_it_has_every_trigger_of_the_template() -> None:
    ours = parse_declaration(packaged())
    template = (files("outgrow.points.templates") / "venture-platform.yaml").read_text(encoding="utf-8")
    theirs = parse_declaration(template)
    named = [(point.id, trigger.id) for point in ours.points for trigger in point.triggers]
    assert named == [(point.id, trigger.id) for point in theirs.points for trigger in point.triggers]
    assert len(named) == 16
    assert [(p.users_range, p.monitor_from, p.complete_before) for p in ours.points] == [
        (p.users_range, p.monitor_from, p.complete_before) for p in theirs.points
    ]


@pytest.fixture(scope="module")
def platform() -> Iterator[Serving]:
    with folder() as data, serving(data, VENTURES_WORKER_PROCESSES="1") as running:
        yield running


async def counted(running: Serving) -> None:
    """The workers have counted and audited."""
    settings = running.settings
    async with open_platform(settings, running.address) as opened:
        for loop in signals.loops(opened.database, opened.spine.authority, settings, opened.now):
            await loop.turn()


def outgrow(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "outgrow", *words], cwd=folder, capture_output=True, text=True, check=False
    )


def used(running: Serving) -> None:
    """Somebody does a little."""
    with httpx2.Client(base_url=running.url, trust_env=False) as client:
        ada = {"email": f"{new_id().hex}@example.org", "password": "correct horse battery"}
        assert client.post("/v1/accounts", json={**ada, "name": "Ada"}).status_code == 201
        opened = client.post("/v1/sessions", json=ada)
        client.headers["X-CSRF-Token"] = opened.json()["csrf_token"]
        made = client.post("/v1/ventures", json={"name": "Tea", "zone": "UTC", "display_name": "Ada"})
        assert made.status_code == 201, made.text
        assert client.get(f"/v1/ventures/{made.json()['id']}").status_code == 200


def test_a_running_platform_has_a_value_or_an_honest_unknown_for_each(platform: Serving, tmp_path: Path) -> None:
    asyncio.run(counted(platform))
    printed = platform.ventures("lookout")
    assert f'targets: ["{platform.url}/metrics"]' in printed.stdout, printed.stderr
    (tmp_path / "outgrow.yaml").write_text(printed.stdout, encoding="utf-8")
    first = outgrow(tmp_path, "record", "--once")
    assert first.returncode == UNKNOWN_TOO, first.stdout + first.stderr
    used(platform)
    asyncio.run(counted(platform))
    checked = outgrow(tmp_path, "check", "--json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    found: dict[str, Any] = json.loads(checked.stdout)
    unknown = {one["signal"]: one["message"] for one in found["warnings"]}
    expected = WITH_THE_LIVE_PART | WITH_REGIONS | UNTIL_SOMETHING_WAS_ASKED
    assert unknown.keys() <= expected, unknown
    assert unknown.keys() >= WITH_THE_LIVE_PART | WITH_REGIONS
    assert outgrow(tmp_path, "record", "--once").returncode == UNKNOWN_TOO
    status = outgrow(tmp_path, "status", "--json")
    assert status.returncode in (0, 1, 3), status.stderr
    assert len(json.loads(status.stdout)["points"]) == 4


def test_each_name_is_on_the_page_or_comes_with_a_part_that_is_not_there_yet(platform: Serving, tmp_path: Path) -> None:
    declared = parse_declaration(packaged())
    page = httpx2.get(f"{platform.url}/metrics", trust_env=False).text
    names = {family.name for family in text_string_to_metric_families(page)} | set(
        re.findall(r"^# HELP (\S+)", page, re.MULTILINE)
    )
    names |= {f"{name}{end}" for name in names for end in EXPOSED}
    absent = set()
    for name, signal in declared.observed.items():
        for metric in (signal.metric, signal.ratio.metric if signal.ratio else None):
            if metric is not None and metric not in names:
                absent.add(name)
    assert absent == WITH_THE_LIVE_PART


def test_whichever_process_answers_it_speaks_for_all(platform: Serving) -> None:
    for _ in range(20):
        assert httpx2.get(f"{platform.url}/healthz", trust_env=False).status_code == 200
    pages = [httpx2.get(f"{platform.url}/metrics", trust_env=False).text for _ in range(6)]
    healthy = re.compile(
        r'^ventures_http_request_seconds_count{method="GET",route="/healthz",status="200"} (.+)$', re.M
    )
    assert {healthy.findall(page)[0] for page in pages} == {"20.0"}
    found = [
        (sample.labels["kind"], sample.labels["process"])
        for family in text_string_to_metric_families(pages[0])
        for sample in family.samples
        if sample.name == "ventures_process_resident_memory_bytes"
    ]
    assert {kind for kind, _ in found} == {"serve", "api", "worker", "index", "postgresql"}
    assert [name for kind, name in found if kind == "api"] == ["api-1", "api-2"]
    assert all("ventures_api_processes 2.0" in page for page in pages)


def test_it_says_where_routes_are_without_a_password_and_moves_from_the_layout_there_is(platform: Serving) -> None:
    printed = platform.ventures("lookout").stdout
    owner = embedded.addresses(platform.settings.data).owner
    password = urlsplit(owner).password
    assert password
    assert password not in printed
    moved = parse_declaration(printed).points[0].migration
    assert moved is not None
    assert moved.truth is not None
    assert moved.truth.startswith(owner.replace(f":{password}@", "@"))
    with psycopg.connect(moved.truth) as connection:
        assert connection.execute("SELECT count(*) FROM outgrow.route").fetchone() is not None
    assert (moved.source, moved.target) == ("buckets", "pgvector")
    moved = parse_declaration(packaged()).points[0].migration
    assert moved is not None
    assert (moved.source, moved.target) == ("shared", "buckets")
