"""Credentials of channels: encrypted at rest, outside the log, in no answer of the API."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ventures.database.scope import Scope
from ventures.errors import VenturesError
from ventures.posts import sql

PURPOSE: Final = "channel credentials"
"""The name of the key in `Settings.key`."""
NONCE_BYTES: Final = 12


class CredentialsUnreadable(VenturesError):
    """Credentials were kept under another secret, or for another channel."""


def sealed(key: bytes, venture: UUID, channel: UUID, credentials: Mapping[str, str]) -> bytes:
    """AES-256-GCM under a 32-byte key, bound to the channel."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, msgspec.json.encode(credentials), venture.bytes + channel.bytes)


def unsealed(key: bytes, venture: UUID, channel: UUID, kept: bytes) -> dict[str, str]:
    """Raises: CredentialsUnreadable."""
    try:
        plain = AESGCM(key).decrypt(kept[:NONCE_BYTES], kept[NONCE_BYTES:], venture.bytes + channel.bytes)
    except (InvalidTag, ValueError):
        raise CredentialsUnreadable(
            "The channel's credentials cannot be read with this VENTURES_SECRET: give the channel its credentials anew."
        ) from None
    return msgspec.json.decode(plain, type=dict[str, str])


async def keep(scope: Scope, key: bytes, channel: UUID, credentials: Mapping[str, str], at: datetime) -> None:
    """Replaces what was kept of this channel; does nothing where it was disconnected meanwhile."""
    await scope.run(
        sql.KEEP_CREDENTIALS, channel=channel, sealed=sealed(key, scope.venture, channel, credentials), at=at
    )


async def kept(scope: Scope, key: bytes, channel: UUID) -> dict[str, str]:
    """Nothing where none were kept. Raises: CredentialsUnreadable."""
    row = await scope.one(sql.CREDENTIALS, channel=channel)
    return {} if row is None else unsealed(key, scope.venture, channel, row[0])
