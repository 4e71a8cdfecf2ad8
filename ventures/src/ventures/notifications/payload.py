"""What a webhook is sent of an event: who, what, when, and the fields that `SHOWN` names. Pure.

A field that is not named there stays at home: texts of people, digests of tokens, credentials. The receiver asks the
API for what it needs, with a key of its own.
"""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from ventures.log.api import Event

SHOWN: Final = frozenset(
    {
        "at", "attempt", "author", "by", "channel", "comment", "deadline_at", "enabled", "ends_at", "ends_on",
        "external_id", "invite", "item", "kind", "number", "post", "published", "retry_at", "role", "starts_at",
        "starts_on", "subject", "title", "types", "url", "zone",
    }
)  # fmt: skip
"""Names of facts' fields: ids, numbers, times, words of ours, titles and public addresses."""
KEPT_BACK: Final = frozenset({("notifications.webhook_added", "url"), ("notifications.webhook_changed", "url")})
"""One receiver is not told another's address."""
TEST_TYPE: Final = "notifications.test"


def payload(event: Event) -> bytes:
    """The body, JSON: `type`, `timestamp`, and `data` with the event's envelope and the shown fields of its fact."""
    fact: dict[str, Any] = msgspec.to_builtins(event.data)
    shown = {
        name: value
        for name, value in fact.items()
        if name in SHOWN and value is not None and (event.type, name) not in KEPT_BACK
    }
    return _body(
        event.type,
        event.at,
        {
            "venture": event.venture,
            "epoch": event.epoch,
            "seq": event.seq,
            "entity": event.entity,
            "actor": event.actor,
            "batch": event.batch,
            "cause": event.cause,
            "fact": shown,
        },
    )


def test_payload(venture: UUID, at: datetime) -> bytes:
    """The body of a test message."""
    return _body(TEST_TYPE, at, {"venture": venture})


def _body(kind: str, at: datetime, data: dict[str, Any]) -> bytes:
    timestamp = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode({"type": kind, "timestamp": timestamp, "data": data})
