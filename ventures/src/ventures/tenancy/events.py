"""What happens to a venture and its members, and the rows it means."""

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


class MemberJoined(Fact, frozen=True, kw_only=True):
    """entity: the account."""

    type: ClassVar[str] = "tenancy.member_joined"
    role: Role
    display_name: str


async def venture_founded(scope: Scope, event: Event[VentureFounded]) -> None:
    fact = event.data
    await scope.run(sql.FOUND, name=fact.name, zone=fact.zone, account=fact.account, at=event.at)


async def member_joined(scope: Scope, event: Event[MemberJoined]) -> None:
    fact = event.data
    await scope.run(sql.JOIN, account=fact.entity, role=fact.role, display_name=fact.display_name, at=event.at)


APPLY: dict[type[Fact], Apply] = {VentureFounded: venture_founded, MemberJoined: member_joined}
