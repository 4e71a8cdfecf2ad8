"""Laws over any sequence of commands: the log replays, a draft ends once, what is counted is counted once."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.errors import Conflict, NotFound, Refused, TooMany
from ventures.generation import api as generation
from ventures.generation.abandoned import fail_abandoned
from ventures.generation.api import Citation
from ventures.generation.commands import DUE, MOST_RUNNING, WRITER, AbandonDraft, FailDraft, FinishDraft, heading_of
from ventures.generation.notes import MOST_NOTES
from ventures.generation.outcomes import Outcomes
from ventures.generation.reading import running
from ventures.generation.sources import ContextNotes
from ventures.log.api import Actor, Appended, Command, Runner, Spine, read, replay, rewind, verify_chain
from ventures.search.api import PassageChange, SourceGone
from ventures.tenancy import api as tenancy
from ventures.testing.content import OWNER, drafted, founded
from ventures.testing.log import Watch
from ventures.vectors.api import Kind

FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
steps = st.tuples(
    st.integers(0, 3),
    st.sampled_from(("ask", "finish", "fail", "abandon", "cancel", "accept", "note", "edit", "delete")),
)


def finish(draft: UUID, **changes: Any) -> FinishDraft:
    given: dict[str, Any] = {
        "text": "# Oolong\n\nHalf oxidised [1].",
        "citations": [Citation(1, UUID(int=5), UUID(int=6), "Tea", 2)],
        "unsupported": 1,
        "model": "stub",
        "prompt": "draft-1",
        "pattern": None,
        "extractive": False,
        "remark": "",
        "prompt_tokens": 11,
        "completion_tokens": None,
        "seconds": 0.123,
    }
    return FinishDraft(draft=draft, **{**given, **changes})


async def asked(spine: Spine, venture: UUID, actor: Actor = OWNER, **more: Any) -> UUID:
    done = await spine.append(venture, generation.AskDraft(instruction="About oolong", **more), actor=actor)
    return done.entity


async def told(spine: Spine) -> tuple[dict[str, int], int]:
    """Outcomes, and how many durations, when the consumer has read all."""
    consumer = Outcomes(spine.database)
    await Runner(spine.database, spine.registry, [consumer], now=spine.now).caught_up()
    async with spine.database.everywhere() as scope:
        return dict(await generation.outcomes(scope)), sum((await generation.durations(scope)).counts)


async def version_of(spine: Spine, venture: UUID, which: UUID, *, note: bool = False) -> int:
    async with spine.database.reading(venture) as scope:
        return (await (generation.note if note else generation.draft)(scope, which)).version


@FEW
@given(st.lists(steps, min_size=1, max_size=30))
async def test_any_sequence_replays_and_is_counted_once(spine: Spine, sequence: list[tuple[int, str]]) -> None:
    venture = await founded(spine)
    before, took = await told(spine)
    drafts, notes = [await asked(spine, venture)], []
    ended: dict[str, int] = {}
    for which, step in sequence:
        draft = drafts[which % len(drafts)]
        note = notes[which % len(notes)] if notes else draft
        try:
            wanted, actor = await command(spine, venture, step, draft, note)
            done = await spine.append(venture, wanted, actor=actor)
        except Refused:
            continue
        if step == "ask":
            drafts.append(done.entity)
        if step == "note":
            notes.append(done.entity)
        for event in done.events:
            name = {"draft_finished": "finished", "draft_failed": "hung", "draft_cancelled": "cancelled"}
            if (outcome := name.get(event.type.partition(".")[2])) is not None:
                ended[outcome] = ended.get(outcome, 0) + 1
        async with spine.database.reading(venture) as scope:
            assert len(await running(scope)) <= MOST_RUNNING
    replayed = await replay(spine.database, spine.registry, venture)
    assert replayed.same, replayed.differences
    async with spine.database.reading(venture) as scope:
        assert await verify_chain(scope) is None
    after, taken = await told(spine)
    await rewind(spine.database, Outcomes(spine.database), venture)
    assert await told(spine) == (after, taken)
    assert after == {
        name: count for name in before.keys() | ended if (count := before.get(name, 0) + ended.get(name, 0))
    }
    assert taken - took == ended.get("finished", 0) + ended.get("hung", 0)


async def command(spine: Spine, venture: UUID, step: str, draft: UUID, note: UUID) -> tuple[Command, Actor]:
    match step:
        case "ask":
            return generation.AskDraft(instruction="More about oolong", format="case-study"), OWNER
        case "finish":
            return finish(draft), WRITER
        case "fail":
            return FailDraft(draft=draft, reason="hung", problem="It hung.", seconds=20.0), WRITER
        case "abandon":
            return AbandonDraft(draft=draft), WRITER
        case "cancel":
            return generation.CancelDraft(draft=draft, version=await version_of(spine, venture, draft)), OWNER
        case "accept":
            return generation.AcceptDraft(draft=draft, version=await version_of(spine, venture, draft)), OWNER
        case "note":
            return generation.WriteNote(title=" Voice ", text="Plain words."), OWNER
    version = await version_of(spine, venture, note, note=True)
    if step == "edit":
        return generation.EditNote(note=note, version=version, text=f"Plainer, {version}."), OWNER
    return generation.DeleteNote(note=note, version=version), OWNER


async def test_a_draft_ends_once(spine: Spine) -> None:
    venture = await founded(spine)
    draft = await asked(spine, venture)
    await spine.append(venture, finish(draft), actor=WRITER)
    for late in (finish(draft), FailDraft(draft=draft, reason="hung", problem="-"), AbandonDraft(draft=draft)):
        with pytest.raises(Conflict, match="finished already"):
            await spine.append(venture, late, actor=WRITER)
    with pytest.raises(Conflict, match="nothing to cancel"):
        await spine.append(venture, generation.CancelDraft(draft=draft, version=2), actor=OWNER)


async def test_no_more_than_three_drafts_of_a_venture_are_written_at_once(spine: Spine) -> None:
    venture, other = await founded(spine), await founded(spine)
    drafts = [await asked(spine, venture) for _ in range(MOST_RUNNING)]
    with pytest.raises(TooMany, match="cancel one"):
        await asked(spine, venture)
    await asked(spine, other)
    await spine.append(venture, AbandonDraft(draft=drafts[0]), actor=WRITER)
    await asked(spine, venture)


async def test_what_nobody_writes_any_more_is_found_and_failed(spine: Spine, watch: Watch) -> None:
    venture = await founded(spine)
    draft, done = await asked(spine, venture), await asked(spine, venture)
    await spine.append(venture, finish(done), actor=WRITER)
    watch.move(DUE.total_seconds())
    await fail_abandoned(spine)
    assert await version_of(spine, venture, draft) == 1
    watch.move(1)
    await fail_abandoned(spine)
    async with spine.database.reading(venture) as scope:
        found = await generation.draft(scope, draft)
        assert (found.state, found.reason) == ("failed", "abandoned")
        assert "Ask again" in (found.problem or "")
        assert (await generation.draft(scope, done)).state == "finished"
    assert await told(spine) == ({"abandoned": 1, "finished": 1}, 1)
    await rewind(spine.database, Outcomes(spine.database), venture)
    assert await told(spine) == ({"abandoned": 1, "finished": 1}, 1), "what is read again is not counted again"


async def test_drafts_end_with_their_venture(spine: Spine, watch: Watch) -> None:
    venture = await founded(spine)
    draft = await asked(spine, venture)
    async with spine.database.reading(venture) as scope:
        version = (await tenancy.venture(scope)).version
    done = await spine.append(venture, tenancy.DeleteVenture(version=version), actor=OWNER)
    assert [event.type for event in done.events] == ["tenancy.venture_deleted", "generation.draft_cancelled"]
    assert done.events[1].entity == draft
    watch.move(2 * DUE.total_seconds())
    await fail_abandoned(spine)
    assert (await replay(spine.database, spine.registry, venture)).same


async def test_accepting_makes_an_item_in_the_same_transaction_and_once(spine: Spine) -> None:
    venture = await founded(spine)
    draft = await asked(spine, venture)
    with pytest.raises(Conflict, match="only a finished one"):
        await spine.append(venture, generation.AcceptDraft(draft=draft, version=1), actor=OWNER)
    await spine.append(venture, finish(draft), actor=WRITER)
    done = await accepted(spine, venture, draft)
    assert [event.type for event in done.events] == ["generation.draft_accepted", "content.item_drafted"]
    item = done.events[1].data
    assert (item.title, item.body, item.author) == ("Oolong", "# Oolong\n\nHalf oxidised.", OWNER.account)  # type: ignore[attr-defined]  # an ItemDrafted
    with pytest.raises(Conflict, match="accepted already"):
        await accepted(spine, venture, draft, version=3)
    async with spine.database.reading(venture) as scope:
        assert (await generation.draft(scope, draft)).accepted_item == item.entity


async def accepted(spine: Spine, venture: UUID, draft: UUID, version: int = 2, **more: Any) -> Appended:
    return await spine.append(venture, generation.AcceptDraft(draft=draft, version=version, **more), actor=OWNER)


async def test_an_item_without_a_heading_is_called_what_was_asked_for(spine: Spine) -> None:
    venture = await founded(spine)
    draft = await asked(spine, venture)
    await spine.append(venture, finish(draft, text="Half oxidised [1]."), actor=WRITER)
    async with spine.database.reading(venture) as scope:
        assert heading_of(await generation.draft(scope, draft)) == "About oolong"
    done = await accepted(spine, venture, draft, marks=True, title=" Tea ")
    item: Any = done.events[1].data
    assert (item.title, item.body) == ("Tea", "Half oxidised [1].")


async def test_a_draft_about_an_item_of_another_venture_is_refused(spine: Spine) -> None:
    venture, other = await founded(spine), await founded(spine)
    with pytest.raises(NotFound):
        await asked(spine, venture, item=await drafted(spine, other))
    await asked(spine, venture, item=await drafted(spine, venture))


async def test_there_are_no_more_than_a_hundred_notes(spine: Spine) -> None:
    venture = await founded(spine)
    for number in range(MOST_NOTES):
        await spine.append(venture, generation.WriteNote(title=f"Note {number}", text="Text."), actor=OWNER)
    with pytest.raises(Conflict, match="100"):
        await spine.append(venture, generation.WriteNote(title="One more", text="Text."), actor=OWNER)


async def test_notes_are_a_source_of_passages(spine: Spine) -> None:
    venture = await founded(spine)
    note = (await spine.append(venture, generation.WriteNote(title="Voice", text="Plain."), actor=OWNER)).entity
    await spine.append(venture, generation.EditNote(note=note, version=1, text="Plainer."), actor=OWNER)
    await spine.append(venture, generation.EditNote(note=note, version=2, text="Plainer."), actor=OWNER)
    await spine.append(venture, generation.DeleteNote(note=note, version=2), actor=OWNER)
    source = ContextNotes()
    async with spine.database.reading(venture) as scope:
        events = [one for one in await read(scope, spine.registry, 0) if one.type in source.handles]
        changes = [change for event in events for change in await source.changes(scope, event)]
    common: dict[str, Any] = {"kind": Kind.CONTEXT, "source": note, "title": "Voice", "state": ""}
    assert changes == [
        PassageChange(**common, text="Plain.", number=1),
        PassageChange(**common, text="Plainer.", number=2),
        SourceGone(kind=Kind.CONTEXT, source=note),
    ]
