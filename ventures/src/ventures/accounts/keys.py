"""API keys: made, listed, revoked. The key itself is shown once and never again."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from ventures.accounts import sql
from ventures.accounts.people import accepted_name
from ventures.accounts.records import ApiKey
from ventures.accounts.tokens import digest_of, new_key_token
from ventures.database.scope import GlobalScope
from ventures.errors import Conflict, Invalid, NotFound
from ventures.identifiers import NewId

LONGEST = timedelta(days=365)
MOST_KEYS = 100
"""Of one account, the expired ones of the last 30 days included."""
MOST_SCOPES = 100
SCOPE = re.compile(r"[a-z][a-z_]{0,39}:[a-z][a-z_]{0,39}")


class NewKey(msgspec.Struct, frozen=True):
    """token: shown to its owner now; only its SHA-256 is kept."""

    key: ApiKey
    token: str


async def make_key(
    scope: GlobalScope,
    account: UUID,
    *,
    label: str,
    scopes: Iterable[str],
    venture: UUID | None,
    expires_at: datetime,
    now: datetime,
    new_id: NewId,
) -> NewKey:
    """Makes a key that may at most what its account may, and of that only `scopes` ("feature:action" each).

    venture: the one it is good for, None for all of the account's. expires_at: after `now`, within a year.

    Raises: Invalid, Conflict (too many keys).
    """
    permissions = sorted(set(scopes))
    if not 1 <= len(permissions) <= MOST_SCOPES or not all(SCOPE.fullmatch(one) for one in permissions):
        raise Invalid(
            f"A key has 1 to {MOST_SCOPES} scopes such as content:view.", fields={"scopes": "not feature:action"}
        )
    if not now < expires_at <= now + LONGEST:
        raise Invalid(
            f"A key has to expire within {LONGEST.days} days.",
            fields={"expires_at": f"not within {LONGEST.days} days from now"},
        )
    key = new_id()
    token = new_key_token(account, key)
    await scope.one(sql.LOCK_ACCOUNT, account=account)  # two at once could not both be the last one allowed
    made = await scope.one(
        sql.ADD_KEY,
        ApiKey.of_row,
        account=account,
        key=key,
        digest=digest_of(token),
        label=accepted_name(label),
        key_venture=venture,
        scopes=permissions,
        now=now,
        expires_at=expires_at,
        most=MOST_KEYS,
    )
    if made is None:
        raise Conflict(f"An account has at most {MOST_KEYS} API keys: revoke one that is not used any more.")
    return NewKey(made, token)


async def keys(scope: GlobalScope, account: UUID) -> list[ApiKey]:
    """All of the account, the expired ones of the last 30 days too; the newest first."""
    return await scope.all(sql.KEYS, ApiKey.of_row, account=account)


async def revoke_key(scope: GlobalScope, account: UUID, key: UUID) -> None:
    """Raises: NotFound."""
    if not await scope.changed(sql.DROP_KEY, account=account, key=key):
        raise NotFound("There is no such API key; it may have been revoked already.")
