"""A key, or a key of a request, does what it says and nothing more."""

from ventures.database.roles import Addresses
from ventures.testing.api import api


async def test_other_credentials_are_another_request(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person()
        here = f"/v1/ventures/{await ada.found()}/channels"

        def connecting(token: str) -> dict[str, object]:
            settings = {"server": "https://mastodon.example"}
            return {"kind": "mastodon", "name": "m", "settings": settings, "credentials": {"access_token": token}}

        first = await ada.post(here, connecting("one"), key="k")
        assert first.status_code == 201, first.text
        assert (await ada.post(here, connecting("one"), key="k")).headers["Idempotency-Replayed"] == "true"
        assert (await ada.post(here, connecting("two"), key="k")).status_code == 422
        there = f"{first.headers['Location']}/credentials"
        for token, status in (("three", 200), ("three", 200), ("four", 422)):
            answer = await ada.put(there, {"credentials": {"access_token": token}}, if_match=1, key="r")
            assert answer.status_code == status, answer.text


async def test_a_key_that_may_not_see_the_calendar_opens_no_feed_of_it(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person()
        venture = await ada.found()
        for scopes, status in (({"planner:draft"}, 403), ({"planner:draft", "planner:view"}, 201)):
            robot = await ada.with_key(scopes, venture)
            opened = await robot.post(f"/v1/ventures/{venture}/calendar/feeds", {"label": "x"})
            assert opened.status_code == status, opened.text
