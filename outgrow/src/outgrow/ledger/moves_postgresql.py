"""The truth of a move in the application's own PostgreSQL."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from outgrow.errors import LedgerError
from outgrow.ledger.location import without_password
from outgrow.ledger.moves import SqlMoveLedger
from outgrow.ledger.moves_session import Locked, named
from outgrow.routing import SCHEMA

try:
    import psycopg
    from psycopg.rows import TupleRow
except ImportError:
    raise LedgerError(
        "a move that is kept in PostgreSQL needs psycopg, which is not installed",
        next_step="pip install 'outgrow[postgresql]'",
    ) from None

_OPTIONS = (
    "-c lock_timeout=10s -c default_transaction_isolation=read\\ committed -c default_transaction_read_only=off "
    "-c idle_in_transaction_session_timeout=60s -c synchronous_commit=on "
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
)
"""Statements of a flip each see what was committed before them, and a session whose process is gone, or stands still,
gives its lock back."""
_TABLES = ("route", "migration", "tenant_state", "journal", "intent", "shadow", "generation")
_MACROS = (
    (re.compile(r"\$now"), "clock_timestamp()"),
    (re.compile(r"\$share"), "FOR SHARE"),
    (re.compile(r"\$update"), "FOR UPDATE"),
    (re.compile(r"seconds\(((?:[^()]|\([^()]*\))*)\)"), r"extract(epoch FROM \1)::float8"),
    (re.compile(r"instant\((:\w+)\)"), r"to_timestamp(\1)"),
    (re.compile(r"json\((:\w+)\)"), r"CAST(\1 AS jsonb)"),
    (re.compile(r"among\((:\w+)\)"), r"= ANY(CAST(\1 AS bigint[]))"),
    (re.compile(r"(?<!:):([a-z_]+)"), r"%(\1)s"),
)


class PostgresqlMoves:
    """A session on the application's PostgreSQL: one connection, which also holds the locks of migrations.

    A connection that was lost is replaced at the next call, outside of transactions, and its locks are taken again
    where they are free. Nothing rests on that: what is written is fenced by the epoch.
    """

    def __init__(self, name: str, connect: Callable[[], psycopg.Connection[TupleRow]]) -> None:
        self.name = name
        self._connect = connect
        self._connection = connect()
        self._closed = False
        self._depth = 0
        self._lock = threading.RLock()
        self._locked: set[str] = set()
        self._sql = {key: _translated(sql).encode() for key, sql in named("postgresql").items()}

    def rows(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        with self._lock, _explained(self.name):
            return self._connected().execute(self._sql[name], parameters).fetchall()

    def run(self, name: str, /, **parameters: Any) -> int:
        with self._lock, _explained(self.name):
            return self._connected().execute(self._sql[name], parameters).rowcount

    def many(self, name: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        with self._lock, _explained(self.name), self._connected().cursor() as cursor:
            cursor.executemany(self._sql[name], parameters)

    @contextmanager
    def transaction(self, lock_seconds: float | None = None) -> Iterator[None]:
        with self._lock, _explained(self.name), self._connected().transaction():
            self._depth += 1
            try:
                if lock_seconds is not None:
                    patience = f"{lock_seconds * 1000:.0f}ms"
                    self._connection.execute("SELECT set_config('lock_timeout', %s, true)", (patience,))
                yield
            finally:
                self._depth -= 1

    def lock(self, migration: str) -> bool:
        with self._lock, _explained(self.name):
            connection = self._connected()
            if migration not in self._locked and _locked(connection, migration):
                self._locked.add(migration)
            return migration in self._locked

    def unlock(self, migration: str) -> None:
        with self._lock, _explained(self.name):
            if migration in self._locked:
                self._locked.discard(migration)
                self._connected().execute("SELECT pg_advisory_unlock(%s)", (_key(migration),))

    def mark(self) -> str:
        with self._lock:
            return json.dumps(sorted(self._under_way()))

    def settled(self, mark: str) -> bool:
        """Whether the marked transactions are over.

        Every transaction holds a lock on its virtual id from its begin to its end, whether it wrote anything yet or
        not (https://www.postgresql.org/docs/current/view-pg-locks.html); transaction ids and snapshots would overlook
        one that has read, found no route, and will write. A prepared transaction gives its virtual id up before it is
        over, so there must be none at all: looked for second, as one may be prepared between both looks.
        """
        with self._lock:
            if self._under_way().intersection(json.loads(mark)):
                return False
            with _explained(self.name):
                prepared = (
                    self._connected()
                    .execute("SELECT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database())")
                    .fetchone()
                )
        return prepared is not None and not prepared[0]

    def _under_way(self) -> set[str]:
        """All transactions of sessions that have a user (autovacuum has none), as every role may see them."""
        with _explained(self.name):
            rows = (
                self._connected()
                .execute("""
                SELECT lock.virtualtransaction FROM pg_locks AS lock JOIN pg_stat_activity AS session USING (pid)
                WHERE lock.locktype = 'virtualxid' AND lock.mode = 'ExclusiveLock' AND lock.pid <> pg_backend_pid()
                    AND session.datname = current_database()
                    AND session.usesysid IS NOT NULL""")
                .fetchall()
            )
        return {str(row[0]) for row in rows}

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._connection.close()

    def _connected(self) -> psycopg.Connection[TupleRow]:
        if self._connection.closed and not self._closed and not self._depth:
            self._connection = self._connect()
            self._locked = {migration for migration in self._locked if _locked(self._connection, migration)}
        return self._connection


def open_postgresql_moves(url: str) -> SqlMoveLedger:
    """Opens the moves kept in the application's database at ``url``; makes the tables where they are missing.

    The lock of a migration belongs to the session: ``url`` leads to the server itself, not to a pooler that hands
    sessions on between transactions.

    Raises:
        LedgerError: the server does not answer, or the tables are missing and may not be made.
    """
    name = without_password(url)

    def connect() -> psycopg.Connection[TupleRow]:
        return psycopg.connect(
            url, autocommit=True, connect_timeout=10, application_name="outgrow migrate", options=_options(url)
        )

    with _explained(name):
        with connect() as connection:
            _make_tables(connection)
        return SqlMoveLedger(PostgresqlMoves(name, connect))


def _options(url: str) -> str:
    """Ours, after those that the URL brings along."""
    given = psycopg.conninfo.conninfo_to_dict(url).get("options")
    return f"{given} {_OPTIONS}" if given else _OPTIONS


def _make_tables(connection: psycopg.Connection[TupleRow]) -> None:
    if _are_there(connection):
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_key("outgrow.routing.tables"),))
        if not _are_there(connection):
            for statement in SCHEMA:
                connection.execute(statement)


def _are_there(connection: psycopg.Connection[TupleRow]) -> bool:
    """Whether all tables are; without rights to make any, those that the application's migration made are used."""
    row = connection.execute(
        """
        SELECT count(*) = %(count)s AND EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = to_regclass('outgrow.route') AND attname = 'frozen_until')
        FROM unnest(%(tables)s::text[]) AS name WHERE to_regclass('outgrow.' || name) IS NOT NULL""",
        {"count": len(_TABLES), "tables": list(_TABLES)},
    ).fetchone()
    return bool(row and row[0])


def _translated(sql: str) -> str:
    for pattern, ours in _MACROS:
        sql = pattern.sub(ours, sql)
    return sql


def _key(text: str) -> int:
    """Of an advisory lock: 64 bits, signed."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def _locked(connection: psycopg.Connection[TupleRow], migration: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_key(migration),)).fetchone()
    return bool(row and row[0])


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turns what PostgreSQL says into a ``LedgerError`` with a next step."""
    try:
        yield
    except psycopg.errors.LockNotAvailable as error:
        raise Locked(
            f"a transaction in {name} holds a row of the move for too long",
            next_step="end transactions that are left idle (pg_stat_activity shows them)",
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise LedgerError(
            f"the database {name} does not let this role: {_first_line(error)}",
            next_step="use the role that owns the schema outgrow, or have the application's migrations make it "
            "(outgrow.routing.SCHEMA)",
        ) from error
    except psycopg.OperationalError as error:
        raise LedgerError(
            f"the database {name} does not answer: {_first_line(error)}",
            next_step="see whether the server runs and whether the URL of the move is right, then run this again",
        ) from error
    except psycopg.Error as error:
        raise LedgerError(
            f"the database {name} refused: {_first_line(error)}", next_step="see the server's log for more"
        ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
