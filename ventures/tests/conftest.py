"""A new database for each test that asks for one."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from ventures.database.pool import Database, opened
from ventures.database.roles import Addresses
from ventures.testing.postgres import fresh_database


@pytest.fixture
def database_addresses() -> Iterator[Addresses]:
    """A database of the test's own, migrated, as its owner, the application and the superuser reach it."""
    with fresh_database() as addresses:
        yield addresses


@pytest_asyncio.fixture
async def database(database_addresses: Addresses) -> AsyncIterator[Database]:
    """The same, as the application uses it."""
    async with opened(database_addresses.app, connections=4) as opened_database:
        yield opened_database
