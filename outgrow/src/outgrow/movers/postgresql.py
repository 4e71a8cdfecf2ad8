"""What both stores in PostgreSQL share: a session that comes back, gates beside the rows, and plain sentences.

**Gates.** What a move put is written down in ``outgrow.copied``, in the store's own database: the generation under each
key, and whether it stands for a deletion. It is written in the transaction of the rows themselves. The statement that
takes a gate locks it until that transaction ends, so of two puts of one key the later sees the earlier one's
generation: under READ COMMITTED ``ON CONFLICT DO UPDATE … WHERE`` judges the row as it stands after the wait.

**Ranges.** A page that is put where nothing is held has one gate, in ``outgrow.copied_range``: it stands for every key
behind ``after`` up to and with ``last`` that has none of its own, whether there is a row under it or not. Ranges of a
tenant do not overlap, and a gate within one is never older than it. A lock on the tenant sees to that: who lays a range
has it alone, from before it looks until it is committed; who takes gates of keys shares it. Each statement that looks
comes after the lock was got, and under READ COMMITTED sees all that was committed by then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, LiteralString

from pydantic import AfterValidator

from outgrow.ports import StoreFailed

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.sql import SQL, Composable, Identifier, Literal
except ImportError:
    raise StoreFailed(
        "a store in PostgreSQL needs psycopg, which is not installed", next_step="pip install 'outgrow[postgresql]'"
    ) from None

Row = tuple[Any, ...]

_GATES: tuple[LiteralString, ...] = (
    "CREATE SCHEMA IF NOT EXISTS outgrow",
    """
    CREATE TABLE IF NOT EXISTS outgrow.copied (
        relation text COLLATE "C" NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        generation bigint NOT NULL,
        deleted boolean NOT NULL,
        PRIMARY KEY (relation, tenant, key)
    )""",
    """
    CREATE TABLE IF NOT EXISTS outgrow.copied_range (
        relation text COLLATE "C" NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        after text COLLATE "C" NOT NULL,
        last text COLLATE "C" NOT NULL,
        generation bigint NOT NULL,
        PRIMARY KEY (relation, tenant, last)
    )""",
)
_ARE_THERE: LiteralString = "SELECT to_regclass('outgrow.copied'), to_regclass('outgrow.copied_range')"
_SHARE: LiteralString = (
    "SELECT pg_advisory_xact_lock_shared(hashtextextended(%(relation)s || chr(10) || %(tenant)s, 0))"
)
_HAVE_ALONE: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended(%(relation)s || chr(10) || %(tenant)s, 0))"
RANGE_OF: LiteralString = """(
    SELECT CASE WHEN page.after < ({key}) COLLATE "C" THEN page.generation END FROM outgrow.copied_range AS page
    WHERE page.relation = %(relation)s AND page.tenant = %(tenant)s AND page.last >= ({key}) COLLATE "C"
    ORDER BY page.last LIMIT 1
)"""
"""The generation of the range in which ``{key}`` is; NULL where it is in none."""
RANGE_MEETS: LiteralString = """coalesce((
    SELECT page.after < %(last)s FROM outgrow.copied_range AS page
    WHERE page.relation = %(relation)s AND page.tenant = %(tenant)s AND page.last >= %(first)s
    ORDER BY page.last LIMIT 1
), false)"""
"""Whether a range has keys from ``first`` to ``last``."""
_TAKE = (
    SQL("""
INSERT INTO outgrow.copied AS held (relation, tenant, key, generation, deleted)
SELECT %(relation)s, %(tenant)s, incoming.key, %(generation)s, incoming.deleted
FROM unnest(%(keys)s::text[], %(deleted)s::boolean[]) AS incoming (key, deleted)
WHERE coalesce({range} <= %(generation)s, true)
ORDER BY incoming.key COLLATE "C"
ON CONFLICT (relation, tenant, key) DO UPDATE SET generation = excluded.generation, deleted = excluded.deleted
WHERE held.generation <= excluded.generation
RETURNING key""")
    .format(range=SQL(RANGE_OF).format(key=SQL("incoming.key")))
    .as_bytes(None)
)
_INSERT = (
    SQL("""
INSERT INTO outgrow.copied (relation, tenant, key, generation, deleted)
SELECT %(relation)s, %(tenant)s, key, %(generation)s, false FROM unnest(%(keys)s::text[]) AS key
WHERE NOT EXISTS (
    SELECT FROM outgrow.copied AS gate
    WHERE gate.relation = %(relation)s AND gate.tenant = %(tenant)s AND gate.key BETWEEN %(first)s AND %(last)s
) AND NOT {meets}""")
    .format(meets=SQL(RANGE_MEETS))
    .as_bytes(None)
)
_LAY: LiteralString = """
INSERT INTO outgrow.copied_range (relation, tenant, after, last, generation)
SELECT %(relation)s, %(tenant)s, %(after)s, %(last)s, %(generation)s
WHERE NOT EXISTS (
    SELECT FROM outgrow.copied AS gate WHERE gate.relation = %(relation)s AND gate.tenant = %(tenant)s
    AND gate.key > %(after)s AND gate.key <= %(last)s
) AND NOT coalesce((
    SELECT page.after < %(last)s FROM outgrow.copied_range AS page
    WHERE page.relation = %(relation)s AND page.tenant = %(tenant)s AND page.last > %(after)s
    ORDER BY page.last LIMIT 1
), false)"""
_PROVE_RANGE: LiteralString = """
INSERT INTO outgrow.copied_range (relation, tenant, after, last, generation)
VALUES (%(relation)s, %(tenant)s, '', '', 0) ON CONFLICT (relation, tenant, last) DO NOTHING"""
_PROVE: LiteralString = """
INSERT INTO outgrow.copied AS held (relation, tenant, key, generation, deleted)
VALUES (%(relation)s, %(tenant)s, '', 0, true)
ON CONFLICT (relation, tenant, key) DO UPDATE SET generation = excluded.generation"""
_FORGET: LiteralString = "DELETE FROM outgrow.copied WHERE relation = %(relation)s AND tenant = %(tenant)s"
_FORGET_RANGES: LiteralString = "DELETE FROM outgrow.copied_range WHERE relation = %(relation)s AND tenant = %(tenant)s"
_DATABASE: LiteralString = """
SELECT c.system_identifier, d.oid FROM pg_control_system() AS c, pg_database AS d
WHERE d.datname = current_database()"""
_SETTLED: tuple[LiteralString, ...] = (
    "SET TIME ZONE 'UTC'",
    "SET DateStyle = 'ISO, YMD'",
    "SET IntervalStyle = 'postgres'",
    "SET bytea_output = 'hex'",
    "SET xmloption = 'content'",
    "SET extra_float_digits = 1",
    "SET lc_monetary = 'C'",
    "SET search_path = pg_catalog",
    "SET synchronous_commit = on",
    "SET default_transaction_isolation = 'read committed'",
    "SET default_transaction_read_only = off",
    "SET row_security = off",
    "SET outgrow.mover = 'on'",
    "SET lock_timeout = '10s'",
    "SET idle_in_transaction_session_timeout = '20s'",
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 2",
    "SET work_mem = '16MB'",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
)
"""So that a value has one text, whichever server it comes from; that what is put is durable, and judged by what was
committed before it, whatever the database or the role has by default; that a policy which would hide rows is an error;
that triggers which register an application's writes know the mover's (``outgrow.movers.registering``); that what a
process began that was killed, or stopped, or whose machine is gone, ends soon; and that a page of a table that is just
being filled, of which no statistics tell, is looked for by its index and never by reading it all, and sorted in memory
where it has to be: a block of 4 MB takes three times as much there."""


class Session:
    """One connection, opened when it is needed and again after it broke; one thread at a time.

    Args:
        url: ``postgresql://``; its password, if it has one, is never shown. name: the store's.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self.name = name
        self.where = f"{name} ({without_password(url)})"
        self._lock = threading.RLock()
        self._connection: psycopg.Connection[Row] | None = None
        self._closed = False
        self._always = list(_SETTLED)

    @contextmanager
    def transaction(self, *, writing: bool = False) -> Iterator[psycopg.Connection[Row]]:
        """A transaction: READ COMMITTED where it writes, else one snapshot. What PostgreSQL says becomes
        ``StoreFailed``; nothing was written then, unless the connection broke while it was being committed."""
        with self._lock, explained(self.where):
            connection = self._opened()
            with connection.transaction():
                if not writing:
                    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                yield connection

    @contextmanager
    def statements(self) -> Iterator[psycopg.Connection[Row]]:
        """Each statement is a transaction of its own, one way there and back. Else as ``transaction``."""
        with self._lock, explained(self.where):
            yield self._opened()

    def always(self, statement: LiteralString) -> None:
        """Has this executed now and whenever the connection is opened anew."""
        with self.statements() as connection:
            if statement not in self._always:
                connection.execute(statement)
                self._always.append(statement)

    def database(self) -> Row | None:
        """What tells this database from any other, on any server."""
        with self.transaction() as connection:
            return connection.execute(_DATABASE).fetchone()

    def identity(self) -> str:
        """``database``, in words."""
        found = self.database()
        return f"database {found[1]} of server {found[0]}" if found else "no database"

    def close(self) -> None:
        """Closes it for good."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()

    def _opened(self) -> psycopg.Connection[Row]:
        if self._closed:
            raise StoreFailed(f"the store {self.name} is closed")
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=10, application_name="outgrow-mover", client_encoding="utf8"
            )
            with self._connection.transaction():
                for statement in self._always:
                    self._connection.execute(statement)
        return self._connection


class Gates:
    """The gates of one store: ``relation`` tells those of several stores in one database apart."""

    def __init__(self, session: Session, relation: str) -> None:
        self._session = session
        self.relation = relation
        self._there = False

    def ensure(self) -> None:
        """Lays the table where there is none."""
        if self._there:
            return
        with self._session.transaction(writing=True) as connection:
            if not _all_there(connection):
                connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('outgrow.copied', 0))")
                for statement in _GATES:
                    connection.execute(statement)
        self._there = True

    def share(self, connection: psycopg.Connection[Row], tenant: str) -> None:
        """Keeps ranges of the tenant from being laid until the transaction ends; before whatever looks at them."""
        connection.execute(_SHARE, {"relation": self.relation, "tenant": tenant})

    def laid(self, connection: psycopg.Connection[Row], tenant: str, generation: int, after: str, last: str) -> bool:
        """Lays one gate for all keys behind ``after`` up to and with ``last``, if none is in this range; → whether it
        did. Puts of the tenant's keys wait until the transaction ends.

        What the caller looks at and writes under these keys comes after this call, in the same transaction; where it
        finds something there, it rolls back.
        """
        connection.execute(_HAVE_ALONE, {"relation": self.relation, "tenant": tenant})
        values = {
            "relation": self.relation,
            "tenant": tenant,
            "generation": generation,
            "after": after,
            "last": last,
        }
        return connection.execute(_LAY, values).rowcount == 1

    def passed(
        self,
        connection: psycopg.Connection[Row],
        tenant: str,
        generation: int,
        keys: Sequence[str],
        deleted: Sequence[bool],
    ) -> set[str]:
        """Takes the gates of these keys (each once) for ``generation``; → those under which none newer was held."""
        values = {
            "relation": self.relation,
            "tenant": tenant,
            "generation": generation,
            "keys": list(keys),
            "deleted": list(deleted),
        }
        self.share(connection, tenant)
        return {str(row[0]) for row in connection.execute(_TAKE, values)}

    def inserted(self, connection: psycopg.Connection[Row], tenant: str, generation: int, keys: Sequence[str]) -> bool:
        """Lays gates of items, if none is in the range of these keys; → whether it did. Raises ``UniqueViolation``
        where somebody lays one at the same time."""
        values = {
            "relation": self.relation,
            "tenant": tenant,
            "generation": generation,
            "keys": list(keys),
            "first": min(keys),
            "last": max(keys),
        }
        self.share(connection, tenant)
        return connection.execute(_INSERT, values).rowcount == len(keys)

    def prove(self, connection: psycopg.Connection[Row], tenant: str) -> None:
        """Writes a gate and a range that no put asks for, and removes them."""
        values = {"relation": f"{self.relation} (proof)", "tenant": tenant}
        for statement in (_PROVE, _PROVE_RANGE, _FORGET, _FORGET_RANGES):
            connection.execute(statement, values)

    def forget(self, connection: psycopg.Connection[Row], tenant: str) -> None:
        """Opens all gates of the tenant."""
        there = connection.execute(_ARE_THERE).fetchone() or ()
        for found, statement in zip(there, (_FORGET, _FORGET_RANGES), strict=True):
            if found is not None:
                connection.execute(statement, {"relation": self.relation, "tenant": tenant})


def _all_there(connection: psycopg.Connection[Row]) -> bool:
    return None not in (connection.execute(_ARE_THERE).fetchone() or (None,))


def wait_shortly(connection: psycopg.Connection[Row], seconds: float) -> None:
    """Has this transaction wait for no lock for longer."""
    connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{seconds * 1000:.0f}ms",))


def checked_tenant(name: str, tenant: str) -> str:
    """The tenant, if it can be one in PostgreSQL."""
    if not tenant:
        raise StoreFailed(f"{name}: a call without a tenant", next_step="name the tenant")
    if "\0" in tenant:
        raise StoreFailed(f"{name}: the tenant {tenant!r} contains NUL, which PostgreSQL does not store")
    return tenant


def checked_keys(name: str, keys: Sequence[str]) -> list[str]:
    """The keys, if they can be some in PostgreSQL, and each is there once."""
    for key in keys:
        if "\0" in key:
            raise StoreFailed(f"{name}: the key {key!r} contains NUL, which PostgreSQL does not store")
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise StoreFailed(f"{name}: the key {twice!r} is twice in one call", next_step="put each key once")
    return list(keys)


def relation_parts(table: str) -> tuple[str, str]:
    """``schema.table`` or ``table`` (then of schema public) in two parts, as they stand, without quotes."""
    schema, dot, name = table.partition(".")
    return (schema, name) if dot else ("public", schema)


def quoted(*names: str) -> Composable:
    """A name of however many parts, for a statement that is executed with values (where a % is written twice)."""
    return SQL(Identifier(*names).as_string(None).replace("%", "%%"))


def written(text: str) -> Composable:
    """A text as a literal, for a statement that is executed with values."""
    return SQL(Literal(text).as_string(None).replace("%", "%%"))


def without_password(url: str) -> str:
    """Where a URL leads: host, port and database, and no more."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        return "its url"
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"{parts.get('host') or 'the local server'}{port}/{parts.get('dbname') or ''}"


def checked_url(url: str) -> str:
    """The URL of a database, as it is. Raises ``ValueError`` where PostgreSQL's library cannot read it."""
    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        raise ValueError("is no address of a database; write postgresql://role@host/database") from None
    return url


Url = Annotated[str, AfterValidator(checked_url)]


@contextmanager
def explained(where: str) -> Iterator[None]:
    """What PostgreSQL says, as ``StoreFailed`` with a next step."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreFailed(
            f"{where}: {_said(error)}",
            next_step="Grant the role of the url what it lacks: SELECT, INSERT, UPDATE and DELETE on the moved tables, "
            "and on schema outgrow what its owner has.",
        ) from error
    except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected) as error:
        raise StoreFailed(f"{where}: another write was in the way: {_said(error)}", next_step="Try again.") from error
    except psycopg.errors.LockNotAvailable as error:
        raise StoreFailed(
            f"{where}: a table was in use for too long: {_said(error)}",
            next_step="Try again when no long transaction writes to it.",
        ) from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise StoreFailed(
            f"{where}: {_said(error)}", next_step="Make the tables first, or correct their names in the declared file."
        ) from error
    except psycopg.errors.IntegrityError as error:
        raise StoreFailed(
            f"{where} does not take a row: {_said(error)}",
            next_step="See which row holds the place; constraints of both sides must allow the same rows.",
        ) from error
    except psycopg.OperationalError as error:
        raise StoreFailed(
            f"{where} does not answer: {_said(error)}",
            next_step="See whether the server runs and whether url, PGPASSWORD or the password file are right.",
        ) from error
    except psycopg.Error as error:
        raise StoreFailed(f"{where} refused: {_said(error)}", next_step="See the server's log for more.") from error


def _said(error: psycopg.Error) -> str:
    first = error.diag.message_primary or next(iter(str(error).strip().splitlines()), type(error).__name__)
    return f"{first} ({error.diag.message_detail})" if error.diag.message_detail else first


__all__ = [
    "RANGE_MEETS",
    "RANGE_OF",
    "SQL",
    "Composable",
    "Gates",
    "Row",
    "Session",
    "checked_keys",
    "checked_tenant",
    "explained",
    "psycopg",
    "quoted",
    "relation_parts",
    "wait_shortly",
    "without_password",
    "written",
]
