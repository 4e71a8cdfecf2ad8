"""What can be done about who belongs to a venture: roles, leaving, invitations.

Three rules hold whoever asks: a venture has an owner as long as it exists; nobody gives a role above their own; nobody
changes or removes who stands above them.
"""

import re
from datetime import timedelta
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from ventures.errors import Conflict, Forbidden, Invalid, NotFound
from ventures.log.api import Command, Decide, Fact, Unit, require_version
from ventures.tenancy import sql
from ventures.tenancy.authority import JOIN
from ventures.tenancy.commands import Name, role_of
from ventures.tenancy.events import (
    InviteAccepted,
    InviteMade,
    InviteRevoked,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    RoleChanged,
)
from ventures.tenancy.permissions import Role, above, may
from ventures.tenancy.records import Invite, Member

MOST_DAYS = 30
MOST_OPEN_INVITES = 500
Days = Annotated[int, Meta(ge=1, le=MOST_DAYS)]
Label = Annotated[str, Meta(max_length=100)]

_ADDRESS = re.compile(r"\S@\S")


class ChangeRole(Command, frozen=True, kw_only=True):
    """Another role for a member."""

    feature: ClassVar[str] = "tenancy"
    action: ClassVar[str] = "manage"
    account: UUID
    version: int
    role: Role


class RemoveMember(Command, frozen=True, kw_only=True):
    """Ends somebody else's membership."""

    feature: ClassVar[str] = "tenancy"
    action: ClassVar[str] = "manage"
    account: UUID
    version: int


class LeaveVenture(Command, frozen=True, kw_only=True):
    """Ends one's own membership."""

    feature: ClassVar[str] = "tenancy"
    action: ClassVar[str] = "view"


class MakeInvite(Command, frozen=True, kw_only=True):
    """Opens an invitation. digest: of the token, which whoever accepts must have."""

    feature: ClassVar[str] = "tenancy"
    action: ClassVar[str] = "manage"
    digest: bytes
    role: Role
    label: Label = ""
    days: Days = 7


class RevokeInvite(Command, frozen=True, kw_only=True):
    """Closes an invitation that nobody has accepted."""

    feature: ClassVar[str] = "tenancy"
    action: ClassVar[str] = "manage"
    invite: UUID
    version: int


class AcceptInvite(Command, frozen=True, kw_only=True):
    """Whoever gives it joins the venture."""

    feature: ClassVar[str] = "tenancy"
    action: ClassVar[str] = JOIN
    digest: bytes
    display_name: Name


async def change_role(unit: Unit, command: ChangeRole) -> list[Fact]:
    member = await _member(unit, command.account)
    own = await role_of(unit)
    if above(member.role, own):
        raise Forbidden(f"Their role is {member.role}, which is above yours. Ask an owner.")
    _may_give(own, command.role)
    require_version(member.version, command.version, "member")
    if member.role == command.role:
        return []
    if member.role == "owner":
        await _another_owner(unit)
    return [RoleChanged(entity=member.account, role=command.role, before=member.role)]


async def remove_member(unit: Unit, command: RemoveMember) -> list[Fact]:
    member = await _member(unit, command.account)
    if command.account == unit.actor.account:
        raise Conflict("This is you. To leave a venture, use “leave”.")
    if above(member.role, await role_of(unit)):
        raise Forbidden(f"Their role is {member.role}, which is above yours. Ask an owner.")
    require_version(member.version, command.version, "member")
    if member.role == "owner":
        await _another_owner(unit)
    return [MemberRemoved(entity=member.account, role=member.role)]


async def leave_venture(unit: Unit, command: LeaveVenture) -> list[Fact]:
    if unit.actor.account is None or unit.actor.key is not None:
        raise Forbidden("A person leaves a venture, not an API key. Sign in to leave.")
    member = await _member(unit, unit.actor.account)
    if member.role == "owner":
        await _another_owner(unit)
    return [MemberLeft(entity=member.account, role=member.role)]


async def make_invite(unit: Unit, command: MakeInvite) -> list[Fact]:
    _may_give(await role_of(unit), command.role)
    if _ADDRESS.search(command.label):
        raise Invalid(
            "An invitation's label must not be an e-mail address, because the log keeps it for ever. Use a name.",
            fields={"label": "looks like an e-mail address"},
        )
    counted = await unit.scope.one(sql.OPEN_INVITES, at=unit.at)
    if counted is not None and counted[0] >= MOST_OPEN_INVITES:
        raise Conflict(f"There are {MOST_OPEN_INVITES} open invitations. Revoke some first.")
    return [
        InviteMade(
            entity=unit.new_id(),
            digest=command.digest,
            role=command.role,
            label=command.label,
            account=unit.actor.account,
            expires_at=unit.at + timedelta(days=command.days),
        )
    ]


async def revoke_invite(unit: Unit, command: RevokeInvite) -> list[Fact]:
    invite = await unit.scope.one(sql.INVITE, Invite, invite=command.invite)
    if invite is None or invite.revoked_at is not None:
        raise NotFound("There is no such invitation, or it was revoked already.")
    require_version(invite.version, command.version, "invitation")
    if invite.accepted_at is not None:
        raise Conflict("This invitation was accepted. To take the membership back, remove the member.")
    return [InviteRevoked(entity=invite.id)]


async def accept_invite(unit: Unit, command: AcceptInvite) -> list[Fact]:
    if unit.actor.account is None:
        raise Forbidden("An invitation is accepted by a person.")
    invite = await unit.scope.one(sql.INVITE_OF_DIGEST, Invite, digest=command.digest)
    if invite is None or invite.revoked_at is not None:
        raise NotFound("This invitation does not exist or was revoked. Ask for a new one.")
    if invite.accepted_at is not None:
        raise Conflict("This invitation was used already. Ask for a new one.")
    if invite.expires_at <= unit.at:
        raise Conflict("This invitation has expired. Ask for a new one.")
    if invite.made_by is not None:
        maker = await unit.scope.one(sql.MEMBER, Member, account=invite.made_by)
        if maker is None or not may(maker.role, "tenancy", "manage") or above(invite.role, maker.role):
            raise Conflict("Whoever made this invitation can no longer give this role. Ask for a new one.")
    if await unit.scope.one(sql.MEMBER, Member, account=unit.actor.account) is not None:
        raise Conflict("You are a member of this venture already; the invitation stays open for somebody else.")
    return [
        InviteAccepted(entity=invite.id, account=unit.actor.account),
        MemberJoined(entity=unit.actor.account, role=invite.role, display_name=command.display_name, invite=invite.id),
    ]


async def _member(unit: Unit, account: UUID) -> Member:
    member = await unit.scope.one(sql.MEMBER, Member, account=account)
    if member is None:
        raise NotFound("There is no such member; they may have left.")
    return member


def _may_give(own: Role, role: Role) -> None:
    if above(role, own):
        raise Forbidden(f"Your role is {own}, and nobody gives a role above their own. Ask an owner.")


async def _another_owner(unit: Unit) -> None:
    counted = await unit.scope.one(sql.COUNT_MEMBERS)
    if counted is None or counted[1] < 2:
        raise Conflict("This is the only owner, and a venture needs one. Make somebody else an owner first.")


DECIDE: dict[type[Command], Decide] = {
    ChangeRole: change_role,
    RemoveMember: remove_member,
    LeaveVenture: leave_venture,
    MakeInvite: make_invite,
    RevokeInvite: revoke_invite,
    AcceptInvite: accept_invite,
}
