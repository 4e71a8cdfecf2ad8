"""Every layout keeps the contract."""

import os
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from ventures.errors import SettingsError
from ventures.testing.vectors import Opener, StoreContract, quick_folder
from ventures.vectors.api import VectorStore, opened

QDRANT_URL = os.environ.get("QDRANT_URL")


@pytest.fixture
def folder() -> Iterator[Path]:
    with quick_folder() as made:
        yield made


class OnThisMachine(StoreContract):
    layout = ""

    @pytest.fixture
    def opener(self, folder: Path) -> Opener:
        return partial(opened, self.layout, folder, dimension=self.dimension, model="a model", buckets=3)


class TestShared(OnThisMachine):
    layout = "shared"
    searches = 500  # each looks at all there is


class TestTuned(OnThisMachine):
    layout = "tuned"


class TestBuckets(OnThisMachine):
    layout = "buckets"


class TestPerVenture(OnThisMachine):
    layout = "per-venture"


class TestQdrantWithoutAServer(StoreContract):
    """The client's local mode: what it finds, not how."""

    searches = 60  # about 5 ms each

    @pytest.fixture
    def opener(self, folder: Path, request: pytest.FixtureRequest) -> Opener:
        again = request.function.__name__ == "test_closed_and_opened_again_it_holds_what_it_held"
        return partial(opened, "qdrant", folder if again else ":memory:", dimension=self.dimension, model="a model")


@pytest.mark.skipif(QDRANT_URL is None, reason="not exercised: QDRANT_URL is not set")
class TestQdrant(StoreContract):
    exact = False

    @pytest.fixture
    def opener(self) -> Callable[[], Awaitable[VectorStore]]:
        return partial(opened, "qdrant", QDRANT_URL or "", dimension=self.dimension, model="a model")


async def test_a_layout_that_is_none_is_named(folder: Path) -> None:
    with pytest.raises(SettingsError, match="bucket"):
        await opened("pgvektor", folder, dimension=4, model="a model")
