"""People at front ends: they use a real `ventures serve` through HTTP alone.

async with served.cookieless() as client:
    platform = Platform(served, client)
    ada, bob = await platform.person("Ada"), await platform.person("Bob")
    venture = await ada.found()                                   # its path
    await ada.takes_in(venture, bob, "author")
    item = good(await bob.post(f"{venture}/items", {"title": "Bread"}), 201)
    refused(await bob.post(f"{venture}/items/{item['id']}/approve", if_match=item["version"]), 403)
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import httpx2

from ventures.testing.api import Caller
from ventures.testing.serving import Serving

T = TypeVar("T")
PASSWORD = "correct horse battery staple"  # noqa: S105  a password of people who do not exist
PATIENCE_SECONDS = 90.0
"""Only so that a fault ends the test instead of hanging it."""


@dataclass
class Person(Caller):
    """Somebody at a front end of their own, signed in."""

    account: str = field(kw_only=True)

    async def found(self, name: str = "Bakery") -> str:
        """A new venture of theirs; its path."""
        body = {"name": name, "zone": "Europe/Berlin", "display_name": "Ada"}
        return f"/v1/ventures/{good(await self.post('/v1/ventures', body, key=uuid4().hex), 201)['id']}"

    async def takes_in(self, venture: str, other: "Person", role: str) -> None:
        """The other joins by an invitation with this role."""
        made = good(await self.post(f"{venture}/invites", {"role": role, "label": "by journey"}, key="i" + role), 201)
        offer = good(await Caller(other.client).get(f"/v1/invites/{made['token']}"))
        assert (offer["role"], offer["open"]) == (role, True)
        accept = f"/v1/invites/{made['token']}/accept"
        joined = good(await other.post(accept, {"display_name": role.capitalize()}, key="accept"))
        assert joined["role"] == role
        assert good(await other.post(accept, {"display_name": role.capitalize()}, key="accept"))["role"] == role


@dataclass
class Platform:
    """The running platform and a client without cookies of its own."""

    serving: Serving
    client: httpx2.AsyncClient

    async def person(self, name: str) -> Person:
        """Somebody new, who signs up and in."""
        known = {"email": f"{uuid4().hex}@example.org", "password": PASSWORD}
        nobody = Caller(self.client)
        good(await nobody.post("/v1/accounts", {**known, "name": name}), 201)
        answer = await nobody.post("/v1/sessions", known)
        opened = good(answer, 201)
        headers = {"Cookie": answer.headers["set-cookie"].partition(";")[0], "X-CSRF-Token": opened["csrf_token"]}
        person = Person(self.client, headers, account=opened["account"])
        assert good(await person.get("/v1/me"))["name"] == name
        return person


def good(answer: httpx2.Response, status: int = 200) -> Any:
    """The body of an answer with this status."""
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.text}"
    return answer.json() if answer.content else None


def refused(answer: httpx2.Response, status: int) -> Any:
    """The problem document of a refusal with this status."""
    problem = good(answer, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["detail"]
    return problem


async def eventually(fetch: Callable[[], Awaitable[T]], there: Callable[[T], object]) -> T:
    """What `fetch` gives once it is as wanted. Raises: AssertionError with what it was at last."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while not there(found := await fetch()):
        assert asyncio.get_running_loop().time() < deadline, found
        await asyncio.sleep(0.1)
    return found
