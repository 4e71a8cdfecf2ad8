"""What other rooms may use of tenancy."""

from ventures.database.scope import Scope
from ventures.errors import NotFound
from ventures.log.api import Room
from ventures.tenancy import sql
from ventures.tenancy.authority import NO_SUCH_VENTURE, Memberships, Question
from ventures.tenancy.commands import DECIDE, FoundVenture, Name
from ventures.tenancy.events import APPLY, MemberJoined, VentureFounded
from ventures.tenancy.permissions import ACTIONS, FEATURES, PERMISSIONS, ROLES, Action, Feature, Role, may, permission
from ventures.tenancy.records import Venture

ROOM = Room("tenancy", DECIDE, APPLY)


async def venture(scope: Scope) -> Venture:
    """The venture's profile. Raises: NotFound."""
    found = await scope.one(sql.PROFILE, Venture)
    if found is None:
        raise NotFound(NO_SUCH_VENTURE)
    return found


__all__ = [
    "ACTIONS",
    "FEATURES",
    "PERMISSIONS",
    "ROLES",
    "ROOM",
    "Action",
    "Feature",
    "FoundVenture",
    "MemberJoined",
    "Memberships",
    "Name",
    "Question",
    "Role",
    "Venture",
    "VentureFounded",
    "may",
    "permission",
    "venture",
]
