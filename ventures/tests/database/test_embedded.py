"""The embedded server: private, kept, found again after every kind of end, and never thrown away."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from ventures.database import embedded
from ventures.errors import DatabaseUnfit


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder that the server's own account may enter when root runs the tests (pytest's folders are private)."""
    above = Path(tempfile.mkdtemp(prefix="ventures-"))
    above.chmod(0o711)
    yield above / "data"
    embedded.stop(above / "data")
    shutil.rmtree(above)


def _kept(data: Path) -> list[int]:
    with psycopg.connect(embedded.addresses(data).owner) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM kept ORDER BY number")]


def _keep(data: Path, number: int) -> None:
    with psycopg.connect(embedded.addresses(data).owner, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number integer)")
        connection.execute("INSERT INTO kept VALUES (%s)", [number])


def _until_ended(data: Path) -> None:
    give_up = time.monotonic() + 20
    while embedded.running(data) is not None:
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_what_was_committed_outlives_a_stop_and_kill_9(data: Path) -> None:
    embedded.start(data)
    _keep(data, 1)
    embedded.stop(data)
    assert embedded.running(data) is None

    embedded.start(data)
    _keep(data, 2)
    pid = embedded.running(data)
    assert pid is not None
    assert embedded.start(data) == embedded.addresses(data)
    assert embedded.running(data) == pid, "a running server is used as it is"

    os.kill(pid, signal.SIGKILL)
    embedded.start(data)
    assert _kept(data) == [1, 2]


def test_it_is_private(data: Path) -> None:
    addresses = embedded.start(data)
    for address in (addresses.owner, addresses.app, addresses.superuser):
        with psycopg.connect(address) as connection:
            assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(address, password="wrong")
    assert stat.S_IMODE((data / "passwords").stat().st_mode) == 0o600
    for folder in ("postgresql", "socket", "logs"):
        assert stat.S_IMODE((data / folder).stat().st_mode) == 0o700
    pid = embedded.running(data)
    assert pid is not None
    process = psutil.Process(pid)
    assert process.uids().effective != 0
    assert not any(secret in part for part in process.cmdline() for secret in _passwords(data))
    assert not [c for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    logs = b"".join(file.read_bytes() for file in (data / "logs").iterdir())
    assert not any(secret.encode() in logs for secret in _passwords(data))


def test_its_password_file_signs_in_whom_it_knows(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = embedded.start(data)
    monkeypatch.delenv("PGPASSWORD", raising=False)
    file = embedded.password_file(data)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for address in (addresses.owner, addresses.app, addresses.superuser):
        known = psycopg.conninfo.conninfo_to_dict(address)
        del known["password"]
        psycopg.connect(**known, passfile=str(file)).close()
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(**known, passfile=os.devnull)
    file.write_text("")
    embedded.start(data)
    assert file.read_text(), "one that was lost is written again"


def _passwords(data: Path) -> tuple[str, str, str]:
    addresses = embedded.addresses(data)
    parts = [psycopg.conninfo.conninfo_to_dict(a)["password"] for a in (addresses.owner, addresses.app)]
    return (str(parts[0]), str(parts[1]), str(psycopg.conninfo.conninfo_to_dict(addresses.superuser)["password"]))


def test_a_number_that_another_process_got_is_not_taken_for_the_server(data: Path) -> None:
    embedded.start(data)
    _keep(data, 1)
    pid = embedded.running(data)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    _until_ended(data)
    owner = (data / "postgresql").stat().st_uid
    stranger = subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None)
    try:
        for lock in (data / "postgresql" / "postmaster.pid", data / "socket" / ".s.PGSQL.5432.lock"):
            lines = lock.read_text().split("\n")
            lock.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        assert embedded.running(data) is None
        embedded.start(data)
        assert _kept(data) == [1]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_it_ends_with_the_process_that_asked_for_that(data: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from ventures.database import embedded\n"
        "embedded.start(Path(sys.argv[1]), ends_with_us=True); print('up', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(data)], stdout=subprocess.PIPE, env=environment
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"up\n"
        assert embedded.running(data) is not None
        starter.kill()
    if sys.platform == "linux":
        _until_ended(data)
    embedded.start(data)
    _keep(data, 1)


def test_a_long_path_gets_a_short_private_socket(data: Path) -> None:
    deep = data / ("x" * 90)
    deep.mkdir(parents=True)
    data.chmod(0o711)
    addresses = embedded.start(deep)
    try:
        with psycopg.connect(addresses.app) as connection:
            socket = Path(str(connection.info.host))
        assert not socket.is_relative_to(data)
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    finally:
        embedded.stop(deep)
        socket.rmdir()


def test_a_socket_folder_of_somebody_else_is_refused(data: Path) -> None:
    data.mkdir()
    (data / "socket").symlink_to("/tmp")
    with pytest.raises(DatabaseUnfit, match="belongs to somebody else"):
        embedded.start(data)


def test_another_major_version_is_refused_and_left_alone(data: Path) -> None:
    (data / "postgresql").mkdir(parents=True)
    (data / "passwords").write_text('{"owner": "a", "app": "b", "superuser": "c"}')
    (data / "postgresql" / "PG_VERSION").write_text("16\n")
    with pytest.raises(DatabaseUnfit, match="made by PostgreSQL 16"):
        embedded.start(data)
    assert (data / "postgresql" / "PG_VERSION").read_text() == "16\n"


def test_files_of_something_else_are_left_alone(data: Path) -> None:
    (data / "postgresql").mkdir(parents=True)
    (data / "postgresql" / "letters.txt").write_text("dear")
    with pytest.raises(DatabaseUnfit, match="is no database"):
        embedded.start(data)
    assert (data / "postgresql" / "letters.txt").read_text() == "dear"


def test_lost_passwords_are_said_and_not_replaced(data: Path) -> None:
    (data / "postgresql").mkdir(parents=True)
    (data / "postgresql" / "PG_VERSION").write_text("18\n")
    with pytest.raises(DatabaseUnfit, match="passwords is missing"):
        embedded.start(data)
    assert not (data / "passwords").exists()


def test_addresses_of_nothing_say_what_to_do(data: Path) -> None:
    with pytest.raises(DatabaseUnfit, match="ventures serve"):
        embedded.addresses(data)
