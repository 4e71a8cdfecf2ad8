"""Plans, subscriptions and usage over HTTP, and who may see and change them."""

from dataclasses import replace

from ventures.billing.api import METRICS, PLANS, PostgresBilling, PracticePayments
from ventures.database.roles import Addresses
from ventures.testing.api import api


async def test_anybody_sees_the_plans(database_addresses: Addresses) -> None:
    async with api(database_addresses) as served:
        answer = await served.nobody.get("/v1/plans")
        assert [plan["id"] for plan in answer.json()["items"]] == list(PLANS)


async def test_an_owner_chooses_a_plan_and_leaves_it(database_addresses: Addresses) -> None:
    async with api(database_addresses) as served:
        ada = await served.person()
        path = f"/v1/ventures/{await ada.found()}/subscription"
        assert (await ada.get(path)).json() == {
            "plan": "free", "since": None, "ends_at": None, "version": 0, "checkout": None
        }  # fmt: skip
        chosen = await ada.put(path, {"plan": "team"}, if_match=0)
        assert (chosen.status_code, chosen.json()["plan"], chosen.headers["ETag"]) == (200, "team", '"1"')
        assert chosen.json()["checkout"]["state"] == "paid"
        assert (await ada.put(path, {"plan": "team"})).json() == chosen.json()
        assert (await ada.put(path, {"plan": "scale"}, if_match=0)).status_code == 412
        assert (await ada.put(path, {"plan": "imperial"})).status_code == 404
        left = await ada.put(path, {"plan": "free"}, if_match=1)
        assert (left.json()["plan"], left.json()["version"]) == ("team", 2)
        assert left.json()["ends_at"] > chosen.json()["since"]


async def test_a_payment_that_fails_or_waits_changes_no_plan(database_addresses: Addresses) -> None:
    async with api(database_addresses) as served:
        platform = served.platform
        payments = PracticePayments("failed")
        service = PostgresBilling(platform.database, payments, platform.new_id)
        served.app.state.platform = replace(platform, billing=service)
        ada = await served.person()
        path = f"/v1/ventures/{await ada.found()}/subscription"
        failed = (await ada.put(path, {"plan": "team"})).json()
        assert (failed["plan"], failed["checkout"]["state"]) == ("free", "failed")
        payments.outcome = "pending"
        waits = (await ada.put(path, {"plan": "team"})).json()
        assert (waits["plan"], waits["checkout"]["state"]) == ("free", "pending")
        assert waits["checkout"]["url"]


async def test_usage_stands_beside_what_the_plan_includes(database_addresses: Addresses) -> None:
    async with api(database_addresses) as served:
        ada = await served.person()
        answer = await ada.get(f"/v1/ventures/{await ada.found()}/usage")
        rows = {row["metric"]: row for row in answer.json()["items"]}
        assert set(rows) == set(METRICS)
        assert rows["posts"]["included"] == PLANS["free"].posts


async def test_who_may(database_addresses: Addresses) -> None:
    async with api(database_addresses) as served:
        venture = await (await served.person()).found()
        subscription, usage = f"/v1/ventures/{venture}/subscription", f"/v1/ventures/{venture}/usage"
        for role, sees, changes in (
            ("owner", 200, 200),
            ("manager", 200, 403),
            ("approver", 403, 403),
            ("viewer", 403, 403),
        ):
            member = await served.member(venture, role)  # type: ignore[arg-type]
            assert (await member.get(subscription)).status_code == sees
            assert (await member.get(usage)).status_code == sees
            assert (await member.put(subscription, {"plan": "team"})).status_code == changes
            robot = await member.with_key({"billing:view"}, venture)
            assert (await robot.get(subscription)).status_code == sees
            assert (await robot.put(subscription, {"plan": "scale"})).status_code == 403
        stranger = await served.person()
        for answer in (
            await stranger.get(subscription),
            await stranger.get(usage),
            await stranger.put(subscription, {"plan": "team"}),
        ):
            assert answer.status_code == 404
        assert (await served.nobody.get(subscription)).status_code == 401
