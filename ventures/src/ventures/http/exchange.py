"""What every resource does with a request: read under a permission, append a command, answer with an ETag."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.params import Parameter

from ventures.errors import Invalid, Refused, VersionRequired
from ventures.http.authentication import actor_of, ask_caller, signed_in
from ventures.log.api import Actor, Appended, Command
from ventures.wiring import Platform

T = TypeVar("T")
IfMatch = Annotated[
    str | None,
    Parameter(header="If-Match", required=False, description="The ETag that the change was made on."),
]
IdempotencyKey = Annotated[
    str | None,
    Parameter(
        header="Idempotency-Key",
        required=False,
        max_length=150,
        description="Any text that is new for a new request. The same request sent again with it is carried out once.",
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
    platform = platform_of(request)
    async with platform.database.venture(venture) as scope:
        caller = await ask_caller(request, scope)
        rights = await platform.spine.authority.ask(scope, caller.account)
        result: T | None = None
        refused: Refused | None = None
        try:
            result = await fetch(scope, *arguments, **named)
        except Refused as error:
            refused = error
        await rights.allow(actor_of(await caller.answer()), feature, action)
        if refused is not None:
            raise refused
    return result  # type: ignore[return-value]  # set wherever nothing was refused


async def append(request: Request[Any, Any, Any], venture: UUID, command: Command, key: str | None = None) -> Appended:
    """Carries the command out as whoever is signed in. `key`: the request's Idempotency-Key."""
    actor = await signed_in(request)
    idem = None if key is None else f"{actor.account}:{key}"
    return await platform_of(request).spine.append(venture, command, actor=actor, idem=idem)


async def reading_back(
    request: Request[Any, Any, Any], venture: UUID, fetch: Callable[..., Awaitable[T]], *arguments: Any
) -> T:
    """What stands there after a command of the same request, which was allowed."""
    async with platform_of(request).database.venture(venture) as scope:
        return await fetch(scope, *arguments)


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


def shown(entity: T, version: int, *, done: Appended | None = None, status: int = 200) -> Response[T]:
    """An entity with its ETag; after a command also where the log stands, for a client that waits for what follows."""
    headers = {"ETag": etag(version)}
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
    "etag",
    "expected_version",
    "platform_of",
    "reading",
    "reading_back",
    "shown",
]
