"""The three roles, and the database that belongs to the first of them.

`ventures_owner` owns the tables and changes the schema; `ventures_app` is what the application signs in as, bound by
row-level security; `ventures_runner` cannot sign in: workers take it for one statement (`SET LOCAL ROLE`) to see which
ventures have something to do. Only a superuser can make them, once; `deploy/ventures.roles.sql` says the same in SQL
for a server that is looked after elsewhere.
"""

from typing import Final, LiteralString
from urllib.parse import quote, urlencode

import msgspec
import psycopg
from psycopg.sql import SQL, Composable, Identifier, Literal

OWNER: Final = "ventures_owner"
APP: Final = "ventures_app"
RUNNER: Final = "ventures_runner"
DATABASE: Final = "ventures"

ROLE_EXISTS: LiteralString = "SELECT 1 FROM pg_roles WHERE rolname = %s"
VECTOR_AVAILABLE: LiteralString = "SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"
VECTOR: LiteralString = "CREATE EXTENSION IF NOT EXISTS vector SCHEMA public"
TEXT_MATCH_IS_LEAKPROOF: LiteralString = (
    "SELECT 1 FROM pg_proc WHERE oid = 'pg_catalog.ts_match_vq(tsvector, tsquery)'::regprocedure AND proleakproof"
)
TEXT_MATCH_LEAKPROOF: LiteralString = "ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) LEAKPROOF"
DATABASE_EXISTS: LiteralString = "SELECT 1 FROM pg_database WHERE datname = %s"


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """PostgreSQL URLs of one database, by who signs in. They contain passwords: never log them."""

    owner: str
    app: str
    superuser: str


class Passwords(msgspec.Struct, frozen=True, kw_only=True):
    """What each role signs in with."""

    owner: str
    app: str
    superuser: str


def address(socket_directory: str, role: str, password: str, database: str) -> str:
    """The URL of a database behind a Unix socket."""
    return f"postgresql://{quote(role, '')}:{quote(password, '')}@/{quote(database, '')}?" + urlencode(
        {"host": socket_directory}
    )


def create_roles(superuser: str, passwords: Passwords) -> None:
    """Makes the roles what they should be, whether they exist or not. Passwords are hashed before they are sent."""
    with psycopg.connect(superuser, autocommit=True) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('ventures roles'))")
        for role, password in ((OWNER, passwords.owner), (APP, passwords.app), (RUNNER, None)):
            verb = SQL("ALTER") if connection.execute(ROLE_EXISTS, [role]).fetchone() else SQL("CREATE")
            sign_in: Composable = SQL("NOLOGIN")
            if password is not None:
                hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
                sign_in = SQL("LOGIN PASSWORD {}").format(Literal(hashed.decode()))
            connection.execute(
                SQL("{} ROLE {} WITH NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION {}").format(
                    verb, Identifier(role), sign_in
                )
            )
        connection.execute(
            SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(Identifier(RUNNER), Identifier(APP))
        )


def create_database(superuser: str, name: str = DATABASE) -> None:
    """A database owned by `ventures_owner` into which nobody else may put tables, whether it exists or not."""
    with psycopg.connect(superuser, autocommit=True) as connection:
        if not connection.execute(DATABASE_EXISTS, [name]).fetchone():
            connection.execute(SQL("CREATE DATABASE {} OWNER {}").format(Identifier(name), Identifier(OWNER)))
        connection.execute(SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(Identifier(name)))
        connection.execute(
            SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(Identifier(name), Identifier(APP))
        )
    extend(superuser, name)


def extend(superuser: str, name: str) -> None:
    """What search needs of a database and only a superuser may give: pgvector, where the server has it, and the mark on
    the match of words, without which row-level security keeps PostgreSQL from looking words up in an index. A second
    time changes nothing.

    The mark is true: the match raises no error that tells of a row, and says of none but whether it matches.
    """
    with psycopg.connect(superuser, dbname=name, autocommit=True) as connection:
        if connection.execute(VECTOR_AVAILABLE).fetchone():
            connection.execute(VECTOR)
        if not connection.execute(TEXT_MATCH_IS_LEAKPROOF).fetchone():
            connection.execute(TEXT_MATCH_LEAKPROOF)
