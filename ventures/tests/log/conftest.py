"""A spine with the room of counters."""

import psycopg
import pytest

from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.identifiers import new_id
from ventures.log.api import Registry, Spine
from ventures.testing.log import COUNTERS_ROOM, TABLE, Everybody, Watch


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def toy_table(database_addresses: Addresses) -> None:
    with psycopg.connect(database_addresses.owner, autocommit=True) as connection:
        connection.execute(TABLE)


@pytest.fixture
def spine(database: Database, watch: Watch, toy_table: None) -> Spine:
    return Spine(database, Registry([COUNTERS_ROOM]), Everybody(), bell=None, now=watch, new_id=new_id)
