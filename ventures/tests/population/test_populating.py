"""A population is what the spine would have made of it, is followed by all consumers, and grows rather than doubles."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from ventures.accounts import api as accounts
from ventures.content import api as content
from ventures.database.pool import Database
from ventures.errors import NotSignedIn
from ventures.log.api import lags, replay, verify_chain
from ventures.population import grammar
from ventures.population.api import Outcome, Plan, populate
from ventures.population.shape import account_id, email, items_for, joinings, sizes, venture_id
from ventures.tenancy import api as tenancy
from ventures.wiring import open_platform

PASSWORD = "a password of twenty users"


async def texts(database: Database, venture: UUID) -> set[tuple[str, str]]:
    async with database.reading(venture) as scope:
        listed = await content.items(scope, limit=500)
        return {(one.title, (await content.item_in_full(scope, one.id)).body) for one in listed}


async def test_every_log_and_its_state_hold_and_consumers_have_seen_all(populated: Any) -> None:
    plan, outcome = populated.plan, populated.outcome
    assert (outcome.accounts, outcome.ventures) == (20, 15)
    assert plan.passages <= outcome.passages <= 2 * plan.passages
    assert outcome.behind == 0
    assert set(outcome.seconds) == {"accounts", "ventures", "consumers"}
    events = 0
    async with open_platform(populated.settings, populated.settings.database_address) as platform:
        for number in range(plan.count):
            venture = venture_id(plan.seed, number)
            async with platform.database.venture(venture) as scope:
                assert await verify_chain(scope) is None
            found = await replay(platform.database, platform.registry, venture)
            assert found.same, found.differences
            events += found.seq
        found_lags = await lags(platform.database, platform.consumers, platform.now())
    assert events == outcome.events
    assert {(lag.events, lag.parked, lag.failing) for lag in found_lags} == {(0, 0, 0)}


async def test_texts_and_memberships_are_those_of_the_plan(populated: Any) -> None:
    plan = populated.plan
    async with open_platform(populated.settings, populated.settings.database_address) as platform:
        for number, passages in enumerate(sizes(plan)[:3]):
            venture = venture_id(plan.seed, number)
            made = await texts(platform.database, venture)
            count = items_for(plan.seed, number, passages)
            assert {title for title, _ in made} == {grammar.title(plan.seed, number, item) for item in range(count)}
            async with platform.database.reading(venture) as scope:
                members = await tenancy.members(scope, None, 500)
            expected = sorted(one.role for one in joinings(plan) if one.venture == number)
            assert sorted(member.role for member in members) == expected


async def test_the_one_password_opens_every_account(populated: Any) -> None:
    passwords = accounts.Passwords()
    async with open_platform(populated.settings, populated.settings.database_address) as platform:

        async def signed_in(user: int, password: str) -> UUID:
            opened = await accounts.sign_in(
                platform.database,
                passwords,
                email=email(1, user),
                password=password,
                address="192.0.2.1",
                device="test",
                lasts=timedelta(days=1),
                now=platform.now(),
                new_id=platform.new_id,
            )
            return opened.account

        assert await signed_in(0, PASSWORD) == account_id(1, 0)
        assert await signed_in(19, PASSWORD) == account_id(1, 19)
        with pytest.raises(NotSignedIn):
            await signed_in(7, PASSWORD + "!")


async def test_run_again_it_makes_nothing_twice_and_grows(populated: Any) -> None:
    def carried_out(users: int) -> Outcome:
        plan = Plan(users=users, passages_per_user=12, seed=2)
        return populate(plan, populated.environ, password=PASSWORD, processes=1, told=lambda progress: None)

    first, again, grown = [await asyncio.to_thread(carried_out, users) for users in (5, 5, 8)]
    assert (again.accounts, again.ventures, again.items, again.events) == (0, 0, 0, 0)
    assert again.passages == first.passages
    assert (grown.accounts, grown.ventures, grown.behind) == (3, 2, 0)
    async with open_platform(populated.settings, populated.settings.database_address) as platform:
        venture = venture_id(2, 0)
        assert (await replay(platform.database, platform.registry, venture)).same
        count = items_for(2, 0, sizes(Plan(users=8, passages_per_user=12, seed=2))[0])
        assert len(await texts(platform.database, venture)) == count


def test_progress_is_told_of_each_stage(populated: Any) -> None:
    assert {one.stage for one in populated.told} == {"accounts", "ventures", "consumers"}
    first = populated.told[0]
    assert (first.stage, first.done, first.of) == ("accounts", 20, 20)


def test_a_plan_of_other_numbers_is_another_population() -> None:
    assert venture_id(1, 0) != venture_id(2, 0)
    assert Plan(users=4).count == 3
