"""Reading of content. Asks nobody for permission; callers do."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from ventures.content import sql
from ventures.content.records import Comment, Item, ItemInFull, ItemVersion, Verdict, VersionLine
from ventures.content.states import State
from ventures.database.scope import Scope
from ventures.errors import NotFound

NO_SUCH_ITEM: Final = "There is no such item here; it may have been deleted."
NO_SUCH_VERSION: Final = "There is no such version of an item here."
NO_SUCH_COMMENT: Final = "There is no such comment on this item; it may have been deleted."
MOST_NUMBER: Final = 2**31 - 1
MOST_SEQ: Final = 2**63 - 1
_LAST: Final = (datetime(9999, 12, 31, tzinfo=UTC), UUID(int=2**128 - 1))
_FIRST: Final = (datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))


async def item(scope: Scope, item: UUID) -> Item:
    """Raises: NotFound, also for a deleted one."""
    found = await scope.one(sql.ITEM, Item, item=item)
    if found is None:
        raise NotFound(NO_SUCH_ITEM)
    return found


async def item_in_full(scope: Scope, item: UUID) -> ItemInFull:
    """With the body of its current version. Raises: NotFound, also for a deleted one."""
    found = await scope.one(sql.ITEM_IN_FULL, ItemInFull, item=item)
    if found is None:
        raise NotFound(NO_SUCH_ITEM)
    return found


async def items(
    scope: Scope,
    *,
    state: State | None = None,
    author: UUID | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[Item]:
    """The last changed first, at most so many; `before`: (updated_at, id) of the last one of the page before."""
    before_at, before_id = before or _LAST
    return await scope.all(
        sql.ITEMS, Item, state=state, author=author, before_at=before_at, before=before_id, limit=limit
    )


async def titles(scope: Scope, items: Sequence[UUID]) -> dict[UUID, str]:
    """Titles by item, those of deleted ones too; what never was is left out."""
    return dict(await scope.all(sql.TITLES, items=list(items))) if items else {}


async def version_of(scope: Scope, item: UUID, number: int) -> ItemVersion:
    """What the item said as version `number`. Raises: NotFound, also where the item is deleted."""
    found = await scope.one(sql.VERSION, ItemVersion, item=item, number=number)
    if found is None:
        raise NotFound(NO_SUCH_VERSION)
    return found


async def versions(scope: Scope, of: UUID, before: int | None, limit: int) -> list[VersionLine]:
    """The newest first, those with a number before that one, at most so many. Raises: NotFound."""
    found = await scope.all(
        sql.VERSIONS, VersionLine, item=of, before=MOST_NUMBER if before is None else before, limit=limit
    )
    await item(scope, of)
    return found


async def history(scope: Scope, of: UUID, before: int | None, limit: int) -> list[Verdict]:
    """The item's way through approval, the latest first, events before seq `before`, at most so many.

    Raises: NotFound.
    """
    found = await scope.all(sql.HISTORY, Verdict, item=of, before=MOST_SEQ if before is None else before, limit=limit)
    await item(scope, of)
    return found


async def comment(scope: Scope, of: UUID, comment: UUID) -> Comment:
    """A comment on this item. Raises: NotFound."""
    await item(scope, of)
    found = await scope.one(sql.COMMENT, Comment, item=of, comment=comment)
    if found is None:
        raise NotFound(NO_SUCH_COMMENT)
    return found


async def comments(scope: Scope, of: UUID, after: tuple[datetime, UUID] | None, limit: int) -> list[Comment]:
    """The oldest first, after (at, id), at most so many. Raises: NotFound."""
    after_at, after_id = after or _FIRST
    await item(scope, of)
    return await scope.all(sql.COMMENTS, Comment, item=of, after_at=after_at, after=after_id, limit=limit)
