"""Working days: what is begun is finished when enough of them have passed, and must be begun in time for that."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from outgrow.schedule.records import NEVER
from outgrow.schedule.workdays import lanes_of

calendars = st.lists(st.integers(0, 3), min_size=1, max_size=30)
days, efforts = st.integers(0, 60), st.integers(1, 20)


def is_open(free: list[int], lane: int, day: int) -> bool:
    return free[min(day, len(free) - 1)] > lane


@given(calendars, days, efforts)
def test_work_is_done_by_the_first_day_before_which_enough_days_were_worked(
    free: list[int], start: int, effort: int
) -> None:
    for number, lane in enumerate(lanes_of(np.array(free), 5)):
        day, left = start, effort
        while left and day < 500:
            left -= is_open(free, number, day)
            day += 1
        assert int(lane.finish(np.array(start), np.array(effort))) == (NEVER if left else day)


@given(calendars, days, efforts)
def test_a_day_after_the_latest_start_is_too_late(free: list[int], by: int, effort: int) -> None:
    for lane in lanes_of(np.array(free), 5):
        latest = int(lane.latest_start(np.array(effort), np.array(by)))
        assert latest < 0 or int(lane.finish(np.array(latest), np.array(effort))) <= by
        assert int(lane.finish(np.array(max(latest + 1, 0)), np.array(effort))) > by


@given(calendars, days)
def test_days_worked_are_counted(free: list[int], day: int) -> None:
    for number, lane in enumerate(lanes_of(np.array(free), 5)):
        assert int(lane.worked_before(np.array(day))) == sum(is_open(free, number, each) for each in range(day))


def test_there_is_a_lane_for_everybody_who_is_ever_free_but_not_more_than_rewrites() -> None:
    assert len(lanes_of(np.array([1, 3, 2]), 5)) == 3
    assert len(lanes_of(np.array([1, 3, 2]), 2)) == 2
    assert len(lanes_of(np.array([0]), 2)) == 1


def test_where_nobody_is_free_nothing_is_ever_finished() -> None:
    (lane,) = lanes_of(np.array([0]), 1)
    assert int(lane.finish(np.array(3), np.array(1))) == NEVER
    assert int(lane.latest_start(np.array(1), np.array(50))) < 0
    assert int(lane.latest_start(np.array(1), np.array(NEVER))) == NEVER
