"""Counting usage and comparing it with the plan, in a transaction of the caller's."""

from datetime import datetime, timedelta
from uuid import UUID

from ventures.billing import sql
from ventures.billing.plans import ALWAYS, FREE, METRICS, PLANS, Allowance, Metric, Plan, included, period
from ventures.database.scope import GlobalScope
from ventures.regions import api as regions

REDELIVERED_WITHIN = timedelta(days=62)
MOST_FOUNDED = 1000
"""Ventures of one account that are looked at."""


async def apply_usage(
    scope: GlobalScope, venture: UUID, metric: Metric, amount: int, seq: int, at: datetime, *, source: str = "log"
) -> None:
    """Counts `amount` in the period of `at`; once for each (source, seq), however often and in whatever order it comes.

    source: what numbers the seq: the venture's log, or another counter of its own, whose entries are forgotten after
    62 days. at: from the event, so that it falls into the same month when it is read again.
    """
    await scope.run(
        sql.APPLY_USAGE,
        venture_id=venture,
        metric=metric,
        source=source,
        seq=seq,
        amount=amount,
        at=at,
        period=period(metric, at),
    )


async def limit(
    scope: GlobalScope, venture: UUID, metric: Metric, now: datetime, unsubscribed: Plan = FREE
) -> Allowance:
    """Used and included of one metric in the period of `now`."""
    return (await limits(scope, venture, now, unsubscribed))[metric]


async def limits(
    scope: GlobalScope, venture: UUID, now: datetime, unsubscribed: Plan = FREE
) -> dict[Metric, Allowance]:
    """The same for every metric, in one round trip."""
    subscribed = await scope.queued(sql.SUBSCRIPTION, venture_id=venture)
    counted = await scope.queued(sql.USAGE, venture_id=venture, periods=sorted({period("posts", now), ALWAYS}))
    row = await subscribed.one()
    plan = effective(row[1], row[3], now, unsubscribed) if row else unsubscribed
    used = {metric: amount for metric, when, amount in await counted.all() if when == period(metric, now)}
    return {metric: Allowance(metric, max(0, used.get(metric, 0)), included(plan, metric), now) for metric in METRICS}


async def ventures_limit(scope: GlobalScope, account: UUID, now: datetime, unsubscribed: Plan = FREE) -> Allowance:
    """How many ventures the account has founded, and may have: the most that any plan of theirs includes."""
    founded = await regions.founded_by(scope, account, MOST_FOUNDED)
    held = [PLANS[row[0]] for row in await scope.all(sql.PLANS_HELD, ventures=founded, now=now) if row[0] in PLANS]
    most = [plan.ventures for plan in (unsubscribed, *held)]
    numbers = [number for number in most if number is not None]
    return Allowance("ventures", len(founded), max(numbers) if len(numbers) == len(most) else None, now)


def effective(plan: str, ends_at: datetime | None, now: datetime, unsubscribed: Plan = FREE) -> Plan:
    """The plan that holds now; where it ended or is not offered any more, that of who never chose."""
    return unsubscribed if ends_at is not None and ends_at <= now else PLANS.get(plan, unsubscribed)


async def sweep(scope: GlobalScope, now: datetime) -> int:
    """Forgets the entries of other sources than the log that nobody delivers again; how many rows."""
    return await scope.changed(sql.SWEEP_ENTRIES, expired=now - REDELIVERED_WITHIN)
