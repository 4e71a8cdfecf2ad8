"""Whether row-level security really binds the role the application signs in as, and the server is one we know."""

from typing import Any, Final, LiteralString

import psycopg

from ventures.database.sessions import session
from ventures.errors import DatabaseUnfit

OLDEST_MAJOR: Final = 16
"""GRANT … WITH INHERIT FALSE, SET TRUE came with PostgreSQL 16."""

ROLE: LiteralString = """
SELECT current_user::text, rolsuper,
       EXISTS (SELECT FROM pg_roles r
               WHERE (r.rolsuper OR r.rolbypassrls) AND pg_has_role(current_user, r.oid, 'MEMBER')),
       current_setting('server_version_num')::int / 10000,
       current_setting('server_version')
FROM pg_roles WHERE rolname = current_user"""

OWNED: LiteralString = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('regional', 'global') AND c.relkind IN ('r', 'p')
  AND pg_has_role(current_user, c.relowner, 'MEMBER')
ORDER BY 1 LIMIT 3"""

UNGUARDED: LiteralString = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'regional' AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
ORDER BY 1 LIMIT 3"""

RUNNER: LiteralString = """
SELECT rolsuper OR rolbypassrls, pg_has_role(current_user, oid, 'SET'), pg_has_role(current_user, oid, 'USAGE')
FROM pg_roles WHERE rolname = 'ventures_runner'"""

VECTOR: LiteralString = "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'"

TEXT_MATCH_IS_LEAKPROOF: LiteralString = """
SELECT proleakproof FROM pg_proc WHERE oid = 'pg_catalog.ts_match_vq(tsvector, tsquery)'::regprocedure"""


def faults(app_address: str) -> list[str]:
    """What is wrong with the database for the application that signs in so; nothing where it is fit.

    Raises: Unavailable where it does not answer.
    """
    with session(app_address) as asked:
        return _role(asked) + _runner(asked) + _tables(asked)


def check(app_address: str) -> None:
    """Refuses a database that would not keep ventures apart.

    Raises: DatabaseUnfit with a line for each fault; Unavailable where it does not answer.
    """
    if found := faults(app_address):
        raise DatabaseUnfit("\n".join(found))


def server_version(app_address: str) -> str:
    """PostgreSQL's version, as it says it."""
    with session(app_address) as asked:
        row = asked.execute(ROLE).fetchone()
        return str(row[4]) if row else ""


def vector_version(app_address: str) -> str | None:
    """The version of pgvector that could be used, or None."""
    with session(app_address) as asked:
        row = asked.execute(VECTOR).fetchone()
        return str(row[0]) if row else None


def words_are_indexed(app_address: str) -> bool:
    """Whether row-level security lets PostgreSQL look words up in an index: whether their match is marked leakproof.

    Without it searches by words are right, and slow in large ventures.
    """
    with session(app_address) as asked:
        row = asked.execute(TEXT_MATCH_IS_LEAKPROOF).fetchone()
        return bool(row and row[0])


def _role(asked: psycopg.Connection[Any]) -> list[str]:
    row = asked.execute(ROLE).fetchone()
    if row is None:
        return ["The application's role does not exist."]
    role, superuser, bypass, major, version = row
    found = []
    if superuser:
        found.append(f"DATABASE_URL signs in as {role}, a superuser, whom no policy binds. Use ventures_app.")
    elif bypass:
        found.append(
            f"DATABASE_URL signs in as {role}, which has or may take BYPASSRLS: no policy binds it. Use ventures_app."
        )
    if major < OLDEST_MAJOR:
        found.append(f"The server is PostgreSQL {version}; at least {OLDEST_MAJOR} is needed.")
    return found


def _runner(asked: psycopg.Connection[Any]) -> list[str]:
    row = asked.execute(RUNNER).fetchone()
    if row is None:
        return ["The role ventures_runner does not exist. Make the roles: deploy/ventures.roles.sql"]
    privileged, may_take, inherits = row
    found = []
    if privileged:
        found.append("The role ventures_runner is a superuser or has BYPASSRLS. Take that from it.")
    if not may_take:
        found.append("The application may not take the role ventures_runner. Make the roles: deploy/ventures.roles.sql")
    elif inherits:
        found.append(
            "The application has the rights of ventures_runner all the time, so that it sees ventures that are not its "
            "own. GRANT ventures_runner TO ventures_app WITH INHERIT FALSE, SET TRUE"
        )
    return found


def _tables(asked: psycopg.Connection[Any]) -> list[str]:
    found = []
    if owned := [name for (name,) in asked.execute(OWNED)]:
        found.append(
            f"DATABASE_URL signs in as an owner of tables ({', '.join(owned)}), who could take the policies off. "
            "Use ventures_app."
        )
    if unguarded := [name for (name,) in asked.execute(UNGUARDED)]:
        found.append(f"Tables without forced row-level security: {', '.join(unguarded)}. Their migration lacks it.")
    return found
