"""What every `BillingPort` must do, as a test class to inherit: give it a fixture `billing` and, for checkouts that end
as told, a fixture `payments`.

    class TestMine(BillingContract):
        @pytest.fixture
        async def billing(self, payments: PracticePayments) -> BillingPort: ...
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from ventures.billing.api import METRICS, PLANS, BillingPort, PracticePayments
from ventures.errors import Conflict, NotFound

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
NEXT_MONTH = datetime(2026, 4, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class BillingContract:
    """Runs against any adapter; each test uses ventures of its own."""

    @pytest.fixture
    def payments(self) -> PracticePayments:
        """The provider that the adapter under test takes payments with."""
        return PracticePayments()

    @pytest.fixture
    def venture(self) -> UUID:
        return uuid4()

    async def test_a_venture_nobody_heard_of_is_on_the_free_plan_and_used_nothing(
        self, billing: BillingPort, venture: UUID
    ) -> None:
        assert await billing.plan_of(venture, NOW) == PLANS["free"]
        for metric, allowance in (await billing.allowances(venture, NOW)).items():
            assert (allowance.used, allowance.included) == (0, getattr(PLANS["free"], metric))
            assert allowance == await billing.allowance(venture, metric, NOW)
        assert set(await billing.allowances(venture, NOW)) == set(METRICS)

    async def test_what_is_paid_holds_at_once_and_what_failed_changes_nothing(
        self, billing: BillingPort, payments: PracticePayments, venture: UUID
    ) -> None:
        payments.outcome = "failed"
        assert (await billing.subscribe(venture, "team", uuid4(), NOW)).state == "failed"
        assert (await billing.plan_of(venture, NOW)).id == "free"
        payments.outcome = "paid"
        assert (await billing.subscribe(venture, "team", uuid4(), NOW)).state == "paid"
        assert (await billing.plan_of(venture, NOW)).id == "team"
        with pytest.raises(Conflict):
            await billing.subscribe(venture, "team", uuid4(), NOW)
        with pytest.raises(NotFound):
            await billing.subscribe(venture, "imperial", uuid4(), NOW)

    async def test_a_pending_checkout_is_settled_once(
        self, billing: BillingPort, payments: PracticePayments, venture: UUID
    ) -> None:
        payments.outcome = "pending"
        checkout = await billing.subscribe(venture, "team", uuid4(), NOW)
        assert checkout.state == "pending"
        assert checkout.url
        assert (await billing.plan_of(venture, NOW)).id == "free"
        assert (await billing.settle(checkout.id, "paid", NOW)).state == "paid"
        assert (await billing.settle(checkout.id, "failed", NOW)).state == "paid"
        assert (await billing.plan_of(venture, NOW)).id == "team"
        with pytest.raises(NotFound):
            await billing.settle(uuid4(), "paid", NOW)

    async def test_a_newer_checkout_gives_up_the_one_before(
        self, billing: BillingPort, payments: PracticePayments, venture: UUID
    ) -> None:
        payments.outcome = "pending"
        first = await billing.subscribe(venture, "team", uuid4(), NOW)
        second = await billing.subscribe(venture, "scale", uuid4(), NOW)
        await billing.settle(second.id, "paid", NOW)
        assert (await billing.settle(first.id, "paid", NOW)).state == "failed"
        assert (await billing.plan_of(venture, NOW)).id == "scale"

    async def test_what_is_cancelled_holds_to_the_end_of_the_month(self, billing: BillingPort, venture: UUID) -> None:
        await billing.subscribe(venture, "team", uuid4(), NOW)
        cancelled = await billing.cancel(venture, NOW)
        assert cancelled.ends_at == NEXT_MONTH
        assert await billing.cancel(venture, NEXT_MONTH - SECOND) == cancelled
        assert (await billing.plan_of(venture, NEXT_MONTH - SECOND)).id == "team"
        assert (await billing.plan_of(venture, NEXT_MONTH)).id == "free"
        await billing.subscribe(venture, "team", uuid4(), NEXT_MONTH)
        assert (await billing.plan_of(venture, NEXT_MONTH)).id == "team"

    async def test_what_is_cancelled_while_it_was_pending_never_begins(
        self, billing: BillingPort, payments: PracticePayments, venture: UUID
    ) -> None:
        payments.outcome = "pending"
        checkout = await billing.subscribe(venture, "team", uuid4(), NOW)
        await billing.cancel(venture, NOW)
        assert (await billing.settle(checkout.id, "paid", NOW)).state == "failed"
        assert (await billing.plan_of(venture, NOW)).id == "free"

    async def test_each_change_of_a_subscription_raises_its_version(self, billing: BillingPort, venture: UUID) -> None:
        versions = [(await billing.subscription(venture, NOW)).version]
        for plan in ("team", "scale"):
            await billing.subscribe(venture, plan, uuid4(), NOW)
            versions.append((await billing.subscription(venture, NOW)).version)
        versions.append((await billing.cancel(venture, NOW)).version)
        assert versions == [0, 1, 2, 3]

    async def test_usage_counts_once_for_each_source_and_seq_in_any_order(
        self, billing: BillingPort, venture: UUID
    ) -> None:
        for seq in (7, 3, 7, 3, 5):
            await billing.record_usage(venture, "posts", seq, seq, NOW)
        await billing.record_usage(venture, "posts", 100, 7, NOW, source="api")
        assert (await billing.allowance(venture, "posts", NOW)).used == 115
        assert (await billing.allowance(uuid4(), "posts", NOW)).used == 0

    async def test_months_are_counted_apart_and_levels_go_on(self, billing: BillingPort, venture: UUID) -> None:
        before = NEXT_MONTH - SECOND
        for seq, at in enumerate((before, NEXT_MONTH, NEXT_MONTH), start=1):
            await billing.record_usage(venture, "posts", 1, seq, at)
            await billing.record_usage(venture, "members", 1, seq, at)
        await billing.record_usage(venture, "members", -1, 4, NEXT_MONTH)
        assert (await billing.allowance(venture, "posts", before)).used == 1
        assert (await billing.allowance(venture, "posts", NEXT_MONTH)).used == 2
        assert (await billing.allowance(venture, "members", NEXT_MONTH)).used == 2

    async def test_a_level_never_shows_below_nothing(self, billing: BillingPort, venture: UUID) -> None:
        await billing.record_usage(venture, "items", -1, 9, NOW)
        assert (await billing.allowance(venture, "items", NOW)).used == 0
        await billing.record_usage(venture, "items", 1, 8, NOW)
        await billing.record_usage(venture, "items", 1, 10, NOW)
        assert (await billing.allowance(venture, "items", NOW)).used == 1
