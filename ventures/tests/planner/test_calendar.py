"""The calendar over HTTP: one row a deadline, times in zones, feeds, and the law of the log."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from ventures.content.api import DeleteItem, DraftItem, EditItem
from ventures.database.roles import Addresses
from ventures.errors import Refused
from ventures.log.api import Actor, Command, replay, verify_chain
from ventures.planner import api as planner
from ventures.planner import reading
from ventures.planner.api import When
from ventures.tenancy.api import FoundVenture
from ventures.testing.api import Person, api, settings_for
from ventures.wiring import open_platform

NINE = {"title": "Meeting", "starts_at": "2026-07-01T09:00:00", "ends_at": "2026-07-01T10:00:00"}


async def new_item(person: Person, venture: UUID, title: str = "Autumn launch") -> UUID:
    actor = Actor(account=person.account)
    done = await person.platform.spine.append(venture, DraftItem(title=title, body="…"), actor=actor)
    return done.entity


async def calendar(person: Person, venture: UUID, **params: Any) -> list[dict[str, Any]]:
    """All pages, two entries at a time."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await person.get(f"/v1/ventures/{venture}/calendar", params={**params, "limit": 2})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        if page["next"] is None:
            return found
        params["cursor"] = page["next"]


async def test_an_event_from_its_birth_to_its_end(database_addresses: Addresses) -> None:
    async with api(database_addresses) as house:
        ada = await house.person()
        venture = await ada.found(zone="Europe/Berlin")
        path = f"/v1/ventures/{venture}/calendar"
        made = await ada.post(path, NINE, key="once")
        assert made.status_code == 201, made.text
        one = made.json()
        assert one["starts_at"] == "2026-07-01T07:00:00Z"
        assert (one["starts_local"], one["shown_in"]) == ("2026-07-01T09:00:00+02:00", "Europe/Berlin")
        again = await ada.post(path, NINE, key="once")
        assert (again.json(), again.headers["Idempotency-Replayed"]) == (one, "true")

        where = made.headers["Location"]
        assert (await ada.get(where, params={"zone": "Asia/Tokyo"})).json()["ends_local"] == "2026-07-01T17:00:00+09:00"
        assert (await ada.patch(where, {"title": "x"})).status_code == 428
        changed = await ada.patch(where, {"title": "Moved", "starts_at": "2026-07-02T09:00:00"}, if_match=1)
        assert changed.status_code == 200, changed.text
        assert changed.json()["ends_at"] == "2026-07-02T07:00:00Z"
        assert (await ada.patch(where, {"title": "x"}, if_match=1)).status_code == 412
        kept = await ada.patch(where, {"note": "bring cake"}, if_match=changed.headers["ETag"])
        assert (kept.json()["title"], kept.json()["starts_at"], kept.json()["version"]) == (
            "Moved",
            "2026-07-02T07:00:00Z",
            3,
        )
        assert (await ada.delete(where, if_match=3)).status_code == 204
        assert (await ada.get(where)).status_code == 404
        assert (await ada.delete(where, if_match=4)).status_code == 404
        assert await calendar(ada, venture) == []
        assert await house.replays(venture)


async def test_an_items_deadline_is_its_row_of_the_calendar(database_addresses: Addresses) -> None:
    async with api(database_addresses) as house:
        ada = await house.person()
        venture = await ada.found(zone="Europe/Berlin")
        item = await new_item(ada, venture)
        path = f"/v1/ventures/{venture}/items/{item}/deadline"
        assert (await ada.get(path)).status_code == 404
        made = await ada.put(path, {"starts_at": "2026-10-25T02:30:00", "fold": "later"})
        assert made.status_code == 200, made.text
        assert made.json()["starts_local"] == "2026-10-25T02:30:00+01:00"
        assert await calendar(ada, venture) == [made.json()] == [(await ada.get(path)).json()]
        assert (await ada.put(path, {"starts_on": "2026-10-26"})).status_code == 428
        moved = await ada.put(path, {"starts_on": "2026-10-26"}, if_match=1)
        assert (moved.json()["id"], moved.json()["all_day"], moved.json()["version"]) == (made.json()["id"], True, 2)

        actor = Actor(account=ada.account)
        await house.platform.spine.append(venture, EditItem(item=item, version=1, title="Winter launch"), actor=actor)
        (one,) = await calendar(ada, venture)
        assert one["title"] == "Winter launch"
        entry = f"/v1/ventures/{venture}/calendar/{one['id']}"
        refused = await ada.patch(entry, {"note": "x"}, if_match=2)
        assert (refused.status_code, "deadline" in refused.json()["detail"]) == (409, True)
        assert (await ada.delete(entry, if_match=2)).status_code == 409

        about = await ada.post(f"/v1/ventures/{venture}/calendar", {**NINE, "item": str(item)})
        assert about.status_code == 201, about.text
        await house.platform.spine.append(venture, DeleteItem(item=item, version=2), actor=actor)
        assert await calendar(ada, venture) == []
        assert (await ada.put(path, {"starts_on": "2026-10-26"})).status_code == 404
        assert await house.replays(venture)


async def test_who_may(database_addresses: Addresses) -> None:
    async with api(database_addresses) as house:
        ada = await house.person()
        venture, other = await ada.found(), await ada.found()
        path = f"/v1/ventures/{venture}/calendar"
        entry = (await ada.post(path, NINE)).json()["id"]
        viewer, author = await house.member(venture, "viewer"), await house.member(venture, "author")
        stranger = await house.person()
        assert (await viewer.get(path)).status_code == 200
        assert (await viewer.post(path, NINE)).status_code == 403
        assert (await viewer.post(f"{path}/feeds", {"label": "mine"})).status_code == 403
        assert (await author.post(path, NINE)).status_code == 201
        for person in (stranger, house.nobody):
            expected = 404 if person is stranger else 401
            assert (await person.get(path)).status_code == expected
            assert (await person.get(f"{path}/{entry}")).status_code == expected
            assert (await person.get(f"{path}/free-slots")).status_code == expected
            assert (await person.delete(f"{path}/{entry}", if_match=1)).status_code == expected
        assert (await ada.get(f"/v1/ventures/{other}/calendar/{entry}")).status_code == 404
        assert (await ada.patch(f"/v1/ventures/{other}/calendar/{entry}", {"note": ""}, if_match=1)).status_code == 404
        item = await new_item(ada, other)
        assert (await ada.post(path, {**NINE, "item": str(item)})).status_code == 404
        assert (
            await ada.put(f"/v1/ventures/{venture}/items/{item}/deadline", {"starts_on": "2026-01-05"})
        ).status_code == 404


async def test_what_is_no_time_leaves_no_trace(database_addresses: Addresses) -> None:
    async with api(database_addresses) as house:
        ada = await house.person()
        venture = await ada.found(zone="Europe/Berlin")
        path = f"/v1/ventures/{venture}/calendar"
        wrong: list[dict[str, Any]] = [
            {"title": "x"},
            {"title": "x", "starts_at": "2026-03-29T02:30:00"},
            {"title": "x", "starts_at": "tomorrow"},
            {"title": "x", "starts_at": "0001-01-01T00:00:00Z"},
            {"title": "x", "starts_at": "9999-12-31T23:59:59-23:59"},
            {"title": "x", "starts_on": "2026-01-01", "zone": "UTC"},
            {"title": "x", "starts_at": "2026-01-01T00:00:00", "zone": "Mars"},
            {"title": "", "starts_on": "2026-01-01"},
            {"title": "x" * 301, "starts_on": "2026-01-01"},
            {"title": "x\x00y", "starts_on": "2026-01-01"},
            {"title": "x", "starts_on": "2026-01-01", "venture": str(venture)},
        ]
        for body in wrong:
            answer = await ada.post(path, body)
            assert answer.status_code in (400, 422), (body, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
        for params in (
            {"from": "2026-01-01T00:00:00"},
            {"from": "0001-01-01T00:00:00Z"},
            {"zone": "Mars"},
            {"kind": "party"},
            {"cursor": "nonsense"},
            {"limit": 0},
        ):
            assert (await ada.get(path, params=params)).status_code == 422, params
        for params in ({"begin": "17:00", "end": "09:00"}, {"minutes": 1}, {"weekday": 8}, {"begin": "9"}):
            assert (await ada.get(f"{path}/free-slots", params=params)).status_code == 422, params
        assert await calendar(ada, venture) == []


async def test_a_range_is_what_overlaps_it_by_pages(database_addresses: Addresses) -> None:
    async with api(database_addresses) as house:
        ada = await house.person()
        venture = await ada.found(zone="UTC")
        path = f"/v1/ventures/{venture}/calendar"
        for day in range(1, 8):
            times = {"starts_at": f"2026-07-0{day}T09:00:00", "ends_at": f"2026-07-0{day}T10:00:00"}
            assert (await ada.post(path, {"title": str(day), **times})).status_code == 201
        long = {"title": "long", "starts_at": "2025-08-01T00:00:00", "ends_at": "2026-07-20T00:00:00"}
        assert (await ada.post(path, long)).status_code == 201
        assert (await ada.post(path, {"title": "moment", "starts_at": "2026-07-03T00:00:00"})).status_code == 201
        assert [one["title"] for one in await calendar(ada, venture)] == ["long", *"12", "moment", *"34567"]
        some = await calendar(ada, venture, **{"from": "2026-07-03T00:00:00Z", "to": "2026-07-05T09:00:00Z"})
        assert [one["title"] for one in some] == ["long", "moment", "3", "4"]
        edge = await calendar(ada, venture, **{"from": "2026-07-03T10:00:00Z", "to": "2026-07-03T11:00:00Z"})
        assert [one["title"] for one in edge] == ["long"]
        assert await calendar(ada, venture, kind="deadline") == []
        assert len(await calendar(ada, venture, kind=["deadline", "event"])) == 9

        slots = await ada.get(
            f"{path}/free-slots", params={"from": "2026-07-21T08:00:00Z", "minutes": 60, "zone": "Europe/Berlin"}
        )
        assert slots.json()["items"][0]["starts_local"] == "2026-07-21T10:00:00+02:00", slots.text
        assert len(slots.json()["items"]) == 10


async def test_a_feed_is_read_without_signing_in_until_it_is_revoked(database_addresses: Addresses) -> None:
    async with api(database_addresses) as house:
        ada = await house.person()
        venture = await ada.found("A, B; C", zone="Europe/Berlin")
        path = f"/v1/ventures/{venture}/calendar"
        item = await new_item(ada, venture)
        await ada.put(f"/v1/ventures/{venture}/items/{item}/deadline", {"starts_on": "2026-07-01"})
        kept = (await ada.post(path, NINE)).json()["id"]
        gone = (await ada.post(path, NINE)).json()["id"]

        made = await ada.post(f"{path}/feeds", {"label": "phone"}, key="feed")
        assert made.status_code == 201, made.text
        assert (await ada.post(f"{path}/feeds", {"label": "phone"}, key="feed")).json() == made.json()
        url = made.json()["url"].removeprefix(house.platform.settings.base_url)
        token = url.rpartition("/")[2].removesuffix(".ics")
        async with house.platform.database.venture(venture) as scope:
            log = await scope.all("SELECT data::text FROM event WHERE venture = %(venture)s")
        assert not any(token in data for (data,) in log)
        listed = (await ada.get(f"{path}/feeds")).json()["items"]
        assert [one["label"] for one in listed] == ["phone"]
        assert "url" not in listed[0]

        async def events() -> dict[str, Any]:
            answer = await house.nobody.get(url)
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
            return {str(one["UID"]): one for one in Calendar.from_ical(answer.text).walk("VEVENT")}

        assert set(await events()) == {one["id"] for one in await calendar(ada, venture)}
        etag = (await house.nobody.get(url)).headers["ETag"]
        unchanged = await house.nobody.get(url, headers={"If-None-Match": f'"x", W/{etag}'})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        await ada.delete(f"{path}/{gone}", if_match=1)
        assert (await house.nobody.get(url)).headers["ETag"] != etag
        found = await events()
        assert (found[gone]["STATUS"], found[gone]["SEQUENCE"], found[kept]["STATUS"]) == ("CANCELLED", 2, "CONFIRMED")

        for wrong in (url[:-5] + ".ics", url.removesuffix(".ics"), url.replace(str(venture), str(UUID(int=1)))):
            assert (await house.nobody.get(wrong)).status_code == 404
        assert (await ada.delete(f"{path}/feeds/{made.json()['id']}")).status_code == 204
        assert (await house.nobody.get(url)).status_code == 404
        assert (await ada.delete(f"{path}/feeds/{made.json()['id']}")).status_code == 404
        assert await house.replays(venture)

        url = (
            (await ada.post(f"{path}/feeds", {"label": "desk"}))
            .json()["url"]
            .removeprefix(house.platform.settings.base_url)
        )
        assert gone in await events()
        house.clock.forward(timedelta(days=31))
        assert gone not in await events()


async def test_a_feed_ends_with_its_makers_membership(database_addresses: Addresses) -> None:
    async with api(database_addresses) as house:
        ada = await house.person()
        venture = await ada.found()
        author = await house.member(venture, "author")
        made = await author.post(f"/v1/ventures/{venture}/calendar/feeds", {"label": "phone"})
        url = made.json()["url"].removeprefix(house.platform.settings.base_url)
        assert (await house.nobody.get(url)).status_code == 200
        assert (await author.post(f"/v1/ventures/{venture}/leave")).status_code < 300
        assert (await house.nobody.get(url)).status_code == 404


async def test_a_feed_that_is_too_long_leaves_out_what_is_longest_ago(
    database_addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_IN_FEED", 2)
    async with api(database_addresses) as house:
        ada = await house.person()
        venture = await ada.found()
        made = [
            (await ada.post(f"/v1/ventures/{venture}/calendar", {"title": "x", "starts_on": f"2027-01-0{day}"})).json()
            for day in (2, 1, 3)
        ]
        async with house.platform.database.venture(venture) as scope:
            _, found, _ = await planner.feed_entries(scope, house.platform.now())
        assert [str(one.id) for one in found] == [made[0]["id"], made[2]["id"]]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(("add", "change", "remove", "set", "clear", "draft", "delete")),
        st.integers(0, 2),
        st.integers(0, 400),
        st.sampled_from(("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")),
    ),
    max_size=14,
)


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(ACTIONS)
def test_any_history_replays_and_a_deadline_is_one_row(
    database_addresses: Addresses, actions: list[tuple[str, int, int, str]]
) -> None:
    asyncio.run(live(database_addresses, actions))


async def live(addresses: Addresses, actions: list[tuple[str, int, int, str]]) -> None:
    async with open_platform(settings_for(addresses), addresses.app) as platform:
        venture, actor = platform.new_id(), Actor(account=platform.new_id())
        founding = FoundVenture(name="x", zone="Africa/Casablanca", display_name="x")
        await platform.spine.append(venture, founding, actor=actor)
        items: list[UUID] = []
        deleted: set[UUID] = set()
        for action, which, hours, zone in [("draft", 0, 0, ""), *actions]:
            async with platform.database.venture(venture) as scope:
                before = await planner.entries(scope, limit=500)
            command = command_of(action, which, hours, zone, items, before)
            try:
                done = await platform.spine.append(venture, command, actor=actor)
            except Refused:
                done = None
            if done and action == "draft":
                items.append(done.entity)
            if done and action == "delete":
                deleted.add(done.entity)
            async with platform.database.venture(venture) as scope:
                rows = await planner.entries(scope, limit=500)
                at_items = await planner.deadlines(scope, items)
            assert done or rows == before
            assert at_items == {one.item: one for one in rows if one.kind == "deadline"}
            assert not deleted & {one.item for one in rows}
        assert (await replay(platform.database, platform.registry, venture)).same
        async with platform.database.venture(venture) as scope:
            assert await verify_chain(scope) is None


def command_of(action: str, which: int, hours: int, zone: str, items: list[UUID], rows: list[planner.Entry]) -> Command:
    """One thing that somebody may try, sensible or not."""
    item = items[which % len(items)] if items else UUID(int=1)
    row = rows[which % len(rows)] if rows else None
    entry, version = (row.id, row.version) if row else (UUID(int=1), 1)
    deadline = next((one for one in rows if one.kind == "deadline" and one.item == item), None)
    when = When(starts_at=datetime(2026, 3, 20, tzinfo=UTC) + timedelta(hours=hours), zone=zone)
    commands: dict[str, Command] = {
        "draft": DraftItem(title="y", body=""),
        "delete": DeleteItem(item=item, version=1),
        "add": planner.AddEvent(title="x", when=when, item=item if hours % 2 else None),
        "change": planner.ChangeEvent(entry=entry, version=version, when=when),
        "remove": planner.RemoveEvent(entry=entry, version=version - hours % 2),
        "set": planner.SetDeadline(item=item, when=when, version=deadline and deadline.version),
        "clear": planner.ClearDeadline(item=item, version=deadline.version if deadline else 1),
    }
    return commands[action]


async def test_a_posts_time_is_a_row_of_the_calendar_that_only_the_post_moves(database_addresses: Addresses) -> None:
    async with api(database_addresses) as house:
        ada = await house.person()
        venture = await ada.found(zone="UTC")
        path = f"/v1/ventures/{venture}"
        item = (await ada.post(f"{path}/items", {"title": "Tea", "body": "Oolong."})).json()
        sent = await ada.post(f"{path}/items/{item['id']}/submit", if_match=item["version"])
        await ada.post(f"{path}/items/{item['id']}/approve", if_match=sent.headers["ETag"])
        here, there = [
            (await ada.post(f"{path}/channels", {"kind": "sink", "name": name})).json()["id"] for name in ("a", "b")
        ]
        post = await ada.post(f"{path}/posts", {"item": item["id"], "channel": here, "text": "Tea!"})
        nine = (house.platform.now() + timedelta(days=3)).replace(hour=9, minute=0, second=0, microsecond=0)
        scheduled = await ada.post(
            f"{path}/posts/{post.json()['id']}/schedule", {"at": nine.isoformat()}, if_match=post.headers["ETag"]
        )
        assert scheduled.status_code == 200, scheduled.text
        (row,) = await calendar(ada, venture)
        assert (row["kind"], row["title"], row["post"]) == ("post", "Tea", post.json()["id"])
        for answer in (
            await ada.patch(f"{path}/calendar/{row['id']}", {"note": "x"}, if_match=row["version"]),
            await ada.delete(f"{path}/calendar/{row['id']}", if_match=row["version"]),
        ):
            assert (answer.status_code, "schedule" in answer.json()["detail"]) == (409, True)

        search = {"from": nine.isoformat(), "minutes": 30, "weekday": list(range(1, 8)), "limit": 1}
        for channel, first in ((None, "09:15"), (here, "09:15"), (there, "09:00")):
            answer = await ada.get(
                f"{path}/calendar/free-slots", params={**search, **({"channel": channel} if channel else {})}
            )
            assert answer.json()["items"][0]["starts_local"][11:16] == first, (answer.text, channel)
        unknown = await ada.get(f"{path}/calendar/free-slots", params={**search, "channel": str(UUID(int=1))})
        assert unknown.status_code == 404
        seen = await ada.get(f"{path}/items/{item['id']}")
        edited = await ada.patch(f"{path}/items/{item['id']}", {"body": "Green."}, if_match=seen.headers["ETag"])
        assert edited.status_code == 200, edited.text
        assert await calendar(ada, venture) == []  # the approval is void, so that the post does not go out
        assert await house.replays(venture)
