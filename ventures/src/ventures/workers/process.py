"""A worker process: all consumers of the log, and everything that is due at a time."""

import asyncio
import logging
import os
import random
import signal

import uvloop

from ventures.errors import Unavailable
from ventures.log.api import Loop, Runner
from ventures.settings import read
from ventures.wiring import Platform, open_platform

log = logging.getLogger(__name__)
PAUSE_AFTER_FAULT_SECONDS = 1.0


def main() -> None:
    """Runs until SIGTERM or SIGINT; then finishes what is under way."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run())


async def _run() -> None:
    settings = read(os.environ)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_platform(settings, settings.database_address) as platform:
        await work(platform, stop)


async def work(platform: Platform, stop: asyncio.Event) -> None:
    """All of a worker's work on an open platform, until `stop` is set."""
    runner = Runner(
        platform.database, platform.registry, platform.consumers, now=platform.now, at_once=turns_at_once(platform)
    )
    await asyncio.gather(runner.run(stop), *(_turning(loop, stop) for loop in platform.loops))


def turns_at_once(platform: Platform) -> int:
    """Half of the connections: a turn takes one, and a second while a consumer tells billing or the directory."""
    return max(1, platform.settings.database_connections // 2)


async def _turning(loop: Loop, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            wait = await loop.turn()
        except Unavailable as error:
            log.warning("%s waits for the database: %s", loop.name, error)
            wait = PAUSE_AFTER_FAULT_SECONDS
        except Exception:  # one bad turn must not end the others; what is due stays due
            log.exception("%s failed; it is tried again", loop.name)
            wait = PAUSE_AFTER_FAULT_SECONDS
        try:
            await asyncio.wait_for(stop.wait(), wait * random.uniform(0.9, 1.1))  # noqa: S311  spreads processes
        except TimeoutError:
            continue
