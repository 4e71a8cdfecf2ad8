"""What happens to context notes and drafts, and the rows it means."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from ventures.database.scope import Scope
from ventures.generation import sql
from ventures.generation.records import Citation, Failure
from ventures.log.api import Apply, Event, Fact


class NoteWritten(Fact, frozen=True, kw_only=True):
    """entity: the note."""

    type: ClassVar[str] = "generation.note_written"
    title: str
    text: str
    author: UUID


class NoteEdited(Fact, frozen=True, kw_only=True):
    """entity: the note. number: of its version. All that it says now."""

    type: ClassVar[str] = "generation.note_edited"
    number: int
    title: str
    text: str
    by: UUID


class NoteDeleted(Fact, frozen=True, kw_only=True):
    """entity: the note. Its row stays as a tombstone."""

    type: ClassVar[str] = "generation.note_deleted"


class DraftAsked(Fact, frozen=True, kw_only=True):
    """entity: the draft. due_at: when nobody writes it any more. passages, notes: what it may be written from."""

    type: ClassVar[str] = "generation.draft_asked"
    instruction: str
    format: str | None
    item: UUID | None
    passages: int
    notes: bool
    author: UUID
    due_at: datetime


class DraftFinished(Fact, frozen=True, kw_only=True):
    """entity: the draft, as `records.Draft` says. seconds: from the first request to the end of the text."""

    type: ClassVar[str] = "generation.draft_finished"
    text: str
    citations: list[Citation]
    unsupported: int
    model: str
    prompt: str | None
    pattern: str | None
    extractive: bool
    remark: str
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float


class DraftFailed(Fact, frozen=True, kw_only=True):
    """entity: the draft. seconds: None where nobody measured."""

    type: ClassVar[str] = "generation.draft_failed"
    reason: Failure
    problem: str
    seconds: float | None


class DraftCancelled(Fact, frozen=True, kw_only=True):
    """entity: the draft. by: None where whoever asked for it went away."""

    type: ClassVar[str] = "generation.draft_cancelled"
    by: UUID | None


class DraftAccepted(Fact, frozen=True, kw_only=True):
    """entity: the draft. item: the one that was made of it, in the same transaction."""

    type: ClassVar[str] = "generation.draft_accepted"
    item: UUID
    by: UUID


async def note_written(scope: Scope, event: Event[NoteWritten]) -> None:
    fact = event.data
    await scope.run(sql.WRITE_NOTE, note=fact.entity, title=fact.title, text=fact.text, author=fact.author, at=event.at)


async def note_edited(scope: Scope, event: Event[NoteEdited]) -> None:
    fact = event.data
    await scope.run(sql.EDIT_NOTE, note=fact.entity, title=fact.title, text=fact.text, at=event.at)


async def note_deleted(scope: Scope, event: Event[NoteDeleted]) -> None:
    await scope.run(sql.DELETE_NOTE, note=event.entity, at=event.at)


async def draft_asked(scope: Scope, event: Event[DraftAsked]) -> None:
    fact = event.data
    await scope.run(
        sql.ASK,
        draft=fact.entity,
        instruction=fact.instruction,
        format=fact.format,
        item=fact.item,
        author=fact.author,
        at=event.at,
        due_at=fact.due_at,
    )


async def draft_finished(scope: Scope, event: Event[DraftFinished]) -> None:
    fact = event.data
    await scope.run(
        sql.FINISH,
        draft=fact.entity,
        text=fact.text,
        citations=msgspec.json.encode(fact.citations).decode(),
        unsupported=fact.unsupported,
        model=fact.model,
        prompt=fact.prompt,
        pattern=fact.pattern,
        extractive=fact.extractive,
        remark=fact.remark,
        prompt_tokens=fact.prompt_tokens,
        completion_tokens=fact.completion_tokens,
        at=event.at,
    )


async def draft_failed(scope: Scope, event: Event[DraftFailed]) -> None:
    fact = event.data
    await scope.run(sql.FAIL, draft=fact.entity, reason=fact.reason, problem=fact.problem, at=event.at)


async def draft_cancelled(scope: Scope, event: Event[DraftCancelled]) -> None:
    await scope.run(sql.CANCEL, draft=event.entity, at=event.at)


async def draft_accepted(scope: Scope, event: Event[DraftAccepted]) -> None:
    await scope.run(sql.ACCEPT, draft=event.entity, item=event.data.item)


APPLY: dict[type[Fact], Apply] = {
    NoteWritten: note_written,
    NoteEdited: note_edited,
    NoteDeleted: note_deleted,
    DraftAsked: draft_asked,
    DraftFinished: draft_finished,
    DraftFailed: draft_failed,
    DraftCancelled: draft_cancelled,
    DraftAccepted: draft_accepted,
}
