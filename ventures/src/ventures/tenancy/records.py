"""What tenancy shows."""

from datetime import datetime
from uuid import UUID

import msgspec


class Venture(msgspec.Struct, frozen=True):
    """A venture as its members see it. zone: the IANA name in which its calendar is read."""

    id: UUID
    name: str
    zone: str
    founded_by: UUID
    founded_at: datetime
    version: int
