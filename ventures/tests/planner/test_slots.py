"""Free slots: free, within the working hours, apart from each other, and none left out."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from ventures.planner.api import WorkingHours, free_slots

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)
NINE_TO_FIVE = WorkingHours(time(9), time(17), frozenset(range(1, 6)), BERLIN)
MONDAY = datetime(2026, 3, 23, tzinfo=UTC)  # the week in which Berlin's clocks go forward


@given(
    busy=st.lists(st.tuples(st.integers(0, 14 * 1440), st.integers(0, 600)), max_size=12),
    start=st.integers(0, 7 * 1440),
    days=st.integers(0, 7),
    length=st.integers(5, 600),
    opens=st.integers(0, 22),
    hours=st.integers(1, 9),
    weekdays=st.frozensets(st.integers(1, 7), min_size=1),
)
def test_slots_are_free_within_hours_and_apart(
    busy: list[tuple[int, int]], start: int, days: int, length: int, opens: int, hours: int, weekdays: frozenset[int]
) -> None:
    taken = [(MONDAY + at * MINUTE, MONDAY + (at + lasting) * MINUTE) for at, lasting in busy]
    since, until = MONDAY + start * MINUTE, MONDAY + start * MINUTE + timedelta(days=days)
    working = WorkingHours(time(opens), time(min(opens + hours, 23), 59), weekdays, BERLIN)
    last = since
    for begin, end in free_slots(taken, working, since, until, length * MINUTE):
        assert end - begin == length * MINUTE
        assert last <= begin
        assert end <= until
        local, local_end = begin.astimezone(BERLIN), end.astimezone(BERLIN)
        assert local.isoweekday() in weekdays
        assert working.begin <= local.time()
        assert local_end.date() == local.date()
        assert local_end.time() <= working.end
        assert not any(first < end and until_ > begin for first, until_ in taken)
        assert not any(first == until_ and begin <= first < end for first, until_ in taken)
        last = end


def test_an_empty_day_is_full_of_slots_and_an_event_moves_them() -> None:
    day = (MONDAY, MONDAY + timedelta(days=1))
    assert len(list(free_slots([], NINE_TO_FIVE, *day, timedelta(hours=1)))) == 8
    lunch = (datetime(2026, 3, 23, 11, 5, tzinfo=UTC), datetime(2026, 3, 23, 11, 50, tzinfo=UTC))
    begins = [begin.astimezone(BERLIN) for begin, _ in free_slots([lunch], NINE_TO_FIVE, *day, timedelta(hours=2))]
    assert [(one.hour, one.minute) for one in begins] == [(9, 0), (13, 0), (15, 0)]


def test_from_within_the_hours_slots_begin_on_the_grid() -> None:
    now = datetime(2026, 3, 23, 9, 7, 30, tzinfo=UTC)
    begin, _ = next(free_slots([], NINE_TO_FIVE, now, now + timedelta(days=1), 30 * MINUTE))
    assert begin.astimezone(BERLIN).time() == time(10, 15)


def test_working_hours_follow_the_clocks() -> None:
    sunday = WorkingHours(time(1), time(4), frozenset({7}), BERLIN)
    found = list(free_slots([], sunday, MONDAY, MONDAY + timedelta(days=7), 60 * MINUTE))
    assert len(found) == 2  # the third hour is skipped


def test_a_post_takes_the_slot_in_which_it_goes_out() -> None:
    nine, day = datetime(2026, 3, 23, 8, tzinfo=UTC), (MONDAY, MONDAY + timedelta(days=1))
    begin, _ = next(free_slots([(nine, nine)], NINE_TO_FIVE, *day, 15 * MINUTE))
    assert begin.astimezone(BERLIN).time() == time(9, 15)
    before = free_slots([(nine + 15 * MINUTE, nine + 15 * MINUTE)], NINE_TO_FIVE, *day, 15 * MINUTE)
    assert next(before)[0] == nine
