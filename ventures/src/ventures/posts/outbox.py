"""The outbox: which post is due when. Made from the log, read by the publisher."""

from ventures.database.scope import Scope
from ventures.log.api import Event
from ventures.posts import sql
from ventures.posts.events import (
    ChannelDisconnected,
    PostDeleted,
    PostPublished,
    PostResolved,
    PostScheduled,
    PostUnscheduled,
    PublishingFailed,
    PublishingUnknown,
)

ENDS = (PostUnscheduled, PostPublished, PublishingUnknown, PostResolved, PostDeleted)
HANDLED = frozenset(fact.type for fact in (PostScheduled, PublishingFailed, ChannelDisconnected, *ENDS))


class Outbox:
    """The consumer "publisher": a reminder for every post that is to go out. Also deletes the credentials of channels
    that were disconnected.
    """

    name = "publisher"
    target = ""
    handles: frozenset[str] | None = HANDLED

    async def handle(self, scope: Scope, event: Event) -> None:
        fact = event.data
        if isinstance(fact, PostScheduled):
            await scope.run(sql.REMIND, post=fact.entity, seq=event.seq, due_at=fact.at)
        elif isinstance(fact, PublishingFailed) and fact.retry_at is not None:
            await scope.run(sql.REMIND_AGAIN, post=fact.entity, due_at=fact.retry_at)
        elif isinstance(fact, ChannelDisconnected):
            await scope.run(sql.FORGET_CREDENTIALS, channel=fact.entity)
        else:
            await scope.run(sql.FORGET, post=event.entity)

    async def forget(self, scope: Scope) -> None:
        await scope.run(sql.FORGET_ALL)
