"""A new database for each test that asks for one."""

import os
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from ventures.testing.postgres import server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A server on which databases may be made: that of OUTGROW_TEST_POSTGRES, else one that the tests start."""
    if given := os.environ.get("OUTGROW_TEST_POSTGRES"):
        yield given
        return
    with server() as addresses:
        yield addresses.superuser


@pytest.fixture
def postgresql(postgresql_server: str) -> Iterator[str]:
    """The URL of an empty database of the test's own."""
    name = f"outgrow_test_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(postgresql_server, autocommit=True) as session:
        session.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    try:
        yield urlunsplit(urlsplit(postgresql_server)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(postgresql_server, autocommit=True) as session:
            session.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
