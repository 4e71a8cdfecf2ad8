"""Reading of tenancy: profiles, members, invitations. Asks nobody for permission; callers do."""

from uuid import UUID

from ventures.database.scope import Scope
from ventures.errors import NO_SUCH_VENTURE, NotFound
from ventures.tenancy import sql
from ventures.tenancy.invites import Token
from ventures.tenancy.permissions import Role
from ventures.tenancy.records import Invite, Member, Venture


async def venture(scope: Scope) -> Venture:
    """The venture's profile. Raises: NotFound."""
    found = await scope.one(sql.PROFILE, Venture)
    if found is None:
        raise NotFound(NO_SUCH_VENTURE)
    return found


async def role(scope: Scope, account: UUID) -> Role:
    """The account's role. Raises: NotFound for who is no member, and where the venture is deleted."""
    row = await scope.one(sql.STANDING, account=account)
    if row is None or row[1] or row[0] is None:
        raise NotFound(NO_SUCH_VENTURE)
    held: Role = row[0]
    return held


async def member(scope: Scope, account: UUID) -> Member:
    """Raises: NotFound."""
    found = await scope.one(sql.MEMBER, Member, account=account)
    if found is None:
        raise NotFound("There is no such member; they may have left.")
    return found


async def members(scope: Scope, after: UUID | None, limit: int) -> list[Member]:
    """Those who belong to it now, by account, after that one, at most so many."""
    return await scope.all(sql.MEMBERS, Member, after=after, limit=limit)


async def count_members(scope: Scope) -> int:
    """How many belong to it now."""
    row = await scope.one(sql.COUNT_MEMBERS)
    return row[0] if row else 0


async def invite(scope: Scope, invite: UUID) -> Invite:
    """Raises: NotFound."""
    found = await scope.one(sql.INVITE, Invite, invite=invite)
    if found is None:
        raise NotFound("There is no such invitation.")
    return found


async def invites(scope: Scope, before: UUID | None, limit: int) -> list[Invite]:
    """All there were, the newest first, before that one, at most so many."""
    return await scope.all(sql.INVITES, Invite, before=before, limit=limit)


async def offered(scope: Scope, token: Token) -> tuple[Venture, Invite]:
    """The venture and the invitation that a token is for, in the token's venture.

    Raises: NotFound, the same for a token that never was, a revoked one, and a venture that is gone.
    """
    row = await scope.one(sql.INVITE_OF_DIGEST, Invite, digest=token.digest)
    place = await scope.one(sql.PROFILE, Venture)
    if row is None or row.revoked_at is not None or place is None:
        raise NotFound("This invitation does not exist or was revoked. Ask for a new one.")
    return place, row
