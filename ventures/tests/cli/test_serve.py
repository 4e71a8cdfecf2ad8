"""`ventures serve` from nothing, as a user types it: what it starts, what it outlives, and that it leaves nothing."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from ventures.database import embedded
from ventures.workers import supervisor

PATIENCE_SECONDS = 60.0
"""Only so that a fault ends the test instead of hanging it."""


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder that the server's own account may enter when root runs the tests."""
    above = Path(tempfile.mkdtemp(prefix="ventures-"))
    above.chmod(0o711)
    yield above / "data"
    told = supervisor.state(above / "data")
    for identity in (told, *told.get("children", ())):
        if process := supervisor.alive(identity):
            process.kill()
    embedded.stop(above / "data")
    shutil.rmtree(above)


def _environment(**settings: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("VENTURES_", "DATABASE_URL"))}
    return ours | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | settings


def _ventures(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ventures.cli", *words],
        capture_output=True, text=True, env=_environment(**settings), check=False,
    )  # fmt: skip


class Serve:
    """`ventures serve` and what it says."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ventures.cli", "serve"],
            stderr=subprocess.PIPE, text=True,
            env=_environment(**{"VENTURES_DATA": str(data), "VENTURES_PORT": "0", **settings}),
        )  # fmt: skip
        self.said: list[str] = []
        assert self.process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=[self.process.stderr], daemon=True)
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            self.said.extend(iter(stream.readline, ""))

    def hears(self, words: str) -> str:
        def line() -> str | None:
            found = next((line for line in self.said if words in line), None)
            assert found or self._reader.is_alive(), "".join(self.said)
            return found

        return str(_until(line, lambda: f"nobody said {words!r}: {''.join(self.said)}"))

    def child(self, kind: str) -> psutil.Process | None:
        return next(
            (
                p
                for c in supervisor.state(self.data).get("children", ())
                if c["kind"] == kind and (p := supervisor.alive(c))
            ),
            None,
        )

    def status(self) -> int | None:
        """Of a request for the API's description; None where nobody answers."""
        connection = http.client.HTTPConnection(urlsplit(supervisor.state(self.data)["url"]).netloc, timeout=20)
        try:
            connection.request("GET", "/v1/openapi/openapi.json")
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()


def _until(true: Callable[[], Any], failed: Callable[[], str] = lambda: "") -> Any:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not (value := true()):
        assert time.monotonic() < give_up, failed()
        time.sleep(0.05)
    return value


def _other(serve: Serve, kind: str, before: psutil.Process) -> Callable[[], bool]:
    return lambda: (now := serve.child(kind)) is not None and now.pid != before.pid


def test_everything_from_nothing_through_every_kill(data: Path) -> None:
    one = {"VENTURES_API_PROCESSES": "1"}
    first = Serve(data, **one)
    first.hears("listening on http://127.0.0.1:")
    assert first.status() == 200
    for child in (first.child("api"), first.child("worker")):
        assert child is not None
        environment = child.environ()
        assert "ventures_app" in environment["DATABASE_URL"]
        assert not [name for name in environment if name.startswith("VENTURES_OWNER_URL")]
    with psycopg.connect(embedded.addresses(data).owner, autocommit=True) as connection:
        connection.execute('CREATE TABLE "global".kept AS SELECT 1 AS number')

    doctor = _ventures("doctor", "--json", VENTURES_DATA=str(data), **one)
    findings = {finding["id"]: finding["state"] for finding in json.loads(doctor.stdout)["findings"]}
    assert {"serve", "api", "worker", "answers", "postgresql", "roles", "pgvector", "migrations"} <= set(findings)
    assert set(findings.values()) == {"fine"}, doctor.stdout
    assert doctor.returncode == 0

    again = _ventures("serve", VENTURES_DATA=str(data), VENTURES_PORT="0")
    assert (again.returncode, "runs already" in again.stderr) == (2, True)

    for kind in ("api", "worker"):
        before = first.child(kind)
        assert before is not None
        before.kill()
        _until(_other(first, kind, before))
    _until(lambda: first.status() == 200)

    server = embedded.running(data)
    assert server is not None
    os.kill(server, signal.SIGKILL)
    first.hears("PostgreSQL ended")
    _until(lambda: embedded.running(data) not in (None, server))

    first.process.kill()
    first.process.wait()
    doctor = _ventures("doctor", "--json", VENTURES_DATA=str(data), **one)
    assert (doctor.returncode, "was killed" in doctor.stdout) == (1, True)
    second = Serve(data, **one)
    second.hears("listening on")
    assert second.status() == 200
    with psycopg.connect(embedded.addresses(data).owner) as connection:
        assert connection.execute('SELECT number FROM "global".kept').fetchone() == (1,)

    second.process.terminate()
    assert second.process.wait(PATIENCE_SECONDS) == 0
    assert embedded.running(data) is None
    assert "stopped" in second.said[-1]
    assert not [p for p in psutil.process_iter(["environ"]) if _of(p, data)]


def _of(process: psutil.Process, data: Path) -> bool:
    environment = process.info["environ"] or {}
    return environment.get("VENTURES_DATA") == str(data) and process.status() != psutil.STATUS_ZOMBIE


def test_faults_of_settings_are_a_sentence_each(data: Path) -> None:
    refused = _ventures("serve", VENTURES_DATA=str(data), VENTURES_PROT="1", VENTURES_SESSION_DAYS="0")
    assert refused.returncode == 2
    assert refused.stderr.split("\n")[:2] == [
        "error: VENTURES_PROT is no setting; did you mean VENTURES_PORT?",
        "error: VENTURES_SESSION_DAYS must be a whole number from 1 to 365",
    ]
    assert not data.exists()


def test_a_database_without_its_owner_is_refused(data: Path) -> None:
    refused = _ventures("serve", VENTURES_DATA=str(data), DATABASE_URL="postgresql://a:b@127.0.0.1:1/c")
    assert (refused.returncode, "VENTURES_OWNER_URL is not" in refused.stderr) == (2, True)


def test_a_database_that_does_not_answer_is_a_sentence(data: Path) -> None:
    url = "postgresql://a:hidden@127.0.0.1:1/c"
    refused = _ventures("migrate", VENTURES_DATA=str(data), DATABASE_URL=url, VENTURES_OWNER_URL=url)
    assert refused.returncode == 3
    assert "Traceback" not in refused.stderr
    assert "The database does not answer" in refused.stderr
    assert "hidden" not in refused.stderr


def test_without_anything_doctor_says_how_to_start(data: Path) -> None:
    said = _ventures("doctor", "--plain", VENTURES_DATA=str(data))
    assert said.returncode == 1
    first = said.stdout.split("\n")[0].split("\t")
    assert (first[0], first[1], first[3]) == ("finding", "serve", "ventures serve")
    assert not data.exists()


def test_a_process_alone_says_what_it_lacks(data: Path) -> None:
    refused = _ventures("api", VENTURES_DATA=str(data))
    assert (refused.returncode, "Start everything with `ventures serve`" in refused.stderr) == (3, True)
    assert not data.exists()


def test_settings_are_listed_with_secrets_masked(data: Path) -> None:
    secret = "s" * 40
    shown = _ventures("settings", "--json", VENTURES_DATA=str(data), VENTURES_SECRET=secret)
    assert secret not in shown.stdout
    listed = json.loads(shown.stdout)
    assert listed["schema"] == "ventures/v1"
    values = {setting["name"]: setting["value"] for setting in listed["settings"]}
    assert (values["VENTURES_SECRET"], values["VENTURES_DATA"]) == ("(set)", str(data))


def test_migrate_stops_the_server_that_it_started(data: Path) -> None:
    first, second = (_ventures("migrate", "--json", VENTURES_DATA=str(data)) for _ in range(2))
    assert json.loads(first.stdout)["applied"][0] == "0001"
    assert json.loads(second.stdout)["applied"] == []
    assert embedded.running(data) is None
