"""An item's way over HTTP: who may do what, what is answered, what is refused without a trace."""

import asyncio

from ventures.database.roles import Addresses
from ventures.log.api import Actor, head
from ventures.tenancy.api import Role
from ventures.testing.api import api
from ventures.testing.content import brought_to, item_of


async def test_an_item_is_drafted_edited_submitted_sent_back_and_approved(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        owner = await platform_api.person("Ada")
        venture = await owner.found("Tea")
        author = await platform_api.member(venture, "author")
        approver = await platform_api.member(venture, "approver")

        made = await author.post(f"/v1/ventures/{venture}/items", {"title": " Oolong ", "body": "Half."})
        assert made.status_code == 201, made.text
        place = made.headers["Location"]
        assert (made.json()["title"], made.json()["state"], made.json()["number"]) == ("Oolong", "draft", 1)
        assert made.headers["ETag"] == '"1"'

        sent = await author.post(f"{place}/submit", if_match=1)
        assert (sent.status_code, sent.json()["state"]) == (200, "pending"), sent.text
        back = await approver.post(f"{place}/request-changes", {"note": "Shorter."}, if_match=sent.headers["ETag"])
        assert back.json()["state"] == "changes_requested"
        edited = await author.patch(place, {"body": "Whole."}, if_match=back.headers["ETag"])
        assert (edited.json()["state"], edited.json()["number"], edited.json()["body"]) == ("draft", 2, "Whole.")
        sent = await author.post(f"{place}/submit", if_match=edited.headers["ETag"])
        fine = await approver.post(f"{place}/approve", if_match=sent.headers["ETag"])
        assert (fine.json()["state"], fine.json()["approved_number"]) == ("approved", 2)
        assert fine.json()["approved_by"] == str(approver.account)

        history = (await author.get(f"{place}/history")).json()["items"]
        assert [(line["verdict"], line["number"], line["note"]) for line in history] == [
            ("approved", 2, ""),
            ("submitted", 2, ""),
            ("changes_requested", 1, "Shorter."),
            ("submitted", 1, ""),
        ]
        versions = (await author.get(f"{place}/versions")).json()["items"]
        assert [(line["number"], line["body_bytes"]) for line in versions] == [(2, 6), (1, 5)]
        assert (await author.get(f"{place}/versions/1")).json()["body"] == "Half."
        assert (await author.get(place)).json() == fine.json()

        assert await platform_api.replays(venture)


ACTIONS = (
    # what is asked, with which body, on an item in which state, by the least of roles that may
    ("GET", "", None, "draft", "viewer"),
    ("GET", "/versions", None, "draft", "viewer"),
    ("GET", "/versions/1", None, "draft", "viewer"),
    ("GET", "/history", None, "draft", "viewer"),
    ("GET", "/comments", None, "draft", "viewer"),
    ("PATCH", "", {"body": "New."}, "draft", "author"),
    ("POST", "/submit", None, "draft", "author"),
    ("POST", "/copy", None, "draft", "author"),
    ("POST", "/comments", {"text": "Good."}, "draft", "author"),
    ("POST", "/approve", {"note": "Fine."}, "pending", "approver"),
    ("POST", "/request-changes", {"note": "Shorter."}, "pending", "approver"),
    ("DELETE", "", None, "draft", "manager"),
)
ROLES: tuple[Role, ...] = ("viewer", "author", "approver", "manager")


async def test_each_operation_is_for_the_roles_that_may_and_for_nobody_else(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        owner = await platform_api.person()
        venture = await owner.found()
        spine, actor = platform_api.platform.spine, Actor(account=owner.account)
        people = {role: await platform_api.member(venture, role) for role in ROLES}
        stranger, nobody = await platform_api.person(), platform_api.nobody
        theirs = await stranger.found()
        robot = await owner.with_key({"content:view"}, venture)
        for method, rest, body, state, least in ACTIONS:
            item = await brought_to(spine, venture, state, actor=actor)
            version = (await item_of(spine, venture, item)).version
            place = f"/v1/ventures/{venture}/items/{item}{rest}"
            asked = {"body": body, "if_match": version}
            assert (await nobody.send(method, place, **asked)).status_code == 401
            assert (await stranger.send(method, place, **asked)).status_code == 404
            foreign = f"/v1/ventures/{theirs}/items/{item}{rest}"
            assert (await stranger.send(method, foreign, **asked)).status_code == 404
            if method != "GET":
                assert (await robot.send(method, place, **asked)).status_code == 403
            for role in ROLES[: ROLES.index(least)]:
                refused = await people[role].send(method, place, **asked)
                assert refused.status_code == 403, (method, rest, role, refused.text)
                assert refused.headers["Content-Type"].startswith("application/problem+json")
            assert (await item_of(spine, venture, item)).version == version
            done = await people[least].send(method, place, **asked)
            assert done.status_code < 300, (method, rest, done.text)
        assert await platform_api.replays(venture)


async def test_ones_own_items_and_comments_are_deleted_others_by_managers(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        owner = await platform_api.person()
        venture = await owner.found()
        ann, bea = await platform_api.member(venture, "author"), await platform_api.member(venture, "approver")
        place = (await ann.post(f"/v1/ventures/{venture}/items", {"title": "Oolong"})).headers["Location"]
        said = await ann.post(f"{place}/comments", {"text": "Good."})
        comment = said.headers["Location"]
        assert (await bea.delete(comment, if_match=1)).status_code == 403
        assert (await bea.delete(place, if_match=1)).status_code == 403
        robot = await owner.with_key({"content:view", "content:draft"}, venture)
        assert (await robot.delete(place, if_match=1)).status_code == 403

        assert (await ann.delete(comment, if_match=2)).status_code == 412
        assert (await ann.delete(comment, if_match=1)).status_code == 204
        assert (await ann.get(comment)).status_code == 404
        assert (await ann.get(f"{place}/comments")).json() == {"items": [], "next": None}
        assert (await owner.delete(place, if_match=1)).status_code == 204
        for rest in ("", "/versions", "/versions/1", "/history", "/comments"):
            assert (await ann.get(place + rest)).status_code == 404, rest
        assert (await ann.patch(place, {"body": "!"}, if_match=2)).status_code == 404
        assert await platform_api.replays(venture)


async def test_comments_are_of_a_version_and_resolved_once(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        owner = await platform_api.person()
        venture = await owner.found()
        place = (await owner.post(f"/v1/ventures/{venture}/items", {"title": "Oolong"})).headers["Location"]
        first = await owner.post(f"{place}/comments", {"text": "Longer!"}, key="once")
        again = await owner.post(f"{place}/comments", {"text": "Longer!"}, key="once")
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["Idempotency-Replayed"] == "true"
        assert (await owner.patch(place, {"body": "Long."}, if_match=1)).status_code == 200
        second = await owner.post(f"{place}/comments", {"text": "Good."})
        resolved = await owner.post(f"{first.headers['Location']}/resolve", if_match=first.headers["ETag"])
        assert resolved.status_code == 200, resolved.text
        assert resolved.json()["resolved_by"] == str(owner.account)
        assert (await owner.post(f"{first.headers['Location']}/resolve", if_match=2)).status_code == 409
        page = (await owner.get(f"{place}/comments", params={"limit": 1})).json()
        rest = (await owner.get(f"{place}/comments", params={"limit": 1, "cursor": page["next"]})).json()
        assert [one["number"] for one in page["items"] + rest["items"]] == [1, 2]
        assert rest == {"items": [second.json()], "next": None}
        other = (await owner.post(f"/v1/ventures/{venture}/items", {"title": "Assam"})).headers["Location"]
        assert (await owner.get(f"{other}/comments/{second.json()['id']}")).status_code == 404
        assert await platform_api.replays(venture)


async def test_items_are_paged_the_last_changed_first_and_filtered(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        owner = await platform_api.person()
        venture = await owner.found()
        ann = await platform_api.member(venture, "author")
        items = f"/v1/ventures/{venture}/items"
        made = [(await ann.post(items, {"title": f"Tea {number}"})).json()["id"] for number in range(5)]
        mine = (await owner.post(items, {"title": "Mine"})).json()["id"]
        assert (await ann.post(f"{items}/{made[1]}/submit", if_match=1)).status_code == 200
        expected = [made[1], mine, made[4], made[3], made[2], made[0]]
        found: list[str] = []
        cursor = None
        while True:
            answer = (await owner.get(items, params={"limit": 4} | ({"cursor": cursor} if cursor else {}))).json()
            assert all("body" not in item for item in answer["items"])
            found += [item["id"] for item in answer["items"]]
            if (cursor := answer["next"]) is None:
                break
        assert found == expected
        pending = (await owner.get(items, params={"state": "pending"})).json()["items"]
        assert [item["id"] for item in pending] == [made[1]]
        own = (await owner.get(items, params={"author": str(owner.account)})).json()["items"]
        assert [item["id"] for item in own] == [mine]
        assert (await owner.get(items, params={"state": "lost"})).status_code == 422
        assert (await owner.get(items, params={"cursor": "abc"})).status_code == 422


async def test_what_is_too_long_empty_or_unknown_is_refused_without_a_trace(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        owner = await platform_api.person()
        venture = await owner.found()
        items = f"/v1/ventures/{venture}/items"
        longest = await owner.post(items, {"title": "é" * 300, "body": "é" * 100_000})
        assert longest.status_code == 201, longest.text
        place = longest.headers["Location"]
        async with platform_api.platform.database.reading(venture) as scope:
            before = await head(scope)
        refused = (
            ("POST", items, {"title": "é" * 301}),
            ("POST", items, {"title": "Tea", "body": "é" * 100_001}),
            ("POST", items, {"title": "Tea", "body": "a" * 200_001}),
            ("POST", items, {"title": ""}),
            ("POST", items, {"title": " \t "}),
            ("POST", items, {"title": "Tea\nand more"}),
            ("POST", items, {"title": "Tea\u0000"}),
            ("POST", items, {"title": "Tea", "body": "\u0000"}),
            ("POST", items, {"body": "No title."}),
            ("POST", items, {"title": "Tea", "state": "approved"}),
            ("PATCH", place, {"title": None}),
            ("PATCH", place, {"body": "é" * 100_001}),
            ("POST", f"{place}/comments", {"text": "a" * 10_001}),
            ("POST", f"{place}/comments", {"text": " "}),
            ("POST", f"{place}/request-changes", {"note": ""}),
            ("POST", f"{place}/approve", {"note": "a" * 2_001}),
        )
        for method, path, body in refused:
            answer = await owner.send(method, path, body, if_match=1)
            assert answer.status_code == 422, (method, path, str(body)[:40], answer.text)
            assert answer.json()["type"] == "urn:ventures:problem:invalid"
        assert (await owner.patch(place, {"body": "!"})).status_code == 428
        assert (await owner.get(f"{place}/versions/2")).status_code == 404
        assert (await owner.get(f"{place}/versions/99999999999")).status_code in (404, 422)
        async with platform_api.platform.database.reading(venture) as scope:
            assert await head(scope) == before


async def test_a_change_made_on_an_old_version_is_refused_and_its_key_stays_free(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        owner = await platform_api.person()
        venture = await owner.found()
        place = (await owner.post(f"/v1/ventures/{venture}/items", {"title": "Oolong"})).headers["Location"]
        assert (await owner.patch(place, {"body": "Mine."}, if_match=1)).status_code == 200
        assert (await owner.patch(place, {"body": "Yours."}, if_match=1, key="edit")).status_code == 412
        done = await owner.patch(place, {"body": "Ours."}, if_match=2, key="edit")
        assert (done.status_code, done.json()["body"], done.json()["number"]) == (200, "Ours.", 3)
        again = await owner.patch(place, {"body": "Ours."}, if_match=2, key="edit")
        assert (again.status_code, again.json()) == (200, done.json())


async def test_two_drafts_under_one_key_are_one_item(database_addresses: Addresses) -> None:
    async with api(database_addresses) as platform_api:
        owner = await platform_api.person()
        venture = await owner.found()
        items = f"/v1/ventures/{venture}/items"
        several = await asyncio.gather(*(owner.post(items, {"title": "Oolong"}, key="once") for _ in range(5)))
        assert {answer.status_code for answer in several} == {201}
        assert len({answer.headers["Location"] for answer in several}) == 1
        assert len((await owner.get(items)).json()["items"]) == 1
        copies = [await owner.post(f"{several[0].headers['Location']}/copy", key="copy") for _ in range(2)]
        assert copies[0].headers["Location"] == copies[1].headers["Location"] != several[0].headers["Location"]
