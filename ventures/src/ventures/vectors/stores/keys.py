"""How ventures share a store: the key of their points, ids of their own, and where each lies."""

import hashlib
from typing import Final
from uuid import UUID

BUCKETS: Final = 16
"""Shards of the layout buckets, unless told otherwise."""
IDS: Final = 1 << 128
"""How many ids there are."""


def key(venture: UUID, kind: str) -> str:
    """What a point is found by: one field for both, so that a search has one condition to match."""
    return f"{venture.hex}/{kind}"


def shift(venture: UUID, birth: str) -> int:
    """What is added to the ids of a venture's points where several ventures lie in one store, so that the same id in
    two ventures is two points. It keeps their order, but for one place where they go round.
    """
    return int.from_bytes(hashlib.blake2b(venture.bytes, key=birth.encode(), digest_size=16).digest(), "big")


def inside(point: UUID, by: int) -> UUID:
    """The id in the store."""
    return UUID(int=(point.int + by) % IDS)


def outside(stored: UUID, by: int) -> UUID:
    """The id as it was put."""
    return UUID(int=(stored.int - by) % IDS)


def rounds(begin: int, by: int) -> list[tuple[int, int]]:
    """Where ids from `begin` on lie in the store, in their order: one or two stretches, from and up to."""
    start = (begin + by) % IDS
    return [(start, by)] if start < by else [(start, IDS), (0, by)]


def bucket_of(venture: UUID, buckets: int = BUCKETS) -> int:
    """Where a venture lies; always the same, on every machine."""
    return int.from_bytes(hashlib.blake2b(venture.bytes, digest_size=8).digest(), "big") % buckets


def process_of(layout: str, venture: UUID, processes: int, buckets: int = BUCKETS) -> int:
    """Which of several index processes holds a venture, from 0. Whole buckets stay together; a layout that cannot be
    divided is the first one's.
    """
    return bucket_of(venture, buckets) % processes if layout in ("buckets", "per-venture") else 0
