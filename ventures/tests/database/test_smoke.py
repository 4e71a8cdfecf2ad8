"""A fresh database is migrated, and its roles are what they should be."""

import psycopg
import pytest

from ventures.database import migrate
from ventures.database.pool import Database
from ventures.database.roles import Addresses


def test_a_fresh_database_has_every_step_applied(database_addresses: Addresses) -> None:
    assert migrate.missing(database_addresses.app) == []
    assert migrate.migrate(database_addresses.owner) == []


@pytest.mark.asyncio
async def test_the_application_is_bound_by_row_level_security(database: Database) -> None:
    async with database.everywhere() as scope:
        row = await scope.one("SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    assert row == ("ventures_app", False, False)


def test_the_runner_is_taken_by_the_application_on_purpose_only(database_addresses: Addresses) -> None:
    with psycopg.connect(database_addresses.app) as connection:
        assert connection.execute("SELECT pg_has_role('ventures_runner', 'USAGE')").fetchone() == (False,)
        connection.execute("SET LOCAL ROLE ventures_runner")
        assert connection.execute("SELECT current_user").fetchone() == ("ventures_runner",)
