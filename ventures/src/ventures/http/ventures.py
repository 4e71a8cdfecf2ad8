"""/v1/ventures: found, see, change and delete them, and what one may do there."""

import asyncio
import logging
from contextlib import suppress
from typing import Annotated, Any, Final
from uuid import UUID, uuid5

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from ventures.billing import api as billing
from ventures.errors import NotFound, Unavailable
from ventures.http.authentication import caller_of
from ventures.http.exchange import (
    Body,
    IdempotencyKey,
    IfMatch,
    append,
    claimed_account,
    expected_version,
    platform_of,
    reading,
    reading_as,
    reading_back,
    require_scope,
    shown,
)
from ventures.http.paging import Cursor, Page, page, position
from ventures.log.api import Appended
from ventures.regions import api as regions
from ventures.tenancy import api as tenancy
from ventures.tenancy.api import Action, Feature, Name, Role, Venture, Zone
from ventures.wiring import Platform

log = logging.getLogger(__name__)
FOUNDED_BY_KEY: Final = UUID("4f0f7f2e-3f4a-5b0c-9a55-6c0a3b1d9e21")
"""Namespace of the ids of ventures founded with an Idempotency-Key: a repeat finds the same log."""
READ_AT_ONCE: Final = 4


class NewVenture(Body, frozen=True, kw_only=True):
    """What a venture starts with. zone: an IANA name such as Europe/Berlin; display_name: what its members call you."""

    name: Name
    zone: Zone = "UTC"
    display_name: Name


class ChangedVenture(Body, frozen=True, kw_only=True):
    """What is to be different; what is left out stays."""

    name: Name | UnsetType = UNSET
    zone: Zone | UnsetType = UNSET


class Belonging(msgspec.Struct, frozen=True):
    """A venture of yours, and your role in it."""

    venture: Venture
    role: Role


class Permissions(msgspec.Struct, frozen=True):
    """Your role, and what you may do with each feature; of an API key, what its scopes leave of that."""

    role: Role
    allowed: dict[Feature, list[Action]]


@post("/", summary="Found a venture", operation_id="found_venture")
async def found_venture(
    request: Request[Any, Any, Any], data: JSONBody[NewVenture], idempotency_key: IdempotencyKey = None
) -> Response[Venture]:
    """You become its owner. Its home region is this one."""
    platform = platform_of(request)
    account = (await caller_of(request)).account
    venture = platform.new_id() if idempotency_key is None else uuid5(FOUNDED_BY_KEY, f"{account}:{idempotency_key}")
    await _require_room(platform, account, venture)
    command = tenancy.FoundVenture(name=data.name, zone=data.zone, display_name=data.display_name)
    done = await append(request, venture, command, idempotency_key)
    await told_directory(platform, done)
    found = await reading_back(request, venture, tenancy.venture)
    return shown(found, found.version, done=done, status=201, location=f"/v1/ventures/{venture}")


@get("/", summary="Your ventures", operation_id="list_ventures")
async def list_ventures(
    request: Request[Any, Any, Any],
    cursor: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=50, description="Most items of the page.")] = 20,
) -> Page[Belonging]:
    """Those you belong to. A page may hold fewer than asked for although another follows."""
    platform, after = platform_of(request), position(cursor, tuple[UUID])
    caller = await caller_of(request)
    require_scope(caller, "tenancy", "view")
    async with platform.database.everywhere() as scope:
        homes = await regions.ventures_of(scope, caller.account, after[0] if after else None, limit + 1)
    places = page([home.venture for home in homes], limit, lambda venture: (venture,))
    free = asyncio.Semaphore(READ_AT_ONCE)

    async def belonging(venture: UUID) -> Belonging | None:
        with suppress(NotFound):
            async with free, platform.database.reading(venture) as scope:
                return Belonging(await tenancy.venture(scope), await tenancy.role(scope, caller.account))
        return None

    read = await asyncio.gather(*(belonging(venture) for venture in places.items if caller.venture in (None, venture)))
    return Page([one for one in read if one is not None], places.next)


@get("/{venture:uuid}", summary="A venture", operation_id="read_venture")
async def read_venture(request: Request[Any, Any, Any], venture: FromPath[UUID]) -> Response[Venture]:
    found = await reading(request, venture, "tenancy", "view", tenancy.venture)
    return shown(found, found.version)


@patch("/{venture:uuid}", summary="Rename a venture, or move its time zone", operation_id="change_venture")
async def change_venture(
    request: Request[Any, Any, Any], venture: FromPath[UUID], data: JSONBody[ChangedVenture], if_match: IfMatch = None
) -> Response[Venture]:
    command = tenancy.ChangeVenture(version=expected_version(if_match), name=data.name, zone=data.zone)
    done = await append(request, venture, command)
    found = await reading_back(request, venture, tenancy.venture)
    return shown(found, found.version, done=done)


@delete("/{venture:uuid}", summary="Delete a venture", operation_id="delete_venture")
async def delete_venture(request: Request[Any, Any, Any], venture: FromPath[UUID], if_match: IfMatch = None) -> None:
    """For all its members, at once and for good; only an owner can. Its log is kept."""
    done = await append(request, venture, tenancy.DeleteVenture(version=expected_version(if_match)))
    await told_directory(platform_of(request), done)


@get("/{venture:uuid}/permissions", summary="What you may do", operation_id="read_permissions")
async def read_permissions(request: Request[Any, Any, Any], venture: FromPath[UUID]) -> Permissions:
    actor, role = await reading_as(request, venture, "tenancy", "view", tenancy.role, claimed_account(request))
    return Permissions(role, tenancy.granted(role, actor.scopes))


async def told_directory(platform: Platform, done: Appended) -> None:
    """The directory, at once. Where it is out of reach, the consumer "directory" tells it later."""
    try:
        await tenancy.tell_directory(platform.database, platform.settings.region, done.events)
    except Unavailable:
        log.warning("the directory is out of reach; it learns of event %s later", done.events[-1].seq)


async def _require_room(platform: Platform, account: UUID, venture: UUID) -> None:
    """Raises: LimitReached where the account has founded as many as its plans include, unless this is one of them."""
    async with platform.database.everywhere() as scope:
        if await regions.belongs(scope, account, venture):
            return
    with suppress(Unavailable):  # billing that is away keeps nobody from working
        billing.require_room(await platform.billing.ventures_allowance(account, platform.now()))


ROUTERS = (
    Router(
        "/v1/ventures",
        route_handlers=[found_venture, list_ventures, read_venture, change_venture, delete_venture, read_permissions],
        tags=["ventures"],
    ),
)
