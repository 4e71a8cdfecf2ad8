"""What was already done under an idempotency key, for requests that no venture's log knows of."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from ventures.accounts import sql
from ventures.database.scope import GlobalScope
from ventures.errors import Invalid

REMEMBERED = timedelta(hours=24)


class Replay(msgspec.Struct, frozen=True):
    """The answer that was given: its status and its JSON without secrets."""

    status: int
    body: Any


async def once(scope: GlobalScope, account: UUID, key: str, digest: bytes, now: datetime) -> Replay | None:
    """None where this is to be done now: in the same transaction, followed by `keep`. Else what was answered then.

    Waits for a transaction that is doing the same. A key is remembered for 24 hours. digest: SHA-256 of the request.

    Raises: Invalid where the key was used for another request.
    """
    if await scope.changed(sql.CLAIM, account=account, key=key, digest=digest, now=now, expired=now - REMEMBERED):
        return None
    row = await scope.one(sql.CLAIMED, account=account, key=key)
    if row is None or row[0] != digest or row[1] is None:
        raise Invalid(
            "This Idempotency-Key was used for another request: take a new one.", fields={"Idempotency-Key": "used"}
        )
    return Replay(row[1], row[2])


async def keep(scope: GlobalScope, account: UUID, key: str, status: int, body: Any) -> None:
    """Keeps the answer with what was done. body: whatever msgspec makes JSON of; no secret may be in it."""
    encoded = msgspec.json.encode(body).decode()
    await scope.run(sql.KEEP_RESPONSE, account=account, key=key, status=status, body=encoded)
