"""Laws of consumers that take a turn's events at once, and turns apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import LiteralString
from uuid import UUID

import pytest

from ventures.database.scope import Scope
from ventures.errors import Unavailable
from ventures.log.api import Event, Rest, Spine, parked, replay_parked, step, step_together
from ventures.log.consumers import ATTEMPTS
from ventures.testing.log import ANNA, VALUES, Drop, Raise, Recorder, Watch, founded

ONE, OTHER = UUID(int=1), UUID(int=2)
BROKEN: LiteralString = "SELECT 1 / %(by)s::int"


@dataclass
class BulkRecorder(Recorder):
    """Remembers how many events came at once."""

    name: str = "bulk"
    apart: bool = False
    down: bool = False
    at_once: list[int] = field(default_factory=list)

    async def handle_all(self, scope: Scope, events: Sequence[Event]) -> Rest | None:
        if self.down:
            raise Unavailable("down")
        self.at_once.append(len(events))
        for event in events:
            await self.handle(scope, event)
        return None


@pytest.fixture
def consumer() -> BulkRecorder:
    return BulkRecorder()


async def some_events(spine: Spine) -> UUID:
    """Events 2 … 5: raised ONE, raised OTHER, raised ONE, dropped OTHER."""
    venture = await founded(spine)
    for command in (Raise(counter=ONE), Raise(counter=OTHER), Raise(counter=ONE), Drop(counter=OTHER)):
        await spine.append(venture, command, actor=ANNA)
    return venture


async def test_a_turn_comes_at_once_without_what_it_does_not_handle(spine: Spine, watch: Watch) -> None:
    consumer = BulkRecorder(handles=frozenset({"toy.raised"}))
    venture = await some_events(spine)
    done = await step(spine.database, spine.registry, consumer, venture, now=watch)
    assert (done.moved, consumer.at_once, consumer.seen) == (5, [3], [(venture, 2), (venture, 3), (venture, 4)])
    await step(spine.database, spine.registry, consumer, venture, now=watch)
    assert consumer.at_once == [3]


async def test_poison_is_found_and_parked_alone(spine: Spine, watch: Watch, consumer: BulkRecorder) -> None:
    venture = await some_events(spine)
    consumer.poison = {(venture, 2)}
    for _ in range(ATTEMPTS + 3):
        await step(spine.database, spine.registry, consumer, venture, now=watch)
        watch.move(10)
    async with spine.database.venture(venture) as scope:
        first, behind = await parked(scope, consumer)
    assert (first.seq, "cannot digest 2" in first.reason) == (2, True)
    assert (behind.seq, "waits for event 2" in behind.reason) == (4, True)
    assert consumer.seen[-2:] == [(venture, 3), (venture, 5)]
    consumer.poison.clear()
    assert await replay_parked(spine.database, spine.registry, consumer, venture, now=watch) == (2, 0)


async def test_what_fails_at_once_only_is_handled_one_by_one(spine: Spine, watch: Watch) -> None:
    class Clumsy(BulkRecorder):
        async def handle_all(self, scope: Scope, events: Sequence[Event]) -> None:
            raise ValueError("too many")

    consumer = Clumsy()
    venture = await some_events(spine)
    done = await step(spine.database, spine.registry, consumer, venture, now=watch)
    assert (done.moved, len(consumer.seen)) == (5, 5)


async def test_together_one_that_fails_takes_its_own_turn(spine: Spine, watch: Watch, consumer: BulkRecorder) -> None:
    venture = await some_events(spine)
    plain = Recorder()
    consumer.poison = {(venture, 3)}
    await step_together(spine.database, spine.registry, [plain, consumer], venture, now=watch)
    done = await step_together(spine.database, spine.registry, [plain, consumer], venture, now=watch)
    assert (done.moved, done.behind) == (0, (plain, consumer))


async def test_apart_it_holds_up_nobody_and_is_told_of(spine: Spine, watch: Watch) -> None:
    slow, plain = BulkRecorder(apart=True, down=True), Recorder()
    venture = await some_events(spine)
    for _ in range(2):
        done = await step_together(spine.database, spine.registry, [plain, slow], venture, now=watch)
    assert (len(plain.seen), slow.seen, done.behind) == (5, [], (slow,))
    with pytest.raises(Unavailable):
        await step(spine.database, spine.registry, slow, venture, now=watch)
    slow.down = False
    await step(spine.database, spine.registry, slow, venture, now=watch)
    done = await step_together(spine.database, spine.registry, [plain, slow], venture, now=watch)
    assert (len(slow.seen), done.behind) == (5, ())

    await spine.append(venture, Raise(counter=ONE), actor=ANNA)
    await step(spine.database, spine.registry, slow, venture, now=watch)
    done = await step_together(spine.database, spine.registry, [plain, slow], venture, now=watch)
    assert (done.moved, done.behind, len(plain.seen)) == (1, (), 6)


async def test_apart_and_alone_it_is_told_of_too(spine: Spine, watch: Watch) -> None:
    slow = BulkRecorder(apart=True)
    venture = await some_events(spine)
    for _ in range(2):
        done = await step_together(spine.database, spine.registry, [slow], venture, now=watch)
    assert done.behind == (slow,)
    await step(spine.database, spine.registry, slow, venture, now=watch)
    done = await step_together(spine.database, spine.registry, [slow], venture, now=watch)
    assert (done.behind, done.moved, len(slow.seen)) == ((), 0, 5)


async def test_all_ask_before_any_goes_on(spine: Spine, watch: Watch) -> None:
    said: list[str] = []

    class Asking(BulkRecorder):
        async def handle_all(self, scope: Scope, events: Sequence[Event]) -> Rest:
            said.append(f"{self.name} asks")
            asked = await scope.queued(VALUES)

            async def rest() -> None:
                said.append(f"{self.name} is told of {len(await asked.all())}")

            return rest

    venture = await some_events(spine)
    done = await step_together(
        spine.database, spine.registry, [Asking(name="one"), Asking(name="other")], venture, now=watch
    )
    assert done.moved == 5
    assert said == ["one asks", "other asks", "one is told of 2", "other is told of 2"]


async def test_what_fails_when_it_goes_on_is_found_and_parked_alone(spine: Spine, watch: Watch) -> None:
    class Late(BulkRecorder):
        async def handle_all(self, scope: Scope, events: Sequence[Event]) -> Rest:
            async def rest() -> None:
                await BulkRecorder.handle_all(self, scope, events)

            return rest

    late, plain = Late(poison=set()), Recorder()
    venture = await some_events(spine)
    late.poison = {(venture, 5)}
    done = await step_together(spine.database, spine.registry, [plain, late], venture, now=watch)
    assert (done.moved, done.behind) == (0, (plain, late))
    await turned_out(spine, [plain, late], venture, watch)
    assert (plain.seen[-5:], late.seen[-4:]) == ([(venture, seq) for seq in range(1, 6)], plain.seen[-5:-1])
    async with spine.database.venture(venture) as scope:
        assert [one.seq for one in await parked(scope, late)] == [5]


@pytest.mark.parametrize("kind", [Recorder, BulkRecorder])
async def test_a_statement_that_fails_unseen_parks_its_event_alone(
    spine: Spine, watch: Watch, kind: type[Recorder]
) -> None:
    class Unseen(kind):  # type: ignore[misc,valid-type]  # the law is the same for both
        broken = True

        async def handle(self, scope: Scope, event: Event) -> None:
            await super().handle(scope, event)
            if event.seq == 3 and self.broken:
                await scope.run(BROKEN, by=0)

    unseen, plain = Unseen(), Recorder(name="plain")
    venture = await some_events(spine)
    assert (await step_together(spine.database, spine.registry, [plain, unseen], venture, now=watch)).moved == 0
    await turned_out(spine, [plain, unseen], venture, watch)
    assert plain.seen[-5:] == [(venture, seq) for seq in range(1, 6)]
    async with spine.database.venture(venture) as scope:
        reasons = {one.seq: one.reason for one in await parked(scope, unseen)}
        assert await parked(scope, plain) == []
    assert ("division by zero" in reasons[3], sorted(reasons)) == (True, [3, 5])
    assert await replay_parked(spine.database, spine.registry, unseen, venture, now=watch) == (0, 2)
    unseen.broken = False
    assert await replay_parked(spine.database, spine.registry, unseen, venture, now=watch) == (2, 0)


async def turned_out(spine: Spine, consumers: Sequence[Recorder], venture: UUID, watch: Watch) -> None:
    """Turns of their own until nothing is left."""
    for consumer in consumers:
        for _ in range(30):
            await step(spine.database, spine.registry, consumer, venture, now=watch)
            watch.move(10)
