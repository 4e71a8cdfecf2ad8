"""Laws over any sequence of commands: an approval is of the current version, versions never change, the log replays."""

from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.content import api as content
from ventures.content.api import APPROVED, STEPS, ApprovalVoided, ItemVersion, Step
from ventures.errors import Conflict, NotFound, Refused, Stale
from ventures.log.api import Actor, Command, Spine, head, replay, verify_chain
from ventures.testing.content import OWNER, Tell, brought_to, command_of, drafted, founded, item_of, take

FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
other_steps = st.sampled_from(("draft", "copy", "comment", "resolve", "delete_comment", "same", "late"))
steps = st.tuples(st.integers(0, 2), st.sampled_from(STEPS) | other_steps)
Seen = dict[tuple[UUID, int], ItemVersion]


@FEW
@given(st.lists(steps, min_size=1, max_size=40))
async def test_any_sequence_keeps_the_laws(spine: Spine, sequence: list[tuple[int, str]]) -> None:
    venture = await founded(spine)
    items = [await drafted(spine, venture)]
    comments: list[tuple[UUID, UUID]] = []
    seen: Seen = {}
    for which, step in sequence:
        item = items[which % len(items)]
        try:
            command = await _command(spine, venture, item, step, comments)
            if step == "schedule" and (await item_of(spine, venture, item)).state not in APPROVED:
                continue  # posts look first
            done = await spine.append(venture, command, actor=OWNER)
        except Refused:
            continue
        for event in done.events:
            if isinstance(event.data, content.ItemDrafted):
                items = [*items[-2:], event.entity]
            if isinstance(event.data, content.CommentAdded):
                comments.append((event.entity, event.data.comment))
        await _laws(spine, venture, seen)
    replayed = await replay(spine.database, spine.registry, venture)
    assert replayed.same, replayed.differences
    async with spine.database.reading(venture) as scope:
        assert await verify_chain(scope) is None


async def _command(spine: Spine, venture: UUID, item: UUID, step: str, comments: list[tuple[UUID, UUID]]) -> Command:
    if step == "draft":
        return content.DraftItem(title="Sencha")
    if step == "comment":
        return content.AddComment(item=item, text="Good.")
    if step in ("resolve", "delete_comment"):
        of, comment = comments[-1] if comments else (item, item)
        async with spine.database.reading(venture) as scope:
            version = (await content.comment(scope, of, comment)).version
        kind = content.ResolveComment if step == "resolve" else content.DeleteComment
        return kind(item=of, comment=comment, version=version)
    found = await item_of(spine, venture, item)
    if step == "copy":
        return content.CopyItem(item=item)
    if step == "same":
        return content.EditItem(item=item, version=found.version, title=found.title)
    if step == "late":
        return Tell(fact=content.ItemPublished(entity=item, number=max(found.number - 1, 1)))
    return command_of(next(one for one in STEPS if one == step), found)


async def _laws(spine: Spine, venture: UUID, seen: Seen) -> None:
    async with spine.database.reading(venture) as scope:
        for item in await content.items(scope, limit=100):
            assert (item.state in APPROVED) == (item.approved_number is not None)
            assert item.approved_number in (None, item.number)
            versions = await content.versions(scope, item.id, None, 100)
            assert [line.number for line in versions] == list(range(item.number, 0, -1))
            for line in versions:
                version = await content.version_of(scope, item.id, line.number)
                assert seen.setdefault((item.id, line.number), version) == version
            assert item.title == versions[0].title


@pytest.mark.parametrize("state", ["pending", "approved", "scheduled"])
async def test_an_edit_of_what_was_submitted_or_approved_is_a_draft_and_voids(
    spine: Spine, state: content.State
) -> None:
    venture = await founded(spine)
    item = await brought_to(spine, venture, state)
    done = await take(spine, venture, item, "edit")
    assert [event.type for event in done.events] == ["content.item_edited", "content.approval_voided"]
    voided = done.events[1].data
    assert isinstance(voided, ApprovalVoided)
    assert (voided.number, voided.by) == (1, OWNER.account)
    after = await item_of(spine, venture, item)
    assert (after.state, after.number, after.approved_number, after.approved_by) == ("draft", 2, None, None)
    async with spine.database.reading(venture) as scope:
        last = (await content.history(scope, item, None, 10))[0]
    assert (last.verdict, last.number, last.by, last.seq) == ("voided", 1, OWNER.account, done.events[1].seq)


@pytest.mark.parametrize("step", sorted(set(STEPS) - {"schedule", "unschedule", "publish"}))
async def test_a_stale_version_is_refused_and_leaves_no_trace(spine: Spine, step: Step) -> None:
    venture = await founded(spine)
    read = await item_of(spine, venture, await brought_to(spine, venture, "draft"))
    await take(spine, venture, read.id, "submit")
    before = await item_of(spine, venture, read.id)
    async with spine.database.reading(venture) as scope:
        log = await head(scope)
    with pytest.raises(Stale):
        await spine.append(venture, command_of(step, read), actor=OWNER)
    assert await item_of(spine, venture, read.id) == before
    async with spine.database.reading(venture) as scope:
        assert await head(scope) == log


async def test_an_edit_that_changes_nothing_voids_nothing(spine: Spine) -> None:
    venture = await founded(spine)
    before = await item_of(spine, venture, await brought_to(spine, venture, "approved"))
    command = content.EditItem(item=before.id, version=before.version, title=f" {before.title} ", body="A tea.")
    assert (await spine.append(venture, command, actor=OWNER)).events == ()
    assert await item_of(spine, venture, before.id) == before


async def test_what_went_out_after_an_edit_or_a_deletion_is_noted_and_does_not_publish(spine: Spine) -> None:
    venture = await founded(spine)
    item = await brought_to(spine, venture, "scheduled")
    await take(spine, venture, item, "edit")
    late = Tell(fact=content.ItemPublished(entity=item, number=1))
    await spine.append(venture, late, actor=OWNER)
    found = await item_of(spine, venture, item)
    assert (found.state, found.published_number, found.number) == ("draft", 1, 2)

    gone = await brought_to(spine, venture, "scheduled")
    await take(spine, venture, gone, "delete")
    await spine.append(venture, Tell(fact=content.ItemPublished(entity=gone, number=1)), actor=OWNER)
    with pytest.raises(NotFound):
        await item_of(spine, venture, gone)
    assert (await replay(spine.database, spine.registry, venture)).same


async def test_a_published_item_is_copied_to_a_draft_of_ones_own(spine: Spine) -> None:
    venture = await founded(spine)
    item = await brought_to(spine, venture, "published")
    with pytest.raises(Conflict, match="Copy it"):
        await take(spine, venture, item, "edit")
    copy = (await spine.append(venture, content.CopyItem(item=item), actor=OWNER)).entity
    async with spine.database.reading(venture) as scope:
        old, new = await content.item_in_full(scope, item), await content.item_in_full(scope, copy)
    assert (new.title, new.body, new.state, new.number) == (old.title, old.body, "draft", 1)


async def test_titles_are_of_deleted_items_too(spine: Spine) -> None:
    venture = await founded(spine)
    kept, gone = await drafted(spine, venture, title="Sencha"), await drafted(spine, venture, title="Assam")
    await take(spine, venture, gone, "delete")
    async with spine.database.reading(venture) as scope:
        assert await content.titles(scope, [kept, gone, venture]) == {kept: "Sencha", gone: "Assam"}
        assert await content.titles(scope, []) == {}
        assert [item.id for item in await content.items(scope)] == [kept]


async def test_content_is_written_by_people(spine: Spine) -> None:
    venture = await founded(spine)
    with pytest.raises(Refused, match="people"):
        await drafted(spine, venture, actor=Actor(system="test"))
