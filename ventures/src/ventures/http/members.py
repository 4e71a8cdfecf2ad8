"""/v1/ventures/{venture}/members and invites, /v1/invites/{token}: who belongs to a venture, and how they come to."""

import hmac
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, PathParameter

from ventures.errors import LimitReached, NotFound
from ventures.http.authentication import caller_of
from ventures.http.exchange import (
    Body,
    IdempotencyKey,
    IfMatch,
    append,
    expected_version,
    platform_of,
    reading,
    reading_back,
    shown,
)
from ventures.http.paging import Cursor, Limit, Page, page, position
from ventures.http.ventures import Belonging, told_directory
from ventures.tenancy import api as tenancy
from ventures.tenancy.api import Days, Invite, Label, Member, Name, Role
from ventures.wiring import Platform

NO_SUCH_INVITE = "This invitation does not exist or was revoked. Ask for a new one."
Token = Annotated[str, PathParameter(max_length=100, description="The last part of the invitation's link.")]


class ChangedMember(Body, frozen=True, kw_only=True):
    """The role they are to have."""

    role: Role


class NewInvite(Body, frozen=True, kw_only=True):
    """label: whom it is meant for, in your words; no e-mail address. days: how long it is good for."""

    role: Role
    label: Label = ""
    days: Days = 7


class MadeInvite(msgspec.Struct, frozen=True):
    """token: goes into the link you send; it is shown this once and kept nowhere."""

    invite: Invite
    token: str


class Offer(msgspec.Struct, frozen=True):
    """What an invitation is to. open: whether it can still be accepted."""

    venture: UUID
    name: str
    role: Role
    expires_at: datetime
    open: bool


class Accepted(Body, frozen=True, kw_only=True):
    """display_name: what the venture's members are to call you."""

    display_name: Name


@get("/members", summary="Its members", operation_id="list_members", tags=["members"])
async def list_members(
    request: Request[Any, Any, Any], venture: FromPath[UUID], cursor: Cursor = None, limit: Limit = 50
) -> Page[Member]:
    after = position(cursor, tuple[UUID])
    rows = await reading(request, venture, "tenancy", "view", tenancy.members, after[0] if after else None, limit + 1)
    return page(rows, limit, lambda member: (member.account,))


@get("/members/{account:uuid}", summary="A member", operation_id="read_member", tags=["members"])
async def read_member(
    request: Request[Any, Any, Any], venture: FromPath[UUID], account: FromPath[UUID]
) -> Response[Member]:
    found = await reading(request, venture, "tenancy", "view", tenancy.member, account)
    return shown(found, found.version)


@patch("/members/{account:uuid}", summary="Give a member another role", operation_id="change_member", tags=["members"])
async def change_member(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    account: FromPath[UUID],
    data: JSONBody[ChangedMember],
    if_match: IfMatch = None,
) -> Response[Member]:
    """Nobody gives a role above their own, or changes who stands above them; a venture keeps an owner."""
    command = tenancy.ChangeRole(account=account, version=expected_version(if_match), role=data.role)
    done = await append(request, venture, command)
    found = await reading_back(request, venture, tenancy.member, account)
    return shown(found, found.version, done=done)


@delete("/members/{account:uuid}", summary="Remove a member", operation_id="remove_member", tags=["members"])
async def remove_member(
    request: Request[Any, Any, Any], venture: FromPath[UUID], account: FromPath[UUID], if_match: IfMatch = None
) -> None:
    command = tenancy.RemoveMember(account=account, version=expected_version(if_match))
    await told_directory(platform_of(request), await append(request, venture, command))


@post("/leave", summary="Leave a venture", operation_id="leave_venture", status_code=204, tags=["members"])
async def leave_venture(request: Request[Any, Any, Any], venture: FromPath[UUID]) -> None:
    """The only owner cannot; they make somebody else an owner first."""
    await told_directory(platform_of(request), await append(request, venture, tenancy.LeaveVenture()))


@post("/invites", summary="Invite somebody", operation_id="make_invite", tags=["invites"])
async def make_invite(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    data: JSONBody[NewInvite],
    idempotency_key: IdempotencyKey = None,
) -> Response[MadeInvite]:
    """Whoever has the token may join once, with this role, until it expires. Send it to them yourself."""
    platform = platform_of(request)
    secret = None
    if idempotency_key is not None:  # the same request again must offer the same token, which is kept nowhere
        named = f"{venture}:{(await caller_of(request)).account}:{idempotency_key}"
        secret = hmac.digest(platform.settings.key("invitations"), named.encode(), "sha256")
    token = tenancy.new_token(venture, secret)
    command = tenancy.MakeInvite(digest=tenancy.digest_of(token), role=data.role, label=data.label, days=data.days)
    done = await append(request, venture, command, idempotency_key)
    made = await reading_back(request, venture, tenancy.invite, done.entity)
    location = f"/v1/ventures/{venture}/invites/{made.id}"
    return shown(MadeInvite(made, token), made.version, done=done, status=201, location=location)


@get("/invites", summary="Its invitations", operation_id="list_invites", tags=["invites"])
async def list_invites(
    request: Request[Any, Any, Any], venture: FromPath[UUID], cursor: Cursor = None, limit: Limit = 50
) -> Page[Invite]:
    """All there were, the newest first."""
    before = position(cursor, tuple[UUID])
    rows = await reading(
        request, venture, "tenancy", "manage", tenancy.invites, before[0] if before else None, limit + 1
    )
    return page(rows, limit, lambda invite: (invite.id,))


@get("/invites/{invite:uuid}", summary="An invitation", operation_id="read_invite", tags=["invites"])
async def read_invite(
    request: Request[Any, Any, Any], venture: FromPath[UUID], invite: FromPath[UUID]
) -> Response[Invite]:
    found = await reading(request, venture, "tenancy", "manage", tenancy.invite, invite)
    return shown(found, found.version)


@delete("/invites/{invite:uuid}", summary="Revoke an invitation", operation_id="revoke_invite", tags=["invites"])
async def revoke_invite(
    request: Request[Any, Any, Any], venture: FromPath[UUID], invite: FromPath[UUID], if_match: IfMatch = None
) -> None:
    await append(request, venture, tenancy.RevokeInvite(invite=invite, version=expected_version(if_match)))


@get("/{token:str}", summary="What an invitation is to", operation_id="read_offer", security=[{}])
async def read_offer(request: Request[Any, Any, Any], token: Token) -> Offer:
    """For whoever has the token; nobody needs to be signed in."""
    platform, parsed = platform_of(request), _parsed(token)
    async with platform.database.reading(parsed.venture) as scope:
        place, invite = await tenancy.offered(scope, parsed)
    still = invite.accepted_at is None and invite.expires_at > platform.now()
    return Offer(place.id, place.name, invite.role, invite.expires_at, still)


@post("/{token:str}/accept", summary="Accept an invitation", operation_id="accept_invite", status_code=200)
async def accept_invite(
    request: Request[Any, Any, Any], token: Token, data: JSONBody[Accepted], idempotency_key: IdempotencyKey = None
) -> Response[Belonging]:
    """You join the venture, with the role the invitation gives."""
    platform, caller = platform_of(request), await caller_of(request)
    parsed = _parsed(token)
    await _require_room(platform, parsed, caller.account)
    command = tenancy.AcceptInvite(digest=parsed.digest, display_name=data.display_name)
    done = await append(request, parsed.venture, command, idempotency_key)
    await told_directory(platform, done)
    async with platform.database.reading(parsed.venture) as scope:
        joined = Belonging(await tenancy.venture(scope), await tenancy.role(scope, caller.account))
    return shown(joined, joined.venture.version, done=done)


def _parsed(token: str) -> tenancy.Token:
    parsed = tenancy.parse_token(token)
    if parsed is None:
        raise NotFound(NO_SUCH_INVITE)
    return parsed


async def _require_room(platform: Platform, token: tenancy.Token, account: UUID) -> None:
    """Raises: LimitReached where the plan includes no more members; NotFound for a token that is good for nothing."""
    async with platform.database.reading(token.venture) as scope:
        await tenancy.offered(scope, token)
        count = await tenancy.count_members(scope)
        with suppress(NotFound):
            await tenancy.role(scope, account)
            return
    allowed = await platform.allowances.allowance(token.venture, "members", platform.now())
    if allowed.included is not None and count >= allowed.included:
        raise LimitReached(
            f"The venture's plan includes {allowed.included} members, and it has {count}. "
            "Ask its owner for a larger plan."
        )


ROUTERS = (
    Router(
        "/v1/ventures/{venture:uuid}",
        route_handlers=[
            list_members,
            read_member,
            change_member,
            remove_member,
            leave_venture,
            make_invite,
            list_invites,
            read_invite,
            revoke_invite,
        ],
    ),
    Router("/v1/invites", route_handlers=[read_offer, accept_invite], tags=["invites"]),
)
