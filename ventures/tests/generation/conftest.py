"""A spine with tenancy, content and generation."""

import pytest

from ventures.content import api as content
from ventures.database.pool import Database
from ventures.generation import api as generation
from ventures.identifiers import new_id
from ventures.log.api import Registry, Spine
from ventures.tenancy import api as tenancy
from ventures.testing.log import Watch


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def spine(database: Database, watch: Watch) -> Spine:
    registry = Registry([tenancy.ROOM, content.ROOM, generation.ROOM])
    return Spine(database, registry, tenancy.Memberships(), bell=None, now=watch, new_id=new_id)
