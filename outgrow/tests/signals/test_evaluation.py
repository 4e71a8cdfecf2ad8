"""Laws of reading a declared signal off scraped samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from outgrow.points.declaration import Signal
from outgrow.signals.evaluation import Held, Reading, bucket_quantile, counter_rate, evaluate

AT = 1_772_323_200.0
WINDOW = 60.0


def signal(**keys: Any) -> Signal:
    return Signal.model_validate({"window": WINDOW, **keys})


def held(values: Sequence[float], metric: str = "m", every: float = 10.0, current: bool = True, **labels: str) -> Held:
    """The values at even times, the last of them at AT."""
    times = [AT - every * (len(values) - 1 - place) for place in range(len(values))]
    return Held(metric, labels, times, list(values), current)


def rate(values: Sequence[float], every: float = 10.0, at: float = AT, window: float = WINDOW) -> float | None:
    one = held(values, every=every)
    return counter_rate(one.times, one.values, at, window)


increments = st.lists(st.integers(min_value=0, max_value=1000), min_size=2, max_size=12)


class TestRate:
    @given(per_second=st.integers(min_value=0, max_value=1000), start=st.integers(min_value=10**6, max_value=10**9))
    def test_a_steady_counter_has_its_rate_however_it_is_sampled(self, per_second: int, start: int) -> None:
        for every in (5.0, 7.0, 10.0, 25.0):
            values = [start + per_second * every * place for place in range(20)]
            assert rate(values, every) == pytest.approx(per_second, rel=1e-9)

    @given(steps=increments, factor=st.sampled_from([0.001, 0.5, 3.0, 1024.0]))
    def test_a_change_of_units_changes_nothing_else(self, steps: list[int], factor: float) -> None:
        values = [sum(steps[: place + 1]) for place in range(len(steps))]
        plain, scaled = rate(values), rate([value * factor for value in values])
        assert plain is not None
        assert scaled == pytest.approx(plain * factor, rel=1e-9)

    @given(steps=increments, place=st.integers(min_value=1, max_value=11))
    def test_a_restart_never_makes_a_rate_negative_nor_larger(self, steps: list[int], place: int) -> None:
        """A counter that begins anew loses what it counted between its last scrape and its end, and nothing else."""
        assume(place < len(steps))
        base = 10**6  # far from zero, where nothing limits extrapolation
        through = [base + sum(steps[: n + 1]) for n in range(len(steps))]
        after = [sum(steps[place : n + 1]) for n in range(place, len(steps))]
        restarted, steady = rate([*through[:place], *after]), rate(through)
        assert restarted is not None
        assert steady is not None
        assert 0 <= restarted <= steady * (1 + 1e-9) + 1e-9

    @pytest.mark.parametrize(
        ("values", "every", "expected"),
        [
            # six samples in the window of 60 s, the first 10 s after its left edge (left-open): to both edges
            ([1000, 1010, 1020, 1030, 1040, 1050, 1060], 10.0, 1.0),
            # starts within the window: half a sample to the left
            ([1000, 1010, 1020], 10.0, 20 * (20 + 5) / 20 / 60),
            # starts within it at nearly zero: no further than where it was zero
            ([1, 11, 21], 10.0, 20 * (20 + 1) / 20 / 60),
            # all at zero
            ([0, 0, 0, 0, 0, 0], 10.0, 0.0),
            # a restart: 1010 was reached, then 5 and 15 were counted anew
            ([1000, 1010, 5, 15], 10.0, 25 * (30 + 5) / 30 / 60),
        ],
    )
    def test_extrapolation_as_prometheus_does_it(self, values: list[float], every: float, expected: float) -> None:
        assert rate(values, every) == pytest.approx(expected, rel=1e-12)

    def test_it_extrapolates_to_the_right_edge_by_no_more_than_half_a_sample(self) -> None:
        values = [1000, 1010, 1020, 1030]
        assert rate(values, at=AT + 10.9) == pytest.approx(30 * (30 + 5 + 10.9) / 30 / 60)
        assert rate(values, at=AT + 11.1) == pytest.approx(30 * (30 + 5 + 5) / 30 / 60)

    def test_fewer_than_two_samples_are_no_rate(self) -> None:
        assert rate([]) is None
        assert rate([5]) is None
        assert rate([5, 6], every=60) is None  # the left edge of the window is outside
        assert rate([5, 6], every=59.999) is not None

    def test_samples_of_one_millisecond_are_no_rate(self) -> None:
        assert counter_rate([AT - 0.0001, AT], [1, 2], AT, WINDOW) is None

    def test_samples_after_the_time_asked_for_are_not_seen(self) -> None:
        assert rate([10, 20, 30, 1000], at=AT - 10) == rate([10, 20, 30]) != rate([10, 20, 30, 1000])


class TestQuantile:
    @given(
        counts=st.lists(st.floats(min_value=0, max_value=1e6), min_size=2, max_size=10),
        low=st.floats(min_value=0.01, max_value=0.99),
        high=st.floats(min_value=0.01, max_value=0.99),
    )
    def test_a_higher_quantile_is_never_lower_and_lies_within_the_bounds(
        self, counts: list[float], low: float, high: float
    ) -> None:
        assume(low <= high)
        buckets = cumulated(counts)
        lower, higher = bucket_quantile(low, buckets), bucket_quantile(high, buckets)
        if sum(counts) == 0:
            assert lower is higher is None
        else:
            assert lower is not None
            assert higher is not None
            assert 0 <= lower <= higher * (1 + 1e-9) <= buckets[-2][0] * (1 + 2e-9)

    @given(counts=st.lists(st.integers(min_value=0, max_value=1000), min_size=2, max_size=10), factor=st.integers(1, 9))
    def test_more_of_the_same_changes_nothing(self, counts: list[int], factor: int) -> None:
        plain = bucket_quantile(0.9, cumulated(counts))
        more = bucket_quantile(0.9, cumulated([count * factor for count in counts]))
        assert more == (None if plain is None else pytest.approx(plain, rel=1e-9))

    @given(counts=st.lists(st.integers(min_value=0, max_value=1000), min_size=2, max_size=10), seed=st.randoms())
    def test_the_order_of_buckets_does_not_matter(self, counts: list[int], seed: Any) -> None:
        buckets = cumulated(counts)
        shuffled = list(buckets)
        seed.shuffle(shuffled)
        assert bucket_quantile(0.9, shuffled) == bucket_quantile(0.9, buckets)

    @pytest.mark.parametrize(
        ("buckets", "quantile", "expected"),
        [
            ([(1, 50), (2, 100), (math.inf, 100)], 0.75, 1.5),  # linear within its bucket
            ([(1, 50), (2, 100), (math.inf, 100)], 0.25, 0.5),  # the lowest begins at 0
            ([(-1, 50), (2, 100), (math.inf, 100)], 0.25, -1),  # unless its bound is not positive
            ([(1, 50), (2, 60), (math.inf, 100)], 0.9, 2),  # above all bounds: the highest there is
            ([(1, 10), (1.0, 10), (2, 40), (math.inf, 40)], 0.5, 1.0),  # equal bounds are one bucket
            ([(1, 50), (2, 49), (3, 100), (math.inf, 100)], 0.75, 2.5),  # counts that fall are level
            ([(1, 50), (2, 50 + 1e-13), (3, 100), (math.inf, 100)], 0.75, 2.5),  # noise is no count
            ([(1, 1), (2, 2)], 0.5, None),  # nothing up to +Inf
            ([(math.inf, 5)], 0.5, None),  # only +Inf
            ([(1, 0), (math.inf, 0)], 0.5, None),  # nothing observed
            ([], 0.5, None),
        ],
    )
    def test_interpolation_as_prometheus_does_it(
        self, buckets: list[tuple[float, float]], quantile: float, expected: float | None
    ) -> None:
        assert bucket_quantile(quantile, buckets) == (None if expected is None else pytest.approx(expected))


def cumulated(counts: Sequence[float]) -> list[tuple[float, float]]:
    bounds = [float(2**place) for place in range(len(counts) - 1)] + [math.inf]
    return [(bound, math.fsum(counts[: place + 1])) for place, bound in enumerate(bounds)]


class TestEvaluate:
    def test_series_are_selected_by_metric_and_labels(self) -> None:
        series = [
            held([1], a="x", b="1"),
            held([10], a="y"),
            held([100], a="xy", b="2"),
            held([1000], metric="other", a="x"),
        ]
        for labels, expected in [
            ({}, 111),
            ({"a": "x"}, 1),
            ({"a": "~x|y"}, 11),
            ({"a": "~x.*"}, 101),
            ({"b": ""}, 10),
            ({"a": "~.+", "b": "~1?"}, 11),
        ]:
            assert evaluate(signal(metric="m", labels=labels, value=True), series, AT).value == expected

    @pytest.mark.parametrize(
        ("across", "expected"), [("sum", 14), ("avg", 14 / 3), ("max", 9), ("min", 2), ("count", 3)]
    )
    def test_several_series_become_one(self, across: str, expected: float) -> None:
        series = [held([5, 9], i="a"), held([7, 3], i="b"), held([1, 2], i="c")]
        assert evaluate(signal(metric="m", value=True, across=across), series, AT).value == pytest.approx(expected)

    def test_the_highest_over_the_window(self) -> None:
        series = [held([99, 5, 9, 1, 1, 1, 1], i="a"), held([3], i="b")]
        assert evaluate(signal(metric="m", max=True), series, AT) == Reading(12)  # 99 is on the window's open edge

    def test_members_are_kept_beside_the_whole(self) -> None:
        series = [held([1], region="eu", i="a"), held([2], region="eu", i="b"), held([4], region="us"), held([8])]
        reading = evaluate(signal(metric="m", value=True, by="region", scale=10), series, AT)
        assert reading == Reading(150, {"eu": 30, "us": 40})

    def test_a_ratio_is_of_sums_and_not_a_mean_of_ratios(self) -> None:
        numerators = [held([0, 1], metric="errors", i="a"), held([0, 0], metric="errors", i="b")]
        denominators = [held([0, 1], i="a"), held([0, 99], i="b")]
        ratio = signal(metric="errors", ratio={"metric": "m"})
        assert evaluate(ratio, [*numerators, *denominators], AT).value == pytest.approx(0.01)

    def test_where_nothing_happened_that_is_known_and_told_from_what_is_not(self) -> None:
        p95 = signal(metric="h", quantile=0.95)
        idle = [held([7.0] * 9, f"h{part}", le=le) for part, le in (("_bucket", "1"), ("_bucket", "+Inf"))]
        assert evaluate(p95, idle, AT).idle
        busy = [held([float(place) for place in range(9)], "h_bucket", le=le) for le in ("1", "+Inf")]
        assert evaluate(p95, busy, AT) == Reading(0.95)
        for unknown in ([], [held([7.0], "h_bucket", le=le) for le in ("1", "+Inf")], idle[:1]):
            reading = evaluate(p95, unknown, AT)
            assert (reading.value, reading.idle) == (None, False), reading

    def test_a_quantile_is_of_all_instances_together(self) -> None:
        series = [
            held([0, count * factor], metric="s_bucket", le=bound, i=str(factor))
            for factor in (1, 3)
            for bound, count in (("1", 50), ("2.0", 100), ("+Inf", 100))
        ]
        assert evaluate(signal(metric="s", quantile=0.75), series, AT).value == pytest.approx(1.5)

    @pytest.mark.parametrize(
        ("declared", "series", "word"),
        [
            (signal(metric="n", value=True, labels={"a": "b"}), [held([1])], 'no series matches n{a="b"}'),
            (signal(metric="m", rate=True), [held([1])], "a rate needs two"),
            (signal(metric="m", value=True), [held([1], current=False)], "has no value any more"),
            (signal(metric="m", value=True), [held([1, math.nan])], "returned nan for m{}"),
            (signal(metric="m", max=True), [held([math.inf, 1])], "returned inf"),
            (signal(metric="m", rate=True), [held([1, math.nan, 3])], "returned nan"),
            (signal(metric="m", ratio={"metric": "n"}), [held([1, 2])], "no series matches n"),
            (signal(metric="m", ratio={"metric": "m"}), [held([2, 2])], "so it has no ratio"),
            (signal(metric="e", ratio={"metric": "m"}), [held([2, 2]), held([1, 2], metric="e")], "so it has no ratio"),
            (signal(metric="m", quantile=0.5), [held([2, 2], metric="m_bucket", le="+Inf")], "so it has no quantile"),
            (signal(metric="m", quantile=0.5), [held([2, 3], metric="m_bucket", le="+Inf")], "not a whole histogram"),
            (signal(metric="m", quantile=0.5), [held([2, 3], metric="m_bucket")], "no bucket"),
            (signal(metric="m", value=True, labels={"a": "~("}), [held([1])], "cannot be read"),
            (signal(promql="m"), [held([1])], "only a Prometheus-compatible source"),
            (signal(value=True), [held([1])], "neither a metric nor promql"),
        ],
    )
    def test_where_there_is_no_value_there_is_a_reason(self, declared: Signal, series: list[Held], word: str) -> None:
        reading = evaluate(declared, series, AT)
        assert reading.value is None
        assert not reading.members
        assert word in reading.reason

    def test_a_value_that_is_too_old_is_none(self) -> None:
        gauge = signal(metric="m", value=True)
        assert evaluate(gauge, [held([1])], AT + 299).value == 1
        assert evaluate(gauge, [held([1])], AT + 300).value is None

    @given(
        values=st.lists(st.one_of(st.floats(), st.integers(0, 100).map(float)), max_size=8),
        reading=st.sampled_from([{"value": True}, {"rate": True}, {"max": True}, {"ratio": {"metric": "m"}}]),
    )
    @example([-1.7e308, 1.7e308], {"rate": True})
    @example([1.7e308], {"value": True, "scale": 10})
    def test_it_is_a_finite_number_or_a_reason_whatever_was_scraped(
        self, values: list[float], reading: dict[str, Any]
    ) -> None:
        series = [held(values, i="a"), held(values, i="b")] if values else []
        result = evaluate(signal(metric="m", **reading), series, AT)
        assert (result.value is None) == bool(result.reason)
        assert result.value is None or math.isfinite(result.value)
