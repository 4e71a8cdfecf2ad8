"""What can be done to content: an item's text and its way through approval."""

from typing import ClassVar
from uuid import UUID

from msgspec import UNSET, UnsetType

from ventures.content.events import (
    ApprovalVoided,
    ChangesRequested,
    ItemApproved,
    ItemDeleted,
    ItemDrafted,
    ItemEdited,
    SubmittedForApproval,
)
from ventures.content.reading import item as read_item
from ventures.content.reading import item_in_full
from ventures.content.records import MOST_BODY_BYTES, BodyText, Item, Note, Reason, Title
from ventures.content.states import VOIDING, Step, require_step
from ventures.errors import Forbidden, Invalid
from ventures.log.api import Command, Decide, Fact, Unit, require_version
from ventures.tenancy import api as tenancy

EDITED = "edited"
"""Why an approval is voided."""


class DraftItem(Command, frozen=True, kw_only=True):
    """A new item."""

    feature: ClassVar[str] = "content"
    action: ClassVar[str] = "draft"
    title: Title
    body: BodyText = ""


class EditItem(Command, frozen=True, kw_only=True):
    """What is not UNSET is changed; where nothing differs, nothing happens."""

    feature: ClassVar[str] = "content"
    action: ClassVar[str] = "draft"
    item: UUID
    version: int
    title: Title | UnsetType = UNSET
    body: BodyText | UnsetType = UNSET


class CopyItem(Command, frozen=True, kw_only=True):
    """A new draft that says what the item says now."""

    feature: ClassVar[str] = "content"
    action: ClassVar[str] = "draft"
    item: UUID


class SubmitItem(Command, frozen=True, kw_only=True):
    """Asks for approval of the current version."""

    feature: ClassVar[str] = "content"
    action: ClassVar[str] = "draft"
    item: UUID
    version: int


class ApproveItem(Command, frozen=True, kw_only=True):
    """The current version, which is the one that was read, may go out."""

    feature: ClassVar[str] = "content"
    action: ClassVar[str] = "approve"
    item: UUID
    version: int
    note: Note = ""


class RequestChanges(Command, frozen=True, kw_only=True):
    """The current version may not go out; `note` says what to change."""

    feature: ClassVar[str] = "content"
    action: ClassVar[str] = "approve"
    item: UUID
    version: int
    note: Reason


class DeleteItem(Command, frozen=True, kw_only=True):
    """One's own, or with the right to manage anybody's; never a published one."""

    feature: ClassVar[str] = "content"
    action: ClassVar[str] = "draft"
    item: UUID
    version: int


async def draft_item(unit: Unit, command: DraftItem) -> list[Fact]:
    body = _fitting(command.body)
    return [ItemDrafted(entity=unit.new_id(), title=command.title.strip(), body=body, author=person(unit))]


async def edit_item(unit: Unit, command: EditItem) -> list[Fact]:
    found = await item_in_full(unit.scope, command.item)
    require_version(found.version, command.version, "item")
    require_step(found.state, "edit")
    title = found.title if command.title is UNSET else command.title.strip()
    body = found.body if command.body is UNSET else _fitting(command.body)
    if (title, body) == (found.title, found.body):
        return []
    by = person(unit)
    edited = ItemEdited(entity=found.id, number=found.number + 1, title=title, body=body, author=by)
    if found.state not in VOIDING:
        return [edited]
    return [edited, ApprovalVoided(entity=found.id, number=found.number, why=EDITED, by=by)]


async def copy_item(unit: Unit, command: CopyItem) -> list[Fact]:
    found = await item_in_full(unit.scope, command.item)
    return [ItemDrafted(entity=unit.new_id(), title=found.title, body=found.body, author=person(unit))]


async def submit_item(unit: Unit, command: SubmitItem) -> list[Fact]:
    found = await _item_for(unit, command.item, command.version, "submit")
    return [SubmittedForApproval(entity=found.id, number=found.number, by=person(unit))]


async def approve_item(unit: Unit, command: ApproveItem) -> list[Fact]:
    found = await _item_for(unit, command.item, command.version, "approve")
    return [ItemApproved(entity=found.id, number=found.number, by=person(unit), note=command.note)]


async def request_changes(unit: Unit, command: RequestChanges) -> list[Fact]:
    found = await _item_for(unit, command.item, command.version, "request_changes")
    return [ChangesRequested(entity=found.id, number=found.number, by=person(unit), note=command.note)]


async def delete_item(unit: Unit, command: DeleteItem) -> list[Fact]:
    found = await read_item(unit.scope, command.item)
    await require_own(unit, found.author, "item")
    require_version(found.version, command.version, "item")
    require_step(found.state, "delete")
    return [ItemDeleted(entity=found.id)]


def person(unit: Unit) -> UUID:
    """The account that acts, itself or by a key. Raises: Invalid for a part of the platform."""
    if unit.actor.account is None:
        raise Invalid("Content is written and approved by people.")
    return unit.actor.account


async def require_own(unit: Unit, author: UUID, what: str) -> None:
    """Returns where the actor is the author or may manage content. Raises: Forbidden."""
    actor = unit.actor
    if actor.account is None or actor.account == author:
        return
    role = await tenancy.role(unit.scope, actor.account)
    if "manage" not in tenancy.granted(role, actor.scopes)["content"]:
        raise Forbidden(f"This {what} is somebody else's: who wrote it can delete it, or a manager.")


async def _item_for(unit: Unit, item: UUID, version: int, step: Step) -> Item:
    found = await read_item(unit.scope, item)
    require_version(found.version, version, "item")
    require_step(found.state, step)
    return found


def _fitting(body: str) -> str:
    size = len(body.encode())
    if size > MOST_BODY_BYTES:
        raise Invalid(
            f"The body is {size} bytes long; an item takes {MOST_BODY_BYTES}. Shorten it, or make two of it.",
            fields={"body": "too long"},
        )
    return body


DECIDE: dict[type[Command], Decide] = {
    DraftItem: draft_item,
    EditItem: edit_item,
    CopyItem: copy_item,
    SubmitItem: submit_item,
    ApproveItem: approve_item,
    RequestChanges: request_changes,
    DeleteItem: delete_item,
}
