"""The catalogue of a migrated database is right, and each way to be wrong is found."""

from collections.abc import Iterator

import psycopg
import pytest

from ventures.database.catalogue import findings
from ventures.database.roles import Addresses

TABLE = "CREATE TABLE regional.thing (venture uuid, id uuid, PRIMARY KEY (venture, id))"
GUARD = "ALTER TABLE regional.thing ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
OWN = "venture = nullif(current_setting('ventures.venture', true), '')::uuid"
POLICY = f"CREATE POLICY own_venture ON regional.thing USING ({OWN}) WITH CHECK ({OWN})"
KIND = "COMMENT ON TABLE regional.thing IS 'state'"
RIGHT = (TABLE, GUARD, POLICY, KIND)
OTHER = "CREATE TABLE regional.other (venture uuid, id uuid UNIQUE, thing uuid, PRIMARY KEY (venture, id))"


@pytest.fixture
def owner(database_addresses: Addresses) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_addresses.superuser) as connection:
        connection.execute("SET LOCAL ROLE ventures_owner")
        yield connection
        connection.rollback()  # roles belong to the whole server: nothing a test does to them stays


def test_a_migrated_database_is_right(database_addresses: Addresses) -> None:
    for address in (database_addresses.owner, database_addresses.app):
        with psycopg.connect(address) as connection:
            assert findings(connection) == []


def test_a_table_made_as_declared_is_right(owner: psycopg.Connection) -> None:
    before = findings(owner)
    for statement in RIGHT:
        owner.execute(statement)
    assert findings(owner) == before


@pytest.mark.parametrize(
    ("finding", "statements"),
    [
        ("public.stray is in neither schema", ("RESET ROLE", "CREATE TABLE public.stray (id int)")),
        ("regional.seen shows rows with its owner's rights", ("CREATE VIEW regional.seen AS SELECT 1 AS a",)),
        (
            "regional.around() runs with its owner's rights",
            ("CREATE FUNCTION regional.around() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",),
        ),
        (
            "global.shop.title says more of a venture",
            ('CREATE TABLE "global".shop (venture uuid PRIMARY KEY, title text)',),
        ),
        (
            "regional.thing: the primary key begins with id uuid",
            ("CREATE TABLE regional.thing (venture uuid, id uuid, PRIMARY KEY (id, venture))", GUARD, POLICY, KIND),
        ),
        (
            "regional.thing: the primary key begins with nothing",
            ("CREATE TABLE regional.thing (venture uuid)", GUARD, POLICY, KIND),
        ),
        (
            "regional.thing: the primary key begins with venture text",
            ("CREATE TABLE regional.thing (venture text PRIMARY KEY)", GUARD, KIND),
        ),
        (
            "regional.thing: row-level security is off",
            (*RIGHT, "ALTER TABLE regional.thing DISABLE ROW LEVEL SECURITY"),
        ),
        (
            "regional.thing: row-level security does not bind its owner",
            (*RIGHT, "ALTER TABLE regional.thing NO FORCE ROW LEVEL SECURITY"),
        ),
        ("regional.thing: the policy own_venture is missing", (TABLE, GUARD, KIND)),
        (
            "regional.thing: the policy own_venture is missing",
            (TABLE, GUARD, KIND, "CREATE POLICY own_venture ON regional.thing USING (true)"),
        ),
        (
            "regional.thing: the policy more lets public at more rows",
            (*RIGHT, "CREATE POLICY more ON regional.thing FOR SELECT USING (true)"),
        ),
        ("regional.thing: its comment is not one of", (TABLE, GUARD, POLICY)),
        ("regional.thing: its comment is not one of", (*RIGHT, "COMMENT ON TABLE regional.thing IS 'things'")),
        (
            "crosses to",
            (*RIGHT, 'ALTER TABLE regional.thing ADD account uuid REFERENCES "global".account (id)'),
        ),
        (
            "could reach another venture",
            (*RIGHT, OTHER, "ALTER TABLE regional.thing ADD FOREIGN KEY (id) REFERENCES regional.other (id)"),
        ),
        (
            "could reach another venture",
            (
                "CREATE TABLE regional.other (venture uuid, id uuid, PRIMARY KEY (venture, id))",
                "CREATE TABLE regional.thing (venture uuid, id uuid, other uuid, PRIMARY KEY (venture, id))",
                "ALTER TABLE regional.thing ADD FOREIGN KEY (id, other) REFERENCES regional.other (venture, id)",
            ),
        ),
        ("ventures_app has SUPERUSER", ("RESET ROLE", "ALTER ROLE ventures_app SUPERUSER")),
        ("ventures_app has BYPASSRLS", ("RESET ROLE", "ALTER ROLE ventures_app BYPASSRLS")),
        ("ventures_runner has CREATEROLE", ("RESET ROLE", "ALTER ROLE ventures_runner CREATEROLE")),
        ("ventures_app may act as ventures_owner", ("RESET ROLE", "GRANT ventures_owner TO ventures_app")),
        (
            "ventures_app is ventures_runner all the time",
            ("RESET ROLE", "GRANT ventures_runner TO ventures_app WITH INHERIT TRUE"),
        ),
        ("ventures_app owns table regional.event", ("RESET ROLE", "ALTER TABLE regional.event OWNER TO ventures_app")),
        ("ventures_app may create in the schema regional", ("GRANT CREATE ON SCHEMA regional TO ventures_app",)),
        ("ventures_app may TRUNCATE regional.event", ("GRANT TRUNCATE ON regional.event TO ventures_app",)),
        ("ventures_app may REFERENCES global.account", ('GRANT REFERENCES ON "global".account TO ventures_app',)),
        ("ventures_app may UPDATE regional.event", ("GRANT UPDATE ON regional.event TO ventures_app",)),
        ("ventures_app may UPDATE regional.event", ("GRANT UPDATE (data) ON regional.event TO PUBLIC",)),
        ("ventures_app may DELETE regional.event", ("GRANT DELETE ON regional.event TO ventures_app",)),
        ("ventures_app may DELETE regional.log_head", ("GRANT DELETE ON regional.log_head TO ventures_app",)),
        ("ventures_app may INSERT global.alembic_version", ('GRANT INSERT ON "global".alembic_version TO PUBLIC',)),
        ("ventures_runner may INSERT regional.thing", (*RIGHT, "GRANT INSERT ON regional.thing TO ventures_runner")),
        (
            "ventures_runner reads regional.thing.body (text)",
            (*RIGHT, "ALTER TABLE regional.thing ADD body text", "GRANT SELECT ON regional.thing TO ventures_runner"),
        ),
        (
            "ventures_runner reads regional.event.data (json)",
            ("GRANT SELECT (data) ON regional.event TO ventures_runner",),
        ),
    ],
)
def test_each_way_to_be_wrong_is_found(owner: psycopg.Connection, finding: str, statements: tuple[str, ...]) -> None:
    before = set(findings(owner))
    assert not any(finding in known for known in before)
    for statement in statements:
        owner.execute(statement)
    assert any(finding in new for new in findings(owner)), findings(owner)
