"""The running audit finds what is planted, calls nothing wrong that is right, and keeps no word of a query."""

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from ventures.content import api as content
from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.identifiers import new_id
from ventures.log.api import Actor, rewind
from ventures.search import api as search_room
from ventures.search.api import Everywhere, Sampler, Wanted, audited, passages_near, search, understood
from ventures.search.auditing import LOOK_AGAIN_SECONDS, Auditor
from ventures.search.routes import Sample
from ventures.tenancy import api as tenancy
from ventures.testing.notifications import Stage, staged
from ventures.testing.search_index import Library

LEFT = "SELECT count(*) FROM regional.search_audit"


class Audited:
    """A venture of a few teas, searched and audited."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.library = Library(stage.database, stage.spine.registry, stage.watch)
        self.auditor = Auditor(stage.database, stage.watch)

    async def write(self, count: int = 12, first: int = 0) -> list[UUID]:
        return [
            (await self.stage.do(self.stage.author, content.DraftItem(title=f"Tea {n}", body=f"tea leaf {n}"))).entity
            for n in range(first, first + count)
        ]

    async def search(self, text: str = "tea leaf") -> None:
        async with self.stage.database.reading(self.stage.venture) as scope:
            found = await search(scope, self.library.finder, await understood(self.library.finder, Wanted(text)))
        self.library.finder.offer(found.samples)
        await self.library.sampler.idle()

    async def counts(self) -> dict[str, int]:
        """What is not nothing, after a turn."""
        assert await self.auditor.turn() == LOOK_AGAIN_SECONDS
        async with self.stage.database.everywhere() as scope:
            return {result: count for result, count in (await audited(scope)).items() if count}


@pytest.fixture
async def teas(database: Database) -> Audited:
    teas = Audited(await staged(database))
    await teas.write()
    await teas.library.fill(teas.stage.venture)
    return teas


async def test_right_answers_are_right_and_are_counted_once(teas: Audited, database_addresses: Addresses) -> None:
    async with teas.stage.database.everywhere() as scope:
        assert await audited(scope) == {"right": 0, "wrong": 0, "foreign": 0, "not_comparable": 0}
    await teas.search()
    await teas.search("leaf 3")
    assert await teas.counts() == {"right": 2}
    assert await teas.counts() == {"right": 2}
    with psycopg.connect(database_addresses.superuser) as session:
        assert session.execute(LEFT).fetchone() == (0,)


async def test_a_planted_foreign_result_is_found(teas: Audited) -> None:
    other = Audited(await staged(teas.stage.database))
    await other.write(2)
    await other.library.fill(other.stage.venture)
    async with other.stage.database.reading(other.stage.venture) as scope:
        (theirs,) = await passages_near(scope, other.library.finder, "tea", limit=1)
    teas.library.index.foreign = (theirs.id,)
    await teas.search()
    assert await teas.counts() == {"foreign": 1}


async def test_a_planted_stale_index_is_found(teas: Audited) -> None:
    venture = teas.stage.venture
    await teas.write(8, first=20)
    await teas.library.read()
    teas.library.index.positions[venture] += 8  # it says that it knows them
    await teas.search("tea leaf 23")
    assert await teas.counts() == {"wrong": 1}
    await teas.library.fill(venture)
    await teas.search("tea leaf 23")
    assert await teas.counts() == {"wrong": 1, "right": 1}


async def test_an_index_that_brings_back_what_was_deleted_is_found(teas: Audited) -> None:
    async with teas.stage.database.reading(teas.stage.venture) as scope:
        (gone,) = await passages_near(scope, teas.library.finder, "tea leaf 3", limit=1)
    version = (await teas.stage.item(gone.item)).version
    await teas.stage.do(teas.stage.manager, content.DeleteItem(item=gone.item, version=version))
    await teas.library.fill(teas.stage.venture)
    await teas.search("tea leaf 3")
    teas.library.index.foreign = (gone.id,)
    await teas.search("tea leaf 3")
    assert await teas.counts() == {"right": 1, "wrong": 1}


async def test_a_venture_that_changed_meanwhile_is_not_compared(teas: Audited) -> None:
    await teas.search()
    await teas.write(1, first=50)
    await teas.library.read()
    assert await teas.counts() == {"not_comparable": 1}
    await teas.search()  # the index is honestly behind
    assert await teas.counts() == {"not_comparable": 2}


async def test_what_changes_nothing_that_is_searched_is_no_change(teas: Audited) -> None:
    await teas.search()
    (item,) = (await teas.write(1, first=60))[:1]
    await teas.library.fill(teas.stage.venture)
    await teas.search()
    await teas.stage.do(teas.stage.manager, content.AddComment(item=item, text="Good."))
    await teas.library.read()
    assert await teas.counts() == {"not_comparable": 1, "right": 1}


async def test_while_a_venture_is_read_anew_nothing_is_compared(teas: Audited) -> None:
    await teas.search()
    for consumer in search_room.consumers(teas.library.embedder):
        await rewind(teas.stage.database, consumer, teas.stage.venture)
    assert await teas.counts() == {"not_comparable": 1}


async def test_a_sample_that_nobody_looked_at_for_an_hour_is_not_compared(teas: Audited) -> None:
    await teas.search()
    teas.stage.watch.move(timedelta(hours=2).total_seconds())
    assert await teas.counts() == {"not_comparable": 1}


async def everywhere(teas: Audited, who: UUID) -> None:
    asked = Everywhere(teas.stage.database, teas.stage.spine.authority, teas.library.finder, Actor(account=who))
    found = await asked.search([teas.stage.venture], Wanted("tea leaf"))
    teas.library.finder.offer(found.samples)
    await teas.library.sampler.idle()


async def test_whoever_searched_a_venture_belonged_to_it(teas: Audited) -> None:
    stage = teas.stage
    assert stage.viewer.account is not None
    await everywhere(teas, stage.viewer.account)
    async with stage.database.reading(stage.venture) as scope:
        version = (await tenancy.member(scope, stage.viewer.account)).version
    await stage.do(stage.owner, tenancy.RemoveMember(account=stage.viewer.account, version=version))
    await teas.library.read()
    assert await teas.counts() == {"right": 1}  # they left after it


@pytest.mark.parametrize("member_before", [True, False])
async def test_a_search_for_who_was_no_member_is_found(teas: Audited, member_before: bool) -> None:
    stage = teas.stage
    who = stage.viewer.account if member_before else new_id()
    assert who is not None
    if member_before:
        async with stage.database.reading(stage.venture) as scope:
            version = (await tenancy.member(scope, who)).version
        await stage.do(stage.owner, tenancy.RemoveMember(account=who, version=version))
        stage.watch.move(60)
        await teas.library.fill(stage.venture)
    async with stage.database.reading(stage.venture) as scope:
        found = await search(scope, teas.library.finder, await understood(teas.library.finder, Wanted("tea leaf")))
    (sample,) = found.samples
    planted = Sample(**{**vars(sample), "account": who})  # what a check of permission that failed would leave
    teas.library.finder.offer([planted])
    await teas.library.sampler.idle()
    assert await teas.counts() == {"foreign": 1}


async def test_no_word_of_a_query_is_kept(teas: Audited, database_addresses: Addresses) -> None:
    await teas.search("xylophone leaf")
    with psycopg.connect(database_addresses.superuser) as session:
        rows = session.execute("SELECT a::text FROM regional.search_audit a").fetchall()
    assert len(rows) == 1
    assert "xylophone" not in str(rows)


async def test_few_searches_are_sampled_and_exact_answers_are_not(teas: Audited, database_addresses: Addresses) -> None:
    clock = iter(float(second) / 10 for second in range(10_000))
    sampler = Sampler(teas.stage.database, teas.stage.watch, new_id, every=3, clock=lambda: next(clock))
    async with teas.stage.database.reading(teas.stage.venture) as scope:
        samples = (
            await search(scope, teas.library.finder, await understood(teas.library.finder, Wanted("tea")))
        ).samples
        teas.library.index.away = "Away."
        exact = (await search(scope, teas.library.finder, await understood(teas.library.finder, Wanted("tea")))).samples
    teas.library.sampler.offer(exact)
    await teas.library.sampler.idle()
    with psycopg.connect(database_addresses.superuser) as session:
        assert session.execute(LEFT).fetchone() == (0,)
    for _ in range(300):
        sampler.offer(samples)
    await sampler.idle()
    with psycopg.connect(database_addresses.superuser) as session:
        (kept,) = session.execute(LEFT).fetchone() or (0,)
    assert 5 <= kept <= 60
