"""The ASGI application."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.routes import HTTPRoute

from ventures.errors import SettingsError
from ventures.http import (
    accounts,
    analytics,
    audit,
    billing,
    complaints,
    content,
    generation,
    members,
    notifications,
    operations,
    planner,
    posts,
    search,
    ventures,
)
from ventures.http.authentication import CSRF_HEADER
from ventures.http.openapi import described
from ventures.http.problems import HANDLERS
from ventures.http.rim import Gate, JsonRequest, Rim
from ventures.settings import Settings, read
from ventures.wiring import Platform, open_platform

MOST_BODY_BYTES = 1_000_000
ROUTERS = (
    *accounts.ROUTERS,
    *ventures.ROUTERS,
    *members.ROUTERS,
    *audit.ROUTERS,
    *content.ROUTERS,
    *posts.ROUTERS,
    *planner.ROUTERS,
    *notifications.ROUTERS,
    *search.ROUTERS,
    *generation.ROUTERS,
    *analytics.ROUTERS,
    *billing.ROUTERS,
    *complaints.ROUTERS,
    *operations.ROUTERS,
)


def application() -> Litestar:
    """For a server's factory: reads the settings of the environment. Raises: SettingsError."""
    settings = read(os.environ)
    if settings.database_url is None:
        raise SettingsError("DATABASE_URL is not set. `ventures serve` runs a database and says where it is.")
    address = settings.database_url
    return create(settings, lambda: open_platform(settings, address))


def create(settings: Settings, opening: Callable[[], AbstractAsyncContextManager[Platform]]) -> Litestar:
    """The application on the platform that `opening()` opens when it starts."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with opening() as platform:
            app.state.platform = platform
            platform.vector_queries_heard.append(metrics.vector_query)
            yield

    metrics = operations.RequestMetrics()
    app = Litestar(
        ROUTERS,
        lifespan=[lifespan],
        state=State({"metrics": metrics}),
        middleware=[Gate(settings.rate_limit_per_minute)],
        request_class=JsonRequest,
        exception_handlers=HANDLERS,
        openapi_config=described(),
        request_max_body_size=MOST_BODY_BYTES,
        cors_config=_cors(settings.cors_origins),
        logging_config=None,  # who starts the process decides what is logged, and how
    )
    app.asgi_handler = Rim(
        app.asgi_handler,
        https=settings.base_url.startswith("https://"),
        methods={route.path_format: route.methods for route in app.routes if isinstance(route, HTTPRoute)},
        began=metrics.began,
        counted=metrics.count,
    )
    return app


def _cors(origins: Sequence[str]) -> CORSConfig | None:
    """Pages of other origins may call with a session, where settings name them."""
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", CSRF_HEADER],
        allow_credentials=True,
        expose_headers=["ETag", "Location", "Retry-After", "RateLimit", "Ventures-Position", "Idempotency-Replayed"],
    )
