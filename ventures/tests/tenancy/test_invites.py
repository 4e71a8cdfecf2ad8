"""Invitations: the token, and every way in which it stops being good."""

from datetime import timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from ventures.database.roles import Addresses
from ventures.tenancy import api as tenancy
from ventures.testing.api import Person, api


def test_a_token_says_where_it_belongs_and_nothing_else_is_one() -> None:
    venture = uuid4()
    token = tenancy.new_token(venture)
    parsed = tenancy.parse_token(token)
    assert parsed is not None
    assert (parsed.venture, parsed.digest) == (venture, tenancy.digest_of(token))
    assert tenancy.new_token(venture) != token
    assert tenancy.new_token(venture, b"s" * 32) == tenancy.new_token(venture, b"s" * 32)
    for other in (
        token[3:],
        token[:-1],
        token + "A",
        token.upper(),
        token[:-1] + "=",
        token[:-1] + "é",
        "vi_" + "A" * 63,
    ):
        assert tenancy.parse_token(other) is None, other


@given(st.text(max_size=80) | st.text("AB-_=", min_size=60, max_size=70).map("vi_".__add__))
def test_no_text_breaks_the_reading_of_a_token(text: str) -> None:
    parsed = tenancy.parse_token(text)
    assert parsed is None or parsed.digest == tenancy.digest_of(text)


async def invited(owner: Person, venture: object, role: str = "author", **more: object) -> str:
    answer = await owner.post(f"/v1/ventures/{venture}/invites", {"role": role, **more})
    assert answer.status_code == 201, answer.text
    token: str = answer.json()["token"]
    return token


async def test_who_is_invited_joins_once_with_the_role_they_were_offered(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada, bob, eve = [await platform_api.person(name) for name in ("Ada", "Bob", "Eve")]
        venture = await ada.found("Tea")
        token = await invited(ada, venture, label="Bob of the office", days=3)
        offer = (await platform_api.nobody.get(f"/v1/invites/{token}")).json()
        assert (offer["name"], offer["role"], offer["open"]) == ("Tea", "author", True)
        assert (await platform_api.nobody.post(f"/v1/invites/{token}/accept", {"display_name": "B"})).status_code == 401
        accept = {"display_name": "Bob"}
        first = await bob.post(f"/v1/invites/{token}/accept", accept, key="1")
        assert (first.status_code, first.json()["role"]) == (200, "author")
        again = await bob.post(f"/v1/invites/{token}/accept", accept, key="1")
        assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
        assert (await eve.post(f"/v1/invites/{token}/accept", {"display_name": "Eve"})).status_code == 409
        assert not (await platform_api.nobody.get(f"/v1/invites/{token}")).json()["open"]
        assert [one["venture"]["name"] for one in (await bob.get("/v1/ventures")).json()["items"]] == ["Tea"]
        second = await invited(ada, venture)
        assert (await bob.post(f"/v1/invites/{second}/accept", accept)).status_code == 409
        async with platform_api.platform.database.venture(venture) as scope:
            rows = await scope.all("SELECT to_jsonb(invite)::text FROM invite WHERE venture = %(venture)s")
            logged = await scope.all("SELECT data::text FROM event WHERE venture = %(venture)s")
        kept = " ".join(row[0] for row in rows + logged)
        assert token not in kept
        assert bob.email not in kept
        assert await platform_api.replays(venture)


async def test_an_invitation_stops_being_good(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada, bob = await platform_api.person("Ada"), await platform_api.person("Bob")
        venture = await ada.found("Tea")
        late, revoked, unknown = (
            await invited(ada, venture, days=2),
            await invited(ada, venture),
            tenancy.new_token(venture),
        )
        listed = (await ada.get(f"/v1/ventures/{venture}/invites?limit=1")).json()
        here = f"/v1/ventures/{venture}/invites/{listed['items'][0]['id']}"
        assert listed["next"] is not None
        assert (await ada.delete(here)).status_code == 428
        assert (await ada.delete(here, if_match=1)).status_code == 204
        assert (await ada.delete(here, if_match=2)).status_code == 404
        for token in (revoked, unknown, tenancy.new_token(uuid4()), "vi_x", "x" * 100):
            assert (await bob.get(f"/v1/invites/{token}")).status_code == 404
            assert (await bob.post(f"/v1/invites/{token}/accept", {"display_name": "B"})).status_code == 404
        platform_api.clock.forward(timedelta(days=2))
        assert not (await bob.get(f"/v1/invites/{late}")).json()["open"]
        assert (await bob.post(f"/v1/invites/{late}/accept", {"display_name": "B"})).status_code == 409
        robot = await bob.with_key({"tenancy:manage", "tenancy:view"})
        fresh = await invited(ada, venture)
        assert (await robot.post(f"/v1/invites/{fresh}/accept", {"display_name": "B"})).status_code == 403


async def test_who_invites_gives_no_role_above_their_own_and_no_address_away(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")
        venture = await ada.found("Tea")
        here = f"/v1/ventures/{venture}/invites"
        manager = await platform_api.member(venture, "manager")
        assert (await manager.post(here, {"role": "owner"})).status_code == 403
        assert (await manager.post(here, {"role": "manager"})).status_code == 201
        for body in ({"role": "king"}, {"role": "author", "days": 31}, {"role": "author", "label": "bob@example.org"}):
            assert (await ada.post(here, body)).status_code == 422
        for role in ("approver", "author", "viewer"):
            member = await platform_api.member(venture, role)  # type: ignore[arg-type]
            assert (await member.post(here, {"role": "viewer"})).status_code == 403
            assert (await member.get(here)).status_code == 403


async def test_the_same_request_makes_one_invitation(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")
        venture = await ada.found("Tea")
        here = f"/v1/ventures/{venture}/invites"
        first, second = [await ada.post(here, {"role": "author"}, key="k") for _ in range(2)]
        assert first.json() == second.json()
        assert (await ada.post(here, {"role": "viewer"}, key="k")).status_code == 422
        assert len((await ada.get(here)).json()["items"]) == 1


async def test_a_plan_includes_so_many_members(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        ada = await platform_api.person("Ada")
        venture = await ada.found("Tea")
        await platform_api.member(venture, "viewer")
        tokens = [await invited(ada, venture) for _ in range(2)]
        bob, eve = await platform_api.person("Bob"), await platform_api.person("Eve")
        assert (await bob.post(f"/v1/invites/{tokens[0]}/accept", {"display_name": "B"}, key="k")).status_code == 200
        refused = await eve.post(f"/v1/invites/{tokens[1]}/accept", {"display_name": "E"})
        assert (refused.status_code, refused.json()["type"]) == (402, "urn:ventures:problem:limit-reached")
        assert (await bob.post(f"/v1/invites/{tokens[0]}/accept", {"display_name": "B"}, key="k")).status_code == 200
        assert (await ada.get(f"/v1/ventures/{venture}/members")).json()["next"] is None
