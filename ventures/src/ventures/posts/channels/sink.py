"""Sink: takes every post and sends it nowhere, to try approval and the calendar without an account anywhere."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import httpx2
import msgspec
from msgspec import Meta

from ventures.errors import Invalid
from ventures.posts.ports import CannotTell, Failed, Limits, Outgoing, Published, Unknown


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """characters: the most a post may have."""

    characters: Annotated[int, Meta(ge=1, le=20_000)] = 20_000


class Sink:
    """See `ports.Channel`."""

    kind: ClassVar[str] = "sink"
    takes_key: ClassVar[bool] = True
    looks_up: ClassVar[bool] = False
    address: ClassVar[None] = None

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def limits(self) -> Limits:
        return Limits(characters=self._settings.characters)

    async def publish(self, post: Outgoing, key: str) -> Published | Failed | Unknown:
        return Published(external_id=key)

    async def find(self, post: Outgoing, key: str) -> Published | CannotTell | None:
        return CannotTell(problem="A sink keeps nothing.")


def sink(settings: Mapping[str, Any], credentials: Mapping[str, str], client: httpx2.AsyncClient) -> Sink:
    """The factory. Raises: Invalid."""
    try:
        read = msgspec.convert(dict(settings), Settings)
    except msgspec.ValidationError as error:
        raise Invalid(f"The settings of a sink: {error}.", fields={"settings": str(error)}) from None
    if credentials:
        raise Invalid("A sink needs no credentials.", fields={"credentials": "must be empty"})
    return Sink(read)
