"""What happens to a venture and its members, and the rows it means."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from ventures.database.scope import Scope
from ventures.log.api import Apply, Event, Fact
from ventures.tenancy import sql
from ventures.tenancy.permissions import Role


class VentureFounded(Fact, frozen=True, kw_only=True):
    """entity: the venture."""

    type: ClassVar[str] = "tenancy.venture_founded"
    name: str
    zone: str
    account: UUID


class VentureChanged(Fact, frozen=True, kw_only=True):
    """entity: the venture. Both are what they are from now on."""

    type: ClassVar[str] = "tenancy.venture_changed"
    name: str
    zone: str


class VentureDeleted(Fact, frozen=True, kw_only=True):
    """entity: the venture. Its log stays; nothing can be read or changed in it any more."""

    type: ClassVar[str] = "tenancy.venture_deleted"


class MemberJoined(Fact, frozen=True, kw_only=True):
    """entity: the account. invite: by which they came; None for the founder."""

    type: ClassVar[str] = "tenancy.member_joined"
    role: Role
    display_name: str
    invite: UUID | None = None


class RoleChanged(Fact, frozen=True, kw_only=True):
    """entity: the account."""

    type: ClassVar[str] = "tenancy.role_changed"
    role: Role
    before: Role


class MemberRemoved(Fact, frozen=True, kw_only=True):
    """entity: the account. Somebody else ended the membership."""

    type: ClassVar[str] = "tenancy.member_removed"
    role: Role


class MemberLeft(Fact, frozen=True, kw_only=True):
    """entity: the account."""

    type: ClassVar[str] = "tenancy.member_left"
    role: Role


class InviteMade(Fact, frozen=True, kw_only=True):
    """entity: the invite. digest: SHA-256 of the token, which is kept nowhere."""

    type: ClassVar[str] = "tenancy.invite_made"
    digest: bytes
    role: Role
    label: str
    account: UUID | None
    expires_at: datetime


class InviteAccepted(Fact, frozen=True, kw_only=True):
    """entity: the invite."""

    type: ClassVar[str] = "tenancy.invite_accepted"
    account: UUID


class InviteRevoked(Fact, frozen=True, kw_only=True):
    """entity: the invite."""

    type: ClassVar[str] = "tenancy.invite_revoked"


async def venture_founded(scope: Scope, event: Event[VentureFounded]) -> None:
    fact = event.data
    await scope.run(sql.FOUND, name=fact.name, zone=fact.zone, account=fact.account, at=event.at)


async def venture_changed(scope: Scope, event: Event[VentureChanged]) -> None:
    await scope.run(sql.CHANGE_PROFILE, name=event.data.name, zone=event.data.zone)


async def venture_deleted(scope: Scope, event: Event[VentureDeleted]) -> None:
    await scope.run(sql.DELETE_PROFILE, at=event.at)


async def member_joined(scope: Scope, event: Event[MemberJoined]) -> None:
    fact = event.data
    await scope.run(sql.JOIN, account=fact.entity, role=fact.role, display_name=fact.display_name, at=event.at)


async def role_changed(scope: Scope, event: Event[RoleChanged]) -> None:
    await scope.run(sql.CHANGE_ROLE, account=event.entity, role=event.data.role)


async def membership_ended(scope: Scope, event: Event[MemberRemoved] | Event[MemberLeft]) -> None:
    await scope.run(sql.LEAVE, account=event.entity, at=event.at)


async def invite_made(scope: Scope, event: Event[InviteMade]) -> None:
    fact = event.data
    await scope.run(
        sql.MAKE_INVITE,
        invite=fact.entity,
        digest=fact.digest,
        role=fact.role,
        label=fact.label,
        made_by=fact.account,
        at=event.at,
        expires_at=fact.expires_at,
    )


async def invite_accepted(scope: Scope, event: Event[InviteAccepted]) -> None:
    await scope.run(sql.ACCEPT_INVITE, invite=event.entity, account=event.data.account, at=event.at)


async def invite_revoked(scope: Scope, event: Event[InviteRevoked]) -> None:
    await scope.run(sql.REVOKE_INVITE, invite=event.entity, at=event.at)


APPLY: dict[type[Fact], Apply] = {
    VentureFounded: venture_founded,
    VentureChanged: venture_changed,
    VentureDeleted: venture_deleted,
    MemberJoined: member_joined,
    RoleChanged: role_changed,
    MemberRemoved: membership_ended,
    MemberLeft: membership_ended,
    InviteMade: invite_made,
    InviteAccepted: invite_accepted,
    InviteRevoked: invite_revoked,
}
