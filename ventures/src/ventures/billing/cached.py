"""Allowances for a region that has to run while the global service is out of reach."""

from collections import OrderedDict
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from ventures.billing.plans import SCALE, Allowance, Metric, included, period
from ventures.billing.ports import BillingPort
from ventures.errors import Unavailable

MOST_KEPT = 10_000
RETRY_AFTER = timedelta(seconds=5)


class CachedAllowances:
    """Asks billing at most once in `fresh_for` a venture and metric.

    Out of reach: the last answer, however old (its `as_of` says how old), as long as it is of the same month for what
    is counted by the month. Where there is none, the generous default: nothing used, and what the largest plan
    includes (`as_of` None). So nobody is kept from working by a fault of ours; usage is recorded by the consumer of the
    log, which waits, and what was used meanwhile counts as soon as billing answers again.
    """

    def __init__(self, billing: BillingPort, fresh_for: timedelta = timedelta(minutes=1)) -> None:
        self._billing = billing
        self._fresh_for = fresh_for
        self._kept: OrderedDict[tuple[UUID, Metric], tuple[datetime, Allowance]] = OrderedDict()
        self._ask_again_at: datetime | None = None

    async def allowance(self, venture: UUID, metric: Metric, now: datetime) -> Allowance:
        """Never raises Unavailable."""
        kept = self._kept.get((venture, metric))
        if kept is not None and period(metric, kept[0]) != period(metric, now):
            kept = None
        if kept is not None and kept[0] + self._fresh_for > now:
            return kept[1]
        if self._ask_again_at is None or self._ask_again_at <= now:
            try:
                answer = await self._billing.allowance(venture, metric, now)
            except Unavailable:
                self._ask_again_at = now + RETRY_AFTER
            else:
                self._ask_again_at = None
                self._keep(venture, metric, now, answer)
                return answer
        return kept[1] if kept is not None else Allowance(metric, 0, included(SCALE, metric), None)

    def took(self, venture: UUID, metric: Metric, amount: int = 1) -> None:
        """So much was used by this process; counted here until billing has heard of it from the log."""
        kept = self._kept.get((venture, metric))
        if kept is not None:
            at, allowance = kept
            self._kept[venture, metric] = (at, msgspec.structs.replace(allowance, used=allowance.used + amount))

    def _keep(self, venture: UUID, metric: Metric, now: datetime, answer: Allowance) -> None:
        self._kept[venture, metric] = (now, answer)
        self._kept.move_to_end((venture, metric))
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
