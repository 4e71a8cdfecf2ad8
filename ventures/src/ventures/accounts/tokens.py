"""Session tokens and API keys as text. Pure: text in, a digest and ids out.

A session's token is `<account>.<secret>`, an API key `vk_<account>_<key>_<secret>`. Ids are the 128 bits of the UUID
in 25 characters, secrets 256 random bits in 50, both in base 36 (digits and lower-case letters: no shell or URL needs
it quoted).
"""

import hashlib
import hmac
import re
import secrets
import string
from base64 import urlsafe_b64encode
from typing import Literal
from uuid import UUID

import msgspec

ALPHABET = string.digits + string.ascii_lowercase
ID_CHARACTERS = 25
SECRET_CHARACTERS = 50
SECRET_BITS = 256
CSRF_LABEL = b"ventures csrf 1"

_TOKEN = re.compile(r"(?:([0-9a-z]{25})\.|vk_([0-9a-z]{25})_([0-9a-z]{25})_)[0-9a-z]{50}")


class Presented(msgspec.Struct, frozen=True):
    """What a request carries, read but not yet believed: `digest` has to be looked up under `account`."""

    kind: Literal["session", "key"]
    account: UUID
    digest: bytes
    """SHA-256 of the whole token."""
    key: UUID | None
    csrf: str | None
    """What `X-CSRF-Token` must be where the token came in a cookie; None for a key."""


def new_session_token(account: UUID) -> str:
    return f"{short(account)}.{_new_secret()}"


def new_key_token(account: UUID, key: UUID) -> str:
    return f"{key_prefix(account, key)}_{_new_secret()}"


def key_prefix(account: UUID, key: UUID) -> str:
    """The part of an API key that is no secret: how its owner recognises it."""
    return f"vk_{short(account)}_{short(key)}"


def digest_of(token: str) -> bytes:
    """The 32 bytes that are kept. A fast digest is enough: a secret of 256 random bits cannot be guessed."""
    return hashlib.sha256(token.encode()).digest()


def csrf_token(session_token: str) -> str:
    """Bound to the session and of no use without its cookie; nothing of the session's token can be learned from it."""
    return urlsafe_b64encode(hmac.digest(session_token.encode(), CSRF_LABEL, "sha256")).rstrip(b"=").decode()


def csrf_matches(expected: str, given: str) -> bool:
    """In a time that does not depend on where they differ."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))


def parse_token(text: str) -> Presented | None:
    """None for whatever is no well-formed token; whether it is worth anything, only the database knows."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    of_session, of_key, key_text = match.groups()
    if of_session is not None:
        account = _id_of(of_session)
        return None if account is None else Presented("session", account, digest_of(text), None, csrf_token(text))
    account, key = _id_of(of_key), _id_of(key_text)
    return None if account is None or key is None else Presented("key", account, digest_of(text), key, None)


def short(identifier: UUID) -> str:
    """The id in 25 characters."""
    return _base36(identifier.int, ID_CHARACTERS)


def _id_of(text: str) -> UUID | None:
    number = int(text, 36)
    return UUID(int=number) if number < 1 << 128 else None


def _new_secret() -> str:
    return _base36(secrets.randbits(SECRET_BITS), SECRET_CHARACTERS)


def _base36(number: int, width: int) -> str:
    characters = []
    for _ in range(width):
        number, digit = divmod(number, 36)
        characters.append(ALPHABET[digit])
    return "".join(reversed(characters))
