"""The composition root: the only place where rooms meet. http, workers and the command line open a `Platform` and use it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from ventures.content import api as content
from ventures.database.pool import Database, opened
from ventures.identifiers import NewId, new_id
from ventures.log.api import Bell, Consumer, Loop, Registry, Room, Spine
from ventures.notifications import api as notifications
from ventures.planner import api as planner
from ventures.posts import api as posts
from ventures.settings import Settings
from ventures.tenancy import api as tenancy

ROOMS: tuple[Room, ...] = (tenancy.ROOM, content.ROOM, planner.ROOM, posts.ROOM, notifications.ROOM)


@dataclass(frozen=True)
class Platform:
    """What one process of the platform works with."""

    settings: Settings
    database: Database
    registry: Registry
    spine: Spine
    bell: Bell
    consumers: Sequence[Consumer]
    loops: Sequence[Loop]
    now: Callable[[], datetime]
    new_id: NewId


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


@asynccontextmanager
async def open_platform(
    settings: Settings,
    address: str,
    *,
    now: Callable[[], datetime] = utc_now,
    new_id: NewId = new_id,
) -> AsyncIterator[Platform]:
    """A platform on the database at `address` (a PostgreSQL URL of the application's role); at the end all that was to be
    announced is, and its connections are closed."""
    async with opened(address, connections=settings.database_connections) as database:
        bell = Bell(database)
        registry = Registry(ROOMS)
        spine = Spine(database, registry, tenancy.Memberships(), bell=bell, now=now, new_id=new_id)
        yield Platform(settings, database, registry, spine, bell, (), (), now, new_id)
        await bell.silent()
