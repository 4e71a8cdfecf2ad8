"""Servers that never come to an end, or answer with what no Prometheus would: one reason, in bounded time."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from outgrow.errors import SourceError
from outgrow.points.declaration import Signal
from outgrow.recording import observe_all
from outgrow.sources import prometheus, scrape
from outgrow.sources.exposition import exposed
from outgrow.sources.fetching import Answer, HttpSettings
from outgrow.testing import FixedClock
from outgrow.testing.scripted_target import ScriptedTarget

AT = 1_800_000_000.0
CLOCK = FixedClock(AT)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def signal(**keys: Any) -> Signal:
    return Signal.model_validate({"unit": "x", "window": 60, **keys})


MEMORY = signal(metric="memory_bytes", value=True)
QUEUE = signal(metric="queue", value=True)


@contextmanager
def dripping(first: bytes, piece: bytes) -> Iterator[str]:
    """A server that answers with ``first`` and then ``piece`` for as long as anybody listens."""
    ended = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            try:
                self.request.sendall(first)
                while not ended.wait(0.05):
                    self.request.sendall(piece)
            except OSError:
                pass  # the client has had enough

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        ended.set()
        server.shutdown()
        thread.join()


def within(seconds: float, ask: Callable[[], Any]) -> Any:
    """What ``ask`` gives, or a failed test where it does not come to an end by far."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(ask()), daemon=True)
    thread.start()
    thread.join(20 * seconds)
    assert not thread.is_alive(), "it hangs"
    return answers[0]


ENDLESS = {
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-More: y\r\n"),
    "one header": (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    "1xx": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "status": (b"", b"H"),
    "body": (HEAD + b"Content-Length: 100000\r\n\r\n", b"#"),
    "body without a length": (HEAD + b"\r\n", b"memory_bytes 5\n"),
    "silent body without a length": (HEAD + b"\r\nmemory_bytes 5\n", b""),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_an_answer_that_never_ends_costs_its_timeout_and_its_own_signals(kind: str) -> None:
    with dripping(*ENDLESS[kind]) as url, ScriptedTarget("queue 7\n") as good:
        bad = scrape.open_source({"name": "bad", "targets": [f"{url}/metrics"], "timeout": "1s"}, CLOCK)
        other = scrape.open_source({"name": "good", "targets": [good.url]}, CLOCK)
        before = threading.active_count()
        report = within(1, lambda: observe_all((bad, other), {"memory": MEMORY, "queue": QUEUE}, AT))
        assert report.failed == {}
        assert [one.signal for one in report.samples["good"]] == ["queue"]
        assert "did not answer within 1 s" in report.unknown["memory"]
        assert "did not answer within 1 s" in (within(1, bad.reachable) or "")
        asked = prometheus.open_source({"url": url, "timeout": "1s"}, CLOCK)
        assert "within 1 s" in within(1, lambda: asked.observe({"memory": MEMORY}, AT)).unknown["memory"]
        deadline = time.monotonic() + 10
        while threading.active_count() > before + 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert threading.active_count() <= before + 4, "nobody is left waiting, but for the server's own threads"


def vector(element: str) -> bytes:
    return f'{{"status":"success","data":{{"resultType":"vector","result":[{element}]}}}}'.encode()


MALFORMED = {
    "labels are a list": vector(f'{{"metric":[],"value":[{AT},"1"]}}'),
    "labels are null": vector(f'{{"metric":null,"value":[{AT},"1"]}}'),
    "an element is text": vector('"x"'),
    "a number of 400 digits": vector(f'{{"metric":{{}},"value":[{AT},{"1" * 400}]}}'),
    "a time of 400 digits": vector(f'{{"metric":{{}},"value":[{"1" * 400},"1"]}}'),
    "a number of 5000 digits": vector(f'{{"metric":{{}},"value":[{AT},{"1" * 5000}]}}'),
    "a surrogate as a value": vector(f'{{"metric":{{}},"value":[{AT},"\\ud800"]}}'),
    "a surrogate in a label": vector(f'{{"metric":{{"a":"\\ud800"}},"value":[{AT},"1"]}}'),
    "a surrogate as an error": b'{"status":"error","errorType":"x","error":"\\ud800 \\u001b[2J"}',
    "a matrix of anything": b'{"status":"success","data":{"resultType":"matrix","result":{"a":1}}}',
    "a scalar of nothing": b'{"status":"success","data":{"resultType":"scalar","result":{}}}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_valid_json_that_means_nothing_is_a_reason(serve: Any, reply: Any, kind: str) -> None:
    server = serve(lambda asked: reply(MALFORMED[kind]))
    source = prometheus.open_source({"url": server.url, "missing_targets": "accept"}, CLOCK)
    regions = signal(metric="active", value=True, by="a")
    report = observe_all([source], {"memory": MEMORY, "regions": regions}, AT)
    past = source.history({"memory": MEMORY, "regions": regions}, AT - 3600, AT, 60)
    assert report.failed == {}
    for reason in (source.reachable(), *report.unknown.values(), *past.unknown.values()):
        assert reason
        assert reason.isprintable()
        reason.encode()
    assert set(report.unknown) == set(past.unknown) == {"memory", "regions"}


def test_one_malformed_answer_leaves_the_other_signals(serve: Any, reply: Any) -> None:
    def respond(asked: Any) -> Any:
        element = {"metric": [] if "memory" in asked.form["query"] else {}, "value": [AT, "1"]}
        return reply(vector(json.dumps(element)))

    source = prometheus.open_source({"url": serve(respond).url, "missing_targets": "accept"}, CLOCK)
    report = observe_all([source], {"memory": MEMORY, "queue": QUEUE}, AT)
    assert report.known == 1
    assert "cannot be read" in report.unknown["memory"]


@pytest.mark.parametrize(("count", "kept"), [(500, True), (501, False)])
def test_more_members_than_can_be_kept_are_a_reason(count: int, kept: bool) -> None:
    body = "".join(f'active{{region="{index}"}} 1\n' for index in range(count))
    with ScriptedTarget(body) as target:
        source = scrape.open_source({"targets": [target.url]}, CLOCK)
        seen = source.observe({"regions": signal(metric="active", value=True, by="region")}, AT)
    assert len(seen.samples) == (count + 1 if kept else 0)
    assert kept or f"{count} members by region, more than the 500" in seen.unknown["regions"]


def test_a_line_that_takes_for_ever_to_read_is_refused() -> None:
    labels = ",".join(f'a{index}="x"' for index in range(8000))
    answer = Answer(200, "text/plain", f"queue 7\nqueue{{{labels}}} 5\n".encode(), True, "")
    with pytest.raises(SourceError, match=r"line 2 of its answer has .* characters, more than the 65,536"):
        list(exposed(answer))
    comment = Answer(200, "text/plain", f"# HELP queue {labels}\nqueue 7\n".encode(), True, "")
    assert [sample.value for sample in exposed(comment)] == [7]


def test_the_scraper_says_that_it_has_no_past() -> None:
    assert scrape.ScrapeSource.keeps_history is False
    assert getattr(prometheus.PrometheusSource, "keeps_history", True)


@pytest.mark.parametrize("host", ["x.localhost", "localhost.example.org", "127.0.0.1.example.org", "0.0.0.0"])
def test_only_this_machine_gets_credentials_unencrypted(tmp_path: Any, host: str) -> None:
    settings = HttpSettings(token_file=tmp_path / "token")
    with pytest.raises(ValueError, match="unencrypted"):
        settings.checked_url(f"http://{host}:9090")
    for near in ("localhost", "127.0.0.1", "127.9.9.9", "[::1]"):
        assert settings.checked_url(f"http://{near}:9090")
