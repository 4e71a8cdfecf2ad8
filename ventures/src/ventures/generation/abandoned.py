"""Drafts whose process died: found by their time, and failed."""

import logging
from typing import Final

from ventures.errors import Conflict, NotFound
from ventures.generation import sql
from ventures.generation.commands import WRITER, FailDraft
from ventures.log.api import Spine

POLL_SECONDS: Final = 5.0
AT_ONCE: Final = 100
PROBLEM: Final = "The process that wrote this draft ended before the draft did. Ask again; it was not counted."

log = logging.getLogger(__name__)


async def fail_abandoned(spine: Spine) -> float:
    """Fails what is overdue, of all ventures; → seconds after which to look again. Raises: Unavailable."""
    async with spine.database.scanning() as scope:
        overdue = await scope.all(sql.SCAN_OVERDUE, now=spine.now(), limit=AT_ONCE)
    for venture, draft in overdue:
        command = FailDraft(draft=draft, reason="abandoned", problem=PROBLEM)
        try:
            await spine.append(venture, command, actor=WRITER)
        except (Conflict, NotFound) as refused:  # it ended meanwhile, or its venture was deleted
            log.info("draft %s is not failed: %s", draft, refused)
    return 0.0 if len(overdue) == AT_ONCE else POLL_SECONDS
