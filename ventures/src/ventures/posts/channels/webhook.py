"""Webhook: a post as a signed request to an address (standardwebhooks.com).

The receiver drops what it has had: `webhook-id` and `Idempotency-Key` are the same in all attempts of a post.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

import httpx2
import msgspec
from msgspec import Meta

from ventures.errors import Invalid
from ventures.posts.channels.answers import of_error, of_status
from ventures.posts.ports import CannotTell, Failed, Limits, Outgoing, Published, Unknown

CHARACTERS: Final = 20_000
PREFIX: Final = "whsec_"
SECRET_BYTES: Final = range(24, 65)
"""As Standard Webhooks has it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: where the request goes; members see it, so it is no secret. characters: the most its receiver takes."""

    url: Annotated[str, Meta(min_length=8, max_length=2_000)]
    characters: Annotated[int, Meta(ge=1, le=CHARACTERS)] = CHARACTERS


class Credentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """secret: `whsec_` and 24 to 64 random bytes in base64; the receiver has the same."""

    secret: Annotated[str, Meta(min_length=1, max_length=200)]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The body of the request."""

    type: str = "post.published"
    timestamp: datetime
    data: "Data"


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """`data` of the body."""

    venture: UUID
    post: UUID
    item: UUID
    text: str


class _Receipt(msgspec.Struct, frozen=True):
    id: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    url: Annotated[str, Meta(pattern="^https?://", max_length=2_000)] | None = None


class Webhook:
    """See `ports.Channel`. A receiver may answer `{"id": …, "url": …}` to say what it made of the post."""

    kind: ClassVar[str] = "webhook"
    takes_key: ClassVar[bool] = True
    looks_up: ClassVar[bool] = False

    def __init__(
        self, settings: Settings, secret: bytes, client: httpx2.AsyncClient, now: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._secret = secret
        self._client = client
        self._now = now

    @property
    def limits(self) -> Limits:
        return Limits(characters=self._settings.characters)

    @property
    def address(self) -> str:
        return self._settings.url

    async def publish(self, post: Outgoing, key: str) -> Published | Failed | Unknown:
        now = self._now()
        data = Data(venture=post.venture, post=post.post, item=post.item, text=post.text)
        body = msgspec.json.encode(Message(timestamp=now, data=data))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            **signed(self._secret, key, now, body),
        }
        try:
            response = await self._client.post(self._settings.url, content=body, headers=headers)
        except httpx2.TransportError as error:
            return of_error(error)
        if not response.is_success:
            return of_status(response, now)
        try:
            receipt = msgspec.json.decode(response.content, type=_Receipt)
        except msgspec.MsgspecError:
            receipt = _Receipt()
        return Published(external_id=receipt.id or key, url=receipt.url)

    async def find(self, post: Outgoing, key: str) -> Published | CannotTell | None:
        return CannotTell(problem="A webhook cannot be asked what it has had.")


def signed(secret: bytes, identifier: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks, signature v1 (HMAC-SHA256)."""
    timestamp = str(int(at.timestamp()))
    signature = hmac.digest(secret, f"{identifier}.{timestamp}.".encode() + body, sha256)
    return {
        "webhook-id": identifier,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def webhook(settings: Mapping[str, Any], credentials: Mapping[str, str], client: httpx2.AsyncClient) -> Webhook:
    """The factory. Raises: Invalid."""
    try:
        read = msgspec.convert(dict(settings), Settings)
    except msgspec.ValidationError as error:
        raise Invalid(f"The settings of a webhook: {error}.", fields={"settings": str(error)}) from None
    try:
        text = msgspec.convert(dict(credentials), Credentials).secret
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (msgspec.ValidationError, binascii.Error, ValueError):
        secret = b""
    if len(secret) not in SECRET_BYTES:
        raise Invalid(
            "A webhook needs the credential secret: whsec_ and 24 to 64 random bytes in base64. Make one with: "
            "echo whsec_$(openssl rand -base64 32)",
            fields={"credentials": "secret is missing or malformed"},
        )
    return Webhook(read, secret, client, lambda: datetime.now(UTC))
