"""A plan that is full refuses what is new, from who may; nothing else changes."""

from datetime import timedelta

from ventures.database.roles import Addresses
from ventures.testing.api import api


async def test_a_full_plan_refuses_new_things_of_who_may_make_them(database_addresses: Addresses) -> None:
    async with api(database_addresses) as at:
        ada, stranger = await at.person(), await at.person("Stranger")
        venture = await ada.found()
        viewer = await at.member(venture, "viewer")
        path = f"/v1/ventures/{venture}/items"
        first = await ada.post(path, {"title": "Bread"}, key="once")
        assert first.status_code == 201, first.text
        await at.caught_up()
        await at.platform.billing.record_usage(venture, "items", 499, 10_000, at.platform.now())
        at.clock.forward(timedelta(minutes=5))  # what is remembered of the plan is older than that

        assert (await ada.post(path, {"title": "Cake"}, key="new")).status_code == 402
        again = await ada.post(path, {"title": "Bread"}, key="once")
        assert (again.status_code, again.json()["id"]) == (201, first.json()["id"]), again.text
        assert (await ada.post(path, {"title": "Cake"}, key="once")).status_code == 422
        assert (await viewer.post(path, {"title": "Cake"})).status_code == 403
        assert (await stranger.post(path, {"title": "Cake"})).status_code == 404
