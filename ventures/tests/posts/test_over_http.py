"""Channels and posts over HTTP: who may do what, what is answered, what stays secret."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from ventures.database.roles import Addresses
from ventures.log.api import Runner
from ventures.posts import api as posts
from ventures.testing.api import Api, Caller, Person, api
from ventures.testing.mastodon import mastodon

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@dataclass
class Office:
    """A venture with a manager, an approver, an author and a viewer."""

    api: Api
    venture: UUID
    manager: Person
    approver: Person
    author: Person
    viewer: Person

    @property
    def path(self) -> str:
        return f"/v1/ventures/{self.venture}"

    async def item(self) -> str:
        """An approved one."""
        made = await self.author.post(f"{self.path}/items", {"title": "Tea", "body": "Oolong."})
        place = made.headers["Location"]
        sent = await self.author.post(f"{place}/submit", if_match=made.headers["ETag"])
        await self.approver.post(f"{place}/approve", if_match=sent.headers["ETag"])
        return made.json()["id"]

    async def sink(self) -> str:
        made = await self.manager.post(f"{self.path}/channels", {"kind": "sink", "name": "Nowhere"})
        assert made.status_code == 201, made.text
        return made.json()["id"]

    async def worked(self) -> None:
        """Outbox and publishers have done what is due."""
        platform = self.api.platform
        await Runner(platform.database, platform.registry, posts.consumers(), now=platform.now).caught_up()
        for loop in posts.loops(platform.spine, platform.settings):
            await loop.turn()


@asynccontextmanager
async def office(addresses: Addresses) -> AsyncIterator[Office]:
    async with api(addresses, webhook_networks=LOOPBACK) as opened:
        owner = await opened.person("Ada")
        venture = await owner.found("Tea")
        roles = [await opened.member(venture, role) for role in ("manager", "approver", "author", "viewer")]
        yield Office(opened, venture, *roles)


async def test_from_a_channel_to_a_status(database_addresses: Addresses) -> None:
    async with office(database_addresses) as here, mastodon() as server:
        wanted = {
            "kind": "mastodon",
            "name": "Our account",
            "settings": {"server": server.url},
            "credentials": {"access_token": server.token},
        }
        channel = await here.manager.post(f"{here.path}/channels", wanted, key="once")
        assert channel.status_code == 201, channel.text
        assert channel.json()["has_credentials"] is True
        assert (channel.json()["characters"], channel.json()["link_characters"]) == (500, 23)
        again = await here.manager.post(f"{here.path}/channels", wanted, key="once")
        assert again.json()["id"] == channel.json()["id"]
        assert server.token not in channel.text + (await here.viewer.get(channel.headers["Location"])).text

        item = await here.item()
        draft = {"item": item, "channel": channel.json()["id"], "text": "Oolong is half oxidised."}
        post = await here.author.post(f"{here.path}/posts", draft)
        assert (post.status_code, post.json()["state"], post.headers["ETag"]) == (201, "draft", '"1"'), post.text
        place = post.headers["Location"]
        edited = await here.author.patch(place, {"text": "Oolong, half oxidised."}, if_match=1)
        assert edited.headers["ETag"] == '"2"'

        at = (here.api.platform.now() + timedelta(hours=1)).isoformat()
        done = await here.approver.post(f"{place}/schedule", {"at": at, "zone": "Asia/Tokyo"}, if_match=2)
        assert (done.status_code, done.json()["state"], done.json()["number"]) == (200, "scheduled", 1), done.text
        calendar = (await here.viewer.get(f"{here.path}/calendar", params={"kind": "post"})).json()["items"]
        assert [(entry["post"], entry["title"], entry["zone"]) for entry in calendar] == [
            (post.json()["id"], "Tea", "Asia/Tokyo")
        ]
        refused = await here.author.patch(place, {"text": "No"}, if_match=3)
        assert (refused.status_code, "unschedule" in refused.json()["detail"]) == (409, True)

        await here.worked()
        assert server.texts == []
        here.api.clock.forward(timedelta(hours=1))
        await here.worked()
        assert server.texts == ["Oolong, half oxidised."]
        out = (await here.viewer.get(place)).json()
        assert (out["state"], out["url"], out["attempts"]) == ("published", f"{server.url}/@ada/110000", 1)
        assert (await here.viewer.get(f"{here.path}/items/{item}")).json()["state"] == "published"
        assert (await here.author.delete(place, if_match=out["version"])).status_code == 409
        assert await here.api.replays(here.venture)


async def test_who_may_do_what(database_addresses: Addresses) -> None:
    async with office(database_addresses) as here:
        sink = {"kind": "sink", "name": "Nowhere"}
        for person in (here.approver, here.author, here.viewer):
            assert (await person.post(f"{here.path}/channels", sink)).status_code == 403
            assert (await person.post(f"{here.path}/channels", {"kind": "none", "name": "x"})).status_code == 403
        channel, item = await here.sink(), await here.item()
        draft = {"item": item, "channel": channel, "text": "Hello"}
        assert (await here.viewer.post(f"{here.path}/posts", draft)).status_code == 403
        place = (await here.author.post(f"{here.path}/posts", draft)).headers["Location"]
        at = {"at": (here.api.platform.now() + timedelta(hours=1)).isoformat()}
        for person in (here.viewer, here.author):
            for verb, body in (("schedule", at), ("publish", None), ("unschedule", None), ("retry", None)):
                assert (await person.post(f"{place}/{verb}", body, if_match=1)).status_code == 403, verb
            assert (await person.post(f"{place}/resolve", {"published": True}, if_match=1)).status_code == 403
            assert (await person.delete(f"{here.path}/channels/{channel}", if_match=1)).status_code == 403
        assert (await here.author.get(place)).json()["version"] == 1
        assert (await here.approver.post(f"{place}/publish", if_match=1)).status_code == 200

        stranger = await here.api.person("Eve")
        for person, status in ((stranger, 404), (here.api.nobody, 401)):
            for path in (place, f"{here.path}/posts", f"{here.path}/channels", f"{here.path}/channels/{channel}"):
                assert (await person.get(path)).status_code == status
            assert (await person.post(f"{place}/publish", if_match=2)).status_code == status


async def test_channels_are_renamed_given_new_credentials_and_disconnected(database_addresses: Addresses) -> None:
    async with office(database_addresses) as here, mastodon() as server:
        wanted = {
            "kind": "mastodon",
            "name": "Ours",
            "settings": {"server": server.url},
            "credentials": {"access_token": "wrong"},
        }
        made = await here.manager.post(f"{here.path}/channels", wanted)
        place, channel = made.headers["Location"], made.json()["id"]
        renamed = await here.manager.patch(place, {"name": "The account"}, if_match=1)
        assert (renamed.json()["name"], renamed.headers["ETag"]) == ("The account", '"2"')
        assert (await here.manager.patch(place, {"name": "Late"}, if_match=1)).status_code == 412
        assert (await here.manager.patch(place, {"name": "Blind"})).status_code == 428

        draft = {"item": await here.item(), "channel": channel, "text": "Hello"}
        post = (await here.author.post(f"{here.path}/posts", draft)).headers["Location"]
        await here.approver.post(f"{post}/publish", if_match=1)
        await here.worked()
        failed = (await here.author.get(post)).json()
        assert (failed["state"], "401" in failed["problem"]) == ("failed", True)

        bad = await here.manager.put(f"{place}/credentials", {"credentials": {}}, if_match=2)
        assert (bad.status_code, bad.json()["errors"].keys()) == (422, {"credentials"})
        good = {"credentials": {"access_token": server.token}}
        assert (await here.approver.put(f"{place}/credentials", good, if_match=2)).status_code == 403
        assert (await here.manager.put(f"{place}/credentials", good, if_match=2)).headers["ETag"] == '"3"'
        assert (await here.approver.post(f"{post}/retry", if_match=failed["version"])).status_code == 200
        await here.worked()
        assert server.texts == ["Hello"]

        assert (await here.manager.delete(place, if_match=3)).status_code == 204
        assert (await here.viewer.get(place)).status_code == 404
        assert (await here.viewer.get(f"{here.path}/channels")).json()["items"] == []


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"kind": "carrier-pigeon"}, "kind"),
        ({"kind": "sink", "settings": {"characters": 0}}, "settings"),
        ({"kind": "mastodon", "settings": {"server": "https://example.org"}}, "credentials"),
        (
            {"kind": "mastodon", "settings": {"server": "https://10.0.0.1"}, "credentials": {"access_token": "x"}},
            "settings",
        ),
        ({"kind": "mastodon", "settings": {"server": "file:///etc"}, "credentials": {"access_token": "x"}}, "settings"),
        (
            {"kind": "webhook", "settings": {"url": "https://example.org"}, "credentials": {"secret": "short"}},
            "credentials",
        ),
    ],
)
async def test_a_channel_that_cannot_work_is_refused(database_addresses: Addresses, wanted: dict, field: str) -> None:
    async with office(database_addresses) as here:
        answer = await here.manager.post(f"{here.path}/channels", {"name": "No", **wanted})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"].keys() == {field}
        assert (await here.viewer.get(f"{here.path}/channels")).json()["items"] == []


async def test_posts_are_listed_by_item_state_and_channel_page_by_page(database_addresses: Addresses) -> None:
    async with office(database_addresses) as here:
        channels, items = [await here.sink(), await here.sink()], [await here.item(), await here.item()]
        made = []
        for number in range(5):
            draft = {"item": items[number % 2], "channel": channels[number // 3], "text": f"Post {number}"}
            made.append((await here.author.post(f"{here.path}/posts", draft)).json()["id"])
        await here.approver.post(f"{here.path}/posts/{made[4]}/publish", if_match=1)

        async def listed(caller: Caller, **params: str) -> list[str]:
            found, cursor = [], None
            while True:
                more = {} if cursor is None else {"cursor": cursor}
                answer = (await caller.get(f"{here.path}/posts", params={"limit": "2", **params, **more})).json()
                found += [post["id"] for post in answer["items"]]
                cursor = answer["next"]
                if cursor is None:
                    return found

        assert await listed(here.viewer) == made[::-1]
        assert await listed(here.viewer, item=items[0]) == [made[4], made[2], made[0]]
        assert await listed(here.viewer, channel=channels[1]) == [made[4], made[3]]
        assert await listed(here.viewer, state="scheduled") == [made[4]]
        assert await listed(here.viewer, state="draft", item=items[1]) == [made[3], made[1]]
        assert (await here.viewer.get(f"{here.path}/posts", params={"state": "lost"})).status_code == 422


async def test_what_belongs_to_another_venture_is_not_there(database_addresses: Addresses) -> None:
    async with office(database_addresses) as here:
        channel, item = await here.sink(), await here.item()
        other = await here.api.person("Eve")
        elsewhere = f"/v1/ventures/{await other.found('Elsewhere')}"
        foreign = (await other.post(f"{elsewhere}/channels", {"kind": "sink", "name": "Theirs"})).json()["id"]
        for draft in ({"item": item, "channel": foreign}, {"item": foreign, "channel": channel}):
            answer = await here.author.post(f"{here.path}/posts", {**draft, "text": "Hello"})
            assert answer.status_code == 404, answer.text
        assert (await here.manager.get(f"{here.path}/channels/{foreign}")).status_code == 404
        assert (await here.manager.delete(f"{here.path}/channels/{foreign}", if_match=1)).status_code == 404
