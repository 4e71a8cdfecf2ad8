"""/v1/ventures/{venture}/log: who did what."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Router, get
from litestar.params import FromPath, QueryParameter

from ventures.http.exchange import platform_of, reading
from ventures.http.paging import Cursor, Limit, Page, page, position
from ventures.log import api as log

MOST_SEQ = 2**63 - 1


class Entry(msgspec.Struct, frozen=True):
    """An event. actor: "account:…", "key:…/account:…" or "system:…". batch: seq of the first event of the same command;
    cause: of the one that this follows from. hash: SHA-256 over the hash before and this event, in hexadecimal.
    """

    seq: int
    epoch: int
    at: datetime
    actor: str
    type: str
    entity: UUID
    batch: int
    cause: int | None
    schema_version: int
    data: dict[str, Any]
    hash: str


@get("/", summary="Its log", operation_id="read_log")
async def read_log(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    after: Annotated[int, QueryParameter(ge=0, le=MOST_SEQ, description="Only events with a higher seq.")] = 0,
    entity: Annotated[UUID | None, QueryParameter(description="Only events of this entity.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Entry]:
    """Every event in order: the audit trail. A cursor continues where its page ended, whatever `after` says."""
    place = position(cursor, tuple[Annotated[int, msgspec.Meta(ge=0, le=MOST_SEQ)]])
    start = after if place is None else place[0]
    events = await reading(
        request, venture, "audit", "view", log.read, platform_of(request).registry, start, limit + 1, entity=entity
    )
    return page([_entry(event) for event in events], limit, lambda entry: (entry.seq,))


def _entry(event: log.Event) -> Entry:
    return Entry(
        event.seq,
        event.epoch,
        event.at,
        event.actor,
        event.type,
        event.entity,
        event.batch,
        event.cause,
        event.schema_version,
        msgspec.to_builtins(event.data, builtin_types=(datetime,)),
        event.hash.hex(),
    )


ROUTERS = (Router("/v1/ventures/{venture:uuid}/log", route_handlers=[read_log], tags=["log"]),)
