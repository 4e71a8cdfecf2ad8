"""Reading of drafts and context notes. Asks nobody for permission; callers do."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from ventures.database.scope import Scope
from ventures.errors import NotFound
from ventures.generation import sql
from ventures.generation.records import Citation, ContextNote, Draft, DraftLine, State

NO_SUCH_NOTE: Final = "There is no such context note here; it may have been deleted."
NO_SUCH_DRAFT: Final = "There is no such draft here."
_LAST: Final = (datetime(9999, 12, 31, tzinfo=UTC), UUID(int=2**128 - 1))


async def note(scope: Scope, note: UUID) -> ContextNote:
    """Raises: NotFound, also for a deleted one."""
    found = await scope.one(sql.NOTE, ContextNote, note=note)
    if found is None:
        raise NotFound(NO_SUCH_NOTE)
    return found


async def notes(scope: Scope, after: UUID | None, limit: int) -> list[ContextNote]:
    """The oldest first, after that one, at most so many."""
    return await scope.all(sql.NOTES, ContextNote, after=after, limit=limit)


async def count_notes(scope: Scope) -> int:
    """How many there are."""
    row = await scope.one(sql.COUNT_NOTES)
    return row[0] if row else 0


async def known_notes(scope: Scope, which: Sequence[UUID]) -> set[UUID]:
    """Those of the ids that are notes of this venture."""
    return {note for (note,) in await scope.all(sql.KNOWN_NOTES, notes=list(which))} if which else set()


async def draft(scope: Scope, draft: UUID) -> Draft:
    """Raises: NotFound."""
    found = await scope.one(sql.DRAFT, _draft, draft=draft)
    if found is None:
        raise NotFound(NO_SUCH_DRAFT)
    return found


async def drafts(
    scope: Scope, *, state: State | None = None, before: tuple[datetime, UUID] | None = None, limit: int = 50
) -> list[DraftLine]:
    """The last asked for first, at most so many; `before`: (asked_at, id) of the last one of the page before."""
    before_at, before_id = before or _LAST
    return await scope.all(sql.DRAFTS, DraftLine, state=state, before_at=before_at, before=before_id, limit=limit)


async def running(scope: Scope) -> list[UUID]:
    """Drafts of the venture that are being written, the oldest first."""
    return [draft for (draft,) in await scope.all(sql.RUNNING)]


async def is_running(scope: Scope, draft: UUID) -> bool:
    """False also where there is no such draft."""
    row = await scope.one(sql.IS_RUNNING, draft=draft)
    return row is not None and bool(row[0])


def _draft(*row: Any) -> Draft:
    columns = list(row)
    columns[7] = msgspec.json.decode(columns[7], type=list[Citation])
    return Draft(*columns)
