"""Context notes as texts that search finds."""

from collections.abc import Sequence
from typing import Final

from ventures.database.scope import Scope
from ventures.generation.events import NoteDeleted, NoteEdited, NoteWritten
from ventures.log.api import Event
from ventures.search.api import PassageChange, SourceChange, SourceGone
from ventures.vectors.api import Kind

HANDLED: Final = frozenset(fact.type for fact in (NoteWritten, NoteEdited, NoteDeleted))


class ContextNotes:
    """A `search.api.Source`, from nothing but the events."""

    handles: frozenset[str] = HANDLED

    async def changes(self, scope: Scope, event: Event) -> Sequence[SourceChange]:
        """The note as it is now."""
        fact = event.data
        if isinstance(fact, NoteDeleted):
            return [SourceGone(kind=Kind.CONTEXT, source=fact.entity)]
        if not isinstance(fact, NoteWritten | NoteEdited):
            return []
        return [
            PassageChange(
                kind=Kind.CONTEXT,
                source=fact.entity,
                title=fact.title,
                text=fact.text,
                number=fact.number if isinstance(fact, NoteEdited) else 1,
                state="",
            )
        ]
