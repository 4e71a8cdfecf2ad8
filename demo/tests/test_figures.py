"""What the demo reckons by itself."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.figures import Bounds, bounds_of, buckets_of, in_days, judged, quantile_between, reached_at, span_of

METRICS = """
# TYPE search_seconds histogram
search_seconds_bucket{store="shared",answered_by="index",le="0.05"} 90.0
search_seconds_bucket{store="shared",answered_by="index",le="0.1"} 100.0
search_seconds_bucket{store="shared",answered_by="index",le="+Inf"} 100.0
search_seconds_bucket{store="shared",answered_by="exact",le="0.05"} 0.0
search_seconds_bucket{store="shared",answered_by="exact",le="0.1"} 0.0
search_seconds_bucket{store="shared",answered_by="exact",le="+Inf"} 20.0
search_seconds_count{store="shared",answered_by="exact"} 20.0
other_seconds_bucket{le="0.1"} 7.0
"""


def test_buckets_are_of_all_series_of_the_histogram_or_of_those_with_a_label() -> None:
    assert buckets_of(METRICS, "search_seconds") == {0.05: 90, 0.1: 100, math.inf: 120}
    assert buckets_of(METRICS, "search_seconds", 'answered_by="exact"') == {0.05: 0, 0.1: 0, math.inf: 20}
    assert buckets_of("", "search_seconds") == {}


def test_a_quantile_lies_within_its_bucket_and_is_of_what_came_between() -> None:
    before = {0.05: 1000.0, 0.1: 1000.0, math.inf: 1000.0}
    after = {0.05: 1080.0, 0.1: 1100.0, math.inf: 1100.0}
    assert quantile_between(before, after, 0.9) == pytest.approx(0.075)
    assert quantile_between(before, after, 0.4) == pytest.approx(0.025)
    assert quantile_between(after, after, 0.95) is None
    assert quantile_between({}, {0.1: 1.0, math.inf: 100.0}, 0.95) == 0.1, "beyond the last bound nothing is known"


@given(st.lists(st.floats(0.001, 9.0), min_size=1, max_size=50), st.floats(0.01, 0.99))
def test_a_quantile_is_off_by_no_more_than_its_bucket(seen: list[float], share: float) -> None:
    bounds = [0.01, 0.1, 1.0, 10.0]
    after = {bound: float(sum(one <= bound for one in seen)) for bound in bounds} | {math.inf: float(len(seen))}
    found = quantile_between({}, after, share)
    assert found is not None
    exact = sorted(seen)[max(0, math.ceil(share * len(seen)) - 1)]
    bucket = next(place for place, bound in enumerate(bounds) if exact <= bound)
    assert (0.0, *bounds)[bucket] <= found <= bounds[bucket] + 1e-12


def test_a_limit_is_reached_between_the_steps_around_it() -> None:
    assert reached_at([100, 200, 400], [0.01, 0.02, 0.32], 0.08) == pytest.approx(200 * math.sqrt(2))
    assert reached_at([100, 200], [0.5, 0.6], 0.1) == 100
    assert reached_at([100, 200], [0.01, 0.02], 0.1) is None


@given(
    st.floats(1, 1e4), st.floats(1, 1e4), st.floats(1, 1e4), st.floats(1, 1e3), st.floats(1, 1e3), st.floats(0.5, 2e3)
)
def test_a_warning_is_late_exactly_where_its_early_bound_lies_beyond(
    one: float, other: float, wall: float, soon: float, later: float, days: float
) -> None:
    said, when = Bounds(min(one, other), one, max(one, other)), Bounds(min(soon, later), soon, max(soon, later))
    found = judged(said, wall, days_said=when, days=days)
    assert (found.how == "late") == (said.low > wall or when.low > days)
    assert (found.how == "early") == (found.how != "late" and said.high < wall)
    assert ("date was too early" in found.sentence) == (found.how != "late" and when.high < days)


def test_no_warning_at_all_is_late() -> None:
    assert judged(None, 1500, days_said=None, days=0).how == "late"
    assert judged(Bounds(1, 2, 3), 2, days_said=None, days=1e9).how == "held"


def test_spans_are_said_without_infinities() -> None:
    assert [in_days(one) for one in (Bounds(0, 0, 0.5), Bounds(0.2, 5, 40), Bounds(30, 50, 1200))] == [
        "any day now",
        "within 40 days",
        "in 30 to 1,200 days",
    ]
    assert [span_of(one) for one in (Bounds(1, 2, 1300), Bounds(10, 20, math.inf))] == ["1–1,300", "10 or more"]


def test_bounds_come_from_what_forecast_says() -> None:
    assert bounds_of({"p10": 1.0, "p50": 2.0, "p90": None}) == Bounds(1.0, 2.0, math.inf)
    assert bounds_of(None) is None
    assert bounds_of({"p10": None, "p50": None, "p90": None}) is None
