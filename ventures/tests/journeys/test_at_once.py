"""Requests that meet each other, or end too early, against the processes that `ventures serve` runs."""

import asyncio
import json
import random
import socket
import struct
from typing import Any
from urllib.parse import urlsplit

from ventures.testing.journeys import Person, Platform, good
from ventures.testing.serving import Serving

AT_ONCE = 12


async def _at_once(served: Serving, person: Person, path: str, body: Any, key: str) -> list[dict[str, Any]]:
    """The same request from many connections, which the processes share."""

    async def one() -> dict[str, Any]:
        async with served.cookieless() as client:
            other = Person(client, person.headers, account=person.account)
            return dict(good(await other.post(path, body, key=key), 201))

    return await asyncio.gather(*(one() for _ in range(AT_ONCE)))


async def test_one_key_in_many_requests_at_once_is_carried_out_once(platform: Platform) -> None:
    ada = await platform.person("Ada")
    founded = await _at_once(platform.serving, ada, "/v1/ventures", {"name": "Bakery", "display_name": "Ada"}, "found")
    assert len({one["id"] for one in founded}) == 1
    assert len(good(await ada.get("/v1/ventures"))["items"]) == 1
    venture = f"/v1/ventures/{founded[0]['id']}"
    drafted = await _at_once(platform.serving, ada, f"{venture}/items", {"title": "Bread"}, "draft")
    assert len({one["id"] for one in drafted}) == 1
    assert len(good(await ada.get(f"{venture}/items"))["items"]) == 1
    types = [event["type"] for event in good(await ada.get(f"{venture}/log"))["items"]]
    assert types == ["tenancy.venture_founded", "tenancy.member_joined", "content.item_drafted"]


async def test_who_hangs_up_at_any_moment_leaves_nothing_half_done(platform: Platform) -> None:
    """Each of these requests is carried out or not, and the connections to the database stay good."""
    ada = await platform.person("Ada")
    venture = await ada.found()
    chance = random.Random(7)
    titles = [f"{number}" for number in range(80)]
    await asyncio.gather(*(_hung_up(platform, venture, ada, title, chance.uniform(0, 0.03)) for title in titles))
    for _ in range(40):
        assert isinstance(good(await ada.get(f"{venture}/items"))["items"], list)
    answers = [good(await ada.post(f"{venture}/items", {"title": title}, key=title), 201) for title in titles]
    assert [one["title"] for one in answers] == titles
    drafted = [
        event["data"]["title"]
        for event in good(await ada.get(f"{venture}/log", params={"limit": 100}))["items"]
        if event["type"] == "content.item_drafted"
    ]
    assert sorted(drafted) == sorted(titles)
    assert platform.serving.ventures("audit", venture.rpartition("/")[2], "--verify").returncode == 0


async def _hung_up(platform: Platform, venture: str, person: Person, title: str, seconds: float) -> None:
    content = json.dumps({"title": title}).encode()
    where = urlsplit(platform.serving.url)
    headers = {
        **person.headers,
        "Host": where.netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        "Idempotency-Key": title,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.write(f"POST {venture}/items HTTP/1.1\r\n{head}\r\n".encode() + content)
    await asyncio.sleep(seconds)
    writer.transport.abort()
