"""Mastodon: one account on one server, by its REST API (docs.joinmastodon.org/methods/statuses).

Mastodon takes an `Idempotency-Key`, but keeps it only once the status is made, and for an hour. So an attempt in doubt
is looked up among the account's statuses first, by their source text.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import quote, urlsplit

import httpx2
import msgspec
from msgspec import Meta

from ventures.errors import Invalid
from ventures.posts.channels.answers import of_error, of_status
from ventures.posts.ports import CannotTell, Failed, Limits, Outgoing, Published, Unknown

CHARACTERS: Final = 500
LINK_CHARACTERS: Final = 23
"""What Mastodon counts for any link."""
PAGE: Final = 40
MOST_PAGES: Final = 3
CLOCKS_DIFFER: Final = timedelta(hours=1)
"""How far the server's clock may be from ours for a look-up to be trusted."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """server: its address, such as https://mastodon.social. characters: where the server allows more than 500."""

    server: Annotated[str, Meta(min_length=8, max_length=300)]
    visibility: Literal["public", "unlisted", "private"] = "public"
    language: Annotated[str, Meta(pattern="^[a-z]{2,3}$")] | None = None
    characters: Annotated[int, Meta(ge=1, le=20_000)] = CHARACTERS


class Credentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """access_token: of an application with the scopes read:accounts, read:statuses and write:statuses."""

    access_token: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[\x21-\x7e]+$")]


class _Status(msgspec.Struct, frozen=True):
    id: Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{1,100}$")]
    created_at: datetime
    url: str | None = None


class _Source(msgspec.Struct, frozen=True):
    id: str
    text: str


class _Account(msgspec.Struct, frozen=True):
    id: str


class _Problem(msgspec.Struct, frozen=True):
    error: str = ""


class Mastodon:
    """See `ports.Channel`."""

    kind: ClassVar[str] = "mastodon"
    takes_key: ClassVar[bool] = True
    looks_up: ClassVar[bool] = True

    def __init__(self, settings: Settings, credentials: Credentials, client: httpx2.AsyncClient) -> None:
        self._settings = settings
        self._client = client
        self._server = settings.server.rstrip("/")
        self._headers = {"Authorization": f"Bearer {credentials.access_token}"}

    @property
    def limits(self) -> Limits:
        return Limits(characters=self._settings.characters, link_characters=LINK_CHARACTERS)

    @property
    def address(self) -> str:
        return self._server

    async def publish(self, post: Outgoing, key: str) -> Published | Failed | Unknown:
        status: dict[str, str] = {"status": post.text, "visibility": self._settings.visibility}
        if self._settings.language is not None:
            status["language"] = self._settings.language
        try:
            response = await self._client.post(
                f"{self._server}/api/v1/statuses", headers={**self._headers, "Idempotency-Key": key}, json=status
            )
        except httpx2.TransportError as error:
            return of_error(error)
        if not response.is_success:
            return of_status(response, datetime.now(UTC), _said(response))
        try:
            made = msgspec.json.decode(response.content, type=_Status)
        except msgspec.MsgspecError:
            return Unknown(problem="The server's answer is no status of Mastodon.")
        return Published(external_id=made.id, url=_web(made.url))

    async def find(self, post: Outgoing, key: str) -> Published | CannotTell | None:
        try:
            return await self._looked_up(post)
        except (httpx2.HTTPError, msgspec.MsgspecError) as error:
            return CannotTell(problem=f"The look-up failed ({type(error).__name__}: {error}).")

    async def _looked_up(self, post: Outgoing) -> Published | CannotTell | None:
        account = await self._get("/api/v1/accounts/verify_credentials", {}, _Account)
        earliest = post.first_tried_at - CLOCKS_DIFFER
        page: dict[str, str] = {"limit": str(PAGE), "exclude_reblogs": "true"}
        for _ in range(MOST_PAGES):
            statuses = await self._get(f"/api/v1/accounts/{quote(account.id, '')}/statuses", page, list[_Status])
            for status in statuses:
                if status.created_at < earliest:
                    return None
                source = await self._get(f"/api/v1/statuses/{status.id}/source", {}, _Source)
                if _same(source.text, post.text):
                    return Published(external_id=status.id, url=_web(status.url))
            if len(statuses) < PAGE:
                return None
            page["max_id"] = statuses[-1].id
        return CannotTell(problem=f"The account has more than {PAGE * MOST_PAGES} statuses since the first attempt.")

    async def _get(self, path: str, query: dict[str, str], kind: Any) -> Any:
        response = await self._client.get(f"{self._server}{path}", params=query, headers=self._headers)
        response.raise_for_status()
        return msgspec.json.decode(response.content, type=kind)


def _same(theirs: str, ours: str) -> bool:
    """Servers strip a text and may end its lines another way."""
    return re.sub(r"\s+", " ", theirs).strip() == re.sub(r"\s+", " ", ours).strip()


def _said(response: httpx2.Response) -> str:
    try:
        return msgspec.json.decode(response.content, type=_Problem).error
    except msgspec.MsgspecError:
        return ""


def _web(url: str | None) -> str | None:
    return url if url is not None and url.startswith(("https://", "http://")) else None


def mastodon(settings: Mapping[str, Any], credentials: Mapping[str, str], client: httpx2.AsyncClient) -> Mastodon:
    """The factory. Raises: Invalid."""
    try:
        read = msgspec.convert(dict(settings), Settings)
    except msgspec.ValidationError as error:
        raise Invalid(f"The settings of a Mastodon channel: {error}.", fields={"settings": str(error)}) from None
    try:
        secrets = msgspec.convert(dict(credentials), Credentials)
    except msgspec.ValidationError as error:
        raise Invalid(
            "A Mastodon channel needs the credential access_token.", fields={"credentials": str(error)}
        ) from None
    try:
        parts = urlsplit(read.server)
    except ValueError:
        raise Invalid("server is no URL.", fields={"settings": "server is no URL"}) from None
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise Invalid("server is an address without a path.", fields={"settings": "server has a path"})
    return Mastodon(read, secrets, client)
