"""What fits a person, and whom an item fits."""

from dataclasses import dataclass
from uuid import UUID

import pytest

from ventures.content import api as content
from ventures.database.pool import Database
from ventures.errors import NotFound
from ventures.identifiers import new_id
from ventures.log.api import Actor
from ventures.search import recommending
from ventures.search.api import Readers, Recommendations, readers, recommend
from ventures.tenancy import api as tenancy
from ventures.testing.notifications import Stage, staged
from ventures.testing.search_index import Library

TEA = "oolong sencha leaves steep kettle"
BIKES = "bicycle wheel spokes brakes saddle"


@dataclass
class Room:
    """A venture in which people write about one thing or another."""

    stage: Stage
    library: Library

    async def write(self, who: Actor, title: str, body: str) -> UUID:
        return (await self.stage.do(who, content.DraftItem(title=title, body=body))).entity

    async def fill(self) -> None:
        await self.library.fill(self.stage.venture)

    async def recommend(self, who: Actor, limit: int = 10, states: tuple[str, ...] = ()) -> Recommendations:
        assert who.account is not None
        async with self.stage.database.reading(self.stage.venture) as scope:
            answer, samples = await recommend(scope, self.library.finder, who.account, limit=limit, states=states)
        assert all(sample.venture == self.stage.venture for sample in samples)
        return answer

    async def readers(self, item: UUID, limit: int = 10) -> Readers:
        async with self.stage.database.reading(self.stage.venture) as scope:
            return (await readers(scope, self.library.finder, item, limit=limit))[0]


async def made(database: Database) -> Room:
    stage = await staged(database)
    return Room(stage, Library(database, stage.spine.registry, stage.watch))


async def test_items_near_to_what_one_worked_on_but_not_ones_own(database: Database) -> None:
    room = await made(database)
    stage = room.stage
    own = await room.write(stage.author, "Mine", TEA)
    tea = [await room.write(stage.manager, f"Tea {n}", f"{TEA} number {n}") for n in range(3)]
    bike = await room.write(stage.manager, "Bike", BIKES)
    await stage.do(stage.author, content.AddComment(item=tea[0], text="Nice."))
    await room.fill()
    found = await room.recommend(stage.author)
    assert [hit.item for hit in found.items] == [*sorted(tea[1:], key=[hit.item for hit in found.items].index), bike]
    assert {hit.item for hit in found.items[:2]} == set(tea[1:])  # the first they touched last
    assert own not in [hit.item for hit in found.items]
    assert (found.answered_by, found.because) == ("index", None)
    assert found.items[0].snippet.startswith("oolong")
    await stage.do(stage.manager, content.AddComment(item=tea[0], text="Thanks."))
    await room.fill()
    assert tea[0] in [hit.item for hit in (await room.recommend(stage.author)).items]
    assert len((await room.recommend(stage.author, limit=1)).items) == 1
    assert (await room.recommend(stage.author, states=("approved",))).items == []


async def test_the_other_kind_of_work_gets_the_other_kind_of_items(database: Database) -> None:
    room = await made(database)
    await room.write(room.stage.author, "Mine", BIKES)
    await room.write(room.stage.approver, "Theirs", TEA)
    bike = await room.write(room.stage.manager, "Bike", f"{BIKES} again")
    tea = await room.write(room.stage.manager, "Tea", f"{TEA} again")
    await room.fill()
    assert (await room.recommend(room.stage.author)).items[0].item == bike
    assert (await room.recommend(room.stage.approver)).items[0].item == tea


async def test_of_whom_nothing_is_known_the_latest_are_shown_and_it_is_said(database: Database) -> None:
    room = await made(database)
    items = []
    for number in range(3):
        room.stage.watch.move(1)
        items.append(await room.write(room.stage.manager, f"Tea {number}", TEA))
    await room.fill()
    found = await room.recommend(room.stage.viewer)
    assert [hit.item for hit in found.items] == items[::-1]
    assert found.because == recommending.NO_PREFERENCE
    assert (await room.recommend(room.stage.viewer, states=("published",))).because == recommending.NOTHING_NEW


async def test_who_wrote_everything_is_told_that_there_is_nothing_else(database: Database) -> None:
    room = await made(database)
    for number in range(3):
        await room.write(room.stage.author, f"Tea {number}", TEA)
    await room.fill()
    found = await room.recommend(room.stage.author)
    assert (found.items, found.because) == ([], recommending.NOTHING_NEW)


async def test_whoever_wrote_most_of_it_is_shown_what_lies_behind(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommending, "DEPTHS", (3, 100))
    room = await made(database)
    for number in range(5):
        await room.write(room.stage.author, f"Mine {number}", TEA)
    bike = await room.write(room.stage.manager, "Bike", BIKES)
    await room.fill()
    assert [hit.item for hit in (await room.recommend(room.stage.author)).items] == [bike]


async def test_readers_are_members_by_how_near_their_work_is(database: Database) -> None:
    room = await made(database)
    stage = room.stage
    await room.write(stage.approver, "A", TEA)
    await room.write(stage.owner, "B", BIKES)
    await room.write(stage.author, "C", TEA)
    item = await room.write(stage.author, "New", f"{TEA} new")
    await room.fill()
    found = await room.readers(item)
    assert [one.account for one in found.items] == [stage.approver.account, stage.owner.account]
    assert [(one.role, one.approves, one.display_name) for one in found.items] == [
        ("approver", True, "Approver"),
        ("owner", True, "Owner"),
    ]
    assert found.items[0].similarity > found.items[1].similarity
    assert len((await room.readers(item, limit=1)).items) == 1
    async with database.reading(stage.venture) as scope:
        version = (await tenancy.member(scope, stage.approver.account)).version  # type: ignore[arg-type]
    await stage.do(stage.owner, tenancy.RemoveMember(account=stage.approver.account, version=version))  # type: ignore[arg-type]
    assert [one.account for one in (await room.readers(item)).items] == [stage.owner.account]  # at once


async def test_readers_of_what_is_not_there_or_not_read_yet(database: Database) -> None:
    room = await made(database)
    item = await room.write(room.stage.author, "New", TEA)
    found = await room.readers(item)
    assert (found.items, found.because) == ([], recommending.NOT_READ_YET)
    with pytest.raises(NotFound):
        await room.readers(new_id())


async def test_it_is_answered_exactly_while_the_index_is_away(database: Database) -> None:
    room = await made(database)
    await room.write(room.stage.author, "Mine", TEA)
    item = await room.write(room.stage.manager, "Tea", f"{TEA} too")
    await room.fill()
    room.library.index.away = "Away."
    found = await room.recommend(room.stage.author)
    assert ([hit.item for hit in found.items], found.answered_by, found.because) == ([item], "exact", "Away.")
    near = await room.readers(item)
    assert (len(near.items), near.answered_by, near.because) == (1, "exact", "Away.")
