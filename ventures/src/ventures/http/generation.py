"""/v1/patterns, and a venture's context notes and drafts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post
from litestar.background_tasks import BackgroundTask
from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream
from litestar.response.sse import ServerSentEventMessage
from msgspec import UNSET, UnsetType

from ventures.content import api as content
from ventures.content.api import ItemInFull, Title
from ventures.errors import NotFound, Unavailable
from ventures.generation import api as generation
from ventures.generation.api import (
    Asked,
    Citation,
    ContextNote,
    Draft,
    Drafting,
    DraftLine,
    Instruction,
    NoteText,
    PassageLimit,
    Pattern,
    PatternId,
    Progress,
    State,
)
from ventures.http.authentication import signed_in
from ventures.http.exchange import (
    Body,
    IdempotencyKey,
    IfMatch,
    append,
    claimed_account,
    expected_version,
    platform_of,
    reading,
    reading_back,
    shown,
)
from ventures.http.paging import Cursor, Limit, Page, page, position

EVENT_STREAM: Final = "text/event-stream"
ByState = Annotated[State | None, QueryParameter(name="state", description="Only drafts in this state.")]


class NewNote(Body, frozen=True, kw_only=True):
    """What generation is to know: the venture's voice, its audience, facts of a product."""

    title: Title
    text: NoteText


class ChangedNote(Body, frozen=True, kw_only=True):
    """What is left out stays as it is."""

    title: Title | UnsetType = UNSET
    text: NoteText | UnsetType = UNSET


class NewDraft(Body, frozen=True, kw_only=True):
    """format: a pattern to write by; without it the one that fits best. item: what the draft is about. notes: whether
    context notes are told. background: goes on where the client of an event stream goes away.
    """

    instruction: Instruction
    format: PatternId | None = None
    item: UUID | None = None
    passages: PassageLimit = 8
    notes: bool = True
    background: bool = False


class Acceptance(Body, frozen=True, kw_only=True):
    """title: of the item; without it the draft's heading. marks: whether [1] and the like stay in the text."""

    title: Title | UnsetType = UNSET
    marks: bool = False


class Sources(msgspec.Struct, frozen=True):
    """Data of the event `citations`: the passages that the draft is written from. Its record keeps those it cites."""

    draft: UUID
    citations: list[Citation]


class Piece(msgspec.Struct, frozen=True):
    """Data of the event `text`."""

    text: str


@get("/patterns", summary="Ways to write", operation_id="list_patterns")
async def list_patterns(request: Request[Any, Any, Any]) -> Page[Pattern]:
    """What a draft's `format` may be. They are the same for all ventures."""
    await signed_in(request)
    return Page(list(generation.PATTERNS.values()), None)


@get("/", summary="Context notes", operation_id="list_context_notes")
async def list_notes(
    request: Request[Any, Any, Any], venture: FromPath[UUID], cursor: Cursor = None, limit: Limit = 50
) -> Page[ContextNote]:
    """The oldest first."""
    after = position(cursor, tuple[UUID])
    rows = await reading(
        request, venture, "generation", "view", generation.notes_of, after[0] if after else None, limit + 1
    )
    return page(rows, limit, lambda note: (note.id,))


@post("/", summary="Write a context note", operation_id="write_context_note")
async def write_note(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    data: JSONBody[NewNote],
    idempotency_key: IdempotencyKey = None,
) -> Response[ContextNote]:
    """Drafts are written with it in mind. A venture has at most 100."""
    done = await append(request, venture, generation.WriteNote(title=data.title, text=data.text), idempotency_key)
    found = await reading_back(request, venture, generation.note, done.entity)
    return shown(found, found.version, done=done, status=201, location=f"{_path(venture, 'context-notes')}/{found.id}")


@get("/{note:uuid}", summary="A context note", operation_id="read_context_note")
async def read_note(
    request: Request[Any, Any, Any], venture: FromPath[UUID], note: FromPath[UUID]
) -> Response[ContextNote]:
    found = await reading(request, venture, "generation", "view", generation.note, note)
    return shown(found, found.version)


@patch("/{note:uuid}", summary="Edit a context note", operation_id="edit_context_note")
async def edit_note(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    note: FromPath[UUID],
    data: JSONBody[ChangedNote],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[ContextNote]:
    """Drafts that are being written already keep to what it said before."""
    command = generation.EditNote(note=note, version=expected_version(if_match), title=data.title, text=data.text)
    done = await append(request, venture, command, idempotency_key)
    found = await reading_back(request, venture, generation.note, note)
    return shown(found, found.version, done=done)


@delete("/{note:uuid}", summary="Delete a context note", operation_id="delete_context_note")
async def delete_note(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    note: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Nothing is written from it any more."""
    command = generation.DeleteNote(note=note, version=expected_version(if_match))
    await append(request, venture, command, idempotency_key)


@get("/", summary="Drafts", operation_id="list_drafts")
async def list_drafts(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    in_state: ByState = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[DraftLine]:
    """Without their texts, the last asked for first."""
    before = position(cursor, tuple[datetime, UUID])
    rows = await reading(
        request, venture, "generation", "view", generation.drafts, state=in_state, before=before, limit=limit + 1
    )
    return page(rows, limit, lambda draft: (draft.asked_at, draft.id))


@dataclass
class Streamed(Operation):
    """An operation that answers with a stream of events where that is asked for."""

    def __post_init__(self) -> None:
        """Says so beside the JSON answer."""
        answer = (self.responses or {}).get("201")
        if isinstance(answer, OpenAPIResponse) and answer.content is not None:
            answer.content[EVENT_STREAM] = OpenAPIMediaType(
                schema=Schema(
                    type=OpenAPIType.STRING,
                    description="Server-sent events, in this order. `citations`: {draft, citations}, the passages the "
                    "draft is written from. `text`: {text}, a piece of it; any number of them. Then one of `done`, "
                    "`failed`, `cancelled`, with the whole Draft. A stream that ends without one of these says "
                    "nothing: read the draft.",
                ),
                examples={
                    "written": Example(
                        summary="A draft",
                        value='event: text\r\ndata: {"text":"Oolong is half oxidised [1]."}\r\n\r\n',
                    )
                },
            )


@post("/", summary="Ask for a draft", operation_id="ask_draft", operation_class=Streamed)
async def ask_draft(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    data: JSONBody[NewDraft],
    idempotency_key: IdempotencyKey = None,
) -> Response[Draft]:
    """Answers at once with the draft `running`: look again at its Location. With `Accept: text/event-stream` the text
    is streamed as it is written; then a client that goes away cancels it, unless it asked for `background`. Only a
    finished draft counts on the plan.
    """
    streamed = request.accept.best_match(["application/json", EVENT_STREAM]) == EVENT_STREAM
    command = generation.AskDraft(
        instruction=data.instruction,
        format=data.format,
        item=data.item,
        passages=data.passages,
        notes=data.notes,
    )
    with drafting_of(request).place(claimed_account(request)) as start:
        done = await append(request, venture, command, idempotency_key)
        progress = drafting_of(request).progress(done.entity)
        if not done.replayed:
            progress = start(
                Asked(
                    venture=venture,
                    draft=done.entity,
                    instruction=data.instruction,
                    format=data.format,
                    item=data.item,
                    passages=data.passages,
                    notes=data.notes,
                )
            )
    found = await reading_back(request, venture, generation.draft, done.entity)
    location = f"{_path(venture, 'drafts')}/{found.id}"
    answer = shown(found, found.version, done=done, status=201, location=location)
    if not streamed:
        return answer
    leaving = progress if progress is not None and not (data.background or done.replayed) else None
    return Stream(  # type: ignore[return-value]  # the other form of the answer, described by `Streamed`
        _events(request, venture, found.id, progress),
        media_type=EVENT_STREAM,
        status_code=201,
        headers={**answer.headers, "Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        background=None if leaving is None else BackgroundTask(_left, leaving),
    )


@get("/{draft:uuid}", summary="A draft", operation_id="read_draft")
async def read_draft(
    request: Request[Any, Any, Any], venture: FromPath[UUID], draft: FromPath[UUID]
) -> Response[Draft]:
    """Its text is there when it is finished."""
    found = await reading(request, venture, "generation", "view", generation.draft, draft)
    return shown(found, found.version)


@post("/{draft:uuid}/cancel", status_code=200, summary="Cancel a draft", operation_id="cancel_draft")
async def cancel_draft(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    draft: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Draft]:
    """Your own, or as a manager anybody's. It does not count on the plan."""
    command = generation.CancelDraft(draft=draft, version=expected_version(if_match))
    done = await append(request, venture, command, idempotency_key)
    found = await reading_back(request, venture, generation.draft, draft)
    return shown(found, found.version, done=done)


@post("/{draft:uuid}/accept", summary="Make an item of a draft", operation_id="accept_draft")
async def accept_draft(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    draft: FromPath[UUID],
    data: JSONBody[Acceptance | None] = None,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[ItemInFull]:
    """A new content item with the draft's text, once."""
    wanted = data or Acceptance()
    command = generation.AcceptDraft(
        draft=draft, version=expected_version(if_match), title=wanted.title, marks=wanted.marks
    )
    done = await append(request, venture, command, idempotency_key)
    accepted = done.events[0].data
    assert isinstance(accepted, generation.DraftAccepted)
    found = await reading_back(request, venture, content.item_in_full, accepted.item)
    return shown(found, found.version, done=done, status=201, location=f"{_path(venture, 'items')}/{found.id}")


def drafting_of(request: Request[Any, Any, Any]) -> Drafting:
    """What writes drafts in this process."""
    return platform_of(request).drafting


async def _left(progress: Progress) -> None:
    """The answer is over, or nobody reads it any more: a draft that was not written to its end by now is cancelled."""
    progress.stop("left")


async def _events(
    request: Request[Any, Any, Any], venture: UUID, draft: UUID, progress: Progress | None
) -> AsyncIterator[bytes]:
    """The stream of a draft; of one that another process writes, or that ended before, what there is of it now."""
    if progress is not None:
        async for step in progress.follow():
            if step is None:
                yield ServerSentEventMessage(data=None, comment="still writing").encode()
            elif isinstance(step, str):
                yield _event("text", Piece(step))
            else:
                yield _event("citations", Sources(draft, list(step)))
    try:
        found = await reading_back(request, venture, generation.draft, draft)
    except (Unavailable, NotFound):
        return
    if progress is None and found.state == "finished":
        yield _event("citations", Sources(draft, found.citations))
        yield _event("text", Piece(found.text))
    if found.state != "running":
        yield _event("done" if found.state == "finished" else found.state, found)


def _event(name: str, data: msgspec.Struct) -> bytes:
    return ServerSentEventMessage(event=name, data=msgspec.json.encode(data).decode()).encode()


def _path(venture: UUID, collection: str) -> str:
    return f"/v1/ventures/{venture}/{collection}"


ROUTERS = (
    Router("/v1", route_handlers=[list_patterns], tags=["generation"]),
    Router(
        "/v1/ventures/{venture:uuid}/context-notes",
        route_handlers=[list_notes, write_note, read_note, edit_note, delete_note],
        tags=["generation"],
    ),
    Router(
        "/v1/ventures/{venture:uuid}/drafts",
        route_handlers=[list_drafts, ask_draft, read_draft, cancel_draft, accept_draft],
        tags=["generation"],
    ),
)
