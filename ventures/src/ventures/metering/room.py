"""Which commands need room in the plan."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from ventures.billing.api import CachedAllowances, Metric, require_room
from ventures.content.api import CopyItem, DraftItem
from ventures.generation.api import AcceptDraft, AskDraft
from ventures.log.api import Command
from ventures.posts.api import PublishPost, SchedulePost

NEEDS: Final[Mapping[type[Command], Metric]] = MappingProxyType(
    {
        DraftItem: "items",
        CopyItem: "items",
        AcceptDraft: "items",
        SchedulePost: "posts",
        PublishPost: "posts",
        AskDraft: "drafts",
    }
)
LATER: Final = frozenset({AskDraft})
"""What takes room only when it comes to an end: a draft that fails is not counted."""


async def require_room_for(allowances: CachedAllowances, venture: UUID, command: Command, now: datetime) -> None:
    """Returns where the plan has room for the command. Raises: LimitReached.

    A soft limit: usage is asked for once a minute, and what this process took since is added (`took`). Several
    processes together may pass it by what the others took within that minute.
    """
    metric = NEEDS.get(type(command))
    if metric is not None:
        require_room(await allowances.allowance(venture, metric, now))


def took(allowances: CachedAllowances, venture: UUID, command: Command) -> None:
    """The command was carried out."""
    metric = NEEDS.get(type(command))
    if metric is not None and type(command) not in LATER:
        allowances.took(venture, metric)


def wrote(allowances: CachedAllowances, venture: UUID) -> None:
    """A draft of the venture was written to its end."""
    allowances.took(venture, "drafts")
