"""Ventures and their members over HTTP; the directory."""

import random
from uuid import UUID

from ventures.database.roles import Addresses
from ventures.log.api import Actor, Runner, read_all
from ventures.regions import api as regions
from ventures.tenancy import api as tenancy
from ventures.testing.api import Api, api


async def test_founding_again_with_the_same_key_finds_the_same_venture(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada, bob = await platform_api.person("Ada"), await platform_api.person("Bob")
        body = {"name": "Tea", "zone": "Europe/Berlin", "display_name": "Ada"}
        first, again = [await ada.post("/v1/ventures", body, key="k") for _ in range(2)]
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert first.headers["Location"] == f"/v1/ventures/{first.json()['id']}"
        assert (await ada.post("/v1/ventures", {**body, "name": "Coffee"}, key="k")).status_code == 422
        assert (await bob.post("/v1/ventures", body, key="k")).json()["id"] != first.json()["id"]
        assert len((await ada.get("/v1/ventures")).json()["items"]) == 1


async def test_a_plan_includes_so_many_ventures_and_a_repeat_is_none_more(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")
        body = {"name": "Tea", "display_name": "Ada"}
        answers = [await ada.post("/v1/ventures", body, key=str(number)) for number in (1, 2, 3, 4, 3)]
        assert [answer.status_code for answer in answers] == [201, 201, 201, 402, 201]
        await ada.delete(answers[0].headers["Location"], if_match=1)
        assert (await ada.post("/v1/ventures", body, key="4")).status_code == 201


async def test_a_key_founds_only_what_it_may(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")
        venture = await ada.found()
        body = {"name": "Tea", "display_name": "Ada"}
        assert (await (await ada.with_key({"content:view"})).post("/v1/ventures", body)).status_code == 403
        assert (await (await ada.with_key({"tenancy:manage"}, venture)).post("/v1/ventures", body)).status_code == 403
        assert (await (await ada.with_key({"tenancy:manage"})).post("/v1/ventures", body)).status_code == 201


async def test_a_key_for_one_venture_opens_no_other(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")
        one, other = await ada.found("One"), await ada.found("Other")
        robot = await ada.with_key({"tenancy:view", "tenancy:manage"}, one)
        assert (await robot.get(f"/v1/ventures/{one}")).status_code == 200
        assert (await robot.get(f"/v1/ventures/{other}")).status_code == 404
        assert (await robot.patch(f"/v1/ventures/{other}", {"name": "Mine"}, if_match=1)).status_code == 404
        listed = (await robot.get("/v1/ventures")).json()["items"]
        assert [belonging["venture"]["name"] for belonging in listed] == ["One"]


async def test_a_venture_is_renamed_and_its_zone_moved(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")
        venture = await ada.found("Tea", "Europe/Berlin")
        here = f"/v1/ventures/{venture}"
        renamed = await ada.patch(here, {"name": "Coffee"}, if_match=1)
        assert (renamed.json()["name"], renamed.json()["zone"], renamed.headers["ETag"]) == (
            "Coffee",
            "Europe/Berlin",
            '"2"',
        )
        assert (await ada.patch(here, {"zone": "Mars/Olympus"}, if_match=2)).status_code == 422
        assert (await ada.patch(here, {"zone": "Asia/Tokyo"}, if_match=2)).json()["zone"] == "Asia/Tokyo"
        assert (await ada.patch(here, {}, if_match=3)).headers["ETag"] == '"3"'
        assert await platform_api.replays(venture)


async def test_a_deleted_venture_is_gone_for_everybody(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")
        venture = await ada.found("Tea")
        here = f"/v1/ventures/{venture}"
        manager = await platform_api.member(venture, "manager")
        token = (await ada.post(f"{here}/invites", {"role": "author"})).json()["token"]
        assert (await manager.delete(here, if_match=1)).status_code == 403
        assert (await ada.delete(here, if_match=7)).status_code == 412
        assert (await ada.delete(here, if_match=1)).status_code == 204
        for person in (ada, manager):
            for path in (here, f"{here}/members", f"{here}/log", f"{here}/permissions", f"{here}/invites"):
                assert (await person.get(path)).status_code == 404
            assert (await person.patch(here, {"name": "x"}, if_match=2)).status_code == 404
            assert (await person.get("/v1/ventures")).json()["items"] == []
        bob = await platform_api.person("Bob")
        assert (await bob.post(f"/v1/invites/{token}/accept", {"display_name": "B"})).status_code == 404
        assert await platform_api.replays(venture)


async def test_roles_are_given_and_taken_by_who_stands_high_enough(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")
        venture = await ada.found("Tea")
        here = f"/v1/ventures/{venture}/members"
        manager, author = [await platform_api.member(venture, role) for role in ("manager", "author")]
        of_ada, of_author = f"{here}/{ada.account}", f"{here}/{author.account}"
        assert (await manager.patch(of_author, {"role": "owner"}, if_match=1)).status_code == 403
        assert (await manager.patch(of_ada, {"role": "viewer"}, if_match=1)).status_code == 403
        assert (await manager.delete(of_ada, if_match=1)).status_code == 403
        assert (await author.patch(of_author, {"role": "manager"}, if_match=1)).status_code == 403
        changed = await manager.patch(of_author, {"role": "approver"}, if_match=1)
        assert (changed.json()["role"], changed.headers["ETag"]) == ("approver", '"2"')
        assert (await manager.patch(of_author, {"role": "viewer"}, if_match=1)).status_code == 412
        assert (await author.get(f"/v1/ventures/{venture}/permissions")).json()["role"] == "approver"
        robot = await author.with_key({"content:view", "content:manage", "tenancy:view"}, venture)
        shown = (await robot.get(f"/v1/ventures/{venture}/permissions")).json()["allowed"]
        assert {feature: actions for feature, actions in shown.items() if actions} == {
            "tenancy": ["view"],
            "content": ["view"],
        }
        assert (await manager.delete(of_author, if_match=2)).status_code == 204
        assert (await author.get(f"/v1/ventures/{venture}")).status_code == 404
        assert (await robot.get(f"/v1/ventures/{venture}")).status_code == 404
        assert (await author.get("/v1/ventures")).json()["items"] == []


async def test_the_last_owner_stays_until_there_is_another(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")
        venture = await ada.found("Tea")
        here, leave = f"/v1/ventures/{venture}/members", f"/v1/ventures/{venture}/leave"
        assert (await ada.post(leave)).status_code == 409
        assert (await ada.patch(f"{here}/{ada.account}", {"role": "viewer"}, if_match=1)).status_code == 409
        bob = await platform_api.member(venture, "viewer")
        robot = await bob.with_key({"tenancy:view"})
        assert (await robot.post(leave)).status_code == 403
        assert (await ada.patch(f"{here}/{bob.account}", {"role": "owner"}, if_match=1)).status_code == 200
        assert (await ada.delete(f"{here}/{ada.account}", if_match=1)).status_code == 409
        assert (await ada.post(leave)).status_code == 204
        assert (await ada.get(here)).status_code == 404
        assert (await bob.post(leave)).status_code == 409
        assert await platform_api.replays(venture)


async def test_lists_are_pages(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")
        venture = await ada.found("Tea")
        for _ in range(4):
            await platform_api.member(venture, "viewer")
        for path, all_of_them in (("members", 5), ("log", 2 + 3 * 4), ("invites", 4)):
            seen, cursor = [], None
            for _ in range(20):
                params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
                answer = (await ada.get(f"/v1/ventures/{venture}/{path}", params=params)).json()
                seen += answer["items"]
                cursor = answer["next"]
                if cursor is None:
                    break
            assert len(seen) == all_of_them, path
            assert len({str(item) for item in seen}) == all_of_them


async def test_the_log_says_who_did_what_to_whom(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")
        venture = await ada.found("Tea")
        bob = await platform_api.member(venture, "author")
        log = f"/v1/ventures/{venture}/log"
        entries = (await ada.get(log, params={"entity": str(bob.account)})).json()["items"]
        assert [(entry["type"], entry["actor"]) for entry in entries] == [
            ("tenancy.member_joined", f"account:{bob.account}")
        ]
        assert entries[0]["data"]["role"] == "author"
        assert len(bytes.fromhex(entries[0]["hash"])) == 32
        assert [entry["seq"] for entry in (await ada.get(log, params={"after": 3})).json()["items"]] == [4, 5]
        assert (await bob.get(log)).status_code == 403


async def directory_of(platform_api: Api, account: UUID) -> list[UUID]:
    async with platform_api.platform.database.everywhere() as scope:
        return [home.venture for home in await regions.ventures_of(scope, account, None, 10)]


async def test_the_directory_is_the_same_however_late_and_often_it_is_told(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        platform = platform_api.platform
        ada, bob = await platform_api.person("Ada"), await platform_api.person("Bob")
        venture = platform.new_id()
        founding = tenancy.FoundVenture(name="Tea", display_name="Ada")
        await platform.spine.append(venture, founding, actor=Actor(account=ada.account))
        for _ in range(2):
            await platform_api.join(bob, venture, "viewer")
            await platform.spine.append(venture, tenancy.LeaveVenture(), actor=Actor(account=bob.account))
        await platform_api.join(bob, venture, "viewer")
        assert await directory_of(platform_api, bob.account) == []
        (consumer,) = tenancy.consumers(platform.database, "home")
        await Runner(platform.database, platform.registry, [consumer], now=platform.now).caught_up()
        async with platform.database.venture(venture) as scope:
            events = [event async for event in read_all(scope, platform.registry)]
        for seed in range(5):
            assert await directory_of(platform_api, ada.account) == [venture]
            assert await directory_of(platform_api, bob.account) == [venture]
            shuffled = events * 2
            random.Random(seed).shuffle(shuffled)
            await tenancy.tell_directory(platform.database, "elsewhere", shuffled)
        assert (await bob.get("/v1/ventures")).json()["items"][0]["role"] == "viewer"
        gone = await platform.spine.append(venture, tenancy.DeleteVenture(version=1), actor=Actor(account=ada.account))
        await tenancy.tell_directory(platform.database, "home", [*gone.events, *events])
        assert await directory_of(platform_api, ada.account) == []


async def test_an_unknown_venture_in_the_directory_shows_nothing(database_addresses: Addresses) -> None:
    """The directory is a hint; the venture's own membership decides."""
    async with api(database_addresses) as platform_api:
        ada, eve = await platform_api.person("Ada"), await platform_api.person("Eve")
        venture = await ada.found("Tea")
        async with platform_api.platform.database.everywhere() as scope:
            await regions.put_member(scope, eve.account, venture, 99)
        assert (await eve.get("/v1/ventures")).json() == {"items": [], "next": None}
        assert (await ada.get("/v1/ventures")).json()["items"][0]["role"] == "owner"
