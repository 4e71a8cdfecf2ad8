"""What others do wrong is answered as theirs: no 500, no trace of an error in the log."""

import logging
from typing import Any, cast

import pytest

from ventures.database.roles import Addresses
from ventures.testing.api import api


@pytest.mark.parametrize(
    "server", ["https://[::1", "https://[", "https://[v1.x]", "https://exa mple.org", "https:///x"]
)
async def test_a_channel_at_no_address_is_refused(database_addresses: Addresses, server: str) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person()
        venture = await ada.found()
        for kind, settings, credentials in (
            ("mastodon", {"server": server}, {"access_token": "t"}),
            ("webhook", {"url": server}, {"secret": "whsec_" + "c3Nz" * 10}),
        ):
            body = {"kind": kind, "name": "x", "settings": settings, "credentials": credentials}
            answer = await ada.post(f"/v1/ventures/{venture}/channels", body)
            assert answer.status_code in ((201, 422) if server == "https://[v1.x]" else (422,)), answer.text


async def test_a_client_that_leaves_in_its_body_is_no_error(
    database_addresses: Addresses, caplog: pytest.LogCaptureFixture
) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person()
        sent: list[dict[str, Any]] = []
        parts = iter(({"type": "http.request", "body": b'{"name"', "more_body": True}, {"type": "http.disconnect"}))

        async def receive() -> dict[str, Any]:
            return next(parts)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = {**ada.headers, "Content-Type": "application/json", "Content-Length": "100"}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/v1/ventures", "raw_path": b"/v1/ventures", "query_string": b"", "root_path": "",
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        with caplog.at_level(logging.ERROR):
            await cast(Any, platform_api.app)(scope, receive, send)
        assert sent[0]["status"] == 400
        assert not caplog.records
        assert (await ada.get("/v1/ventures")).json()["items"] == []
