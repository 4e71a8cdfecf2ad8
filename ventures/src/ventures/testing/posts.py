"""A venture with items, channels and posts on a spine and a clock of the test's own; and its publisher.

world = await new_world(database)
item, channel = await world.item(), await world.channel("sink")
post = await world.scheduled(item, channel)
world.watch.move(3600)
await world.publish()
assert (await world.see(post)).state == "published"
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx2

from ventures.content import api as content
from ventures.database.pool import Database
from ventures.identifiers import new_id
from ventures.log.api import Actor, Appended, Command, Registry, Runner, Spine, replay, verify_chain
from ventures.planner import api as planner
from ventures.posts import api as posts
from ventures.posts.channels.mastodon import mastodon
from ventures.posts.channels.sink import sink
from ventures.posts.channels.webhook import webhook
from ventures.posts.ports import Channel, Factory
from ventures.tenancy import api as tenancy
from ventures.testing.log import Watch

ADA: Final = Actor(account=UUID(int=1))
KEY: Final = b"k" * 32
LOOPBACK: Final = (ipaddress.ip_network("127.0.0.0/8"),)
ROOMS: Final = (tenancy.ROOM, content.ROOM, planner.ROOM, posts.ROOM)
FACTORIES: Final[Mapping[str, Factory]] = {"mastodon": mastodon, "webhook": webhook, "sink": sink}


def made(kind: str, settings: Mapping[str, Any], credentials: Mapping[str, str], client: httpx2.AsyncClient) -> Channel:
    """A channel of the platform's own kinds."""
    return FACTORIES[kind](settings, credentials, client)


@dataclass
class World:
    """See above. `factories`: what channels are made by, instead of the kinds that are installed."""

    spine: Spine
    watch: Watch
    venture: UUID
    factories: dict[str, Factory] = field(default_factory=lambda: dict(FACTORIES))

    @property
    def database(self) -> Database:
        return self.spine.database

    async def do(self, command: Command, actor: Actor = ADA) -> Appended:
        return await self.spine.append(self.venture, command, actor=actor)

    async def item(self, *, approved: bool = True) -> UUID:
        """A new item."""
        item = (await self.do(content.DraftItem(title="An item", body="It says something."))).entity
        if approved:
            await self.approve(item)
        return item

    async def approve(self, item: UUID) -> None:
        await self.do(content.SubmitItem(item=item, version=(await self.see_item(item)).version))
        await self.do(content.ApproveItem(item=item, version=(await self.see_item(item)).version))

    async def edit(self, item: UUID, body: str) -> None:
        await self.do(content.EditItem(item=item, version=(await self.see_item(item)).version, body=body))

    async def channel(
        self,
        kind: str,
        settings: dict[str, Any] | None = None,
        credentials: dict[str, str] | None = None,
        *,
        characters: int = 500,
    ) -> UUID:
        """A new channel, connected without being tried."""
        command = posts.ConnectChannel(kind=kind, name=kind, settings=settings or {}, characters=characters)
        channel = (await self.do(command)).entity
        async with self.database.venture(self.venture) as scope:
            await posts.keep_credentials(scope, KEY, channel, credentials or {}, self.watch())
        return channel

    async def post(self, item: UUID, channel: UUID, text: str = "Hello") -> UUID:
        """A new draft."""
        return (await self.do(posts.DraftPost(item=item, channel=channel, text=text))).entity

    async def scheduled(
        self, item: UUID, channel: UUID, text: str = "Hello", after: timedelta = timedelta(minutes=1)
    ) -> UUID:
        """A new post that goes out after that time."""
        post = await self.post(item, channel, text)
        await self.do(posts.SchedulePost(post=post, version=1, at=self.watch() + after))
        return post

    async def see(self, post: UUID) -> posts.Post:
        async with self.database.venture(self.venture) as scope:
            return await posts.post(scope, post)

    async def see_item(self, item: UUID) -> content.Item:
        async with self.database.venture(self.venture) as scope:
            return await content.item(scope, item)

    async def calendar(self, *which: UUID) -> dict[UUID, datetime]:
        """When the posts stand in the calendar."""
        async with self.database.venture(self.venture) as scope:
            return {post: entry.starts_at for post, entry in (await planner.entries_of_posts(scope, which)).items()}

    async def caught_up(self) -> None:
        """The outbox has read the log to its end."""
        registry, consumers = self.spine.registry, posts.consumers()
        await Runner(self.database, registry, consumers, now=self.watch).caught_up()

    def publisher(self, *, spine: Spine | None = None, make: Callable[..., Channel] | None = None) -> posts.Publisher:
        """A publisher without jitter. spine, make: what it works with instead, to let it fail."""
        return posts.Publisher(
            spine or self.spine,
            make=make or self.make,
            key=lambda: KEY,
            networks=LOOPBACK,
            now=self.watch,
            jitter=lambda: 0.0,
        )

    def make(
        self, kind: str, settings: Mapping[str, Any], credentials: Mapping[str, str], client: httpx2.AsyncClient
    ) -> Channel:
        return self.factories[kind](settings, credentials, client)

    async def publish(self) -> None:
        """Outbox and publisher do what is to do now."""
        await self.caught_up()
        await self.publisher().turn()
        await self.caught_up()

    async def replays(self) -> bool:
        """Whether replaying the log gives the state, row by row, and its hash chain holds."""
        done = await replay(self.database, self.spine.registry, self.venture)
        assert done.same, done.differences
        async with self.database.venture(self.venture) as scope:
            assert await verify_chain(scope) is None
        return True


async def new_world(database: Database) -> World:
    """A venture founded in it by ADA."""
    watch = Watch()
    spine = Spine(database, Registry(ROOMS), tenancy.Memberships(), bell=None, now=watch, new_id=new_id)
    world = World(spine, watch, new_id())
    await world.do(tenancy.FoundVenture(name="A venture", display_name="Ada"))
    return world
