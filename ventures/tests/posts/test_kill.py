"""kill -9 of a real publisher process in the middle of a request, and at any moment around it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ventures.database.roles import Addresses
from ventures.posts.publishing import SETTLE
from ventures.testing.channels import Fault
from ventures.testing.log import Watch
from ventures.testing.mastodon import LocalMastodon, mastodon
from ventures.testing.posts import World

PROCESS = Path(__file__).with_name("publisher_process.py")
SOURCE = Path(__file__).parents[2] / "src"


@asynccontextmanager
async def publisher_process(addresses: Addresses, world: World) -> AsyncIterator[asyncio.subprocess.Process]:
    """Killed at the end, wherever it is."""
    seconds = (world.watch() - Watch().at).total_seconds()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROCESS),
        addresses.app,
        str(world.venture),
        str(seconds),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def recovered(world: World, server: LocalMastodon, text: str) -> None:
    """The next publisher makes it one."""
    server.faults.clear()
    for _ in range(3):
        world.watch.move(SETTLE.total_seconds() + 11)
        await world.publish()
    assert server.texts.count(text) == 1


@pytest.mark.parametrize("fault", ["hang_before", "hang_after"])
async def test_in_the_middle_of_the_request(world: World, database_addresses: Addresses, fault: Fault) -> None:
    async with mastodon(world.watch) as server:
        channel = await world.channel("mastodon", {"server": server.url}, {"access_token": server.token})
        post = await world.scheduled(await world.item(), channel, fault)
        world.watch.move(61)
        server.faults.append(fault)
        async with publisher_process(database_addresses, world):
            await asyncio.wait_for(server.asked.wait(), 60)
        assert (await world.see(post)).state == "publishing"
        await recovered(world, server, fault)
        assert (await world.see(post)).state == "published"
    assert await world.replays()


@pytest.mark.parametrize("milliseconds", [0, 8, 20, 40])
async def test_at_any_moment(world: World, database_addresses: Addresses, milliseconds: int) -> None:
    async with mastodon(world.watch) as server:
        channel = await world.channel("mastodon", {"server": server.url}, {"access_token": server.token})
        item = await world.item()
        texts = [f"Number {number}" for number in range(6)]
        found = [await world.scheduled(item, channel, text) for text in texts]
        world.watch.move(61)
        async with publisher_process(database_addresses, world) as process:
            assert process.stdout is not None
            await asyncio.wait_for(process.stdout.readline(), 60)
            await asyncio.sleep(milliseconds / 1000)
        for text in texts:
            await recovered(world, server, text)
        assert sorted(server.texts) == texts
        assert {(await world.see(post)).state for post in found} == {"published"}
    assert await world.replays()
