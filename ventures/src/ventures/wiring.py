"""The composition root: the only place where rooms meet. http, workers and the command line open a `Platform`."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from ventures.accounts import api as accounts
from ventures.analytics import api as analytics
from ventures.billing import api as billing
from ventures.billing.api import BillingPort, CachedAllowances
from ventures.content import api as content
from ventures.database.pool import Database, opened
from ventures.identifiers import NewId, new_id
from ventures.log.api import Bell, Consumer, Loop, Registry, Room, Spine
from ventures.metering import api as metering
from ventures.notifications import api as notifications
from ventures.planner import api as planner
from ventures.posts import api as posts
from ventures.settings import Settings
from ventures.tenancy import api as tenancy

ROOMS: tuple[Room, ...] = (tenancy.ROOM, content.ROOM, planner.ROOM, posts.ROOM, notifications.ROOM)


SWEEP_SECONDS = 600.0


@dataclass(frozen=True)
class Platform:
    """What one process of the platform works with."""

    settings: Settings
    database: Database
    registry: Registry
    spine: Spine
    bell: Bell
    billing: BillingPort
    allowances: CachedAllowances
    consumers: Sequence[Consumer]
    loops: Sequence[Loop]
    now: Callable[[], datetime]
    new_id: NewId


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


async def _swept(database: Database, now: Callable[[], datetime]) -> float:
    """Forgets what is of no use any more: expired sessions, keys, attempts to sign in, idempotency keys."""
    async with database.everywhere() as scope:
        await accounts.sweep(scope, now())
        await billing.sweep(scope, now())
    return SWEEP_SECONDS


@asynccontextmanager
async def open_platform(
    settings: Settings,
    address: str,
    *,
    now: Callable[[], datetime] = utc_now,
    new_id: NewId = new_id,
) -> AsyncIterator[Platform]:
    """A platform on the database at `address` (a PostgreSQL URL of the application's role); at the end all that was
    to be announced is, and its connections are closed.
    """
    async with opened(address, connections=settings.database_connections) as database:
        bell = Bell(database)
        registry = Registry(ROOMS)
        spine = Spine(database, registry, tenancy.Memberships(), bell=bell, now=now, new_id=new_id)
        service = (
            billing.PostgresBilling(database, billing.NoPayments(), new_id, unsubscribed=billing.SCALE)
            if settings.plans == "none"
            else billing.PostgresBilling(database, billing.PracticePayments(), new_id)
        )
        yield Platform(
            settings=settings,
            database=database,
            registry=registry,
            spine=spine,
            bell=bell,
            billing=service,
            allowances=billing.CachedAllowances(service),
            consumers=(
                *tenancy.consumers(database, settings.region),
                *posts.consumers(),
                *notifications.consumers(now),
                *analytics.consumers(),
                *metering.consumers(service),
            ),
            loops=(
                Loop("sweeping", lambda: _swept(database, now)),
                *posts.loops(spine, settings),
                *notifications.loops(spine, settings),
            ),
            now=now,
            new_id=new_id,
        )
        await bell.silent()
