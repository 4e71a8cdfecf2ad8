"""The exact answer is numpy's, and PostgreSQL keeps the contract of stores."""

from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.database.pool import Database
from ventures.errors import Invalid
from ventures.log.api import Spine
from ventures.search.exact import PgvectorStore, exact_search, texts
from ventures.search.passages import Passages
from ventures.search.sources import ContentSource
from ventures.search.splitting import passage_id
from ventures.testing.content import content_spine, drafted, founded, take
from ventures.testing.search import WordsEmbedder, consumed
from ventures.testing.vectors import Opener, StoreContract, points_of, random_vectors
from ventures.vectors.api import Kind, VectorStore


class TestPgvector(StoreContract):
    @pytest.fixture
    def opener(self, database: Database) -> Opener:
        async def opens() -> VectorStore:
            return PgvectorStore(database, "a model", self.dimension)

        return opens


@pytest.fixture
def spine(database: Database) -> Spine:
    return content_spine(database)


async def test_what_the_consumer_made_is_found_and_what_went_is_not(spine: Spine) -> None:
    embedder = WordsEmbedder()
    consumer = Passages(embedder, [ContentSource()])
    venture = await founded(spine)
    tea = await drafted(spine, venture, title="Oolong", body="A dark tea.")
    coffee = await drafted(spine, venture, title="Mocha", body="A coffee.")
    await consumed(spine, consumer, venture)
    (asked,) = await embedder.embed(["Oolong\nA dark tea."])
    async with spine.database.reading(venture) as scope:
        first, second = await exact_search(scope, embedder.model, Kind.CONTENT, asked, 10)
        shown = await texts(scope, embedder.model, [first.id, second.id, uuid4()])
        assert await exact_search(scope, "another model", Kind.CONTENT, asked, 10) == []
        assert len(await exact_search(scope, embedder.model, Kind.PREFERENCE, asked, 10)) == 1
    assert (first.id, first.score) == (passage_id(tea, Kind.CONTENT, 0), pytest.approx(1, abs=1e-6))
    assert (shown[first.id].title, shown[first.id].text) == ("Oolong", "A dark tea.")
    assert {one.source for one in shown.values()} == {tea, coffee}

    await take(spine, venture, tea, "delete")
    await consumed(spine, consumer, venture)
    async with spine.database.reading(venture) as scope:
        assert [one.id for one in await exact_search(scope, embedder.model, Kind.CONTENT, asked, 10)] == [second.id]


async def test_a_search_that_is_wrong_is_refused(database: Database) -> None:
    venture = UUID(int=5)
    asked = random_vectors(1, 8)[0]
    async with database.reading(venture) as scope:
        for vector, limit in ((asked, 0), (asked, 1_001), (asked * 2, 1), (asked * np.nan, 1)):
            with pytest.raises(Invalid):
                await exact_search(scope, "m", Kind.CONTENT, vector, limit)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(2, 5_000))
async def test_vectors_of_any_length_are_kept_to_the_last_bit(database: Database, dimension: int) -> None:
    store = PgvectorStore(database, f"m{dimension}", dimension)
    venture = uuid4()
    points = points_of(random_vectors(2, dimension))
    await store.put(venture, points)
    (first,) = await store.search(venture, Kind.CONTENT, points[1].vector, limit=1)
    assert first.id == points[1].id
    assert await store.count(venture) == 2
