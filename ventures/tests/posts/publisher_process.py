"""A publisher in a process of its own, to be killed: ADDRESS VENTURE SECONDS-SINCE-THE-WATCH-BEGAN."""

import asyncio
import sys
from uuid import UUID

from ventures.database.pool import opened
from ventures.identifiers import new_id
from ventures.log.api import Registry, Spine
from ventures.tenancy import api as tenancy
from ventures.testing.log import Watch
from ventures.testing.posts import ROOMS, World


async def main(address: str, venture: str, seconds: str) -> None:
    watch = Watch()
    watch.move(float(seconds))
    async with opened(address) as database:
        spine = Spine(database, Registry(ROOMS), tenancy.Memberships(), bell=None, now=watch, new_id=new_id)
        world = World(spine, watch, UUID(venture))
        await world.caught_up()
        print("ready", flush=True)
        await world.publisher().turn()
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
