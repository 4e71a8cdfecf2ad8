"""One real `ventures serve` for a module."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from ventures.testing.journeys import Platform
from ventures.testing.serving import Serving, folder, serving


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    """Webhooks and channels of this machine's loopback are allowed."""
    with folder() as data, serving(data, VENTURES_WEBHOOK_NETWORKS="127.0.0.0/8") as platform:
        yield platform


@pytest_asyncio.fixture
async def platform(served: Serving) -> AsyncIterator[Platform]:
    async with served.cookieless() as client:
        yield Platform(served, client)
