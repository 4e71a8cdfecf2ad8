"""The running audit finds every disagreement that is planted, once, for as long as it is there, and no other."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg
import pytest

from ventures.content import api as content
from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.errors import Refused
from ventures.log.api import Actor
from ventures.planner import api as planner
from ventures.posts import api as posts
from ventures.posts.ports import Failed, Unknown
from ventures.signals.api import Kind, audited, inconsistencies
from ventures.signals.auditing import TURN_SECONDS
from ventures.tenancy import api as tenancy
from ventures.testing.log import Everybody
from ventures.testing.signals import REGION, Moody, Place, new_place

BEN: Final = UUID(int=2)
Plant = tuple[LiteralString, LiteralString, Callable[[dict[str, UUID]], UUID]]

PLANTS: Final[dict[Kind, list[Plant]]] = {
    Kind.DEADLINE_WITHOUT_ITEM: [
        (
            "UPDATE item SET deleted_at = now() WHERE id = %(item)s",
            "UPDATE item SET deleted_at = NULL WHERE id = %(item)s",
            lambda ids: ids["deadline"],
        )
    ],
    Kind.DEADLINE_AND_REMINDER: [
        (
            "UPDATE reminder SET deadline_at = deadline_at + interval '1 hour' WHERE entry = %(deadline)s",
            "UPDATE reminder SET deadline_at = deadline_at - interval '1 hour' WHERE entry = %(deadline)s",
            lambda ids: ids["deadline"],
        ),
        (
            "UPDATE calendar_event SET deleted_at = now() WHERE id = %(deadline)s",
            "UPDATE calendar_event SET deleted_at = NULL WHERE id = %(deadline)s",
            lambda ids: ids["deadline"],
        ),
    ],
    Kind.POST_WITHOUT_ENTRY: [
        (
            "UPDATE calendar_event SET deleted_at = now() WHERE subject = %(post)s",
            "UPDATE calendar_event SET deleted_at = NULL WHERE subject = %(post)s",
            lambda ids: ids["post"],
        )
    ],
    Kind.ENTRY_WITHOUT_POST: [
        (
            "UPDATE post SET deleted_at = now() WHERE id = %(post)s",
            "UPDATE post SET deleted_at = NULL WHERE id = %(post)s",
            lambda ids: ids["post"],
        )
    ],
    Kind.POST_NOT_DUE: [
        (
            "UPDATE outbox SET seq = seq + 1 WHERE post = %(post)s",
            "UPDATE outbox SET seq = seq - 1 WHERE post = %(post)s",
            lambda ids: ids["post"],
        )
    ],
    Kind.POST_NOT_APPROVED: [
        (
            "UPDATE post SET number = number + 1 WHERE id = %(post)s",
            "UPDATE post SET number = number - 1 WHERE id = %(post)s",
            lambda ids: ids["post"],
        ),
        (
            "UPDATE approval SET verdict = 'voided' WHERE item = %(item)s AND verdict = 'approved'",
            "UPDATE approval SET verdict = 'approved' WHERE item = %(item)s AND verdict = 'voided'",
            lambda ids: ids["post"],
        ),
    ],
    Kind.ITEM_NOT_SCHEDULED: [
        (
            "UPDATE item SET state = 'approved' WHERE id = %(item)s",
            "UPDATE item SET state = 'scheduled' WHERE id = %(item)s",
            lambda ids: ids["item"],
        )
    ],
    Kind.MEMBER_NOT_IN_DIRECTORY: [
        (
            'UPDATE "global".directory_member SET gone = true WHERE account = %(ben)s AND venture = %(venture)s',
            'UPDATE "global".directory_member SET gone = false WHERE account = %(ben)s AND venture = %(venture)s',
            lambda ids: ids["ben"],
        ),
        (
            'UPDATE "global".directory_member SET account = %(eve)s WHERE account = %(ben)s AND venture = %(venture)s',
            'UPDATE "global".directory_member SET account = %(ben)s WHERE account = %(eve)s AND venture = %(venture)s',
            lambda ids: ids["ben"],
        ),
    ],
    Kind.DIRECTORY_WITHOUT_MEMBER: [
        (
            "UPDATE membership SET left_at = now() WHERE account = %(ben)s AND venture = %(venture)s",
            "UPDATE membership SET left_at = NULL WHERE account = %(ben)s AND venture = %(venture)s",
            lambda ids: ids["ben"],
        )
    ],
    Kind.ROLE_DIFFERS: [
        (
            "UPDATE notice_member SET role = 'owner' WHERE account = %(ben)s AND venture = %(venture)s",
            "UPDATE notice_member SET role = 'author' WHERE account = %(ben)s AND venture = %(venture)s",
            lambda ids: ids["ben"],
        )
    ],
}


def plant(addresses: Addresses, statement: LiteralString, ids: dict[str, UUID]) -> None:
    with psycopg.connect(addresses.superuser, options="-c search_path=regional") as connection:
        assert connection.execute(statement, ids).rowcount == 1


async def furnished(database: Database) -> tuple[Place, dict[str, UUID]]:
    """One of everything that is compared."""
    place = await new_place(database)
    world = place.world
    await place.join(BEN)
    item = await world.item()
    deadline = await place.deadline(item)
    post = await world.scheduled(item, await world.channel("sink"), after=timedelta(days=2))
    await place.caught_up()
    return place, {
        "venture": world.venture, "item": item, "deadline": deadline, "post": post, "ben": BEN, "eve": UUID(int=3)
    }  # fmt: skip


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind != Kind.FORMER_MEMBER_ALLOWED], ids=lambda k: k.label)
async def test_what_is_planted_is_found_until_it_is_mended(
    kind: Kind, database: Database, database_addresses: Addresses
) -> None:
    for broken, mended, entity in PLANTS[kind]:
        place, ids = await furnished(database)
        assert await place.found() == set()
        plant(database_addresses, broken, ids)
        assert (kind, entity(ids)) in await place.found()
        first = [one.seen_at for one in await inconsistencies(database, 100) if one.kind == kind]
        assert len(first) == 1
        place.world.watch.move(60)
        await place.found()
        assert [one.seen_at for one in await inconsistencies(database, 100) if one.kind == kind] == first
        plant(database_addresses, mended, ids)
        assert await place.found() == set()
        assert await inconsistencies(database, 100) == []
        assert (await audited(database, REGION, place.world.watch())).recent[kind] >= 1


async def test_a_former_member_who_is_let_in_is_found(database: Database) -> None:
    place = await new_place(database)
    await place.join(BEN)
    await place.world.do(tenancy.LeaveVenture(), Actor(account=BEN))
    await place.caught_up()
    assert await place.found() == set()
    assert await place.found(authority=Everybody()) == {(Kind.FORMER_MEMBER_ALLOWED, BEN)}
    assert await place.found() == set()


async def test_a_consumer_that_is_behind_is_no_disagreement(database: Database) -> None:
    place, _ = await furnished(database)
    await place.join(UUID(int=4))
    item = await place.world.item()
    await place.deadline(item)
    await place.world.scheduled(item, await place.world.channel("sink"), after=timedelta(days=3))
    assert await place.found() == set()


async def test_what_cannot_be_looked_at_now_stays_found(database: Database, database_addresses: Addresses) -> None:
    place, ids = await furnished(database)
    plant(database_addresses, PLANTS[Kind.POST_NOT_DUE][0][0], ids)
    assert await place.found() == {(Kind.POST_NOT_DUE, ids["post"])}
    await place.world.item()
    assert await place.found() == set()
    assert [one.entity for one in await inconsistencies(database, 10)] == [ids["post"]]


async def test_slice_by_slice_all_ventures_are_seen(database: Database) -> None:
    places = [await new_place(database) for _ in range(5)]
    auditor = places[0].auditor(least=2)
    watch = places[0].world.watch
    seen = []
    for _ in range(3):
        assert await auditor.turn() == TURN_SECONDS
        seen.append(await audited(database, REGION, watch()))
        watch.move(TURN_SECONDS)
    assert [(one.round.seen, one.round.whole_ventures, one.known) for one in seen if one.round] == [
        (2, None, False), (4, None, False), (0, 5, True)
    ]  # fmt: skip
    assert seen[-1].round is not None
    assert seen[-1].round.whole_seconds == 2 * TURN_SECONDS
    for _ in range(6):
        await new_place(database)
    assert not (await audited(database, REGION, watch())).known
    watch.move(86_400)
    assert not (await audited(database, REGION, watch())).known


async def test_a_round_takes_about_an_hour_and_the_first_is_quicker(database: Database) -> None:
    places = [await new_place(database) for _ in range(12)]
    auditor = places[0].auditor(least=1, round_seconds=120.0, first_round_seconds=40.0)
    sizes = []
    for _ in range(6):
        await auditor.turn()
        round_ = (await audited(database, REGION, places[0].world.watch())).round
        sizes.append(round_.seen if round_ else None)
    assert sizes == [6, 12, 0, 2, 4, 6]


async def test_while_another_process_audits_nothing_is_done(database: Database) -> None:
    place = await new_place(database)
    async with database.everywhere() as other:
        await other.one("SELECT pg_try_advisory_xact_lock(hashtext('ventures signals auditing'))")
        await place.auditor().turn()
        assert (await audited(database, REGION, place.world.watch())).round is None
    await place.auditor().turn()
    assert (await audited(database, REGION, place.world.watch())).round is not None


async def test_doctor_says_what_disagrees_where(database: Database, database_addresses: Addresses) -> None:
    place, ids = await furnished(database)
    plant(database_addresses, PLANTS[Kind.POST_NOT_DUE][0][0], ids)
    await place.auditor().turn()
    ours = {"DATABASE_URL": database_addresses.app, "VENTURES_OWNER_URL": database_addresses.owner}
    done = subprocess.run(
        [sys.executable, "-m", "ventures.cli", "doctor", "--plain"],
        env={**os.environ, **ours, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "outbox" in line]
    assert line.startswith("finding\t")
    assert str(ids["post"]) in line
    assert line.endswith(f"ventures audit {ids['venture']}")


ACTS: Final = (
    "draft", "approve", "approve", "edit", "edit meanwhile", "delete", "deadline", "clear", "post", "post",
    "schedule", "schedule", "schedule", "unschedule", "drop", "due", "due", "flaky", "doubtful", "resolve", "join",
    "leave", "role", "catch up",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
async def test_no_sequence_of_commands_makes_rooms_disagree(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    Moody.will.clear()
    Moody.meanwhile.clear()
    place = await new_place(database)
    channel = await place.world.channel("moody")
    made: dict[str, list[UUID]] = {"item": [await place.world.item()], "post": []}
    done = set[str]()
    for _ in range(300):
        act, which = chance.choice(ACTS), chance.randrange(6)
        try:
            await act_out(place, channel, made, act, which)
        except Refused:
            continue
        done.add(act)
        assert await place.found() == set(), (act, which)
    await place.caught_up()
    assert await place.found() == set()
    assert len(done) >= len(set(ACTS)) - 2, set(ACTS) - done


async def act_out(place: Place, channel: UUID, made: dict[str, list[UUID]], act: str, which: int) -> None:
    world = place.world
    item = made["item"][-1 - which % len(made["item"])]
    post = made["post"][-1 - which % len(made["post"])] if made["post"] else item
    match act:
        case "draft":
            made["item"].append(await world.item(approved=which > 1))
        case "approve":
            await world.approve(item)
        case "edit":
            await world.edit(item, f"Another body {which}.")
        case "edit meanwhile":
            Moody.meanwhile.append(lambda: edited(place, item))
        case "delete":
            await world.do(content.DeleteItem(item=item, version=(await world.see_item(item)).version))
        case "deadline":
            await place.deadline(item, days=which)
        case "clear":
            await world.do(planner.ClearDeadline(item=item, version=1))
        case "post":
            made["post"].append(await world.post(item, channel))
        case "schedule":
            at = world.watch() + timedelta(hours=1 + which)
            await world.do(posts.SchedulePost(post=post, version=(await world.see(post)).version, at=at))
        case "unschedule":
            await world.do(posts.UnschedulePost(post=post, version=(await world.see(post)).version))
        case "drop":
            await world.do(posts.DeletePost(post=post, version=(await world.see(post)).version))
        case "due":
            world.watch.move(3 * 3600)
            await place.caught_up()
            await world.publisher().turn()
        case "flaky":
            Moody.will.append(Failed(problem="Not now.", again=which > 0))
        case "doubtful":
            Moody.will.append(Unknown(problem="Nobody knows."))
        case "resolve":
            version = (await world.see(post)).version
            await world.do(posts.ResolvePost(post=post, version=version, published=which > 1))
        case _:
            await people(place, act, which)


async def edited(place: Place, item: UUID) -> None:
    with suppress(Refused):
        await place.world.edit(item, "While it went out.")


async def people(place: Place, act: str, which: int) -> None:
    who: Any = UUID(int=10 + which)
    if act == "join":
        await place.join(who)
    elif act == "leave":
        await place.world.do(tenancy.LeaveVenture(), Actor(account=who))
    elif act == "role":
        async with place.world.database.reading(place.world.venture) as scope:
            version = (await tenancy.member(scope, who)).version
        await place.world.do(tenancy.ChangeRole(account=who, version=version, role="manager"))
    else:
        await place.caught_up()
