"""Requests leave when they are due and are timed from then; what cannot leave, fails or comes late is counted."""

from __future__ import annotations

import asyncio
import math
import selectors
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.experiments import open_loop as loops
from outgrow.experiments.open_loop import NotAnswered, Sent, closed_loop, departures, measured, open_loop, runner
from outgrow.ports import ExperimentFailed


@pytest.fixture(autouse=True)
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "STEP_SECONDS", 0.15)


@given(st.floats(0.5, 500), st.floats(0.5, 20), st.integers(0, 2**40))
def test_a_schedule_offers_exactly_its_rate_and_the_same_for_a_seed(rate: float, seconds: float, seed: int) -> None:
    due = departures(rate, seconds, seed)
    assert due.size == max(1, round(rate * seconds))
    assert np.all(np.diff(due) >= 0)
    assert due[0] >= 0
    assert due[-1] <= seconds
    assert np.array_equal(due, departures(rate, seconds, seed))


def test_gaps_are_those_of_people_who_do_not_know_of_each_other() -> None:
    gaps = np.diff(departures(50, 60, 3))
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.1)


def test_a_stall_delays_all_that_would_have_come_meanwhile() -> None:
    stalls = asyncio.Lock()

    async def send(number: int) -> None:
        async with stalls:
            await asyncio.sleep(0.5 if number == 20 else 0.0)

    due = np.arange(100) * 0.01
    with runner() as loop:
        sent = loop.run(open_loop(send, due, 1.0))
    assert sent.dropped == 0
    # 50 requests were due during the stall, so half of all waited: a closed loop would have seen one slow request
    assert np.sum(sent.times_seconds > 0.02) >= 40
    assert np.quantile(sent.times_seconds, 0.95) > 0.4


def test_what_leaves_late_is_timed_from_when_it_was_due() -> None:
    async def send(number: int) -> None:
        if number == 10:
            time.sleep(0.4)  # nothing else can leave meanwhile

    with runner() as loop:
        sent = loop.run(open_loop(send, np.arange(60) * 0.01, 0.6))
    assert sent.dropped == 0
    assert np.sum(sent.times_seconds > 0.02) >= 30


def test_what_cannot_leave_is_dropped_and_counted() -> None:
    most, now = 0, 0

    async def send(number: int) -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.3)
        now -= 1

    with runner() as loop:
        sent = loop.run(open_loop(send, np.linspace(0, 0.2, 50), 0.2, in_flight=5))
    assert most == 5
    assert (sent.sent, sent.dropped, sent.times_seconds.size) == (50, 45, 5)
    assert sent.reasons == {"5 were under way already": 45}


def test_failures_and_late_answers_are_dropped() -> None:
    async def send(number: int) -> float | None:
        if number % 3 == 0:
            raise NotAnswered("status 500")
        if number % 3 == 1:
            await asyncio.sleep(10)
        return None

    with runner() as loop:
        sent = loop.run(open_loop(send, np.linspace(0, 0.1, 30), 0.1, timeout_seconds=0.2))
    assert sent.dropped == 20
    assert sent.reasons == {"status 500": 10, "no answer within 200 ms": 10}
    assert np.all(sent.times_seconds < 0.2)


def test_an_answer_that_says_it_came_late_is_late() -> None:
    async def send(number: int) -> float | None:
        return time.monotonic() + 5

    with runner() as loop:
        sent = loop.run(open_loop(send, np.zeros(3), 0.05, timeout_seconds=1))
    assert sent.dropped == 3


def test_timers_are_exact_enough_for_fast_stores() -> None:
    with runner() as loop:
        selector = vars(loop.get_loop())["_selector"]
    assert isinstance(selector, selectors.SelectSelector)


def test_nothing_answered_is_told_with_its_reasons_and_has_no_times() -> None:
    async def send(number: int) -> None:
        raise NotAnswered("status 503")

    with runner() as loop:
        sent = loop.run(open_loop(send, np.zeros(7), 0.01))
    found = measured("A", sent)
    assert (found.sent, found.dropped, found.answered) == (7, 7, False)
    assert found.p50_seconds == found.p99_seconds == math.inf
    assert found.why_dropped == "status 503 (7×)"


def test_where_nothing_was_due_nothing_was_measured() -> None:
    with pytest.raises(ExperimentFailed, match="A was sent nothing"):
        measured("A", Sent(np.zeros(0), 0, 0, {}, 1.0, 0.0, 0.0))


def test_a_mistake_in_the_sender_is_no_dropped_request() -> None:
    async def send(number: int) -> None:
        raise ZeroDivisionError

    with runner() as loop, pytest.raises(ExceptionGroup):
        loop.run(open_loop(send, np.zeros(2), 0.01))


def test_capacity_is_what_two_workers_can_do() -> None:
    workers = asyncio.Semaphore(2)

    async def send(number: int) -> None:
        async with workers:
            await asyncio.sleep(0.01)

    with runner() as loop:
        found = loop.run(closed_loop("A", send))
    assert 20 < found.per_second <= 205


def test_capacity_of_what_breaks_under_load_is_from_before() -> None:
    now = 0

    async def send(number: int) -> None:
        nonlocal now
        now += 1
        try:
            await asyncio.sleep(0.01)
            if now > 4:
                raise NotAnswered("status 503")
        finally:
            now -= 1

    with runner() as loop:
        found = loop.run(closed_loop("A", send))
    assert found.in_flight <= 4
    assert found.per_second < 410


def test_capacity_of_what_is_slower_than_a_step_is_still_known() -> None:
    async def send(number: int) -> None:
        await asyncio.sleep(0.3)

    with runner() as loop:
        found = loop.run(closed_loop("A", send, in_flight=2))
    assert 0 < found.per_second < 8


def test_capacity_of_what_never_answers_is_a_failure() -> None:
    async def send(number: int) -> None:
        raise NotAnswered("connection refused")

    with runner() as loop, pytest.raises(ExperimentFailed, match="A answered nothing: connection refused"):
        loop.run(closed_loop("A", send))
