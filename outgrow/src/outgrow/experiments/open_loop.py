"""Load that does not wait for answers, and the closed loop that finds out how much can be answered at all.

Requests leave when they are due, whether or not those before were answered, and each is timed from the moment it was
due: a stall delays all that would have come meanwhile, as it would delay people.

The loop runs in the process that measures. What it asks either runs in another process (a service, a server), or is a
library that an application would call in its own process just so, from threads.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np

from outgrow.ports import ExperimentFailed, Measured
from outgrow.quantities import format_quantity
from outgrow.signals.series import FloatArray

STEP_SECONDS = 1.0
"""How long the closed loop asks with one number of clients."""
MOST_IN_FLIGHT = 400
"""Far below the 1,024 descriptors that ``select`` can watch."""
_LEAD_SECONDS = 0.02
_GROWS_RATIO = 1.08
_FAILED_RATIO = 0.01
_PAUSE_SECONDS = 0.01


class NotAnswered(Exception):
    """A request was refused, failed or came back with what is no answer; the message says why, in few words."""


Send = Callable[[int], Awaitable[float | None]]
"""Sends the request of a number and waits for its answer. May return when it was there (``time.monotonic``); None: now.
Raises ``NotAnswered``. It is cancelled when its time is over."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of requests that were due.

    Attributes:
        times_seconds: of the answered ones, from when each was due; shape (answered,).
        sent: requests that were due. dropped: of them, those that could not leave (too many in flight), failed, or were
            not answered in time. reasons: of these, how often each.
        seconds: from the first moment until all had been answered or given up; at least as long as was asked for.
        lag_seconds: median of how much later than due requests left: the generator's own doing.
        busy_ratio: processor time of this process for each second, 1 = one core.
    """

    times_seconds: FloatArray
    sent: int
    dropped: int
    reasons: Mapping[str, int]
    seconds: float
    lag_seconds: float
    busy_ratio: float


@dataclass(frozen=True, slots=True)
class Answered:
    """What a closed loop found: the most answers a second, with how many at a time, and the processor time that this
    process took for each second of it (1 = one core)."""

    per_second: float
    in_flight: int
    busy_ratio: float


def departures(rate_per_second: float, seconds: float, seed: int) -> FloatArray:
    """When requests are due, in seconds from the start, rising: a Poisson process, given its count, so that the offered
    load is exactly the rate (order statistics of uniform draws). Shape (rate × seconds,), at least one."""
    random = np.random.default_rng([seed, 0])
    return np.sort(random.uniform(0.0, seconds, max(1, round(rate_per_second * seconds))))


def runner() -> asyncio.Runner:
    """Runs coroutines in a loop whose timers are exact to some 50 µs; those of epoll come up to 1 ms late, which would
    be most of what a fast store takes."""
    return asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector()))


async def open_loop(
    send: Send, due: FloatArray, seconds: float, *, in_flight: int = MOST_IN_FLIGHT, timeout_seconds: float = 10.0
) -> Sent:
    """Sends requests 0, 1, … when they are due, and waits until each is answered or given up.

    Args:
        due: seconds from the start, rising. seconds: how long the load lasts.
        in_flight: at most so many at a time; what is due then is dropped.
        timeout_seconds: an answer later than so long after its request was due comes too late.
    """
    loop = asyncio.get_running_loop()
    ended, lags = np.full(due.size, np.nan), np.zeros(due.size)
    reasons, running = Counter[str](), 0
    busy, start = time.process_time(), loop.time() + _LEAD_SECONDS

    async def one(number: int, intended: float) -> None:
        nonlocal running
        try:
            async with asyncio.timeout_at(intended + timeout_seconds):
                at = await send(number)
            at = loop.time() if at is None else at
            if at <= intended + timeout_seconds:
                ended[number] = at - intended
            else:
                reasons[_late(timeout_seconds)] += 1
        except NotAnswered as why:
            reasons[str(why)] += 1
        except TimeoutError:
            reasons[_late(timeout_seconds)] += 1
        finally:
            running -= 1

    async with asyncio.TaskGroup() as group:
        for number, offset in enumerate(due.tolist()):
            intended = start + offset
            wait = intended - loop.time()
            if wait > 0 or number % 16 == 0:
                await asyncio.sleep(max(0.0, wait))
            lags[number] = max(0.0, loop.time() - intended)
            if running >= in_flight:
                reasons[f"{in_flight} were under way already"] += 1
                continue
            running += 1
            group.create_task(one(number, intended))
        await asyncio.sleep(max(0.0, start + seconds - loop.time()))
    elapsed = max(seconds, loop.time() - start)
    answered = ended[np.isfinite(ended)]
    busy_ratio = (time.process_time() - busy) / elapsed
    lag = float(np.median(lags)) if lags.size else 0.0
    return Sent(answered, due.size, due.size - answered.size, dict(reasons), elapsed, lag, busy_ratio)


def measured(arm: str, sent: Sent) -> Measured:
    """Quantiles of what was answered, infinite where nothing was. Raises ``ExperimentFailed`` where none was sent."""
    if not sent.sent:
        raise ExperimentFailed(
            f"{arm} was sent nothing: at this rate no request was due in the time",
            next_step="Write a larger rate: or round_seconds: under experiment:.",
        )
    reasons = why(sent.reasons) if sent.dropped else ""
    if not sent.times_seconds.size:
        return Measured(math.inf, math.inf, math.inf, sent.sent, sent.dropped, 0.0, why_dropped=reasons)
    p50, p95, p99 = np.quantile(sent.times_seconds, [0.5, 0.95, 0.99]).tolist()
    throughput = sent.times_seconds.size / sent.seconds
    return Measured(p50, p95, p99, sent.sent, sent.dropped, throughput, why_dropped=reasons)


def why(reasons: Mapping[str, int]) -> str:
    """The most frequent reasons, in words."""
    most = sorted(reasons.items(), key=lambda each: -each[1])[:3]
    return "; ".join(f"{reason} ({number:,}×)" for reason, number in most) or "for no known reason"


async def closed_loop(
    arm: str, send: Send, *, in_flight: int = MOST_IN_FLIGHT, timeout_seconds: float = 10.0
) -> Answered:
    """How much can be answered: clients that each ask one request after the other, twice as many in every step, until
    two steps in a row bring no more answers a second (or more than 1 % of them fail).

    Raises:
        ExperimentFailed: nothing was answered at all.
    """
    numbers, best, stale, clients = count(), Answered(0.0, 1, 0.0), 0, 1
    while clients <= in_flight and stale < 2:
        reasons = Counter[str]()
        busy = time.process_time()
        rate = await _step(send, numbers, reasons, clients, timeout_seconds)
        busy_ratio = (time.process_time() - busy) / STEP_SECONDS
        if not rate and not best.per_second:
            raise ExperimentFailed(
                f"{arm} answered nothing: {why(reasons)}", next_step="See what the arm says in its own log."
            )
        failing = reasons.total() > _FAILED_RATIO * rate * STEP_SECONDS
        stale = 2 if failing and best.per_second else stale + 1 if rate < _GROWS_RATIO * best.per_second else 0
        if rate > best.per_second and (not failing or not best.per_second):
            best = Answered(rate, clients, busy_ratio)
        clients *= 2
    return best


async def _step(send: Send, numbers: count[int], reasons: Counter[str], clients: int, timeout_seconds: float) -> float:
    loop = asyncio.get_running_loop()
    end, done = loop.time() + STEP_SECONDS, 0

    async def ask() -> None:
        nonlocal done
        while loop.time() < end:
            try:
                async with asyncio.timeout(timeout_seconds):
                    await send(next(numbers))
                done += loop.time() <= end
            except NotAnswered as failed:
                reasons[str(failed)] += 1
                await asyncio.sleep(_PAUSE_SECONDS)
            except TimeoutError:
                reasons[_late(timeout_seconds)] += 1

    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(ask())
    if done:
        return done / STEP_SECONDS
    answered_late = next(iter(reasons), None) is None
    return clients / (loop.time() - began) if answered_late else 0.0  # each took longer than a step


def _late(timeout_seconds: float) -> str:
    return f"no answer within {format_quantity(timeout_seconds, 'seconds')}"
