"""Analytics over HTTP."""

import pytest

from ventures.analytics.api import consumers
from ventures.content import api as content
from ventures.database.roles import Addresses
from ventures.log.api import Actor, Runner
from ventures.testing.api import api


async def test_series_with_totals_units_and_how_far_they_were_read(database_addresses: Addresses) -> None:
    async with api(database_addresses) as running:
        ada = await running.person("Ada")
        venture = await ada.found(zone="Europe/Berlin")
        platform = running.platform
        await platform.spine.append(venture, content.DraftItem(title="Oolong"), actor=Actor(account=ada.account))
        path = f"/v1/ventures/{venture}/analytics"
        before = (await ada.get(path)).json()
        assert before["as_of"]["events_behind"] == before["as_of"]["head_seq"] == 3
        await Runner(platform.database, platform.registry, consumers(), now=platform.now).caught_up()
        answer = await ada.get(path)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["zone"], found["as_of"]["events_behind"]) == ("Europe/Berlin", 0)
        series = {one["metric"]: one for one in found["counts"]}
        assert (series["items_drafted"]["total"], series["items_drafted"]["unit"]) == (1, "items")
        assert len(series["items_drafted"]["days"]) == 30
        assert series["members_active"]["total"] == 1
        one_day = {"from": found["last_day"], "to": found["last_day"]}
        assert len((await ada.get(path, params=one_day)).json()["durations"][0]["days"]) == 1


@pytest.mark.parametrize(
    "params", [{"from": "2026-13-01"}, {"from": "2026-02-02", "to": "2026-02-01"}, {"from": "2020-01-01"}, {"to": "x"}]
)
async def test_a_range_that_is_none_is_refused(database_addresses: Addresses, params: dict[str, str]) -> None:
    async with api(database_addresses) as running:
        ada = await running.person("Ada")
        venture = await ada.found()
        answer = await ada.get(f"/v1/ventures/{venture}/analytics", params=params)
        assert answer.status_code in (400, 422), answer.text


async def test_whoever_belongs_to_it_may_look_and_nobody_else(database_addresses: Addresses) -> None:
    async with api(database_addresses) as running:
        ada, eve = await running.person("Ada"), await running.person("Eve")
        venture = await ada.found()
        viewer = await running.member(venture, "viewer")
        path = f"/v1/ventures/{venture}/analytics"
        answers = [(await who.get(path)).status_code for who in (viewer, eve, running.nobody)]
        assert answers == [200, 404, 401]
