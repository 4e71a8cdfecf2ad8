"""Every channel of the platform keeps the contract, over real HTTP; their settings are checked."""

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from ventures.errors import Invalid
from ventures.outbound import outbound_client
from ventures.posts.channels.answers import retry_after_seconds
from ventures.posts.channels.mastodon import mastodon as mastodon_channel
from ventures.posts.channels.sink import sink
from ventures.posts.channels.webhook import webhook
from ventures.posts.kinds import factories
from ventures.posts.ports import CannotTell, Channel, Failed, Outgoing, Published, Unknown
from ventures.testing.channels import CONTRACT, Law, Subject, outgoing, receiver
from ventures.testing.mastodon import mastodon
from ventures.testing.posts import FACTORIES

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
QUICK = 0.3


@asynccontextmanager
async def on_mastodon() -> AsyncIterator[Subject]:
    async with mastodon() as server, outbound_client(LOOPBACK, timeout_seconds=QUICK) as client:
        channel = mastodon_channel({"server": server.url}, {"access_token": server.token}, client)
        yield Subject(channel, lambda: server.texts, server.faults.append)


@asynccontextmanager
async def on_webhook() -> AsyncIterator[Subject]:
    async with receiver() as found, outbound_client(LOOPBACK, timeout_seconds=QUICK) as client:
        channel = webhook({"url": found.url}, {"secret": SECRET}, client)
        yield Subject(channel, lambda: list(found.taken.values()), found.faults.append)


@asynccontextmanager
async def on_sink() -> AsyncIterator[Subject]:
    async with outbound_client() as client:
        kept: dict[str, str] = {}
        channel = sink({}, {}, client)
        publish = channel.publish

        async def listening(post: Outgoing, key: str) -> Published | Failed | Unknown:
            kept.setdefault(key, post.text)
            return await publish(post, key)

        channel.publish = listening  # type: ignore[method-assign]  # a sink shows nobody what it had
        yield Subject(channel, lambda: list(kept.values()))


class Letterbox:
    """A channel with neither key nor look-up."""

    kind = "letterbox"
    takes_key = False
    looks_up = False
    address = None

    def __init__(self, inner: Channel) -> None:
        self.inner = inner
        self.limits = inner.limits
        self.sent = 0

    async def publish(self, post: Outgoing, key: str) -> Published | Failed | Unknown:
        self.sent += 1
        return await self.inner.publish(post, f"{key}-{self.sent}")

    async def find(self, post: Outgoing, key: str) -> Published | CannotTell | None:
        return CannotTell(problem="there is no way to ask")


@asynccontextmanager
async def on_letterbox() -> AsyncIterator[Subject]:
    async with on_webhook() as subject:
        yield Subject(Letterbox(subject.channel), subject.out, subject.fail)


def test_the_platforms_own_enter_by_the_door_of_all() -> None:
    assert {kind: factories()[kind] for kind in FACTORIES} == FACTORIES


@pytest.mark.parametrize("open_subject", [on_mastodon, on_webhook, on_sink, on_letterbox])
@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
async def test_the_contract(law: Law, open_subject) -> None:
    async with open_subject() as subject:
        await law(subject)


async def test_a_webhook_is_signed_as_the_standard_says() -> None:
    async with receiver() as found, outbound_client(LOOPBACK) as client:
        post = outgoing("Signed")
        await webhook({"url": found.url}, {"secret": SECRET}, client).publish(post, str(post.post))
        (request,) = found.requests
        headers = request.headers
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
        expected = base64.b64encode(hmac.new(b"s" * 32, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert headers["webhook-id"] == headers["idempotency-key"] == str(post.post)


async def test_mastodon_gets_what_was_set() -> None:
    async with mastodon() as server, outbound_client(LOOPBACK) as client:
        settings = {"server": server.url, "visibility": "unlisted", "language": "de", "characters": 5_000}
        channel = mastodon_channel(settings, {"access_token": server.token}, client)
        assert (channel.limits.characters, channel.limits.link_characters) == (5_000, 23)
        result = await channel.publish(outgoing(), "key")
        assert isinstance(result, Published)
        assert result.url == f"{server.url}/@ada/{result.external_id}"
        assert server.statuses[0].visibility == "unlisted"


async def test_mastodon_looks_no_further_than_the_first_attempt_and_says_when_it_cannot_tell() -> None:
    async with mastodon() as server, outbound_client(LOOPBACK) as client:
        channel = mastodon_channel({"server": server.url}, {"access_token": server.token}, client)
        await channel.publish(outgoing("Old"), "key")
        later = outgoing("Old", at=datetime.now(UTC) + timedelta(hours=2))
        assert await channel.find(later, "key") is None
        for number in range(130):
            await channel.publish(outgoing(f"{number}"), f"key-{number}")
        assert isinstance(await channel.find(outgoing("Old"), "key"), CannotTell)
        server.unreadable = True
        assert isinstance(await channel.find(outgoing("129"), "key"), CannotTell)


async def test_a_wrong_token_is_told_and_not_tried_again() -> None:
    async with mastodon() as server, outbound_client(LOOPBACK) as client:
        channel = mastodon_channel({"server": server.url}, {"access_token": "wrong"}, client)
        result = await channel.publish(outgoing(), "key")
        assert result == Failed(problem="The server answered 401 (The access token is invalid).")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "Thu, 01 Jan 2026 00:01:00 GMT"}, 60.0),
        ({"Retry-After": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0.0),
        ({"X-RateLimit-Reset": "2026-01-01T00:05:00.000Z"}, 300.0),
        ({"Retry-After": "Thu, 01 Jan 2026 00:01:00 GMT", "Date": "Thu, 01 Jan 2026 00:00:30 GMT"}, 30.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    response = httpx2.Response(429, headers=headers)
    assert retry_after_seconds(response, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("factory", "settings", "credentials"),
    [
        (mastodon_channel, {}, {"access_token": "x"}),
        (mastodon_channel, {"server": "https://example.org"}, {}),
        (mastodon_channel, {"server": "https://example.org"}, {"access_token": "with space"}),
        (mastodon_channel, {"server": "https://example.org/path"}, {"access_token": "x"}),
        (mastodon_channel, {"server": "https://example.org", "visibility": "direct"}, {"access_token": "x"}),
        (mastodon_channel, {"server": "https://example.org", "more": 1}, {"access_token": "x"}),
        (webhook, {"url": "https://example.org"}, {}),
        (webhook, {"url": "https://example.org"}, {"secret": "whsec_c2hvcnQ="}),
        (webhook, {"url": "https://example.org"}, {"secret": "whsec_?"}),
        (webhook, {}, {"secret": SECRET}),
        (sink, {"characters": 0}, {}),
        (sink, {}, {"password": "x"}),
    ],
)
async def test_wrong_settings_are_refused(factory, settings: dict, credentials: dict) -> None:
    async with outbound_client() as client:
        with pytest.raises(Invalid) as refused:
            factory(settings, credentials, client)
    assert refused.value.fields
