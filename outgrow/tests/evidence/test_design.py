"""In which order arms run: drawn by a seed, fair to all."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from outgrow.evidence.design import fitness_seed, request_seed, round_orders

arms = st.integers(2, 6).map(lambda count: tuple(f"arm{place}" for place in range(count)))


@given(arms, st.integers(0, 60), st.integers(0, 1000))
def test_every_round_runs_every_arm_once(names: tuple[str, ...], rounds: int, seed: int) -> None:
    orders = round_orders(names, rounds, seed)
    assert len(orders) == rounds
    assert all(sorted(order) == sorted(names) for order in orders)


@given(arms, st.integers(1, 10), st.integers(0, 1000))
def test_in_whole_blocks_every_arm_has_every_place_as_often(names: tuple[str, ...], blocks: int, seed: int) -> None:
    orders = round_orders(names, blocks * len(names), seed)
    for name in names:
        places = Counter(order.index(name) for order in orders)
        assert set(places.values()) == {blocks}
        assert len(places) == len(names)


@given(arms, st.integers(1, 60), st.integers(0, 1000))
def test_the_average_place_of_all_arms_is_alike(names: tuple[str, ...], rounds: int, seed: int) -> None:
    orders = round_orders(names, rounds, seed)
    middle = (len(names) - 1) / 2
    for name in names:
        off = abs(sum(order.index(name) for order in orders) - middle * rounds)
        assert off <= (middle if (rounds % len(names)) % 2 else 0)


def test_equal_seeds_draw_equal_orders_and_others_do_not() -> None:
    names = ("current", "tune", "A")
    assert round_orders(names, 12, 7) == round_orders(names, 12, 7)
    assert len({round_orders(names, 12, seed) for seed in range(20)}) == 20


def test_pairs_are_the_same_however_many_are_asked_for() -> None:
    assert round_orders(("a", "b"), 30, 3)[:6] == round_orders(("a", "b"), 6, 3)


def test_no_two_rounds_are_sent_the_same() -> None:
    seeds = [request_seed(1, number) for number in range(200)] + [fitness_seed(1, number) for number in range(200)]
    assert len(set(seeds)) == 400
    assert request_seed(1, 5) == request_seed(1, 5) != request_seed(2, 5)
