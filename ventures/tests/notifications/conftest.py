"""A venture with members of all roles."""

import pytest_asyncio

from ventures.database.pool import Database
from ventures.testing.notifications import Stage, staged


@pytest_asyncio.fixture
async def stage(database: Database) -> Stage:
    return await staged(database)
