"""What can be done to a venture."""

from functools import cache
from typing import Annotated, ClassVar
from zoneinfo import available_timezones

from msgspec import UNSET, Meta, UnsetType

from ventures.errors import NO_SUCH_VENTURE, Forbidden, Invalid, NotFound
from ventures.log.api import Command, Decide, Fact, Unit, require_version
from ventures.tenancy import sql
from ventures.tenancy.events import MemberJoined, VentureChanged, VentureDeleted, VentureFounded
from ventures.tenancy.permissions import Role, require
from ventures.tenancy.reading import venture
from ventures.tenancy.records import Member

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
Zone = Annotated[str, Meta(min_length=1, max_length=64)]


class FoundVenture(Command, frozen=True, kw_only=True):
    """The first command of a log; whoever gives it becomes the owner."""

    feature: ClassVar[str] = "tenancy"
    action: ClassVar[str] = "manage"
    founds: ClassVar[bool] = True
    name: Name
    zone: Zone = "UTC"
    display_name: Name


class ChangeVenture(Command, frozen=True, kw_only=True):
    """A new name, a new time zone, or both."""

    feature: ClassVar[str] = "tenancy"
    action: ClassVar[str] = "manage"
    version: int
    name: Name | UnsetType = UNSET
    zone: Zone | UnsetType = UNSET


class DeleteVenture(Command, frozen=True, kw_only=True):
    """The end of it for all its members; only an owner can. The log stays, as the record of what was done."""

    feature: ClassVar[str] = "tenancy"
    action: ClassVar[str] = "manage"
    version: int


async def role_of(unit: Unit) -> Role:
    """The actor's role; parts of the platform act as owners. Raises: NotFound."""
    if unit.actor.account is None:
        return "owner"
    member = await unit.scope.one(sql.MEMBER, Member, account=unit.actor.account)
    if member is None:
        raise NotFound(NO_SUCH_VENTURE)
    return member.role


async def found_venture(unit: Unit, command: FoundVenture) -> list[Fact]:
    actor = unit.actor
    if actor.account is None:
        raise Invalid("A venture is founded by a person.")
    if actor.venture is not None:
        raise Forbidden("This API key is for one venture, so it cannot found another. Use a key for all of yours.")
    require("owner", actor.scopes, "tenancy", "manage")
    known_zone(command.zone)
    return [
        VentureFounded(entity=unit.scope.venture, name=command.name, zone=command.zone, account=actor.account),
        MemberJoined(entity=actor.account, role="owner", display_name=command.display_name),
    ]


async def change_venture(unit: Unit, command: ChangeVenture) -> list[Fact]:
    found = await venture(unit.scope)
    require_version(found.version, command.version, "venture")
    name = found.name if command.name is UNSET else command.name
    zone = found.zone if command.zone is UNSET else known_zone(command.zone)
    if (name, zone) == (found.name, found.zone):
        return []
    return [VentureChanged(entity=found.id, name=name, zone=zone)]


async def delete_venture(unit: Unit, command: DeleteVenture) -> list[Fact]:
    found = await venture(unit.scope)
    if await role_of(unit) != "owner":
        raise Forbidden("Only an owner can delete a venture. Ask one.")
    require_version(found.version, command.version, "venture")
    return [VentureDeleted(entity=found.id)]


def known_zone(zone: str) -> str:
    """Raises: Invalid where the time zone database has no such name."""
    if zone not in _zones():
        raise Invalid(f"“{zone}” is no time zone; use a name like Europe/Berlin.", fields={"zone": "unknown"})
    return zone


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})  # these mean something else on each machine


DECIDE: dict[type[Command], Decide] = {
    FoundVenture: found_venture,
    ChangeVenture: change_venture,
    DeleteVenture: delete_venture,
}
