"""A world of posts, and the kinds of channel that come with the platform."""

import pytest
import pytest_asyncio

from ventures.database.pool import Database
from ventures.posts import kinds
from ventures.testing.posts import FACTORIES, World, new_world


@pytest_asyncio.fixture
async def world(database: Database) -> World:
    return await new_world(database)


@pytest.fixture
def built_in_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "factories", lambda: FACTORIES)
