"""Small services on loopback, each as good or bad as a test wants it."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Service:
    """Answers after ``seconds``; ``refuses`` of its requests get 503, ``flakes`` an empty answer, ``wrong`` paths
    another one."""

    seconds: float = 0.0
    refuses: float = 0.0
    flakes: float = 0.0
    wrong: tuple[str, ...] = ()
    url: str = ""

    def answer(self, path: str) -> tuple[int, bytes]:
        time.sleep(self.seconds)
        if random.random() < self.refuses:
            return 503, b""
        if random.random() < self.flakes:
            return 200, b"[]"
        return 200, json.dumps([path, "wrong" if path in self.wrong else "right"]).encode()


Opener = Callable[..., Service]


@pytest.fixture
def service() -> Iterator[Opener]:
    opened = []

    def open_service(**how: Any) -> Service:
        made = Service(**how)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                status, body = made.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *said: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.handle_error = lambda *said: None
        made.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        opened.append(server)
        return made

    yield open_service
    for server in opened:
        server.shutdown()
        server.server_close()
