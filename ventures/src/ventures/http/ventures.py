"""/v1/ventures: found one, see it."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, Router, get, post

from ventures.http.exchange import Body, IdempotencyKey, append, platform_of, reading, reading_back, shown
from ventures.tenancy import api as tenancy
from ventures.tenancy.api import Name, Venture


class NewVenture(Body, frozen=True, kw_only=True):
    """What a venture starts with. zone: an IANA name such as Europe/Berlin; display_name: what its members call you."""

    name: Name
    zone: str = "UTC"
    display_name: Name


@post("/", summary="Found a venture", operation_id="found_venture")
async def found_venture(
    request: Request[Any, Any, Any], data: NewVenture, idempotency_key: IdempotencyKey = None
) -> Response[Venture]:
    """You become its owner. Its home region is this one."""
    platform = platform_of(request)
    command = tenancy.FoundVenture(name=data.name, zone=data.zone, display_name=data.display_name)
    venture = platform.new_id()
    done = await append(request, venture, command, idempotency_key)
    return shown(await reading_back(request, venture, tenancy.venture), 1, done=done, status=201)


@get("/{venture:uuid}", summary="A venture", operation_id="read_venture")
async def read_venture(request: Request[Any, Any, Any], venture: UUID) -> Response[Venture]:
    found = await reading(request, venture, "tenancy", "view", tenancy.venture)
    return shown(found, found.version)


ROUTERS = (Router("/v1/ventures", route_handlers=[found_venture, read_venture], tags=["ventures"]),)
