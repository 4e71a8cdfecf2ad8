"""From a token to a caller, in one statement that needs no answer before the request's own statements are sent."""

from datetime import datetime, timedelta

from ventures.accounts import sql
from ventures.accounts.records import Caller
from ventures.accounts.tokens import Presented
from ventures.database.scope import GlobalScope, Queued, Row
from ventures.errors import NotSignedIn

TOUCHED_EVERY = timedelta(minutes=1)
"""A session or key in use writes its "last seen" no more often than this."""
SIGN_IN_AGAIN = "This session or API key is unknown, revoked or expired. Sign in again, or use another key."


class AskedCaller:
    """The look-up of a caller, on its way."""

    def __init__(self, scope: GlobalScope, presented: Presented, now: datetime, queued: Queued) -> None:
        self._scope = scope
        self._presented = presented
        self._now = now
        self._queued = queued

    async def answer(self) -> Caller:
        """Raises: NotSignedIn where the session or key is unknown, revoked or expired."""
        row = await self._queued.one()
        found = verify(self._presented, row, self._now)
        if found is None or row is None:
            raise NotSignedIn(SIGN_IN_AGAIN)
        if row[2] is None or row[2] <= self._now - TOUCHED_EVERY:
            await touch(self._scope, found, self._now)
        return found


async def ask_caller(scope: GlobalScope, presented: Presented, now: datetime) -> AskedCaller:
    """Sends the look-up in the scope's transaction, a venture's or a global one, without waiting for it."""
    statement = sql.SESSION_PRESENTED if presented.kind == "session" else sql.KEY_PRESENTED
    queued = await scope.queued(statement, account=presented.account, digest=presented.digest)
    return AskedCaller(scope, presented, now, queued)


async def caller(scope: GlobalScope, presented: Presented, now: datetime) -> Caller:
    """The same, waited for. Raises: NotSignedIn."""
    return await (await ask_caller(scope, presented, now)).answer()


def verify(presented: Presented, row: Row | None, now: datetime) -> Caller | None:
    """The caller that the row of the look-up makes of what was presented, or None. Pure.

    row: (id, expires_at, seen_at) of a session, (id, expires_at, used_at, venture, scopes) of a key.
    """
    if row is None or row[1] <= now:
        return None
    if presented.kind == "session":
        return Caller(presented.account, None, None, None, row[0], presented.csrf)
    if row[0] != presented.key:
        return None
    return Caller(presented.account, row[0], row[3], frozenset(row[4]), None, None)


async def touch(scope: GlobalScope, seen: Caller, now: datetime) -> None:
    """Notes that the session or key was used now, which also pushes the end of a session on; sent without waiting."""
    if seen.session is not None:
        await scope.run(sql.TOUCH_SESSION, account=seen.account, session=seen.session, now=now)
    else:
        await scope.run(sql.TOUCH_KEY, account=seen.account, key=seen.key, now=now)
