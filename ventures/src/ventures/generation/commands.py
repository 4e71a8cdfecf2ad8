"""What can be done about drafts: asked for, ended one way or another, accepted."""

from datetime import timedelta
from typing import ClassVar, Final
from uuid import UUID

from msgspec import UNSET, UnsetType

from ventures.content import api as content
from ventures.content.api import Title
from ventures.errors import Conflict, Forbidden, TooMany
from ventures.generation.citing import without_marks
from ventures.generation.events import DraftAccepted, DraftAsked, DraftCancelled, DraftFailed, DraftFinished
from ventures.generation.notes import person
from ventures.generation.patterns import PatternId
from ventures.generation.reading import draft as read_draft
from ventures.generation.reading import running
from ventures.generation.records import Citation, Draft, Failure, Instruction, PassageLimit, State
from ventures.log.api import Actor, Command, Decide, Event, Fact, React, Unit, require_version
from ventures.tenancy import api as tenancy

MOST_RUNNING: Final = 3
"""Drafts of one venture that are written at once."""
DUE: Final = timedelta(seconds=150)
"""After this nobody writes it any more: the longest answer of a model (120 s), with the search before it and room."""
MOST_TITLE: Final = 300
WRITER: Final = Actor(system="generation")
OVER: Final[dict[State, str]] = {
    "finished": "This draft is finished: there is nothing to cancel.",
    "failed": "This draft has failed: ask for a new one.",
    "cancelled": "This draft was cancelled: ask for a new one.",
}


class AskDraft(Command, frozen=True, kw_only=True):
    """A new draft. passages: at most so many of the venture's own; notes: whether context notes are told."""

    feature: ClassVar[str] = "generation"
    action: ClassVar[str] = "draft"
    instruction: Instruction
    format: PatternId | None = None
    item: UUID | None = None
    passages: PassageLimit = 8
    notes: bool = True


class FinishDraft(Command, frozen=True, kw_only=True):
    """By its writer: the text is whole."""

    feature: ClassVar[str] = "generation"
    action: ClassVar[str] = "draft"
    draft: UUID
    text: str
    citations: list[Citation]
    unsupported: int
    model: str
    prompt: str | None
    pattern: PatternId | None
    extractive: bool
    remark: str
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float


class FailDraft(Command, frozen=True, kw_only=True):
    """By its writer, or by who found that there is none any more."""

    feature: ClassVar[str] = "generation"
    action: ClassVar[str] = "draft"
    draft: UUID
    reason: Failure
    problem: str
    seconds: float | None = None


class AbandonDraft(Command, frozen=True, kw_only=True):
    """By its writer: whoever asked for it went away."""

    feature: ClassVar[str] = "generation"
    action: ClassVar[str] = "draft"
    draft: UUID


class CancelDraft(Command, frozen=True, kw_only=True):
    """One's own, or with the right to manage anybody's."""

    feature: ClassVar[str] = "generation"
    action: ClassVar[str] = "draft"
    draft: UUID
    version: int


class AcceptDraft(Command, frozen=True, kw_only=True):
    """Makes a content item of it. title: where it is not said, the text's heading, or the instruction's first line."""

    feature: ClassVar[str] = "content"
    action: ClassVar[str] = "draft"
    draft: UUID
    version: int
    title: Title | UnsetType = UNSET
    marks: bool = False


async def ask_draft(unit: Unit, command: AskDraft) -> list[Fact]:
    author = person(unit)
    if command.item is not None:
        await content.item(unit.scope, command.item)
    if len(await running(unit.scope)) >= MOST_RUNNING:
        raise TooMany(
            f"{MOST_RUNNING} drafts of this venture are being written already. Wait for one to end, or cancel one.",
            retry_after_seconds=5,
        )
    return [
        DraftAsked(
            entity=unit.new_id(),
            instruction=command.instruction,
            format=command.format,
            item=command.item,
            passages=command.passages,
            notes=command.notes,
            author=author,
            due_at=unit.at + DUE,
        )
    ]


async def finish_draft(unit: Unit, command: FinishDraft) -> list[Fact]:
    found = await _running(unit, command.draft)
    return [
        DraftFinished(
            entity=found.id,
            text=command.text,
            citations=command.citations,
            unsupported=command.unsupported,
            model=command.model,
            prompt=command.prompt,
            pattern=command.pattern,
            extractive=command.extractive,
            remark=command.remark,
            prompt_tokens=command.prompt_tokens,
            completion_tokens=command.completion_tokens,
            seconds=command.seconds,
        )
    ]


async def fail_draft(unit: Unit, command: FailDraft) -> list[Fact]:
    found = await _running(unit, command.draft)
    return [DraftFailed(entity=found.id, reason=command.reason, problem=command.problem, seconds=command.seconds)]


async def abandon_draft(unit: Unit, command: AbandonDraft) -> list[Fact]:
    return [DraftCancelled(entity=(await _running(unit, command.draft)).id, by=None)]


async def cancel_draft(unit: Unit, command: CancelDraft) -> list[Fact]:
    found = await read_draft(unit.scope, command.draft)
    by = person(unit)
    if found.author != by:
        await _require_manager(unit, by)
    require_version(found.version, command.version, "draft")
    if found.state != "running":
        raise Conflict(OVER[found.state])
    return [DraftCancelled(entity=found.id, by=by)]


async def accept_draft(unit: Unit, command: AcceptDraft) -> list[Fact]:
    found = await read_draft(unit.scope, command.draft)
    by = person(unit)
    _require_scope(unit.actor)
    require_version(found.version, command.version, "draft")
    if found.accepted_item is not None:
        raise Conflict("This draft was accepted already; the item that was made of it is its accepted_item.")
    if found.state != "finished":
        raise Conflict(f"This draft is {found.state}: only a finished one can be accepted.")
    item = unit.new_id()
    title = heading_of(found) if command.title is UNSET else command.title.strip()
    body = found.text if command.marks else without_marks(found.text)
    return [
        DraftAccepted(entity=found.id, item=item, by=by),
        content.ItemDrafted(entity=item, title=title, body=body, author=by),
    ]


def heading_of(draft: Draft) -> str:
    """The text's first line where it is a heading, otherwise the instruction's first."""
    first = without_marks(draft.text).lstrip().partition("\n")[0]
    said = first if first.startswith("#") else draft.instruction.strip().partition("\n")[0]
    plain = "".join(one if one.isprintable() else " " for one in said.lstrip("#"))
    return " ".join(plain.split())[:MOST_TITLE].strip() or "Draft"


async def _running(unit: Unit, draft: UUID) -> Draft:
    found = await read_draft(unit.scope, draft)
    if found.state != "running":
        raise Conflict(f"This draft is {found.state} already.")
    return found


async def _require_manager(unit: Unit, account: UUID) -> None:
    role = await tenancy.role(unit.scope, account)
    if "manage" not in tenancy.granted(role, unit.actor.scopes)["generation"]:
        raise Forbidden("This draft is somebody else's: who asked for it can cancel it, or a manager.")


def _require_scope(actor: Actor) -> None:
    """A key that may write items may not read drafts by accepting them."""
    needed = tenancy.permission("generation", "view")
    if actor.scopes is not None and needed not in actor.scopes:
        raise Forbidden(f"To accept a draft, a key needs {needed} too. Make a key that has both.")


DECIDE: dict[type[Command], Decide] = {
    AskDraft: ask_draft,
    FinishDraft: finish_draft,
    FailDraft: fail_draft,
    AbandonDraft: abandon_draft,
    CancelDraft: cancel_draft,
    AcceptDraft: accept_draft,
}


async def cancel_with_venture(unit: Unit, event: Event[tenancy.VentureDeleted]) -> list[Fact]:
    """Nobody can end a draft of a venture that is gone, so all of them end with it."""
    return [DraftCancelled(entity=draft, by=None) for draft in await running(unit.scope)]


REACT: dict[type[Fact], React] = {tenancy.VentureDeleted: cancel_with_venture}
