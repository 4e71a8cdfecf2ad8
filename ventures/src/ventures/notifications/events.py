"""What happens to webhooks and deadlines, and the rows it means."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from ventures.database.scope import Scope
from ventures.log.api import Apply, Event, Fact
from ventures.notifications import sql


class WebhookAdded(Fact, frozen=True, kw_only=True):
    """entity: the webhook. secret_id: what its secret is derived from, of no use without the installation's own."""

    type: ClassVar[str] = "notifications.webhook_added"
    url: str
    label: str
    types: tuple[str, ...]
    secret_id: UUID
    account: UUID | None


class WebhookChanged(Fact, frozen=True, kw_only=True):
    """entity: the webhook. All fields are what they are from now on."""

    type: ClassVar[str] = "notifications.webhook_changed"
    url: str
    label: str
    types: tuple[str, ...]
    enabled: bool


class WebhookSecretRotated(Fact, frozen=True, kw_only=True):
    """entity: the webhook. The secret before signs for a while beside the new one."""

    type: ClassVar[str] = "notifications.webhook_secret_rotated"
    secret_id: UUID


class WebhookDisabled(Fact, frozen=True, kw_only=True):
    """entity: the webhook. The platform stopped sending; why: a sentence."""

    type: ClassVar[str] = "notifications.webhook_disabled"
    why: str
    label: str


class WebhookRemoved(Fact, frozen=True, kw_only=True):
    """entity: the webhook."""

    type: ClassVar[str] = "notifications.webhook_removed"


class DeadlineNear(Fact, frozen=True, kw_only=True):
    """entity: the calendar's entry of the deadline of `item`."""

    type: ClassVar[str] = "notifications.deadline_near"
    item: UUID
    deadline_at: datetime


async def webhook_added(scope: Scope, event: Event[WebhookAdded]) -> None:
    fact = event.data
    await scope.run(
        sql.ADD_WEBHOOK,
        webhook=fact.entity,
        url=fact.url,
        label=fact.label,
        types=list(fact.types),
        secret_id=fact.secret_id,
        account=fact.account,
        at=event.at,
        seq=event.seq,
    )


async def webhook_changed(scope: Scope, event: Event[WebhookChanged]) -> None:
    fact = event.data
    await scope.run(
        sql.CHANGE_WEBHOOK,
        webhook=fact.entity,
        url=fact.url,
        label=fact.label,
        types=list(fact.types),
        enabled=fact.enabled,
        at=event.at,
    )


async def webhook_secret_rotated(scope: Scope, event: Event[WebhookSecretRotated]) -> None:
    await scope.run(sql.ROTATE, webhook=event.entity, secret_id=event.data.secret_id, at=event.at)


async def webhook_disabled(scope: Scope, event: Event[WebhookDisabled]) -> None:
    await scope.run(sql.DISABLE_WEBHOOK, webhook=event.entity, why=event.data.why, at=event.at)


async def webhook_removed(scope: Scope, event: Event[WebhookRemoved]) -> None:
    await scope.run(sql.REMOVE_WEBHOOK, webhook=event.entity, at=event.at)


async def deadline_near(scope: Scope, event: Event[DeadlineNear]) -> None:
    """No row of state: it is there to be told."""


APPLY: dict[type[Fact], Apply] = {
    WebhookAdded: webhook_added,
    WebhookChanged: webhook_changed,
    WebhookSecretRotated: webhook_secret_rotated,
    WebhookDisabled: webhook_disabled,
    WebhookRemoved: webhook_removed,
    DeadlineNear: deadline_near,
}
