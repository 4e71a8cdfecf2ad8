"""The load is honest: on time whatever the server does, and every request is in exactly one figure of its report."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from outgrow.imports.ramp_records import RampRequest
from outgrow.imports.ramps import read_ramps
from ventures.accounts import api as accounts
from ventures.cli.load import load as load_command
from ventures.errors import VenturesError
from ventures.population.api import Report, Wanted, levels, load, step_report
from ventures.population.connection import Ask
from ventures.population.loading import Level, Load, Step
from ventures.population.shape import account_id
from ventures.population.workload import NAMES, WRITES
from ventures.wiring import open_platform


class Pings:
    """A source of one request, over and over."""

    def __init__(self, done: Callable[[int, int, bytes], None] | None = None) -> None:
        self.made = 0
        self._done = done

    def next(self) -> Ask:
        self.made += 1
        return Ask(0, b"GET / HTTP/1.1\r\nhost: here\r\n\r\n", self._done)


Answering = Callable[[int], tuple[float, bytes | None]]
OK = b'HTTP/1.1 200 OK\r\netag: "7"\r\ncontent-length: 2\r\n\r\nhi'


@asynccontextmanager
async def server(answering: Answering) -> AsyncIterator[int]:
    """Answers the n-th request after so many seconds with these bytes, or closes the connection where there are none;
    on loopback, → its port.
    """
    requests = iter(range(10**9))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                seconds, answer = answering(next(requests))
                await asyncio.sleep(seconds)
                if answer is None:
                    break
                writer.write(answer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def sent(port: int, per_second: float, seconds: float, most: int = 500, timeout: float = 5.0) -> Step:
    sending = Load("127.0.0.1", port, Pings(), 1, most=most, luck=Random(3), timeout=timeout)
    (step,) = await sending.run([Level(1, per_second, seconds)], lambda step: None)
    assert sending.under_way == 0
    return step


def adds_up(step: Step) -> None:
    unanswered = sum(count for (_, why), count in step.errors.items() if not why[0].isdigit())
    assert step.offered == step.dropped + step.answered + unanswered
    refused = sum(count for (_, why), count in step.errors.items() if why[0].isdigit())
    assert step.whole.count == step.offered - refused


async def test_a_server_that_stalls_shows_in_the_latencies_of_all_that_was_due_meanwhile() -> None:
    stalled_from: list[float] = []

    def answering(number: int) -> tuple[float, bytes | None]:
        now = asyncio.get_running_loop().time()
        if number == 50:
            stalled_from.append(now)
        left = max(0.0, stalled_from[0] + 0.6 - now) if stalled_from else 0.0
        return left, OK

    async with server(answering) as port:
        step = await sent(port, 200, 1.5)
    adds_up(step)
    assert not step.errors
    assert step.offered == pytest.approx(300, rel=0.25)  # what was offered did not wait for the server
    late = sum(count for edge, count in step.whole.histogram() if edge > 0.1)
    assert late >= 60  # of about 100 that were due while it stood still and had still 0.1 s to wait
    assert step.whole.most >= 0.55


async def test_what_the_generator_held_up_itself_is_late_and_said_to_be() -> None:
    class Held(Pings):
        def next(self) -> Ask:
            if self.made == 50:
                time.sleep(0.4)
            return super().next()

    async with server(lambda number: (0.0, OK)) as port:
        sending = Load("127.0.0.1", port, Held(), 1, most=500, luck=Random(3))
        (step,) = await sending.run([Level(1, 200, 1.0)], lambda step: None)
    adds_up(step)
    assert step.offered == pytest.approx(200, rel=0.25)  # all that was due is sent, late
    assert sum(count for edge, count in step.whole.histogram() if edge > 0.1) >= 40
    assert step.saturated


async def test_what_finds_too_many_under_way_is_dropped_and_counted() -> None:
    async with server(lambda number: (0.5, OK)) as port:
        step = await sent(port, 300, 1.0, most=20)
    adds_up(step)
    assert step.dropped > 150
    assert step.answered <= 20 * 4


async def test_errors_are_told_apart() -> None:
    problem = b'{"type": "urn:ventures:problem:too-many"}'
    answers: dict[int, bytes | None] = {
        0: b"HTTP/1.1 429 No\r\ncontent-length: %d\r\n\r\n%b" % (len(problem), problem),
        1: b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno",
        2: None,
        3: b"garbage\r\n\r\n",
        4: b"HTTP/1.1 304 Same\r\n\r\n",
    }
    async with server(lambda number: (0.0, answers.get(number % 8, OK))) as port:
        step = await sent(port, 200, 1.0)
    adds_up(step)
    assert {why for _, why in step.errors} == {"429 too-many", "500", "closed by the server", "no HTTP"}
    assert step.unmodified > 0


async def test_what_is_never_answered_ends_as_an_error() -> None:
    async with server(lambda number: (0.0, OK) if number % 2 else (60.0, OK)) as port:
        step = await sent(port, 50, 0.5, timeout=0.4)
    adds_up(step)
    assert {why for _, why in step.errors} == {"no answer in time"}
    late = step.whole.quantile(0.75)
    assert late is not None  # what was never answered is no reason to look quick
    assert late >= 0.4


async def test_an_answer_that_cannot_be_read_is_an_error() -> None:
    def done(status: int, version: int, body: bytes) -> None:
        raise msgspec.DecodeError("no JSON")

    async with server(lambda number: (0.0, OK)) as port:
        sending = Load("127.0.0.1", port, Pings(done), 1, most=500, luck=Random(3))
        (step,) = await sending.run([Level(1, 100, 0.3)], lambda step: None)
    assert step.errors[0, "200, and nothing that can be read"] == step.answered == step.offered


async def test_nobody_there_is_an_error_a_request() -> None:
    async with server(lambda number: (0.0, OK)) as port:
        pass
    step = await sent(port, 50, 0.5)
    adds_up(step)
    assert step.answered == 0
    assert sum(step.errors.values()) == step.offered > 0


async def test_an_answer_brings_its_version() -> None:
    seen: list[tuple[int, int]] = []
    async with server(lambda number: (0.0, OK)) as port:
        source = Pings(lambda status, version, body: seen.append((status, version)))
        sending = Load("127.0.0.1", port, source, 1, most=10, luck=Random(1))
        await sending.run([Level(1, 50, 0.3)], lambda step: None)
    assert set(seen) == {(200, 7)}


def test_a_ramp_is_of_even_steps() -> None:
    found = levels((100, 400, 4), 0.5, 8.0)
    assert [(one.users, one.per_second, one.seconds) for one in found] == [
        (100, 50, 2), (200, 100, 2), (300, 150, 2), (400, 200, 2),
    ]  # fmt: skip


async def loaded(
    served: Any, *, per_second: float, seconds: float, told: Callable[[str, Step | None], None] | None = None
) -> Report:
    platform, populated = served
    rate = per_second / 20
    wanted = Wanted(
        plan=populated.plan,
        url=platform.url,
        levels=tuple(levels((20, 20, 1), rate, seconds)),
        rate_per_user=rate,
    )
    hear = told or (lambda sentence, step: None)
    return await load(wanted, populated.settings, populated.settings.database_address, told=hear)


async def test_people_are_answered_and_the_figures_add_up(served: Any) -> None:
    found = await loaded(served, per_second=100, seconds=3.0)
    (step,) = found.steps
    assert found.errors == {}
    assert (step.dropped, step.unanswered) == (0, 0)
    assert step.offered == step.answered == found.whole.count
    assert step.answered == sum(one.count for one in step.operations.values())
    assert sum(count for _, count in found.histogram) == step.answered
    writes = sum(one.count for name, one in step.operations.items() if name in WRITES)
    assert 0.03 <= writes / step.answered <= 0.2
    assert step.unmodified > 0  # somebody came back
    assert found.accuracy.foreign == 0
    assert set(step.operations) <= set(NAMES) - set(found.left_out)
    populated = served[1]
    async with (
        open_platform(populated.settings, populated.settings.database_address) as platform,
        platform.database.everywhere() as scope,
    ):
        assert await accounts.keys(scope, account_id(1, 0)) == []  # the keys of the test ended with it


async def test_a_stopped_api_process_shows(served: Any) -> None:
    (process,) = served[0].processes("api")
    stalling = asyncio.Event()

    async def stall() -> None:
        await stalling.wait()
        process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(0.5)
        finally:
            process.send_signal(signal.SIGCONT)

    def told(sentence: str, step: Step | None) -> None:
        if step is not None and step.answered > 20:
            stalling.set()

    stopping = asyncio.create_task(stall())
    found = await loaded(served, per_second=60, seconds=2.5, told=told)
    await stopping
    (step,) = found.steps
    assert step.offered == pytest.approx(150, rel=0.4)  # what was offered did not wait
    assert step.whole.max_seconds >= 0.45
    waited = sum(count for edge, count in found.histogram if edge > 0.15)
    assert waited >= 8  # of about 20 that were due meanwhile


def command(served: Any, *words: str) -> Any:
    """`ventures load` with these words, in this process."""
    platform, populated = served
    app = typer.Typer()
    app.command()(load_command)
    told = ["--users", "20", "--passages-per-user", "12", "--url", platform.url, *words]
    return CliRunner().invoke(app, told, env=populated.environ)


def test_the_command_reports_and_its_ramp_can_be_imported(served: Any, tmp_path: Path) -> None:
    file = tmp_path / "load.json"
    ramp = ("--ramp", "10:20:2", "--rate-per-user", "2", "--seconds", "3", "--report", str(file))
    said = command(served, *ramp)
    assert said.exit_code == 0, said.output
    assert "offered/s" in said.stdout
    document = json.loads(file.read_text())
    assert [step["users"] for step in document["steps"]] == [10, 20]
    (read,) = read_ramps([file.with_suffix(".ramp.csv")], RampRequest(signal="request_p95"))
    assert (read.ramp.axis, read.ramp.loop) == ("load", "open")
    offered = [step["offered_per_second"] for step in document["steps"]]
    assert list(read.ramp.levels) == pytest.approx(offered, rel=1e-4)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--ramp", "5"), "from, to and in how many steps"),
        (("--rate-per-user", "often"), "requests a second"),
        (("--url", "https://example.org"), "TLS ends before it"),
        (("--seed", "99"), "There is no population of seed 99"),
        (("--url", "http://127.0.0.1:1"), "Is it running"),
    ],
)
def test_what_cannot_be_done_is_said(served: Any, words: tuple[str, ...], sentence: str) -> None:
    refused = command(served, *words).exception
    assert isinstance(refused, VenturesError)
    assert sentence in str(refused)


def test_a_step_without_answers_has_no_times() -> None:
    found = step_report(Step(Level(1, 1, 1), len(NAMES)))
    assert (found.whole.p95_seconds, found.answered, found.saturated) == (None, 0, False)
