"""The load generator keeps its schedule, counts from the intended start, stays on this machine, and ends."""

from __future__ import annotations

import asyncio
import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.demo.children import RunningService, running_service
from outgrow.demo.load import (
    MOST_IN_FLIGHT,
    Gaps,
    Step,
    Target,
    departures,
    parse_target,
    run_burst,
    run_step,
    step_seconds,
    write_csv,
)
from outgrow.errors import UsageError

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STEP = Step(10.0, 60, 60, 0, 0.01, 0.02, 0.03, 0.001, "")


@given(st.floats(0.5, 500), st.floats(0.5, 20), st.sampled_from(["exponential", "uniform"]), st.integers(0, 99))
def test_a_schedule_offers_exactly_its_rate(rate: float, seconds: float, gaps: Gaps, seed: int) -> None:
    leaves = departures(rate, seconds, gaps, np.random.default_rng(seed))
    assert leaves.size == max(1, round(rate * seconds))
    assert np.all(np.diff(leaves) >= 0)
    assert leaves[0] >= 0
    assert leaves[-1] <= seconds
    assert np.array_equal(leaves, departures(rate, seconds, gaps, np.random.default_rng(seed)))


def test_gaps_are_as_named() -> None:
    random = np.random.default_rng(1)
    even = np.diff(departures(50, 40, "uniform", random))
    assert even == pytest.approx(0.02)
    free = np.diff(departures(50, 40, "exponential", random))
    assert free.std() / free.mean() == pytest.approx(1.0, abs=0.1)


def test_slow_steps_last_longer_but_not_forever() -> None:
    assert [step_seconds(rate, 6) for rate in (1, 20, 25, 100)] == [12, 7.5, 6, 6]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/search",
        "http://10.0.0.1:80/",
        "http://0.0.0.0:80/",
        "https://127.0.0.1:80/",
        "http://127.0.0.1/",
        "http://127.0.0.1.example.com:80/",
        "http://[::2]:80/",
        "file:///etc/passwd",
        "nonsense",
    ],
)
def test_only_this_machine_is_loaded(url: str) -> None:
    with pytest.raises(UsageError, match="only sent to this machine"):
        parse_target(url)


def test_loopback_is_allowed_under_each_of_its_names() -> None:
    assert parse_target("http://localhost:81/search") == Target("127.0.0.1", 81, "/search")
    assert parse_target("http://127.0.0.9:81") == Target("127.0.0.9", 81, "/")
    assert parse_target("http://[::1]:81/a").host == "::1"


def test_the_process_refuses_in_words(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "outgrow.demo.load", "--url", "http://example.com:80/", "--rates", "5"]
    ended = subprocess.run([*command, "--report", str(tmp_path / "r.json")], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "load is only sent to this machine" in ended.stderr
    assert not (tmp_path / "r.json").exists()


class Stalling:
    """A server that answers at once, but lets everything wait during one stall, and can be mute."""

    def __init__(self, stall_from: float, stall_until: float, *, mute: bool = False) -> None:
        self.window = (stall_from, stall_until)
        self.mute = mute
        self.began: float | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                now = asyncio.get_running_loop().time()
                self.began = self.began or now
                if self.window[0] <= now - self.began < self.window[1]:
                    await asyncio.sleep(self.began + self.window[1] - now)
                if not self.mute:
                    writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def step_against(server: Stalling, rate: float, seconds: float, timeout_seconds: float = 10.0) -> Step:
    async def run() -> Step:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        target = Target("127.0.0.1", listening.sockets[0].getsockname()[1], "/search")
        leaves = departures(rate, seconds, "uniform", np.random.default_rng(1))
        try:
            return await run_step(target, leaves, seconds, timeout_seconds=timeout_seconds)
        finally:
            listening.close()

    return asyncio.run(run())


def test_a_stall_delays_all_who_came_meanwhile() -> None:
    step = step_against(Stalling(0.1, 1.1), rate=60, seconds=1.5)
    assert (step.sent, step.completed, step.dropped) == (90, 90, 0)
    # Two thirds of all meant to leave during the second of the stall; a client that waited for its answer would have
    # sent one request then, and its median would be a millisecond.
    assert step.p50_seconds > 0.15
    assert step.p95_seconds > 0.8


def test_no_stall_no_wait() -> None:
    step = step_against(Stalling(0, 0), rate=60, seconds=1.0)
    assert step.p50_seconds < 0.15
    assert step.load_per_second == 60


def test_a_mute_server_costs_its_time_limit_and_no_more() -> None:
    step = step_against(Stalling(0, 0, mute=True), rate=900, seconds=0.6, timeout_seconds=0.3)
    assert step.completed == 0
    assert step.dropped == 540
    assert step.sent <= MOST_IN_FLIGHT * 2
    assert step.p50_seconds == pytest.approx(0.3)
    assert "540 of 540 requests were dropped" in step.unfit


def test_a_ramp_file_holds_the_fit_steps_by_load(tmp_path: Path) -> None:
    steps = [replace(STEP, load_per_second=20.0), STEP, replace(STEP, load_per_second=15.0, unfit="late")]
    write_csv(steps, tmp_path / "ramp.csv")
    rows = list(csv.DictReader((tmp_path / "ramp.csv").open()))
    assert list(rows[0]) == ["load_per_second", "p50_seconds", "p95_seconds", "p99_seconds"]
    assert [row["load_per_second"] for row in rows] == ["10", "20"]
    assert float(rows[0]["p95_seconds"]) == 0.02


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("service"), lifetime_seconds=120) as running:
        yield running


def test_latency_rises_with_load(service: RunningService, tmp_path: Path) -> None:
    capacity = asyncio.run(run_burst(Target("127.0.0.1", service.port, "/search"), 0.8, 4))
    assert 1 < capacity < 200, "at least 5 ms each"
    report, ramp = tmp_path / "report.json", tmp_path / "ramp.csv"
    rates = f"{0.2 * capacity:.1f},{1.5 * capacity:.1f}"
    command = [sys.executable, "-m", "outgrow.demo.load", "--url", f"http://localhost:{service.port}/search"]
    ended = subprocess.run(
        [*command, "--rates", rates, "--seconds", "1", "--report", str(report), "--csv", str(ramp)],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    low, high = json.loads(report.read_text())["steps"]
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [low, high]
    assert high["p95_seconds"] > 2 * low["p50_seconds"]
    assert low["completed"] == low["sent"]
    assert low["generator_lag_seconds"] >= 0
