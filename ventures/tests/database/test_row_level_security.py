"""PostgreSQL keeps ventures apart by itself, whatever statement the application sends."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors
from psycopg.sql import SQL, Composed, Identifier

from ventures.database.pool import Database, opened
from ventures.database.roles import Addresses

A, B = uuid4(), uuid4()
TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'regional'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"
)
COLUMNS = """
SELECT attname, atttypid::regtype::text, attgenerated <> '' OR attidentity <> ''
FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
SAMPLES: dict[str, Any] = {
    "uuid": UUID(int=7),
    "text": "a",
    "integer": 1,
    "smallint": 1,
    "bigint": 1,
    "boolean": False,
    "timestamp with time zone": "2026-01-01T00:00:00Z",
    "timestamp without time zone": "2026-01-01T00:00:00",
    "date": "2026-01-01",
    "interval": "1 hour",
    "bytea": b"a",
    "json": "{}",
    "jsonb": "{}",
    "double precision": 1.0,
    "real": 1.0,
    "tsvector": "a",
    "public.vector": "[1,0]",
    "numeric": 1,
}
RIGHTS = "SELECT has_any_column_privilege(%s, 'UPDATE'), has_table_privilege(%s, 'DELETE')"


@dataclass(frozen=True)
class Regional:
    """A regional table with one row of each of two ventures in it."""

    name: str
    columns: tuple[str, ...]
    values: tuple[Any, ...]

    @property
    def full(self) -> str:
        return f"regional.{self.name}"

    def insert(self, source: str = "VALUES ({})") -> Composed:
        names = SQL(", ").join(map(Identifier, self.columns))
        marks = SQL(", ").join(SQL("%s") * len(self.columns))
        return SQL("INSERT INTO {} ({}) ").format(Identifier(self.name), names) + SQL(source).format(marks)

    def row(self, venture: UUID) -> list[Any]:
        return [venture if name == "venture" else value for name, value in zip(self.columns, self.values, strict=True)]


@pytest.fixture
def tables(database_addresses: Addresses) -> list[Regional]:
    """All regional tables, filled by the superuser without asking for constraints that are not about ventures."""
    found = []
    with psycopg.connect(database_addresses.superuser, options="-c search_path=regional") as connection:
        connection.execute("SET LOCAL session_replication_role = replica")  # no foreign keys, no triggers
        for (name,) in connection.execute(TABLES).fetchall():
            for (check,) in connection.execute(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'",
                [f"regional.{name}"],
            ).fetchall():
                connection.execute(SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(Identifier(name), Identifier(check)))
            for (index,) in connection.execute(
                "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass AND indisunique"
                " AND NOT indisprimary AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)",
                [f"regional.{name}"],
            ).fetchall():
                connection.execute(SQL("DROP INDEX {}").format(SQL(index)))
            columns = [row for row in connection.execute(COLUMNS, [f"regional.{name}"]).fetchall() if not row[2]]
            values = tuple([] if kind.endswith("[]") else SAMPLES[kind] for _, kind, _ in columns)
            table = Regional(name, tuple(column for column, _, _ in columns), values)
            for venture in (A, B):
                connection.execute(table.insert(), table.row(venture))
            found.append(table)
    assert len(found) >= 5
    return found


@pytest.fixture
def app(database_addresses: Addresses) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_addresses.app, autocommit=True, options="-c search_path=regional") as connection:
        yield connection


def rows(connection: psycopg.Connection, table: Regional) -> list[UUID]:
    return [venture for (venture,) in connection.execute(SQL("SELECT venture FROM {}").format(Identifier(table.name)))]


def within(connection: psycopg.Connection, venture: UUID) -> None:
    connection.execute("SELECT set_config('ventures.venture', %s, true)", [str(venture)])


def rights(connection: psycopg.Connection, table: Regional) -> tuple[bool, bool]:
    row = connection.execute(RIGHTS, [table.full, table.full]).fetchone()
    assert row is not None
    return row[0], row[1]


def attempt(
    connection: psycopg.Connection, venture: UUID | None, statement: Composed | SQL, values: list[Any] | None = None
) -> None:
    """The statement in a transaction of its own, in the venture."""
    with connection.transaction():
        if venture is not None:
            within(connection, venture)
        connection.execute(statement, values)


def refused(match: str = "row-level security") -> pytest.RaisesExc[errors.InsufficientPrivilege]:
    return pytest.raises(errors.InsufficientPrivilege, match=match)


def test_without_a_venture_no_row_shows_and_none_goes_in(tables: list[Regional], app: psycopg.Connection) -> None:
    for table in tables:
        with app.transaction(force_rollback=True):
            assert rows(app, table) == [], table
        for venture in (A, uuid4()):
            with refused():
                attempt(app, None, table.insert(), table.row(venture))
        update, delete = rights(app, table)
        with app.transaction(force_rollback=True):
            if update:
                assert app.execute(SQL("UPDATE {} SET venture = venture").format(Identifier(table.name))).rowcount == 0
            if delete:
                assert app.execute(SQL("DELETE FROM {}").format(Identifier(table.name))).rowcount == 0


def test_within_a_venture_only_its_rows_are_there(tables: list[Regional], app: psycopg.Connection) -> None:
    for table in tables:
        name = Identifier(table.name)
        update, delete = rights(app, table)
        with app.transaction(force_rollback=True):
            within(app, A)
            assert rows(app, table) == [A], table
            where = SQL(" WHERE venture = %s")
            assert app.execute(SQL("SELECT 1 FROM {}").format(name) + where, [B]).fetchall() == []
            if update:
                assert app.execute(SQL("UPDATE {} SET venture = venture").format(name) + where, [B]).rowcount == 0
                assert app.execute(SQL("UPDATE {} SET venture = venture").format(name)).rowcount == 1
            if delete:
                assert app.execute(SQL("DELETE FROM {}").format(name) + where, [B]).rowcount == 0
                assert app.execute(SQL("DELETE FROM {}").format(name)).rowcount == 1


def test_no_row_is_put_into_another_venture_or_moved_there(tables: list[Regional], app: psycopg.Connection) -> None:
    for table in tables:
        name = Identifier(table.name)
        update, _ = rights(app, table)
        for foreign in (B, uuid4()):
            with refused():
                attempt(app, A, table.insert(), table.row(foreign))
            with refused():
                attempt(app, A, table.insert() + SQL(" ON CONFLICT DO NOTHING"), table.row(foreign))
            if update:
                with refused():
                    attempt(app, A, SQL("UPDATE {} SET venture = %s").format(name), [foreign])


def test_the_application_cannot_take_the_policies_off(tables: list[Regional], app: psycopg.Connection) -> None:
    for role in ("ventures_owner", "postgres"):
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute(SQL("SET ROLE {}").format(Identifier(role)))
    for table in tables:
        name = Identifier(table.name)
        for statement in (
            "ALTER TABLE {} DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE {} NO FORCE ROW LEVEL SECURITY",
            "DROP POLICY own_venture ON {}",
            "CREATE POLICY mine ON {} USING (true)",
            "TRUNCATE {}",
            "CREATE INDEX ON {} (venture)",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                app.execute(SQL(statement).format(name))
        app.execute("SET row_security = off")
        with refused():
            attempt(app, A, SQL("SELECT 1 FROM {}").format(name))
        app.execute("SET row_security = on")


def test_the_owner_is_bound_too(tables: list[Regional], database_addresses: Addresses) -> None:
    with psycopg.connect(database_addresses.owner, options="-c search_path=regional") as connection:
        for table in tables:
            assert rows(connection, table) == []


def test_the_log_is_only_appended_to(tables: list[Regional], app: psycopg.Connection) -> None:
    for statement in (SQL("UPDATE event SET actor = 'x'"), SQL("DELETE FROM event"), SQL("DELETE FROM log_head")):
        with refused("permission denied"):
            attempt(app, A, statement)


def test_the_runner_sees_ids_numbers_and_times_and_changes_nothing(
    tables: list[Regional], app: psycopg.Connection
) -> None:
    seen = set()
    for table in tables:
        with app.transaction(force_rollback=True):
            app.execute("SET LOCAL ROLE ventures_runner")
            try:
                with app.transaction():
                    assert sorted(rows(app, table)) == sorted([A, B])
                    seen.add(table.name)
            except errors.InsufficientPrivilege:
                pass
            for statement in ("DELETE FROM {}", "UPDATE {} SET venture = venture"):
                with pytest.raises(errors.InsufficientPrivilege), app.transaction():
                    app.execute(SQL(statement).format(Identifier(table.name)))
    assert {"log_head", "consumer_position"} <= seen
    assert "event" not in seen


async def test_the_venture_does_not_outlive_its_transaction(
    tables: list[Regional], database_addresses: Addresses
) -> None:
    async with opened(database_addresses.app, connections=1) as database:
        async with database.venture(A) as scope:
            (first,) = await scope.one("SELECT pg_backend_pid()") or (0,)
            assert await scope.all("SELECT venture FROM log_head") == [(A,)]
        await _nothing_is_set(database, first)
        with pytest.raises(psycopg.errors.DivisionByZero):
            await _broken(database)
        await _nothing_is_set(database, first)
        async with database.scanning() as scanning:
            assert len(await scanning.all("SELECT venture FROM log_head")) == 2
        await _nothing_is_set(database, first)


async def _broken(database: Database) -> None:
    async with database.venture(B) as scope:
        assert await scope.all("SELECT venture FROM log_head") == [(B,)]
        await scope.one("SELECT 1 / 0")


async def _nothing_is_set(database: Database, backend: int) -> None:
    async with database.everywhere() as scope:
        row = await scope.one(
            "SELECT pg_backend_pid(), coalesce(current_setting('ventures.venture', true), ''), current_user::text"
        )
        assert row == (backend, "", "ventures_app")
        assert await scope.all("SELECT venture FROM log_head") == []


def test_a_venture_that_is_no_id_is_refused(tables: list[Regional], database_addresses: Addresses) -> None:
    with psycopg.connect(database_addresses.app) as connection:
        connection.execute("SELECT set_config('ventures.venture', 'everything', true)")
        with pytest.raises(errors.InvalidTextRepresentation):
            connection.execute("SELECT venture FROM regional.log_head")
