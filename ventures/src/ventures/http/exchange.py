"""What every resource does with a request: read under a permission, append a command, answer with an ETag."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.params import HeaderParameter

from ventures.accounts.api import Caller
from ventures.errors import Forbidden, Invalid, LimitReached, Refused, VersionRequired
from ventures.http.authentication import actor_of, ask_caller, claimed_account, signed_in
from ventures.log.api import Actor, Appended, Command, key_used
from ventures.metering import api as metering
from ventures.tenancy.api import permission
from ventures.wiring import Platform

T = TypeVar("T")
PERMISSION = "ventures.permission"
IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", required=False, description="The ETag that the change was made on."),
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        required=False,
        pattern=r"^[!-~]{1,150}$",
        description="1–150 visible ASCII characters, new for a new request. The same request sent again with it is "
        "carried out once.",
    ),
]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what requests bring."""


def platform_of(request: Request[Any, Any, Any]) -> Platform:
    """The platform of this process."""
    platform: Platform = request.app.state.platform
    return platform


async def reading(
    request: Request[Any, Any, Any],
    venture: UUID,
    feature: str,
    action: str,
    fetch: Callable[..., Awaitable[T]],
    *arguments: Any,
    **named: Any,
) -> T:
    """`await fetch(scope, *arguments)` for who may do `action` on `feature` in the venture.

    Who asks, what they may, and what they ask for travel to the database together. What was read is handed on only
    after the first two are answered; a refusal comes before whatever the fetch itself refused.

    Raises: NotSignedIn, NotFound, Forbidden, and what `fetch` raises.
    """
    return (await reading_as(request, venture, feature, action, fetch, *arguments, **named))[1]


async def reading_as(
    request: Request[Any, Any, Any],
    venture: UUID,
    feature: str,
    action: str,
    fetch: Callable[..., Awaitable[T]],
    *arguments: Any,
    **named: Any,
) -> tuple[Actor, T]:
    """`reading`, and who it was that asked. Whose data `fetch` is to look for is known before it is believed:
    `claimed_account`.
    """
    noted(request, feature, action)
    platform = platform_of(request)
    async with platform.database.reading(venture) as scope:
        caller = await ask_caller(request, scope)
        rights = await platform.spine.authority.ask(scope, caller.account)
        result: T | None = None
        refused: Refused | None = None
        try:
            result = await fetch(scope, *arguments, **named)
        except Refused as error:
            refused = error
        actor = actor_of(await caller.answer())
        await rights.allow(actor, feature, action)
        if refused is not None:
            raise refused
    return actor, result  # type: ignore[return-value]  # set wherever nothing was refused


def noted(request: Request[Any, Any, Any], feature: str, action: str) -> None:
    """Leaves word that this request asked for a permission; without it no answer leaves a venture (`rim`)."""
    request.scope["state"][PERMISSION] = (feature, action)


async def append(request: Request[Any, Any, Any], venture: UUID, command: Command, key: str | None = None) -> Appended:
    """Carries the command out as whoever is signed in. `key`: the request's Idempotency-Key."""
    noted(request, command.feature, command.action)
    actor, platform = await signed_in(request), platform_of(request)
    idem = None if key is None else f"{actor.account}:{key}"
    try:
        await metering.require_room_for(platform.allowances, venture, command, platform.now())
    except LimitReached:  # who may not do it at all hears nothing of the plan, and what is done already needs no room
        async with platform.database.reading(venture) as scope:
            rights = await platform.spine.authority.ask(scope, actor.account)
            known = idem is not None and await key_used(scope, idem)
            await rights.allow(actor, command.feature, command.action)
        if not known:
            raise
    done = await platform.spine.append(venture, command, actor=actor, idem=idem)
    if not done.replayed:
        metering.took(platform.allowances, venture, command)
    return done


async def reading_back(
    request: Request[Any, Any, Any], venture: UUID, fetch: Callable[..., Awaitable[T]], *arguments: Any
) -> T:
    """What stands there after a command of the same request, which was allowed."""
    async with platform_of(request).database.reading(venture) as scope:
        return await fetch(scope, *arguments)


def require_scope(caller: Caller, feature: str, action: str) -> None:
    """For what a person asks about themselves: a key must include it. Raises: Forbidden."""
    needed = permission(feature, action)
    if caller.scopes is not None and needed not in caller.scopes:
        raise Forbidden(f"This API key does not include {needed}. Make a key that does.")


def etag(version: int) -> str:
    """A strong ETag of an entity's version."""
    return f'"{version}"'


def expected_version(if_match: str | None) -> int:
    """The version a change was made on. Raises: VersionRequired, Invalid."""
    if if_match is None:
        raise VersionRequired("Say which version you changed: send its ETag as If-Match.")
    text = if_match.strip()
    if (
        text.startswith('"')
        and text.endswith('"')
        and text[1:-1].isascii()
        and text[1:-1].isdigit()
        and len(text) <= 12
    ):
        return int(text[1:-1])
    raise Invalid('If-Match takes one ETag as we gave it, such as "3".', fields={"If-Match": "not an ETag of ours"})


def shown(
    entity: T, version: int, *, done: Appended | None = None, status: int = 200, location: str | None = None
) -> Response[T]:
    """An entity with its ETag; after a command also where the log stands, for a client that waits for what follows.

    location: the path of an entity that was made.
    """
    headers = {"ETag": etag(version)}
    if location is not None:
        headers["Location"] = location
    if done is not None and done.events:
        headers["Ventures-Position"] = f"{done.events[-1].epoch}.{done.events[-1].seq}"
        if done.replayed:
            headers["Idempotency-Replayed"] = "true"
    return Response(entity, status_code=status, headers=headers)


__all__ = [
    "Actor",
    "Body",
    "IdempotencyKey",
    "IfMatch",
    "append",
    "claimed_account",
    "etag",
    "expected_version",
    "platform_of",
    "reading",
    "reading_as",
    "reading_back",
    "require_scope",
    "shown",
]
