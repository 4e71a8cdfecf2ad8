"""The service on PostgreSQL keeps the contract; usage counts once in any order."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.billing import sql
from ventures.billing.api import (
    PLANS,
    BillingPort,
    PostgresBilling,
    PracticePayments,
    apply_usage,
    limit,
    sweep,
)
from ventures.billing.usage import effective
from ventures.database.pool import Database
from ventures.identifiers import new_id
from ventures.regions import api as regions
from ventures.testing.billing import NEXT_MONTH, NOW, BillingContract


class TestPostgresBilling(BillingContract):
    @pytest.fixture
    async def billing(self, database: Database, payments: PracticePayments) -> BillingPort:
        return PostgresBilling(database, payments, new_id)


entries = st.lists(
    st.tuples(st.integers(1, 12), st.integers(-3, 9), st.sampled_from(["log", "api"])),
    max_size=12,
    unique_by=lambda entry: (entry[0], entry[2]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries, st.data())
async def test_delivered_at_least_once_in_any_order_it_counts_once(
    database: Database, counted: list[tuple[int, int, str]], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(counted), max_size=8)) if counted else []
    delivered = data.draw(st.permutations(counted + again))
    venture = uuid4()
    async with database.everywhere() as scope:
        for seq, amount, source in delivered:
            await apply_usage(scope, venture, "posts", amount, seq, NOW, source=source)
        assert (await limit(scope, venture, "posts", NOW)).used == max(0, sum(amount for _, amount, _ in counted))


async def test_delivered_to_two_consumers_at_once_it_counts_once(database: Database) -> None:
    venture = uuid4()

    async def deliver() -> None:
        for seq in range(1, 21):
            async with database.everywhere() as scope:
                await apply_usage(scope, venture, "items", 1, seq, NOW)

    await asyncio.gather(deliver(), deliver(), deliver())
    async with database.everywhere() as scope:
        assert (await limit(scope, venture, "items", NOW)).used == 20


async def test_the_largest_plan_of_ones_ventures_says_how_many_one_may_found(database: Database) -> None:
    billing, account = PostgresBilling(database, PracticePayments(), new_id), uuid4()
    assert (await billing.ventures_allowance(account, NOW)).included == PLANS["free"].ventures
    mine, another = uuid4(), uuid4()
    async with database.everywhere() as scope:
        await regions.register(scope, mine, "home", account, NOW)
        await regions.register(scope, another, "home", uuid4(), NOW)
    await billing.subscribe(another, "scale", uuid4(), NOW)
    await billing.subscribe(mine, "team", account, NOW)
    allowance = await billing.ventures_allowance(account, NOW)
    assert (allowance.used, allowance.included) == (1, PLANS["team"].ventures)
    await billing.cancel(mine, NOW)
    assert (await billing.ventures_allowance(account, NEXT_MONTH)).included == PLANS["free"].ventures
    await billing.subscribe(mine, "scale", account, NEXT_MONTH)
    assert (await billing.ventures_allowance(account, NEXT_MONTH)).included is None


async def test_of_two_checkouts_paid_the_newer_one_holds_in_whatever_order_it_is_told(database: Database) -> None:
    billing, venture = PostgresBilling(database, PracticePayments(), new_id), uuid4()
    older, newer = new_id(), new_id()
    async with database.everywhere() as scope:
        for checkout, plan in ((older, "team"), (newer, "scale")):
            await scope.run(
                sql.OPEN_CHECKOUT, checkout=checkout, venture_id=venture, plan=plan, account=uuid4(), now=NOW
            )
    await billing.settle(newer, "paid", NOW)
    await billing.settle(older, "paid", NOW)
    assert (await billing.plan_of(venture, NOW)).id == "scale"


async def test_entries_of_the_log_are_never_swept(database: Database) -> None:
    venture = uuid4()
    async with database.everywhere() as scope:
        for source in ("log", "api"):
            await apply_usage(scope, venture, "items", 1, 1, NOW, source=source)
        assert await sweep(scope, NOW + timedelta(days=61)) == 0
        assert await sweep(scope, NOW + timedelta(days=63)) == 1
        await apply_usage(scope, venture, "items", 1, 1, NOW)
        assert (await limit(scope, venture, "items", NOW)).used == 2


def test_a_plan_no_longer_offered_is_the_free_one() -> None:
    assert effective("of 2019", None, NOW) == PLANS["free"]
