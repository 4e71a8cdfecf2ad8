"""The publisher: claims what is due, calls the channel, appends how it ended.

It may die anywhere. Before publishing began nothing happened; afterwards the post is *publishing*, and a later attempt
finds out what became of it before it does anything.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx2
import msgspec

from ventures.database.scope import Row
from ventures.errors import Conflict, Invalid, NotFound, Unavailable
from ventures.log.api import Appended, Command, Spine
from ventures.outbound import Network, outbound_client
from ventures.posts import sql
from ventures.posts.credentials import CredentialsUnreadable, kept
from ventures.posts.events import PublishingBegan
from ventures.posts.ports import CannotTell, Channel, Failed, Outgoing, Published, Unknown
from ventures.posts.publishing import (
    MOST_ATTEMPTS,
    PUBLISHER,
    SETTLE,
    BeginPublishing,
    EndFailed,
    EndPublished,
    EndUnknown,
)
from ventures.posts.reading import channel, post_row
from ventures.posts.records import PostRow

POLL_SECONDS: Final = 1.0
AT_ONCE: Final = 8
LEASE: Final = SETTLE + timedelta(seconds=10)
CALL_SECONDS: Final = 20.0
"""The longest look-up, and the longest publishing."""
FENCE_SECONDS: Final = 45.0
"""Who was held up longer than this since publishing began leaves the call to the next attempt."""
FIRST_RETRY_SECONDS: Final = 30.0
LONGEST_RETRY_SECONDS: Final = 3_600.0
LONGEST_RETRY_AFTER_SECONDS: Final = 86_400.0
JITTER_RATIO: Final = 0.25
APPEND_TRIES: Final = 5

log = logging.getLogger(__name__)
Make = Callable[[str, Mapping[str, Any], Mapping[str, str], httpx2.AsyncClient], Channel]


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody knows, but a later attempt can find out."""

    problem: str


Outcome = Published | Failed | Unknown | Later


class Publisher:
    """Publishes what is due, of all ventures. Several may run, here and elsewhere.

    key: gives the key that seals credentials. jitter: numbers from 0 to 1 that spread attempts.
    """

    def __init__(
        self,
        spine: Spine,
        *,
        make: Make,
        key: Callable[[], bytes],
        networks: Sequence[Network],
        now: Callable[[], datetime],
        jitter: Callable[[], float],
    ) -> None:
        self._spine = spine
        self._database = spine.database
        self._make = make
        self._key = key
        self._networks = tuple(networks)
        self._now = now
        self._jitter = jitter

    async def turn(self) -> float:
        """Publishes some of what is due; → seconds after which to look again. Raises: Unavailable."""
        async with self._database.scanning() as scope:
            due = await scope.all(sql.SCAN_DUE, now=self._now(), limit=AT_ONCE)
        if not due:
            return POLL_SECONDS
        async with outbound_client(self._networks, timeout_seconds=CALL_SECONDS) as client:
            turns = (self._turn(client, venture, post) for venture, post in due)
            ended = await asyncio.gather(*turns, return_exceptions=True)
        for (venture, post), end in zip(due, ended, strict=True):
            if isinstance(end, Exception):
                log.warning("post %s of venture %s waits: %s", post, venture, end, exc_info=end)
            elif isinstance(end, BaseException):
                raise end
        return 0.0 if True in ended and len(due) == AT_ONCE else POLL_SECONDS

    async def _turn(self, client: httpx2.AsyncClient, venture: UUID, post: UUID) -> bool:
        """→ whether the post was this publisher's."""
        claimed = await self._claimed(venture, post)
        if claimed is None:
            return False
        (seq,) = claimed
        started = time.monotonic()
        began = await self._began(venture, post, seq)
        if began is not None:
            outcome = await self._carried_out(client, venture, began, started)
            await self._ended(venture, began, seq, outcome)
        return True

    async def _claimed(self, venture: UUID, post: UUID) -> Row | None:
        now = self._now()
        async with self._database.venture(venture) as scope:
            row = await scope.one(sql.CLAIMABLE, post=post, now=now)
            if row is not None:
                await scope.run(sql.CLAIM, post=post, lease_until=now + LEASE)
        return row

    async def _began(self, venture: UUID, post: UUID, seq: int) -> PublishingBegan | None:
        """None where there is nothing to publish now; the reminder then says when to look again, or is gone."""
        command = BeginPublishing(post=post, seq=seq)
        try:
            done = await self._appended(venture, command, f"publisher:{self._spine.new_id()}")
        except NotFound:  # the post, or the venture with all its posts, was deleted
            async with self._database.venture(venture) as scope:
                await scope.run(sql.FORGET_REMINDER, post=post, seq=seq)
            return None
        except Conflict as refused:
            log.info("post %s is not published now: %s", post, refused)
            await self._put_off(venture, post, seq)
            return None
        fact = done.events[0].data
        return fact if isinstance(fact, PublishingBegan) else None

    async def _put_off(self, venture: UUID, post: UUID, seq: int) -> None:
        async with self._database.venture(venture) as scope:
            row = await post_row(scope, post)
            if row.scheduled_seq == seq and row.state == "publishing" and row.tried_at is not None:
                await scope.run(sql.POSTPONE, post=post, seq=seq, due_at=row.tried_at + SETTLE)
            elif row.scheduled_seq == seq and row.state == "scheduled":
                await scope.run(sql.POSTPONE, post=post, seq=seq, due_at=self._now() + timedelta(minutes=1))
            else:
                await scope.run(sql.FORGET_REMINDER, post=post, seq=seq)

    async def _carried_out(
        self, client: httpx2.AsyncClient, venture: UUID, began: PublishingBegan, started: float
    ) -> Outcome:
        try:
            async with self._database.venture(venture) as scope:
                row = await post_row(scope, began.entity)
                where = await channel(scope, row.channel)
                credentials = await kept(scope, self._key(), where.id)
            called = self._make(where.kind, where.settings, credentials, client)
        except (Invalid, NotFound, CredentialsUnreadable) as error:
            if began.doubtful_since is None:
                return Failed(problem=str(error))
            return Unknown(problem=f"Its end was not heard of, and the channel cannot be asked: {error}")
        return await call(called, _outgoing(venture, row, began), began.doubtful_since is None, started)

    async def _ended(self, venture: UUID, began: PublishingBegan, seq: int, outcome: Outcome) -> None:
        post, attempt = began.entity, began.attempt
        command: Command
        if isinstance(outcome, Later):
            log.warning("post %s: how attempt %d ended is not known yet: %s", post, attempt, outcome.problem)
            wait = max(SETTLE, timedelta(seconds=self._retry_seconds(attempt)))
            async with self._database.venture(venture) as scope:
                await scope.run(sql.POSTPONE, post=post, seq=seq, due_at=self._now() + wait)
            return
        if isinstance(outcome, Published):
            url = _plain(outcome.url or "", 2_000) or None
            external_id = _plain(outcome.external_id, 500) or str(post)
            command = EndPublished(post=post, attempt=attempt, external_id=external_id, url=url)
        elif isinstance(outcome, Failed):
            command = EndFailed(
                post=post,
                attempt=attempt,
                problem=_plain(outcome.problem, 1_000),
                retry_at=self._retry_at(outcome, attempt),
            )
        else:
            command = EndUnknown(post=post, attempt=attempt, problem=_plain(outcome.problem, 1_000))
        try:
            await self._appended(venture, command, f"publisher:{post}:{attempt}:end")
        except (Conflict, NotFound) as refused:
            log.warning("post %s: the end of attempt %d came too late: %s (%s)", post, attempt, refused, outcome)

    async def _appended(self, venture: UUID, command: Command, idem: str) -> Appended:
        """Asks again with the same key while the database does not answer."""
        for again in range(APPEND_TRIES):
            try:
                return await self._spine.append(venture, command, actor=PUBLISHER, idem=idem)
            except Unavailable:
                if again == APPEND_TRIES - 1:
                    raise
                await asyncio.sleep(0.2 * 2**again)
        raise AssertionError("the last try returns or raises")

    def _retry_at(self, failed: Failed, attempt: int) -> datetime | None:
        if not failed.again:
            return None
        asked = min(failed.retry_after_seconds or 0.0, LONGEST_RETRY_AFTER_SECONDS)
        return self._now() + timedelta(seconds=max(asked, self._retry_seconds(attempt)))

    def _retry_seconds(self, attempt: int) -> float:
        doublings = (attempt - 1) % MOST_ATTEMPTS
        return min(FIRST_RETRY_SECONDS * 2.0**doublings, LONGEST_RETRY_SECONDS) * (1 + JITTER_RATIO * self._jitter())


async def call(called: Channel, post: Outgoing, sure: bool, started: float) -> Outcome:
    """Publishes, and before that, unless it is sure that the post is not out, looks it up.

    started: when publishing began, by the monotonic clock.
    """
    if not sure and called.looks_up:
        found = await _found(called, post)
        if isinstance(found, Published):
            return found
        if isinstance(found, CannotTell):
            return Later(problem=found.problem)
        sure = True
    if not sure and not called.takes_key:
        return Unknown(problem="Its end was not heard of, and this channel cannot be asked: look at the channel.")
    if time.monotonic() - started > FENCE_SECONDS:
        return Later(problem="this publisher was held up")
    result = await _published(called, post)
    if isinstance(result, Published):
        return result
    if isinstance(result, Failed):
        if sure:
            return result
        return Later(problem=result.problem) if result.again else Unknown(problem=result.problem)
    return Later(problem=result.problem) if called.takes_key or called.looks_up else result


async def _found(called: Channel, post: Outgoing) -> Published | CannotTell | None:
    try:
        async with asyncio.timeout(CALL_SECONDS):
            return await called.find(post, str(post.post))
    except Exception as error:  # an adapter is foreign code
        return CannotTell(problem=_reason(error))


async def _published(called: Channel, post: Outgoing) -> Published | Failed | Unknown:
    try:
        async with asyncio.timeout(CALL_SECONDS):
            return await called.publish(post, str(post.post))
    except Exception as error:  # an adapter is foreign code
        return Unknown(problem=_reason(error))


def _reason(error: Exception) -> str:
    return (
        f"no answer within {CALL_SECONDS:g} s"
        if isinstance(error, TimeoutError)
        else f"{type(error).__name__}: {error}"
    )


def _plain(text: str, most: int) -> str:
    """A foreign text as the database takes it."""
    return text.replace("\0", "")[:most]


def _outgoing(venture: UUID, row: PostRow, began: PublishingBegan) -> Outgoing:
    first = began.doubtful_since or row.tried_at or datetime.now(UTC)
    return Outgoing(venture=venture, post=row.id, item=row.item, text=row.text, first_tried_at=first)
