"""Laws of delivery: every event, in order within its venture, at least once; what fails is parked with its reason."""

import asyncio
from uuid import UUID

import pytest

from ventures.database.pool import Database
from ventures.database.scope import Scope
from ventures.errors import Unavailable
from ventures.log.api import Bell, Event, Runner, Spine, lags, parked, replay_parked, rewind, step, step_together
from ventures.log.consumers import ATTEMPTS
from ventures.testing.log import ANNA, Drop, Raise, Recorder, Watch, founded

ONE, OTHER = UUID(int=1), UUID(int=2)


async def some_events(spine: Spine, venture: UUID) -> None:
    """Events 2 … 5: raised ONE, raised OTHER, raised ONE, dropped OTHER."""
    for command in (Raise(counter=ONE), Raise(counter=OTHER), Raise(counter=ONE), Drop(counter=OTHER)):
        await spine.append(venture, command, actor=ANNA)


async def turn_out(spine: Spine, consumer: Recorder, venture: UUID, watch: Watch) -> int:
    """Turns until nothing is left, → parked."""
    parked_now = 0
    for _ in range(100):
        done = await step(spine.database, spine.registry, consumer, venture, now=watch)
        parked_now += done.parked
        watch.move(10)
        if not done.more and done.retry_at is None and not done.moved:
            return parked_now
    raise AssertionError("never comes to rest")


async def test_events_come_once_and_in_order(spine: Spine, watch: Watch) -> None:
    ventures = [await founded(spine), await founded(spine)]
    for venture in ventures:
        await some_events(spine, venture)
    recorder = Recorder()
    for venture in ventures:
        await turn_out(spine, recorder, venture, watch)
    assert recorder.seen == [(venture, seq) for venture in ventures for seq in range(1, 6)]


async def test_only_what_it_handles_and_yet_the_position_moves(spine: Spine, watch: Watch) -> None:
    venture = await founded(spine)
    await some_events(spine, venture)
    recorder = Recorder(handles=frozenset({"toy.dropped"}))
    await turn_out(spine, recorder, venture, watch)
    assert recorder.seen == [(venture, 5)]
    (lag,) = await lags(spine.database, [recorder], watch())
    assert (lag.events, lag.seconds, lag.parked) == (0, 0.0, 0)


async def test_lag_counts_events_and_seconds(spine: Spine, watch: Watch) -> None:
    venture = await founded(spine)
    await some_events(spine, venture)
    watch.move(30)
    (lag,) = await lags(spine.database, [Recorder()], watch())
    assert (lag.ventures, lag.events, lag.seconds) == (1, 5, 30.0)


async def test_poison_is_parked_with_its_reason_and_holds_its_entity_only(spine: Spine, watch: Watch) -> None:
    venture = await founded(spine)
    await some_events(spine, venture)
    recorder = Recorder(poison={(venture, 2)})
    assert await turn_out(spine, recorder, venture, watch) == 1
    assert recorder.seen[-2:] == [(venture, 3), (venture, 5)]
    assert recorder.seen.count((venture, 3)) == 1
    async with spine.database.venture(venture) as scope:
        first, behind = await parked(scope, recorder)
    assert (first.seq, first.reason) == (2, f"{ATTEMPTS} attempts, the last: ValueError: cannot digest 2")
    assert (behind.seq, behind.reason) == (4, "waits for event 2 of the same entity, which is parked")

    assert await replay_parked(spine.database, spine.registry, recorder, venture, now=watch) == (0, 2)
    recorder.poison.clear()
    recorder.seen.clear()
    assert await replay_parked(spine.database, spine.registry, recorder, venture, now=watch) == (2, 0)
    assert recorder.seen == [(venture, 2), (venture, 4)]
    async with spine.database.venture(venture) as scope:
        assert await parked(scope, recorder) == []


async def test_several_poisons_of_one_batch_are_all_parked(spine: Spine, watch: Watch) -> None:
    venture = await founded(spine)
    await some_events(spine, venture)
    recorder = Recorder(poison={(venture, 1), (venture, 2), (venture, 3)})
    await turn_out(spine, recorder, venture, watch)
    async with spine.database.venture(venture) as scope:
        assert [one.seq for one in await parked(scope, recorder)] == [1, 2, 3, 4, 5]


async def test_a_database_that_goes_away_is_no_poison(spine: Spine, watch: Watch) -> None:
    class Unlucky(Recorder):
        async def handle(self, scope: Scope, event: Event) -> None:
            raise Unavailable("gone")

    venture = await founded(spine)
    with pytest.raises(Unavailable):
        await step(spine.database, spine.registry, Unlucky(), venture, now=watch)
    async with spine.database.venture(venture) as scope:
        assert await parked(scope, Recorder()) == []


async def test_rewound_it_reads_all_again(spine: Spine, watch: Watch) -> None:
    venture = await founded(spine)
    await some_events(spine, venture)
    recorder = Recorder(poison={(venture, 4)})
    await turn_out(spine, recorder, venture, watch)
    recorder.poison.clear()
    await rewind(spine.database, recorder, venture)
    assert recorder.seen == []
    await turn_out(spine, recorder, venture, watch)
    assert recorder.seen == [(venture, seq) for seq in range(1, 6)]


async def test_targets_have_positions_of_their_own(spine: Spine, watch: Watch) -> None:
    venture = await founded(spine)
    old, new = Recorder(target="old"), Recorder(target="new")
    await turn_out(spine, old, venture, watch)
    await some_events(spine, venture)
    await turn_out(spine, new, venture, watch)
    assert (len(old.seen), len(new.seen)) == (1, 5)


async def test_two_processes_share_the_work_and_neither_repeats_it(spine: Spine, watch: Watch) -> None:
    ventures = [await founded(spine) for _ in range(6)]
    for venture in ventures:
        await some_events(spine, venture)
    one, other = Recorder(), Recorder()
    runners = [Runner(spine.database, spine.registry, [consumer], now=watch) for consumer in (one, other)]
    await asyncio.gather(*(runner.caught_up() for runner in runners))
    seen = one.seen + other.seen
    assert sorted(seen) == sorted((venture, seq) for venture in ventures for seq in range(1, 6))


async def test_together_one_that_fails_holds_nobody_else(spine: Spine, watch: Watch) -> None:
    venture = await founded(spine)
    await some_events(spine, venture)
    good, bad = Recorder(name="good"), Recorder(name="bad", poison={(venture, 3)})
    for _ in range(40):
        done = await step_together(spine.database, spine.registry, [good, bad], venture, now=watch)
        for one in done.behind:
            await step(spine.database, spine.registry, one, venture, now=watch)
        watch.move(5)
    everything = [(venture, seq) for seq in range(1, 6)]
    assert [one for one in good.seen if good.seen.count(one) == 1][-3:] == everything[2:]
    async with spine.database.venture(venture) as scope:
        assert [one.seq for one in await parked(scope, bad)] == [3, 5]
        assert await parked(scope, good) == []
    assert [(lag.consumer, lag.events) for lag in await lags(spine.database, [good, bad], watch())] == [
        ("good", 0),
        ("bad", 0),
    ]
    await spine.append(venture, Raise(counter=ONE), actor=ANNA)
    done = await step_together(spine.database, spine.registry, [good, bad], venture, now=watch)
    assert (done.moved, done.behind, len(done.appended_at)) == (1, (), 1)
    assert good.seen[-1] == bad.seen[-1] == (venture, 6)


async def test_a_running_worker_hears_the_bell(database: Database, spine: Spine) -> None:
    recorder, arrived = Recorder(), asyncio.Event()
    bell = Bell(database)
    ringing = Spine(database, spine.registry, spine.authority, bell=bell, now=spine.now, new_id=spine.new_id)
    stop = asyncio.Event()
    runner = Runner(database, spine.registry, [recorder], now=spine.now, turned=lambda consumer, done: arrived.set())
    running = asyncio.create_task(runner.run(stop))
    venture = await founded(ringing)
    await asyncio.wait_for(arrived.wait(), 30)
    stop.set()
    await running
    assert recorder.seen == [(venture, 1)]
