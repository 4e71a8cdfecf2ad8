"""What holds for every operation of the API, those that are yet to come included."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
from psycopg.sql import SQL, Identifier

from ventures.accounts import api as accounts
from ventures.database.roles import Addresses
from ventures.http.exchange import PERMISSION
from ventures.tenancy.api import ACTIONS, FEATURES, ROLES, Role, may, permission
from ventures.testing.api import Api, Caller, Person, api
from ventures.testing.operations import Furnished, Operation, furnished, operations

PUBLIC = {"sign_up", "sign_in", "list_plans", "read_offer", "read_calendar_feed_document"}
"""What can be asked without signing in. A longer list is a decision, not an accident."""
HASHING = {"sign_up", "sign_in"}
"""They look at no session, and take their time."""
FATAL = {"leave_venture"}
"""What ends the caller's own membership without naming a version: it comes last."""
TABLES = """
SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE nspname = 'regional' AND relkind IN ('r', 'p') ORDER BY relname"""
IDS = """
SELECT table_name::text FROM information_schema.columns
WHERE table_schema = 'regional' AND column_name = 'id' AND data_type = 'uuid'"""


def entities(addresses: Addresses, place: Furnished) -> list[UUID]:
    """One id of each table that the venture has rows in, and more that are the venture's."""
    found = [place.owner.account, place.venture]
    with psycopg.connect(addresses.superuser) as connection:
        for (table,) in connection.execute(IDS).fetchall():
            one = SQL("SELECT id FROM regional.{} WHERE venture = %s LIMIT 1").format(Identifier(table))
            found += [id for (id,) in connection.execute(one, [place.venture])]
    assert len(found) > 4
    return found


def state_of(addresses: Addresses) -> dict[str, str]:
    """A digest of all rows of each regional table."""
    with psycopg.connect(addresses.superuser) as connection:
        tables = [table for (table,) in connection.execute(TABLES).fetchall()]
        return {
            table: hashlib.sha256(
                "\n".join(
                    sorted(
                        row
                        for (row,) in connection.execute(
                            SQL("SELECT t::text FROM regional.{} t").format(Identifier(table))
                        )
                    )
                ).encode()
            ).hexdigest()
            for table in tables
        }


async def test_whatever_is_asked_of_a_foreign_venture_there_is_no_such_thing(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ours = await furnished(platform_api)
        eve = await platform_api.person("Eve")
        robot = await eve.with_key(
            {permission(f, a) for f in ("content", "posts", "tenancy") for a in ("view", "manage")}
        )
        before = state_of(database_addresses)
        asked = [one for one in operations(platform_api.app, ours.venture) if one.in_venture]
        for operation in asked:
            for caller in (eve, robot):
                answer = await operation.call(caller, {**operation.among(ours.made), "venture": ours.venture})
                assert answer.status_code == 404, (operation.id, answer.text)
                assert "no such venture" in answer.text, (operation.id, answer.text)
        assert state_of(database_addresses) == before
        assert len(asked) > 20


async def test_an_entity_of_a_foreign_venture_is_none_of_an_own_one(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        theirs = await furnished(platform_api)
        ours = await furnished(platform_api)
        strangers = entities(database_addresses, theirs)[:2]
        before = state_of(database_addresses)
        for operation in operations(platform_api.app):
            names = entities_of(operation)
            if not operation.in_venture or not names:
                continue
            first, *others = names
            own = {**operation.among(ours.made), "venture": ours.venture}
            for ids in (
                {**operation.among(theirs.made), "venture": ours.venture},  # all of them theirs
                *({**own, name: operation.among(theirs.made).get(name, uuid4())} for name in others),
                *({**own, first: foreign} for foreign in strangers),
            ):
                answer = await operation.call(ours.owner, ids)
                assert answer.status_code == 404 or empty_page(answer), (operation.id, answer.text)
        assert state_of(database_addresses) == before


async def test_a_body_that_names_a_foreign_entity_is_refused(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        theirs = await furnished(platform_api)
        ours = await furnished(platform_api)
        before = state_of(database_addresses)
        for foreign in entities(database_addresses, theirs):
            for operation in operations(platform_api.app, foreign):
                if operation.in_venture and str(foreign) in str(operation.body):
                    answer = await operation.call(ours.owner, {"venture": ours.venture})
                    assert 400 <= answer.status_code < 500, (operation.id, answer.text)
        assert state_of(database_addresses) == before


def entities_of(operation: Operation) -> list[str]:
    return [name for name, own in operation.ids.items() if name != "venture" and is_uuid(own)]


def is_uuid(text: Any) -> bool:
    try:
        return bool(UUID(str(text)))
    except ValueError:
        return False


def empty_page(answer: httpx2.Response) -> bool:
    return answer.status_code == 200 and answer.json() == {"items": [], "next": None}


async def test_a_session_or_key_that_is_over_opens_nothing(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        platform = platform_api.platform
        ours = await furnished(platform_api)
        revoked, expired = await platform_api.person(), ours.owner
        everything = {permission(f, a) for f in ("tenancy", "content", "audit") for a in ("view", "manage")}
        keys = [await one.with_key(everything) for one in (revoked, expired)]
        async with platform.database.everywhere() as scope:
            (session,) = await accounts.sessions(scope, revoked.account, platform.now())
            await accounts.end_session(scope, revoked.account, session.id, platform.now())
            (key,) = await accounts.keys(scope, revoked.account)
            await accounts.revoke_key(scope, revoked.account, key.id)
        platform_api.clock.forward(timedelta(days=31))
        before = state_of(database_addresses)
        callers: list[Caller] = [revoked, expired, *keys, platform_api.nobody]
        nonsense = [{"Authorization": "Bearer x"}, {"Authorization": "Basic eDp5"}, {"Cookie": "ventures_session=x"}]
        callers += [Caller(platform_api.client, headers) for headers in nonsense]
        found = set()
        for operation in operations(platform_api.app):
            for caller in callers if operation.id not in HASHING else ():
                answer = await operation.call(caller, {"venture": ours.venture})
                if answer.status_code != 401:
                    found.add(operation.id)
                else:
                    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="ventures"'
        assert found | HASHING == PUBLIC
        assert state_of(database_addresses) == before


class Spying:
    """Sees which permission each request asked for."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.asked: tuple[str, str] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)
        self.asked = scope.get("state", {}).get(PERMISSION)


@asynccontextmanager
async def watched(platform_api: Api) -> AsyncIterator[tuple[Spying, httpx2.AsyncClient]]:
    spy = Spying(platform_api.app)
    transport = httpx2.ASGITransport(app=spy, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield spy, client


async def test_every_operation_in_a_venture_is_what_the_permission_table_says(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api, watched(platform_api) as (spy, client):
        owner = await platform_api.person()
        venture = await owner.found()
        people: dict[Role, Person] = {role: await platform_api.member(venture, role) for role in ROLES}
        needed: dict[str, tuple[str, str]] = {}
        in_venture = [one for one in operations(platform_api.app) if one.in_venture]
        for operation in sorted(in_venture, key=lambda one: one.id in FATAL):
            for role, person in people.items():
                answer = await operation.call(Caller(client, person.headers), {"venture": venture})
                assert spy.asked is not None, f"{operation.id} asks for no permission: {answer.text}"
                assert needed.setdefault(operation.id, spy.asked) == spy.asked
                refused = answer.status_code == 403 and "Your role here is" in answer.json()["detail"]
                feature, action = spy.asked
                allowed = may(role, feature, action)  # type: ignore[arg-type]
                assert refused is not allowed, (operation.id, role, spy.asked, answer.text)
                assert answer.status_code < 500, (operation.id, answer.text)
        await keys_are_held_to_their_scopes(in_venture, needed, owner, venture, client)


async def keys_are_held_to_their_scopes(
    asked: list[Operation], needed: dict[str, tuple[str, str]], owner: Person, venture: UUID, client: httpx2.AsyncClient
) -> None:
    """A key with only what the operation needs may; one with all but that may not."""
    every = {permission(feature, action) for feature in FEATURES for action in ACTIONS}
    keys: dict[tuple[str, bool], Caller] = {}
    for operation in asked:
        one = permission(*needed[operation.id])
        for enough in (True, False):
            if operation.id in FATAL and enough:
                continue
            if (one, enough) not in keys:
                made = await owner.with_key({one} if enough else every - {one}, venture)
                keys[one, enough] = Caller(client, made.headers)
            answer = await operation.call(keys[one, enough], {"venture": venture})
            refused = answer.status_code == 403 and "This API key does not include" in answer.json()["detail"]
            assert refused is not enough, (operation.id, one, answer.text)


async def test_an_answer_from_a_venture_that_nobody_guarded_does_not_leave(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person()
        venture = await ada.found()

        async def careless(scope: Any, receive: Any, send: Any) -> None:
            scope["path_template"] = "/v1/ventures/{venture}/secrets"
            await send({"type": "http.response.start", "status": 200, "headers": [(b"etag", b'"1"')]})
            await send({"type": "http.response.body", "body": b"secret"})

        rim = platform_api.app.asgi_handler
        rim._app = careless  # type: ignore[attr-defined]  # what a handler that forgets to ask would do
        answer = await ada.get(f"/v1/ventures/{venture}/secrets")
        assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
        assert "secret" not in answer.text
        assert "ETag" not in answer.headers
