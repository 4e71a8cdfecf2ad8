"""Real servers for the tests of sources: a Prometheus where one is installed, and HTTP servers that misbehave."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

NO_PROMETHEUS = (
    "prometheus and promtool are not on PATH: that sources agree with a real Prometheus server was NOT checked; "
    "on Debian: apt-get install prometheus"
)


@dataclass(frozen=True)
class PrometheusServer:
    url: str
    pid: int


@dataclass(frozen=True)
class PrometheusTools:
    """Runs real Prometheus servers on loopback, on ports chosen by the system, with their data below a folder."""

    server: str
    promtool: str

    def backfill(self, openmetrics: str, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        source = data / "backfill.om"
        source.write_text(openmetrics)
        command = [self.promtool, "tsdb", "create-blocks-from", "openmetrics", str(source), str(data / "tsdb")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    @contextmanager
    def running(self, data: Path, scrape_configs: str = "scrape_configs: []\n") -> Iterator[PrometheusServer]:
        data.mkdir(parents=True, exist_ok=True)
        config = data / "prometheus.yml"
        config.write_text(scrape_configs)
        for _ in range(5):  # another process may take the port in between
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            with (data / "log").open("w") as log:
                process = subprocess.Popen(
                    [
                        self.server,
                        f"--config.file={config}",
                        f"--storage.tsdb.path={data / 'tsdb'}",
                        "--storage.tsdb.retention.time=100y",
                        f"--web.listen-address=127.0.0.1:{port}",
                    ],
                    stdout=log,
                    stderr=log,
                )
            try:
                if self._ready(process, f"http://127.0.0.1:{port}"):
                    yield PrometheusServer(f"http://127.0.0.1:{port}", process.pid)
                    return
            finally:
                process.kill()
                process.wait()
        pytest.fail((data / "log").read_text()[-2000:])

    def _ready(self, process: subprocess.Popen[Any], url: str) -> bool:
        while process.poll() is None:
            try:
                with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
                    if answer.status == 200:
                        return True
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        return False


@pytest.fixture(scope="session")
def prometheus_tools() -> PrometheusTools:
    server, promtool = shutil.which("prometheus"), shutil.which("promtool")
    if server is None or promtool is None:
        warnings.warn(NO_PROMETHEUS, stacklevel=1)
        pytest.skip(NO_PROMETHEUS)
    return PrometheusTools(server, promtool)


@dataclass(frozen=True)
class Asked:
    """One request a server got."""

    method: str
    path: str
    form: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What to answer; ``raw`` is sent as it is instead and the connection closed; ``drip`` takes its time."""

    body: bytes = b""
    content_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] | None = None
    raw: bytes | None = None
    drip: bool = False


class Answering:
    """A real HTTP server that answers as a function says, and remembers what it was asked."""

    def __init__(self, respond: Callable[[Asked], Reply]) -> None:
        self.asked: list[Asked] = []
        answering = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                target = urlsplit(self.path)
                form = parse_qs(self.rfile.read(length).decode() or target.query)
                asked = Asked(self.command, target.path, {k: v[0] for k, v in form.items()}, dict(self.headers))
                answering.asked.append(asked)
                reply = respond(asked)
                try:
                    if reply.raw is not None:
                        self.close_connection = True
                        self.wfile.write(reply.raw)
                        return
                    self.send_response(reply.status)
                    self.send_header("Content-Type", reply.content_type)
                    if not reply.drip:
                        self.send_header("Content-Length", str(len(reply.body)))
                    for name, value in (reply.headers or {}).items():
                        self.send_header(name, value)
                    if reply.drip:
                        self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for _ in range(500 if reply.drip else 0):
                        self.wfile.write(b"1\r\n \r\n")
                        time.sleep(0.02)
                    self.wfile.write(reply.body)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client has had enough

            do_GET = _answer
            do_POST = _answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.address}"


Serve = Callable[[Callable[[Asked], Reply]], Answering]


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[Answering] = []

    def start(respond: Callable[[Asked], Reply]) -> Answering:
        one = Answering(respond)
        one.thread.start()
        started.append(one)
        return one

    yield start
    for one in started:
        one.server.shutdown()
        one.server.server_close()
        one.thread.join()


@pytest.fixture
def reply() -> type[Reply]:
    return Reply


@pytest.fixture
def vector() -> Callable[..., Reply]:
    """The answer of the API with these (labels, time, value)."""

    def build(*elements: tuple[Mapping[str, str], float, str], **more: Any) -> Reply:
        result = [{"metric": dict(labels), "value": [time, value]} for labels, time, value in elements]
        document = {"status": "success", "data": {"resultType": "vector", "result": result}, **more}
        return Reply(json.dumps(document).encode())

    return build
