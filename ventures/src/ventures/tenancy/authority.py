"""Who may do what in a venture: the answer to the spine's and every read's question, from one row and one table."""

from typing import Final
from uuid import UUID

from ventures.database.scope import Queued, Scope
from ventures.errors import NO_SUCH_VENTURE, Forbidden, NotFound
from ventures.log.api import Actor
from ventures.tenancy import sql
from ventures.tenancy.permissions import require

NOBODY: Final = UUID(int=0)
JOIN: Final = "join"
"""The one action that is no member's: who may join is said by an invitation, which the decision looks at."""


class Question:
    """A look at an account's membership that is on its way."""

    def __init__(self, venture: UUID, row: Queued) -> None:
        self._venture = venture
        self._row = row

    async def allow(self, actor: Actor, feature: str, action: str) -> None:
        """Returns where the actor may. Parts of the platform may all they do; a key at most what its owner may.

        Raises: NotFound for who is no member, a key made for another venture, and all where the venture is deleted;
        Forbidden.
        """
        row = await self._row.one()
        if row is None or row[1] or actor.venture not in (None, self._venture):
            raise NotFound(NO_SUCH_VENTURE)
        if actor.system is not None:
            return
        if (feature, action) == ("tenancy", JOIN):
            if actor.key is not None:
                raise Forbidden("An API key cannot join a venture. Sign in to accept an invitation.")
            return
        if row[0] is None:
            raise NotFound(NO_SUCH_VENTURE)
        require(row[0], actor.scopes, feature, action)


class Memberships:
    """The `Authority` of the platform."""

    async def ask(self, scope: Scope, account: UUID | None) -> Question:
        """Sends the question without waiting for the answer."""
        return Question(scope.venture, await scope.queued(sql.STANDING, account=account or NOBODY))
