"""/v1/ventures/{venture:uuid}/items"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter
from msgspec import UNSET, UnsetType

from ventures.content import api as content
from ventures.content.api import (
    BodyText,
    Comment,
    CommentText,
    Item,
    ItemInFull,
    ItemVersion,
    Note,
    Reason,
    State,
    Title,
    Verdict,
    VersionLine,
)
from ventures.http.exchange import (
    Body,
    IdempotencyKey,
    IfMatch,
    append,
    expected_version,
    reading,
    reading_back,
    shown,
)
from ventures.http.paging import Cursor, Limit, Page, page, position
from ventures.log.api import Command

ByState = Annotated[State | None, QueryParameter(name="state", description="Only items in this state.")]
ByAuthor = Annotated[UUID | None, QueryParameter(name="author", description="Only items that this account drafted.")]
Number = Annotated[int, PathParameter(ge=1, le=2**31 - 1, description="1 is the first version.")]


class NewItem(Body, frozen=True, kw_only=True):
    """What a draft starts with."""

    title: Title
    body: BodyText = ""


class ChangedItem(Body, frozen=True, kw_only=True):
    """What is left out stays as it is."""

    title: Title | UnsetType = UNSET
    body: BodyText | UnsetType = UNSET


class Approval(Body, frozen=True, kw_only=True):
    """A word along with it."""

    note: Note = ""


class WantedChanges(Body, frozen=True, kw_only=True):
    """What to change before it can be approved."""

    note: Reason


class NewComment(Body, frozen=True, kw_only=True):
    """What to say about the current version."""

    text: CommentText


@get("/", summary="Items", operation_id="list_items")
async def list_items(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    in_state: ByState = None,
    author: ByAuthor = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Item]:
    """Without their bodies, the last changed first."""
    before = position(cursor, tuple[datetime, UUID])
    rows = await reading(
        request,
        venture,
        "content",
        "view",
        content.items,
        state=in_state,
        author=author,
        before=before,
        limit=limit + 1,
    )
    return page(rows, limit, lambda item: (item.updated_at, item.id))


@post("/", summary="Draft an item", operation_id="draft_item")
async def draft_item(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    data: JSONBody[NewItem],
    idempotency_key: IdempotencyKey = None,
) -> Response[ItemInFull]:
    """It starts as a draft, with its version 1."""
    command = content.DraftItem(title=data.title, body=data.body)
    return await _drafted(request, venture, command, idempotency_key)


@get("/{item:uuid}", summary="An item", operation_id="read_item")
async def read_item(
    request: Request[Any, Any, Any], venture: FromPath[UUID], item: FromPath[UUID]
) -> Response[ItemInFull]:
    """With the body of its current version."""
    found = await reading(request, venture, "content", "view", content.item_in_full, item)
    return shown(found, found.version)


@patch("/{item:uuid}", summary="Edit an item", operation_id="edit_item")
async def edit_item(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    data: JSONBody[ChangedItem],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[ItemInFull]:
    """Makes a new version, and a draft of the item: an approval, given or asked for, is void. A published item is not
    edited but copied.
    """
    command = content.EditItem(item=item, version=expected_version(if_match), title=data.title, body=data.body)
    return await _changed(request, venture, item, command, idempotency_key)


@delete("/{item:uuid}", summary="Delete an item", operation_id="delete_item")
async def delete_item(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Your own, or as a manager anybody's; with it goes whatever was scheduled of it. A published item stays."""
    command = content.DeleteItem(item=item, version=expected_version(if_match))
    await append(request, venture, command, idempotency_key)


@post("/{item:uuid}/submit", status_code=200, summary="Submit an item for approval", operation_id="submit_item")
async def submit_item(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[ItemInFull]:
    """The version you saw, by If-Match."""
    command = content.SubmitItem(item=item, version=expected_version(if_match))
    return await _changed(request, venture, item, command, idempotency_key)


@post("/{item:uuid}/approve", status_code=200, summary="Approve an item", operation_id="approve_item")
async def approve_item(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    data: JSONBody[Approval | None] = None,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[ItemInFull]:
    """The version you saw, by If-Match: it may go out until the item is edited."""
    note = "" if data is None else data.note
    command = content.ApproveItem(item=item, version=expected_version(if_match), note=note)
    return await _changed(request, venture, item, command, idempotency_key)


@post(
    "/{item:uuid}/request-changes",
    status_code=200,
    summary="Request changes of an item",
    operation_id="request_changes",
)
async def request_changes(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    data: JSONBody[WantedChanges],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[ItemInFull]:
    """It is submitted again after an edit."""
    command = content.RequestChanges(item=item, version=expected_version(if_match), note=data.note)
    return await _changed(request, venture, item, command, idempotency_key)


@post("/{item:uuid}/copy", summary="Copy an item to a new draft", operation_id="copy_item")
async def copy_item(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    idempotency_key: IdempotencyKey = None,
) -> Response[ItemInFull]:
    """A new item that says what this one says now; comments and approvals stay with the old one."""
    return await _drafted(request, venture, content.CopyItem(item=item), idempotency_key)


@get("/{item:uuid}/versions", summary="An item's versions", operation_id="list_versions")
async def list_versions(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[VersionLine]:
    """Without their bodies, the newest first."""
    before = position(cursor, tuple[int])
    rows = await reading(
        request, venture, "content", "view", content.versions, item, before[0] if before else None, limit + 1
    )
    return page(rows, limit, lambda line: (line.number,))


@get("/{item:uuid}/versions/{number:int}", summary="A version of an item", operation_id="read_version")
async def read_version(
    request: Request[Any, Any, Any], venture: FromPath[UUID], item: FromPath[UUID], number: Number
) -> ItemVersion:
    """It never changes."""
    return await reading(request, venture, "content", "view", content.version_of, item, number)


@get("/{item:uuid}/history", summary="An item's way through approval", operation_id="list_approvals")
async def list_approvals(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Verdict]:
    """Submissions, approvals, requests for changes and what voided them, the latest first."""
    before = position(cursor, tuple[int])
    rows = await reading(
        request, venture, "content", "view", content.history, item, before[0] if before else None, limit + 1
    )
    return page(rows, limit, lambda verdict: (verdict.seq,))


@get("/{item:uuid}/comments", summary="Comments on an item", operation_id="list_comments")
async def list_comments(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Comment]:
    """The oldest first, resolved ones too."""
    after = position(cursor, tuple[datetime, UUID])
    rows = await reading(request, venture, "content", "view", content.comments_of, item, after, limit + 1)
    return page(rows, limit, lambda comment: (comment.at, comment.id))


@post("/{item:uuid}/comments", summary="Comment on an item", operation_id="add_comment")
async def add_comment(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    data: JSONBody[NewComment],
    idempotency_key: IdempotencyKey = None,
) -> Response[Comment]:
    """On its current version."""
    done = await append(request, venture, content.AddComment(item=item, text=data.text), idempotency_key)
    added = done.events[0].data
    assert isinstance(added, content.CommentAdded)
    found = await reading_back(request, venture, content.comment, item, added.comment)
    location = f"{_path(venture, item)}/comments/{found.id}"
    return shown(found, found.version, done=done, status=201, location=location)


@get("/{item:uuid}/comments/{comment:uuid}", summary="A comment", operation_id="read_comment")
async def read_comment(
    request: Request[Any, Any, Any], venture: FromPath[UUID], item: FromPath[UUID], comment: FromPath[UUID]
) -> Response[Comment]:
    found = await reading(request, venture, "content", "view", content.comment, item, comment)
    return shown(found, found.version)


@post(
    "/{item:uuid}/comments/{comment:uuid}/resolve",
    status_code=200,
    summary="Resolve a comment",
    operation_id="resolve_comment",
)
async def resolve_comment(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    comment: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Comment]:
    """What it says was seen to."""
    command = content.ResolveComment(item=item, comment=comment, version=expected_version(if_match))
    done = await append(request, venture, command, idempotency_key)
    found = await reading_back(request, venture, content.comment, item, comment)
    return shown(found, found.version, done=done)


@delete("/{item:uuid}/comments/{comment:uuid}", summary="Delete a comment", operation_id="delete_comment")
async def delete_comment(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    item: FromPath[UUID],
    comment: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Your own, or as a manager anybody's."""
    command = content.DeleteComment(item=item, comment=comment, version=expected_version(if_match))
    await append(request, venture, command, idempotency_key)


async def _drafted(
    request: Request[Any, Any, Any], venture: UUID, command: Command, key: str | None
) -> Response[ItemInFull]:
    done = await append(request, venture, command, key)
    found = await reading_back(request, venture, content.item_in_full, done.entity)
    return shown(found, found.version, done=done, status=201, location=_path(venture, found.id))


async def _changed(
    request: Request[Any, Any, Any], venture: UUID, item: UUID, command: Command, key: str | None
) -> Response[ItemInFull]:
    done = await append(request, venture, command, key)
    found = await reading_back(request, venture, content.item_in_full, item)
    return shown(found, found.version, done=done)


def _path(venture: UUID, item: UUID) -> str:
    return f"/v1/ventures/{venture}/items/{item}"


ROUTERS = (
    Router(
        "/v1/ventures/{venture:uuid}/items",
        route_handlers=[
            list_items,
            draft_item,
            read_item,
            edit_item,
            delete_item,
            submit_item,
            approve_item,
            request_changes,
            copy_item,
            list_versions,
            read_version,
            list_approvals,
            list_comments,
            add_comment,
            read_comment,
            resolve_comment,
            delete_comment,
        ],
        tags=["content"],
    ),
)
