"""The ledger's connection to an SQLite file."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from outgrow.errors import LedgerError
from outgrow.ledger.database import REVISION, queries, refuse_newer
from outgrow.ledger.hours import Hours
from outgrow.signals.series import FloatArray

APPLICATION_ID = 0x6F757467
"""``outg`` in the file's header (https://www.sqlite.org/pragma.html#pragma_application_id)."""

BUSY_SECONDS = 60.0
"""How long a writer waits for another process: longer than the import of ten million samples holds the file."""

_ATTEMPTS = 40
_MAGIC = b"SQLite format 3\x00"
_ELSEWHERE = "choose another ledger with OUTGROW_LEDGER or the key ledger in the declared file"


class SqliteDatabase:
    """A file with outgrow's schema, in WAL mode; the connection is shared between threads one at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._sql = queries("sqlite")
        self._lock = threading.RLock()
        self._depth = 0

    def rows(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        with self._lock, explained(self._path):
            return self._connection.execute(self._sql[name], parameters).fetchall()

    def run(self, name: str, /, **parameters: Any) -> int:
        with self._lock, explained(self._path):
            return self._connection.execute(self._sql[name], parameters).rowcount

    def pairs(self, name: str, /, **parameters: Any) -> FloatArray:
        with self._lock, explained(self._path):
            cursor = self._connection.execute(self._sql[name], parameters)
            return np.fromiter(cursor, dtype=np.dtype((np.float64, 2)))

    def write_samples(self, series_id: int, provenance_id: int, times: FloatArray, values: FloatArray) -> None:
        rows = zip(repeat(series_id), times.tolist(), values.tolist(), repeat(provenance_id))
        with self._lock, explained(self._path):
            self._connection.executemany(self._sql["write_samples"], rows)

    def write_hours(self, series_id: int, hours: Hours) -> None:
        columns = (
            hours.starts,
            hours.counts,
            hours.means,
            hours.medians,
            hours.mins,
            hours.maxes,
            hours.origins,
        )
        rows = zip(repeat(series_id), *(column.tolist() for column in columns))
        with self._lock, explained(self._path):
            self._connection.executemany(self._sql["write_hours"], rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._lock:
            if self._depth == 0:
                with explained(self._path):
                    self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0 and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._commit()

    def _commit(self) -> None:
        try:
            with explained(self._path):
                self._connection.execute("COMMIT")
        except LedgerError:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def open_sqlite(path: Path) -> SqliteDatabase:
    """Open a ledger file; create it, or bring an older one to this version's schema, where needed.

    Raises:
        LedgerError: it is no ledger, or one of a newer version, or cannot be read or written. The file is untouched.
    """
    with explained(path):
        stored = _stored_revision(path)
        refuse_newer(stored, str(path))
        if stored is None:
            _create_empty(path)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _write_ahead(connection)
            if stored != REVISION:
                from outgrow.ledger.schema import upgrade_sqlite  # SQLAlchemy and Alembic, only when needed

                upgrade_sqlite(connection, path, APPLICATION_ID)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
    return SqliteDatabase(path, connection)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn the log on, before anything is written: a file that was killed in between is then never half written."""
    for attempt in range(_ATTEMPTS):
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Two that turn it on at once may not wait for each other (https://www.sqlite.org/wal.html#sometimes_queries_return_sqlite_busy_in_wal_mode).
            if "locked" not in str(error) or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.05)
        else:
            return


def _stored_revision(path: Path) -> str | None:
    """The revision in a ledger file; None for a file that is absent or empty. Reads only."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    if path.is_dir():
        raise LedgerError(f"{path} is a folder, not a ledger", next_step=_ELSEWHERE)
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise LedgerError(f"{path} is not a ledger of outgrow: it is no SQLite file", next_step=_ELSEWHERE)
    # Without a log there is nothing but the file to read, and an immutable reader leaves no files of its own beside it.
    log = path.with_name(path.name + "-wal")
    mode = "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
    uri = f"file:{quote(str(path.absolute()))}?{mode}"
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as reader:
        if reader.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            if reader.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
                return None
            raise LedgerError(f"{path} is an SQLite file of another program", next_step=_ELSEWHERE)
        row = reader.execute(queries("sqlite")["revision"]).fetchone()
    return "" if row is None else str(row[0])


def _create_empty(path: Path) -> None:
    """An empty file that only its owner can read; SQLite gives its log the same mode."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, mode=0o700)
        if path.parent.name == ".outgrow":
            (path.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into a ``LedgerError`` with a next step."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        message, next_step = _words(path, error)
        raise LedgerError(message, next_step=next_step) from error


def _words(path: Path, error: Exception) -> tuple[str, str]:
    text = str(error)
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in text:
        return f"the ledger {path} is already closed", "open it again"
    if "full" in text:
        return f"the disk is full: the ledger {path} took nothing of this", "free some space, then run this again"
    if "locked" in text or "busy" in text:
        return (
            f"another process has been writing to the ledger {path} for more than {BUSY_SECONDS:.0f} seconds",
            "wait for it (an import, perhaps), then run this again",
        )
    if "malformed" in text or "not a database" in text or "corrupt" in text or "no such table" in text:
        return (
            f"the ledger {path} is damaged ({text})",
            "put back a copy, or move it away and start a new one with outgrow import and outgrow record; "
            f"sqlite3 {path} .recover may save what is left",
        )
    if isinstance(error, OSError) or "readonly" in text or "unable to open" in text:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else text
        return f"the ledger {path} cannot be opened for writing: {reason}", f"make it writable, or {_ELSEWHERE}"
    return f"the ledger {path} cannot be used: {text}", f"see whether the file is whole, or {_ELSEWHERE}"
