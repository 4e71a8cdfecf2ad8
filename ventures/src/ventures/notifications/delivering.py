"""The loop that sends what is due to webhooks' addresses.

At least once, in no promised order: a receiver tells repetitions by `webhook-id` and orders by `data.seq`. A delivery
is claimed by moving its due time on, so that a process that dies while it sends leaves it to be tried again. A
receiver that hangs, fails or floods holds up its own deliveries only.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import httpx2
import msgspec

from ventures.database.pool import Database
from ventures.database.scope import Scope
from ventures.errors import Refused, VenturesError
from ventures.log.api import Actor, Spine, read
from ventures.notifications import sql
from ventures.notifications.commands import DisableWebhook
from ventures.notifications.payload import payload, test_payload
from ventures.notifications.records import MOST_ANSWER_CHARACTERS, Signing
from ventures.notifications.signing import message_id, secrets_of, signed_headers
from ventures.notifications.webhooks import KEPT

RETRY_AFTER_SECONDS: Final = (5, 60, 300, 1_800, 7_200, 18_000, 28_800, 28_800)
"""Waits between the attempts of a delivery: nine attempts within a day."""
LONGEST_WAIT: Final = timedelta(hours=8)
GIVE_UP_AFTER: Final = timedelta(days=2)
"""A delivery that waited so long, because its webhook's deliveries were held back, is not tried again."""
DISABLE_AFTER: Final = timedelta(days=3)
"""A webhook of which every attempt failed for so long is disabled."""
HOLD_AFTER_FAILURES: Final = 5
FIRST_HOLD_SECONDS: Final = 30
LONGEST_HOLD_SECONDS: Final = 900
"""After some failures one upon the other all deliveries of a webhook wait, at first so long, at most so long."""
LEASE: Final = timedelta(seconds=60)
AT_ONCE: Final = 16
AT_ONCE_OF_ONE: Final = 2
"""Requests under way, of all webhooks and of one, in a process."""
SCANNED: Final = 10_000
TURN_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 0.25
READ_BYTES: Final = 4 * MOST_ANSWER_CHARACTERS
PLATFORM: Final = Actor(system="webhooks")

log = logging.getLogger(__name__)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A claimed delivery. attempt: counted over its life; attempts_before: those before it was queued, at `since`."""

    venture: UUID
    delivery: UUID
    webhook: UUID
    test: bool
    url: str
    body: bytes
    secrets: list[bytes]
    attempt: int
    attempts_before: int
    since: datetime


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt went; no status where there was no answer."""

    at: datetime
    duration_ms: int
    status: int | None = None
    answer: str = ""
    problem: str | None = None
    retry_after_seconds: int | None = None

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass
class Deliverer:
    """Deliveries under way in this process. `client` reaches only where it may (`outbound.outbound_client`)."""

    database: Database
    spine: Spine
    client: Callable[[], httpx2.AsyncClient]
    key: Callable[[], bytes]
    now: Callable[[], datetime]
    _under_way: dict[UUID, tuple[UUID, UUID, asyncio.Task[None]]] = field(default_factory=dict)
    _client: httpx2.AsyncClient | None = None

    async def turn(self) -> float:
        """Starts what is due and waits a moment for it; a slow receiver's request goes on beside later turns."""
        async with self.database.scanning() as scope:
            due = await scope.all(
                sql.SCAN_DUE, now=self.now(), most=SCANNED, each=AT_ONCE_OF_ONE * 2, limit=AT_ONCE * 2
            )
        busy = Counter(webhook for _, webhook, _ in self._under_way.values())
        held = Counter(venture for venture, _, _ in self._under_way.values())
        due.sort(key=lambda row: held[row[0]])  # whose receivers are slow keeps nobody else's waiting
        started = 0
        for venture, delivery, webhook in due:
            if len(self._under_way) >= AT_ONCE:
                break
            if delivery in self._under_way or busy[webhook] >= AT_ONCE_OF_ONE:
                continue
            busy[webhook] += 1
            started += 1
            task = asyncio.create_task(self._deliver(venture, delivery))
            self._under_way[delivery] = (venture, webhook, task)
            task.add_done_callback(lambda _, ended=delivery: self._under_way.pop(ended, None))  # type: ignore[misc]  # mypy loses the default's type
        if self._under_way:
            await asyncio.wait([task for *_, task in self._under_way.values()], timeout=TURN_SECONDS)
        return 0.0 if started else IDLE_SECONDS

    async def idle(self) -> None:
        """Returns when nothing is under way."""
        while self._under_way:
            await asyncio.wait([task for *_, task in self._under_way.values()])
            await asyncio.sleep(0)

    async def _deliver(self, venture: UUID, delivery: UUID) -> None:
        try:
            job = await self._claimed(venture, delivery)
            if job is not None:
                await self._ended(job, await self._sent(job))
        except VenturesError as error:
            log.warning("a delivery is tried again after its lease: %s", error)
        except Exception:  # whatever it was, the lease runs out and the delivery is tried again
            log.exception("a delivery failed on our side")

    async def _claimed(self, venture: UUID, delivery: UUID) -> Job | None:
        now = self.now()
        async with self.database.venture(venture) as scope:
            claiming = await scope.queued(sql.CLAIM, delivery=delivery, now=now, lease_until=now + LEASE)
            reading = await scope.queued(sql.TO_SEND, delivery=delivery)
            claim, row = await claiming.one(), await reading.one()
            if claim is None or row is None:
                return None
            webhook, seq, made_at, url, enabled, removed, *signing = row
            if removed or not (enabled or seq is None):
                problem = "The webhook was removed." if removed else "The webhook is disabled."
                await scope.run(sql.CANCEL, delivery=delivery, problem=problem, at=now)
                await scope.run(sql.NO_LONGER_DUE, delivery=delivery)
                return None
            if seq is None:
                body = test_payload(venture, made_at)
            else:
                (event,) = await read(scope, self.spine.registry, seq - 1, 1)
                body = payload(event)
        attempt, attempts_before, since = claim
        return Job(
            venture=venture,
            delivery=delivery,
            webhook=webhook,
            test=seq is None,
            url=url,
            body=body,
            secrets=secrets_of(self.key(), venture, webhook, Signing(*signing), now),
            attempt=attempt,
            attempts_before=attempts_before,
            since=since,
        )

    async def _sent(self, job: Job) -> Outcome:
        at, began = self.now(), time.monotonic()
        headers = {
            "Content-Type": "application/json",
            **signed_headers(message_id(job.delivery), job.body, at, job.secrets),
        }
        status, answer, problem, retry_after = None, b"", None, None
        if self._client is None:
            self._client = self.client()
        try:
            request = self._client.build_request("POST", job.url, content=job.body, headers=headers)
            response = await self._client.send(request, stream=True)
            status = response.status_code
            retry_after = _seconds(response.headers.get("retry-after"))
            async with aclosing(response):
                async for part in response.aiter_bytes():
                    answer += part
                    if len(answer) >= READ_BYTES:
                        break
        except (httpx2.HTTPError, httpx2.InvalidURL, VenturesError, OSError, ValueError) as error:
            problem = f"{_plain(type(error).__name__)}: {error}" if status is None else None
        if status is not None and not 200 <= status < 300:
            problem = f"answered {status}" + (", a redirect, which is not followed" if 300 <= status < 400 else "")
        return Outcome(
            at=at,
            duration_ms=round((time.monotonic() - began) * 1000),
            status=status,
            answer=_text(answer)[:MOST_ANSWER_CHARACTERS],
            problem=None if problem is None else _text(problem.encode())[:300],
            retry_after_seconds=retry_after,
        )

    async def _ended(self, job: Job, outcome: Outcome) -> None:
        now, disable = self.now(), None
        async with self.database.venture(job.venture) as scope:
            await scope.run(
                sql.NOTE_ATTEMPT,
                delivery=job.delivery,
                number=job.attempt,
                at=outcome.at,
                duration_ms=outcome.duration_ms,
                status=outcome.status,
                answer=outcome.answer,
                problem=outcome.problem,
            )
            if not job.test:
                disable = await self._health(scope, job, outcome, now)
            wait = None if outcome.delivered else next_wait(job, outcome, now)
            await scope.run(
                sql.NOTE_OUTCOME,
                delivery=job.delivery,
                state="delivered" if outcome.delivered else "failed" if wait is None else "waiting",
                attempts=job.attempt,
                status=outcome.status,
                problem=outcome.problem,
                ended_at=now if wait is None else None,
            )
            if wait is None:
                await scope.run(sql.NO_LONGER_DUE, delivery=job.delivery)
            else:
                await scope.run(sql.DUE_AGAIN, delivery=job.delivery, due_at=now + wait)
            await scope.run(sql.PRUNE, before=now - KEPT)
        if disable is not None:
            with suppress(Refused):  # removed meanwhile; or the database is away, and the next failure says it again
                await self.spine.append(job.venture, DisableWebhook(webhook=job.webhook, why=disable), actor=PLATFORM)

    async def _health(self, scope: Scope, job: Job, outcome: Outcome, now: datetime) -> str | None:
        """Notes how the webhook is; → why it should be disabled, if it should."""
        if outcome.delivered:
            await scope.run(sql.WELL, webhook=job.webhook)
            return None
        counting = await scope.queued(sql.ILL, webhook=job.webhook, at=now)
        changing = await scope.queued(sql.CHANGED_AT, webhook=job.webhook)
        health, changed = await counting.one(), await changing.one()
        if health is None or changed is None:
            return None
        failures, failing_since = health
        if failures >= HOLD_AFTER_FAILURES:
            doubled = FIRST_HOLD_SECONDS * 2 ** min(failures - HOLD_AFTER_FAILURES, 10)
            until = now + timedelta(seconds=min(doubled, LONGEST_HOLD_SECONDS))
            await scope.run(sql.HOLD, webhook=job.webhook, until=until)
            await scope.run(sql.HOLD_BACK, webhook=job.webhook, until=until)
        if outcome.status == 410:
            return "The receiver answered 410 Gone."
        if now - max(failing_since, changed[0]) >= DISABLE_AFTER:
            return f"Every attempt failed for {DISABLE_AFTER.days} days; the last one: {outcome.problem}."
        return None


def next_wait(job: Job, outcome: Outcome, now: datetime) -> timedelta | None:
    """How long until the next attempt; None where there is none. Spread by a tenth, so that not all come at once."""
    tried = job.attempt - job.attempts_before
    if job.test or outcome.status == 410 or tried > len(RETRY_AFTER_SECONDS) or now - job.since > GIVE_UP_AFTER:
        return None
    spread = 0.9 + (job.delivery.int % 1_000) / 5_000
    wait = RETRY_AFTER_SECONDS[tried - 1] * spread
    return min(timedelta(seconds=max(wait, outcome.retry_after_seconds or 0)), LONGEST_WAIT)


def _seconds(retry_after: str | None) -> int | None:
    return int(retry_after) if retry_after and retry_after.isdecimal() and len(retry_after) < 9 else None


def _text(answer: bytes) -> str:
    return answer.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _plain(name: str) -> str:
    return {"ConnectError": "no connection", "ReadTimeout": "no answer in time", "AddressRefused": "refused"}.get(
        name, name
    )
