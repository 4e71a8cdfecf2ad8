"""Laws of scripts: many commands in one transaction are all of them or none, and leave what one by one would."""

from collections.abc import Generator, Sequence
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.database.pool import Database
from ventures.database.scope import Scope
from ventures.errors import Conflict, Forbidden, NotFound, Refused
from ventures.identifiers import new_id
from ventures.log.api import (
    Actor,
    Appended,
    Command,
    Event,
    Instruction,
    Registry,
    Script,
    Spine,
    head,
    read,
    replay,
    verify_chain,
)
from ventures.testing.log import ANNA, COUNTERS_ROOM, HIGHEST, VALUES, Drop, Found, Raise, Watch, founded

COUNTERS = [UUID(int=number) for number in range(1, 4)]
commands = st.one_of(
    st.builds(Raise, counter=st.sampled_from(COUNTERS), by=st.integers(1, 60)),
    st.builds(Drop, counter=st.sampled_from(COUNTERS)),
)


def script(given: Sequence[Command], done: list[Appended] | None = None) -> Script:
    for command in given:
        answer = yield Instruction(command, ANNA)
        if done is not None:
            done.append(answer)


def told(event: Event) -> tuple[object, ...]:
    return (event.seq, event.type, event.entity, event.actor, event.at, event.batch, event.cause, event.data)


async def carried_out_alone(spine: Spine, venture: UUID, given: Sequence[Command]) -> list[Command]:
    accepted = []
    for command in given:
        try:
            await spine.append(venture, command, actor=ANNA)
        except Refused:
            continue
        accepted.append(command)
    return accepted


async def state_and_log(spine: Spine, venture: UUID) -> tuple[list[object], list[tuple[object, ...]]]:
    """What stands there, and what happened since it was founded."""
    async with spine.database.venture(venture) as scope:
        assert await verify_chain(scope) is None
        return list(await scope.all(VALUES)), [told(event) for event in await read(scope, spine.registry, 1, 1000)]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(commands, max_size=15))
async def test_a_script_leaves_what_its_commands_leave_one_by_one(spine: Spine, given: list[Command]) -> None:
    alone, together = await founded(spine), await founded(spine)
    accepted = await carried_out_alone(spine, alone, given)
    answers: list[Appended] = []
    appended = await spine.append_all(together, script(accepted, answers))
    assert await state_and_log(spine, alone) == await state_and_log(spine, together)
    assert appended == sum(len(answer.events) for answer in answers)
    assert (await replay(spine.database, spine.registry, together)).same
    more = await spine.append(together, Raise(counter=new_id()), actor=ANNA)
    async with spine.database.venture(together) as scope:  # the log goes on from where the script left it
        assert await verify_chain(scope) is None
        assert (await head(scope)).seq == more.events[-1].seq


async def test_a_refusal_takes_the_whole_script_back(spine: Spine) -> None:
    venture = await founded(spine)
    async with spine.database.venture(venture) as scope:
        before = await head(scope)
    with pytest.raises(Conflict):
        await spine.append_all(
            venture,
            script([Raise(counter=COUNTERS[0]), Raise(counter=COUNTERS[0], by=HIGHEST), Drop(counter=COUNTERS[0])]),
        )
    async with spine.database.venture(venture) as scope:
        assert await head(scope) == before
        assert await scope.all(VALUES) == []


async def test_what_a_script_raises_takes_it_back_too(spine: Spine) -> None:
    venture = await founded(spine)

    def broken() -> Generator[Instruction, Appended, None]:
        yield Instruction(Raise(counter=COUNTERS[0]), ANNA)
        raise LookupError("the script's own fault")

    with pytest.raises(LookupError):
        await spine.append_all(venture, broken())
    assert await state_and_log(spine, venture) == ([], [])


async def test_a_script_may_found_and_name_what_it_made(spine: Spine) -> None:
    venture = new_id()

    def founding() -> Generator[Instruction, Appended, None]:
        done = yield Instruction(Found(), ANNA)
        assert done.entity == venture
        done = yield Instruction(Raise(counter=COUNTERS[0], by=HIGHEST), ANNA)
        assert [event.type for event in done.events] == ["toy.raised", "toy.dropped"]
        assert [event.batch for event in done.events] == [2, 2]

    assert await spine.append_all(venture, founding()) == 3
    with pytest.raises(Conflict):
        await spine.append_all(venture, founding())
    with pytest.raises(NotFound):
        await spine.append_all(new_id(), script([Raise(counter=COUNTERS[0])]))


async def test_an_empty_script_changes_nothing(spine: Spine) -> None:
    venture = await founded(spine)
    assert await spine.append_all(venture, script([])) == 0


async def test_a_key_in_a_script_is_carried_out_once(spine: Spine) -> None:
    venture = await founded(spine)
    answers: list[Appended] = []

    def keyed() -> Script:
        answers.append((yield Instruction(Raise(counter=COUNTERS[0], by=3), ANNA, idem="three")))
        answers.append((yield Instruction(Raise(counter=COUNTERS[0], by=4), ANNA)))

    assert [await spine.append_all(venture, keyed()) for _ in range(2)] == [2, 1]
    assert [answer.replayed for answer in answers] == [False, False, True, False]
    assert answers[0].events == answers[2].events
    values, _ = await state_and_log(spine, venture)
    assert values == [(COUNTERS[0], 11)]


class Nobody:
    """An authority that forbids what is managed, and counts who asked."""

    asked = 0

    async def ask(self, scope: Scope, account: UUID | None) -> "Nobody":
        self.asked += 1
        return self

    async def allow(self, actor: Actor, feature: str, action: str) -> None:
        if action == "manage":
            raise Forbidden("Not you.")


async def test_every_command_of_a_script_needs_its_permission(database: Database, toy_table: None) -> None:
    nobody = Nobody()
    spine = Spine(database, Registry([COUNTERS_ROOM]), nobody, bell=None, now=Watch(), new_id=new_id)
    venture = await founded(spine)
    await spine.append_all(venture, script([Raise(counter=COUNTERS[0]), Raise(counter=COUNTERS[1])]))
    before = nobody.asked
    with pytest.raises(Forbidden):
        await spine.append_all(venture, script([Raise(counter=COUNTERS[0]), Drop(counter=COUNTERS[0])]))
    with pytest.raises(Forbidden):  # before the decision's own refusal, which would tell what is there
        await spine.append_all(venture, script([Drop(counter=new_id())]))
    assert nobody.asked == before + 3
    values, _ = await state_and_log(spine, venture)
    assert values == [(COUNTERS[0], 1), (COUNTERS[1], 1)]
