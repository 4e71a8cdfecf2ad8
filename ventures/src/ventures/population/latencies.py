"""Latencies in buckets that are 2 % wide, so that millions of them take no memory. Pure."""

import math
from typing import Final

SMALLEST_SECONDS: Final = 1e-5
PER_DOUBLING: Final = 32
BUCKETS: Final = 24 * PER_DOUBLING
"""Up to 168 s."""
_SCALE: Final = PER_DOUBLING / math.log(2)
_SHIFT: Final = -math.log(SMALLEST_SECONDS) * _SCALE


class Latencies:
    """How often which was measured; `most` and `total` exactly, quantiles to 2.2 %."""

    def __init__(self) -> None:
        self.buckets = [0] * BUCKETS
        self.count = 0
        self.total = 0.0
        self.most = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        place = int(math.log(seconds) * _SCALE + _SHIFT) if seconds > SMALLEST_SECONDS else 0
        self.buckets[place if place < BUCKETS else BUCKETS - 1] += 1
        self.count += 1
        self.total += seconds
        if seconds > self.most:
            self.most = seconds

    def merge(self, other: "Latencies") -> None:
        """All of the other's too."""
        self.buckets = [ours + theirs for ours, theirs in zip(self.buckets, other.buckets, strict=True)]
        self.count += other.count
        self.total += other.total
        self.most = max(self.most, other.most)

    def quantile(self, share: float) -> float | None:
        """In seconds, the upper edge of its bucket; None where nothing was measured."""
        if not self.count:
            return None
        wanted, seen = max(1, math.ceil(share * self.count)), 0
        for place, here in enumerate(self.buckets):
            seen += here
            if seen >= wanted:
                return min(self.most, upper_edge(place))
        return self.most

    def histogram(self) -> list[tuple[float, int]]:
        """(upper edge in seconds, how many) of the buckets that are not empty."""
        return [(upper_edge(place), here) for place, here in enumerate(self.buckets) if here]


def upper_edge(place: int) -> float:
    """Of a bucket, in seconds."""
    return SMALLEST_SECONDS * math.exp2((place + 1) / PER_DOUBLING)
