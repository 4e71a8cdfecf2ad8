"""The token of an invitation: `vi_` and 64 characters (base64url) of the venture's id and 256 random bits.

It is shown once. The digest alone is kept, so that nobody who reads the database or the log can join with it.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Final
from uuid import UUID

import msgspec

PREFIX: Final = "vi_"
SECRET_BYTES: Final = 32
CHARACTERS: Final = (16 + SECRET_BYTES) * 4 // 3


class Token(msgspec.Struct, frozen=True):
    """Where an invitation is looked up."""

    venture: UUID
    digest: bytes


def new_token(venture: UUID, secret: bytes | None = None) -> str:
    """A new token for the venture. secret: 32 bytes that cannot be guessed, where they are not to be random."""
    return PREFIX + urlsafe_b64encode(venture.bytes + (secret or secrets.token_bytes(SECRET_BYTES))).decode()


def digest_of(token: str) -> bytes:
    """SHA-256: enough for a secret that cannot be guessed."""
    return sha256(token.encode()).digest()


def parse_token(text: str) -> Token | None:
    """None for what is no token of this form; whether it is worth anything, only the database knows."""
    body = text.removeprefix(PREFIX)
    if len(body) != CHARACTERS or body == text or not body.isascii():
        return None
    try:
        content = urlsafe_b64decode(body)
    except ValueError:
        return None
    if len(content) != 16 + SECRET_BYTES or PREFIX + urlsafe_b64encode(content).decode() != text:
        return None
    return Token(UUID(bytes=content[:16]), digest_of(text))
