"""Bounds for the ratio of two arms measured side by side, from few, noisy and skewed rounds.

What is estimated is the ratio of a typical round: in half of all rounds it is higher, in half lower. Three intervals
are made of the same log ratios, and the outermost bounds are taken:

* Wilcoxon's signed ranks with their exact distribution (bounds among the averages of pairs; Hollander, Wolfe and
  Chicken, Nonparametric Statistical Methods, 3.3): right for all noise that is symmetric on the log scale;
* the sign test, interpolated between order statistics (Hettmansperger and Sheather 1986): right for any noise, also
  where one arm stalls now and then and the other does not;
* Student's t: keeps in view the rare round that is far off.

Each of them alone was wrong too often somewhere in simulation: see ``benchmarks/results/verdicts.md``.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from outgrow.outlook.crossing import normal_quantile
from outgrow.outlook.ratios import student_t_above
from outgrow.quantities import Interval
from outgrow.signals.series import FloatArray

EXACT_PAIRS = 100
"""Up to here the distribution of signed ranks is counted out; beyond, its normal approximation is used."""

SIGN_SHARE = 0.8
"""Of the allowed error, what the interpolated sign test may use: interpolation errs by up to a fifth under skew."""

MOST_PAIRS = 1000
"""More are not worth their time: a ratio moves by less than its noise long before."""

_BATCH = 4_000_000


def least_pairs(confidence: float) -> int:
    """The fewest pairs that can bound a ratio: fewer agree by chance more often than the allowed error."""
    return math.ceil(math.log2(2 / (1 - confidence)) - 1e-9)


def ratio_interval(log_ratios: FloatArray, confidence: float) -> Interval | None:
    """The ratio of a typical round from log ratios, shape (n,); None with fewer than ``least_pairs`` of them.

    The middle is the Hodges–Lehmann estimate: the median of the averages of pairs.
    """
    if log_ratios.size < least_pairs(confidence):
        return None
    low, mid, high = (float(each[0]) for each in outermost_bounds(log_ratios[None, :], confidence))
    return Interval(math.exp(low), math.exp(min(max(mid, low), high)), math.exp(high), confidence)


def value_interval(values: FloatArray, confidence: float) -> Interval | None:
    """The value of a typical round, from one of each round, shape (n,) and none negative; None with too few.

    On the log scale, as times are skewed that way; as they are where one of them is 0.
    """
    if values.size < least_pairs(confidence):
        return None
    if np.all(values > 0):
        return ratio_interval(np.log(values), confidence)
    low, mid, high = (float(each[0]) for each in outermost_bounds(values[None, :], confidence))
    return Interval(max(low, 0.0), min(max(mid, low, 0.0), high), high, confidence)


def outermost_bounds(values: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Low, middle and high for each row of ``values``, shape (m, n) with n ≥ ``least_pairs``; each of shape (m,)."""
    if values.shape[1] < least_pairs(confidence):
        raise ValueError(f"{values.shape[1]} pairs cannot bound a ratio with {confidence:.0%}")
    rank_low, mid, rank_high = signed_rank_bounds(values, confidence)
    sign_low, sign_high = sign_bounds(values, confidence)
    mean_low, mean_high = student_bounds(values, confidence)
    low = np.minimum(np.minimum(rank_low, sign_low), mean_low)
    high = np.maximum(np.maximum(rank_high, sign_high), mean_high)
    return low, mid, high


def signed_rank_bounds(values: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Bounds by Wilcoxon's signed ranks and the Hodges–Lehmann estimate between them, for rows of (m, n)."""
    m, n = values.shape
    first, second = np.triu_indices(n)
    place = signed_rank_place(n, (1 - confidence) / 2)
    low, mid, high = np.empty(m), np.empty(m), np.empty(m)
    step = max(1, _BATCH // first.size)
    for start in range(0, m, step):
        rows = values[start : start + step]
        averages = np.sort((rows[:, first] + rows[:, second]) / 2, axis=1)
        low[start : start + step] = averages[:, place]
        high[start : start + step] = averages[:, -1 - place]
        mid[start : start + step] = (averages[:, (first.size - 1) // 2] + averages[:, first.size // 2]) / 2
    return low, mid, high


def sign_bounds(values: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Bounds by the sign test, interpolated to ``SIGN_SHARE`` of the allowed error, for rows of (m, n)."""
    place, share = sign_place(values.shape[1], SIGN_SHARE * (1 - confidence) / 2)
    ordered = np.sort(values, axis=1)
    low = ordered[:, place] + share * (ordered[:, place + 1] - ordered[:, place])
    high = ordered[:, -1 - place] + share * (ordered[:, -2 - place] - ordered[:, -1 - place])
    return low, high


def student_bounds(values: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Bounds by Student's t, for rows of (m, n)."""
    n = values.shape[1]
    reach = student_quantile((1 + confidence) / 2, n - 1) * values.std(axis=1, ddof=1) / math.sqrt(n)
    middle = values.mean(axis=1)
    return middle - reach, middle + reach


@cache
def signed_rank_place(n: int, error: float) -> int:
    """The largest k with P(T ≤ k) ≤ ``error``, T the sum of positive ranks of ``n`` signed at random.

    The (k + 1)-th smallest average of pairs is then a lower bound. At least 0: nobody asks with too few pairs.
    """
    if n > EXACT_PAIRS:
        spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return math.floor(n * (n + 1) / 4 - spread * normal_quantile(1 - error) - 1)
    chance = np.ones(1)
    for rank in range(1, n + 1):
        longer = np.zeros(chance.size + rank)
        longer[: chance.size] += chance / 2
        longer[rank:] += chance / 2
        chance = longer
    return max(0, int(np.searchsorted(np.cumsum(chance), error * (1 + 1e-12), side="right")) - 1)


@cache
def sign_place(n: int, error: float) -> tuple[int, float]:
    """Which order statistic bounds the median from below, and the share of the way to the next one.

    Where even the outermost one errs more often than asked, it is taken as it is.
    """
    below, chance = 0.0, 0.5**n
    place, outer, inner = 0, chance, chance
    for count in range(n // 2 + 1):
        below += chance
        if below > error:
            inner = below
            break
        place, outer = count, below
        chance *= (n - count) / (count + 1)
    if outer >= error or inner <= outer:
        return place, 0.0
    part = (error - outer) / (inner - outer)
    depth = place + 1
    return place, (n - depth) * part / (depth + (n - 2 * depth) * part)


@cache
def student_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t for a probability above one half, by bisection."""
    low, high = 0.0, 1e6
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if student_t_above(middle, freedom) > 1 - probability else (low, middle)
    return high
