"""A metrics endpoint on loopback that shows exactly what it was last told, for as long as it is not told otherwise."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TEXT = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: who asked (the user agent), and when it came (``time.monotonic``)."""

    agent: str
    at: float


class ScriptedTarget:
    """A target whose values are held until the next ``show``; a context manager that serves while it is entered.

    Attributes:
        url: of its metrics.
        address: host:port, as Prometheus writes it into ``instance``.
    """

    def __init__(self, body: str | bytes = b"", content_type: str = TEXT) -> None:
        self._lock = threading.Lock()
        self._visits: list[Visit] = []
        self._reachable = True
        self.show(body, content_type)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.address}/metrics"

    def __enter__(self) -> ScriptedTarget:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def show(self, body: str | bytes, content_type: str = TEXT) -> None:
        """From now on this is what it exposes."""
        with self._lock:
            self._body = body.encode() if isinstance(body, str) else body
            self._content_type = content_type

    def vanish(self) -> None:
        """From now on every connection is closed without an answer."""
        with self._lock:
            self._reachable = False

    def come_back(self) -> None:
        """Answer again."""
        with self._lock:
            self._reachable = True

    def visits(self, agent: str = "") -> list[Visit]:
        """The requests so far, those that got no answer included, by user agents that begin with ``agent``."""
        with self._lock:
            return [visit for visit in self._visits if visit.agent.startswith(agent)]

    def answer_for(self, agent: str) -> tuple[bytes, str] | None:
        """Note a visit and return body and content type, or None while it is vanished."""
        with self._lock:
            self._visits.append(Visit(agent, time.monotonic()))
            return (self._body, self._content_type) if self._reachable else None


def _handler(target: ScriptedTarget) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = target.answer_for(self.headers.get("User-Agent", ""))
            if answer is None:
                self.close_connection = True
                return
            body, content_type = answer
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    return Handler
