"""How many registered writes are carried at once; and what is said where they come faster than that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from outgrow.migration.batches import (
    LONGEST_SECONDS,
    MOST_COUNTED,
    MOST_KEYS,
    WINDOW_SECONDS,
    Backlog,
    next_batch,
    outrun,
)

DECLARED = st.integers(1, 100_000)
SECONDS = st.floats(0, 1e4)
LEFT = st.integers(0, 10**7)


@given(DECLARED, st.integers(1, 200_000), SECONDS, LEFT)
def test_a_batch_is_as_declared_or_more_and_bounded(declared: int, batch: int, took: float, left: int) -> None:
    found = next_batch(declared, batch, took, left)
    assert declared <= found <= max(declared, MOST_KEYS)
    assert found <= max(declared, 2 * batch)


@given(DECLARED, st.integers(1, 200_000), st.floats(LONGEST_SECONDS, 1e4, exclude_min=True), LEFT)
def test_one_that_took_too_long_never_grows(declared: int, batch: int, took: float, left: int) -> None:
    assert next_batch(declared, batch, took, left) <= max(declared, batch)


@given(DECLARED, st.integers(1, 200_000), st.tuples(SECONDS, SECONDS).map(sorted), LEFT)
def test_a_slower_one_is_never_followed_by_a_larger(declared: int, batch: int, took: list[float], left: int) -> None:
    quick, slow = took
    assert next_batch(declared, batch, slow, left) <= next_batch(declared, batch, quick, left)


@given(DECLARED, st.integers(1, 200_000), SECONDS, st.tuples(LEFT, LEFT).map(sorted))
def test_more_left_never_means_a_smaller_one(declared: int, batch: int, took: float, left: list[int]) -> None:
    few, many = left
    assert next_batch(declared, batch, took, few) <= next_batch(declared, batch, took, many)


@given(st.integers(1, MOST_KEYS), st.floats(1e-6, 1e-2), st.floats(0, 0.2))
def test_behind_it_grows_until_a_batch_takes_about_as_long_as_it_may(
    declared: int, seconds_each: float, fixed: float
) -> None:
    batch = declared
    for _ in range(40):
        batch = next_batch(declared, batch, fixed + batch * seconds_each, 10**9)
    took = fixed + batch * seconds_each
    assert batch in (declared, MOST_KEYS) or LONGEST_SECONDS / 2 < took <= LONGEST_SECONDS * 1.01 + seconds_each


@given(st.integers(1, MOST_KEYS), st.integers(1, MOST_KEYS))
def test_with_nothing_left_it_shrinks_to_what_was_declared(declared: int, batch: int) -> None:
    for _ in range(20):
        batch = next_batch(declared, max(batch, declared), 0.01, 0)
    assert batch == declared


def looks(written: float, carried: float, seconds: float = 20.0, each: float = 1.0, begin: int = 1000) -> list[Backlog]:
    count = int(seconds / each)
    return [
        Backlog(at * each, int(begin + (written - carried) * at * each), int(carried * at * each))
        for at in range(count + 1)
    ]


@given(st.floats(1, 5000), st.floats(1.01, 10), st.sampled_from([0.5, 1.0, 2.5]))
def test_faster_than_it_is_carried_is_said_with_both_rates(carried: float, times: float, each: float) -> None:
    found = outrun(looks(carried * times + 1, carried, each=each))
    assert found is not None
    assert abs(found.carried_per_second - carried) <= 0.2
    assert abs(found.written_per_second - (carried * times + 1)) <= 0.4
    assert found.written_per_second > found.carried_per_second


def beyond_counting(written: float, carried: float) -> list[Backlog]:
    """After an hour; the oldest that waits was written when as many had been written as were carried."""
    return [
        Backlog(at, min(MOST_COUNTED, int((written - carried) * at)), int(carried * at), at - carried * at / written)
        for at in (3600.0 + second for second in range(21))
    ]


@given(st.floats(2000, 5000), st.floats(1.05, 10))
def test_it_is_still_said_where_more_wait_than_are_counted(carried: float, times: float) -> None:
    found = outrun(beyond_counting(carried * times, carried))
    assert found is not None
    assert abs(found.carried_per_second - carried) <= 0.2
    assert abs(found.written_per_second / (carried * times) - 1) <= 0.01
    assert "100,000 or more writes wait" in found.sentence("ana")


@given(st.floats(100, 5000), st.floats(1, 5))
def test_more_than_are_counted_that_become_fewer_are_no_reason(written: float, times: float) -> None:
    fewer = [
        Backlog(at, MOST_COUNTED, int(written * times * at), 900 - (times - 1) * at) for at in map(float, range(21))
    ]
    assert outrun(fewer) is None


@given(st.floats(0, 1000), st.floats(1, 5))
def test_what_is_carried_as_fast_is_not(written: float, times: float) -> None:
    assert outrun(looks(written, written * times, begin=10**6)) is None


@given(st.integers(0, int(WINDOW_SECONDS) - 1))
def test_a_moment_tells_nothing(seconds: int) -> None:
    assert outrun(looks(900, 100, seconds)) is None


def test_a_burst_is_none() -> None:
    burst = looks(2000, 100, 4.0) + [Backlog(4.0 + at, 8600 - 100 * at, 400 + 100 * at) for at in range(1, 14)]
    assert outrun(burst) is None


def test_what_is_said() -> None:
    found = outrun(looks(240, 200))
    assert found is not None
    assert found.sentence("ana") == ("ana is written faster than it is carried: 240/s against 200/s, 1,800 writes wait")
