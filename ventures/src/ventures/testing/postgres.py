"""A PostgreSQL shared by all test processes of this account, and new migrated databases in no time.

The server starts with the first user and stops by itself a while after the last one's process is gone, however it went:
users hold a shared lock on a file, which the system lets go with them, and a keeper process waits to have it alone.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.sql import SQL, Identifier

from ventures.database import embedded, migrations, roles
from ventures.database.migrate import migrate
from ventures.database.roles import Addresses

LINGER_SECONDS: Final = 20.0
"""How long it stays without a user: the next test run finds it warm."""
MEMORY_BYTES: Final = 4_000_000_000
"""Free space of the memory file system under which it is not used; a test run needs about a tenth."""
SETTINGS: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "48MB",
    "max_wal_size": "512MB",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
}
_held: dict[Path, IO[str]] = {}
_templates: dict[str, str] = {}


@contextmanager
def server() -> Iterator[Addresses]:
    """The shared server; no passwords are needed on its private socket, and nothing in it survives a power cut."""
    yield _server()


@contextmanager
def fresh_database() -> Iterator[Addresses]:
    """A new database with all migrations applied, dropped at the end with the sessions still on it."""
    running = _server()
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(_in(running.superuser, "postgres"), autocommit=True) as connection:
        template = _template(connection, running)
        connection.execute(
            SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY OWNER {}").format(
                Identifier(name), Identifier(template), Identifier(roles.OWNER)
            )
        )
        _restrict(connection, name)
    try:
        yield Addresses(
            owner=_in(running.owner, name), app=_in(running.app, name), superuser=_in(running.superuser, name)
        )
    finally:
        with psycopg.connect(_in(running.superuser, "postgres"), autocommit=True) as connection:
            connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))


def _home() -> Path:
    made_by = hashlib.sha256(repr((sorted(SETTINGS.items()), embedded.programs())).encode()).hexdigest()[:8]
    return _quickest() / f"ventures-tests-{os.geteuid()}-{made_by}"


def _quickest() -> Path:
    """Memory where there is plenty: a database is copied there four times as fast."""
    memory = Path("/dev/shm")  # noqa: S108 (the folder made in it is checked to be ours)
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > MEMORY_BYTES:
        return memory
    return Path(tempfile.gettempdir()).resolve()


def _server() -> Addresses:
    home = _home()
    home.mkdir(mode=0o711, exist_ok=True)  # the server's own account, where root runs tests, passes through
    if home.lstat().st_uid != os.geteuid():
        raise PermissionError(f"{home} belongs to somebody else")
    with _starting(home):
        if home not in _held:
            users = (home / "users").open("a")
            fcntl.flock(users, fcntl.LOCK_SH)
            _held[home] = users
        if embedded.running(home / "data") is None:
            addresses = embedded.start(home / "data", settings=SETTINGS, trust=True)
            subprocess.Popen(
                [sys.executable, "-m", "ventures.testing.postgres", str(home)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
            return addresses
    return embedded.addresses(home / "data")


def _template(connection: psycopg.Connection, running: Addresses) -> str:
    """The migrated database that others are copied from, made anew whenever a migration was edited."""
    digest = _digest()
    if digest not in _templates:
        name = f"template_{digest}"
        with connection.transaction():
            connection.execute("SELECT pg_advisory_lock(hashtext('ventures template'))")
        try:
            if not connection.execute(roles.DATABASE_EXISTS, [name]).fetchone():
                unfinished = f"unfinished_{digest}"
                connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(unfinished)))
                connection.execute(
                    SQL("CREATE DATABASE {} OWNER {}").format(Identifier(unfinished), Identifier(roles.OWNER))
                )
                roles.extend(running.superuser, unfinished)
                migrate(_in(running.owner, unfinished))
                connection.execute(
                    SQL("ALTER DATABASE {} RENAME TO {}").format(Identifier(unfinished), Identifier(name))
                )
        finally:
            connection.execute("SELECT pg_advisory_unlock(hashtext('ventures template'))")
        _templates[digest] = name
    return _templates[digest]


def _digest() -> str:
    content = hashlib.sha256()
    for file in sorted(Path(migrations.__file__).parent.rglob("*.py")):
        content.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return content.hexdigest()[:16]


def _restrict(connection: psycopg.Connection, name: str) -> None:
    connection.execute(SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(Identifier(name)))
    connection.execute(
        SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(Identifier(name), Identifier(roles.APP))
    )


def _in(address: str, database: str) -> str:
    return urlunsplit(urlsplit(address)._replace(path=f"/{database}"))


@contextmanager
def _starting(home: Path) -> Iterator[None]:
    with (home / "starting").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _keep(home: Path) -> None:
    """Until nobody uses the server any more; then stops it and removes all of it."""
    alone_since: float | None = None
    while True:
        time.sleep(0.5)
        with _starting(home), (home / "users").open("a") as users:
            if embedded.running(home / "data") is None:
                return  # whoever starts it anew starts another keeper
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                alone_since = None
                continue
            alone_since = alone_since or time.monotonic()
            if time.monotonic() - alone_since >= LINGER_SECONDS:
                embedded.stop(home / "data")
                shutil.rmtree(home / "data")
                return


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))
