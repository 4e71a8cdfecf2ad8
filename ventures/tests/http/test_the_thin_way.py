"""From signing up to a venture that reads and replays, over HTTP."""

from ventures.database.roles import Addresses
from ventures.testing.api import api


async def test_a_person_founds_a_venture_reads_it_and_its_log_replays(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")
        venture = await ada.found("Tea")
        answer = await ada.get(f"/v1/ventures/{venture}")
        assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
        assert answer.json()["name"] == "Tea"
        bob = await platform_api.member(venture, "viewer")
        assert (await bob.get(f"/v1/ventures/{venture}")).status_code == 200
        robot = await bob.with_key({"tenancy:view"}, venture)
        assert (await robot.get(f"/v1/ventures/{venture}")).status_code == 200
        assert (await platform_api.nobody.get(f"/v1/ventures/{venture}")).status_code == 401
        assert (await (await platform_api.person()).get(f"/v1/ventures/{venture}")).status_code == 404
        assert await platform_api.replays(venture)
