"""What tenancy shows."""

from datetime import datetime
from uuid import UUID

import msgspec

from ventures.tenancy.permissions import Role


class Venture(msgspec.Struct, frozen=True):
    """A venture as its members see it. zone: the IANA name in which its calendar is read."""

    id: UUID
    name: str
    zone: str
    founded_by: UUID
    founded_at: datetime
    version: int


class Member(msgspec.Struct, frozen=True):
    """Somebody who belongs to a venture. display_name: what they go by in it."""

    account: UUID
    display_name: str
    role: Role
    joined_at: datetime
    version: int


class Invite(msgspec.Struct, frozen=True):
    """An invitation: open until it is accepted, revoked or expired. label: whom it is meant for, in the words of who
    made it; made_by is null where a part of the platform did.
    """

    id: UUID
    role: Role
    label: str
    made_by: UUID | None
    made_at: datetime
    expires_at: datetime
    accepted_by: UUID | None
    accepted_at: datetime | None
    revoked_at: datetime | None
    version: int
