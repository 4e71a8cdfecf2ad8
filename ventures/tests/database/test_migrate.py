"""Migrations: once, by the owner alone, and never backwards by accident."""

import os
import subprocess
import sys

import psycopg
import pytest

from ventures.database import migrate, roles
from ventures.database.roles import Addresses
from ventures.errors import DatabaseUnfit
from ventures.testing import postgres


@pytest.fixture
def empty() -> Addresses:
    """A database of the owner's without any step."""
    with postgres.server() as server, postgres.fresh_database() as addresses:
        name = addresses.app.split("?")[0].rsplit("/", 1)[1]
        admin = addresses.superuser.replace(f"/{name}?", "/postgres?")
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        roles.create_database(admin, name)
        assert server
        yield addresses


def test_several_starts_at_once_apply_each_step_once(empty: Addresses) -> None:
    steps = migrate.missing(empty.app)
    script = "import sys; from ventures.database.migrate import migrate; print(*migrate(sys.argv[1]))"
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", script, empty.owner],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        for _ in range(2)
    ]
    applied = [start.communicate()[0].split() for start in starts]
    assert [start.returncode for start in starts] == [0, 0]
    assert sorted(applied) == [[], steps]
    assert migrate.missing(empty.app) == []


def test_a_step_that_fails_leaves_nothing(empty: Addresses, monkeypatch: pytest.MonkeyPatch) -> None:
    last = migrate._scripts().get_revision("heads")
    assert last is not None

    def broken() -> None:
        raise RuntimeError("no")

    scripts = migrate._scripts()
    monkeypatch.setattr(scripts.get_revision("heads").module, "upgrade", broken)
    monkeypatch.setattr(migrate, "_scripts", lambda: scripts)
    with pytest.raises(RuntimeError, match="no"):
        migrate.migrate(empty.owner)
    monkeypatch.undo()
    with psycopg.connect(empty.owner) as connection:
        assert connection.execute(
            "SELECT to_regnamespace('regional'), to_regclass('public.alembic_version')"
        ).fetchone() == (
            None,
            None,
        )
    assert migrate.migrate(empty.owner)


def test_a_database_of_a_newer_program_is_refused(database_addresses: Addresses) -> None:
    with psycopg.connect(database_addresses.owner) as connection:
        connection.execute("UPDATE \"global\".alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseUnfit, match="9999"):
        migrate.migrate(database_addresses.owner)
    with pytest.raises(DatabaseUnfit, match="newer version"):
        migrate.missing(database_addresses.app)


def test_the_application_cannot_change_the_schema(database_addresses: Addresses) -> None:
    for statement in (
        "CREATE TABLE regional.mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "ALTER TABLE regional.event DISABLE ROW LEVEL SECURITY",
        "DROP TABLE regional.event",
        "DELETE FROM regional.event",
        "SET ROLE ventures_owner",
    ):
        with psycopg.connect(database_addresses.app) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
