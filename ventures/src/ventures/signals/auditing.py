"""The running audit: whether the parts of the platform agree with each other, venture by venture.

A worker at a time looks at a slice of the ventures, so that all are seen about once an hour. What two rooms say of the
same thing is compared in one statement, that is, as of one moment. What a consumer makes of the log is compared only
where it has read the log to its end: being behind is no disagreement. What does not fit is a row until it fits again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final
from uuid import UUID

from ventures.database.pool import Database
from ventures.database.scope import Scope
from ventures.errors import Refused, Unavailable
from ventures.log.api import Actor, Authority
from ventures.signals import sql
from ventures.signals.records import Audited, Inconsistency, Kind, Round

TURN_SECONDS: Final = 20.0
ROUND_SECONDS: Final = 3600.0
FIRST_ROUND_SECONDS: Final = 600.0
LEAST_A_TURN: Final = 10
"""Few ventures are seen more often than they need; it costs little."""
MOST_FORMER: Final = 200
"""Former members of a venture whose rights are tried at a look."""
REMIND_BEFORE: Final = timedelta(hours=25)
"""A deadline further away than this has its reminder (notifications say a day), whatever the clocks of processes."""
MOST_KEPT: Final = 1_000
"""Disagreements of a venture that are kept; where there are more, which ones says little."""
LOOKED_LATELY: Final = timedelta(hours=2)
"""An audit that looked at nothing for so long knows nothing of now."""
KEPT: Final = timedelta(days=90)
"""How long a disagreement that is gone is remembered."""

Found = set[tuple[Kind, UUID]]


@dataclass
class Auditor:
    """authority: whom the spine and every read ask who may do what; it is tried on those who may nothing."""

    database: Database
    authority: Authority
    region: str
    now: Callable[[], datetime]
    round_seconds: float = ROUND_SECONDS
    first_round_seconds: float = FIRST_ROUND_SECONDS
    least: int = LEAST_A_TURN

    async def turn(self) -> float:
        """Looks at the next slice, unless another process does; → seconds until the next. Raises: Unavailable."""
        async with self.database.everywhere() as scope:
            taken = await scope.one(sql.TAKE_AUDITING)
            if taken is None or not taken[0]:
                return TURN_SECONDS
            now = self.now()
            before = await scope.one(sql.ROUND, Round, region=self.region)
            slice_, size = await self._slice(before)
            for venture in slice_:
                await self.look(venture)
            after = _moved(before, slice_, size, now)
            await scope.run(
                sql.KEEP_ROUND,
                region=self.region,
                after=after.after,
                began_at=after.began_at,
                seen=after.seen,
                whole_at=after.whole_at,
                whole_seconds=after.whole_seconds,
                whole_ventures=after.whole_ventures,
                now=now,
            )
        return TURN_SECONDS

    async def _slice(self, before: Round | None) -> tuple[list[UUID], int]:
        """The next ventures, and how many a full slice has: more as long as no whole round has seen most of them."""
        async with self.database.scanning() as scope:
            row = await scope.one(sql.SCAN_SIZE)
            ventures: int = row[0] if row else 0
            share = TURN_SECONDS / (self.round_seconds if saw_most(before, ventures) else self.first_round_seconds)
            size = max(self.least, ceil(ventures * share))
            after = None if before is None else before.after
            return [venture for (venture,) in await scope.all(sql.SCAN_VENTURES, after=after, limit=size)], size

    async def look(self, venture: UUID) -> Found:
        """What does not fit in one venture now; kept, and what fits again closed. Raises: Unavailable."""
        now = self.now()
        async with self.database.venture(venture, redoable=True) as scope:
            found, looked = await self._found(scope, now)
            known = {(Kind(kind), entity) for kind, entity in await scope.all(sql.OPEN)}
            for kind, entity in sorted(found)[:MOST_KEPT]:
                await scope.run(sql.FIND, kind=kind, entity=entity, now=now)
            for kind, entity in known - found:
                if kind in looked:
                    await scope.run(sql.CLOSE, kind=kind, entity=entity, now=now)
            await scope.run(sql.FORGET, until=now - KEPT)
        return found

    async def _found(self, scope: Scope, now: datetime) -> tuple[Found, set[Kind]]:
        """What does not fit, and the kinds that could be looked for: one that waits for a consumer is left as it is."""
        positions = await scope.queued(sql.CAUGHT_UP)
        members = await scope.queued(sql.MEMBERS)
        answers = [
            await scope.queued(sql.DEADLINES),
            await scope.queued(sql.REMINDERS, remind_until=now + REMIND_BEFORE),
            await scope.queued(sql.POSTS_WITHOUT_ENTRY),
            await scope.queued(sql.ENTRIES_WITHOUT_POST),
            await scope.queued(sql.POSTS_NOT_DUE),
            await scope.queued(sql.POSTS_NOT_APPROVED),
            await scope.queued(sql.ITEMS_NOT_SCHEDULED),
            await scope.queued(sql.ROLES),
        ]
        caught_up = {consumer for (consumer,) in await positions.all()}
        rows = await members.all()
        belongs: dict[UUID, bool] = {account: here for account, here, *_ in rows}
        found = {(Kind(kind), entity) for answer in answers for kind, entity in await answer.all()}
        looked = set(Kind)
        for consumer, kinds in WAITING.items():
            if consumer not in caught_up:
                looked -= kinds
        if rows and rows[0][3]:
            found |= await _in_directory(scope, belongs, rows[0][2])
        else:
            looked -= {Kind.MEMBER_NOT_IN_DIRECTORY, Kind.DIRECTORY_WITHOUT_MEMBER}
        found |= await self._let_in(scope, [account for account, here in belongs.items() if not here], now)
        return found, looked

    async def _let_in(self, scope: Scope, former: Sequence[UUID], now: datetime) -> Found:
        """Those of the former members, and their keys, who may still look in."""
        tried = list(former[:MOST_FORMER])
        if not tried:
            return set()
        actors = [(account, Actor(account=account)) for account in tried]
        for account, key, scopes in await scope.all(sql.KEYS_OF, accounts=tried, venture_id=scope.venture, now=now):
            actor = Actor(account=account, key=key, scopes=frozenset(scopes), venture=scope.venture)
            actors.append((key, actor))
        found: Found = set()
        for entity, actor in actors:
            try:
                await (await self.authority.ask(scope, actor.account)).allow(actor, "tenancy", "view")
            except Unavailable:
                raise
            except Refused:
                continue
            found.add((Kind.FORMER_MEMBER_ALLOWED, entity))
        return found


WAITING: Final = {
    "notices": {Kind.DEADLINE_AND_REMINDER, Kind.ROLE_DIFFERS},
    "publisher": {Kind.POST_NOT_DUE},
}
"""What a consumer must have read the log to its end for."""


async def _in_directory(scope: Scope, belongs: dict[UUID, bool], head: int) -> Found:
    """Who differs. The directory is read after the venture, so news behind `head` are its alone to know yet."""
    found: Found = set()
    listed: set[UUID] = set()
    for account, here, seq in await scope.all(sql.DIRECTORY, venture_id=scope.venture):
        listed.add(account)
        if seq <= head and here != belongs.get(account, False):
            found.add((Kind.DIRECTORY_WITHOUT_MEMBER if here else Kind.MEMBER_NOT_IN_DIRECTORY, account))
    missing = {account for account, here in belongs.items() if here} - listed
    return found | {(Kind.MEMBER_NOT_IN_DIRECTORY, account) for account in missing}


def saw_most(round_: Round | None, ventures: int) -> bool:
    """Whether the last whole round saw at least half of as many ventures as there are now."""
    return round_ is not None and round_.whole_ventures is not None and 2 * round_.whole_ventures >= ventures


def _moved(before: Round | None, slice_: Sequence[UUID], size: int, now: datetime) -> Round:
    """The round after a slice; one that is shorter than a full slice is its end."""
    began_at = now if before is None or before.after is None else before.began_at
    seen = len(slice_) + (0 if before is None or before.after is None else before.seen)
    if len(slice_) == size:
        whole = (None, None, None) if before is None else (before.whole_at, before.whole_seconds, before.whole_ventures)
        return Round(slice_[-1], began_at, now, seen, *whole)
    return Round(None, began_at, now, 0, now, (now - began_at).total_seconds(), seen)


async def audited(database: Database, region: str, now: datetime) -> Audited:
    """How far the audit is and what it found, of all ventures together."""
    async with database.everywhere() as scope:
        round_ = await scope.one(sql.ROUND, Round, region=region)
    async with database.scanning() as scope:
        size = await scope.one(sql.SCAN_SIZE)
        rows = {
            kind: (open_, recent) for kind, open_, recent in await scope.all(sql.SCAN_INCONSISTENCIES, since=now - KEPT)
        }
    none = (0, 0)
    return Audited(
        round_,
        saw_most(round_, size[0] if size else 0) and round_ is not None and now - round_.looked_at <= LOOKED_LATELY,
        {kind: rows.get(kind, none)[0] for kind in Kind},
        {kind: rows.get(kind, none)[1] for kind in Kind},
    )


async def inconsistencies(database: Database, limit: int) -> list[Inconsistency]:
    """Those that are there now, the longest known first."""
    async with database.scanning() as scope:
        return await scope.all(sql.SCAN_OPEN, Inconsistency, limit=limit)
