"""What can be done about comments on an item."""

from typing import ClassVar
from uuid import UUID

from ventures.content.commands import person, require_own
from ventures.content.events import CommentAdded, CommentDeleted, CommentResolved
from ventures.content.reading import comment as read_comment
from ventures.content.reading import item as read_item
from ventures.content.records import CommentText
from ventures.errors import Conflict
from ventures.log.api import Command, Decide, Fact, Unit, require_version


class AddComment(Command, frozen=True, kw_only=True):
    """On the version of the item that is the current one when it is carried out."""

    feature: ClassVar[str] = "content"
    action: ClassVar[str] = "draft"
    item: UUID
    text: CommentText


class ResolveComment(Command, frozen=True, kw_only=True):
    feature: ClassVar[str] = "content"
    action: ClassVar[str] = "draft"
    item: UUID
    comment: UUID
    version: int


class DeleteComment(Command, frozen=True, kw_only=True):
    """One's own, or with the right to manage anybody's."""

    feature: ClassVar[str] = "content"
    action: ClassVar[str] = "draft"
    item: UUID
    comment: UUID
    version: int


async def add_comment(unit: Unit, command: AddComment) -> list[Fact]:
    found = await read_item(unit.scope, command.item)
    return [
        CommentAdded(
            entity=found.id, comment=unit.new_id(), text=command.text, author=person(unit), number=found.number
        )
    ]


async def resolve_comment(unit: Unit, command: ResolveComment) -> list[Fact]:
    found = await read_comment(unit.scope, command.item, command.comment)
    require_version(found.version, command.version, "comment")
    if found.resolved_at is not None:
        raise Conflict("This comment is resolved already. Add a new one to take the matter up again.")
    return [CommentResolved(entity=found.item, comment=found.id, by=person(unit))]


async def delete_comment(unit: Unit, command: DeleteComment) -> list[Fact]:
    found = await read_comment(unit.scope, command.item, command.comment)
    await require_own(unit, found.author, "comment")
    require_version(found.version, command.version, "comment")
    return [CommentDeleted(entity=found.item, comment=found.id)]


DECIDE: dict[type[Command], Decide] = {
    AddComment: add_comment,
    ResolveComment: resolve_comment,
    DeleteComment: delete_comment,
}
