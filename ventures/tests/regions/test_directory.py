"""The directory says the same whatever order the news come in."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.errors import NotFound
from ventures.identifiers import new_id
from ventures.regions.api import (
    Home,
    belongs,
    close,
    drop_member,
    founded_by,
    home_region,
    put_member,
    register,
    ventures_of,
)

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
news = st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(news, st.data())
async def test_members_converge_in_any_order(
    database: Database, happened: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """happened: in the log's order, who came (True) or went."""
    venture, people = new_id(), [uuid4() for _ in range(3)]
    events = list(enumerate(happened, start=1))
    again = data.draw(st.lists(st.sampled_from(events), max_size=6)) if events else []
    told = data.draw(st.permutations(events + again))
    async with database.everywhere() as scope:
        await register(scope, venture, "home", people[0], NOW)
        for seq, (who, came) in told:
            await (put_member if came else drop_member)(scope, people[who], venture, seq)
        for who, account in enumerate(people):
            last = [came for one, came in happened if one == who][-1:]
            assert await belongs(scope, account, venture) == (last == [True])
            assert await ventures_of(scope, account, None, 10) == ([Home(venture, "home")] if last == [True] else [])


async def test_a_venture_keeps_the_home_it_was_registered_with(database: Database) -> None:
    venture, account = new_id(), uuid4()
    async with database.everywhere() as scope:
        for region in ("eu-west", "us-east"):
            await register(scope, venture, region, account, NOW)
        assert await home_region(scope, venture) == "eu-west"
    with pytest.raises(NotFound):
        async with database.everywhere() as scope:
            await home_region(scope, uuid4())


async def test_a_deleted_venture_is_nowhere_and_stays_so(database: Database) -> None:
    venture, account = new_id(), uuid4()
    async with database.everywhere() as scope:
        await register(scope, venture, "home", account, NOW)
        await put_member(scope, account, venture, 1)
        assert await founded_by(scope, account, 10) == [venture]
        await close(scope, venture, NOW + timedelta(days=1))
        await close(scope, venture, NOW + timedelta(days=2))
        await register(scope, venture, "home", account, NOW)
        await put_member(scope, account, venture, 9)
        assert not await belongs(scope, account, venture)
        assert await ventures_of(scope, account, None, 10) == []
        assert await founded_by(scope, account, 10) == []
    with pytest.raises(NotFound):
        async with database.everywhere() as scope:
            await home_region(scope, venture)


async def test_a_member_told_before_the_venture_shows_with_it(database: Database) -> None:
    venture, account = new_id(), uuid4()
    async with database.everywhere() as scope:
        await put_member(scope, account, venture, 2)
        assert await ventures_of(scope, account, None, 10) == []
        await register(scope, venture, "home", account, NOW)
        assert await ventures_of(scope, account, None, 10) == [Home(venture, "home")]


async def test_pages_neither_repeat_nor_skip(database: Database) -> None:
    account = uuid4()
    ventures = [new_id() for _ in range(7)]
    async with database.everywhere() as scope:
        for venture in reversed(ventures):
            await register(scope, venture, "home", account, NOW)
            await put_member(scope, account, venture, 1)
        read: list[UUID] = []
        for expected in (3, 3, 1, 0):
            page = await ventures_of(scope, account, read[-1] if read else None, 3)
            assert len(page) == expected
            read += [home.venture for home in page]
    assert read == ventures


async def test_the_directory_holds_opaque_ids_only(database_addresses: Addresses) -> None:
    with psycopg.connect(database_addresses.superuser) as connection:
        columns = connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'global'"
            " AND table_name IN ('venture_directory', 'directory_member')"
        ).fetchall()
    assert {name for name, kind in columns if kind == "text"} == {"region"}
