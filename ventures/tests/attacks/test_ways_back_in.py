"""Who was sent away, or brought down, has no way back in of their own making."""

from uuid import UUID

from ventures.database.roles import Addresses
from ventures.testing.api import Person, api


async def invitation(maker: Person, venture: UUID, role: str) -> str:
    made = await maker.post(f"/v1/ventures/{venture}/invites", {"role": role})
    assert made.status_code == 201, made.text
    token: str = made.json()["token"]
    return token


async def accepted(person: Person, token: str) -> int:
    return (await person.post(f"/v1/invites/{token}/accept", {"display_name": "Back"})).status_code


async def test_an_invitation_is_worth_what_its_maker_may_still_give(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada, eve = await platform_api.person("Ada"), await platform_api.person("Eve")
        venture = await ada.found()
        bob = await platform_api.member(venture, "owner")
        members = f"/v1/ventures/{venture}/members"
        to_own, to_manage = await invitation(bob, venture, "owner"), await invitation(bob, venture, "manager")
        to_view = await invitation(bob, venture, "viewer")

        assert (await ada.patch(f"{members}/{bob.account}", {"role": "manager"}, if_match=1)).status_code == 200
        assert await accepted(eve, to_own) == 409
        assert (await ada.patch(f"{members}/{bob.account}", {"role": "viewer"}, if_match=2)).status_code == 200
        assert [await accepted(eve, token) for token in (to_own, to_manage, to_view)] == [409, 409, 409]
        assert (await ada.delete(f"{members}/{bob.account}", if_match=3)).status_code == 204
        for back in (bob, eve):
            assert [await accepted(back, token) for token in (to_own, to_manage, to_view)] == [409, 409, 409]
            assert (await back.get(f"/v1/ventures/{venture}")).status_code == 404

        await platform_api.join(bob, venture, "manager")
        assert await accepted(eve, to_own) == 409
        assert await accepted(eve, to_manage) == 200
        assert await platform_api.replays(venture)
