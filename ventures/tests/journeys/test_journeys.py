"""Journeys of people through the whole platform, over HTTP against the processes that `ventures serve` runs."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import struct
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import icalendar

from ventures.database import embedded
from ventures.testing.api import Caller
from ventures.testing.journeys import Person, Platform, eventually, good, refused
from ventures.testing.mastodon import mastodon
from ventures.testing.webhooks import receiver, verify

HAPPENED = [
    "ada tenancy.venture_founded",
    "ada tenancy.member_joined",
    "ada tenancy.invite_made",
    "bob tenancy.invite_accepted",
    "bob tenancy.member_joined",
    "ada tenancy.invite_made",
    "cleo tenancy.invite_accepted",
    "cleo tenancy.member_joined",
    "ada notifications.webhook_added",
    "ada posts.channel_connected",
    "bob content.item_drafted",
    "bob content.submitted_for_approval",
    "cleo content.changes_requested",
    "bob content.item_edited",
    "bob posts.post_drafted",
    "bob content.submitted_for_approval",
    "cleo content.item_approved",
    "ada planner.entry_put",
    "ada planner.feed_opened",
    "cleo posts.post_scheduled",
    "cleo planner.entry_put",
    "cleo content.item_scheduled",
    "system:publisher posts.publishing_began",
    "system:publisher posts.post_published",
    "system:publisher content.item_published",
]
"""On the way from sign-up to what is published: who, what."""


async def _log(person: Person, venture: str, after: int = 0) -> list[dict[str, Any]]:
    """Every event, page by page."""
    found, cursor = [], None
    while True:
        params = {"limit": 7, "after": after} | ({"cursor": cursor} if cursor else {})
        page = good(await person.get(f"{venture}/log", params=params))
        found += page["items"]
        if (cursor := page["next"]) is None:
            return found


def _types(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


async def _approved(venture: str, author: Person, approver: Person, title: str = "Bread") -> dict[str, Any]:
    """An item that was drafted, submitted and approved."""
    item = good(await author.post(f"{venture}/items", {"title": title, "body": "flour"}, key=uuid4().hex), 201)
    path = f"{venture}/items/{item['id']}"
    item = good(await author.post(f"{path}/submit", if_match=item["version"]))
    return dict(good(await approver.post(f"{path}/approve", {"note": "go"}, if_match=item["version"])))


async def _channel(person: Person, venture: str, url: str, token: str) -> str:
    body = {"kind": "mastodon", "name": "Ours", "settings": {"server": url}, "credentials": {"access_token": token}}
    made = good(await person.post(f"{venture}/channels", body, key=uuid4().hex), 201)
    assert token not in json.dumps(made)
    return str(made["id"])


async def test_from_sign_up_to_what_is_published(platform: Platform) -> None:
    ada, bob, cleo = [await platform.person(name) for name in ("Ada", "Bob", "Cleo")]
    venture = await ada.found()
    refused(await bob.get(venture), 404)
    await ada.takes_in(venture, bob, "author")
    await ada.takes_in(venture, cleo, "approver")
    assert [one["role"] for one in good(await bob.get("/v1/ventures"))["items"]] == ["author"]

    async with mastodon() as network, receiver() as hooks:
        hook = good(await ada.post(f"{venture}/webhooks", {"url": hooks.url, "types": ["*"]}, key="hook"), 201)
        heard_from = (await _log(ada, venture))[-1]["seq"]
        channel = await _channel(ada, venture, network.url, network.token)

        draft = {"title": "Bread", "body": "flour"}
        refused(await bob.post(f"{venture}/items", {**draft, "title": ""}), 422)
        item = good(await bob.post(f"{venture}/items", draft, key="draft"), 201)
        path = f"{venture}/items/{item['id']}"
        item = good(await bob.post(f"{path}/submit", if_match=item["version"]))
        refused(await bob.post(f"{path}/approve", {"note": "me!"}, if_match=item["version"]), 403)
        item = good(await cleo.post(f"{path}/request-changes", {"note": "add salt"}, if_match=item["version"]))
        item = good(await bob.patch(path, {"body": "flour, salt"}, if_match=item["version"]))

        post = good(
            await bob.post(f"{venture}/posts", {"item": item["id"], "channel": channel, "text": "New bread!"}), 201
        )
        on = f"{venture}/posts/{post['id']}"
        soon = {"at": (datetime.now(UTC) + timedelta(seconds=2)).isoformat()}
        assert "approved" in refused(await cleo.post(f"{on}/schedule", soon, if_match=post["version"]), 409)["detail"]

        item = good(await bob.post(f"{path}/submit", if_match=item["version"]))
        item = good(await cleo.post(f"{path}/approve", {"note": "lovely"}, if_match=item["version"]))
        assert (item["state"], item["number"]) == ("approved", 2)

        due = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
        deadline = good(await ada.put(f"{path}/deadline", {"starts_at": due.isoformat()}))
        feed = good(await ada.post(f"{venture}/calendar/feeds", {"label": "my phone"}), 201)["url"]
        shown = good(await bob.get(f"{venture}/calendar", params={"kind": "deadline"}))["items"]
        assert [(one["id"], one["item"], one["title"]) for one in shown] == [(deadline["id"], item["id"], "Bread")]

        refused(await bob.post(f"{on}/schedule", soon, if_match=post["version"]), 403)
        soon = {"at": (datetime.now(UTC) + timedelta(seconds=2)).isoformat()}
        post = good(await cleo.post(f"{on}/schedule", soon, if_match=post["version"]))
        assert (post["state"], post["number"]) == ("scheduled", 2)

        post = await eventually(lambda: _read(bob, on), lambda now: now["state"] == "published")
        assert network.texts == ["New bread!"]
        assert post["url"] == f"{network.url}/@ada/{network.statuses[0].id}"
        item = good(await bob.get(path))
        assert item["state"] == "published"
        refused(await bob.patch(path, {"body": "late"}, if_match=item["version"]), 409)
        await _in_the_feed(platform, feed, deadline["id"], due)

        events = await _log(ada, venture)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        who = {f"account:{person.account}": name for person, name in ((ada, "ada"), (bob, "bob"), (cleo, "cleo"))}
        assert [f"{who.get(event['actor'], event['actor'])} {event['type']}" for event in events] == HAPPENED

        wanted = {event["seq"] for event in events if event["seq"] > heard_from}
        await eventually(lambda: _heard(hooks.received), lambda seqs: wanted <= seqs)
        told = [verify(hook["secret"], one.headers, one.body, now=time.time()) for one in hooks.received]
        assert {one["data"]["seq"]: one["type"] for one in told} == {seq: _types(events)[seq - 1] for seq in wanted}

    await _counted(ada, venture)
    await _noticed(venture, ada, bob, cleo)
    audited = platform.serving.ventures("audit", venture.rpartition("/")[2], "--verify")
    assert audited.returncode == 0, audited.stderr
    assert "every hash follows" in audited.stderr
    assert "exactly the" in audited.stderr
    assert network.texts == ["New bread!"]


async def _read(person: Person, path: str) -> Any:
    return good(await person.get(path))


async def _heard(received: Sequence[Any]) -> set[int]:
    return {one.json["data"]["seq"] for one in received}


async def _in_the_feed(platform: Platform, url: str, entry: str, due: datetime) -> None:
    """For a calendar program, which is not signed in."""
    answer = await platform.client.get(urlsplit(url).path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/calendar")
    events = {str(event["uid"]): event for event in icalendar.Calendar.from_ical(answer.content).walk("VEVENT")}
    assert events[entry]["dtstart"].dt == due
    assert "Bread" in events[entry]["summary"]


async def _counted(ada: Person, venture: str) -> None:
    """By analytics and by billing, once each."""

    async def counts() -> dict[str, int]:
        found = good(await ada.get(f"{venture}/analytics"))
        return {f"{one['metric']}": one["total"] for one in found["counts"] if one["total"]}

    wanted = {
        "items_drafted": 1,
        "items_submitted": 2,
        "changes_requested": 1,
        "items_approved": 1,
        "items_published": 1,
        "posts_published": 1,
        "members_active": 3,
    }
    await eventually(counts, lambda found: found == wanted)

    async def usage() -> dict[str, int]:
        return {one["metric"]: one["used"] for one in good(await ada.get(f"{venture}/usage"))["items"]}

    await eventually(usage, lambda used: {"items": 1, "members": 3, "posts": 1}.items() <= used.items())


async def _noticed(venture: str, ada: Person, bob: Person, cleo: Person) -> None:
    wanted = (
        (ada, ["approval_asked", "approval_asked", "member_joined", "member_joined"]),
        (bob, ["approved", "changes_requested", "deadline_set", "published"]),
        (cleo, ["approval_asked", "approval_asked"]),
    )
    for person, kinds in wanted:

        async def told(person: Person = person) -> list[str]:
            return sorted(one["kind"] for one in good(await person.get(f"{venture}/notices"))["items"])

        await eventually(told, lambda found, kinds=kinds: found == kinds)  # type: ignore[misc]


async def test_an_edit_after_approval_unschedules_in_one_step(platform: Platform) -> None:
    ada = await platform.person("Ada")
    venture = await ada.found()
    async with mastodon() as network:
        channel = await _channel(ada, venture, network.url, network.token)
        item = await _approved(venture, ada, ada)
        new = {"item": item["id"], "channel": channel, "text": "New bread!"}
        post = good(await ada.post(f"{venture}/posts", new), 201)
        on = f"{venture}/posts/{post['id']}"
        later = {"at": (datetime.now(UTC) + timedelta(days=2)).isoformat()}
        good(await ada.post(f"{on}/schedule", later, if_match=post["version"]))
        item = good(await ada.get(f"{venture}/items/{item['id']}"))
        assert item["state"] == "scheduled"
        assert len(good(await ada.get(f"{venture}/calendar"))["items"]) == 1
        before = (await _log(ada, venture))[-1]["seq"]

        item = good(await ada.patch(f"{venture}/items/{item['id']}", {"body": "rye"}, if_match=item["version"]))
        assert (item["state"], item["number"]) == ("draft", 2)
        post = good(await ada.get(on))
        assert (post["state"], post["at"]) == ("draft", None)
        assert good(await ada.get(f"{venture}/calendar"))["items"] == []
        step = await _log(ada, venture, before)
        assert _types(step)[0] == "content.item_edited"
        assert {"content.approval_voided", "posts.post_unscheduled", "planner.entry_removed"} <= set(_types(step))
        assert {event["batch"] for event in step} == {before + 1}
        assert "approved" in refused(await ada.post(f"{on}/schedule", later, if_match=post["version"]), 409)["detail"]
        assert network.texts == []


async def test_a_changed_role_holds_at_once_in_every_process(platform: Platform) -> None:
    ada, bob = await platform.person("Ada"), await platform.person("Bob")
    venture = await ada.found()
    await ada.takes_in(venture, bob, "author")
    item = good(await bob.post(f"{venture}/items", {"title": "Bread"}), 201)
    item = good(await bob.post(f"{venture}/items/{item['id']}/submit", if_match=item["version"]))
    member = f"{venture}/members/{bob.account}"

    async def everywhere(path: str, body: dict[str, Any], status: int) -> None:
        """From connections of their own, which different processes take."""
        for _ in range(6):
            async with platform.serving.cookieless() as fresh:
                refused(await Person(fresh, bob.headers, account=bob.account).post(path, body), status)

    for role, drafts in (("viewer", 403), ("author", 422), ("viewer", 403)):
        now = good(await ada.get(member))
        good(await ada.patch(member, {"role": role}, if_match=now["version"]))
        await everywhere(f"{venture}/items", {"title": ""}, 422)
        if drafts == 403:
            await everywhere(f"{venture}/items", {"title": "More bread"}, 403)
    now = good(await ada.get(member))
    good(await ada.patch(member, {"role": "approver"}, if_match=now["version"]))
    assert "approve" in good(await bob.get(f"{venture}/permissions"))["allowed"]["content"]
    good(await bob.post(f"{venture}/items/{item['id']}/approve", if_match=item["version"]))
    now = good(await ada.get(member))
    good(await ada.delete(member, if_match=now["version"]), 204)
    refused(await bob.get(f"{venture}/items"), 404)


async def test_a_key_may_what_its_scopes_say_and_no_more(platform: Platform) -> None:
    ada = await platform.person("Ada")
    venture, other = await ada.found(), await ada.found("Brewery")
    body = {
        "label": "shop window",
        "scopes": ["content:view"],
        "venture": venture.rpartition("/")[2],
        "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
    }
    made = good(await ada.post("/v1/keys", body, key="key"), 201)
    robot = Caller(platform.client, {"Authorization": f"Bearer {made['token']}"})
    item = good(await ada.post(f"{venture}/items", {"title": "Bread"}), 201)
    assert [one["id"] for one in good(await robot.get(f"{venture}/items"))["items"]] == [item["id"]]
    refused(await robot.post(f"{venture}/items", {"title": "Spam"}), 403)
    refused(await robot.post(f"{venture}/items/{item['id']}/submit", if_match=item["version"]), 403)
    for path in ("posts", "calendar", "members", "log", "usage", "webhooks"):
        refused(await robot.get(f"{venture}/{path}"), 403)
    refused(await robot.get(f"{other}/items"), 404)
    refused(await robot.get("/v1/keys"), 403)
    good(await ada.delete(f"/v1/keys/{made['key']['id']}"), 204)
    refused(await robot.get(f"{venture}/items"), 401)


async def test_a_deleted_venture_is_nowhere_any_more(platform: Platform) -> None:
    ada, bob = await platform.person("Ada"), await platform.person("Bob")
    venture = await ada.found()
    await ada.takes_in(venture, bob, "author")
    item = good(await bob.post(f"{venture}/items", {"title": "Bread"}), 201)
    feed = good(await ada.post(f"{venture}/calendar/feeds", {"label": "my phone"}), 201)["url"]
    invite = good(await ada.post(f"{venture}/invites", {"role": "viewer"}), 201)["token"]
    feed = urlsplit(feed).path
    assert (await platform.client.get(feed)).status_code == 200
    good(await ada.delete(venture, if_match=good(await ada.get(venture))["version"]), 204)
    things = ("", "/items", f"/items/{item['id']}", "/posts", "/channels", "/calendar", "/members", "/log", "/notices")
    for person in (ada, bob):
        for thing in (*things, "/analytics", "/usage", "/subscription", "/webhooks", "/permissions", "/invites"):
            refused(await person.get(f"{venture}{thing}"), 404)
        refused(await person.post(f"{venture}/items", {"title": "Late"}), 404)
        assert good(await person.get("/v1/ventures"))["items"] == []
    refused(await platform.client.get(feed), 404)
    refused(await Caller(platform.client).get(f"/v1/invites/{invite}"), 404)
    assert platform.serving.ventures("audit", venture.rpartition("/")[2], "--verify").returncode == 0


async def test_of_two_who_edit_at_once_one_is_told_and_nothing_is_lost(platform: Platform) -> None:
    ada, bob = await platform.person("Ada"), await platform.person("Bob")
    venture = await ada.found()
    await ada.takes_in(venture, bob, "manager")
    item = good(await ada.post(f"{venture}/items", {"title": "Bread", "body": "flour"}), 201)
    path = f"{venture}/items/{item['id']}"
    for turn in range(5):
        seen = good(await ada.get(path))
        texts = {name: f"{seen['body']}, {name} {turn}" for name in ("ada", "bob")}
        answers = await asyncio.gather(
            ada.patch(path, {"body": texts["ada"]}, if_match=seen["version"]),
            bob.patch(path, {"body": texts["bob"]}, if_match=seen["version"]),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        late, name = (ada, "ada") if answers[0].status_code == 412 else (bob, "bob")
        seen = good(await late.get(path))
        good(await late.patch(path, {"body": f"{seen['body']}, {name} {turn}"}, if_match=seen["version"]))
    words = good(await ada.get(path))["body"].split(", ")
    assert sorted(words) == sorted(["flour", *(f"{name} {turn}" for name in ("ada", "bob") for turn in range(5))])
    assert good(await ada.get(path))["number"] == 11


async def test_a_request_whose_answer_was_lost_is_sent_again_under_its_key(platform: Platform) -> None:
    ada = await platform.person("Ada")
    venture = await ada.found()
    items = f"{venture}/items"
    body = {"title": "Bread", "body": "flour"}
    await asyncio.to_thread(_sent_and_hung_up, platform.serving.url, items, ada, body, "once")
    found = await eventually(lambda: _read(ada, items), lambda page: page["items"])
    again = await ada.post(items, body, key="once")
    assert good(again, 201)["id"] == found["items"][0]["id"]
    assert again.headers["idempotency-replayed"] == "true"
    refused(await ada.post(items, {**body, "title": "Cake"}, key="once"), 422)
    assert len(good(await ada.get(items))["items"]) == 1
    good(await ada.post(items, body), 201)  # without the key nobody could know
    assert len(good(await ada.get(items))["items"]) == 2


def _sent_and_hung_up(url: str, path: str, person: Person, body: dict[str, str], key: str) -> None:
    """A request whose sender is gone before the answer: the connection is reset."""
    content = json.dumps(body).encode()
    host = urlsplit(url).netloc
    headers = {**person.headers, "Host": host, "Content-Type": "application/json", "Idempotency-Key": key}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Content-Length": str(len(content))}.items())
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
        time.sleep(0.05)


async def test_while_the_database_is_away_nothing_is_acknowledged_and_lost(platform: Platform) -> None:
    """It is killed and kept from starting until requests were refused; then everything recovers by itself."""
    ada = await platform.person("Ada")
    venture = await ada.found()
    acknowledged: list[str] = []
    refusals: list[httpx2.Response] = []
    stop = asyncio.Event()

    async def write(writer: int) -> None:
        count = 0
        while not stop.is_set():
            title = f"{writer}-{count}"
            answer = await ada.post(f"{venture}/items", {"title": title}, key=title)
            if answer.status_code == 201:
                acknowledged.append(title)
                count += 1
            else:
                refusals.append(answer)

    async def acknowledges(more: int) -> None:
        wanted = len(acknowledged) + more
        await eventually(lambda: asyncio.sleep(0, len(acknowledged)), lambda count: count >= wanted)

    async with asyncio.TaskGroup() as group:
        for writer in range(3):
            group.create_task(write(writer))
        await acknowledges(6)
        with (platform.serving.data / "start.lock").open("a") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            server = embedded.running(platform.serving.data)
            assert server is not None
            os.kill(server, signal.SIGKILL)
            await eventually(lambda: asyncio.sleep(0, len(refusals)), lambda count: count >= 3)
        await acknowledges(6)
        stop.set()
    assert "WARNING" not in platform.serving.said  # VENTURES_LOG_LEVEL is error
    for answer in refusals:
        refused(answer, 503)
        assert int(answer.headers["retry-after"]) >= 1
    titles = [event["data"]["title"] for event in await _log(ada, venture) if event["type"] == "content.item_drafted"]
    assert sorted(titles) == sorted(acknowledged)
    assert platform.serving.ventures("audit", venture.rpartition("/")[2], "--verify").returncode == 0
