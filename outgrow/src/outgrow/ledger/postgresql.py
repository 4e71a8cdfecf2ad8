"""The ledger's connection to PostgreSQL, in a schema of its own."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from outgrow.errors import LedgerError
from outgrow.ledger.database import REVISION, queries, refuse_newer
from outgrow.ledger.hours import Hours
from outgrow.ledger.location import without_password
from outgrow.signals.series import FloatArray

try:
    import psycopg
except ImportError:
    raise LedgerError(
        "a ledger in PostgreSQL needs psycopg, which is not installed",
        next_step="pip install 'outgrow[postgresql]'",
    ) from None

SCHEMA = "outgrow_ledger"
_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")


class PostgresqlDatabase:
    """A PostgreSQL schema with the ledger's tables; the connection is shared between threads one at a time."""

    def __init__(self, name: str, connection: psycopg.Connection) -> None:
        self._name = name
        self._connection = connection
        statements = queries("postgresql")
        self._sql = {key: _PARAMETER.sub(r"%(\1)s", sql).encode() for key, sql in statements.items()}
        self._lock = threading.RLock()
        self._depth = 0

    def rows(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        with self._lock, explained(self._name):
            return self._connection.execute(self._sql[name], parameters).fetchall()

    def run(self, name: str, /, **parameters: Any) -> int:
        with self._lock, explained(self._name):
            return self._connection.execute(self._sql[name], parameters).rowcount

    def pairs(self, name: str, /, **parameters: Any) -> FloatArray:
        rows = self.rows(name, **parameters)
        return np.fromiter(rows, dtype=np.dtype((np.float64, 2)), count=len(rows))

    def write_samples(self, series_id: int, provenance_id: int, times: FloatArray, values: FloatArray) -> None:
        self.run(
            "write_samples",
            series_id=series_id,
            provenance_id=provenance_id,
            times=times.tolist(),
            values=values.tolist(),
        )

    def write_hours(self, series_id: int, hours: Hours) -> None:
        self.run(
            "write_hours",
            series_id=series_id,
            starts=hours.starts.tolist(),
            counts=hours.counts.tolist(),
            means=hours.means.tolist(),
            medians=hours.medians.tolist(),
            mins=hours.mins.tolist(),
            maxes=hours.maxes.tolist(),
            origins=hours.origins.tolist(),
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._lock:
            if self._depth:
                yield
                return
            self._depth += 1
            try:
                with explained(self._name), self._connection.transaction():
                    yield
            finally:
                self._depth -= 1

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def open_postgresql(url: str) -> PostgresqlDatabase:
    """Open the ledger in the database at ``url``; create or upgrade its schema where needed.

    A password is better kept in ``PGPASSFILE`` or ``PGPASSWORD`` than in the URL; messages never show it.

    Raises:
        LedgerError: the server does not answer, or the ledger is of a newer version. Nothing was changed.
    """
    name = without_password(url)
    with explained(name):
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=10, application_name="outgrow", options=f"-c search_path={SCHEMA}"
        )
        try:
            stored = _stored_revision(connection)
            refuse_newer(stored, name)
            if stored != REVISION:
                from outgrow.ledger.schema import upgrade_postgresql  # SQLAlchemy and Alembic, only when needed

                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
                connection.autocommit = False
                upgrade_postgresql(connection, name)
                connection.autocommit = True
        except BaseException:
            connection.close()
            raise
    return PostgresqlDatabase(name, connection)


def _stored_revision(connection: psycopg.Connection) -> str | None:
    row = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
    if row is None or row[0] is None:
        return None
    stored = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return "" if stored is None else str(stored[0])


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what PostgreSQL says into a ``LedgerError`` with a next step."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise LedgerError(
            f"the ledger {name} does not answer: {_first_line(error)}",
            next_step="see whether the server runs and whether OUTGROW_LEDGER is right",
        ) from error
    except psycopg.Error as error:
        raise LedgerError(
            f"the ledger {name} refused: {_first_line(error)}", next_step="see the server's log for more"
        ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
