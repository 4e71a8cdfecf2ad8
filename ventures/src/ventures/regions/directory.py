"""Writing to the directory and looking things up in it."""

from datetime import datetime
from uuid import UUID

import msgspec

from ventures.database.scope import GlobalScope
from ventures.errors import NO_SUCH_VENTURE, NotFound
from ventures.regions import sql


class Home(msgspec.Struct, frozen=True):
    """A venture and the region it lives in."""

    venture: UUID
    region: str


async def register(scope: GlobalScope, venture: UUID, region: str, account: UUID, at: datetime) -> None:
    """Notes that the account founded the venture in the region at that time; said again, it changes nothing."""
    await scope.run(sql.REGISTER, venture_id=venture, region=region, account=account, at=at)


async def close(scope: GlobalScope, venture: UUID, at: datetime) -> None:
    """Notes that the venture was deleted; said again, it changes nothing, and nothing undoes it."""
    await scope.run(sql.CLOSE, venture_id=venture, at=at)


async def home_region(scope: GlobalScope, venture: UUID) -> str:
    """Raises: NotFound."""
    row = await scope.one(sql.HOME, venture_id=venture)
    if row is None:
        raise NotFound(NO_SUCH_VENTURE)
    region: str = row[0]
    return region


async def put_member(scope: GlobalScope, account: UUID, venture: UUID, seq: int) -> None:
    """The account belongs to the venture since the event `seq` of its log. Older news than what is known is ignored."""
    await scope.run(sql.PUT_MEMBER, account=account, venture_id=venture, seq=seq, gone=False)


async def drop_member(scope: GlobalScope, account: UUID, venture: UUID, seq: int) -> None:
    """The account left the venture with the event `seq` of its log. Older news than what is known is ignored."""
    await scope.run(sql.PUT_MEMBER, account=account, venture_id=venture, seq=seq, gone=True)


async def ventures_of(scope: GlobalScope, account: UUID, after: UUID | None, limit: int) -> list[Home]:
    """At most `limit` ventures the account belongs to, ordered by id, those after `after`."""
    return await scope.all(sql.VENTURES_OF, Home, account=account, after=after, most=limit)


async def belongs(scope: GlobalScope, account: UUID, venture: UUID) -> bool:
    """Whether the directory knows the account as a member. A hint for forms; the venture itself decides on access."""
    return await scope.one(sql.BELONGS, account=account, venture_id=venture) is not None


async def founded_by(scope: GlobalScope, account: UUID, limit: int) -> list[UUID]:
    """At most `limit` ventures that the account founded and that still are."""
    return [row[0] for row in await scope.all(sql.FOUNDED_BY, account=account, most=limit)]
