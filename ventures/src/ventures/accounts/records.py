"""What accounts shows of people, sessions and keys: nothing in here is a secret."""

from datetime import datetime
from uuid import UUID

import msgspec

from ventures.accounts.tokens import key_prefix


class Account(msgspec.Struct, frozen=True):
    """A person. email: normalised; version: for the ETag."""

    id: UUID
    email: str
    name: str
    version: int
    created_at: datetime


class Session(msgspec.Struct, frozen=True):
    """One signed-in device. seen_at is at most a minute old while it is used, and pushes expires_at on."""

    id: UUID
    device: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """venture: the only one it is good for, None for all of the account's. scopes: "feature:action" each, sorted.

    prefix: how the key begins; the rest of it was shown once, when it was made. used_at: to the minute.
    """

    id: UUID
    prefix: str
    label: str
    venture: UUID | None
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None

    @classmethod
    def of_row(
        cls,
        account: UUID,
        key: UUID,
        label: str,
        venture: UUID | None,
        scopes: list[str],
        created_at: datetime,
        expires_at: datetime,
        used_at: datetime | None,
    ) -> "ApiKey":
        """From a row of the statements on keys."""
        return cls(
            id=key,
            prefix=key_prefix(account, key),
            label=label,
            venture=venture,
            scopes=tuple(scopes),
            created_at=created_at,
            expires_at=expires_at,
            used_at=used_at,
        )


class Caller(msgspec.Struct, frozen=True):
    """Who makes a request, as far as the account knows. `scopes` and `venture` limit a key; None is no limit.

    csrf: what `X-CSRF-Token` has to be where the session came by cookie; None for a key.
    """

    account: UUID
    key: UUID | None
    venture: UUID | None
    scopes: frozenset[str] | None
    session: UUID | None
    csrf: str | None
