"""The truth of a move in an SQLite file, where no process of an application shares it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from outgrow.errors import LedgerError
from outgrow.ledger.moves import SqlMoveLedger
from outgrow.ledger.moves_session import Locked, named

APPLICATION_ID = 0x6F75746D
"""``outm`` in the file's header (https://www.sqlite.org/pragma.html#pragma_application_id)."""
TABLES_VERSION = 1
"""In the file's ``user_version``."""
BUSY_SECONDS = 10.0
"""How long a writer waits for another process."""

_TABLES = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS outgrow.route (
    point TEXT NOT NULL, tenant TEXT NOT NULL, store TEXT NOT NULL, generation INTEGER NOT NULL, frozen_until REAL,
    PRIMARY KEY (point, tenant)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outgrow.migration (
    id TEXT PRIMARY KEY, point TEXT NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL,
    target TEXT NOT NULL CHECK (target <> source), layout_version INTEGER NOT NULL, made_at REAL NOT NULL,
    ended_at REAL, rehearsed_at REAL, paused TEXT NOT NULL DEFAULT '', shadow_share REAL NOT NULL DEFAULT 0,
    epoch INTEGER NOT NULL DEFAULT 0, holder TEXT NOT NULL DEFAULT '', pace TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS outgrow.migration_of_point ON migration (point) WHERE ended_at IS NULL;
CREATE TABLE IF NOT EXISTS outgrow.tenant_state (
    migration TEXT NOT NULL REFERENCES migration (id), point TEXT NOT NULL, tenant TEXT NOT NULL,
    wave INTEGER NOT NULL, state TEXT NOT NULL, goal TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
    version INTEGER NOT NULL, rest TEXT NOT NULL, PRIMARY KEY (migration, tenant)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outgrow.journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT, migration TEXT NOT NULL REFERENCES migration (id), tenant TEXT NOT NULL,
    at REAL NOT NULL, what TEXT NOT NULL, who TEXT NOT NULL, facts TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS outgrow.journal_of_migration ON journal (migration, tenant, id);
CREATE TABLE IF NOT EXISTS outgrow.intent (
    id INTEGER PRIMARY KEY AUTOINCREMENT, point TEXT NOT NULL, tenant TEXT NOT NULL, key TEXT NOT NULL,
    opened_at REAL NOT NULL, closed_at REAL
);
CREATE INDEX IF NOT EXISTS outgrow.intent_of_tenant ON intent (point, tenant, id);
CREATE TABLE IF NOT EXISTS outgrow.shadow (
    migration TEXT NOT NULL, tenant TEXT NOT NULL, matched INTEGER NOT NULL DEFAULT 0,
    differed INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (migration, tenant)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outgrow.generation (last INTEGER NOT NULL);
INSERT INTO outgrow.generation SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM outgrow.generation);
PRAGMA outgrow.application_id = {application_id};
PRAGMA outgrow.user_version = {version};
COMMIT;
"""
_MACROS = (
    (re.compile(r"\$now"), "((julianday('now') - 2440587.5) * 86400.0)"),
    (re.compile(r"\$share|\$update"), ""),
    (re.compile(r"seconds\("), "("),
    (re.compile(r"instant\("), "("),
    (re.compile(r"among\((:\w+)\)"), r"IN (SELECT value FROM json_each(\1))"),
)


class SqliteMoves:
    """A session on a file: one connection, and an open file for each migration that is held, locked by the system."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.name = str(path)
        self._path = path
        self._connection = connection
        self._lock = threading.RLock()
        self._held: dict[str, int] = {}
        self._sql = {key: _translated(sql) for key, sql in named("sqlite").items()}

    def rows(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        with self._lock, _explained(self._path):
            return self._connection.execute(self._sql[name], _plain(parameters)).fetchall()

    def run(self, name: str, /, **parameters: Any) -> int:
        with self._lock, _explained(self._path):
            return self._connection.execute(self._sql[name], _plain(parameters)).rowcount

    def many(self, name: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        with self._lock, _explained(self._path):
            self._connection.executemany(self._sql[name], [_plain(one) for one in parameters])

    @contextmanager
    def transaction(self, lock_seconds: float | None = None) -> Iterator[None]:
        """The whole file is one lock here, which nobody holds for longer than a statement or two."""
        del lock_seconds
        with self._lock:
            with _explained(self._path):
                self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                with _explained(self._path):
                    self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def lock(self, migration: str) -> bool:
        with self._lock, _explained(self._path):
            if migration in self._held:
                return True
            digest = hashlib.blake2b(migration.encode(), digest_size=6).hexdigest()
            file = os.open(f"{self._path}.{digest}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                return False
            self._held[migration] = file
            return True

    def unlock(self, migration: str) -> None:
        with self._lock:
            file = self._held.pop(migration, None)
            if file is not None:
                os.close(file)

    def mark(self) -> str:
        return "[]"

    def settled(self, mark: str) -> bool:
        """Always: one writer at a time, and one whose snapshot is older than the last write cannot write."""
        del mark
        return True

    def close(self) -> None:
        with self._lock:
            for migration in list(self._held):
                self.unlock(migration)
            self._connection.close()


def open_sqlite_moves(path: Path) -> SqlMoveLedger:
    """Opens the moves kept in a file; makes it where it is missing, for its owner alone.

    Raises:
        LedgerError: it is another program's file, or of a newer version, or cannot be used. It is left as it was.
    """
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            ":memory:", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=False
        )
        try:
            connection.execute("ATTACH DATABASE ? AS outgrow", (str(path.absolute()),))
            _refuse_foreign(connection, path)
            _write_ahead(connection)
            connection.execute("PRAGMA outgrow.synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            if connection.execute("PRAGMA outgrow.user_version").fetchone()[0] < TABLES_VERSION:
                tables = _TABLES.format(application_id=APPLICATION_ID, version=TABLES_VERSION)
                connection.executescript(tables)
        except BaseException:
            connection.close()
            raise
    return SqlMoveLedger(SqliteMoves(path, connection))


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turns the log on. Two that turn it on at once may not wait for each other (https://www.sqlite.org/wal.html)."""
    for left in reversed(range(40)):
        try:
            if connection.execute("PRAGMA outgrow.journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA outgrow.journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or not left:
                raise
            time.sleep(0.05)
        else:
            return


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    elsewhere = "choose another place for the move"
    id_ = connection.execute("PRAGMA outgrow.application_id").fetchone()[0]
    if id_ == APPLICATION_ID:
        version = connection.execute("PRAGMA outgrow.user_version").fetchone()[0]
        if version > TABLES_VERSION:
            raise LedgerError(
                f"{path} was written by a newer outgrow (tables {version}, this one knows {TABLES_VERSION}); it was "
                "left as it was",
                next_step="upgrade outgrow",
            )
    elif id_ or connection.execute("SELECT 1 FROM outgrow.sqlite_master").fetchone():
        raise LedgerError(f"{path} is an SQLite file of another program, or another ledger", next_step=elsewhere)


def _translated(sql: str) -> str:
    for pattern, ours in _MACROS:
        sql = pattern.sub(ours, sql)
    return sql


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {key: json.dumps(value) if isinstance(value, list) else value for key, value in parameters.items()}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns what SQLite and the system say into a ``LedgerError`` with a next step."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        text = str(error)
        if "locked" in text or "busy" in text:
            raise Locked(
                f"another process has been writing to {path} for more than {BUSY_SECONDS:.0f} seconds",
                next_step="wait for it, then run this again",
            ) from error
        if "closed" in text:
            raise LedgerError(f"the ledger of the move {path} is already closed", next_step="open it again") from error
        raise LedgerError(
            f"the ledger of the move {path} cannot be used: {text}", next_step="see whether it is readable and whole"
        ) from error
