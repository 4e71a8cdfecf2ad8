"""A database that would not keep ventures apart is refused."""

import psycopg
import pytest

from ventures.database import fitness
from ventures.database.roles import Addresses
from ventures.errors import DatabaseUnfit


def test_a_migrated_database_is_fit(database_addresses: Addresses) -> None:
    fitness.check(database_addresses.app)


def test_a_superuser_is_refused(database_addresses: Addresses) -> None:
    with pytest.raises(DatabaseUnfit, match="a superuser"):
        fitness.check(database_addresses.superuser)


def test_the_owner_of_the_tables_is_refused(database_addresses: Addresses) -> None:
    with pytest.raises(DatabaseUnfit, match="an owner of tables"):
        fitness.check(database_addresses.owner)


def test_a_table_without_forced_policies_is_found(database_addresses: Addresses) -> None:
    with psycopg.connect(database_addresses.owner) as connection:
        connection.execute("ALTER TABLE regional.event NO FORCE ROW LEVEL SECURITY")
    assert [fault for fault in fitness.faults(database_addresses.app) if "event" in fault]


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ("LOGIN BYPASSRLS", "BYPASSRLS"),
        ("LOGIN", "may not take the role ventures_runner"),
    ],
)
def test_a_role_that_is_not_as_it_should_be_is_refused(database_addresses: Addresses, taken: str, said: str) -> None:
    role = f"odd_{abs(hash(database_addresses.app))}"
    with psycopg.connect(database_addresses.superuser, autocommit=True) as connection:
        database = connection.info.dbname
        connection.execute(f"CREATE ROLE {role} {taken}")
        connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {role}")
        try:
            faults = fitness.faults(database_addresses.app.replace("ventures_app", role))
            assert any(said in fault for fault in faults), faults
        finally:
            connection.execute(f"REVOKE ALL ON DATABASE {database} FROM {role}")
            connection.execute(f"DROP ROLE {role}")


def test_pgvector_is_there(database_addresses: Addresses) -> None:
    assert fitness.vector_version(database_addresses.app)
    assert fitness.server_version(database_addresses.app).startswith("18")
