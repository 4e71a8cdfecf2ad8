"""Laws of the table of states, and the matrix state × step carried out as the table says."""

import psycopg
import pytest

from ventures.content.states import APPROVED, STATES, STEPS, VOIDING, WAYS, State, Step, allows, require_step
from ventures.errors import Conflict, NotFound
from ventures.log.api import Spine, head
from ventures.testing.content import brought_to, founded, item_of, take

BY_POSTS: frozenset[Step] = frozenset({"schedule", "unschedule", "publish"})


def test_the_only_way_to_an_approval_is_approve() -> None:
    ways_in = {step for step, way in WAYS.items() if way.target in APPROVED and way.sources - APPROVED}
    assert ways_in == {"approve"}
    assert WAYS["approve"].sources == {"pending"}


def test_an_edit_leads_to_draft_from_everywhere_but_published_and_voids_what_was_asked_for_or_given() -> None:
    assert WAYS["edit"] == (frozenset(STATES) - {"published"}, "draft")
    assert (APPROVED | {"pending"}) - {"published"} == VOIDING


def test_published_is_the_end() -> None:
    assert {step for step in STEPS if allows("published", step)} == {"publish"}


def test_every_state_is_reached_from_draft() -> None:
    reached: set[State] = {"draft"}
    while more := {way.target for way in WAYS.values() if way.target and way.sources & reached} - reached:
        reached |= more
    assert reached == set(STATES)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("step", STEPS)
def test_a_refusal_says_the_state_and_what_to_do(state: State, step: Step) -> None:
    if allows(state, step):
        require_step(state, step)
        return
    with pytest.raises(Conflict) as refused:
        require_step(state, step)
    first, rest = str(refused.value).split(". ", 1)
    assert first.startswith("This item is ")
    assert rest.endswith(".")


async def test_commands_do_what_the_table_says_and_refusals_leave_no_trace(spine: Spine) -> None:
    venture = await founded(spine)
    for state in STATES:
        for step in sorted(set(STEPS) - BY_POSTS):
            item = await brought_to(spine, venture, state)
            before = await item_of(spine, venture, item)
            async with spine.database.reading(venture) as scope:
                log = await head(scope)
            if not allows(state, step):
                with pytest.raises(Conflict):
                    await take(spine, venture, item, step)
                assert await item_of(spine, venture, item) == before
                async with spine.database.reading(venture) as scope:
                    assert await head(scope) == log
                continue
            done = await take(spine, venture, item, step)
            if WAYS[step].target is None:
                with pytest.raises(NotFound):
                    await item_of(spine, venture, item)
                continue
            after = await item_of(spine, venture, item)
            assert (after.state, after.version) == (WAYS[step].target, before.version + len(done.events)), (state, step)


async def test_what_posts_tell_is_applied_where_the_table_allows_it(spine: Spine) -> None:
    venture = await founded(spine)
    for state in STATES:
        for step in sorted(BY_POSTS):
            item = await brought_to(spine, venture, state)
            if state in APPROVED:
                await take(spine, venture, item, step)
                expected = WAYS[step].target if allows(state, step) else state
            elif step == "schedule":
                with pytest.raises(psycopg.errors.CheckViolation):
                    await take(spine, venture, item, step)
                expected = state
            else:
                await take(spine, venture, item, step)
                expected = state
            after = await item_of(spine, venture, item)
            assert after.state == expected, (state, step)
            assert after.published_number == (1 if step == "publish" or state == "published" else None)
