"""Units on axes, words for numbers, labels that keep out of each other's way."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.charts.style import axis_unit, spread
from outgrow.outlook.sentences import day, span, users_text
from outgrow.quantities import Interval


@pytest.mark.parametrize(
    ("unit", "top", "name", "shown"),
    [
        ("seconds", 0.05, "ms", 50),
        ("seconds", 15, "s", 15),
        ("seconds", 300, "s", 300),
        ("seconds", 4 * 3600, "h", 4),
        ("seconds", 5 * 86400, "days", 5),
        ("bytes", 16e9, "GB", 16),
        ("ratio", 0.95, "%", 95),
        ("requests_per_second", 80, "per second", 80),
        ("complaints", 7, "complaints", 7),
    ],
)
def test_axes_count_in_what_a_person_reads(unit: str, top: float, name: str, shown: float) -> None:
    axis = axis_unit(unit, top)
    assert (axis.name, axis.of(top)) == (name, pytest.approx(shown))


labels = st.lists(st.tuples(st.floats(-50, 500), st.floats(10, 45)), min_size=1, max_size=6)


@given(labels)
def test_labels_never_overlap_and_stay_inside(wanted: list[tuple[float, float]]) -> None:
    centres = spread(wanted, 0.0, 440.0)
    edges = sorted(
        (centre - height / 2, centre + height / 2) for centre, (_, height) in zip(centres, wanted, strict=True)
    )
    assert edges[0][0] >= -1e-6
    assert edges[-1][1] <= 440 + 1e-6
    assert all(upper[1] <= lower[0] + 1e-6 for upper, lower in itertools.pairwise(edges))


def test_a_label_with_room_stays_where_it_belongs() -> None:
    assert spread([(100, 20), (300, 40)], 0, 440) == [100, 300]


def test_users_and_dates_as_people_say_them() -> None:
    assert users_text(Interval(4123, 5380, 7001)) == "5,400 (4,100–7,000)"
    assert users_text(Interval(12_345, 20_150, math.inf)) == "20,000 (12,000–∞)"
    assert users_text(Interval(1900, math.inf, math.inf)) == "1,900 or more"
    assert day(1_775_000_000) == "31 Mar 2026"
    assert day(math.inf) == "later"
    assert span(1_775_000_000, 1_780_000_000) == "31 Mar – 28 May 2026"
    assert span(1_775_000_000, math.inf) == "not before 31 Mar 2026"
