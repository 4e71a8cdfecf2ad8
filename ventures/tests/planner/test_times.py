"""Clock times and instants, in every zone and near the moments at which clocks change."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventures.errors import Invalid
from ventures.planner.api import When, instant, local_text, zone_of
from ventures.planner.times import NO_ZONES, Span, at_or_after, first_moment, span_of

ZONES = sorted(available_timezones() - NO_ZONES)
DAY = timedelta(days=1)
clock = datetime.fromisoformat
EARLIEST, LATEST = clock("1972-01-01"), clock("2197-01-01")


@cache
def changes(zone: str) -> list[datetime]:
    """UTC midnights within a day after which the zone's clocks change, 2005 to 2035."""
    where, moment, found = ZoneInfo(zone), datetime(2005, 1, 1, tzinfo=UTC), []
    while moment.year < 2036:
        if moment.astimezone(where).utcoffset() != (moment + DAY).astimezone(where).utcoffset():
            found.append(moment)
        moment += DAY
    return found


@st.composite
def clock_times(draw: st.DrawFn) -> tuple[datetime, str]:
    """A clock time in a zone, often within a day and a half of a change."""
    zone = draw(st.sampled_from(ZONES))
    if changes(zone) and draw(st.booleans()):
        base = draw(st.sampled_from(changes(zone))).replace(tzinfo=None)
        return base + timedelta(minutes=draw(st.integers(-2160, 2160))), zone
    return draw(st.datetimes(EARLIEST, LATEST)).replace(microsecond=0, fold=0), zone


def shown(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


@given(clock_times())
def test_a_clock_time_is_an_instant_at_which_the_clock_shows_it_or_refused_where_none_does(
    said: tuple[datetime, str],
) -> None:
    wall, zone = said
    candidates = {wall.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)}
    real = sorted(moment for moment in candidates if shown(moment, zone) == wall)
    if real:
        assert instant(wall, zone, "earlier") == real[0]
        assert instant(wall, zone, "later") == real[-1]
    else:
        with pytest.raises(Invalid, match=r"skip .* say \d\d:\d\d or \d\d:\d\d"):
            instant(wall, zone)


@given(st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)), st.sampled_from(ZONES))
def test_an_instant_with_an_offset_stays_that_instant_in_every_zone(moment: datetime, zone: str) -> None:
    moment = moment.replace(microsecond=0)
    assert instant(moment, zone) == moment
    assert datetime.fromisoformat(local_text(moment, ZoneInfo(zone))) == moment or zone_has_seconds(moment, zone)


def zone_has_seconds(moment: datetime, zone: str) -> bool:
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    return offset.total_seconds() % 60 != 0


@given(clock_times())
def test_the_first_moment_of_a_day_is_its_first_and_days_follow_each_other(said: tuple[datetime, str]) -> None:
    day, zone = said[0].date(), said[1]
    where = ZoneInfo(zone)
    first, following = first_moment(day, where), first_moment(day + DAY, where)
    assert first <= following
    if first < following:  # the zone has this day
        assert first.astimezone(where).date() == day
        assert (first - timedelta(seconds=1)).astimezone(where).date() < day


@given(clock_times())
def test_a_skipped_clock_time_is_moved_to_the_jump(said: tuple[datetime, str]) -> None:
    wall, zone = said
    where = ZoneInfo(zone)
    found = at_or_after(wall, where)
    assert shown(found, zone) >= wall
    if shown(found, zone) > wall:
        assert shown(found - timedelta(seconds=1), zone) < wall


@given(st.dates(date(1972, 1, 1), date(2197, 1, 1)), st.integers(0, 60), st.sampled_from(ZONES))
def test_whole_days_are_those_days_on_the_clocks_of_the_venture(day: date, more: int, zone: str) -> None:
    when, where, last = When(starts_on=day, ends_on=day + more * DAY), ZoneInfo(zone), day + more * DAY
    begin, end = first_moment(day, where), first_moment(last + DAY, where)
    if begin == end:
        with pytest.raises(Invalid, match="skipped"):
            span_of(when, zone="UTC", venture_zone=zone)
    else:
        assert span_of(when, zone="UTC", venture_zone=zone) == Span(begin, end, zone, day, last)


def test_berlin_in_2026() -> None:
    twice, never = clock("2026-10-25T02:30"), clock("2026-03-29T02:30")
    assert instant(twice, "Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert instant(twice, "Europe/Berlin", "later") == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    with pytest.raises(Invalid, match="say 01:30 or 03:30"):
        instant(never, "Europe/Berlin")
    assert at_or_after(never, ZoneInfo("Europe/Berlin")) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_a_day_may_begin_at_one_and_a_zone_may_skip_a_day() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    assert first_moment(date(2026, 3, 29), beirut).astimezone(beirut).hour == 1
    with pytest.raises(Invalid, match="skipped"):
        span_of(When(starts_on=date(2011, 12, 30)), zone="UTC", venture_zone="Pacific/Apia")


@pytest.mark.parametrize(
    "when",
    [
        When(),
        When(ends_at=clock("2026-01-01")),
        When(ends_on=date(2026, 1, 1)),
        When(starts_at=clock("2026-01-01"), starts_on=date(2026, 1, 1)),
        When(starts_at=clock("2026-01-01"), ends_on=date(2026, 1, 1)),
        When(starts_at=clock("2026-01-02"), ends_at=clock("2026-01-01")),
        When(starts_on=date(2026, 1, 2), ends_on=date(2026, 1, 1)),
        When(starts_on=date(2026, 1, 2), zone="Asia/Tokyo"),
        When(starts_at=clock("2026-01-01"), ends_at=clock("2027-02-01")),
        When(starts_at=clock("2026-01-01"), zone="Mars/Olympus"),
        When(starts_at=clock("2026-01-01"), zone="../etc/passwd"),
        When(starts_at=datetime(1, 1, 1, tzinfo=UTC)),
        When(starts_at=clock("9999-12-31")),
        When(starts_on=date(9999, 12, 31)),
    ],
)
def test_what_is_no_time_is_refused_with_a_field(when: When) -> None:
    with pytest.raises(Invalid) as refused:
        span_of(when, zone="UTC", venture_zone="UTC")
    assert refused.value.fields


def test_a_moment_ends_when_it_starts_and_takes_the_zone_that_is_kept() -> None:
    when = When(starts_at=clock("2026-07-01T09:00:00.000005"))
    at = datetime(2026, 7, 1, 7, tzinfo=UTC)
    assert span_of(when, zone="Europe/Berlin", venture_zone="UTC") == Span(at, at, "Europe/Berlin", None, None)


def test_names_that_mean_another_zone_elsewhere_are_none() -> None:
    for name in ("localtime", "posixrules", "europe/berlin", ""):
        with pytest.raises(Invalid):
            zone_of(name)
