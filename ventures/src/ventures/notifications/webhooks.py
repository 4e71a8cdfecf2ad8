"""The consumer that makes deliveries of events, and what people may do with deliveries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from ventures.database.scope import Scope
from ventures.errors import Conflict, NotFound
from ventures.identifiers import NewId
from ventures.log.api import Event
from ventures.notifications import sql
from ventures.notifications.commands import NO_SUCH_WEBHOOK
from ventures.notifications.payload import TEST_TYPE
from ventures.notifications.reading import delivery as read_delivery
from ventures.notifications.records import Delivery

KEPT: Final = timedelta(days=30)
"""How long a delivery that has ended is kept."""
SENT_AGAIN_AT_MOST: Final = KEPT - timedelta(days=1)
"""Older events are not delivered, so that reading the log again from the beginning repeats nothing."""


@dataclass
class Deliveries:
    """Makes a delivery of each event for each enabled webhook that asks for its type and stood before it.

    A delivery's id follows from webhook and event, so that reading the log again makes no second one.
    """

    now: Callable[[], datetime]
    name: str = "webhooks"
    target: str = ""
    handles: frozenset[str] | None = None
    apart: bool = False

    async def handle(self, scope: Scope, event: Event) -> None:
        await self.handle_all(scope, [event])

    async def handle_all(self, scope: Scope, events: Sequence[Event]) -> None:
        """One statement, whether the venture has webhooks or not."""
        oldest = self.now() - SENT_AGAIN_AT_MOST
        recent = [event for event in events if event.at >= oldest]
        if recent:
            await scope.run(
                sql.MAKE_DELIVERIES,
                seqs=[event.seq for event in recent],
                epochs=[event.epoch for event in recent],
                types=[event.type for event in recent],
                features=[event.feature for event in recent],
                at=[event.at for event in recent],
            )

    async def forget(self, scope: Scope) -> None:
        """Nothing: what was sent is sent, and its record keeps it from being sent again."""


async def send_test(scope: Scope, webhook: UUID, *, new_id: NewId, now: datetime) -> Delivery:
    """A test message, to a disabled webhook too; tried once. Raises: NotFound."""
    if await scope.one(sql.WEBHOOK_STANDING, webhook=webhook) is None:
        raise NotFound(NO_SUCH_WEBHOOK)
    made = new_id()
    await scope.run(sql.MAKE_TEST, delivery=made, webhook=webhook, type=TEST_TYPE, at=now)
    await scope.run(sql.QUEUE, delivery=made, webhook=webhook, at=now, attempts=0)
    return await read_delivery(scope, webhook, made)


async def redeliver(scope: Scope, webhook: UUID, delivery: UUID, *, now: datetime) -> Delivery:
    """Sends an ended delivery again, under the same webhook-id, with all its retries.

    Raises: NotFound; Conflict where it has not ended or the webhook is disabled.
    """
    standing = await scope.one(sql.WEBHOOK_STANDING, webhook=webhook)
    if standing is None:
        raise NotFound(NO_SUCH_WEBHOOK)
    found = await read_delivery(scope, webhook, delivery)
    if not standing[3] and found.seq is not None:
        raise Conflict("This webhook is disabled: enable it first.")
    row = await scope.one(sql.REOPEN_DELIVERY, webhook=webhook, delivery=delivery)
    if row is None:
        raise Conflict("This delivery has not ended yet; it is tried again by itself.")
    await scope.run(sql.QUEUE, delivery=delivery, webhook=webhook, at=now, attempts=row[0])
    return await read_delivery(scope, webhook, delivery)
