"""Notices and webhooks over HTTP: whose they are, who may, and what is refused."""

from contextlib import AbstractAsyncContextManager
from ipaddress import ip_network
from uuid import UUID, uuid4

from ventures.content import api as content
from ventures.database.roles import Addresses
from ventures.log.api import Actor, Runner
from ventures.notifications.api import consumers, loops
from ventures.testing.api import Api, Person, api
from ventures.testing.webhooks import receiver, verify


def reaching_loopback(addresses: Addresses) -> AbstractAsyncContextManager[Api]:
    return api(addresses, webhook_networks=(ip_network("127.0.0.0/8"),))


async def caught_up(running: Api) -> None:
    platform = running.platform
    made = consumers(platform.now)
    await Runner(platform.database, platform.registry, made, now=platform.now).caught_up()


async def submitted(running: Api, venture: UUID, author: Person) -> UUID:
    platform, actor = running.platform, Actor(account=author.account)
    item = (await platform.spine.append(venture, content.DraftItem(title="Oolong"), actor=actor)).entity
    await platform.spine.append(venture, content.SubmitItem(item=item, version=1), actor=actor)
    return item


async def test_notices_are_ones_own_paged_and_read(database_addresses: Addresses) -> None:
    async with reaching_loopback(database_addresses) as running:
        ada = await running.person("Ada")
        venture = await ada.found()
        author = await running.member(venture, "author")
        items = [await submitted(running, venture, author) for _ in range(3)]
        await caught_up(running)
        path = f"/v1/ventures/{venture}/notices"

        asked = [one for one in (await ada.get(path)).json()["items"] if one["kind"] == "approval_asked"]
        assert [one["item"] for one in asked] == [str(item) for item in reversed(items)]
        assert (asked[0]["title"], asked[0]["by"], asked[0]["by_name"]) == ("Oolong", str(author.account), "Author")
        assert (await author.get(path)).json()["items"] == []

        first = (await ada.get(path, params={"limit": 2})).json()
        rest = (await ada.get(path, params={"limit": 2, "cursor": first["next"]})).json()
        assert [one["seq"] for one in first["items"] + rest["items"]] == [
            one["seq"] for one in (await ada.get(path)).json()["items"]
        ]

        seq = asked[0]["seq"]
        assert (await author.post(f"{path}/{seq}/read")).status_code == 404
        once = await ada.post(f"{path}/{seq}/read")
        assert once.status_code == 200, once.text
        assert (await ada.post(f"{path}/{seq}/read")).json() == once.json()
        assert once.json()["read_at"] is not None
        assert seq not in [one["seq"] for one in (await ada.get(path, params={"unread": True})).json()["items"]]

        assert (await ada.post(f"{path}/read-all", {"up_to": asked[1]["seq"]})).status_code == 204
        assert (await ada.get(path, params={"unread": True})).json()["items"] == []
        await submitted(running, venture, author)
        await caught_up(running)
        (unread,) = (await ada.get(path, params={"unread": True})).json()["items"]
        assert unread["read_at"] is None
        assert (await ada.post(f"{path}/read-all", {})).status_code == 204
        assert (await ada.get(path, params={"unread": True})).json()["items"] == []


async def test_a_key_shows_notices_of_the_features_it_may_view(database_addresses: Addresses) -> None:
    async with reaching_loopback(database_addresses) as running:
        ada = await running.person("Ada")
        venture = await ada.found()
        author = await running.member(venture, "author")
        await submitted(running, venture, author)
        await caught_up(running)
        path = f"/v1/ventures/{venture}/notices"
        key = await ada.with_key({"notifications:view", "tenancy:view"}, venture)
        shown = (await key.get(path)).json()["items"]
        assert {one["feature"] for one in shown} == {"tenancy"}
        (hidden,) = [one for one in (await ada.get(path)).json()["items"] if one["feature"] == "content"]
        assert (await key.post(f"{path}/{hidden['seq']}/read")).status_code == 404
        assert (await (await ada.with_key({"content:view"}, venture)).get(path)).status_code == 403


async def test_a_webhook_from_its_making_to_its_removal(database_addresses: Addresses) -> None:
    async with reaching_loopback(database_addresses) as running:
        ada = await running.person("Ada")
        venture = await ada.found()
        path = f"/v1/ventures/{venture}/webhooks"
        async with receiver() as there:
            answer = await ada.post(path, {"url": there.url, "types": ["content.*"]}, key="once")
            assert answer.status_code == 201, answer.text
            assert answer.headers["Cache-Control"] == "no-store"
            secret, made = answer.json()["secret"], answer.json()["webhook"]
            assert (
                await ada.post(path, {"url": there.url, "types": ["content.*"]}, key="once")
            ).json() == answer.json()
            one = answer.headers["Location"]
            assert (await ada.get(one)).json() == made
            assert "secret" not in (await ada.get(one)).text.replace("two_secrets_until", "")
            assert [hook["id"] for hook in (await ada.get(path)).json()["items"]] == [made["id"]]

            assert (await ada.patch(one, {"label": "x"})).status_code == 428
            assert (await ada.patch(one, {"label": "x"}, if_match=9)).status_code == 412
            changed = await ada.patch(one, {"label": "Ours"}, if_match=answer.headers["ETag"])
            assert (changed.status_code, changed.json()["label"], changed.json()["types"]) == (
                200,
                "Ours",
                ["content.*"],
            )

            tried = await ada.post(f"{one}/test")
            assert tried.status_code == 202, tried.text
            author = await running.member(venture, "author")
            await submitted(running, venture, author)
            await caught_up(running)
            platform = running.platform
            (deliver, *_) = loops(platform.spine, platform.settings)
            for _ in range(3):
                await deliver.turn()
            assert len(there.received) == 3
            for hook in there.received:
                verify(secret, hook.headers, hook.body, now=platform.now().timestamp())
            page = (await ada.get(f"{one}/deliveries", params={"limit": 2})).json()
            assert len(page["items"]) == 2
            last = (await ada.get(f"{one}/deliveries", params={"limit": 2, "cursor": page["next"]})).json()
            assert [delivery["id"] for delivery in last["items"]] == [tried.json()["id"]]
            assert (await ada.get(f"{one}/deliveries", params={"state": "failed"})).json()["items"] == []
            found = await ada.get(f"{one}/deliveries/{tried.json()['id']}")
            assert [(attempt["status"], attempt["answer"]) for attempt in found.json()["attempts"]] == [(200, "ok")]
            again = await ada.post(f"{one}/deliveries/{page['items'][0]['id']}/redeliver")
            assert again.status_code == 202, again.text
            await deliver.turn()
            assert len(there.received) == 4

        rotated = await ada.post(f"{one}/rotate", if_match=changed.headers["ETag"])
        assert rotated.status_code == 200, rotated.text
        assert rotated.json()["secret"] != secret
        assert rotated.json()["webhook"]["two_secrets_until"] is not None
        assert (await ada.delete(one, if_match=changed.headers["ETag"])).status_code == 412
        assert (await ada.delete(one, if_match=rotated.headers["ETag"])).status_code == 204
        for where in (one, f"{one}/deliveries"):
            assert (await ada.get(where)).status_code == 404
        assert (await ada.post(f"{one}/test")).status_code == 404
        assert await running.replays(venture)


WRONG: tuple[dict[str, object], ...] = (
    {"url": "https://10.0.0.1/"},
    {"url": "http://example.org/"},
    {"url": "https://user:word@example.org/"},
    {"url": "ftp://example.org/"},
    {"url": "https://example.org/" + "x" * 2_000},
    {"url": "https://example.org/", "types": []},
    {"url": "https://example.org/", "types": ["content.no_such"]},
    {"url": "https://example.org/", "types": ["nothing.*"]},
    {"url": "https://example.org/", "types": ["*.item_drafted"]},
    {"url": "https://example.org/", "secret": "mine"},
    {"label": "x"},
)


async def test_a_webhook_that_cannot_be_right_is_refused(database_addresses: Addresses) -> None:
    async with api(database_addresses) as running:
        ada = await running.person("Ada")
        venture = await ada.found()
        made = await ada.post(f"/v1/ventures/{venture}/webhooks", {"url": "https://example.org/"})
        for body in WRONG:
            answer = await ada.post(f"/v1/ventures/{venture}/webhooks", body)
            assert answer.status_code in (400, 422), (body, answer.text)
            assert answer.headers["Content-Type"].startswith("application/problem+json")
            if "url" in body:
                answer = await ada.patch(made.headers["Location"], body, if_match=1)
                assert answer.status_code in (400, 422), (body, answer.text)
        (only,) = (await ada.get(f"/v1/ventures/{venture}/webhooks")).json()["items"]
        assert only["version"] == 1


async def test_only_who_manages_sees_webhooks_and_nobody_those_of_others(database_addresses: Addresses) -> None:
    async with reaching_loopback(database_addresses) as running:
        ada, eve = await running.person("Ada"), await running.person("Eve")
        venture, other = await ada.found(), await eve.found()
        author = await running.member(venture, "author")
        path = f"/v1/ventures/{venture}/webhooks"
        one = (await ada.post(path, {"url": "https://example.org/"})).headers["Location"]
        for who, status in ((author, 403), (eve, 404), (running.nobody, 401)):
            assert (await who.get(path)).status_code == status
            assert (await who.get(one)).status_code == status
            assert (await who.get(f"{one}/deliveries")).status_code == status
            assert (await who.post(f"{one}/test")).status_code == status
            assert (await who.post(f"{one}/rotate", if_match=1)).status_code == status
            assert (await who.post(f"{one}/deliveries/{uuid4()}/redeliver")).status_code == status
            assert (await who.delete(one, if_match=1)).status_code == status
        foreign = one.replace(str(venture), str(other))
        assert (await eve.get(foreign)).status_code == 404
        assert (await eve.post(f"{foreign}/test")).status_code == 404
        assert (await eve.delete(foreign, if_match=1)).status_code == 404
        assert (await ada.get(one)).status_code == 200
