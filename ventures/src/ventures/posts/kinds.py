"""The kinds of channel that are installed: entry points of the group `ventures.channels`."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import httpx2
import msgspec

from ventures.errors import Invalid
from ventures.outbound import Network, outbound_client, require_callable
from ventures.posts.ports import Channel, Factory, Limits

GROUP = "ventures.channels"


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of a channel that can be connected."""

    limits: Limits


@cache
def factories() -> Mapping[str, Factory]:
    """By kind."""
    return {entry.name: entry.load() for entry in entry_points(group=GROUP)}


def made(kind: str, settings: Mapping[str, Any], credentials: Mapping[str, str], client: httpx2.AsyncClient) -> Channel:
    """A channel to call. Raises: Invalid."""
    factory = factories().get(kind)
    if factory is None:
        known = ", ".join(sorted(factories())) or "none"
        raise Invalid(f"There is no kind of channel “{kind}”; there is {known}.", fields={"kind": "unknown"})
    return factory(settings, credentials, client)


async def tried(
    kind: str, settings: Mapping[str, Any], credentials: Mapping[str, str], networks: Sequence[Network]
) -> Ready:
    """Whether such a channel could be called, without calling it. Raises: Invalid."""
    async with outbound_client(networks) as client:
        channel = made(kind, settings, credentials, client)
        if channel.address is not None:
            require_callable(channel.address, networks, field="settings")
        return Ready(limits=channel.limits)
