"""What happens to content, and the rows it means. `entity` is always the item."""

from typing import ClassVar
from uuid import UUID

from ventures.content import sql
from ventures.content.records import Judgement
from ventures.database.scope import Scope
from ventures.log.api import Apply, Event, Fact


class ItemDrafted(Fact, frozen=True, kw_only=True):
    """A new item, with its version 1."""

    type: ClassVar[str] = "content.item_drafted"
    title: str
    body: str
    author: UUID


class ItemEdited(Fact, frozen=True, kw_only=True):
    """Version `number`, one more than before. The item is a draft now, whatever it was."""

    type: ClassVar[str] = "content.item_edited"
    number: int
    title: str
    body: str
    author: UUID


class SubmittedForApproval(Fact, frozen=True, kw_only=True):
    """The version `number` waits for approval."""

    type: ClassVar[str] = "content.submitted_for_approval"
    number: int
    by: UUID


class ItemApproved(Fact, frozen=True, kw_only=True):
    """The version `number`, and no other, may go out."""

    type: ClassVar[str] = "content.item_approved"
    number: int
    by: UUID
    note: str = ""


class ChangesRequested(Fact, frozen=True, kw_only=True):
    """The version `number` may not go out; the note says what to change."""

    type: ClassVar[str] = "content.changes_requested"
    number: int
    by: UUID
    note: str


class ApprovalVoided(Fact, frozen=True, kw_only=True):
    """What was submitted or approved as version `number` counts no more. Follows on the edit that voids it; whatever
    was scheduled of the item must not go out.
    """

    type: ClassVar[str] = "content.approval_voided"
    number: int
    why: str
    by: UUID


class ItemScheduled(Fact, frozen=True, kw_only=True):
    """By posts. The item must be approved; a published one stays published."""

    type: ClassVar[str] = "content.item_scheduled"


class ItemUnscheduled(Fact, frozen=True, kw_only=True):
    """By posts: nothing of it is scheduled any more. Changes a scheduled item only."""

    type: ClassVar[str] = "content.item_unscheduled"


class ItemPublished(Fact, frozen=True, kw_only=True):
    """By posts: version `number` went out. Where that is not the approved version any more, because the item was edited
    or deleted meanwhile, only `published_number` tells of it.
    """

    type: ClassVar[str] = "content.item_published"
    number: int


class ItemDeleted(Fact, frozen=True, kw_only=True):
    """Its row stays as a tombstone, its title can still be looked up."""

    type: ClassVar[str] = "content.item_deleted"


class CommentAdded(Fact, frozen=True, kw_only=True):
    """On the version `number` of the item."""

    type: ClassVar[str] = "content.comment_added"
    comment: UUID
    text: str
    author: UUID
    number: int


class CommentResolved(Fact, frozen=True, kw_only=True):
    """Seen to."""

    type: ClassVar[str] = "content.comment_resolved"
    comment: UUID
    by: UUID


class CommentDeleted(Fact, frozen=True, kw_only=True):
    """Its row stays as a tombstone."""

    type: ClassVar[str] = "content.comment_deleted"
    comment: UUID


async def item_drafted(scope: Scope, event: Event[ItemDrafted]) -> None:
    fact = event.data
    await scope.run(sql.DRAFT, item=fact.entity, title=fact.title, author=fact.author, at=event.at)
    await scope.run(
        sql.ADD_VERSION,
        item=fact.entity,
        number=1,
        title=fact.title,
        body=fact.body,
        author=fact.author,
        at=event.at,
    )


async def item_edited(scope: Scope, event: Event[ItemEdited]) -> None:
    fact = event.data
    await scope.run(
        sql.ADD_VERSION,
        item=fact.entity,
        number=fact.number,
        title=fact.title,
        body=fact.body,
        author=fact.author,
        at=event.at,
    )
    await scope.run(sql.EDIT, item=fact.entity, title=fact.title, number=fact.number, at=event.at)


async def submitted_for_approval(scope: Scope, event: Event[SubmittedForApproval]) -> None:
    await scope.run(sql.SUBMIT, item=event.entity, at=event.at)
    await _record(scope, event, "submitted", event.data.number, event.data.by)


async def item_approved(scope: Scope, event: Event[ItemApproved]) -> None:
    fact = event.data
    await scope.run(sql.APPROVE, item=fact.entity, number=fact.number, by=fact.by, at=event.at)
    await _record(scope, event, "approved", fact.number, fact.by, fact.note)


async def changes_requested(scope: Scope, event: Event[ChangesRequested]) -> None:
    fact = event.data
    await scope.run(sql.SEND_BACK, item=fact.entity, at=event.at)
    await _record(scope, event, "changes_requested", fact.number, fact.by, fact.note)


async def approval_voided(scope: Scope, event: Event[ApprovalVoided]) -> None:
    fact = event.data
    await scope.run(sql.VOID, item=fact.entity, at=event.at)
    await _record(scope, event, "voided", fact.number, fact.by, fact.why)


async def item_scheduled(scope: Scope, event: Event[ItemScheduled]) -> None:
    await scope.run(sql.SCHEDULE, item=event.entity, at=event.at)


async def item_unscheduled(scope: Scope, event: Event[ItemUnscheduled]) -> None:
    await scope.run(sql.UNSCHEDULE, item=event.entity, at=event.at)


async def item_published(scope: Scope, event: Event[ItemPublished]) -> None:
    await scope.run(sql.PUBLISH, item=event.entity, number=event.data.number, at=event.at)


async def item_deleted(scope: Scope, event: Event[ItemDeleted]) -> None:
    await scope.run(sql.DELETE, item=event.entity, at=event.at)


async def comment_added(scope: Scope, event: Event[CommentAdded]) -> None:
    fact = event.data
    await scope.run(
        sql.ADD_COMMENT,
        comment=fact.comment,
        item=fact.entity,
        number=fact.number,
        text=fact.text,
        author=fact.author,
        at=event.at,
    )


async def comment_resolved(scope: Scope, event: Event[CommentResolved]) -> None:
    await scope.run(sql.RESOLVE_COMMENT, comment=event.data.comment, by=event.data.by, at=event.at)


async def comment_deleted(scope: Scope, event: Event[CommentDeleted]) -> None:
    await scope.run(sql.DELETE_COMMENT, comment=event.data.comment, at=event.at)


async def _record(scope: Scope, event: Event, verdict: Judgement, number: int, by: UUID, note: str = "") -> None:
    await scope.run(
        sql.RECORD, item=event.entity, seq=event.seq, number=number, verdict=verdict, by=by, note=note, at=event.at
    )


APPLY: dict[type[Fact], Apply] = {
    ItemDrafted: item_drafted,
    ItemEdited: item_edited,
    SubmittedForApproval: submitted_for_approval,
    ItemApproved: item_approved,
    ChangesRequested: changes_requested,
    ApprovalVoided: approval_voided,
    ItemScheduled: item_scheduled,
    ItemUnscheduled: item_unscheduled,
    ItemPublished: item_published,
    ItemDeleted: item_deleted,
    CommentAdded: comment_added,
    CommentResolved: comment_resolved,
    CommentDeleted: comment_deleted,
}
