"""What posts mean for their content item."""

from collections.abc import Sequence
from uuid import UUID

from ventures.content import api as content
from ventures.database.scope import Scope
from ventures.errors import NotFound
from ventures.log.api import Fact, Unit
from ventures.posts import sql
from ventures.posts.records import PostRow


async def item_or_none(scope: Scope, identifier: UUID) -> content.Item | None:
    """None where it was deleted."""
    try:
        return await content.item(scope, identifier)
    except NotFound:
        return None


def approved(item: content.Item | None) -> int | None:
    """The version that may go out, if any."""
    return item.approved_number if item is not None and item.state in content.APPROVED else None


async def item_left(unit: Unit, item: UUID, leaving: Sequence[UUID]) -> list[Fact]:
    """The item is no longer scheduled where none but the leaving posts were to go out."""
    found = await item_or_none(unit.scope, item)
    if found is None or found.state != "scheduled":
        return []
    row = await unit.scope.one(sql.OTHERS_UNDER_WAY, item=item, leaving=list(leaving))
    return [content.ItemUnscheduled(entity=item)] if row is not None and row[0] == 0 else []


async def item_out(unit: Unit, post: PostRow) -> list[Fact]:
    """The item is published with its first post; also told where it was edited while the post went out."""
    item = await item_or_none(unit.scope, post.item)
    if item is None or post.number is None or (item.state == "published" and item.published_number == post.number):
        return []
    return [content.ItemPublished(entity=post.item, number=post.number)]
