"""What can be done about context notes."""

from typing import ClassVar
from uuid import UUID

from msgspec import UNSET, UnsetType

from ventures.content.api import Title
from ventures.errors import Conflict, Invalid
from ventures.generation.events import NoteDeleted, NoteEdited, NoteWritten
from ventures.generation.reading import count_notes
from ventures.generation.reading import note as read_note
from ventures.generation.records import MOST_NOTES, NoteText
from ventures.log.api import Command, Decide, Fact, Unit, require_version


class WriteNote(Command, frozen=True, kw_only=True):
    """A new note."""

    feature: ClassVar[str] = "generation"
    action: ClassVar[str] = "draft"
    title: Title
    text: NoteText


class EditNote(Command, frozen=True, kw_only=True):
    """What is not UNSET is changed; where nothing differs, nothing happens."""

    feature: ClassVar[str] = "generation"
    action: ClassVar[str] = "draft"
    note: UUID
    version: int
    title: Title | UnsetType = UNSET
    text: NoteText | UnsetType = UNSET


class DeleteNote(Command, frozen=True, kw_only=True):
    """Of whoever wrote it."""

    feature: ClassVar[str] = "generation"
    action: ClassVar[str] = "draft"
    note: UUID
    version: int


def person(unit: Unit) -> UUID:
    """The account that acts, itself or by a key. Raises: Invalid for a part of the platform."""
    if unit.actor.account is None:
        raise Invalid("Notes are written, and drafts asked for, by people.")
    return unit.actor.account


async def write_note(unit: Unit, command: WriteNote) -> list[Fact]:
    if await count_notes(unit.scope) >= MOST_NOTES:
        raise Conflict(f"A venture has at most {MOST_NOTES} context notes. Delete one, or add to one that there is.")
    return [NoteWritten(entity=unit.new_id(), title=command.title.strip(), text=command.text, author=person(unit))]


async def edit_note(unit: Unit, command: EditNote) -> list[Fact]:
    found = await read_note(unit.scope, command.note)
    require_version(found.version, command.version, "note")
    title = found.title if command.title is UNSET else command.title.strip()
    text = found.text if command.text is UNSET else command.text
    if (title, text) == (found.title, found.text):
        return []
    return [NoteEdited(entity=found.id, number=found.version + 1, title=title, text=text, by=person(unit))]


async def delete_note(unit: Unit, command: DeleteNote) -> list[Fact]:
    found = await read_note(unit.scope, command.note)
    require_version(found.version, command.version, "note")
    return [NoteDeleted(entity=found.id)]


DECIDE: dict[type[Command], Decide] = {WriteNote: write_note, EditNote: edit_note, DeleteNote: delete_note}
