"""Ids of points and their keys: whole numbers and UUIDs, paged by the bytes of their keys.

A key is the id as people write it (``42``, ``550e8400-e29b-41d4-a716-446655440000``), so that an application registers
what it knows. An engine goes through ids by value, numbers first; keys go by bytes, where ``10`` comes before ``9``. So
a page is merged from streams that are in order by both: the numbers of each length, and the UUIDs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from uuid import UUID

from outgrow.ports import StoreFailed

PointId = int | UUID
Scroll = Callable[[PointId, int], Sequence[PointId]]
"""``(first, limit)``: at most so many ids from this one on, in the engine's order: numbers before UUIDs."""

_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}")
_LAST_NUMBER = 2**64 - 1
_LAST_UUID = 2**128 - 1


def key_of(found: PointId) -> str:
    """The key of an id."""
    return str(found)


def id_or_none(key: str) -> PointId | None:
    """The id of a key; None where the key is neither a number of 64 bits nor a UUID, written as ``key_of`` does."""
    if _NUMBER.fullmatch(key):
        return int(key) if int(key) <= _LAST_NUMBER else None
    try:
        found = UUID(key)
    except ValueError:
        return None
    return found if str(found) == key else None


def id_of(key: str) -> PointId:
    """The id of a key. Raises ``StoreFailed``."""
    found = id_or_none(key)
    if found is None:
        raise StoreFailed(
            f"{key!r} is no id of Qdrant",
            next_step="Ids are whole numbers of 64 bits and UUIDs in lower case with hyphens; a store with other keys "
            "cannot be moved to Qdrant without giving its items such ids first.",
        )
    return found


def ids_behind(after: str, limit: int, scroll: Scroll) -> list[PointId]:
    """The first ``limit`` ids whose keys come behind ``after`` by bytes."""
    found: list[PointId] = []
    length = 1
    while length <= 20:
        low, end = 10 ** (length - 1) if length > 1 else 0, min(10**length, _LAST_NUMBER + 1)
        first = _first_behind(after, low, end, str)
        if first == end:
            length += 1
            continue
        ids = scroll(first, limit)
        inside = [each for each in ids if isinstance(each, int) and each < end]
        found += inside
        if len(inside) == len(ids):
            if len(ids) < limit:
                break
            length += 1
            continue
        beyond = ids[len(inside)]
        if not isinstance(beyond, int):
            break
        length = len(str(beyond))
    start = _first_behind(after, 0, _LAST_UUID + 1, lambda value: str(UUID(int=value)))
    if start <= _LAST_UUID:
        found += scroll(UUID(int=start), limit)
    return sorted(found, key=key_of)[:limit]


def _first_behind(after: str, low: int, end: int, text: Callable[[int], str]) -> int:
    while low < end:
        middle = (low + end) // 2
        if text(middle) > after:
            end = middle
        else:
            low = middle + 1
    return low
