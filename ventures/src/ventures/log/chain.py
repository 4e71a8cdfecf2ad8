"""The hash chain that makes the log tamper-evident.

hash(n) = SHA-256(hash(n-1) ‖ head(n) ‖ "\\n" ‖ data(n)), where head(n) is the JSON array of all other columns and
hash(0) is SHA-256 of the venture's id. Whoever changes, removes or inserts an event must change every later hash,
and so cannot agree with a head that was noted elsewhere (`ventures audit VENTURE --head`). It proves nothing
against somebody who can write to the database when no head was kept outside of it.
"""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec


def origin(venture: UUID) -> bytes:
    """The hash before the first event."""
    return sha256(venture.bytes).digest()


def link(
    before: bytes,
    *,
    venture: UUID,
    seq: int,
    epoch: int,
    type: str,
    entity: UUID,
    actor: str,
    at: datetime,
    batch: int,
    cause: int | None,
    idem: str | None,
    request: bytes | None,
    schema_version: int,
    data: str,
) -> bytes:
    """The hash of one event, 32 bytes."""
    head = msgspec.json.encode(
        [
            venture, seq, epoch, type, entity, actor, at.astimezone(UTC).isoformat(timespec="microseconds"),
            batch, cause, idem, request, schema_version,
        ]
    )  # fmt: skip
    return sha256(before + head + b"\n" + data.encode()).digest()


async def first_fault(venture: UUID, rows: AsyncIterator[Iterable[tuple[Any, ...]]]) -> tuple[int, str] | None:
    """The first event, by seq, at which stored rows (columns of `sql.CHAIN`, in order) leave the chain, and how."""
    before, expected = origin(venture), 1
    async for batch in rows:
        for seq, epoch, kind, entity, actor, at, first, cause, idem, request, schema_version, data, stored in batch:
            if seq != expected:
                return expected, f"event {expected} is missing: the next one is {seq}"
            computed = link(
                before, venture=venture, seq=seq, epoch=epoch, type=kind, entity=entity, actor=actor, at=at,
                batch=first, cause=cause, idem=idem, request=request, schema_version=schema_version, data=data,
            )  # fmt: skip
            if computed != stored:
                return seq, f"event {seq} is not what was appended: its hash does not follow from its content"
            before, expected = computed, expected + 1
    return None
