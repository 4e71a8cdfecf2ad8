"""Deliveries to a real receiver on loopback: signed, at least once, and contained where it misbehaves."""

import asyncio
import hmac
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import httpx2
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from ventures.content import api as content
from ventures.database.roles import Addresses
from ventures.errors import Conflict, NotFound, Stale
from ventures.identifiers import new_id
from ventures.log.api import rewind
from ventures.notifications.api import (
    AddWebhook,
    ChangeWebhook,
    Deliverer,
    Deliveries,
    Delivery,
    Notices,
    RemoveWebhook,
    RotateWebhookSecret,
    attempts,
    deliveries,
    redeliver,
    secret_of,
    secret_text,
    send_test,
    signing,
    webhook,
)
from ventures.notifications.payload import SHOWN
from ventures.notifications.signing import signed_headers
from ventures.outbound import outbound_client
from ventures.testing.notifications import Stage
from ventures.testing.webhooks import NotOurs, Receiver, receiver, verify

KEY = b"k" * 32
LOOPBACK = (ip_network("127.0.0.0/8"),)
SPEC_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SPEC_ID, SPEC_AT, SPEC_BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SPEC_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
"""The example of the Standard Webhooks reference libraries."""


@pytest_asyncio.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as running:
        yield running


def deliverer(stage: Stage, networks: Sequence[Any] = LOOPBACK, timeout_seconds: float = 0.4) -> Deliverer:
    def client() -> httpx2.AsyncClient:
        return outbound_client(networks, timeout_seconds=timeout_seconds, most_answer_bytes=2**30)

    return Deliverer(stage.database, stage.spine, client, lambda: KEY, stage.watch)


async def added(stage: Stage, url: str, *types: str) -> UUID:
    return (await stage.do(stage.manager, AddWebhook(url=url, label="", types=types or ("content.*",)))).entity


async def sent(stage: Stage, by: Deliverer, turns: int = 1) -> None:
    """Deliveries are made, and what is due is tried."""
    await stage.read(Deliveries(stage.watch))
    for _ in range(turns):
        await by.turn()
        await by.idle()


async def listed(stage: Stage, of: UUID) -> list[Delivery]:
    async with stage.database.reading(stage.venture) as scope:
        return await deliveries(scope, of, state=None, before=None, limit=100)


async def secret(stage: Stage, of: UUID) -> str:
    async with stage.database.reading(stage.venture) as scope:
        known = await signing(scope, of)
    return secret_text(secret_of(KEY, stage.venture, of, known.secret_id))


async def change(stage: Stage, of: UUID, **fields: Any) -> None:
    async with stage.database.reading(stage.venture) as scope:
        version = (await webhook(scope, of)).version
    await stage.do(stage.manager, ChangeWebhook(webhook=of, version=version, **fields))


def test_the_reference_example_is_signed_and_verified() -> None:
    key = b64decode(SPEC_SECRET.removeprefix("whsec_"))
    headers = signed_headers(SPEC_ID, SPEC_BODY, datetime.fromtimestamp(SPEC_AT, UTC), [key])
    assert headers["webhook-signature"] == SPEC_SIGNATURE
    assert verify(SPEC_SECRET, headers, SPEC_BODY, now=SPEC_AT + 299) == {"test": 2432232314}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_another_implementation_makes_the_same_signature() -> None:
    body, at = "Grüße ✓".encode(), datetime(2026, 1, 1, tzinfo=UTC)
    headers = signed_headers("msg_1", body, at, [KEY])
    content_ = f"msg_1.{int(at.timestamp())}.".encode() + body
    made = subprocess.run(
        ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{KEY.hex()}", "-binary"],
        input=content_, capture_output=True, check=True,
    )  # fmt: skip
    assert headers["webhook-signature"] == f"v1,{b64encode(made.stdout).decode()}"


@given(st.binary(max_size=60), st.integers(0, 2**33), st.integers(0, 10_000))
def test_what_was_changed_or_is_old_is_not_ours(body: bytes, at: int, where: int) -> None:
    text = b'"' + b64encode(body) + b'"'
    headers = dict(signed_headers("msg_1", text, datetime.fromtimestamp(at, UTC), [b"1" * 32, KEY]))
    whsec = secret_text(KEY)
    assert verify(whsec, headers, text, now=at) == b64encode(body).decode()
    changed = bytearray(text)
    changed[where % len(text)] ^= 1
    with pytest.raises(NotOurs):
        verify(whsec, headers, bytes(changed), now=at)
    with pytest.raises(NotOurs):
        verify(secret_text(b"2" * 32), headers, text, now=at)
    with pytest.raises(NotOurs):
        verify(whsec, headers, text, now=at + 301)
    with pytest.raises(NotOurs):
        verify(whsec, {**headers, "webhook-id": "msg_2"}, text, now=at)
    for name in headers:
        with pytest.raises(NotOurs):
            verify(whsec, {key: value for key, value in headers.items() if key != name}, text, now=at)


async def test_what_happens_after_a_webhook_was_added_is_sent_signed_and_once(stage: Stage, there: Receiver) -> None:
    await stage.drafted(title="Before")
    hook = await added(stage, there.url)
    item = await stage.drafted(title="Oolong")
    await stage.do(stage.author, content.EditItem(item=item, version=1, body="A secret recipe."))
    by = deliverer(stage)
    await sent(stage, by, turns=3)
    messages = [verify(await secret(stage, hook), one.headers, one.body, now=stage.watch().timestamp())
                for one in there.received]  # fmt: skip
    assert sorted(message["type"] for message in messages) == ["content.item_drafted", "content.item_edited"]
    drafted = next(message for message in messages if message["type"] == "content.item_drafted")
    assert drafted["data"]["fact"] == {"title": "Oolong", "author": str(stage.author.account)}
    assert drafted["data"]["entity"] == str(item)
    assert not any(b"recipe" in one.body for one in there.received)
    assert {one.state for one in await listed(stage, hook)} == {"delivered"}
    assert await stage.rows("SELECT * FROM webhook_due WHERE venture = %(venture)s") == []

    await rewind(stage.database, Deliveries(stage.watch), stage.venture)
    stage.watch.move(60)
    await sent(stage, by, turns=2)
    for event in await stage.events():
        async with stage.database.venture(stage.venture) as scope:
            await Deliveries(stage.watch).handle(scope, event)
    await sent(stage, by)
    assert len(there.received) == 2
    assert await stage.replays()


async def test_a_webhook_is_sent_what_it_asked_for(stage: Stage, there: Receiver) -> None:
    await added(stage, there.url, "content.submitted_for_approval")
    await added(stage, there.url, "tenancy.*", "planner.*")
    everything = await added(stage, there.url, "*")
    await stage.submitted()
    await sent(stage, deliverer(stage), turns=3)
    assert sorted(one.json["type"] for one in there.received) == sorted(
        ["content.submitted_for_approval", "content.item_drafted", "content.submitted_for_approval"]
    )
    assert len(await listed(stage, everything)) == 2


async def test_what_failed_is_tried_again_under_the_same_id_for_a_day(stage: Stage, there: Receiver) -> None:
    hook = await added(stage, there.url)
    there.answers("500", "close", "hang", "500")
    await stage.drafted()
    by, start = deliverer(stage), stage.watch()
    await sent(stage, by, turns=3)  # only one attempt is due
    assert len(there.received) == 1
    for _ in range(40):
        (one,) = await listed(stage, hook)
        if one.next_at is None:
            break
        stage.watch.move((one.next_at - stage.watch()).total_seconds())
        await sent(stage, by)
    assert (one.state, one.attempts, one.status) == ("failed", 9, 500)
    assert timedelta(hours=20) < stage.watch() - start < timedelta(hours=28)
    assert len({hook.id for hook in there.received}) == 1
    assert len({hook.headers["webhook-timestamp"] for hook in there.received}) == 9
    async with stage.database.reading(stage.venture) as scope:
        last_first = await attempts(scope, one.id)
    assert [attempt.status for attempt in last_first][-3:] == [None, None, 500]
    assert last_first[0].answer == "oops"
    assert all(attempt.problem for attempt in last_first)

    there.answers("ok")
    async with stage.database.venture(stage.venture) as scope:
        assert (await redeliver(scope, hook, one.id, now=stage.watch())).state == "waiting"
    async with stage.database.venture(stage.venture) as scope:
        with pytest.raises(Conflict):
            await redeliver(scope, hook, one.id, now=stage.watch())
    await sent(stage, by)
    (one,) = await listed(stage, hook)
    assert (one.state, one.attempts, there.received[-1].id) == ("delivered", 10, there.received[0].id)


async def test_a_receiver_that_says_when_is_asked_then(stage: Stage, there: Receiver) -> None:
    hook = await added(stage, there.url)
    there.answers("slow-down")
    await stage.drafted()
    await sent(stage, deliverer(stage))
    (one,) = await listed(stage, hook)
    assert one.next_at == stage.watch() + timedelta(hours=2)


async def test_a_receiver_that_hangs_holds_up_nobody_else(stage: Stage, there: Receiver) -> None:
    by = deliverer(stage, timeout_seconds=2)
    async with receiver() as hanging:
        hanging.answers("hang")
        stuck, well = await added(stage, hanging.url), await added(stage, there.url)
        for _ in range(8):
            await stage.drafted()
        await stage.read(Deliveries(stage.watch))
        for _ in range(8):
            await by.turn()
            if len(there.received) == 8:
                break
        assert len(there.received) == 8
        assert hanging.most_open <= 2
        assert {one.state for one in await listed(stage, well)} == {"delivered"}
        assert {one.state for one in await listed(stage, stuck)} == {"waiting"}
        await by.idle()


async def test_floods_and_noise_are_kept_short(stage: Stage, there: Receiver) -> None:
    hook = await added(stage, there.url)
    there.answers("flood", "binary")
    for _ in range(2):
        await stage.drafted()
    await sent(stage, deliverer(stage), turns=2)
    for one in await listed(stage, hook):
        assert one.state == "delivered"
        async with stage.database.reading(stage.venture) as scope:
            (attempt,) = await attempts(scope, one.id)
        assert attempt.answer in ("x" * 1_000, "\ufffd\ufffd\ufffd!")


async def test_private_addresses_are_not_reached_by_url_nor_by_redirect(stage: Stage, there: Receiver) -> None:
    async with receiver() as inside:
        there.redirect_to = inside.url
        there.answers("redirect")
        by_redirect = await added(stage, there.url)
        await stage.drafted()
        await sent(stage, deliverer(stage))
        await change(stage, by_redirect, enabled=False)
        by_url = await added(stage, inside.url.replace("http", "https"))
        await stage.drafted()
        await sent(stage, deliverer(stage, networks=()))
        assert inside.received == []
    (redirected,) = await listed(stage, by_redirect)
    assert (redirected.status, redirected.problem) == (302, "answered 302, a redirect, which is not followed")
    (refused,) = await listed(stage, by_url)
    assert refused.status is None
    assert refused.problem is not None
    assert refused.problem.startswith("refused")


async def test_a_rotated_secret_signs_beside_the_one_before_for_a_day(stage: Stage, there: Receiver) -> None:
    hook = await added(stage, there.url)
    before = await secret(stage, hook)
    await stage.do(stage.manager, RotateWebhookSecret(webhook=hook, version=1))
    after = await secret(stage, hook)
    assert before != after
    with pytest.raises(Stale):
        await stage.do(stage.manager, RotateWebhookSecret(webhook=hook, version=1))
    for hours, ours in ((0, {before, after}), (24, {after})):
        stage.watch.move(timedelta(hours=hours).total_seconds())
        await stage.drafted()
        await sent(stage, deliverer(stage))
        request = there.received[-1]
        assert len(request.headers["webhook-signature"].split()) == len(ours)
        for one in (before, after):
            if one in ours:
                verify(one, request.headers, request.body, now=stage.watch().timestamp())
            else:
                with pytest.raises(NotOurs):
                    verify(one, request.headers, request.body, now=stage.watch().timestamp())


@pytest.mark.parametrize("behaviour", ["410", "500"])
async def test_an_address_that_is_gone_is_disabled_and_managers_are_told(
    stage: Stage, there: Receiver, behaviour: Any
) -> None:
    hook = await added(stage, there.url)
    there.answers(behaviour)
    await stage.drafted()
    await sent(stage, deliverer(stage))
    if behaviour == "500":
        stage.watch.move(timedelta(days=3, seconds=-1).total_seconds())
        await stage.drafted()
        await sent(stage, deliverer(stage), turns=2)
        async with stage.database.reading(stage.venture) as scope:
            assert (await webhook(scope, hook)).enabled
        stage.watch.move(60)
        await sent(stage, deliverer(stage))
    async with stage.database.reading(stage.venture) as scope:
        found = await webhook(scope, hook)
    assert not found.enabled
    assert found.disabled_why is not None
    await stage.read(Notices())
    assert (
        (await stage.kinds_told(stage.owner))[-1] == (await stage.kinds_told(stage.manager))[-1] == "webhook_disabled"
    )
    assert "webhook_disabled" not in await stage.kinds_told(stage.author)

    seen = len(there.received)
    await stage.drafted()
    stage.watch.move(3_600)
    await sent(stage, deliverer(stage), turns=2)
    assert len(there.received) == seen
    there.answers("500", "ok")
    await change(stage, hook, enabled=True)
    await stage.drafted()
    await sent(stage, deliverer(stage))  # a failure right after it was enabled again is the first one
    async with stage.database.reading(stage.venture) as scope:
        found = await webhook(scope, hook)
    assert (found.enabled, found.disabled_why) == (True, None)
    assert await stage.replays()


async def test_a_webhook_that_keeps_failing_is_left_alone_for_a_while(stage: Stage, there: Receiver) -> None:
    hook = await added(stage, there.url)
    there.answers("500")
    for _ in range(30):
        await stage.drafted()
    by = deliverer(stage)
    await sent(stage, by, turns=15)
    assert 5 <= len(there.received) <= 8
    there.answers("ok")
    stage.watch.move(301)
    await sent(stage, by, turns=20)
    assert {one.state for one in await listed(stage, hook)} == {"delivered"}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_process_that_dies_while_it_sends_leaves_the_delivery_to_be_tried_again(
    stage: Stage, there: Receiver, when: str
) -> None:
    hook = await added(stage, there.url)
    await stage.drafted()
    await stage.read(Deliveries(stage.watch))

    class Killed(BaseException):
        """As if the process were gone."""

    class Dying(Deliverer):
        async def _sent(self, job: Any) -> Any:
            if when == "after":
                await super()._sent(job)
            raise Killed

    dying = Dying(stage.database, stage.spine, deliverer(stage).client, lambda: KEY, stage.watch)
    (due,) = await stage.rows("SELECT delivery FROM webhook_due WHERE venture = %(venture)s")
    with pytest.raises(Killed):
        await dying._deliver(stage.venture, due[0])
    await sent(stage, deliverer(stage))
    assert len(there.received) == (1 if when == "after" else 0)  # its lease has not run out
    stage.watch.move(61)
    await sent(stage, deliverer(stage))
    (one,) = await listed(stage, hook)
    assert (one.state, one.attempts) == ("delivered", 2)
    assert len({request.id for request in there.received}) == 1


async def test_several_processes_send_each_delivery_once(stage: Stage, there: Receiver) -> None:
    await added(stage, there.url)
    for _ in range(12):
        await stage.drafted()
    await stage.read(Deliveries(stage.watch))
    several = [deliverer(stage, timeout_seconds=5) for _ in range(3)]
    for _ in range(8):
        await asyncio.gather(*(one.turn() for one in several))
    for one in several:
        await one.idle()
    assert len(there.received) == len({request.id for request in there.received}) == 12


async def test_a_test_message_is_sent_once_and_to_a_disabled_webhook_too(stage: Stage, there: Receiver) -> None:
    hook = await added(stage, there.url)
    await change(stage, hook, enabled=False)
    there.answers("500")
    async with stage.database.venture(stage.venture) as scope:
        await send_test(scope, hook, new_id=new_id, now=stage.watch())
    by = deliverer(stage)
    await sent(stage, by, turns=2)
    (one,) = await listed(stage, hook)
    assert (one.state, one.seq, one.attempts) == ("failed", None, 1)
    assert there.received[0].json["type"] == "notifications.test"


async def test_what_waits_for_a_removed_webhook_is_not_sent(stage: Stage, there: Receiver) -> None:
    hook = await added(stage, there.url)
    await stage.drafted()
    await stage.read(Deliveries(stage.watch))
    await stage.do(stage.manager, RemoveWebhook(webhook=hook, version=1))
    await sent(stage, deliverer(stage), turns=2)
    assert there.received == []
    (row,) = await stage.rows("SELECT state FROM webhook_delivery WHERE venture = %(venture)s")
    assert row == ("cancelled",)
    with pytest.raises(NotFound):
        await listed(stage, hook)


async def test_no_secret_stands_in_the_database(stage: Stage, there: Receiver, database_addresses: Addresses) -> None:
    hook = await added(stage, there.url)
    await stage.drafted()
    await sent(stage, deliverer(stage))
    whsec = await secret(stage, hook)
    raw = b64decode(whsec.removeprefix("whsec_"))
    tables = await stage.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'regional' AND %(venture)s IS NOT NULL"
    )
    for (table,) in tables:
        rows = repr(await stage.rows("SELECT * FROM " + table + " WHERE venture = %(venture)s"))
        assert whsec not in rows
        assert whsec.removeprefix("whsec_") not in rows
        assert raw.hex() not in rows
        assert repr(raw)[2:-1] not in rows


def test_secrets_differ_by_everything_they_are_made_of() -> None:
    one, two = UUID(int=1), UUID(int=2)
    made = [secret_of(KEY, one, one, one), secret_of(b"x" * 32, one, one, one)]
    made += [secret_of(KEY, *ids) for ids in ((two, one, one), (one, two, one), (one, one, two))]
    assert len({*made}) == 5
    assert all(len(secret_) == 32 for secret_ in made)
    assert not any(hmac.compare_digest(secret_, KEY) for secret_ in made)


def test_no_text_of_people_is_among_what_is_shown() -> None:
    assert not SHOWN & {"body", "text", "note", "why", "problem", "digest", "credentials", "settings", "secret_id"}
