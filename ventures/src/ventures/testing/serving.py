"""A real `ventures serve`, as a user starts it, with its processes within reach.

with folder() as data, serving(data) as platform:
    async with platform.client() as client:
        assert (await client.get("/healthz")).status_code == 200
    platform.processes("worker")[0].kill()              # it is started again
    assert platform.ventures("audit", venture, "--verify").returncode == 0
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Final, Literal, get_args

import httpx2
import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

from ventures.database import embedded
from ventures.settings import Settings
from ventures.settings import read as read_settings
from ventures.workers.supervisor import alive, state

Kind = Literal["api", "worker", "index", "postmaster", "backend", "serve"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
READY_SECONDS: Final = 180.0
"""Only so that a fault ends the test instead of hanging it."""
STOP_SECONDS: Final = 90.0
ANSWER_SECONDS: Final = 30.0


@dataclass
class Serving:
    """One data folder, what runs on it, and the environment it was started with."""

    data: Path
    environment: dict[str, str]
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it answers, always the same; the port is the system's choice."""
        return f"http://127.0.0.1:{self.environment['VENTURES_PORT']}"

    @property
    def ended(self) -> bool:
        """Whether the last `serve` that was started ended."""
        return self._started[-1].poll() is not None

    @property
    def said(self) -> str:
        """What it said so far."""
        return (self.data / "serve.out").read_text(errors="replace")

    @property
    def settings(self) -> Settings:
        """Its settings, as its own processes read them."""
        ours = {name: value for name, value in self.environment.items() if name.startswith("VENTURES_")}
        return read_settings(ours)

    @property
    def address(self) -> str:
        """Of its database, as the application."""
        return embedded.addresses(self.data).app

    def start(self) -> None:
        """Starts it and leaves it to itself; a second one in the folder ends by itself."""
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "serve.out").open("ab") as said:
            command = [sys.executable, "-m", "ventures.cli", "serve"]
            self._started.append(
                subprocess.Popen(
                    command,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                )
            )

    def answers(self) -> None:
        """Returns once it answers requests. Raises: AssertionError where it ends instead, or takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            url = state(self.data).get("url")
            if self.environment["VENTURES_PORT"] == "0" and url:
                self.environment["VENTURES_PORT"] = url.rpartition(":")[2]  # where it is started again, too
            with suppress(httpx2.HTTPError):
                if url and httpx2.get(f"{url}/readyz", timeout=ANSWER_SECONDS, trust_env=False).status_code == 200:
                    return
            assert not self.ended, f"`ventures serve` ended: {self.said[-3000:]}"
            assert time.monotonic() < deadline, f"`ventures serve` does not answer: {self.said[-3000:]}"
            time.sleep(0.05)

    def processes(self, kind: Kind) -> list[psutil.Process]:
        """Those that run now. backend: any process of PostgreSQL but the postmaster."""
        running = alive(state(self.data))
        if kind == "serve":
            return [running] if running else []
        if kind in ("api", "worker", "index"):
            children = state(self.data).get("children", ())
            return [process for child in children if child["kind"] == kind and (process := alive(child)) is not None]
        with suppress(psutil.NoSuchProcess):
            if (server := embedded.running(self.data)) is not None:
                postmaster = psutil.Process(server)
                return [postmaster] if kind == "postmaster" else postmaster.children()
        return []

    def ventures(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of `ventures` in the same environment."""
        return subprocess.run(
            [sys.executable, "-m", "ventures.cli", *words],
            env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def client(self, headers: Mapping[str, str] | None = None) -> httpx2.AsyncClient:
        """Of somebody who signs in by themselves: it keeps its own cookies."""
        return httpx2.AsyncClient(
            base_url=self.url, timeout=ANSWER_SECONDS, headers=dict(headers or {}), trust_env=False
        )

    def cookieless(self) -> httpx2.AsyncClient:
        """For several callers at once, each of whom carries their own cookie."""
        client = self.client()
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return client

    def stop(self) -> None:
        """Ends what runs in the folder, in order; by force what does not end."""
        running = alive(state(self.data))
        children = [*self.processes("api"), *self.processes("worker"), *self.processes("index")]
        if running is not None:
            running.send_signal(signal.SIGTERM)
        for process in self._started:
            try:
                process.wait(STOP_SECONDS if running is not None else 1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        embedded.stop(self.data)


@contextmanager
def folder() -> Iterator[Path]:
    """A new data folder, which the database's own account may enter where root runs this; removed at the end."""
    above = Path(tempfile.mkdtemp(prefix="ventures-"))
    above.chmod(0o711)
    try:
        yield above / "data"
    finally:
        shutil.rmtree(above)


@contextmanager
def serving(data: Path, **settings: str) -> Iterator[Serving]:
    """A `ventures serve` on `data` that answers, until the end. settings: by their names in the environment."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("VENTURES_", "DATABASE_URL"))}
    platform = Serving(
        data,
        {
            **outside,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "VENTURES_DATA": str(data),
            "VENTURES_PORT": "0",
            "VENTURES_RATE_LIMIT_PER_MINUTE": "1000000",
            "VENTURES_LOG_LEVEL": "error",
            **settings,
        },
    )
    platform.start()
    try:
        platform.answers()
        yield platform
    finally:
        platform.stop()
