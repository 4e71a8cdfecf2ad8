"""What holds for every request: problems, headers, limits, conditional reads."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ventures.database.roles import Addresses
from ventures.testing.api import Api, api

JSON = {"Content-Type": "application/json"}
GOOD = b'{"name": "Tea", "display_name": "Ada"}'


async def refused(platform_api: Api, method: str, path: str, **request: Any) -> dict[str, Any]:
    answer = await platform_api.client.request(method, path, **request)
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"].startswith("urn:ventures:problem:")
    assert problem["detail"]
    return problem


BODIES = {
    "half an object": (b"{", 400),
    "no UTF-8": (b'{"name": "\xff", "display_name": "a"}', 400),
    "half a surrogate pair": (b'{"name": "\\ud800", "display_name": "a"}', 400),
    "nested too deep": (b"[" * 100_000, 400),
    "NUL": (b'{"name": "a\\u0000", "display_name": "a"}', 422),
    "NUL after a backslash": (b'{"name": "a\\\\\\u0000", "display_name": "a"}', 422),
    "NUL in a name": (b'{"name": "a", "display_name": "a", "\\u0000": 1}', 422),
    "an unknown field": (b'{"name": "a", "display_name": "a", "x": 1}', 422),
    "a huge number": (b'{"name": 1' + b"0" * 400 + b', "display_name": "a"}', 422),
    "a list": (b"[]", 422),
    "nothing": (b"", 422),
    "null": (b"null", 422),
    "a blank name": (b'{"name": "  ", "display_name": "a"}', 422),
    "a name too long": (b'{"name": "' + b"a" * 201 + b'", "display_name": "a"}', 422),
    "too much": (b'"' + b"x" * 1_000_000 + b'"', 413),
}


async def test_bodies_that_cannot_be_taken_are_refused_and_leave_nothing(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person()
        for what, (body, status) in BODIES.items():
            problem = await refused(platform_api, "POST", "/v1/ventures", content=body, headers={**ada.headers, **JSON})
            assert problem["status"] == status, what
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""):
            headers = {**ada.headers, "Content-Type": kind}
            assert (await refused(platform_api, "POST", "/v1/ventures", content=GOOD, headers=headers))["status"] == 415
        for key in ("a b", "", "é".encode(), b"a\0", "k" * 151):
            headers = {**ada.headers, **JSON, "Idempotency-Key": key}
            assert (await refused(platform_api, "POST", "/v1/ventures", content=GOOD, headers=headers))["status"] == 422
        assert (await ada.get("/v1/ventures")).json() == {"items": [], "next": None}
        escaped = json.dumps({"name": "a\\u0000", "display_name": "Ada"}).encode()  # a backslash, then letters
        answer = await platform_api.client.post("/v1/ventures", content=escaped, headers={**ada.headers, **JSON})
        assert answer.json()["name"] == "a\\u0000"


async def test_addresses_and_methods_that_are_none_are_refused(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person()
        venture = await ada.found()
        here = f"/v1/ventures/{venture}"
        for method, path, status in (
            ("GET", "/", 404),
            ("GET", "/v1/nowhere", 404),
            ("GET", "/v1/openapi/nothing", 404),
            ("GET", "/v1/ventures/no-uuid", 404),
            ("GET", "/v1/ventures/%00", 404),
            ("GET", f"{here}/members/{venture}x", 404),
            ("GET", "/v1/ventures?cursor=%00", 422),
            ("GET", "/v1/ventures?cursor=%ff", 422),
            ("GET", "/v1/ventures?cursor=W10", 422),
            ("GET", f"{here}/log?after=-1", 422),
            ("GET", f"{here}/log?after=9223372036854775808", 422),
            ("GET", f"{here}/log?after=one", 422),
            ("GET", f"{here}/log?cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDhd", 422),
            ("GET", f"{here}/log?limit=0", 422),
            ("GET", f"{here}/log?limit=201", 422),
            ("GET", f"{here}/log?entity=x", 422),
            ("PUT", here, 405),
            ("BREW", here, 405),
            ("PATCH", here, 422),
        ):
            problem = await refused(platform_api, method, path, headers={**ada.headers, **JSON})
            assert problem["status"] == status, (method, path)
        for tag in ("3", '"x"', '"1', "*", '"99999999999999999999"', '"1", "2"'):
            answer = await ada.patch(here, {"name": "x"}, if_match=tag)
            assert answer.status_code == 422, tag
        assert (await ada.patch(here, {"name": "x"})).status_code == 428
        assert (await ada.patch(here, {"name": "x"}, if_match=2)).status_code == 412


async def test_every_answer_carries_the_security_headers(database_addresses: Addresses) -> None:
    async with api(database_addresses, public_url="https://v.example.org") as platform_api:
        ada = await platform_api.person()
        venture = await ada.found()
        for path in (f"/v1/ventures/{venture}", "/v1/nowhere", "/healthz"):
            headers = (await ada.get(path)).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert headers["Strict-Transport-Security"] == "max-age=31536000"
            assert headers["Cache-Control"] == ("private, no-cache" if "ETag" in headers else "no-store")


async def test_what_has_not_changed_is_not_sent_again(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person()
        here = f"/v1/ventures/{await ada.found()}"
        first = await ada.get(here)
        for tag in (first.headers["ETag"], "*", '"7", W/"1"'):
            again = await ada.get(here, headers={"If-None-Match": tag})
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
        assert (await ada.get(here, headers={"If-None-Match": '"2"'})).status_code == 200
        await ada.patch(here, {"name": "Coffee"}, if_match=1)
        assert (await ada.get(here, headers={"If-None-Match": '"1"'})).json()["name"] == "Coffee"
        stranger = await platform_api.person()
        assert (await stranger.get(here, headers={"If-None-Match": "*"})).status_code == 404


async def test_head_is_get_without_a_body_and_options_names_every_method(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person()
        here = f"/v1/ventures/{await ada.found()}"
        got, head = await ada.get(here), await ada.send("HEAD", here)
        assert (head.status_code, head.content) == (200, b"")
        assert {name: head.headers[name] for name in ("etag", "content-length")} == {
            "etag": got.headers["etag"],
            "content-length": str(len(got.content)),
        }
        assert (await platform_api.nobody.send("HEAD", here)).status_code == 401
        options = await platform_api.nobody.send("OPTIONS", here)
        assert (options.status_code, options.headers["Allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH")


async def until_refused(ask: Callable[[], Awaitable[int]], before: int) -> int:
    """How many are answered with `before` until one is refused with 429; a slow machine is allowed a few more."""
    for count in range(99):
        if (status := await ask()) == 429:
            return count
        assert status == before
    raise AssertionError("nothing is refused")


async def test_a_caller_who_asks_too_often_waits_and_nobody_else_does(database_addresses: Addresses) -> None:
    async with api(database_addresses, rate_limit_per_minute=20) as platform_api:
        ada, bob = await platform_api.person(), await platform_api.person()
        robot = await ada.with_key({"tenancy:view"})
        await ada.get("/v1/ventures")  # the first one counts for the address: the token is not known to be good yet
        answers = []

        async def ask() -> int:
            answers.append(await ada.get("/v1/ventures"))
            return answers[-1].status_code

        assert await until_refused(ask, 200) >= 20
        assert answers[0].headers["RateLimit"].startswith('"caller";r=19;')
        assert answers[0].headers["RateLimit-Policy"] == '"caller";q=20;w=60'
        assert answers[-1].json()["type"] == "urn:ventures:problem:too-many-requests"
        assert answers[-1].headers["Retry-After"] in ("1", "2", "3")
        assert (await bob.get("/v1/ventures")).status_code == 200
        assert (await robot.get("/v1/ventures")).status_code == 200


async def test_made_up_tokens_count_for_the_address_they_come_from(database_addresses: Addresses) -> None:
    async with api(database_addresses, rate_limit_per_minute=20) as platform_api:
        ada = await platform_api.person()
        token = ada.headers["Cookie"]
        made_up = iter([cookie for number in range(100) if (cookie := f"{token[:-2]}{number:02}") != token])

        async def guess() -> int:
            answer = await platform_api.client.get("/v1/ventures", headers={"Cookie": next(made_up)})
            return answer.status_code

        assert await until_refused(guess, 401) >= 20


async def test_nobody_signs_up_or_in_as_often_as_they_ask(database_addresses: Addresses) -> None:
    async with api(database_addresses, rate_limit_per_minute=400) as platform_api:

        async def sign_in() -> int:
            return (await platform_api.nobody.post("/v1/sessions", {})).status_code

        assert await until_refused(sign_in, 422) >= 20
        assert (await platform_api.nobody.post("/v1/accounts", {})).status_code == 429
        assert (await platform_api.nobody.get("/v1/plans")).status_code == 200


async def test_pages_of_other_origins_may_call_where_settings_name_them(database_addresses: Addresses) -> None:
    page = "https://app.example.org"
    async with api(database_addresses, cors_origins=(page,), rate_limit_per_minute=10) as platform_api:
        ada = await platform_api.person()
        asked = {"Origin": page, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}
        before = await platform_api.nobody.send("OPTIONS", "/v1/ventures", headers=asked)
        assert before.status_code == 204
        assert before.headers["Access-Control-Allow-Origin"] == page
        assert before.headers["Access-Control-Allow-Credentials"] == "true"
        answer = [await ada.get("/v1/ventures", headers={"Origin": page}) for _ in range(12)][-1]
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (429, page)
        foreign = await ada.get("/v1/ventures", headers={"Origin": "https://evil.example.org"})
        assert "Access-Control-Allow-Origin" not in foreign.headers


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_a_cookie_alone_changes_nothing(database_addresses: Addresses, method: str) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person()
        here = f"/v1/ventures/{await ada.found()}"
        path, body = ("/v1/ventures", GOOD) if method == "POST" else (here, b'{"name": "Tea"}')
        cookie = {"Cookie": ada.headers["Cookie"], "If-Match": '"1"', **JSON}
        for token in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": "é".encode()}):
            problem = await refused(platform_api, method, path, content=body, headers={**cookie, **token})
            assert problem["status"] == 403
        assert (await ada.get(here)).json()["version"] == 1


async def test_health_readiness_and_metrics_name_no_venture(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person()
        venture = await ada.found()
        await ada.get(f"/v1/ventures/{venture}")
        await ada.get(f"/v1/nowhere/{venture}")
        for path in ("/healthz", "/readyz"):
            assert (await platform_api.nobody.get(path)).json() == {"status": "ok"}
        metrics = (await platform_api.nobody.get("/metrics")).text
        counted = 'ventures_http_request_seconds_count{method="GET",route="/v1/ventures/{venture}",status="200"} 1.0'
        assert counted in metrics
        assert 'route="none",status="404"' in metrics
        assert "ventures_consumer_lag_seconds" in metrics
        assert str(venture) not in metrics
        assert str(ada.account) not in metrics


async def test_whoever_gave_us_a_request_for_the_head_sees_that_no_body_follows(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "HEAD", "scheme": "http",
            "path": "/healthz", "raw_path": b"/healthz", "query_string": b"", "root_path": "", "headers": [],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        }  # fmt: skip
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await platform_api.app(scope, receive, send)  # type: ignore[arg-type]
        assert scope["method"] == "HEAD"
        assert sent[0]["status"] == 200
        assert b"".join(message.get("body", b"") for message in sent) == b""
