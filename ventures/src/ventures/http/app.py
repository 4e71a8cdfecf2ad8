"""The ASGI application."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme

from ventures.http import accounts, analytics, billing, content, notifications, planner, posts, ventures
from ventures.http.problems import HANDLERS
from ventures.settings import Settings, read
from ventures.wiring import Platform, open_platform

MOST_BODY_BYTES = 1_000_000
ROUTERS = (
    *accounts.ROUTERS,
    *ventures.ROUTERS,
    *content.ROUTERS,
    *posts.ROUTERS,
    *planner.ROUTERS,
    *notifications.ROUTERS,
    *analytics.ROUTERS,
    *billing.ROUTERS,
)
OPENAPI = OpenAPIConfig(
    title="ventures",
    version="1",
    description="Content, approval, posts and calendar of many ventures. Every error is a problem document (RFC 9457).",
    path="/v1/openapi",
    components=Components(
        security_schemes={
            "session": SecurityScheme(type="apiKey", name="ventures_session", security_scheme_in="cookie"),
            "key": SecurityScheme(type="http", scheme="bearer", description="An API key, `vk_…`."),
        }
    ),
    security=[{"session": []}, {"key": []}],
)


def application() -> Litestar:
    """For a server's factory: reads the settings of the environment."""
    settings = read(os.environ)
    return create(settings, lambda: open_platform(settings, settings.database_url))


def create(settings: Settings, opening: Callable[[], AbstractAsyncContextManager[Platform]]) -> Litestar:
    """The application on the platform that `opening()` opens when it starts."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with opening() as platform:
            app.state.platform = platform
            yield

    return Litestar(
        ROUTERS,
        lifespan=[lifespan],
        exception_handlers=HANDLERS,
        openapi_config=OPENAPI,
        request_max_body_size=MOST_BODY_BYTES,
        cors_config=CORSConfig(
            allow_origins=list(settings.cors_origins),
            allow_credentials=True,
            expose_headers=["ETag", "Ventures-Position"],
        )
        if settings.cors_origins
        else None,
    )
