"""Forgets what is over. Nothing depends on it having run: whatever is expired is refused all the same."""

from datetime import datetime, timedelta

from ventures.accounts import sql
from ventures.accounts.attempts import WINDOW
from ventures.accounts.idempotency import REMEMBERED
from ventures.database.scope import GlobalScope

EXPIRED_KEYS_LISTED = timedelta(days=30)


async def sweep(scope: GlobalScope, now: datetime) -> int:
    """Deletes expired sessions, API keys that expired 30 days ago, old attempts and idempotency keys; how many rows."""
    return (
        await scope.changed(sql.SWEEP_SESSIONS, now=now)
        + await scope.changed(sql.SWEEP_KEYS, expired=now - EXPIRED_KEYS_LISTED)
        + await scope.changed(sql.SWEEP_ATTEMPTS, since=now - WINDOW)
        + await scope.changed(sql.SWEEP_IDEMPOTENCY, expired=now - REMEMBERED)
    )
