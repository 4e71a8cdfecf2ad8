"""The composition root: the only place where rooms meet. http, workers and the command line open a `Platform`."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from ventures.accounts import api as accounts
from ventures.analytics import api as analytics
from ventures.billing import api as billing
from ventures.billing.api import BillingPort, CachedAllowances
from ventures.content import api as content
from ventures.database.pool import Database, opened
from ventures.generation import api as generation
from ventures.identifiers import NewId, new_id
from ventures.log.api import Bell, Consumer, Loop, Registry, Room, Spine
from ventures.metering import api as metering
from ventures.notifications import api as notifications
from ventures.planner import api as planner
from ventures.posts import api as posts
from ventures.search import api as search
from ventures.settings import Settings
from ventures.signals import api as signals
from ventures.tenancy import api as tenancy
from ventures.vectors.api import Kind

ROOMS: tuple[Room, ...] = (
    tenancy.ROOM,
    content.ROOM,
    planner.ROOM,
    posts.ROOM,
    notifications.ROOM,
    generation.ROOM,
)


SWEEP_SECONDS = 600.0


@dataclass(frozen=True)
class Platform:
    """What one process of the platform works with. vector_queries_heard: who hears of each asking for vectors."""

    settings: Settings
    database: Database
    registry: Registry
    spine: Spine
    bell: Bell
    billing: BillingPort
    allowances: CachedAllowances
    index: search.RoutedIndex
    finder: search.Finder
    vector_queries_heard: list[search.Observed]
    drafting: generation.Drafting
    consumers: Sequence[Consumer]
    loops: Sequence[Loop]
    now: Callable[[], datetime]
    new_id: NewId


@dataclass(frozen=True)
class _Passages:
    """Search, as generation asks for it."""

    database: Database
    finder: search.Finder

    async def near(self, venture: UUID, text: str, limit: int, *, kind: Kind = Kind.CONTENT) -> list[search.Passage]:
        async with self.database.reading(venture) as scope:
            return await search.passages_near(scope, self.finder, text, limit=limit, kind=kind)


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
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened(address, connections=settings.database_connections))
        bell = Bell(database)
        stack.push_async_callback(bell.silent)
        registry = Registry(ROOMS)
        spine = Spine(database, registry, tenancy.Memberships(), bell=bell, now=now, new_id=new_id)
        service = (
            billing.PostgresBilling(database, billing.NoPayments(), new_id, unsubscribed=billing.SCALE)
            if settings.plans == "none"
            else billing.PostgresBilling(database, billing.PracticePayments(), new_id)
        )
        allowances = billing.CachedAllowances(service)
        embedder = await stack.enter_async_context(search.opened_embedder(settings))
        index = search.RoutedIndex(settings.data, processes=settings.index_processes)
        stack.push_async_callback(index.close)
        mirrored = search.MirroredSearches(
            database, search.RoutedIndex(settings.data, processes=settings.index_processes), embedder.model
        )
        stack.push_async_callback(mirrored.close)
        heard: list[search.Observed] = []

        def observed(store: str, answered_by: search.AnsweredBy, seconds: float) -> None:
            for hear in heard:
                hear(store, answered_by, seconds)

        finder = search.Finder(
            embedder=embedder,
            index=index,
            store=settings.index_layout,
            now=now,
            observed=observed,
            offer=search.Sampler(database, now, new_id).offer,
            mirror=mirrored.read,
        )
        drafting = generation.opened(
            settings,
            spine,
            passages=_Passages(database, finder),
            embedder=embedder,
            wrote=lambda venture: metering.wrote(allowances, venture),
        )
        yield Platform(
            settings=settings,
            database=database,
            registry=registry,
            spine=spine,
            bell=bell,
            billing=service,
            allowances=allowances,
            index=index,
            finder=finder,
            vector_queries_heard=heard,
            drafting=await stack.enter_async_context(drafting),
            consumers=(
                *tenancy.consumers(database, settings.region),
                *posts.consumers(),
                *notifications.consumers(now),
                *analytics.consumers(),
                *metering.consumers(service),
                *search.consumers(embedder, (search.ContentSource(), generation.ContextNotes())),
                *generation.consumers(database),
            ),
            loops=(
                Loop("sweeping", lambda: _swept(database, now)),
                *posts.loops(spine, settings),
                *notifications.loops(spine, settings),
                *search.loops(database, now),
                *generation.loops(spine),
                *signals.loops(database, spine.authority, settings, now),
            ),
            now=now,
            new_id=new_id,
        )
