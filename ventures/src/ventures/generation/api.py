"""What other rooms may use of generation."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from ventures.database.pool import Database
from ventures.generation import commands, notes
from ventures.generation.abandoned import fail_abandoned
from ventures.generation.commands import AcceptDraft, AskDraft, CancelDraft
from ventures.generation.drafting import Drafting, Progress
from ventures.generation.events import (
    APPLY,
    DraftAccepted,
    DraftAsked,
    DraftCancelled,
    DraftFailed,
    DraftFinished,
    NoteDeleted,
    NoteEdited,
    NoteWritten,
)
from ventures.generation.model import LanguageModel
from ventures.generation.notes import DeleteNote, EditNote, WriteNote
from ventures.generation.outcomes import BOUNDS, Durations, Outcomes, durations, outcomes
from ventures.generation.patterns import PATTERNS, Pattern, PatternId, shared_points
from ventures.generation.ports import Model, Passages
from ventures.generation.reading import draft, drafts, note
from ventures.generation.reading import notes as notes_of
from ventures.generation.records import (
    FAILURES,
    Asked,
    Citation,
    ContextNote,
    Draft,
    DraftLine,
    Failure,
    Instruction,
    NoteText,
    PassageLimit,
    State,
)
from ventures.generation.sources import ContextNotes
from ventures.log.api import Consumer, Loop, Room, Spine
from ventures.search.api import Embedder, Passage
from ventures.settings import Settings

ROOM = Room("generation", notes.DECIDE | commands.DECIDE, APPLY, commands.REACT)


@asynccontextmanager
async def opened(
    settings: Settings,
    spine: Spine,
    *,
    passages: Passages,
    embedder: Embedder,
    wrote: Callable[[UUID], None] = lambda _: None,
) -> AsyncIterator[Drafting]:
    """What writes drafts in this process, with the language model of the settings, or without one. At the end, what
    is on its way fails as stopped; so the spine must outlive it.

    wrote: is told the venture of each draft that finished.
    """
    model: Model | None = None
    if settings.language_model_url is not None and settings.language_model is not None:
        model = LanguageModel(settings.language_model_url, settings.language_model, settings.language_model_api_key)
    drafting = Drafting(spine, passages=passages, embedder=embedder, model=model, wrote=wrote)
    try:
        yield drafting
    finally:
        await drafting.close()


def consumers(database: Database) -> list[Consumer]:
    """The one that counts how drafts end."""
    return [Outcomes(database)]


def loops(spine: Spine) -> list[Loop]:
    """Finds drafts whose process died."""
    return [Loop("abandoned-drafts", lambda: fail_abandoned(spine))]


__all__ = [
    "BOUNDS",
    "FAILURES",
    "PATTERNS",
    "ROOM",
    "AcceptDraft",
    "AskDraft",
    "Asked",
    "CancelDraft",
    "Citation",
    "ContextNote",
    "ContextNotes",
    "DeleteNote",
    "Draft",
    "DraftAccepted",
    "DraftAsked",
    "DraftCancelled",
    "DraftFailed",
    "DraftFinished",
    "DraftLine",
    "Drafting",
    "Durations",
    "EditNote",
    "Failure",
    "Instruction",
    "LanguageModel",
    "Model",
    "NoteDeleted",
    "NoteEdited",
    "NoteText",
    "NoteWritten",
    "Passage",
    "PassageLimit",
    "Passages",
    "Pattern",
    "PatternId",
    "Progress",
    "State",
    "WriteNote",
    "consumers",
    "draft",
    "drafts",
    "durations",
    "loops",
    "note",
    "notes_of",
    "opened",
    "outcomes",
    "shared_points",
]
