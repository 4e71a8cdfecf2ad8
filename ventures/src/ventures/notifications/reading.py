"""Reading of notifications, and what a member marks as read. Asks nobody for permission; callers do."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from ventures.database.scope import Scope
from ventures.errors import NotFound
from ventures.notifications import sql
from ventures.notifications.commands import NO_SUCH_WEBHOOK
from ventures.notifications.records import Attempt, Delivery, DeliveryState, Notice, Signing, Webhook
from ventures.notifications.signing import TWO_SECRETS

NO_SUCH_NOTICE: Final = "You have no such notice."
NO_SUCH_DELIVERY: Final = "There is no such delivery; ended ones are kept for 30 days."
LAST: Final = 2**62
LAST_MOMENT: Final = datetime(9999, 1, 1, tzinfo=UTC)
NOBODY: Final = UUID(int=0)
MOST_ATTEMPTS: Final = 100


async def notices(
    scope: Scope, account: UUID, features: Sequence[str], *, unread: bool, before: int | None, limit: int
) -> list[Notice]:
    """The account's notices of these features, the newest first, before that seq, at most so many."""
    return await scope.all(
        sql.NOTICES,
        Notice,
        account=account,
        features=list(features),
        unread=unread,
        before=LAST if before is None else before,
        limit=limit,
    )


async def read_notice(scope: Scope, account: UUID, features: Sequence[str], seq: int, *, now: datetime) -> Notice:
    """Marks it as read; a second time changes nothing. Raises: NotFound."""
    known: dict[str, Any] = {"account": account, "features": list(features), "seq": seq}
    if await scope.one(sql.NOTICE, Notice, **known) is None:
        raise NotFound(NO_SUCH_NOTICE)
    await scope.run(sql.MARK_READ, account=account, seq=seq, at=now)
    found = await scope.one(sql.NOTICE, Notice, **known)
    if found is None:
        raise NotFound(NO_SUCH_NOTICE)
    return found


async def read_all_notices(scope: Scope, account: UUID, *, up_to: int | None, now: datetime) -> None:
    """Marks as read all there are, or those up to that seq."""
    await scope.run(sql.READ_UP_TO, account=account, up_to=up_to, at=now)


def _webhook(
    identifier: UUID,
    url: str,
    label: str,
    types: Sequence[str],
    enabled: bool,
    disabled_why: str | None,
    created_by: UUID | None,
    created_at: datetime,
    updated_at: datetime,
    rotated_at: datetime | None,
    version: int,
) -> Webhook:
    return Webhook(
        identifier,
        url,
        label,
        tuple(types),
        enabled,
        disabled_why,
        created_by,
        created_at,
        updated_at,
        rotated_at,
        None if rotated_at is None else rotated_at + TWO_SECRETS,
        version,
    )


async def webhook(scope: Scope, identifier: UUID) -> Webhook:
    """Raises: NotFound."""
    found = await scope.one(sql.WEBHOOK, _webhook, webhook=identifier)
    if found is None:
        raise NotFound(NO_SUCH_WEBHOOK)
    return found


async def webhooks(scope: Scope, *, after: UUID | None, limit: int) -> list[Webhook]:
    """By id, after that one, at most so many."""
    return await scope.all(sql.WEBHOOKS, _webhook, after=after or NOBODY, limit=limit)


async def signing(scope: Scope, identifier: UUID) -> Signing:
    """Which secrets sign. Raises: NotFound."""
    found = await scope.one(sql.SIGNING, Signing, webhook=identifier)
    if found is None:
        raise NotFound(NO_SUCH_WEBHOOK)
    return found


async def deliveries(
    scope: Scope,
    identifier: UUID,
    *,
    state: DeliveryState | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Delivery]:
    """A webhook's deliveries, the newest first, before that one, at most so many. Raises: NotFound."""
    if await scope.one(sql.WEBHOOK_STANDING, webhook=identifier) is None:
        raise NotFound(NO_SUCH_WEBHOOK)
    before_at, before_id = before or (LAST_MOMENT, NOBODY)
    return await scope.all(
        sql.DELIVERIES,
        Delivery,
        webhook=identifier,
        state=state,
        before_at=before_at,
        before=before_id,
        limit=limit,
    )


async def delivery(scope: Scope, webhook: UUID, identifier: UUID) -> Delivery:
    """Raises: NotFound."""
    found = await scope.one(sql.DELIVERY, Delivery, webhook=webhook, delivery=identifier)
    if found is None:
        raise NotFound(NO_SUCH_DELIVERY)
    return found


async def attempts(scope: Scope, identifier: UUID) -> list[Attempt]:
    """A delivery's attempts, the last first, at most a hundred."""
    return await scope.all(sql.ATTEMPTS, Attempt, delivery=identifier, limit=MOST_ATTEMPTS)
