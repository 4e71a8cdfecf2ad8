"""The API in the test's own process, and people who use it.

    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")                 # signed up and in: session cookie, CSRF token
        venture = await ada.found("Ada's venture")             # she is its owner
        bob = await platform_api.member(venture, "author")     # a person with this role
        answer = await bob.post(f"/v1/ventures/{venture}/items", {"title": "…"}, key="once")
        assert answer.status_code == 201, answer.text
        await bob.patch(answer.headers["Location"], {"title": "!"}, if_match=answer.headers["ETag"])
        robot = await ada.with_key({"content:view"}, venture)  # the same, by API key
        await platform_api.caught_up()                         # all consumers have read all logs
        platform_api.clock.forward(timedelta(days=2))
        assert await platform_api.replays(venture)             # the law of the log, and its hash chain

`platform_api.platform` is the open `Platform` (database, spine, …). Nothing listens; requests run in the test's loop.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast
from uuid import UUID

import httpx2
import msgspec
from argon2 import Parameters, Type
from litestar import Litestar

from ventures.accounts import api as accounts
from ventures.database.roles import Addresses
from ventures.http.app import create
from ventures.http.authentication import COOKIE, CSRF_HEADER
from ventures.log.api import Actor, Runner, replay, verify_chain
from ventures.settings import Settings, read
from ventures.tenancy import api as tenancy
from ventures.wiring import Platform, open_platform

PASSWORD = "correct horse battery"  # noqa: S105  a password of people who do not exist
CHEAP = Parameters(Type.ID, 19, 16, 32, 1, 8, 1)
"""argon2id that takes microseconds, for people whose passwords nobody guesses."""
BASE_URL = "http://127.0.0.1"
NO_COOKIES = DefaultCookiePolicy(allowed_domains=[])  # each caller carries their own


class Clock:
    """The time as the platform under test sees it: the real one, moved on by what the test says."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def forward(self, by: timedelta) -> None:
        """That much later from now on."""
        self._ahead += by


def settings_for(addresses: Addresses, **changes: Any) -> Settings:
    """Settings of a platform on a test's database; `changes` by field name."""
    settings = read({"DATABASE_URL": addresses.app, "VENTURES_SECRET": "x" * 43, "VENTURES_PLANS": "practice"})
    given = {"rate_limit_per_minute": 1_000_000, "database_connections": 4, **changes}
    return msgspec.structs.replace(settings, **given)


@dataclass
class Caller:
    """Somebody, or nobody, who makes requests; `headers` go with each of them."""

    client: httpx2.AsyncClient
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        if_match: str | int | None = None,
        key: str | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """One request. body: whatever msgspec makes JSON of. if_match: an ETag, or a version. key: Idempotency-Key."""
        sent = dict(self.headers)
        if if_match is not None:
            sent["If-Match"] = if_match if isinstance(if_match, str) else f'"{if_match}"'
        if key is not None:
            sent["Idempotency-Key"] = key
        content = None
        if body is not None:
            content, sent["Content-Type"] = msgspec.json.encode(body), "application/json"
        sent.update(headers or {})
        return await self.client.request(method, path, content=content, headers=sent, params=params)

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        return await self.send("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        return await self.send("POST", path, body, **options)

    async def put(self, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        return await self.send("PUT", path, body, **options)

    async def patch(self, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        return await self.send("PATCH", path, body, **options)

    async def delete(self, path: str, **options: Any) -> httpx2.Response:
        return await self.send("DELETE", path, **options)


@dataclass
class Person(Caller):
    """A person who is signed in; as `with_key` gives one, the person's API key."""

    platform: Platform = field(kw_only=True)
    account: UUID = field(kw_only=True)
    email: str = field(kw_only=True)

    async def found(self, name: str = "A venture", zone: str = "Europe/Berlin") -> UUID:
        """A new venture whose owner this is."""
        answer = await self.post("/v1/ventures", {"name": name, "zone": zone, "display_name": "Founder"})
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])

    async def with_key(self, scopes: Iterable[str], venture: UUID | None = None) -> "Person":
        """The same person by a new API key, limited to the scopes and, where one is given, to one venture."""
        platform = self.platform
        async with platform.database.everywhere() as scope:
            made = await accounts.make_key(
                scope,
                account=self.account,
                label="test",
                venture=venture,
                scopes=scopes,
                expires_at=platform.now() + timedelta(days=30),
                now=platform.now(),
                new_id=platform.new_id,
            )
        headers = {"Authorization": f"Bearer {made.token}"}
        return Person(self.client, headers, platform=platform, account=self.account, email=self.email)


@dataclass
class Api:
    """The API and the platform under it."""

    app: Litestar
    platform: Platform
    client: httpx2.AsyncClient
    clock: Clock

    @property
    def nobody(self) -> Caller:
        """Who is not signed in."""
        return Caller(self.client)

    async def person(self, name: str = "Ada") -> Person:
        """A new person, signed up and in."""
        platform, passwords = self.platform, accounts.Passwords(CHEAP)
        email = f"{platform.new_id().hex}@example.org"
        known: dict[str, Any] = {"email": email, "password": PASSWORD, "now": platform.now(), "new_id": platform.new_id}
        made = await accounts.sign_up(platform.database, passwords, name=name, **known)
        opened = await accounts.sign_in(
            platform.database, passwords, address="127.0.0.1", device="test", lasts=timedelta(days=30), **known
        )
        headers = {"Cookie": f"{COOKIE}={opened.token}", CSRF_HEADER: opened.csrf}
        return Person(self.client, headers, platform=platform, account=made.id, email=email)

    async def member(self, venture: UUID, role: tenancy.Role, name: str = "Bob") -> Person:
        """A new person who has joined the venture, by an invitation, with this role."""
        person = await self.person(name)
        await self.join(person, venture, role)
        return person

    async def join(self, person: Person, venture: UUID, role: tenancy.Role) -> None:
        """The person joins the venture, by an invitation, with this role."""
        token = tenancy.new_token(venture)
        offer = tenancy.MakeInvite(digest=tenancy.digest_of(token), role=role)
        await self.platform.spine.append(venture, offer, actor=Actor(system="test"))
        accept = tenancy.AcceptInvite(digest=tenancy.digest_of(token), display_name=role.capitalize())
        await self.platform.spine.append(venture, accept, actor=Actor(account=person.account))

    async def caught_up(self) -> None:
        """Returns when every consumer has read every log to its end."""
        platform = self.platform
        await Runner(platform.database, platform.registry, platform.consumers, now=platform.now).caught_up()

    async def replays(self, venture: UUID) -> bool:
        """Whether replaying the venture's log gives its state, row by row, and its hash chain holds."""
        done = await replay(self.platform.database, self.platform.registry, venture)
        assert done.same, done.differences
        async with self.platform.database.venture(venture) as scope:
            fault = await verify_chain(scope)
        assert fault is None, fault
        return True


@asynccontextmanager
async def api(addresses: Addresses, **changes: Any) -> AsyncIterator[Api]:
    """The API on a test's database. changes: settings, by field name (`rate_limit_per_minute=5`)."""
    settings, clock = settings_for(addresses, **changes), Clock()
    app = create(settings, lambda: open_platform(settings, addresses.app, now=clock))
    async with (
        app.lifespan(),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=cast(Any, app), raise_app_exceptions=False), base_url=BASE_URL
        ) as client,
    ):
        client.cookies.jar.set_policy(NO_COOKIES)
        yield Api(app, app.state.platform, client, clock)
