"""Accounts over HTTP: the cookie, the CSRF token, what an API key may not, and nothing secret in an answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ventures.accounts.api import Passwords
from ventures.database.roles import Addresses
from ventures.log.api import Actor
from ventures.tenancy import api as tenancy
from ventures.testing.accounts import CHEAP, PASSWORD
from ventures.testing.api import Api, Caller, api

ADA = {"email": "Ada@Example.org", "password": PASSWORD, "name": "Ada"}


@asynccontextmanager
async def served_api(addresses: Addresses) -> AsyncIterator[Api]:
    async with api(addresses) as served:
        served.app.state.passwords = Passwords(CHEAP)
        yield served


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


async def signed_in(served: Api, **changes: str) -> Caller:
    answer = await served.nobody.post("/v1/sessions", {"email": ADA["email"], "password": PASSWORD, **changes})
    assert answer.status_code == 201, answer.text
    cookie = answer.headers["set-cookie"].partition(";")[0]
    return Caller(served.client, {"Cookie": cookie, "X-CSRF-Token": answer.json()["csrf_token"]})


async def test_from_signing_up_to_signing_out(database_addresses: Addresses) -> None:
    async with served_api(database_addresses) as served:
        made = await served.nobody.post("/v1/accounts", ADA)
        assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
        assert made.json()["email"] == "ada@example.org"
        assert PASSWORD not in made.text
        again = await served.nobody.post("/v1/accounts", {**ADA, "email": "ADA@example.org"})
        assert (again.status_code, again.headers["Content-Type"]) == (409, "application/problem+json")
        assert (await served.nobody.get("/v1/me")).status_code == 401

        opened = await served.nobody.post(
            "/v1/sessions", {"email": "ada@example.org", "password": PASSWORD, "device": "desk"}
        )
        token = opened.headers["set-cookie"].partition(";")[0].partition("=")[2].strip('"')
        assert token not in opened.text
        assert opened.headers["Cache-Control"] == "no-store"
        flags = {part.strip().lower() for part in opened.headers["set-cookie"].split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/", "max-age=2592000"} <= flags
        assert "secure" not in flags  # http://127.0.0.1

        ada = Caller(
            served.client, {"Cookie": f"ventures_session={token}", "X-CSRF-Token": opened.json()["csrf_token"]}
        )
        me = await ada.get("/v1/me")
        assert me.json()["csrf_token"] == opened.json()["csrf_token"]
        assert me.json()["name"] == "Ada"
        [session] = (await ada.get("/v1/sessions")).json()["items"]
        assert (session["device"], session["current"]) == ("desk", True)
        out = await ada.delete("/v1/sessions")
        assert (out.status_code, "ventures_session=" in out.headers["set-cookie"]) == (204, True)
        assert (await ada.get("/v1/me")).status_code == 401


async def test_with_https_the_cookie_is_secure(database_addresses: Addresses) -> None:
    async with api(database_addresses, public_url="https://ventures.example.org") as served:
        served.app.state.passwords = Passwords(CHEAP)
        await served.nobody.post("/v1/accounts", ADA)
        answer = await served.nobody.post("/v1/sessions", {"email": ADA["email"], "password": PASSWORD})
        assert "; secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/v1/me", {"name": "Eve"}),
        ("POST", "/v1/me/password", {"current_password": PASSWORD, "new_password": "another password"}),
        ("POST", "/v1/keys", {"label": "x", "scopes": ["content:view"], "expires_at": "2030-01-01T00:00:00Z"}),
        ("DELETE", "/v1/keys/00000000-0000-0000-0000-000000000001", None),
        ("DELETE", "/v1/sessions", None),
        ("DELETE", "/v1/sessions/00000000-0000-0000-0000-000000000001", None),
    ],
)
async def test_nothing_is_changed_by_a_cookie_alone_nor_by_a_key(
    database_addresses: Addresses, method: str, path: str, body: Any
) -> None:
    async with served_api(database_addresses) as served:
        ada = await served.person()
        cookie = Caller(served.client, {"Cookie": ada.headers["Cookie"]})
        wrong = Caller(served.client, {**ada.headers, "X-CSRF-Token": (await served.person()).headers["X-CSRF-Token"]})
        robot = await ada.with_key({"tenancy:manage"})
        for caller, status in ((cookie, 403), (wrong, 403), (robot, 403), (served.nobody, 401)):
            answer = await caller.send(method, path, body, if_match=1)
            assert answer.status_code == status, answer.text
        me = (await ada.get("/v1/me")).json()
        assert (me["name"], me["version"]) == ("Ada", 1)
        assert (await robot.get("/v1/me")).json()["csrf_token"] is None
        assert len((await ada.get("/v1/keys")).json()["items"]) == 1


async def test_a_lost_update_of_ones_name_is_refused(database_addresses: Addresses) -> None:
    async with served_api(database_addresses) as served:
        ada = await served.person()
        assert (await ada.patch("/v1/me", {"name": "Countess"})).status_code == 428
        assert (await ada.patch("/v1/me", {"name": "Countess"}, if_match=1)).headers["ETag"] == '"2"'
        assert (await ada.patch("/v1/me", {"name": "Lovelace"}, if_match=1)).status_code == 412


async def test_a_new_password_ends_other_sessions_and_sign_out_everywhere_too(database_addresses: Addresses) -> None:
    async with served_api(database_addresses) as served:
        await served.nobody.post("/v1/accounts", ADA)
        one, two = await signed_in(served), await signed_in(served)
        wrong = await one.post(
            "/v1/me/password", {"current_password": "not that one", "new_password": "another password"}
        )
        assert (wrong.status_code, (await two.get("/v1/me")).status_code) == (403, 200)
        change = await one.post("/v1/me/password", {"current_password": PASSWORD, "new_password": "another password"})
        assert (change.status_code, change.content) == (204, b"")
        assert [(await who.get("/v1/me")).status_code for who in (one, two)] == [200, 401]
        three, four = [await signed_in(served, password="another password") for _ in range(2)]
        assert (await three.delete("/v1/sessions?which=others")).status_code == 204
        assert [(await who.get("/v1/me")).status_code for who in (one, three, four)] == [401, 200, 401]


async def test_a_session_in_use_goes_on_and_one_that_is_not_ends(database_addresses: Addresses) -> None:
    async with served_api(database_addresses) as served:
        ada = await served.person()
        venture = await ada.found()
        for path in (f"/v1/ventures/{venture}", "/v1/me", f"/v1/ventures/{venture}"):
            served.clock.forward(timedelta(days=29))
            assert (await ada.get(path)).status_code == 200
        assert "max-age=2592000" in (await ada.get("/v1/me")).headers["set-cookie"].lower()
        served.clock.forward(timedelta(days=31))
        for path in (f"/v1/ventures/{venture}", "/v1/me"):
            assert (await ada.get(path)).status_code == 401


async def test_another_persons_sessions_and_keys_are_not_found(database_addresses: Addresses) -> None:
    async with served_api(database_addresses) as served:
        ada, eve = await served.person(), await served.person()
        robot = await ada.with_key({"tenancy:view"})
        [session] = (await ada.get("/v1/sessions")).json()["items"]
        [key] = (await ada.get("/v1/keys")).json()["items"]
        assert (await eve.delete(f"/v1/sessions/{session['id']}")).status_code == 404
        assert (await eve.delete(f"/v1/keys/{key['id']}")).status_code == 404
        assert (await robot.get("/v1/me")).status_code == 200
        assert (await ada.delete(f"/v1/keys/{key['id']}")).status_code == 204
        assert (await robot.get("/v1/me")).status_code == 401
        assert (await ada.delete(f"/v1/sessions/{session['id']}")).status_code == 204
        assert (await ada.get("/v1/me")).status_code == 401


async def test_a_key_is_made_once_for_an_idempotency_key_and_its_token_shown_once(
    database_addresses: Addresses,
) -> None:
    async with served_api(database_addresses) as served:
        ada = await served.person()
        venture = await ada.found()
        body = {"label": "CI", "scopes": ["tenancy:view"], "venture": str(venture), "expires_at": in_days(30)}
        first, second = [await ada.post("/v1/keys", body, key="once") for _ in range(2)]
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json()["key"] == second.json()["key"]
        assert (second.json()["token"], second.headers["Idempotency-Replayed"]) == (None, "true")
        assert (await ada.post("/v1/keys", {**body, "label": "another"}, key="once")).status_code == 422
        robot = Caller(served.client, {"Authorization": f"Bearer {first.json()['token']}"})
        assert (await robot.get(f"/v1/ventures/{venture}")).status_code == 200
        listed = await ada.get("/v1/keys")
        assert len(listed.json()["items"]) == 1
        assert first.json()["token"] not in listed.text
        assert first.json()["token"].startswith(listed.json()["items"][0]["prefix"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": ["content:everything"]},
        {"scopes": []},
        {"expires_at": in_days(-1)},
        {"expires_at": in_days(400)},
        {"expires_at": "2026-01-01T00:00:00"},
        {"label": ""},
        {"unknown": 1},
    ],
)
async def test_a_key_without_limits_is_refused(database_addresses: Addresses, wrong: dict[str, Any]) -> None:
    async with served_api(database_addresses) as served:
        ada = await served.person()
        body = {"label": "CI", "scopes": ["content:view"], "expires_at": in_days(30), **wrong}
        answer = await ada.post("/v1/keys", body)
        assert (answer.status_code, answer.headers["Content-Type"]) in (
            (422, "application/problem+json"),
            (400, "application/problem+json"),
        )
        assert (await ada.get("/v1/keys")).json()["items"] == []


async def test_a_key_for_a_foreign_venture_is_not_found(database_addresses: Addresses) -> None:
    async with served_api(database_addresses) as served:
        ada, eve = await served.person(), await served.person()
        venture = await ada.found()
        body = {"label": "CI", "scopes": ["content:view"], "expires_at": in_days(30), "venture": str(venture)}
        assert (await eve.post("/v1/keys", body)).status_code == 404
        assert (await eve.get("/v1/keys")).json()["items"] == []


async def test_ten_failures_and_the_eleventh_waits(database_addresses: Addresses) -> None:
    async with served_api(database_addresses) as served:
        await served.nobody.post("/v1/accounts", ADA)
        wrong = {"email": ADA["email"], "password": "not that one"}
        answers = [await served.nobody.post("/v1/sessions", wrong) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 900
        served.clock.forward(timedelta(minutes=16))
        assert await signed_in(served)


async def test_where_sign_up_is_not_open(database_addresses: Addresses) -> None:
    async with api(database_addresses, sign_up="closed") as served:
        assert (await served.nobody.post("/v1/accounts", ADA)).status_code == 403
    async with api(database_addresses, sign_up="invited") as served:
        served.app.state.passwords = Passwords(CHEAP)
        assert (await served.nobody.post("/v1/accounts", ADA)).status_code == 403
        assert (await served.nobody.post("/v1/accounts", {**ADA, "invite": "vi_" + "A" * 64})).status_code in (403, 404)
        owner = await served.person()
        token = await _invite(served, await owner.found())
        assert (await served.nobody.post("/v1/accounts", {**ADA, "invite": token})).status_code == 201
        served.clock.forward(timedelta(days=400))
        late = await served.nobody.post("/v1/accounts", {**ADA, "email": "bob@example.org", "invite": token})
        assert late.status_code == 403


@pytest.mark.parametrize("password", ["short", "x" * 1001, "é" * 600])
async def test_a_refused_password_is_not_repeated(database_addresses: Addresses, password: str) -> None:
    async with served_api(database_addresses) as served:
        answer = await served.nobody.post("/v1/accounts", {**ADA, "password": password})
        assert (answer.status_code, password in answer.text) == (422, False)


async def _invite(served: Api, venture: Any) -> str:
    token = tenancy.new_token(venture)
    offer = tenancy.MakeInvite(digest=tenancy.digest_of(token), role="viewer")
    await served.platform.spine.append(venture, offer, actor=Actor(system="test"))
    return token
