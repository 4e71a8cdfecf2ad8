"""A channel of ventures for boards: servers that keep a note under a key of the writer's (`PUT /notes/KEY`).

Putting a note twice under one key leaves one, and `GET /notes/KEY` says whether it is there.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

import httpx2
import msgspec
from msgspec import Meta

from ventures.errors import Invalid
from ventures.posts.channels.answers import of_error, of_status
from ventures.posts.ports import CannotTell, Failed, Limits, Outgoing, Published, Unknown


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """server: the board's address. characters: the most a note may have."""

    server: Annotated[str, Meta(min_length=8, max_length=300)]
    characters: Annotated[int, Meta(ge=1, le=20_000)] = 1_000


class Credentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """token: what the board knows the writer by."""

    token: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[\x21-\x7e]+$")]


class Board:
    """See `ventures.posts.ports.Channel`."""

    kind: ClassVar[str] = "board"
    takes_key: ClassVar[bool] = True
    looks_up: ClassVar[bool] = True

    def __init__(self, settings: Settings, credentials: Credentials, client: httpx2.AsyncClient) -> None:
        self._settings = settings
        self._client = client
        self._headers = {"Authorization": f"Bearer {credentials.token}"}

    @property
    def limits(self) -> Limits:
        return Limits(characters=self._settings.characters)

    @property
    def address(self) -> str:
        return self._settings.server

    async def publish(self, post: Outgoing, key: str) -> Published | Failed | Unknown:
        place = self._place(key)
        try:
            response = await self._client.put(place, headers=self._headers, json={"text": post.text})
        except httpx2.TransportError as error:
            return of_error(error)
        if not response.is_success:
            return of_status(response, datetime.now(UTC))
        return Published(external_id=key, url=place)

    async def find(self, post: Outgoing, key: str) -> Published | CannotTell | None:
        place = self._place(key)
        try:
            response = await self._client.get(place, headers=self._headers)
        except httpx2.TransportError as error:
            return CannotTell(problem=f"The look-up failed ({type(error).__name__}).")
        if response.status_code == httpx2.codes.NOT_FOUND:
            return None
        if not response.is_success:
            return CannotTell(problem=f"The look-up was answered with {response.status_code}.")
        return Published(external_id=key, url=place)

    def _place(self, key: str) -> str:
        return f"{self._settings.server.rstrip('/')}/notes/{quote(key, '')}"


def board(settings: Mapping[str, Any], credentials: Mapping[str, str], client: httpx2.AsyncClient) -> Board:
    """The factory. Raises: Invalid."""
    try:
        read = msgspec.convert(dict(settings), Settings)
    except msgspec.ValidationError as error:
        raise Invalid(f"The settings of a board: {error}.", fields={"settings": str(error)}) from None
    try:
        secrets = msgspec.convert(dict(credentials), Credentials)
    except msgspec.ValidationError as error:
        raise Invalid("A board needs the credential token.", fields={"credentials": str(error)}) from None
    return Board(read, secrets, client)
