"""Webhooks' secrets and signatures, after Standard Webhooks 1.0 (standardwebhooks.com). Pure.

No secret is stored. Each is derived from the installation's own (`Settings.key("webhooks")`) and an id that the
webhook's events carry, so it stands neither in the log nor in the database. A new VENTURES_SECRET makes all of them
new.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from ventures.notifications.records import Signing

PREFIX: Final = "whsec_"
TWO_SECRETS: Final = timedelta(hours=24)
"""How long the secret before a rotation signs beside the new one."""


def secret_of(key: bytes, venture: UUID, webhook: UUID, secret_id: UUID) -> bytes:
    """A webhook's secret, 32 bytes."""
    return hmac.digest(key, b"webhook\0" + venture.bytes + webhook.bytes + secret_id.bytes, sha256)


def secret_text(secret: bytes) -> str:
    """As receivers are given it: "whsec_" and base64."""
    return PREFIX + b64encode(secret).decode()


def secrets_of(key: bytes, venture: UUID, webhook: UUID, signing: Signing, now: datetime) -> list[bytes]:
    """The secrets that sign now, the present one first."""
    found = [secret_of(key, venture, webhook, signing.secret_id)]
    if (
        signing.previous_secret_id is not None
        and signing.rotated_at is not None
        and now < signing.rotated_at + TWO_SECRETS
    ):
        found.append(secret_of(key, venture, webhook, signing.previous_secret_id))
    return found


def message_id(delivery: UUID) -> str:
    """What a receiver tells repetitions by."""
    return f"msg_{delivery.hex}"


def signed_headers(message: str, body: bytes, at: datetime, secrets: Sequence[bytes]) -> Mapping[str, str]:
    """The three headers of a request; signature = base64(HMAC-SHA256(secret, id "." timestamp "." body))."""
    timestamp = str(int(at.timestamp()))
    content = f"{message}.{timestamp}.".encode() + body
    signatures = (b64encode(hmac.digest(secret, content, sha256)).decode() for secret in secrets)
    return {
        "webhook-id": message,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
