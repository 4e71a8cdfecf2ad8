"""Laws of the consumer: the tables say of every item what it says now, however the log was read."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.content import api as content
from ventures.content.api import STEPS, ItemPublished
from ventures.database.pool import Database
from ventures.database.scope import Scope
from ventures.errors import Refused, Unavailable
from ventures.log.api import Event, Spine, parked, read_all, replay_parked, rewind, step, step_together
from ventures.search.embedding import WordLlamaEmbedder
from ventures.search.filling import Filling
from ventures.search.passages import Passages
from ventures.search.preferences import preference_id
from ventures.search.records import SourceChange
from ventures.search.sources import ContentSource
from ventures.search.splitting import embedded, passage_id, split
from ventures.tenancy import api as tenancy
from ventures.testing.content import OWNER, Tell, command_of, commented, content_spine, drafted, founded, item_of, take
from ventures.testing.log import Recorder, Watch
from ventures.testing.search import Made, WordsEmbedder, consumed, made
from ventures.testing.vectors_in_memory import VectorsInMemory
from ventures.vectors.api import Kind, VectorStore

FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
bodies = st.sampled_from(["", "A tea.", "Green tea. " * 90, "Black coffee. " * 150, "Green tea. " * 90 + "\n\nMore."])
steps = st.tuples(st.integers(0, 2), st.sampled_from((*STEPS, "draft", "text", "comment", "late", "turn")), bodies)


@pytest.fixture
def spine(database: Database) -> Spine:
    return content_spine(database)


@pytest.fixture
def consumer() -> Passages:
    return Passages(WordsEmbedder(), [ContentSource()])


async def carried_out(spine: Spine, venture: UUID, items: list[UUID], which: int, what: str, body: str) -> None:
    """One step of a sequence on one of the last three items."""
    item = items[which % len(items)]
    if what == "draft":
        items.append(await drafted(spine, venture, title=body[:20] or "Sencha", body=body))
    elif what == "comment":
        await commented(spine, venture, item)
    elif what == "text":
        found = await item_of(spine, venture, item)
        await spine.append(venture, content.EditItem(item=item, version=found.version, body=body), actor=OWNER)
    elif what == "late":
        number = max((await item_of(spine, venture, item)).number - 1, 1)
        await spine.append(venture, Tell(fact=ItemPublished(entity=item, number=number)), actor=OWNER)
    else:
        found = await item_of(spine, venture, item)
        named = next(one for one in STEPS if one == what)
        if named == "schedule" and found.state not in content.APPROVED:
            return  # posts look first
        await spine.append(venture, command_of(named, found), actor=OWNER)


async def events_of(spine: Spine, venture: UUID) -> list[Event]:
    async with spine.database.reading(venture) as scope:
        return [event async for event in read_all(scope, spine.registry)]


async def handled_again(spine: Spine, consumer: Passages, events: Sequence[Event], venture: UUID, singly: bool) -> None:
    wanted = [event for event in events if event.type in (consumer.handles or ())]
    async with spine.database.venture(venture) as scope:
        for some in [[event] for event in wanted] if singly else [wanted]:
            await (await consumer.handle_all(scope, some))()


@FEW
@given(st.lists(steps, min_size=1, max_size=25))
async def test_any_sequence_read_in_any_way(
    spine: Spine, consumer: Passages, sequence: list[tuple[int, str, str]]
) -> None:
    venture = await founded(spine)
    items = [await drafted(spine, venture)]
    for which, what, body in sequence:
        if what == "turn":
            await consumed(spine, consumer, venture)
            continue
        try:
            await carried_out(spine, venture, items, which, what, body)
        except Refused:
            continue
    await consumed(spine, consumer, venture)
    found = await made(spine.database, venture, consumer.target)
    await says_what_items_say(spine, venture, items, found)

    events = await events_of(spine, venture)
    await handled_again(spine, consumer, events, venture, singly=False)
    await handled_again(spine, consumer, events, venture, singly=True)
    assert await made(spine.database, venture, consumer.target) == found

    await rewind(spine.database, consumer, venture)
    assert await made(spine.database, venture, consumer.target) == Made([], [], [])
    await handled_again(spine, consumer, events, venture, singly=True)
    assert await made(spine.database, venture, consumer.target) == found
    await rewind(spine.database, consumer, venture)
    await consumed(spine, consumer, venture)
    assert await made(spine.database, venture, consumer.target) == found


async def says_what_items_say(spine: Spine, venture: UUID, items: list[UUID], found: Made) -> None:
    embedder = WordsEmbedder()
    async with spine.database.reading(venture) as scope:
        there = {item.id: await content.item_in_full(scope, item.id) for item in await content.items(scope)}
    assert found.passages == {item.id: split(item.body).texts for item in there.values()}
    states = {row[0]: row[3] for row in found.embedding}
    for row in found.passage:
        identifier, _, source, place, number, title, text, state, *_ = row
        item = there[source]
        assert (number, title, state) == (item.number, item.title, item.state)
        assert states[identifier] == state
        vector = (await embedder.embed([embedded(title, place, text)]))[0]
        assert [float(one) for one in (found.vectors[identifier] or "")[1:-1].split(",")] == pytest.approx(
            vector, abs=1e-6
        )
    known = {row[0] for row in found.passage}
    assert all(
        vector is None
        for identifier, vector in found.vectors.items()
        if identifier not in known and states[identifier] == "" and identifier not in preferences(found)
    )
    assert known <= found.vectors.keys()


def preferences(found: Made) -> set[UUID]:
    return {row[0] for row in found.embedding if row[1] == Kind.PREFERENCE}


async def test_what_goes_leaves_a_tombstone_with_the_event_that_took_it(spine: Spine, consumer: Passages) -> None:
    venture = await founded(spine)
    item = await drafted(spine, venture, body="Green tea. " * 200)
    await consumed(spine, consumer, venture)
    before = await made(spine.database, venture, consumer.target)
    last = passage_id(item, Kind.CONTENT, len(before.passages[item]) - 1)
    assert before.vectors[last] is not None
    shorter = await spine.append(venture, content.EditItem(item=item, version=1, body="Green tea."), actor=OWNER)
    await consumed(spine, consumer, venture)
    after = await made(spine.database, venture, consumer.target)
    seqs = {row[0]: row[4] for row in after.embedding}
    assert (after.vectors[last], seqs[last]) == (None, shorter.events[0].seq)
    assert after.passages[item] == ["Green tea."]


async def test_what_an_edit_leaves_as_it_was_is_not_made_a_vector_of_again(spine: Spine) -> None:
    embedder = WordsEmbedder()
    consumer = Passages(embedder, [ContentSource()])
    venture = await founded(spine)
    body = "Green tea. " * 200
    item = await drafted(spine, venture, body=body)
    await consumed(spine, consumer, venture)
    before = {row[0]: row[4] for row in (await made(spine.database, venture, consumer.target)).embedding}
    await spine.append(venture, content.EditItem(item=item, version=1, body=f"{body}\n\n{'x' * 690}"), actor=OWNER)
    await consumed(spine, consumer, venture)
    after = {row[0]: row[4] for row in (await made(spine.database, venture, consumer.target)).embedding}
    assert embedder.calls[-1] == 1
    assert {one for one in before if before[one] != after[one]} == preferences_of(venture)


def preferences_of(venture: UUID) -> set[UUID]:
    assert OWNER.account is not None
    return {preference_id(venture, OWNER.account)}


async def test_an_edit_of_what_is_approved_makes_all_its_passages_drafts(spine: Spine, consumer: Passages) -> None:
    venture = await founded(spine)
    body = "Green tea. " * 200
    item = await drafted(spine, venture, body=body)
    await take(spine, venture, item, "submit")
    await take(spine, venture, item, "approve")
    await consumed(spine, consumer, venture)
    version = (await item_of(spine, venture, item)).version
    await spine.append(venture, content.EditItem(item=item, version=version, body=body + "More."), actor=OWNER)
    await consumed(spine, consumer, venture)
    found = await made(spine.database, venture, consumer.target)
    assert {row[3] for row in found.embedding if row[1] == Kind.CONTENT} == {"draft"}
    await says_what_items_say(spine, venture, [item], found)


async def test_an_older_version_that_went_out_late_does_not_publish_the_newer(spine: Spine, consumer: Passages) -> None:
    venture = await founded(spine)
    item = await drafted(spine, venture)
    await spine.append(venture, content.EditItem(item=item, version=1, body="Another tea."), actor=OWNER)
    await take(spine, venture, item, "submit")
    await take(spine, venture, item, "approve")
    await spine.append(venture, Tell(fact=ItemPublished(entity=item, number=1)), actor=OWNER)
    await consumed(spine, consumer, venture)
    (row,) = (await made(spine.database, venture, consumer.target)).passage
    assert row[7] == (await item_of(spine, venture, item)).state == "approved"


async def test_what_was_drafted_before_it_was_deleted_does_not_come_back(spine: Spine, consumer: Passages) -> None:
    venture = await founded(spine)
    item = await drafted(spine, venture)
    await take(spine, venture, item, "delete")
    await consumed(spine, consumer, venture)
    before = await made(spine.database, venture, consumer.target)
    (event,) = [one for one in await events_of(spine, venture) if one.type == content.ItemDrafted.type]
    async with spine.database.venture(venture) as scope:
        await consumer.handle(scope, event)
    assert await made(spine.database, venture, consumer.target) == before
    assert before.passages == {}


class Poisoned(ContentSource):
    """Fails at items of this title."""

    poison = "Poison"

    async def changes(self, scope: Scope, event: Event) -> Sequence[SourceChange]:
        if getattr(event.data, "title", "") == self.poison:
            raise ValueError("cannot read this")
        return await super().changes(scope, event)


async def test_a_source_that_fails_parks_its_event_and_holds_up_nothing_else(database: Database) -> None:
    watch = Watch()
    spine = content_spine(database, watch)
    consumer = Passages(WordsEmbedder(), [Poisoned()])
    venture = await founded(spine)
    good = [await drafted(spine, venture)]
    bad = await drafted(spine, venture, title="Poison")
    await take(spine, venture, bad, "submit")
    good.append(await drafted(spine, venture))
    for _ in range(20):
        await step(database, spine.registry, consumer, venture, now=watch)
        watch.move(10)
    async with database.venture(venture) as scope:
        reasons = [one.reason for one in await parked(scope, consumer)]
    assert ["cannot read this" in reasons[0], "waits for event" in reasons[1]] == [True, True]
    assert list((await made(database, venture, consumer.target)).passages) == sorted(good)


async def test_what_was_parked_and_is_handled_later_comes_to_the_stores(database: Database) -> None:
    """They read on by the events that changed rows, and are past that one."""
    watch, store, sick = Watch(), VectorsInMemory(dimension=16), Poisoned()
    spine = content_spine(database, watch)
    consumer = Passages(WordsEmbedder(), [sick])

    async def opening(_: str) -> VectorStore:
        return store

    filled = Filling(database, model=consumer.target, dimension=16, default="memory", opening=opening)
    venture = await founded(spine)
    await drafted(spine, venture, title="Poison")
    await drafted(spine, venture)
    for _ in range(20):
        await step(database, spine.registry, consumer, venture, now=watch)
        watch.move(10)
    await filled.caught_up()
    found = await made(database, venture, consumer.target)
    assert {one.id for one in await store.held(venture)} == set(found.vectors)
    assert len(found.passages) == 1
    sick.poison = "nothing"
    assert await replay_parked(database, spine.registry, consumer, venture, now=watch) == (1, 0)
    await filled.caught_up()
    found = await made(database, venture, consumer.target)
    assert {one.id for one in await store.held(venture)} == set(found.vectors)
    assert len(found.passages) == 2


async def test_an_embedder_that_is_down_holds_up_no_other_consumer_and_loses_nothing(spine: Spine) -> None:
    embedder, recorder = WordsEmbedder(), Recorder()
    consumer = Passages(embedder, [ContentSource()])
    venture = await founded(spine)
    item = await drafted(spine, venture)
    embedder.down = True
    for _ in range(3):
        done = await step_together(spine.database, spine.registry, [recorder, consumer], venture, now=spine.now)
    assert [seq for _, seq in recorder.seen] == [1, 2, 3]
    assert done.behind == (consumer,)
    with pytest.raises(Unavailable):
        await step(spine.database, spine.registry, consumer, venture, now=spine.now)
    embedder.down = False
    await consumed(spine, consumer, venture)
    assert (await made(spine.database, venture, consumer.target)).passages == {item: ["A tea."]}
    done = await step_together(spine.database, spine.registry, [recorder, consumer], venture, now=spine.now)
    assert done.behind == ()


async def test_an_embedder_in_this_process_takes_turns_with_the_others(spine: Spine) -> None:
    consumer, recorder = Passages(WordLlamaEmbedder(), [ContentSource()]), Recorder()
    venture = await founded(spine)
    item = await drafted(spine, venture)
    done = await step_together(spine.database, spine.registry, [recorder, consumer], venture, now=spine.now)
    assert (done.moved, done.behind) == (3, ())
    assert (await made(spine.database, venture, consumer.target)).passages == {item: ["A tea."]}


async def test_another_model_is_filled_beside_the_first(spine: Spine) -> None:
    one, other = (Passages(WordsEmbedder(model), [ContentSource()]) for model in ("one", "other"))
    venture = await founded(spine)
    item = await drafted(spine, venture)
    await consumed(spine, one, venture)
    await take(spine, venture, item, "delete")
    await consumed(spine, other, venture)
    assert (await made(spine.database, venture, "one")).passages == {item: ["A tea."]}
    assert (await made(spine.database, venture, "other")).passages == {}
    await rewind(spine.database, other, venture)
    assert (await made(spine.database, venture, "one")).passages == {item: ["A tea."]}


async def test_what_stores_were_filled_with_is_forgotten_with_it(spine: Spine, consumer: Passages) -> None:
    venture = await founded(spine)
    filled = Recorder(name="vectors", target="buckets/07@1")
    await consumed(spine, filled, venture)
    await consumed(spine, consumer, venture)
    await rewind(spine.database, consumer, venture)
    filled.seen.clear()
    await consumed(spine, filled, venture)
    assert filled.seen


async def test_a_member_who_is_gone_leaves_no_preference(spine: Spine, consumer: Passages) -> None:
    venture = await founded(spine)
    await drafted(spine, venture)
    await consumed(spine, consumer, venture)
    assert OWNER.account is not None
    known = preferences(await made(spine.database, venture, consumer.target))
    assert known == preferences_of(venture)
    left = tenancy.MemberRemoved(entity=OWNER.account, role="author")
    events = await events_of(spine, venture)
    gone = Event(**{name: getattr(events[-1], name) for name in events[-1].__struct_fields__} | {
        "seq": events[-1].seq + 1, "type": left.type, "entity": left.entity, "data": left
    })  # fmt: skip
    async with spine.database.venture(venture) as scope:
        await consumer.handle(scope, gone)
        await consumer.handle(scope, events[-1])
    after = await made(spine.database, venture, consumer.target)
    assert {after.vectors[one] for one in known} == {None}
    assert [row[1] for row in after.preference] == [0.0]


async def test_a_venture_that_is_deleted_keeps_no_text_and_no_vector(spine: Spine, consumer: Passages) -> None:
    venture = await founded(spine)
    await drafted(spine, venture)
    await consumed(spine, consumer, venture)
    events = await events_of(spine, venture)
    before = await made(spine.database, venture, consumer.target)
    assert preferences(before)
    done = await spine.append(venture, tenancy.DeleteVenture(version=1), actor=OWNER)
    await consumed(spine, consumer, venture)
    after = await made(spine.database, venture, consumer.target)
    assert (after.passage, after.preference, set(after.vectors.values())) == ([], [], {None})
    assert {row[4] for row in after.embedding} == {done.events[0].seq}  # for stores to hear of
    await handled_again(spine, consumer, events, venture, singly=True)
    assert await made(spine.database, venture, consumer.target) == after
    await rewind(spine.database, consumer, venture)
    await consumed(spine, consumer, venture)
    assert await made(spine.database, venture, consumer.target) == after
