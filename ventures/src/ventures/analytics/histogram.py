"""Durations in buckets, and quantiles from them. Pure.

Bounds grow by √2, from one minute to 91 days, so that a quantile is known to within a fifth of its bucket's
geometric middle, and below a minute to within that. They are kept by index: changing them means reading the log again.
"""

from bisect import bisect_left
from collections.abc import Mapping
from math import ceil
from typing import Final

from ventures.analytics.records import Quantile

BOUNDS: Final = tuple(round(60 * 2 ** (step / 2)) for step in range(35))
"""Upper bounds in seconds, each part of its bucket; the bucket after the last has none."""


def bucket_of(seconds: int) -> int:
    """Index of the bucket of a duration."""
    return bisect_left(BOUNDS, seconds)


def quantile(counts: Mapping[int, int], share: float) -> Quantile | None:
    """The nearest-rank quantile of counts by bucket, share in (0, 1]; None where nothing was counted."""
    total = sum(counts.values())
    if total == 0:
        return None
    rank, below = max(ceil(share * total), 1), 0
    for bucket in sorted(counts):
        count = counts[bucket]
        if below + count >= rank:
            low = BOUNDS[bucket - 1] if bucket else 0
            if bucket == len(BOUNDS):
                return Quantile(low, low, None)
            high = BOUNDS[bucket]
            return Quantile(low, round(low + (high - low) * (rank - below) / count), high)
        below += count
    raise AssertionError("a rank lies within the total")
