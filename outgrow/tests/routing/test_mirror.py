"""Mirrored reads: what they count, and that nothing of them ever reaches the caller."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.ports.moves import ShadowCount
from outgrow.routing import Mirror
from outgrow.routing import mirror as mirror_module
from outgrow.routing.statements import COUNT, MIRRORED, SHADOWED
from outgrow.testing.move_ledger_contract import POINT, TARGET, begun, row


class Database:
    """What the three statements see, and how often each was asked."""

    def __init__(self, share: float = 1.0) -> None:
        self.share: float | None = share
        self.other: str | None = TARGET
        self.asked: list[str] = []
        self.counts: dict[str, tuple[int, int, int]] = {}
        self.fails = False
        self.stalls = False
        self.held: asyncio.Event | None = None

    async def ask(self, statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
        self.asked.append(statement)
        await asyncio.sleep(0)
        if self.stalls:
            await asyncio.Event().wait()
        if self.held is not None:
            await self.held.wait()
        if self.fails:
            raise ConnectionError
        match statement:
            case _ if statement == MIRRORED:
                return None if self.share is None else ("m1", self.share)
            case _ if statement == SHADOWED:
                return None if self.other is None else (self.other,)
            case _ if statement == COUNT:
                had = self.counts.get(parameters["tenant"], (0, 0, 0))
                new = (parameters["matched"], parameters["differed"], parameters["failed"])
                self.counts[parameters["tenant"]] = (had[0] + new[0], had[1] + new[1], had[2] + new[2])
        return None


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def answering(answer: object) -> Callable[[str], Awaitable[object]]:
    async def other(store: str) -> object:
        await asyncio.sleep(0)
        if isinstance(answer, Exception):
            raise answer
        return (store, answer)

    return other


async def rest() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def run(work: Callable[[Database, Time, Mirror], Awaitable[None]], **options: Any) -> Database:
    database, now = Database(), Time()

    async def story() -> None:
        mirror = Mirror(POINT, database.ask, clock=now, chance=lambda: 0.5, **{"timeout_seconds": 60.0, **options})
        await work(database, now, mirror)
        await mirror.close()

    asyncio.run(story())
    return database


def test_reads_are_compared_and_counted() -> None:
    async def work(database: Database, now: Time, mirror: Mirror) -> None:
        mirror.read("a", (TARGET, "same"), answering("same"))
        await rest()
        mirror.read("a", (TARGET, "same"), answering("other"))
        mirror.read("b", "SAME", answering("same"), lambda here, there: True)
        mirror.read("b", "same", answering(ConnectionError("down")))
        await rest()
        assert database.counts == {}

    database = run(work)
    assert database.counts == {"a": (1, 1, 0), "b": (1, 0, 1)}
    assert database.asked.count(MIRRORED) == 1


def test_counts_are_written_every_few_seconds() -> None:
    async def work(database: Database, now: Time, mirror: Mirror) -> None:
        for second in range(11):
            now.now = float(second)
            mirror.read("a", (TARGET, 1), answering(1))
            await rest()
        assert database.counts == {"a": (10, 0, 0)}
        assert database.asked.count(COUNT) == 2

    assert run(work).counts == {"a": (11, 0, 0)}


def test_what_was_counted_is_written_also_when_nothing_is_mirrored_any_more() -> None:
    async def work(database: Database, now: Time, mirror: Mirror) -> None:
        mirror.read("a", (TARGET, 1), answering(1))
        await rest()
        database.share = 0.0
        for second in (2.0, 2.5, 6.0, 6.1):
            now.now = second
            mirror.read("a", (TARGET, 1), answering(1))
            await rest()
        assert database.counts == {"a": (1, 0, 0)}

    run(work)


def test_counts_of_many_tenants_are_written_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_module, "WRITE_SECONDS", 1.0)

    async def work(database: Database, now: Time, mirror: Mirror) -> None:
        for tenant in "abcd":
            mirror.read(tenant, (TARGET, 1), answering(1))
            await rest()
        now.now = 1.5
        mirror.read("a", (TARGET, 1), answering(1))
        await rest()
        assert list(database.counts) == ["a"]

    database = run(work)
    assert database.counts == {"a": (2, 0, 0), **dict.fromkeys("bcd", (1, 0, 0))}


def test_a_read_is_not_mirrored_where_the_loop_has_enough_to_do() -> None:
    async def work(database: Database, now: Time, mirror: Mirror) -> None:
        mirror.read("a", (TARGET, 1), answering(1))
        await rest()
        assert SHADOWED not in database.asked
        now.now = 0.001
        await asyncio.sleep(0.02)
        assert database.asked.count(SHADOWED) == 1
        mirror.read("a", (TARGET, 1), answering(1))
        await asyncio.sleep(0)
        now.now = 0.1
        await asyncio.sleep(0.02)
        assert database.asked.count(SHADOWED) == 1
        assert mirror.skipped == 1

    assert run(work, pause_seconds=0.001).counts == {"a": (1, 0, 0)}


def test_what_waits_for_its_turn_when_the_switch_is_thrown_is_not_asked() -> None:
    asked: list[str] = []

    async def other(store: str) -> object:
        asked.append(store)
        return (store, 1)

    async def work(database: Database, now: Time, mirror: Mirror) -> None:
        mirror.read("a", (TARGET, 1), other)
        await rest()
        free = database.held = asyncio.Event()
        mirror.read("a", (TARGET, 1), other)
        await rest()
        database.held, database.share, now.now = None, 0.0, 1.0
        mirror.read("a", (TARGET, 1), other)
        await rest()
        free.set()
        await rest()
        assert asked == [TARGET]

    assert run(work).counts == {"a": (1, 0, 0)}


def test_only_the_share_is_mirrored_and_nothing_of_tenants_that_are_not_compared() -> None:
    async def work(database: Database, now: Time, mirror: Mirror) -> None:
        for at, (share, other) in enumerate([(0.4, TARGET), (0.0, TARGET), (None, TARGET), (1.0, None)]):
            database.share, database.other, now.now = share, other, at * 2.0
            for _ in range(5):
                mirror.read("a", 1, answering(1))
                await rest()

    assert run(work).counts == {}


def test_the_share_is_looked_up_at_most_once_a_second_and_0_is_heeded_within_one() -> None:
    async def work(database: Database, now: Time, mirror: Mirror) -> None:
        for tenth in range(20):
            now.now = tenth / 10
            mirror.read("a", (TARGET, 1), answering(1))
            await rest()
        assert database.asked.count(MIRRORED) <= 3
        database.share = 0.0
        now.now += 1
        before = database.asked.count(SHADOWED)
        for _ in range(5):
            mirror.read("a", (TARGET, 1), answering(1))
            await rest()
        assert database.asked.count(SHADOWED) == before

    run(work)


def test_where_the_database_does_not_answer_nothing_is_mirrored() -> None:
    async def work(database: Database, now: Time, mirror: Mirror) -> None:
        mirror.read("a", (TARGET, 1), answering(1))
        await rest()
        database.fails, now.now = True, 10.0
        before = database.asked.count(SHADOWED)
        for _ in range(50):
            mirror.read("a", (TARGET, 1), answering(1))
            await rest()
        assert database.asked.count(SHADOWED) == before
        assert database.asked.count(MIRRORED) == 2
        database.fails, now.now = False, 20.0
        mirror.read("a", (TARGET, 1), answering(1))
        await rest()

    assert run(work).counts == {"a": (2, 0, 0)}


def test_a_stalled_store_takes_a_few_places_for_a_while_and_nothing_else() -> None:
    started = 0

    async def stalled(store: str) -> object:
        nonlocal started
        started += 1
        await asyncio.Event().wait()
        return store

    async def work(database: Database, now: Time, mirror: Mirror) -> None:
        mirror.read("a", 1, stalled)
        await rest()
        before = len(asyncio.all_tasks())
        for _ in range(1000):
            mirror.read("a", 1, stalled)
        await rest()
        assert started == 3
        assert len(asyncio.all_tasks()) <= before + 2
        assert mirror.skipped == 998
        await asyncio.sleep(0.1)
        mirror.read("a", (TARGET, 1), answering(1))
        await rest()

    database = run(work, most=3, timeout_seconds=0.05)
    assert database.counts == {"a": (1, 0, 3)}


def test_a_stalled_database_holds_neither_reads_nor_closing_up() -> None:
    async def work(database: Database, now: Time, mirror: Mirror) -> None:
        database.stalls = True
        for _ in range(100):
            mirror.read("a", 1, answering(1))
            await rest()
        assert len(database.asked) == 1

    async def bounded() -> None:
        await asyncio.wait_for(asyncio.to_thread(run, work, timeout_seconds=0.05), 60)

    asyncio.run(bounded())


def test_outside_of_a_loop_nothing_is_mirrored_and_nothing_raised() -> None:
    database = Database()
    mirror = Mirror(POINT, database.ask)
    mirror.read("a", 1, answering(1))
    assert database.asked == []


@pytest.mark.parametrize("bad", [lambda store: 1 / 0, lambda store: None])
def test_whatever_other_is_it_never_raises(bad: Any) -> None:
    async def work(database: Database, now: Time, mirror: Mirror) -> None:
        mirror.read("a", 1, bad)
        await rest()

    assert run(work).counts == {"a": (0, 0, 1)}


def test_the_statements_do_what_the_mirror_means(postgresql: str) -> None:
    async def story() -> None:
        async with await psycopg.AsyncConnection.connect(postgresql, autocommit=True) as connection:
            lock = asyncio.Lock()

            async def ask(statement: Any, parameters: Mapping[str, object]) -> tuple[Any, ...] | None:
                async with lock:
                    cursor = await connection.execute(statement, parameters)
                    return await cursor.fetchone() if cursor.description else None

            mirror = Mirror(POINT, ask, chance=lambda: 0.2)
            mirror.read("a", (TARGET, 1), answering(1))
            mirror.read("b", (TARGET, 1), answering(1))
            await asyncio.sleep(0.2)
            await mirror.close()

    with closing(open_move_ledger(postgresql)) as ledger:
        migration = begun(ledger, "a", "b")
        ledger.keep(migration, replace(row(ledger, migration, "a"), state="shadowing"))
        asyncio.run(story())
        assert ledger.shadow(migration, "a") == ShadowCount(1)
        assert ledger.shadow(migration, "b") == ShadowCount()
