"""Placing tasks under the team's rules."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from outgrow.schedule.sequence import Task, place

tasks_drawn = st.lists(
    st.builds(Task, release=st.floats(0, 20), length=st.floats(0, 10), major=st.booleans()), min_size=1, max_size=8
)
hands_drawn, gaps_drawn = st.integers(1, 4), st.floats(0, 8)


def test_one_hand_works_one_after_the_other_and_says_what_holds_each_back() -> None:
    placed = place([Task(0, 2), Task(0, 9), Task(0, 1), Task(40, 1), Task(0, 1, major=False)], 1, 6)
    assert [task.start for task in placed] == [0, 6, 15, 40, 41]
    assert [task.held_by for task in placed] == ["nothing", "gap", "hands", "milestone", "hands"]
    assert [task.after for task in placed] == [None, 0, 1, None, 3]


def test_a_second_hand_works_beside_the_first() -> None:
    placed = place([Task(0, 9), Task(0, 1), Task(0, 1)], 2, 0)
    assert [task.start for task in placed] == [0, 0, 1]


@given(tasks_drawn, hands_drawn, gaps_drawn)
def test_every_rule_is_kept(tasks: list[Task], hands: int, gap: float) -> None:
    placed = place(tasks, hands, gap)
    majors = [lay.start for task, lay in zip(tasks, placed, strict=True) if task.major]
    assert all(later >= earlier + gap for earlier, later in pairwise(majors))
    for task, lay in zip(tasks, placed, strict=True):
        assert lay.start >= task.release
        assert lay.finish == lay.start + task.length
        under_way = sum(other.start <= lay.start < other.finish for other in placed)
        assert under_way <= hands


@given(tasks_drawn, hands_drawn, gaps_drawn, st.integers(0, 7), st.floats(0, 5))
def test_more_work_and_fewer_hands_never_start_anything_sooner(
    tasks: list[Task], hands: int, gap: float, which: int, more: float
) -> None:
    at = which % len(tasks)
    longer = [*tasks]
    longer[at] = Task(tasks[at].release, tasks[at].length + more, tasks[at].major)
    before = place(tasks, hands, gap)
    for harder in (place(longer, hands, gap), place(tasks, max(1, hands - 1), gap), place(tasks, hands, gap + more)):
        assert all(lay.start >= base.start for lay, base in zip(harder, before, strict=True))
