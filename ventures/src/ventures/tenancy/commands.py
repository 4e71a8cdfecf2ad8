"""What can be done to a venture and its members."""

from typing import Annotated, ClassVar
from zoneinfo import available_timezones

from msgspec import Meta

from ventures.errors import Invalid
from ventures.log.api import Command, Decide, Fact, Unit
from ventures.tenancy.events import MemberJoined, VentureFounded

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class FoundVenture(Command, frozen=True, kw_only=True):
    """The first command of a log; whoever gives it becomes the owner."""

    feature: ClassVar[str] = "tenancy"
    action: ClassVar[str] = "manage"
    founds: ClassVar[bool] = True
    name: Name
    zone: str = "UTC"
    display_name: Name


async def found_venture(unit: Unit, command: FoundVenture) -> list[Fact]:
    if command.zone not in available_timezones():
        raise Invalid(f"“{command.zone}” is no time zone; use a name like Europe/Berlin.", fields={"zone": "unknown"})
    if unit.actor.account is None:
        raise Invalid("A venture is founded by a person.")
    venture, account = unit.scope.venture, unit.actor.account
    return [
        VentureFounded(entity=venture, name=command.name, zone=command.zone, account=account),
        MemberJoined(entity=account, role="owner", display_name=command.display_name),
    ]


DECIDE: dict[type[Command], Decide] = {FoundVenture: found_venture}
