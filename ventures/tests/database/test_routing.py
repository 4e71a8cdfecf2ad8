"""Routes: the migration's table is outgrow's, the application reads its venture's row and changes none."""

from uuid import UUID

import psycopg
import pytest

from outgrow.routing import PLACE, ROUTE, ROUTES, SCHEMA, Route, routed
from ventures.database.roles import Addresses

A, B = UUID(int=1), UUID(int=2)
POINT = "data-architecture"
SHAPE = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, i.indisprimary
FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND a.attnum = ANY(i.indkey)
WHERE a.attrelid = 'outgrow.route'::regclass AND a.attnum > 0 ORDER BY a.attnum"""
CHECKS = """
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'outgrow.route'::regclass AND contype = 'c'
ORDER BY 1"""


def test_the_migrations_table_is_the_one_of_outgrow(database_addresses: Addresses) -> None:
    with psycopg.connect(database_addresses.superuser) as session:
        ours = session.execute(SHAPE).fetchall(), session.execute(CHECKS).fetchall()
        session.execute("DROP SCHEMA outgrow CASCADE")
        for _ in range(2):
            for statement in SCHEMA:
                session.execute(statement)
        assert (session.execute(SHAPE).fetchall(), session.execute(CHECKS).fetchall()) == ours
        session.rollback()


def test_a_tenant_is_placed_and_each_change_counts(database_addresses: Addresses) -> None:
    with psycopg.connect(database_addresses.owner) as session:
        which = {"point": POINT, "tenant": str(A)}
        assert routed(session.execute(ROUTE, which).fetchone(), "buckets") == Route("buckets", 0)
        for store, row in (("tuned", ("tuned", 1)), ("tuned", None), ("pgvector", ("pgvector", 2))):
            assert session.execute(PLACE, {**which, "store": store}).fetchone() == row
        assert routed(session.execute(ROUTE, which).fetchone(), "buckets") == Route("pgvector", 2)
        session.execute(PLACE, {"point": POINT, "tenant": str(B), "store": "tuned"})
        assert session.execute(ROUTES, {"point": POINT}).fetchall() == [
            (str(A), "pgvector", 2),
            (str(B), "tuned", 1),
        ]


def test_the_application_sees_its_ventures_route_and_writes_none(database_addresses: Addresses) -> None:
    with psycopg.connect(database_addresses.owner) as session:
        for tenant in (A, B):
            session.execute(PLACE, {"point": POINT, "tenant": str(tenant), "store": "tuned"})
    with psycopg.connect(database_addresses.app) as session:
        assert session.execute(ROUTES, {"point": POINT}).fetchall() == []
        session.execute("SELECT set_config('ventures.venture', %s, true)", [str(A)])
        assert session.execute(ROUTES, {"point": POINT}).fetchall() == [(str(A), "tuned", 1)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(PLACE, {"point": POINT, "tenant": str(A), "store": "shared"})
