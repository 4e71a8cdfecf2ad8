"""Complaints: kept once, bounded, readable by who runs the platform."""

from datetime import timedelta

from ventures.database.roles import Addresses
from ventures.signals import api as signals
from ventures.signals.complaining import MOST_A_DAY
from ventures.testing.api import Api, api

WORDS = {"about": "inconsistent", "text": "The calendar shows another day than the item.", "place": "calendar"}


async def kept(platform_api: Api) -> list[signals.Complaint]:
    async with platform_api.platform.database.by_itself() as scope:
        return await signals.complaints(scope, platform_api.platform.now() - timedelta(days=90), 100)


async def test_a_complaint_is_kept_with_who_and_from_where(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person()
        answer = await ada.post("/v1/complaints", {**WORDS, "zone": "America/Argentina/Ushuaia"}, key="one")
        assert answer.status_code == 201, answer.text
        again = await ada.post("/v1/complaints", {**WORDS, "zone": "America/Argentina/Ushuaia"}, key="one")
        assert again.json() == answer.json()
        assert again.headers["Idempotency-Replayed"] == "true"
        await ada.post("/v1/complaints", {"about": "other", "text": "Hm.", "zone": "UTC"})
        last, first = await kept(platform_api)
        assert (first.account, first.text, first.place, first.area) == (
            ada.account, WORDS["text"], "calendar", "America"
        )  # fmt: skip
        assert (last.about, last.area, last.region) == ("other", "unknown", "home")


async def test_what_cannot_be_meant_is_refused_with_a_reason(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person()
        for change in ({"about": "nice"}, {"text": " \n "}, {"text": "x" * 2001}, {"zone": "Moon/Tycho"}, {"who": "I"}):
            answer = await ada.post("/v1/complaints", {**WORDS, **change})
            assert answer.status_code == 422, answer.text
        assert (await platform_api.nobody.post("/v1/complaints", WORDS)).status_code == 401
        assert await kept(platform_api) == []


async def test_nobody_floods(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada, ben = await platform_api.person(), await platform_api.person()
        for _ in range(MOST_A_DAY):
            assert (await ada.post("/v1/complaints", WORDS)).status_code == 201
        refused = await ada.post("/v1/complaints", WORDS)
        assert refused.status_code == 429
        assert (await ben.post("/v1/complaints", WORDS)).status_code == 201
        platform_api.clock.forward(timedelta(seconds=86_401))
        assert (await ada.post("/v1/complaints", WORDS)).status_code == 201
