"""Calm windows for prototypes, and what is said where there is none."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from outgrow.points.declaration import TimeOff
from outgrow.schedule.prototypes import CALM_RATIO, Wish, place_prototypes, prototype_days, under_way
from outgrow.schedule.records import NEVER, Outcome, Prototype

MADE_ON = date(2026, 1, 5)


def outcome_of(*spans: tuple[int, int], scenarios: int = 10, busy_in: int | None = None) -> Outcome:
    """Rewrites from and to these days in the first ``busy_in`` scenarios (all unless told)."""
    starts = np.full((len(spans), scenarios), NEVER, dtype=np.int64)
    finishes = starts.copy()
    for row, (start, finish) in enumerate(spans):
        starts[row, :busy_in], finishes[row, :busy_in] = start, finish
    return Outcome(starts, finishes, np.ones_like(starts, dtype=np.bool_))


def day(prototype: Prototype | None) -> tuple[int, int]:
    assert prototype is not None
    return (prototype.start - MADE_ON).days, (prototype.finish - MADE_ON).days


def absence(first: int, last: int) -> TimeOff:
    start, end = MADE_ON + timedelta(days=first), MADE_ON + timedelta(days=last)
    return TimeOff.model_validate({"from": start, "to": end})


def test_as_late_as_possible_before_the_decision() -> None:
    (prototype,) = place_prototypes([Wish(7, decide_by=60, start=100)], outcome_of((70, 90)), (), MADE_ON)
    assert day(prototype) == (53, 60)
    assert prototype is not None
    assert prototype.calm
    assert prototype.why == ""


def test_and_before_the_rewrite_itself() -> None:
    (prototype,) = place_prototypes([Wish(7, decide_by=NEVER, start=40)], outcome_of((40, 90)), (), MADE_ON)
    assert day(prototype) == (33, 40)


def test_no_prototype_is_made_while_another_rewrite_is_under_way() -> None:
    (prototype,) = place_prototypes([Wish(7, decide_by=60, start=100)], outcome_of((40, 58)), (), MADE_ON)
    assert day(prototype) == (33, 40)


def test_a_rewrite_in_a_tenth_of_the_scenarios_leaves_a_day_calm() -> None:
    wish = [Wish(7, decide_by=60, start=100)]
    for busy_in, expected in ((1, (53, 60)), (2, (33, 40))):
        (prototype,) = place_prototypes(wish, outcome_of((40, 58), busy_in=busy_in), (), MADE_ON)
        assert day(prototype) == expected


def test_days_off_are_not_used() -> None:
    (prototype,) = place_prototypes([Wish(7, decide_by=60, start=100)], outcome_of(), (absence(55, 56),), MADE_ON)
    assert day(prototype) == (48, 55)


def test_two_prototypes_are_not_made_at_once() -> None:
    wishes = [Wish(7, decide_by=60, start=100), None, Wish(7, decide_by=58, start=100)]
    first, none, urgent = place_prototypes(wishes, outcome_of(), (), MADE_ON)
    assert none is None
    assert day(urgent) == (51, 58)
    assert day(first) == (44, 51)


def test_where_nothing_is_calm_the_least_busy_window_is_taken_and_said() -> None:
    busy = outcome_of((0, 200), scenarios=10, busy_in=4)
    (prototype,) = place_prototypes([Wish(7, decide_by=60, start=300)], busy, (), MADE_ON)
    assert day(prototype) == (53, 60)
    assert prototype is not None
    assert not prototype.calm
    assert prototype.why == "no calm window is left: a rewrite is under way then in 40 % of scenarios"


def test_a_day_off_weighs_more_than_a_rewrite_under_way() -> None:
    (prototype,) = place_prototypes([Wish(7, decide_by=14, start=60)], outcome_of((0, 7)), (absence(10, 11),), MADE_ON)
    assert day(prototype) == (3, 10)
    (away,) = place_prototypes([Wish(7, decide_by=14, start=60)], outcome_of(), (absence(0, 30),), MADE_ON)
    assert away is not None
    assert away.why == "no calm window is left: somebody is away or changes are frozen then"


def test_too_late_to_try_before_deciding() -> None:
    (near,) = place_prototypes([Wish(7, decide_by=3, start=60)], outcome_of((0, 20)), (), MADE_ON)
    assert day(near) == (20, 27)
    assert near is not None
    assert (near.calm, near.why) == (True, "it ends after the date to decide by, which is too near")
    (past,) = place_prototypes([Wish(7, decide_by=0, start=60)], outcome_of(), (), MADE_ON)
    assert past is not None
    assert past.why == "it ends after the date to decide by, which is past already"


def test_too_late_to_try_at_all() -> None:
    (prototype,) = place_prototypes([Wish(7, decide_by=60, start=2)], outcome_of((2, 20)), (), MADE_ON)
    assert day(prototype) == (0, 7)
    assert prototype is not None
    assert not prototype.calm
    assert prototype.why == "the rewrite starts before there is time for a prototype: begin with it"


def test_a_prototype_takes_whole_days() -> None:
    assert [prototype_days(weeks) for weeks in (0.1, 1, 1.5)] == [1, 7, 11]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 40)), max_size=4),
    st.integers(1, 14),
    st.integers(0, 80),
    st.integers(0, 80),
)
def test_a_calm_window_is_calm_and_the_latest_there_is(
    spans: list[tuple[int, int]], length: int, decide_by: int, start: int
) -> None:
    outcome = outcome_of(*((begin, begin + days) for begin, days in spans))
    wish = Wish(length, decide_by, start)
    (prototype,) = place_prototypes([wish], outcome, (), MADE_ON)
    first, last = day(prototype)
    assert prototype is not None
    assert last - first == length

    def calm(begin: int) -> bool:
        return not any(begin < finish and other < begin + length for other, finish in ((b, b + d) for b, d in spans))

    assert calm(first) or not prototype.calm
    if prototype.calm and not prototype.why:
        assert last <= wish.deadline
        assert not any(calm(later) for later in range(first + 1, wish.deadline - length + 1))
    else:
        assert not any(calm(begin) for begin in range(wish.deadline - length + 1))


def test_under_way_is_a_share_of_scenarios() -> None:
    shares = under_way(outcome_of((1, 3), (2, 4), scenarios=4, busy_in=1), 5)
    assert shares.tolist() == [0, 0.25, 0.25, 0.25, 0]
    assert shares.max() > 1 - CALM_RATIO
