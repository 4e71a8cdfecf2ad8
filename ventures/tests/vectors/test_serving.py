"""Searches over the socket: every one ends, each with its own answer, whatever the other side does."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from ventures.errors import Conflict, Invalid, SettingsError, Unavailable
from ventures.vectors import remote as asking
from ventures.vectors import wire
from ventures.vectors.api import ALL, LIMIT, Held, Kind, Match, Only
from ventures.vectors.remote import Remote
from ventures.vectors.serving import IN_FLIGHT, serving
from ventures.vectors.wire import Cannot, Found, Holding, Holds, HowFar, Reached, Refill, Search, StoreStatus

VENTURE = UUID(int=5)
VECTOR = np.array([1, 0, 0], np.float32)
LONG_SECONDS = 60.0


class Holder:
    """Answers with the first number of the vector as position; waits where it is told to."""

    def __init__(self) -> None:
        self.asked: list[Search] = []
        self.before: Callable[[Search], Awaitable[None]] | None = None

    async def search(self, asked: Search) -> Found | Cannot:
        self.asked.append(asked)
        if self.before is not None:
            await self.before(asked)
        if asked.store != "here":
            return Cannot(asked.number, f"There is no store {asked.store}.")
        position = int(wire.unpacked(asked.vector)[0])
        return Found(asked.number, [Match(asked.venture, 0.5)] * asked.limit, position)

    async def status(self) -> list[StoreStatus]:
        return [
            StoreStatus(store="here", process=1, points=3, parts=1, resident_bytes=1, disk_bytes=2, filled=1, behind=0,
                        flushed_seconds_ago=None, fault="")
        ]  # fmt: skip

    async def held(self, asked: Holding) -> Holds | Cannot:
        if asked.store != "here":
            raise Unavailable(f"There is no store {asked.store}.")
        first = asked.after.int + 1 if asked.after else 1
        return Holds(asked.number, [Held(UUID(int=first + one), bytes(16)) for one in range(asked.limit)], 7)

    async def reached(self, asked: HowFar) -> Reached | Cannot:
        return Reached(asked.number, 7 if asked.venture == VENTURE else None, "")

    async def refill(self, asked: Refill) -> Reached | Cannot:
        return Cannot(asked.number, "It is not to be held here.")


@pytest.fixture
def data() -> Iterator[Path]:
    with TemporaryDirectory(prefix="v-") as folder:
        yield Path(folder)


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def ask(remote: Remote, first: int = 1, store: str = "here", limit: int = 1, only: Only = ALL) -> Found:
    vector = np.array([first, 0, 0], np.float32)
    return await remote.search(store, VENTURE, Kind.CONTENT, vector, limit=limit, only=only)


async def until(true: Callable[[], object]) -> None:
    give_up = time.monotonic() + LONG_SECONDS
    while not true():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.01)


async def test_what_is_held_and_how_far_it_is_goes_over_the_socket(data: Path, stack: AsyncExitStack) -> None:
    await stack.enter_async_context(serving(data, 1, Holder()))
    remote = Remote(data, 1)
    stack.push_async_callback(remote.close)
    page = await remote.held("here", VENTURE, after=UUID(int=9), limit=LIMIT)
    assert [one.id.int for one in page.held] == list(range(10, 10 + LIMIT))
    assert page.position == 7
    assert (await remote.reached("here", VENTURE)).position == 7
    assert (await remote.reached("here", UUID(int=6))).position is None
    with pytest.raises(Unavailable, match=r"There is no store there\."):
        await remote.held("there", VENTURE, after=None, limit=1)
    with pytest.raises(Unavailable, match="It is not to be held here"):
        await remote.refill("here", VENTURE)
    for limit in (0, LIMIT + 1):
        with pytest.raises(Unavailable):
            await remote.held("here", VENTURE, after=None, limit=limit)  # what is no message ends the connection
    assert (await remote.held("here", VENTURE, after=None, limit=1)).position == 7


async def test_each_of_many_in_flight_gets_its_own_answer_in_whatever_order(data: Path, stack: AsyncExitStack) -> None:
    holder, gate = Holder(), asyncio.Event()
    await stack.enter_async_context(serving(data, 1, holder))
    remote = Remote(data, 1, deadline_seconds=LONG_SECONDS)
    stack.push_async_callback(remote.close)

    async def before(asked: Search) -> None:
        if wire.unpacked(asked.vector)[0] % 2:
            await gate.wait()

    holder.before = before
    odd = [asyncio.create_task(ask(remote, number)) for number in range(1, 100, 2)]
    even = await asyncio.gather(*(ask(remote, number) for number in range(0, 100, 2)))
    assert [found.position for found in even] == list(range(0, 100, 2))
    assert not any(task.done() for task in odd)
    gate.set()
    assert [(await task).position for task in odd] == list(range(1, 100, 2))


async def test_more_than_a_connection_may_have_in_flight_wait_their_turn(data: Path, stack: AsyncExitStack) -> None:
    holder, gate = Holder(), asyncio.Event()
    await stack.enter_async_context(serving(data, 1, holder))
    remote = Remote(data, 1, deadline_seconds=LONG_SECONDS)
    stack.push_async_callback(remote.close)

    async def before(asked: Search) -> None:
        await gate.wait()

    holder.before = before
    tasks = [asyncio.create_task(ask(remote, number)) for number in range(2_000)]
    await until(lambda: len(holder.asked) >= IN_FLIGHT)
    gate.set()
    assert [(await task).position for task in tasks] == list(range(2_000))


async def test_what_cannot_be_answered_is_a_sentence_and_no_failure(data: Path, stack: AsyncExitStack) -> None:
    await stack.enter_async_context(serving(data, 1, Holder()))
    remote = Remote(data, 1, deadline_seconds=LONG_SECONDS)
    stack.push_async_callback(remote.close)
    for _ in range(2 * asking.FAILURES):
        with pytest.raises(Unavailable, match="There is no store elsewhere"):
            await ask(remote, store="elsewhere")
    assert len((await ask(remote, limit=1_000)).matches) == 1_000
    assert [line.points for line in await remote.status()] == [3]


@pytest.mark.parametrize("error", [Conflict("It is closed."), RuntimeError("a fault of the engine")])
async def test_whatever_a_store_raises_the_next_search_is_answered(
    data: Path, stack: AsyncExitStack, error: Exception
) -> None:
    holder = Holder()
    await stack.enter_async_context(serving(data, 1, holder))
    remote = Remote(data, 1, deadline_seconds=LONG_SECONDS)
    stack.push_async_callback(remote.close)

    async def before(asked: Search) -> None:
        raise error

    holder.before = before
    with pytest.raises(Unavailable, match=r"It is closed|The index failed at this search"):
        await ask(remote)
    holder.before = None
    assert (await ask(remote, 7)).position == 7


async def test_after_some_failures_nobody_waits_until_the_probe_is_answered(data: Path, stack: AsyncExitStack) -> None:
    """The other side is there and hangs, as a stopped process does."""
    path = wire.socket_of(data, 1)
    wire.private(path.parent)
    hanging = socket.socket(socket.AF_UNIX)
    hanging.bind(str(path))
    hanging.listen(100)
    remote = Remote(data, 1, deadline_seconds=0.05)
    stack.push_async_callback(remote.close)
    for _ in range(asking.FAILURES):
        with pytest.raises(Unavailable, match="did not answer within 50 ms"):
            await ask(remote)
    for _ in range(1_000):
        with pytest.raises(Unavailable, match="it is asked again from time to time"):
            await ask(remote)
    hanging.close()
    path.unlink()
    await stack.enter_async_context(serving(data, 1, Holder()))
    await until(lambda: remote._probing is None)
    assert (await ask(remote, 3)).position == 3


async def test_a_process_that_ends_and_comes_back_is_found_again(data: Path, stack: AsyncExitStack) -> None:
    remote = Remote(data, 1, deadline_seconds=LONG_SECONDS)
    stack.push_async_callback(remote.close)
    with pytest.raises(Unavailable, match="Index process 1 is not there"):
        await ask(remote)
    for number in range(3):
        async with serving(data, 1, Holder()):
            await until(lambda: remote._probing is None)
            assert (await ask(remote, number)).position == number
        with pytest.raises(Unavailable):
            await ask(remote)


async def test_what_is_in_flight_when_the_process_ends_fails_at_once(data: Path, stack: AsyncExitStack) -> None:
    child = subprocess.Popen([sys.executable, "-c", HANGS, str(wire.private(wire.sockets(data)) / "1.sock")])
    try:
        await until(wire.socket_of(data, 1).exists)
        remote = Remote(data, 1, deadline_seconds=LONG_SECONDS)
        stack.push_async_callback(remote.close)
        searches = [asyncio.create_task(ask(remote)) for _ in range(5)]
        await until(lambda: remote._connecting is not None and remote._connecting.done())
        await asyncio.sleep(0.05)
        child.kill()
        for one in searches:
            with pytest.raises(Unavailable, match="is not there"):
                await one
    finally:
        child.kill()
        child.wait()


HANGS = """
import socket, sys, time
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen(5)
time.sleep(600)
"""


async def test_what_nobody_waits_for_any_more_is_not_searched(data: Path, stack: AsyncExitStack) -> None:
    holder = Holder()
    await stack.enter_async_context(serving(data, 1, holder))
    reader, writer = await asyncio.open_unix_connection(str(wire.socket_of(data, 1)))
    late = Search(1, time.monotonic() - 1, "here", VENTURE, Kind.CONTENT, wire.packed(VECTOR), 1, ALL)
    waited_for = Search(2, time.monotonic() + LONG_SECONDS, "here", VENTURE, Kind.CONTENT, wire.packed(VECTOR), 1, ALL)
    writer.write(wire.framed(late) + wire.framed(waited_for))
    length = int.from_bytes(await reader.readexactly(4), "big")
    assert wire.replies.decode(await reader.readexactly(length)).number == 2
    assert [asked.number for asked in holder.asked] == [2]
    writer.close()


@pytest.mark.parametrize("nonsense", [b"\xff\xff\xff\xff", b"\0\0\0\x05hello", b"\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n"])
async def test_nonsense_ends_its_connection_alone(data: Path, stack: AsyncExitStack, nonsense: bytes) -> None:
    await stack.enter_async_context(serving(data, 1, Holder()))
    remote = Remote(data, 1, deadline_seconds=LONG_SECONDS)
    stack.push_async_callback(remote.close)
    assert (await ask(remote, 4)).position == 4
    reader, writer = await asyncio.open_unix_connection(str(wire.socket_of(data, 1)))
    writer.write(nonsense)
    assert await reader.read() == b""
    writer.close()
    assert (await ask(remote, 5)).position == 5


async def test_a_search_too_long_for_a_frame_is_refused_before_it_is_sent(data: Path, stack: AsyncExitStack) -> None:
    holder = Holder()
    await stack.enter_async_context(serving(data, 1, holder))
    remote = Remote(data, 1, deadline_seconds=LONG_SECONDS)
    stack.push_async_callback(remote.close)
    with pytest.raises(Invalid, match="narrow it to fewer"):
        await ask(remote, only=Only(sources=tuple(UUID(int=number) for number in range(70_000))))
    assert (await ask(remote, 6)).position == 6
    assert len(holder.asked) == 1


async def test_who_gives_up_leaves_the_connection_to_the_others(data: Path, stack: AsyncExitStack) -> None:
    holder, gate = Holder(), asyncio.Event()
    await stack.enter_async_context(serving(data, 1, holder))
    remote = Remote(data, 1, deadline_seconds=LONG_SECONDS)
    stack.push_async_callback(remote.close)

    async def before(asked: Search) -> None:
        await gate.wait()

    holder.before = before
    leaving, staying = (asyncio.create_task(ask(remote, number)) for number in (1, 2))
    await until(lambda: len(holder.asked) == 2)
    leaving.cancel()
    gate.set()
    assert (await staying).position == 2
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_one_process_a_number_and_a_killed_ones_socket_is_taken_over(data: Path) -> None:
    async with serving(data, 1, Holder()):
        with pytest.raises(SettingsError, match="Index process 1 runs already"):
            async with serving(data, 1, Holder()):
                pass
        async with serving(data, 2, Holder()):
            assert wire.socket_of(data, 2).exists()
    left = wire.socket_of(data, 1)
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(left))
    async with serving(data, 1, Holder()):
        remote = Remote(data, 1, deadline_seconds=LONG_SECONDS)
        assert (await ask(remote, 8)).position == 8
        await remote.close()


async def test_the_folder_is_ours_alone_and_short_enough_for_a_socket(data: Path) -> None:
    deep = data / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    for place in (data, deep):
        async with serving(place, 1, Holder()):
            folder = wire.sockets(place)
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert len(os.fsencode(wire.socket_of(place, 16))) <= wire.PATH_BYTES
            remote = Remote(place, 1, deadline_seconds=LONG_SECONDS)
            assert (await ask(remote, 9)).position == 9
            await remote.close()
    wire.sockets(deep).joinpath("1.lock").unlink()
    wire.sockets(deep).rmdir()
    other = data / "other"
    other.mkdir()
    (other / "index").symlink_to(data)
    with pytest.raises(SettingsError, match="belongs to somebody else"):
        async with serving(other, 1, Holder()):
            pass


@given(
    st.lists(st.integers(0, 1 << 60), max_size=8),
    st.lists(st.integers(1, 40), min_size=1, max_size=200),
)
def test_frames_come_out_as_they_went_in_however_the_bytes_arrive(numbers: list[int], cuts: list[int]) -> None:
    whole = b"".join(wire.framed(wire.Cannot(number, "…" * (number % 50))) for number in numbers)
    frames, found, at = wire.Frames(), [], 0
    while at < len(whole):
        cut = cuts[at % len(cuts)]
        found += [wire.replies.decode(body).number for body in frames.of(whole[at : at + cut])]
        at += cut
    assert found == numbers
