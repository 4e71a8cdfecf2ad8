"""How many users the demo has, where the recorder reads it.

The platform counts its accounts once a minute, and a minute is months on the demo's clock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from demo.declaring import USERS_METRIC


class Users:
    """The present number; None: nobody has been made yet."""

    def __init__(self) -> None:
        self.count: int | None = None
        self.url = ""


@contextmanager
def told() -> Iterator[Users]:
    """A page of metrics on this machine, as long as the block runs."""
    users = Users()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"# TYPE {USERS_METRIC} gauge\n"
            body += "" if users.count is None else f"{USERS_METRIC} {users.count}\n"
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    users.url = f"http://127.0.0.1:{server.server_address[1]}/metrics"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield users
    finally:
        server.shutdown()
        server.server_close()
