"""Real servers on loopback for the tests of experiments."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Shop:
    """A server that answers as ``answer`` says; ``seen`` has (method, path, headers, body) of each request."""

    answer: Callable[[str, str], Answer]
    url: str = ""
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    server: Any = None

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _, _ in self.seen]


def found(path: str, ids: list[Any], **more: Any) -> Answer:
    body = json.dumps({"items": [{"id": each} for each in ids], "path": path, **more}).encode()
    return 200, {"Content-Type": "application/json"}, body


def usual(method: str, path: str) -> Answer:
    return found(path, [f"{path}-{n}" for n in range(3)], took_seconds=time.monotonic())


@pytest.fixture
def shop() -> Iterator[Callable[..., Shop]]:
    """Opens servers; they end with the test."""
    opened: list[Shop] = []

    def open_shop(answer: Callable[[str, str], Answer] = usual) -> Shop:
        made = Shop(answer)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                made.seen.append((self.command, self.path, dict(self.headers), body))
                status, headers, content = made.answer(self.command, self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_POST = do_HEAD = do_DELETE = answer

            def log_message(self, *said: Any) -> None:
                pass

        made.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        made.server.daemon_threads = True
        made.server.handle_error = lambda *said: None  # clients give up on purpose
        made.url = f"http://127.0.0.1:{made.server.server_port}"
        threading.Thread(target=made.server.serve_forever, args=(0.05,), daemon=True).start()
        opened.append(made)
        return made

    yield open_shop
    for each in opened:
        each.server.shutdown()
        each.server.server_close()


@pytest.fixture
def own_pid_file(tmp_path: Any) -> Any:
    file = tmp_path / "pid"
    file.write_text(f"{os.getpid()}\n")
    return file
