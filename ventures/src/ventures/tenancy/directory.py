"""Tells the directory which ventures there are and who belongs to them: from the log, and at once by who appended."""

from collections.abc import Iterable, Sequence

from ventures.database.pool import Database
from ventures.database.scope import GlobalScope, Scope
from ventures.log.api import Consumer, Event
from ventures.regions import api as regions
from ventures.tenancy.events import MemberJoined, MemberLeft, MemberRemoved, VentureDeleted, VentureFounded

TOLD = frozenset(fact.type for fact in (MemberJoined, MemberLeft, MemberRemoved, VentureDeleted, VentureFounded))


async def tell_directory(database: Database, region: str, events: Iterable[Event]) -> None:
    """Notes in the directory what events of one log mean to it; a second time, or late, it changes nothing.

    region: where ventures founded here live. Raises: Unavailable.
    """
    news = [event for event in events if event.type in TOLD]
    if news:
        async with database.everywhere() as scope:
            for event in news:
                await _tell(scope, region, event)


async def _tell(scope: GlobalScope, region: str, event: Event) -> None:
    fact = event.data
    if isinstance(fact, VentureFounded):
        await regions.register(scope, event.venture, region, fact.account, event.at)
    elif isinstance(fact, VentureDeleted):
        await regions.close(scope, event.venture, event.at)
    elif isinstance(fact, MemberJoined):
        await regions.put_member(scope, fact.entity, event.venture, event.seq)
    else:
        await regions.drop_member(scope, fact.entity, event.venture, event.seq)


class DirectoryConsumer:
    """The consumer "directory". What it writes is global, outside the venture's transaction, and ordered by seq."""

    name = "directory"
    target = ""
    handles: frozenset[str] | None = TOLD
    apart = False

    def __init__(self, database: Database, region: str) -> None:
        self._database = database
        self._region = region

    async def handle(self, scope: Scope, event: Event) -> None:
        await self.handle_all(scope, (event,))

    async def handle_all(self, scope: Scope, events: Sequence[Event]) -> None:
        await tell_directory(self._database, self._region, events)

    async def forget(self, scope: Scope) -> None:
        """Nothing: the directory keeps the newest it was told, and reading the log again tells it the same."""


def consumers(database: Database, region: str) -> list[Consumer]:
    """What of tenancy reads the log."""
    return [DirectoryConsumer(database, region)]
