"""In which order arms run, and the seeds of what they are sent: fixed before anything is measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_ORDERS, _REQUESTS, _FITNESS = 1, 2, 3


def round_orders(arms: Sequence[str], rounds: int, seed: int) -> tuple[tuple[str, ...], ...]:
    """The order of the arms in each round, drawn by ``seed``.

    Rounds come in blocks of as many as there are arms; in a block every arm stands once in every place (a Latin square
    of random order). What is left over comes in pairs of an order and its reverse. So every arm has the same average
    place, but for one round where an odd number of them is left.
    """
    rng = np.random.default_rng([seed, _ORDERS])
    orders: list[tuple[str, ...]] = []
    while arms and len(orders) + len(arms) <= rounds:
        drawn = _shuffled(arms, rng)
        turns = rng.permutation(len(arms)).tolist()
        orders += [(*drawn[turn:], *drawn[:turn]) for turn in turns]
    while len(orders) < rounds:
        drawn = _shuffled(arms, rng)
        orders += [drawn, drawn[::-1]]
    return tuple(orders[:rounds])


def request_seed(seed: int, number: int) -> int:
    """The seed of what is sent in a round: the same for all its arms, another in each round."""
    return _drawn([seed, _REQUESTS, number])


def fitness_seed(seed: int, number: int) -> int:
    """The seed of what is sent in a round of an arm against itself."""
    return _drawn([seed, _FITNESS, number])


def _drawn(parts: list[int]) -> int:
    return int(np.random.default_rng(parts).integers(2**31))


def _shuffled(arms: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    return tuple(arms[place] for place in rng.permutation(len(arms)).tolist())
