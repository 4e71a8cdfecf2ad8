"""The platform while it runs: started as a user starts it, looked at from outside, its processes within reach."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import psycopg

from demo.telling import Failed
from ventures.database import embedded

START_SECONDS = 120.0
STOP_SECONDS = 40.0
FILL_SECONDS = 120.0
NOTICED_SECONDS = 0.6
"""After which the index has looked at the table again."""
ANSWER_SECONDS = 15.0
LISTENING = "listening on "


@dataclass
class Platform:
    """`ventures serve` on a folder of its own. environment: what all its commands are given; it is completed here."""

    data: Path
    environment: dict[str, str]
    url: str = ""
    _process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Starts it and waits until it answers. Raises: Failed."""
        self.data.mkdir(parents=True, exist_ok=True)
        said = self.data / "serve.out"
        with said.open("wb") as messages:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ventures.cli", "serve"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages,
                start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        while True:
            text = said.read_text(errors="replace")
            url = next((line.split()[2] for line in text.splitlines() if line.startswith(LISTENING)), "").rstrip(",")
            if url and self._answers(f"{url}/readyz"):
                break
            if self._process.poll() is not None or time.monotonic() > until:
                raise Failed(f"the platform did not start: {text.strip()[-1500:]}")
            time.sleep(0.1)
        self.url = url
        self.environment["VENTURES_PORT"] = str(urlsplit(url).port)

    def metrics(self) -> str:
        """Its /metrics, in Prometheus' text format; nothing where it does not answer just now."""
        try:
            return str(httpx2.get(f"{self.url}/metrics", timeout=ANSWER_SECONDS, trust_env=False).text)
        except httpx2.HTTPError:
            return ""

    def value(self, name: str, label: str = "") -> float:
        """The sum of a metric's series whose labels hold `label`."""
        lines = (line for line in self.metrics().splitlines() if line.startswith((f"{name}{{", f"{name} ")))
        return sum(float(line.split()[-1]) for line in lines if label in line)

    def filled(self) -> None:
        """Returns once the index holds everything. Raises: Failed."""
        until = time.monotonic() + FILL_SECONDS
        time.sleep(NOTICED_SECONDS)
        while True:
            behind = self.value("ventures_index_ventures", 'state="behind"')
            if behind == 0 and self.value("ventures_index_ventures", 'state="filled"') > 0:
                return
            if time.monotonic() > until:
                raise Failed(f"the index is still behind in {behind:,.0f} ventures")
            time.sleep(0.25)

    def settled(self) -> None:
        """Returns once PostgreSQL has done all that it would do by itself later on: after so many rows at once its
        autovacuum comes within a minute, and a checkpoint within five.
        """
        with psycopg.connect(embedded.addresses(self.data).superuser, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")

    def kill_index(self) -> int:
        """kill -9 of an index process; its process id."""
        assert self._process is not None
        for process in psutil.Process(self._process.pid).children(recursive=True):
            words = process.cmdline()
            if "ventures.cli" in words and "index" in words:
                os.kill(process.pid, signal.SIGKILL)
                return int(process.pid)
        raise Failed("there is no index process to kill")

    def stop(self) -> None:
        """Ends it in order; by force what does not end."""
        if self._process is None:
            return
        children = []
        if self._process.poll() is None:
            children = psutil.Process(self._process.pid).children(recursive=True)
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        embedded.stop(self.data)
        self._process = None

    def _answers(self, url: str) -> bool:
        try:
            return bool(httpx2.get(url, timeout=ANSWER_SECONDS, trust_env=False).status_code == 200)
        except httpx2.HTTPError:
            return False
