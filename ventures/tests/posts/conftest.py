"""A world of posts."""

import pytest_asyncio

from ventures.database.pool import Database
from ventures.testing.posts import World, new_world


@pytest_asyncio.fixture
async def world(database: Database) -> World:
    return await new_world(database)
