"""Quantiles of buckets are those of the numbers, to the width of a bucket."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventures.population.latencies import PER_DOUBLING, SMALLEST_SECONDS, Latencies

seconds = st.lists(st.floats(SMALLEST_SECONDS, 100.0), min_size=1, max_size=200)


def measured(numbers: list[float]) -> Latencies:
    found = Latencies()
    for number in numbers:
        found.add(number)
    return found


@given(seconds, st.floats(0.01, 1.0))
def test_a_quantile_is_that_of_the_numbers(numbers: list[float], share: float) -> None:
    exact = sorted(numbers)[math.ceil(share * len(numbers)) - 1]
    found = measured(numbers).quantile(share)
    assert found is not None
    assert exact * (1 - 1e-9) <= found <= exact * 2 ** (1 / PER_DOUBLING) * (1 + 1e-9)


@given(seconds, seconds)
def test_parts_together_are_the_whole(some: list[float], others: list[float]) -> None:
    together = measured(some)
    together.merge(measured(others))
    whole = measured(some + others)
    assert together.histogram() == whole.histogram()
    assert (together.count, together.most) == (whole.count, whole.most)
    assert together.total == pytest.approx(whole.total)
    assert sum(count for _, count in whole.histogram()) == whole.count


def test_nothing_has_no_quantile() -> None:
    assert Latencies().quantile(0.5) is None
