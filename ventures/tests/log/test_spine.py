"""Laws of the log: gapless in the order of commits, all or nothing, once a key, a chain that shows tampering."""

import asyncio
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.errors import Conflict, Invalid, NotFound, Refused, Stale
from ventures.log.api import Actor, Command, Spine, head, read, replay, require_version, verify_chain
from ventures.testing.log import ANNA, HIGHEST, SPOIL, VALUES, Drop, Found, Raise, Watch, founded

COUNTERS = [UUID(int=number) for number in range(1, 4)]
commands = st.one_of(
    st.builds(Raise, counter=st.sampled_from(COUNTERS), by=st.integers(1, 60)),
    st.builds(Drop, counter=st.sampled_from(COUNTERS)),
)
keys = st.none() | st.sampled_from(["a", "b", "c"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(commands, keys), max_size=25))
async def test_replaying_the_log_gives_exactly_the_state(spine: Spine, steps: list[tuple[Command, str | None]]) -> None:
    venture = await founded(spine)
    appended = 1
    for command, key in steps:
        try:
            done = await spine.append(venture, command, actor=ANNA, idem=key)
        except Refused:
            continue
        appended += 0 if done.replayed else len(done.events)
    replayed = await replay(spine.database, spine.registry, venture)
    assert replayed.same, replayed.differences
    assert replayed.seq == appended
    async with spine.database.venture(venture) as scope:
        assert await verify_chain(scope) is None
        assert [event.seq for event in await read(scope, spine.registry, 0)] == list(range(1, appended + 1))


async def test_a_spoiled_row_is_a_difference(spine: Spine) -> None:
    venture = await founded(spine)
    await spine.append(venture, Raise(counter=COUNTERS[0]), actor=ANNA)
    async with spine.database.venture(venture) as scope:
        await scope.run(SPOIL, id=COUNTERS[0])
    replayed = await replay(spine.database, spine.registry, venture)
    assert [(one.table, one.where) for one in replayed.differences] == [("counter", "replayed"), ("counter", "stored")]
    async with spine.database.venture(venture) as scope:  # and a replay changed nothing
        assert await scope.all(VALUES) == [(COUNTERS[0], 2)]


async def test_writers_at_once_leave_no_gap_and_lose_nothing(spine: Spine) -> None:
    venture = await founded(spine)
    counters = [uuid4() for _ in range(40)]
    await asyncio.gather(*(spine.append(venture, Raise(counter=one), actor=ANNA) for one in counters))
    async with spine.database.venture(venture) as scope:
        events = await read(scope, spine.registry, 0)
        assert [event.seq for event in events] == list(range(1, 42))
        assert {event.entity for event in events[1:]} == set(counters)
        assert [event.at for event in events] == sorted(event.at for event in events)
        assert await verify_chain(scope) is None


async def test_a_refusal_leaves_no_trace(spine: Spine) -> None:
    venture = await founded(spine)
    async with spine.database.venture(venture) as scope:
        before = await head(scope)
    with pytest.raises(Conflict):
        await spine.append(venture, Raise(counter=COUNTERS[0], by=HIGHEST + 1), actor=ANNA, idem="key")
    async with spine.database.venture(venture) as scope:
        assert await head(scope) == before
        assert await scope.all(VALUES) == []
    # the key is free for a request that works
    await spine.append(venture, Raise(counter=COUNTERS[0]), actor=ANNA, idem="key")


async def test_a_reaction_is_in_the_same_batch_and_names_its_cause(spine: Spine) -> None:
    venture = await founded(spine)
    done = await spine.append(venture, Raise(counter=COUNTERS[0], by=HIGHEST), actor=ANNA)
    assert [(event.type, event.seq, event.batch, event.cause) for event in done.events] == [
        ("toy.raised", 2, 2, None),
        ("toy.dropped", 3, 2, 2),
    ]


async def test_a_key_is_carried_out_once_also_by_many_at_once(spine: Spine) -> None:
    venture = await founded(spine)
    command = Raise(counter=COUNTERS[0], by=HIGHEST)
    several = await asyncio.gather(*(spine.append(venture, command, actor=ANNA, idem="once") for _ in range(8)))
    assert sorted(done.replayed for done in several) == [False] + [True] * 7
    assert {done.events for done in several} == {several[0].events}
    async with spine.database.venture(venture) as scope:
        assert (await head(scope)).seq == 3


async def test_a_key_is_not_for_another_request_or_another_person(spine: Spine) -> None:
    venture = await founded(spine)
    await spine.append(venture, Raise(counter=COUNTERS[0], by=1), actor=ANNA, idem="key")
    with pytest.raises(Invalid):
        await spine.append(venture, Raise(counter=COUNTERS[0], by=2), actor=ANNA, idem="key")
    with pytest.raises(Invalid):
        await spine.append(venture, Raise(counter=COUNTERS[0], by=1), actor=Actor(account=UUID(int=2)), idem="key")


async def test_a_venture_is_founded_once_and_nothing_is_before_it(spine: Spine) -> None:
    with pytest.raises(NotFound):
        await spine.append(uuid4(), Raise(counter=COUNTERS[0]), actor=ANNA)
    venture = await founded(spine)
    with pytest.raises(Conflict):
        await spine.append(venture, Found(), actor=ANNA)


async def test_time_never_runs_backwards_in_a_log(spine: Spine, watch: Watch) -> None:
    venture = await founded(spine)
    watch.move(-3600)
    done = await spine.append(venture, Raise(counter=COUNTERS[0]), actor=ANNA)
    async with spine.database.venture(venture) as scope:
        first, second = await read(scope, spine.registry, 0)
    assert first.at == second.at == done.events[0].at


@pytest.mark.parametrize(
    ("tampering", "at"),
    [
        (
            "UPDATE regional.event SET data = replace(data::text, '\"by\":1', '\"by\":7')::json WHERE seq = 3",
            3,
        ),
        ("UPDATE regional.event SET actor = 'account:somebody' WHERE seq = 2", 2),
        ("UPDATE regional.event SET at = at + interval '1 microsecond' WHERE seq = 4", 4),
        ("DELETE FROM regional.event WHERE seq = 3", 3),
        ("DELETE FROM regional.event WHERE seq = 5", 5),
        ("UPDATE regional.log_head SET hash = sha256('x')", 6),
    ],
)
async def test_tampering_shows(spine: Spine, database_addresses: Addresses, tampering: str, at: int) -> None:
    venture = await founded(spine)
    for counter in COUNTERS + COUNTERS[:1]:
        await spine.append(venture, Raise(counter=counter), actor=ANNA)
    with psycopg.connect(database_addresses.superuser, autocommit=True) as connection:
        connection.execute(tampering.encode())
    async with spine.database.venture(venture) as scope:
        fault = await verify_chain(scope)
    assert fault is not None
    assert fault[0] == at


async def test_the_application_cannot_change_what_was_appended(database: Database, spine: Spine) -> None:
    venture = await founded(spine)
    for statement in ("UPDATE event SET actor = ''", "DELETE FROM event", "TRUNCATE event"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.venture(venture) as scope:
                await scope.connection.execute(statement.encode())


async def test_a_change_on_an_old_version_is_stale() -> None:
    require_version(3, 3, "item")
    with pytest.raises(Stale, match="version 3, not 2"):
        require_version(3, 2, "item")
