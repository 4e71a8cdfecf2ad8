import pytest

from ventures.database.pool import Database
from ventures.testing.accounts import People


@pytest.fixture
def people(database: Database) -> People:
    return People(database)
