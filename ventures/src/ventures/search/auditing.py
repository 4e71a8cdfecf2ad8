"""The running audit: a few searches are repeated exactly in PostgreSQL, and what they gave is looked at.

A sample has the vector, what the search was narrowed to, where it was answered and what it gave; of the query no word.
It is gone when it was checked. Only counts stay, without any id.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, TypeAlias, get_args
from uuid import UUID

import numpy as np

from ventures.database.pool import Database
from ventures.database.scope import GlobalScope, Scope
from ventures.errors import Unavailable
from ventures.identifiers import NewId
from ventures.log.api import Loop
from ventures.search import sql
from ventures.search.exact import exact_search
from ventures.search.routes import Sample
from ventures.tenancy import api as tenancy
from ventures.vectors.api import Kind, Only

Result: TypeAlias = Literal["right", "wrong", "foreign", "not_comparable"]
"""`foreign`: something of another venture, or for who did not belong to it. `not_comparable`: the venture changed."""

EVERY: Final = 100
PAUSE_SECONDS: Final = 1.0
TOP: Final = 10
RIGHT: Final = 0.9
"""The least share of the nearest ten that a right answer has: one may be missed."""
SAME_SCORE: Final = 1e-4
"""Scores closer than this are equal, so that either of two passages that are alike is right."""
MOST_AGE: Final = timedelta(hours=1)
GRACE: Final = timedelta(seconds=5)
"""Who left within it had been asked for before."""
MOST: Final = 50
LOOK_AGAIN_SECONDS: Final = 5.0
JOINED: Final = tenancy.MemberJoined.type
LEFT: Final = (tenancy.MemberLeft.type, tenancy.MemberRemoved.type)

log = logging.getLogger(__name__)


class Sampler:
    """Leaves every hundredth search of the index, by chance, and at most about one a second, to be repeated. It takes
    no time of the search's own. every: 1 for all; clock: monotonic seconds.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: NewId,
        *,
        every: int = EVERY,
        pause_seconds: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._every = every
        self._pause = pause_seconds
        self._clock = clock
        self._next = clock()
        self._keeping: set[asyncio.Task[None]] = set()

    def offer(self, samples: Iterable[Sample]) -> None:
        """Takes of them what is to be repeated. What PostgreSQL itself answered needs no check."""
        for sample in samples:
            if sample.nearest.answered_by != "index" or self._clock() < self._next:
                continue
            id = self._new_id()
            if id.int % self._every == 0:
                self._next = self._clock() + self._pause
                task = asyncio.create_task(self._kept(id, sample))
                self._keeping.add(task)
                task.add_done_callback(self._keeping.discard)

    async def idle(self) -> None:
        """Returns when all that was taken is kept."""
        await asyncio.gather(*self._keeping)

    async def _kept(self, id: UUID, sample: Sample) -> None:
        try:
            async with self._database.venture(sample.venture, redoable=True) as scope:
                await scope.run(
                    sql.KEEP_SAMPLE,
                    id=id,
                    at=self._now(),
                    head=sample.standing.head,
                    model=sample.standing.model,
                    kind=sample.kind.value,
                    position=sample.nearest.position,
                    vector=sample.vector.tolist(),
                    states=list(sample.only.states),
                    sources=list(sample.only.sources),
                    but=list(sample.only.but),
                    ids=[match.id for match in sample.nearest.matches[:TOP]],
                    account=sample.account,
                )
        except Unavailable:
            log.debug("a search could not be kept for the audit")


class _Kept(NamedTuple):
    at: datetime
    head: int
    model: str
    kind: str
    position: int
    vector: list[float]
    states: list[str]
    sources: list[UUID]
    but: list[UUID]
    ids: list[UUID]
    account: UUID | None


class Auditor:
    """Repeats what samplers left, of all ventures; in several processes each sample is taken once."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def turn(self) -> float:
        """Checks what there is. Returns after how many seconds to look again."""
        async with self._database.scanning() as scope:
            waiting = await scope.all(sql.SCAN_SAMPLES, most=MOST)
        for venture, id in waiting:
            async with self._database.venture(venture, redoable=True) as scope:
                sample = await scope.one(sql.TAKE_SAMPLE, _Kept, id=id)
                result = None if sample is None else await _checked(scope, sample, self._now())
            if result is not None:
                async with self._database.everywhere() as everywhere:
                    await everywhere.run(sql.COUNT_CHECK, result=result, count=1)
                if result == "foreign":
                    log.error("a search in venture %s gave what is not the venture's, or to who is no member", venture)
        return 0.0 if len(waiting) == MOST else LOOK_AGAIN_SECONDS


def loops(database: Database, now: Callable[[], datetime]) -> list[Loop]:
    """The work of search that is due at times."""
    return [Loop("search-audit", Auditor(database, now).turn)]


async def audited(scope: GlobalScope) -> dict[Result, int]:
    """How many searches were repeated, by what came of it."""
    return dict.fromkeys(get_args(Result), 0) | dict(await scope.all(sql.CHECKS))


async def _checked(scope: Scope, sample: _Kept, now: datetime) -> Result:
    row = await scope.one(sql.LAST_CHANGE, model=sample.model, kind=sample.kind)
    changed, position = row or (0, 0)
    if now - sample.at > MOST_AGE or position < sample.position:  # it is being read again from the beginning
        return "not_comparable"
    ids = set(sample.ids)
    known, there = await scope.one(sql.KNOWN, model=sample.model, ids=sample.ids) or (0, 0)
    if known < len(ids) or not await _was_member(scope, sample):  # what was deleted is known still
        return "foreign"
    if changed > sample.position:
        return "not_comparable"
    only = Only(tuple(sample.states), tuple(sample.sources), tuple(sample.but))
    vector = np.asarray(sample.vector, np.float32)
    exact = await exact_search(scope, sample.model, Kind(sample.kind), vector, 2 * TOP, only)
    wanted = min(TOP, len(exact))
    good = {match.id for match in exact if match.score >= exact[wanted - 1].score - SAME_SCORE}
    return "right" if there == len(ids) and len(good & ids) >= RIGHT * wanted else "wrong"


async def _was_member(scope: Scope, sample: _Kept) -> bool:
    """Whether who asked belonged to the venture, where that is to be checked."""
    if sample.account is None:
        return True
    last = await scope.one(sql.LAST_OF_MEMBER, account=sample.account, types=[JOINED, *LEFT], until=sample.head)
    return last is not None and (last[0] == JOINED or last[1] > sample.at - GRACE)
