"""The port of billing: what the rest of the platform, possibly in another region, may ask."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from ventures.billing.plans import Allowance, Metric, Plan


class Checkout(msgspec.Struct, frozen=True):
    """A payment on its way or over. url: where to pay while it is pending."""

    id: UUID
    venture: UUID
    plan: str
    state: Literal["pending", "paid", "failed"]
    url: str | None


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What a venture has. ends_at: from then on it is on the free plan. checkout: the latest one, if any.

    version: +1 with each change, for the ETag; 0 for a venture that never chose.
    """

    plan: str
    since: datetime | None
    ends_at: datetime | None
    version: int
    checkout: Checkout | None


class BillingPort(Protocol):
    """Every method may raise Unavailable. Times are with a zone."""

    async def plan_of(self, venture: UUID, now: datetime) -> Plan:
        """The plan that holds now; the free one for a venture that is not known."""

    async def subscription(self, venture: UUID, now: datetime) -> Subscription:
        """What it is subscribed to, and how the latest checkout stands."""

    async def allowance(self, venture: UUID, metric: Metric, now: datetime) -> Allowance:
        """How much of the metric is used and included in the period of `now`."""

    async def allowances(self, venture: UUID, now: datetime) -> Mapping[Metric, Allowance]:
        """The same for every metric."""

    async def ventures_allowance(self, account: UUID, now: datetime) -> Allowance:
        """How many ventures the account has founded, and may have: the most that any plan of theirs includes."""

    async def record_usage(
        self, venture: UUID, metric: Metric, amount: int, seq: int, at: datetime, *, source: str = "log"
    ) -> None:
        """Counts `amount` (a level may go down) in the period of `at`, once for each (source, seq)."""

    async def subscribe(self, venture: UUID, plan: str, account: UUID, now: datetime) -> Checkout:
        """Begins a checkout; the plan holds from when it is paid, the free one at once. Others pending are given up.

        Raises: NotFound (no such plan), Conflict (it has that plan).
        """

    async def settle(self, checkout: UUID, state: Literal["paid", "failed"], now: datetime) -> Checkout:
        """The payment's outcome; the first one said stays. Raises: NotFound."""

    async def cancel(self, venture: UUID, now: datetime) -> Subscription:
        """Ends the plan with the calendar month (UTC) and gives up what is pending; said again it changes nothing."""
