"""A venture whose rooms agree with each other, its consumers, and the audit that looks at it.

place = await new_place(database)
assert await place.found() == set()
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

import httpx2

from ventures.database.pool import Database
from ventures.log.api import Actor, Authority, Runner
from ventures.notifications import api as notifications
from ventures.planner import api as planner
from ventures.posts import api as posts
from ventures.posts.ports import CannotTell, Failed, Limits, Outgoing, Published, Unknown
from ventures.signals.api import Auditor, Kind
from ventures.tenancy import api as tenancy
from ventures.testing.posts import World, new_world

REGION: Final = "local"


class Moody:
    """A channel that does what `will` says next, and then publishes; `meanwhile` happens while it is called."""

    kind: ClassVar[str] = "moody"
    takes_key: ClassVar[bool] = False
    looks_up: ClassVar[bool] = False
    address: ClassVar[None] = None
    limits: ClassVar[Limits] = Limits(characters=500)
    will: ClassVar[list[Failed | Unknown]] = []
    meanwhile: ClassVar[list[Callable[[], Awaitable[None]]]] = []

    async def publish(self, post: Outgoing, key: str) -> Published | Failed | Unknown:
        if self.meanwhile:
            await self.meanwhile.pop()()
        return self.will.pop() if self.will else Published(external_id=key)

    async def find(self, post: Outgoing, key: str) -> Published | CannotTell | None:
        return CannotTell(problem="It says nothing.")


def moody(settings: Mapping[str, Any], credentials: Mapping[str, str], client: httpx2.AsyncClient) -> Moody:
    """The factory."""
    return Moody()


@dataclass
class Place:
    """A venture on a test's database."""

    world: World

    async def caught_up(self) -> None:
        """Directory, outbox and notices have read the log to its end."""
        database, now = self.world.database, self.world.watch
        consumers = [*tenancy.consumers(database, REGION), *posts.consumers(), *notifications.consumers(now)]
        await Runner(database, self.world.spine.registry, consumers, now=now).caught_up()

    def auditor(self, authority: Authority | None = None, **changes: Any) -> Auditor:
        """authority: who is asked instead of the platform's."""
        asked = authority or self.world.spine.authority
        return Auditor(self.world.database, asked, REGION, self.world.watch, **changes)

    async def found(self, authority: Authority | None = None) -> set[tuple[Kind, UUID]]:
        """What the audit finds in it now."""
        return await self.auditor(authority).look(self.world.venture)

    async def join(self, account: UUID, role: tenancy.Role = "author") -> None:
        """The account joins by an invitation."""
        token = tenancy.new_token(self.world.venture)
        await self.world.do(tenancy.MakeInvite(digest=tenancy.digest_of(token), role=role))
        accept = tenancy.AcceptInvite(digest=tenancy.digest_of(token), display_name="Somebody")
        await self.world.do(accept, Actor(account=account))

    async def deadline(self, item: UUID, days: int = 10) -> UUID:
        """The item is due then; → its calendar entry."""
        when = planner.When(starts_at=self.world.watch() + timedelta(days=days))
        return (await self.world.do(planner.SetDeadline(item=item, when=when))).entity


async def new_place(database: Database) -> Place:
    """A venture with nothing in it but its founder."""
    world = await new_world(database)
    world.factories["moody"] = moody
    return Place(world)
