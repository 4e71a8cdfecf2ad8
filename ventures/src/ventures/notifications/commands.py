"""What can be done to webhooks; and the reminder of a deadline, which the platform gives itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Final
from uuid import UUID

from ventures.errors import Conflict, Invalid, NotFound
from ventures.log.api import Command, Decide, Fact, Unit, require_version
from ventures.notifications import sql
from ventures.notifications.events import (
    DeadlineNear,
    WebhookAdded,
    WebhookChanged,
    WebhookDisabled,
    WebhookRemoved,
    WebhookSecretRotated,
)
from ventures.notifications.records import Standing
from ventures.planner import api as planner

MOST_WEBHOOKS: Final = 20
NO_SUCH_WEBHOOK: Final = "There is no such webhook."


class AddWebhook(Command, frozen=True, kw_only=True):
    """`url` was judged by `outbound.require_callable`, `types` are filters (`EventFilter`)."""

    feature: ClassVar[str] = "notifications"
    action: ClassVar[str] = "manage"
    url: str
    label: str
    types: tuple[str, ...]


class ChangeWebhook(Command, frozen=True, kw_only=True):
    """None leaves a field as it is."""

    feature: ClassVar[str] = "notifications"
    action: ClassVar[str] = "manage"
    webhook: UUID
    version: int
    url: str | None = None
    label: str | None = None
    types: tuple[str, ...] | None = None
    enabled: bool | None = None


class RotateWebhookSecret(Command, frozen=True, kw_only=True):
    feature: ClassVar[str] = "notifications"
    action: ClassVar[str] = "manage"
    webhook: UUID
    version: int


class RemoveWebhook(Command, frozen=True, kw_only=True):
    feature: ClassVar[str] = "notifications"
    action: ClassVar[str] = "manage"
    webhook: UUID
    version: int


class DisableWebhook(Command, frozen=True, kw_only=True):
    """Given by the platform where an address does not answer any more."""

    feature: ClassVar[str] = "notifications"
    action: ClassVar[str] = "manage"
    webhook: UUID
    why: str


class RemindOfDeadline(Command, frozen=True, kw_only=True):
    """Given by the platform; does nothing where the deadline is another one by now."""

    feature: ClassVar[str] = "planner"
    action: ClassVar[str] = "manage"
    entry: UUID
    item: UUID
    deadline_at: datetime


async def _standing(unit: Unit, webhook: UUID) -> Standing:
    found = await unit.scope.one(sql.WEBHOOK_STANDING, webhook=webhook)
    if found is None:
        raise NotFound(NO_SUCH_WEBHOOK)
    url, label, types, enabled, version = found
    return Standing(url, label, tuple(types), enabled, version)


async def add_webhook(unit: Unit, command: AddWebhook) -> list[Fact]:
    row = await unit.scope.one(sql.COUNT_WEBHOOKS)
    if row is not None and row[0] >= MOST_WEBHOOKS:
        raise Conflict(f"A venture has at most {MOST_WEBHOOKS} webhooks. Remove one that is not needed.")
    return [
        WebhookAdded(
            entity=unit.new_id(),
            url=command.url,
            label=command.label,
            types=unique(command.types),
            secret_id=unit.new_id(),
            account=unit.actor.account,
        )
    ]


async def change_webhook(unit: Unit, command: ChangeWebhook) -> list[Fact]:
    now = await _standing(unit, command.webhook)
    require_version(now.version, command.version, "webhook")
    fact = WebhookChanged(
        entity=command.webhook,
        url=now.url if command.url is None else command.url,
        label=now.label if command.label is None else command.label,
        types=now.types if command.types is None else unique(command.types),
        enabled=now.enabled if command.enabled is None else command.enabled,
    )
    if (fact.url, fact.label, fact.types, fact.enabled) == (now.url, now.label, now.types, now.enabled):
        return []
    return [fact]


async def rotate_webhook_secret(unit: Unit, command: RotateWebhookSecret) -> list[Fact]:
    now = await _standing(unit, command.webhook)
    require_version(now.version, command.version, "webhook")
    return [WebhookSecretRotated(entity=command.webhook, secret_id=unit.new_id())]


async def remove_webhook(unit: Unit, command: RemoveWebhook) -> list[Fact]:
    now = await _standing(unit, command.webhook)
    require_version(now.version, command.version, "webhook")
    return [WebhookRemoved(entity=command.webhook)]


async def disable_webhook(unit: Unit, command: DisableWebhook) -> list[Fact]:
    now = await _standing(unit, command.webhook)
    return [WebhookDisabled(entity=command.webhook, why=command.why, label=now.label)] if now.enabled else []


async def remind_of_deadline(unit: Unit, command: RemindOfDeadline) -> list[Fact]:
    if unit.actor.system is None:
        raise Invalid("Reminders are given by the platform.")
    entry = (await planner.deadlines(unit.scope, [command.item])).get(command.item)
    if entry is None or entry.id != command.entry or entry.starts_at != command.deadline_at:
        return []
    return [DeadlineNear(entity=command.entry, item=command.item, deadline_at=command.deadline_at)]


def unique(types: Sequence[str]) -> tuple[str, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys(types))


DECIDE: dict[type[Command], Decide] = {
    AddWebhook: add_webhook,
    ChangeWebhook: change_webhook,
    RotateWebhookSecret: rotate_webhook_secret,
    RemoveWebhook: remove_webhook,
    DisableWebhook: disable_webhook,
    RemindOfDeadline: remind_of_deadline,
}
