"""Steps of users, and what two looks at the metrics say of one."""

from hypothesis import given
from hypothesis import strategies as st

from demo.growing import Stairs, Window, broke, window

SEEN = """
ventures_vector_query_seconds_bucket{store="shared",answered_by="index",le="0.05"} %d
ventures_vector_query_seconds_bucket{store="shared",answered_by="index",le="0.1"} %d
ventures_vector_query_seconds_bucket{store="shared",answered_by="index",le="+Inf"} %d
ventures_vector_query_seconds_bucket{store="shared",answered_by="exact",le="+Inf"} %d
"""


def windows(*milliseconds: float) -> list[Window]:
    return [Window(100, 10, each / 1000, 0) for each in milliseconds]


def test_stairs_are_told_as_load_takes_them() -> None:
    stairs = Stairs(first=60, apart=30, steps=4, step_seconds=2.5)
    assert (stairs.ramp, stairs.seconds, stairs.users) == ("60:150:4", 10.0, (60, 90, 120, 150))
    assert stairs.further.users == (180, 210, 240, 270)


def test_a_step_is_what_lies_between_two_looks() -> None:
    found = window(100, SEEN % (10, 10, 10, 2), SEEN % (90, 100, 100, 12), 2.0)
    assert (found.per_second, found.exact) == (50.0, 0.1)
    assert window(100, "", "", 2.0) == Window(100, 0.0, 0.0, 0.0), "a platform that does not answer is no fault of it"


def test_it_is_broken_where_it_stays_so() -> None:
    assert broke(windows(10, 150, 20, 120, 130), 0.1, 2) == 3, "one stall of the machine is none"
    assert broke(windows(10, 150, 20), 0.1, 2) is None
    assert broke(windows(150), 0.1, 1) == 0


@given(st.lists(st.floats(0, 300), max_size=20), st.integers(1, 4))
def test_what_broke_begins_a_row_beyond_the_limit(seen: list[float], lasting: int) -> None:
    place = broke(windows(*seen), 0.1, lasting)
    rows = [at for at in range(len(seen) - lasting + 1) if all(one / 1000 > 0.1 for one in seen[at : at + lasting])]
    assert place == (rows[0] if rows else None)
