"""What other rooms may use of tenancy."""

from ventures.log.api import Room
from ventures.tenancy import commands, membership
from ventures.tenancy.authority import Memberships, Question
from ventures.tenancy.commands import ChangeVenture, DeleteVenture, FoundVenture, Name, Zone, known_zone
from ventures.tenancy.directory import consumers, tell_directory
from ventures.tenancy.events import (
    APPLY,
    InviteAccepted,
    InviteMade,
    InviteRevoked,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    RoleChanged,
    VentureChanged,
    VentureDeleted,
    VentureFounded,
)
from ventures.tenancy.invites import Token, digest_of, new_token, parse_token
from ventures.tenancy.membership import (
    AcceptInvite,
    ChangeRole,
    Days,
    Label,
    LeaveVenture,
    MakeInvite,
    RemoveMember,
    RevokeInvite,
)
from ventures.tenancy.permissions import (
    ACTIONS,
    FEATURES,
    PERMISSIONS,
    ROLES,
    Action,
    Feature,
    Role,
    above,
    granted,
    may,
    permission,
)
from ventures.tenancy.reading import count_members, invite, invites, member, members, offered, role, venture
from ventures.tenancy.records import Invite, Member, Venture

ROOM = Room("tenancy", commands.DECIDE | membership.DECIDE, APPLY)

__all__ = [
    "ACTIONS",
    "FEATURES",
    "PERMISSIONS",
    "ROLES",
    "ROOM",
    "AcceptInvite",
    "Action",
    "ChangeRole",
    "ChangeVenture",
    "Days",
    "DeleteVenture",
    "Feature",
    "FoundVenture",
    "Invite",
    "InviteAccepted",
    "InviteMade",
    "InviteRevoked",
    "Label",
    "LeaveVenture",
    "MakeInvite",
    "Member",
    "MemberJoined",
    "MemberLeft",
    "MemberRemoved",
    "Memberships",
    "Name",
    "Question",
    "RemoveMember",
    "RevokeInvite",
    "Role",
    "RoleChanged",
    "Token",
    "Venture",
    "VentureChanged",
    "VentureDeleted",
    "VentureFounded",
    "Zone",
    "above",
    "consumers",
    "count_members",
    "digest_of",
    "granted",
    "invite",
    "invites",
    "known_zone",
    "may",
    "member",
    "members",
    "new_token",
    "offered",
    "parse_token",
    "permission",
    "role",
    "tell_directory",
    "venture",
]
