"""A spine with tenancy and content."""

import pytest

from ventures.database.pool import Database
from ventures.log.api import Spine
from ventures.testing.content import content_spine


@pytest.fixture
def spine(database: Database) -> Spine:
    return content_spine(database)
