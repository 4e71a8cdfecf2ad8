"""The billing service on PostgreSQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

from ventures.billing import sql, usage
from ventures.billing.payments import PaymentPort
from ventures.billing.plans import FREE, Allowance, Metric, Plan, end_of_month, plan_named
from ventures.billing.ports import Checkout, Subscription
from ventures.database.pool import Database
from ventures.database.scope import GlobalScope
from ventures.errors import Conflict, NotFound
from ventures.identifiers import NewId


class PostgresBilling:
    """`BillingPort` on the global tables, paid by `payments`. unsubscribed: the plan of who never chose."""

    def __init__(self, database: Database, payments: PaymentPort, new_id: NewId, *, unsubscribed: Plan = FREE) -> None:
        self._unsubscribed = unsubscribed
        self._database = database
        self._payments = payments
        self._new_id = new_id

    async def plan_of(self, venture: UUID, now: datetime) -> Plan:
        async with self._database.everywhere() as scope:
            row = await scope.one(sql.SUBSCRIPTION, venture_id=venture)
        return usage.effective(row[1], row[3], now, self._unsubscribed) if row else self._unsubscribed

    async def subscription(self, venture: UUID, now: datetime) -> Subscription:
        async with self._database.everywhere() as scope:
            return await _subscription(scope, venture, now, self._unsubscribed)

    async def allowance(self, venture: UUID, metric: Metric, now: datetime) -> Allowance:
        async with self._database.everywhere() as scope:
            return await usage.limit(scope, venture, metric, now, self._unsubscribed)

    async def allowances(self, venture: UUID, now: datetime) -> Mapping[Metric, Allowance]:
        async with self._database.everywhere() as scope:
            return await usage.limits(scope, venture, now, self._unsubscribed)

    async def ventures_allowance(self, account: UUID, now: datetime) -> Allowance:
        async with self._database.everywhere() as scope:
            return await usage.ventures_limit(scope, account, now, self._unsubscribed)

    async def record_usage(
        self, venture: UUID, metric: Metric, amount: int, seq: int, at: datetime, *, source: str = "log"
    ) -> None:
        async with self._database.by_itself() as scope:
            await usage.apply_usage(scope, venture, metric, amount, seq, at, source=source)

    async def subscribe(self, venture: UUID, plan: str, account: UUID, now: datetime) -> Checkout:
        chosen = plan_named(plan)
        checkout = self._new_id()
        async with self._database.everywhere() as scope:
            held = await _subscription(scope, venture, now, self._unsubscribed)
            if held.plan == chosen.id and held.ends_at is None:
                raise Conflict(f"This venture is on the plan {chosen.name} already.")
            await scope.run(sql.GIVE_UP_CHECKOUTS, venture_id=venture, now=now, but=checkout)
            await scope.run(
                sql.OPEN_CHECKOUT, checkout=checkout, venture_id=venture, plan=chosen.id, account=account, now=now
            )
        if chosen.cents == 0:
            return await self.settle(checkout, "paid", now)
        outcome = await self._payments.checkout(checkout, chosen)
        if outcome.state != "pending":
            return await self.settle(checkout, outcome.state, now)
        async with self._database.everywhere() as scope:
            shown = await scope.one(sql.SHOW_PAGE, Checkout, checkout=checkout, url=outcome.url)
        return _known(shown)

    async def settle(self, checkout: UUID, state: Literal["paid", "failed"], now: datetime) -> Checkout:
        async with self._database.everywhere() as scope:
            settled = await scope.one(sql.SETTLE, Checkout, checkout=checkout, state=state, now=now)
            if settled is None:
                return _known(await scope.one(sql.CHECKOUT, Checkout, checkout=checkout))
            if state == "paid":
                await scope.run(
                    sql.ACTIVATE, venture_id=settled.venture, plan=settled.plan, checkout=settled.id, now=now
                )
        return settled

    async def cancel(self, venture: UUID, now: datetime) -> Subscription:
        async with self._database.everywhere() as scope:
            await scope.run(sql.GIVE_UP_CHECKOUTS, venture_id=venture, now=now, but=self._new_id())
            await scope.run(sql.CANCEL, venture_id=venture, ends_at=end_of_month(now))
            return await _subscription(scope, venture, now, self._unsubscribed)


async def _subscription(scope: GlobalScope, venture: UUID, now: datetime, unsubscribed: Plan) -> Subscription:
    held = await scope.queued(sql.SUBSCRIPTION, venture_id=venture)
    latest = await scope.queued(sql.LATEST_CHECKOUT, venture_id=venture)
    row, last = await held.one(), await latest.one()
    checkout = Checkout(*last) if last else None
    if row is None:
        return Subscription(plan=unsubscribed.id, since=None, ends_at=None, version=0, checkout=checkout)
    _, plan, since, ends_at, version = row
    return Subscription(
        plan=usage.effective(plan, ends_at, now, unsubscribed).id,
        since=since,
        ends_at=ends_at,
        version=version,
        checkout=checkout,
    )


def _known(checkout: Checkout | None) -> Checkout:
    if checkout is None:
        raise NotFound("There is no such checkout.")
    return checkout
