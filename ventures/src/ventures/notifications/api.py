"""What other rooms may use of notifications."""

from collections.abc import Callable
from datetime import datetime

from ventures.log.api import Consumer, Loop, Room, Spine
from ventures.notifications.commands import (
    DECIDE,
    AddWebhook,
    ChangeWebhook,
    DisableWebhook,
    RemindOfDeadline,
    RemoveWebhook,
    RotateWebhookSecret,
)
from ventures.notifications.delivering import Deliverer
from ventures.notifications.events import (
    APPLY,
    DeadlineNear,
    WebhookAdded,
    WebhookChanged,
    WebhookDisabled,
    WebhookRemoved,
    WebhookSecretRotated,
)
from ventures.notifications.notices import Notices
from ventures.notifications.reading import (
    attempts,
    deliveries,
    delivery,
    notices,
    read_all_notices,
    read_notice,
    signing,
    webhook,
    webhooks,
)
from ventures.notifications.records import (
    Address,
    Attempt,
    Delivery,
    DeliveryState,
    EventFilters,
    Label,
    Notice,
    Signing,
    Webhook,
)
from ventures.notifications.reminders import Reminders
from ventures.notifications.rules import FEATURES, RULES, Rule, To
from ventures.notifications.signing import secret_of, secret_text
from ventures.notifications.webhooks import Deliveries, redeliver, send_test
from ventures.outbound import outbound_client
from ventures.settings import Settings

ROOM = Room("notifications", DECIDE, APPLY)
SECRETS = "webhooks"
"""The purpose for which `Settings.key` gives what secrets are derived from."""


def consumers(now: Callable[[], datetime]) -> list[Consumer]:
    """Notices, and deliveries to webhooks."""
    return [Notices(), Deliveries(now)]


def loops(spine: Spine, settings: Settings) -> list[Loop]:
    """Sending to webhooks, and reminding of deadlines."""
    deliverer = Deliverer(
        spine.database,
        spine,
        lambda: outbound_client(settings.webhook_networks, most_answer_bytes=2**30),
        lambda: settings.key(SECRETS),
        spine.now,
    )
    return [Loop("webhooks", deliverer.turn), Loop("reminders", Reminders(spine.database, spine, spine.now).turn)]


__all__ = [
    "FEATURES",
    "ROOM",
    "RULES",
    "SECRETS",
    "AddWebhook",
    "Address",
    "Attempt",
    "ChangeWebhook",
    "DeadlineNear",
    "Deliverer",
    "Deliveries",
    "Delivery",
    "DeliveryState",
    "DisableWebhook",
    "EventFilters",
    "Label",
    "Notice",
    "Notices",
    "RemindOfDeadline",
    "Reminders",
    "RemoveWebhook",
    "RotateWebhookSecret",
    "Rule",
    "Signing",
    "To",
    "Webhook",
    "WebhookAdded",
    "WebhookChanged",
    "WebhookDisabled",
    "WebhookRemoved",
    "WebhookSecretRotated",
    "attempts",
    "consumers",
    "deliveries",
    "delivery",
    "loops",
    "notices",
    "read_all_notices",
    "read_notice",
    "redeliver",
    "secret_of",
    "secret_text",
    "send_test",
    "signing",
    "webhook",
    "webhooks",
]
